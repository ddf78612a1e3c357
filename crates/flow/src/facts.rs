//! What the service knows when it asks the machine to go on.

use countersign_model::{Fact, FactSet, ProvenFact, Seconds, UserId};

/// Everything outside the instance that a decision may depend on. Loaded by the service, never fetched here.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Logins this browser remembers and the request lets count; empty under `prompt=login`, an outdated `max_age`
    /// and the like. For a policy with `session.sso = "always"` the browser session stands here under its id.
    pub remembered: Vec<RememberedFacts>,
    /// The client of the request; empty without one.
    pub client: String,
    /// acr values the request names.
    pub requested_acr: Vec<String>,
    /// Locale of the request, BCP 47.
    pub locale: String,
    /// Address the request suggests (`login_hint`); read by `begin` alone.
    pub login_hint: Option<String>,
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
}

impl Facts {
    pub(crate) fn find_remembered(&self, policy: &str) -> Option<&RememberedFacts> {
        self.remembered.iter().find(|remembered| remembered.policy == policy)
    }
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

/// Authentication methods by RFC 8176 for what was proven. A mailed code has none; `mfa` only for two factors that
/// NIST 800-63B counts, which mail is not (POLICIES.md, section 6).
pub fn list_amr(facts: FactSet, called: bool) -> Vec<String> {
    let phone = if called { "tel" } else { "sms" };
    let methods = [(Fact::Password, "pwd"), (Fact::Phone, phone), (Fact::Totp, "otp"), (Fact::Passkey, "hwk")];
    let mut amr: Vec<String> =
        methods.iter().filter(|(fact, _)| facts.contains(*fact)).map(|(_, word)| (*word).to_owned()).collect();
    let held = [Fact::Phone, Fact::Totp, Fact::Passkey].into_iter().any(|fact| facts.contains(fact));
    if facts.contains(Fact::Password) && held {
        amr.push("mfa".to_owned());
    }
    amr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_no_second_factor_and_no_method() {
        let mailed = FactSet::EMPTY.with(Fact::Password).with(Fact::Mailbox);
        assert_eq!(list_amr(mailed, false), ["pwd"]);
        assert!(list_amr(FactSet::EMPTY.with(Fact::Mailbox), false).is_empty());
    }

    #[test]
    fn phone_and_authenticator_make_mfa() {
        let phone = FactSet::EMPTY.with(Fact::Password).with(Fact::Phone);
        assert_eq!(list_amr(phone, false), ["pwd", "sms", "mfa"]);
        assert_eq!(list_amr(phone, true), ["pwd", "tel", "mfa"]);
        assert_eq!(list_amr(FactSet::EMPTY.with(Fact::Password).with(Fact::Totp), false), ["pwd", "otp", "mfa"]);
        assert_eq!(list_amr(FactSet::EMPTY.with(Fact::Phone), false), ["sms"]);
    }
}
