//! What the machine asks the service to do before it decides: charge, load, verify, derive.

use countersign_model::{Seconds, UserId};

use crate::language::{CountScope, LockRule};

/// What must be done before `advance`. Charge first, in order; load and verify nothing once a charge is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Counters to charge, before anything is compared or sent.
    pub charges: Vec<Charge>,
    /// Account to load.
    pub account: Option<AccountKey>,
    /// Whether to verify the field `password` against that account, or against the dummy if there is none.
    pub verify_password: bool,
    /// Authenticator code to look for with `totp::find_step`: 6 digits.
    pub totp_code: Option<String>,
    /// Label of the code to derive: unique per (policy, step, visit, challenge) of an instance. The service adds the
    /// flow's id, so that two instances never share a code.
    pub code_label: Option<String>,
    /// Digits the code must have; 0 when none is asked for.
    pub code_digits: u8,
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
    /// (`password/lock`, `send/email`), so that a second policy is no second chance.
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
        let lock = Lock { r#for: rule.r#for, backoff: rule.backoff, max: rule.max };
        Self { allowed: rule.after, window: rule.max, lock: Some(lock) }
    }
}
