//! What an input asks of a step that sends a code: the same answer for `needs`, `advance` and `view` at the same `now`.

use countersign_model::Timestamp;

use super::Here;
use crate::input::Typed;
use crate::instance::Challenge;
use crate::language::{Channel, MailboxRule, Otp, PhoneShow, Policy, SendTo, Step, StepKind, Voice};
use crate::{Input, Instance, NoticeKey, phone};

/// Whose mailbox or phone a code goes to, and what its coming back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The account's mailbox.
    Mailbox,
    /// The account's phone; typed first where the policy asks for it.
    Phone { ask: bool },
    /// The mailbox of the account that signs in with the typed address.
    TypedEmail,
    /// The account's phone, if it is the one that was typed; who types another is not told.
    TypedPhone,
    /// A mailbox to be bound: the one on file where that is the rule and there is one, else the typed one.
    NewMailbox { on_file: bool },
    /// A phone to be bound.
    NewPhone,
}

impl Aim {
    /// What `step` of `policy` is after.
    pub(super) fn of(policy: &Policy, step: &Step, otp: &Otp) -> Self {
        match (&step.kind, otp.to) {
            (StepKind::BindPhone(_), _) => Self::NewPhone,
            (StepKind::BindEmail(_), _) => Self::NewMailbox { on_file: policy.mailbox == MailboxRule::OnFile },
            (_, SendTo::AccountMailbox) => Self::Mailbox,
            (_, SendTo::AccountPhone) => Self::Phone { ask: otp.show == PhoneShow::Ask },
            (_, SendTo::InputEmail) => Self::TypedEmail,
            (_, SendTo::InputPhone) => Self::TypedPhone,
        }
    }

    /// Whether it binds a factor.
    pub(super) const fn binds(self) -> bool {
        matches!(self, Self::NewMailbox { .. } | Self::NewPhone)
    }
}

/// A send to come.
pub(super) struct Sending {
    /// The challenge as it will be.
    pub(super) challenge: Challenge,
    /// Address or E.164 number, as typed or on file.
    pub(super) to: String,
    /// Country of a typed number.
    pub(super) country: Option<String>,
}

/// What an input asks for.
pub(super) enum Plan {
    /// Nothing.
    Stay(Option<NoticeKey>),
    /// Send.
    Send(Sending),
    /// Compare this code with the challenge's.
    Verify(Challenge, String),
    /// See whether the call was answered.
    Approve(Challenge),
    /// Continue, with the time of the proof.
    Confirmed(Challenge, Timestamp),
    /// Type another address or number.
    Change,
}

/// What `input` asks for.
pub(super) fn plan(here: Here, otp: &Otp, input: &Input) -> Plan {
    let challenge = here.instance.challenge.as_ref();
    let verified = challenge.and_then(|challenge| Some((challenge, challenge.verified_at?)));
    match (input.control.as_str(), verified) {
        ("send" | "call" | "resend" | "verify", Some(_)) => Plan::Stay(Some(NoticeKey::Verified)),
        ("continue", Some((challenge, at))) => Plan::Confirmed(challenge.clone(), at),
        ("send" | "call" | "resend", None) => plan_send(here, otp, input),
        ("verify" | "continue", None) => challenge.map_or(Plan::Stay(None), |it| plan_answer(here, otp, it, input)),
        ("change", _) => Plan::Change,
        _ => Plan::Stay(None),
    }
}

fn plan_answer(here: Here, otp: &Otp, challenge: &Challenge, input: &Input) -> Plan {
    let called = is_answered_by_phone(otp, challenge);
    if is_expired(challenge, here.now) {
        let verify = input.control == "verify" && !called;
        return Plan::Stay(if verify { Some(NoticeKey::Expired) } else { called.then_some(NoticeKey::CallExpired) });
    }
    if called {
        return Plan::Approve(challenge.clone());
    }
    if input.control != "verify" {
        return Plan::Stay(None);
    }
    match input.code(otp.code.digits) {
        Some(code) => Plan::Verify(challenge.clone(), code),
        None if input.has_code() => Plan::Stay(Some(NoticeKey::CodeMalformed)),
        None => Plan::Stay(Some(NoticeKey::CodeMissing)),
    }
}

fn plan_send(here: Here, otp: &Otp, input: &Input) -> Plan {
    let known = here.instance.challenge.as_ref();
    let Some(channel) = choose(otp, known, &input.control) else { return Plan::Stay(None) };
    let challenge = match known {
        None => fresh(here, otp, channel, 1),
        Some(known) if here.now < known.sent_at.plus(here.step.limits.resend_after) => {
            return Plan::Stay(Some(NoticeKey::TooSoon));
        }
        Some(known) if known.channel == channel && is_reused(otp, known, here.now) => {
            Challenge { sends: known.sends.saturating_add(1), sent_at: here.now, ..known.clone() }
        }
        Some(known) => fresh(here, otp, channel, known.number.saturating_add(1)),
    };
    if let Some(to) = here.instance.recipient.clone() {
        return Plan::Send(Sending { challenge, to, country: None });
    }
    match read_recipient(otp, input) {
        Ok((to, country)) => Plan::Send(Sending { challenge, to, country }),
        Err(notice) => Plan::Stay(Some(notice)),
    }
}

/// Whether the challenge stands for another send. A call that the telephone answers never does: whoever answers the
/// first must not approve the second.
fn is_reused(otp: &Otp, known: &Challenge, now: Timestamp) -> bool {
    otp.code.reuse_on_resend && !is_expired(known, now) && !is_answered_by_phone(otp, known)
}

const fn fresh(here: Here, otp: &Otp, channel: Channel, number: u16) -> Challenge {
    Challenge {
        number,
        sends: 1,
        channel,
        sent_at: here.now,
        expires_at: here.now.plus(otp.code.ttl),
        verified_at: None,
        pretended: false,
    }
}

/// The channel a control stands for; none when the step has no such channel.
fn choose(otp: &Otp, known: Option<&Challenge>, control: &str) -> Option<Channel> {
    let written = otp.channels.iter().copied().find(|channel| *channel != Channel::Voice);
    match control {
        "call" => otp.channels.contains(&Channel::Voice).then_some(Channel::Voice),
        "resend" => known.map(|known| known.channel).or_else(|| otp.channels.first().copied()),
        _ => written.or(Some(Channel::Voice)).filter(|channel| otp.channels.contains(channel)),
    }
}

/// The typed address, or the typed number with its country.
fn read_recipient(otp: &Otp, input: &Input) -> Result<(String, Option<String>), NoticeKey> {
    if otp.channels.contains(&Channel::Email) {
        return match input.email() {
            Typed::Name(address) => Ok((address, None)),
            Typed::Missing => Err(NoticeKey::EmailMissing),
            Typed::Malformed => Err(NoticeKey::EmailMalformed),
        };
    }
    let number = phone::read(input.field("country"), input.field("phone_number")).map_err(phone::PhoneError::notice)?;
    Ok((number.e164, Some(number.country)))
}

/// Whether the telephone itself answers the challenge: nothing is typed on the page then.
pub(crate) fn is_answered_by_phone(otp: &Otp, challenge: &Challenge) -> bool {
    challenge.channel == Channel::Voice && otp.voice != Voice::ReadCode
}

/// A code lives from its first sending for `code.ttl`; at the very end of it it is expired.
fn is_expired(challenge: &Challenge, now: Timestamp) -> bool {
    now >= challenge.expires_at
}

/// What an answered call approves: no two challenges of an instance share one, and later ones have higher ones.
pub(super) fn approval_id(instance: &Instance, challenge: &Challenge) -> u32 {
    u32::from(instance.visit) << 16 | u32::from(challenge.number)
}

/// Label of a challenge's code: no two challenges of an instance share one.
pub(crate) fn code_label(policy: &Policy, step: &Step, instance: &Instance, challenge: &Challenge) -> String {
    format!("{}/{}/{}/{}", policy.id, step.name, instance.visit, challenge.number)
}
