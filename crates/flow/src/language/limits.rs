//! Limits of steps, and of the codes they send.

use countersign_model::Seconds;

use super::words::CountScope;
use crate::Position;

/// How a code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRule {
    /// Number of digits.
    pub digits: u8,
    /// Life from the sending; at its end the code is expired.
    pub ttl: Seconds,
    /// Whether sending again sends the same code while it lives.
    pub reuse_on_resend: bool,
    /// Where `ttl`, else `code`, else the step stands.
    pub at: Position,
}

/// Limits of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Tries per instance.
    pub attempts: Option<u32>,
    /// Sends per instance.
    pub sends: Option<u32>,
    /// Pause before sending again.
    pub resend_after: Seconds,
    /// Counters that outlive the instance.
    pub locks: Vec<LockRule>,
    /// Sends to one mailbox or number, over all instances and policies.
    pub budget: Budget,
    /// Where `limits`, else the step stands.
    pub at: Position,
}

/// Sends allowed to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many.
    pub sends: u32,
    /// In which time.
    pub per: Seconds,
}

/// A counter that locks for a growing time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRule {
    /// What it counts by.
    pub scope: CountScope,
    /// Tries before the first lock.
    pub after: u32,
    /// The first lock.
    pub r#for: Seconds,
    /// Factor of each further lock.
    pub backoff: u32,
    /// The longest lock.
    pub max: Seconds,
}
