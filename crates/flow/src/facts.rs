//! What the service knows when it asks the machine to go on.

use std::collections::BTreeMap;

use countersign_model::{Fact, FactSet, KeyedHash, OrganizationId, ProvenFact, Seconds, Timestamp, UserId};
use zeroize::Zeroizing;

/// Everything outside the instance that a decision may depend on. Loaded by the service, never fetched here.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Logins this browser remembers and the request lets count; empty under `prompt=login`, an outdated `max_age`
    /// and the like. For a policy with `session.sso = "always"` the browser session stands here under its id.
    pub remembered: Vec<RememberedFacts>,
    /// What this browser's session proved, where the request lets it count (`prompt=login` and an outdated `max_age` do
    /// not): asked for by the guard `session.fresh` alone. Where it is set and `Needs::account` names nobody,
    /// `Facts::account` is its person.
    pub session: Option<RememberedFacts>,
    /// The client of the request; empty without one.
    pub client: String,
    /// acr values the request names.
    pub requested_acr: Vec<String>,
    /// Locale of the request, BCP 47.
    pub locale: String,
    /// Address the request suggests (`login_hint`); read by `begin` alone.
    pub login_hint: Option<String>,
    /// Mail domains of the upstream providers, lower case, by provider.
    pub upstream_domains: BTreeMap<String, Vec<String>>,
    /// What client and scopes demand beyond the policy: alternatives, one of which must be met; empty: nothing.
    pub demanded: Vec<FactSet>,
    /// The account `Needs::account` asked for; none when there is no such account.
    pub account: Option<AccountFacts>,
    /// What became of `Needs::verify_password`.
    pub password: Verdict,
    /// Time step of a right, unspent authenticator code (`totp::find_step`), when `Needs::totp_code` asked for it.
    pub totp_step: Option<i64>,
    /// What became of `Needs::charges`, in their order; a missing verdict counts as refused.
    pub charges: Vec<ChargeVerdict>,
    /// Digits for `Needs::code_label`.
    pub code: Option<String>,
    /// The only person who may go on: a flow of the account page, a step-up.
    pub subject: Option<UserId>,
    /// Countries whose numbers may be used, ISO 3166-1 alpha-2; the first is the default.
    pub countries: Vec<String>,
    /// Current version of the Terms of Use, by document.
    pub terms: BTreeMap<String, String>,
    /// What became of `Needs::verify_legacy`.
    pub legacy: Verdict,
    /// PHC string for `Needs::hash_password`.
    pub password_hash: Option<Zeroizing<String>>,
    /// Whether nobody has `Needs::free_email`.
    pub email_free: Option<bool>,
    /// Whether nobody has `Needs::free_username`.
    pub username_free: Option<bool>,
    /// The organization `Needs::organization` asked for; none when NPI and code do not belong together.
    pub organization: Option<OrganizationId>,
    /// Id for `Needs::new_user`.
    pub new_user: Option<UserId>,
    /// Whether the call of `Needs::approval` was answered.
    pub approved: bool,
    /// Whether the message of `Needs::delivery` will never arrive.
    pub undeliverable: bool,
    /// What became of `Needs::link`; `account` is the person's it was mailed to.
    pub link: LinkState,
    /// What the webhooks of `Needs::webhooks` answered, or their declared fail-closed values.
    pub webhooks: BTreeMap<String, bool>,
    /// Keyed hash of an unspent recovery code of the account, when `Needs::recovery_code` is one.
    pub recovery_code: Option<KeyedHash>,
    /// Whose passkey did what `Needs::passkey` asked for; none when none did. Where `Needs::account` names nobody,
    /// `account` is its owner.
    pub passkey: Option<PasskeyProof>,
    /// Whom the upstream provider vouched for, by the linking rules; none when it declined or nobody may be linked.
    /// `account` is that person's, if there is one already.
    pub federated: Option<Federated>,
}

impl Facts {
    pub(crate) fn find_remembered(&self, policy: &str) -> Option<&RememberedFacts> {
        self.remembered.iter().find(|remembered| remembered.policy == policy)
    }

    /// Whether a mail address is in one of the provider's domains: exactly, not below it.
    pub(crate) fn owns_address(&self, provider: &str, address: &str) -> bool {
        let Some((_, domain)) = address.rsplit_once('@') else { return false };
        let own = self.upstream_domains.get(provider);
        own.is_some_and(|own| own.iter().any(|own| own.eq_ignore_ascii_case(domain)))
    }
}

/// What became of the link a flow began with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Nobody asked, or there never was such a link.
    #[default]
    Unknown,
    /// It holds, and was mailed to this person.
    Holds(UserId),
    /// It is past its end.
    Expired,
    /// It was used already, or a newer one was sent.
    Used,
}

impl LinkState {
    /// Whether it was good once, and is no longer.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Expired | Self::Used)
    }
}

/// A passkey that signed, or was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyProof {
    /// Whose it is.
    pub user: UserId,
    /// Whether it verified the person (PIN, biometrics), not just their presence.
    pub verified: bool,
}

/// A person the upstream provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federated {
    /// Who; of a new account its id to be.
    pub user: UserId,
    /// Whether account or link is still to be written: `Effect::AdoptFederated`.
    pub is_new: bool,
    /// When they signed in there, if it said so.
    pub auth_time: Option<Timestamp>,
}

/// A remembered login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedFacts {
    /// Policy it is bound to.
    pub policy: String,
    /// Whose it is.
    pub user: UserId,
    /// What was proven then, with the original times.
    pub facts: Vec<ProvenFact>,
}

/// What is known of an account, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each answers one guard of the language")]
pub struct AccountFacts {
    /// Whose it is.
    pub user: UserId,
    /// Whether it may sign in; when not, its password counts as wrong.
    pub active: bool,
    /// Mail address it signs in with.
    pub email: Option<String>,
    /// Mailbox factor.
    pub mailbox: Option<String>,
    /// Phone factor, E.164.
    pub phone: Option<String>,
    /// Whether it has a password.
    pub has_password: bool,
    /// Whether the current Terms of Use are still to be accepted.
    pub terms_due: bool,
    /// Its user name.
    pub username: Option<String>,
    /// The person's own names, for nobody may use them as a password.
    pub names: Vec<String>,
    /// Whether too many wrong passwords locked its mail address or user name, when `Needs::lock` asked.
    pub locked: bool,
    /// Whether it has a legacy credential only.
    pub legacy: bool,
    /// Whether it has an authenticator app.
    pub totp: bool,
    /// Whether it has a passkey.
    pub passkey: bool,
    /// Whether its registration stopped half way.
    pub registration_incomplete: bool,
}

impl AccountFacts {
    /// An active account with nothing but its id.
    pub const fn new(user: UserId) -> Self {
        Self {
            user,
            active: true,
            email: None,
            username: None,
            names: Vec::new(),
            locked: false,
            mailbox: None,
            phone: None,
            has_password: false,
            terms_due: false,
            legacy: false,
            totp: false,
            passkey: false,
            registration_incomplete: false,
        }
    }
}

/// What became of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody asked; counts as wrong.
    #[default]
    NotAsked,
    /// It is the account's.
    Right,
    /// It is not, or there is no such account.
    Wrong,
}

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeVerdict {
    /// Within the limit; it was counted.
    Allowed,
    /// Past the limit.
    Refused {
        /// When to try again.
        retry_after: Seconds,
    },
}

/// The set of what `facts` prove.
pub fn fact_set(facts: &[ProvenFact]) -> FactSet {
    facts.iter().map(|proven| proven.fact).collect()
}

/// How facts were proven, as far as `amr` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether the phone was called.
    pub called: bool,
    /// Whether the passkey verified the person, not just their presence.
    pub verified: bool,
}

/// Authentication methods by RFC 8176 for what was proven. A mailed code, a recovery code and a federated sign-in have
/// none; a passkey is taken for a software-secured key, since nothing attests to hardware. `mfa` only for two factors that
/// NIST 800-63B counts, which mail is not (POLICIES.md, section 6), or for a passkey that verified the person. What another
/// provider vouches for is one factor, whatever it asked for there.
pub fn list_amr(facts: FactSet, manner: Manner) -> Vec<String> {
    let phone = if manner.called { "tel" } else { "sms" };
    let methods = [(Fact::Password, "pwd"), (Fact::Phone, phone), (Fact::Totp, "otp"), (Fact::Passkey, "swk")];
    let mut amr: Vec<String> =
        methods.iter().filter(|(fact, _)| facts.contains(*fact)).map(|(_, word)| (*word).to_owned()).collect();
    let verified = manner.verified && facts.contains(Fact::Passkey);
    if verified {
        amr.push("user".to_owned());
    }
    let held = [Fact::Phone, Fact::Totp, Fact::Passkey].into_iter().any(|fact| facts.contains(fact));
    let first = facts.contains(Fact::Password) || facts.contains(Fact::Federated);
    if verified || (first && held) {
        amr.push("mfa".to_owned());
    }
    amr
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amr(facts: &[Fact], called: bool, verified: bool) -> String {
        list_amr(facts.iter().copied().collect(), Manner { called, verified }).join(" ")
    }

    #[test]
    fn mail_recovery_codes_and_federation_are_no_second_factor_and_no_method() {
        assert_eq!(amr(&[Fact::Password, Fact::Mailbox], false, false), "pwd");
        assert_eq!(amr(&[Fact::Password, Fact::RecoveryCode], false, false), "pwd");
        assert_eq!(amr(&[Fact::Mailbox, Fact::Federated, Fact::Legacy], true, true), "");
    }

    #[test]
    fn phone_and_authenticator_make_mfa() {
        assert_eq!(amr(&[Fact::Password, Fact::Phone], false, false), "pwd sms mfa");
        assert_eq!(amr(&[Fact::Password, Fact::Phone], true, false), "pwd tel mfa");
        assert_eq!(amr(&[Fact::Password, Fact::Totp], false, false), "pwd otp mfa");
        assert_eq!(amr(&[Fact::Phone], false, false), "sms");
    }

    #[test]
    fn a_federated_sign_in_is_one_factor_and_what_was_proven_here_is_the_other() {
        assert_eq!(amr(&[Fact::Federated], false, false), "");
        assert_eq!(amr(&[Fact::Federated, Fact::Totp], false, false), "otp mfa");
        assert_eq!(amr(&[Fact::Federated, Fact::Phone], true, false), "tel mfa");
        assert_eq!(amr(&[Fact::Federated, Fact::Passkey], false, false), "swk mfa");
        for weak in [Fact::Mailbox, Fact::RecoveryCode, Fact::Legacy] {
            assert_eq!(amr(&[Fact::Federated, weak], false, false), "", "{weak:?}");
        }
    }

    #[test]
    fn a_passkey_is_mfa_by_itself_when_it_verified_the_person() {
        assert_eq!(amr(&[Fact::Passkey], false, false), "swk");
        assert_eq!(amr(&[Fact::Passkey], false, true), "swk user mfa");
        assert_eq!(amr(&[Fact::Password, Fact::Passkey], false, false), "pwd swk mfa");
    }
}
