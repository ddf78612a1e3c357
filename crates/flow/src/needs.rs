//! What the machine asks the service to do before it decides: charge, load, verify, derive.

use countersign_model::{Seconds, UserId};

use crate::language::{CountScope, LockRule};

/// What must be done before `advance`. Charge first, in order; load and verify nothing once a charge is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question to the service")]
pub struct Needs {
    /// Counters to charge, before anything is compared or sent.
    pub charges: Vec<Charge>,
    /// Account to load. Where `link`, `passkey` or `federation` finds out who the person is and this is none, theirs.
    pub account: Option<AccountKey>,
    /// Whether to verify the field `password` against that account, or against the dummy if there is none.
    pub verify_password: bool,
    /// Whether to verify the field `password` against that account's legacy credential, or against the dummy.
    pub verify_legacy: bool,
    /// Whether to hash the field `new_password` with today's parameters.
    pub hash_password: bool,
    /// Authenticator code to look for with `totp::find_step`: 6 digits.
    pub totp_code: Option<String>,
    /// Label of the code to derive: unique per (policy, step, visit, challenge) of an instance. The service adds the
    /// flow's id, so that two instances never share a code.
    pub code_label: Option<String>,
    /// Digits the code must have; 0 when none is asked for.
    pub code_digits: u8,
    /// Mail address to look for among all accounts: lower case.
    pub free_email: Option<String>,
    /// User name to look for among all accounts: lower case.
    pub free_username: Option<String>,
    /// Organization to look for.
    pub organization: Option<OrganizationKey>,
    /// Whether an id for a new account is wanted: the same at every try of one input.
    pub new_user: bool,
    /// Challenge whose call may have been answered.
    pub approval: Option<u32>,
    /// Label of the text or call that was sent last and may still fail.
    pub delivery: Option<String>,
    /// Whether the link this flow began with still holds.
    pub link: bool,
    /// Webhooks whose guards may be asked by this input.
    pub webhooks: Vec<String>,
    /// Whether the guard `account.locked` may be asked by this input: `AccountFacts::locked` is wanted.
    pub lock: bool,
    /// Recovery code to look for, without spaces and hyphens, in lower case.
    pub recovery_code: Option<String>,
    /// What a passkey is wanted for.
    pub passkey: Option<PasskeyUse>,
    /// Label of the authenticator seed that is being bound: `totp_code` is looked for with this seed, not the account's.
    pub enrol_totp: Option<String>,
    /// Whether the upstream provider's answer is wanted.
    pub federation: bool,
}

/// An organization as its people name it.
#[derive(Clone, PartialEq, Eq)]
pub struct OrganizationKey {
    /// NPI or what stands in for it, without spaces.
    pub npi: String,
    /// Registration code; a secret.
    pub code: String,
}

impl std::fmt::Debug for OrganizationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrganizationKey").finish_non_exhaustive()
    }
}

/// What a passkey is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyUse {
    /// To sign a challenge: of the account in hand, or of any account when there is none.
    Assert,
    /// To be bound to the account in hand.
    Register,
}

/// How to find an account. Already trimmed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// By the mail address it signs in with.
    Email(String),
    /// By its user name.
    Username(String),
    /// By its id.
    Id(UserId),
}

/// A counter to charge once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What it counts by.
    pub scope: CountScope,
    /// Its name, such as `email/credentials/attempts`. Counters that outlive an instance are named by what they guard
    /// (`password/lock`, `send/email`), so that a second policy is no second chance; those of networks and clients by
    /// their step, so that one page locks no other.
    pub name: String,
    /// Identifier, account or target it counts; empty for instance, ip and client, which the service fills in.
    /// Sensitive: key it before storing.
    pub subject: String,
    /// How far it may go.
    pub limit: Limit,
}

/// How far a counter may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Charges allowed in the window.
    pub allowed: u32,
    /// When the counter starts anew, from its first charge.
    pub window: Seconds,
    /// The lock that follows, if any.
    pub lock: Option<Lock>,
}

/// A lock that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The first lock.
    pub r#for: Seconds,
    /// Factor of each further one.
    pub backoff: u32,
    /// The longest.
    pub max: Seconds,
}

impl From<&LockRule> for Limit {
    fn from(rule: &LockRule) -> Self {
        if rule.scope.is_shared() {
            // Right answers count too and no one sets them back: a rate that falls by itself, or all of a network's
            // people would be locked out for hours by their own number, or by one of them.
            return Self { allowed: rule.after, window: rule.r#for, lock: None };
        }
        let lock = Lock { r#for: rule.r#for, backoff: rule.backoff, max: rule.max };
        Self { allowed: rule.after, window: rule.max, lock: Some(lock) }
    }
}
