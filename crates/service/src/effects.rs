//! What the machine asks to be done, as rows: messages, events, what happens to accounts, what is forgotten.

use std::collections::BTreeMap;

use countersign_flow::language::Revocation;
use countersign_flow::{Binding, Effect, mask_email};
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, FactorId, FactorKind, KeyedHash, Link, OutboxMessage,
    PasswordCredential, RecoveryCode, TermsAcceptance, Timestamp, UserId,
};
use countersign_store::{StoreError, Tx};
use serde_json::{Map, Value};

use crate::ServiceError;
use crate::accounts::{Deed, What, account_of_form};
use crate::audit;
use crate::federation::Adoption;
use crate::flow::Visit;
use crate::messages::NOTICE_LIFE;
use crate::outbox::Letter;
use crate::provider::Provider;
use crate::secrets::hex;

/// Something to be written.
pub(crate) enum Row {
    Event(AuditEvent),
    Send(OutboxMessage, AuditEvent),
    Link(Box<Link>, OutboxMessage, AuditEvent),
    Forget(String, AuditEvent),
    SpendTotpStep(UserId, i64),
    Hold(Hold),
    Deed(Deed),
    UsePasskey(FactorId, String),
    Adopt(Adoption),
}

/// Nothing may stand once the registration is complete, unless the effect `own` completed it; nor once somebody proved
/// the mailbox by another link after `since`.
pub(crate) struct Hold {
    user: UserId,
    own: String,
    since: Timestamp,
    link: Option<KeyedHash>,
}

impl Hold {
    async fn check(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        let held = tx.hold_registration(&self.user).await? || tx.has_effect(&self.own).await?;
        if !held || tx.link_used_since(&self.user, self.since, self.link.as_ref()).await? {
            return Err(ServiceError::Lost);
        }
        Ok(())
    }
}

/// Effects as rows, in order. Writing them twice changes nothing more, but for the audit, which tells of both tries.
#[derive(Default)]
pub(crate) struct PreparedEffects {
    browser: Option<KeyedHash>,
    rows: Vec<Row>,
}

/// What is being prepared: the rows so far, and the people they concern as they were before.
pub(crate) struct Preparation<'a> {
    pub(crate) visit: &'a Visit<'a>,
    pub(crate) now: Timestamp,
    pub(crate) people: BTreeMap<UserId, Account>,
    /// What a binding among the effects replaces, masked.
    pub(crate) old: String,
    /// The number that a binding among the effects takes the place of.
    pub(crate) old_phone: Option<String>,
    pub(crate) rows: Vec<Row>,
}

impl Provider {
    /// The effects of a step that does not end the flow, in one transaction.
    pub(crate) async fn apply(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let prepared = self.prepare(visit, effects, now).await?;
        if prepared.rows.is_empty() {
            return Ok(());
        }
        let result = self.db.write(async |tx| prepared.write(tx, now).await).await;
        self.outbox.notify_one();
        result.map_err(as_lost)
    }

    /// Turns what the machine asked for into rows.
    pub(crate) async fn prepare(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<PreparedEffects, ServiceError> {
        self.prepare_among(visit, effects, BTreeMap::new(), now).await
    }

    /// The same, where some of the people are in hand: they need not be in the database yet.
    pub(crate) async fn prepare_among(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        people: BTreeMap<UserId, Account>,
        now: Timestamp,
    ) -> Result<PreparedEffects, ServiceError> {
        let people = self.find_people(visit, effects, people, now).await?;
        let old = replaced(effects, &people);
        let old_phone = replaced_phone(effects, &people);
        let mut preparation = Preparation { visit, now, people, old, old_phone, rows: Vec::new() };
        for effect in effects {
            self.prepare_one(&mut preparation, effect)?;
        }
        Ok(PreparedEffects {
            browser: visit.signed_in.session.as_ref().map(|session| session.token),
            rows: preparation.rows,
        })
    }

    /// The people whose mailboxes and names are needed, as they are before anything is written.
    async fn find_people(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        mut people: BTreeMap<UserId, Account>,
        now: Timestamp,
    ) -> Result<BTreeMap<UserId, Account>, ServiceError> {
        for effect in effects {
            if let Effect::CreateAccount { user, form, organization } = effect {
                let account = account_of_form(user, form, organization.as_ref(), visit.locale, now);
                people.insert(user.clone(), account);
            }
            let (Effect::Notify { user, .. } | Effect::SendLink { user, .. }) = effect else { continue };
            if people.contains_key(user) {
                continue;
            }
            let found = match visit.known_account(user) {
                Some(account) => Some(account.clone()),
                None => self.db.read(async |tx| tx.find_account(user).await).await?,
            };
            people.extend(found.map(|account| (user.clone(), account)));
        }
        Ok(people)
    }

    fn prepare_one(&self, preparation: &mut Preparation<'_>, effect: &Effect) -> Result<(), ServiceError> {
        match effect {
            Effect::Send { .. }
            | Effect::Pretend { .. }
            | Effect::Notify { .. }
            | Effect::Warn { .. }
            | Effect::SendLink { .. } => self.prepare_message(preparation, effect),
            Effect::Audit { kind, outcome, subject, detail } => {
                preparation.audit(*kind, *outcome, subject.as_ref(), detail)
            }
            Effect::ForgetRemembered { policy } => preparation.forget(policy),
            Effect::SpendTotpStep { user, step } => {
                preparation.rows.push(Row::SpendTotpStep(user.clone(), *step));
                Ok(())
            }
            // Short-lived: set back after the transaction.
            Effect::ResetCounter(_) => Ok(()),
            Effect::UsePasskey { .. } => {
                preparation.rows.extend(preparation.visit.used_passkey().map(|(id, value)| Row::UsePasskey(id, value)));
                Ok(())
            }
            Effect::AdoptFederated { user } => {
                preparation.rows.push(Row::Adopt(preparation.visit.adoption(user)?));
                Ok(())
            }
            Effect::Webhook { label, name, user } => {
                let until = preparation.now.plus(NOTICE_LIFE);
                let payload = self.webhook_payload(preparation.visit, name, user.as_ref());
                let letter = Letter { to: name.clone(), payload, ..preparation.letter("webhook", None, until) };
                self.push_message(preparation, label, "webhook", &letter, user.as_ref(), until)
            }
            _ => self.prepare_deed(preparation, effect),
        }
    }

    fn prepare_deed(&self, preparation: &mut Preparation<'_>, effect: &Effect) -> Result<(), ServiceError> {
        let (visit, now) = (preparation.visit, preparation.now);
        match effect {
            Effect::CreateAccount { user, .. } => {
                let Some(account) = preparation.people.get(user).cloned() else { return Ok(()) };
                preparation.deed(AuditKind::AccountCreated, user, "", What::Create(Box::new(account)))
            }
            Effect::SetPassword { user, phc } => {
                let credential = PasswordCredential { phc: phc.clone(), changed_at: now };
                preparation.deed(
                    AuditKind::PasswordChanged,
                    user,
                    "",
                    What::SetPassword { user: user.clone(), credential },
                )
            }
            Effect::BindFactor { user, binding } => match self.new_factor(visit, user, binding, now)? {
                Some(factor) => {
                    preparation.deed(AuditKind::FactorBound, user, factor.kind.as_str(), What::Bind(factor))
                }
                None => Ok(()),
            },
            Effect::UnbindFactor { user, kind } => {
                let what = What::Unbind { user: user.clone(), kind: *kind };
                preparation.deed(AuditKind::FactorUnbound, user, kind.as_str(), what)
            }
            Effect::AcceptTerms { user, document, version } => {
                let (document, version) = (document.clone(), version.clone());
                let told = format!("{document}/{version}");
                let what = TermsAcceptance { user: user.clone(), document, version, accepted_at: now };
                preparation.deed(AuditKind::TermsAccepted, user, &told, What::AcceptTerms(what))
            }
            Effect::CompleteRegistration { user } => {
                let what = What::Complete { user: user.clone() };
                let key = preparation.visit.once_completed(user);
                preparation.keyed_deed(key, AuditKind::RegistrationCompleted, Some(user), "", what)
            }
            Effect::HoldRegistration { user, since } => {
                let (own, link) = (visit.once_completed(user), visit.link);
                preparation.rows.push(Row::Hold(Hold { user: user.clone(), own, since: *since, link }));
                Ok(())
            }
            Effect::Revoke { user, what } => {
                let words: Vec<&str> = what.iter().map(|what: &Revocation| what.as_str()).collect();
                let deed = What::Revoke { user: user.clone(), what: what.clone() };
                preparation.deed(AuditKind::SessionEnded, user, &words.join(" "), deed)
            }
            Effect::CloseAccount { user } => {
                preparation.deed(AuditKind::AccountClosed, user, "", What::Close { user: user.clone() })
            }
            _ => self.prepare_spending(preparation, effect),
        }
    }

    /// What is spent once, and replaced.
    fn prepare_spending(&self, preparation: &mut Preparation<'_>, effect: &Effect) -> Result<(), ServiceError> {
        let (visit, now) = (preparation.visit, preparation.now);
        match effect {
            Effect::SpendRecoveryCode { user, hash } => {
                let what = What::SpendRecoveryCode { user: user.clone(), hash: *hash };
                let key = visit.once("recovery", &hex(hash));
                preparation.keyed_deed(key, AuditKind::RecoveryCodeUsed, Some(user), "", what)
            }
            Effect::ReplaceRecoveryCodes { user, label } => {
                let code = |hash| RecoveryCode { hash, user: user.clone(), created_at: now, used_at: None };
                let codes = self.hash_recovery_codes(&visit.seed, label).into_iter().map(code).collect();
                let what = What::ReplaceRecoveryCodes { user: user.clone(), codes };
                let key = visit.once("recovery-codes", label);
                preparation.keyed_deed(key, AuditKind::RecoveryCodesReplaced, Some(user), "", what)
            }
            Effect::ConsumeLink => {
                let hash = visit.link.ok_or(ServiceError::Internal("a link is spent that there is not"))?;
                let what = What::ConsumeLink { hash };
                preparation.keyed_deed(visit.once_link(), AuditKind::LinkUsed, None, "", what)
            }
            _ => Ok(()),
        }
    }
}

impl Preparation<'_> {
    pub(crate) fn event(&self, kind: AuditKind, subject: Option<&UserId>) -> Result<audit::EventBuilder, ServiceError> {
        let event = audit::event(self.visit.context, self.now, kind, AuditOutcome::Success)?;
        Ok(self.visit.describe(event).subject(subject))
    }

    fn audit(
        &mut self,
        kind: AuditKind,
        outcome: AuditOutcome,
        subject: Option<&UserId>,
        detail: &Map<String, Value>,
    ) -> Result<(), ServiceError> {
        if is_told_elsewhere(kind, outcome) {
            return Ok(());
        }
        let event = audit::event(self.visit.context, self.now, kind, outcome)?;
        let event = self.visit.describe(event).subject(subject).details(detail.clone());
        self.rows.push(Row::Event(event.build()));
        Ok(())
    }

    fn forget(&mut self, policy: &str) -> Result<(), ServiceError> {
        let event = self.event(AuditKind::LoginForgotten, None)?.detail("policy", policy).build();
        self.rows.push(Row::Forget(policy.to_owned(), event));
        Ok(())
    }

    fn deed(&mut self, kind: AuditKind, user: &UserId, told: &str, what: What) -> Result<(), ServiceError> {
        // The version and the place among its effects: another decision of this flow may do the same again.
        let label = format!("{}/{}/{}/{user}", self.visit.version, self.rows.len(), kind.as_str());
        self.keyed_deed(self.visit.once("deed", &label), kind, Some(user), told, what)
    }

    fn keyed_deed(
        &mut self,
        key: String,
        kind: AuditKind,
        user: Option<&UserId>,
        told: &str,
        what: What,
    ) -> Result<(), ServiceError> {
        let event = self.event(kind, user)?;
        let event = if told.is_empty() { event } else { event.detail("what", told) };
        self.rows.push(Row::Deed(Deed { key, what, event: event.build() }));
        Ok(())
    }
}

impl PreparedEffects {
    /// Adds an event.
    pub(crate) fn push_event(&mut self, event: AuditEvent) {
        self.rows.push(Row::Event(event));
    }

    pub(crate) async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<(), ServiceError> {
        let mut events = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            if let Some(event) = self.write_one(tx, row, now).await? {
                events.push(event.clone());
            }
        }
        tx.insert_audit_events(&events).await?;
        Ok(())
    }

    /// Writes a row; the event to be told of it, if anything was done.
    async fn write_one<'a>(
        &self,
        tx: &mut Tx,
        row: &'a Row,
        now: Timestamp,
    ) -> Result<Option<&'a AuditEvent>, ServiceError> {
        Ok(match row {
            Row::Event(event) => Some(event),
            Row::Send(message, event) => tx.insert_outbox_message(message).await?.then_some(event),
            Row::Link(link, message, event) => {
                let is_new = tx.insert_outbox_message(message).await?;
                if is_new && tx.insert_link(link).await? {
                    tx.revoke_links(&link.user, &link.policy, &link.hash, now).await?;
                }
                is_new.then_some(event)
            }
            Row::Forget(policy, event) => {
                let forgotten = match &self.browser {
                    Some(browser) => tx.delete_remembered_login(browser, policy).await?,
                    None => false,
                };
                forgotten.then_some(event)
            }
            Row::SpendTotpStep(user, step) => {
                spend_totp_step(tx, user, *step).await?;
                None
            }
            Row::Hold(hold) => {
                hold.check(tx).await?;
                None
            }
            Row::Deed(deed) => deed.write(tx, now).await?.then_some(&deed.event),
            Row::UsePasskey(factor, value) => {
                // Removed meanwhile: it must not sign anybody in.
                if !tx.update_factor_passkey(factor, value, now).await? {
                    return Err(ServiceError::Lost);
                }
                None
            }
            Row::Adopt(adoption) => {
                adoption.write(tx).await?;
                None
            }
        })
    }
}

/// When another request spent this very code first, nothing of this one may stand.
async fn spend_totp_step(tx: &mut Tx, user: &UserId, step: i64) -> Result<(), ServiceError> {
    let account = tx.find_account(user).await?;
    let factor = account.as_ref().and_then(|account| account.factor(FactorKind::Totp)).ok_or(ServiceError::Lost)?;
    if tx.spend_totp_step(&factor.id, step).await? { Ok(()) } else { Err(ServiceError::Lost) }
}

/// A name that somebody took in the meantime is a lost race, not a failure.
pub(crate) fn as_lost(error: ServiceError) -> ServiceError {
    match error {
        ServiceError::Store(StoreError::Conflict(_)) => ServiceError::Lost,
        other => other,
    }
}

/// Whether an event is written elsewhere in this crate, with what the machine cannot know: the grant, the message.
fn is_told_elsewhere(kind: AuditKind, outcome: AuditOutcome) -> bool {
    use AuditKind as Kind;
    outcome == AuditOutcome::Success
        && matches!(
            kind,
            Kind::Login
                | Kind::SilentLogin
                | Kind::SendQueued
                | Kind::LinkSent
                | Kind::LinkUsed
                | Kind::AccountCreated
                | Kind::AccountClosed
                | Kind::PasswordChanged
                | Kind::FactorBound
                | Kind::FactorUnbound
                | Kind::TermsAccepted
                | Kind::RegistrationCompleted
                | Kind::RecoveryCodeUsed
                | Kind::RecoveryCodesReplaced
        )
}

/// Where mail reaches a person: the address on file, else the mailbox they proved.
pub(crate) fn mailbox_of(account: &Account) -> Option<String> {
    let factor = account.factor(FactorKind::Mailbox).map(|factor| factor.value.clone());
    account.user.email.clone().or(factor)
}

/// What a binding among the effects replaces, masked.
fn replaced(effects: &[Effect], people: &BTreeMap<UserId, Account>) -> String {
    let old = effects.iter().find_map(|effect| match effect {
        Effect::BindFactor { user, binding: Binding::Phone(_) } => {
            Some(mask_phone(&people.get(user)?.factor(FactorKind::Phone)?.value))
        }
        Effect::BindFactor { user, binding: Binding::Mailbox(_) } => Some(mask_email(&mailbox_of(people.get(user)?)?)),
        _ => None,
    });
    old.unwrap_or_default()
}

/// The number on file that another one takes the place of.
fn replaced_phone(effects: &[Effect], people: &BTreeMap<UserId, Account>) -> Option<String> {
    effects.iter().find_map(|effect| {
        let Effect::BindFactor { user, binding: Binding::Phone(new) } = effect else { return None };
        let old = &people.get(user)?.factor(FactorKind::Phone)?.value;
        (old != new).then(|| old.clone())
    })
}

/// `XXX-XXX-3661`: the last four digits alone.
pub fn mask_phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let last: String = digits.iter().skip(digits.len().saturating_sub(4)).collect();
    format!("XXX-XXX-{last}")
}
