//! What the machine answers: the next instance, what the person sees next, and the effects to apply.

use countersign_model::{AuditKind, AuditOutcome, ProvenFact, Seconds, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::language::{Channel, CookieLife};
use crate::{Charge, Instance};

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// The instance as it is from now on.
    pub instance: Instance,
    /// What follows.
    pub next: Next,
    /// What must be done, in order, in one transaction.
    pub effects: Vec<Effect>,
}

/// What follows a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the page of `view`.
    Page,
    /// Signed in.
    Issue(Issued),
    /// Show the stop page of `view`; the instance waits there for `login` or `return`.
    Stop {
        /// Its template key.
        page: String,
        /// What the client is told when the person returns there.
        error: &'static str,
    },
    /// LOGIN was pressed on a stop page: start the client's policy again on the same request.
    Restart,
    /// Back to the client with this error, at once.
    Return {
        /// `access_denied`, `unmet_authentication_requirements` or another of `Stop::ERRORS`.
        error: &'static str,
    },
}

/// A sign-in that may be issued: every requirement of policy, client and scopes was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Who.
    pub user: UserId,
    /// What was proven, each with its time.
    pub facts: Vec<ProvenFact>,
    /// Authentication context class.
    pub acr: String,
    /// Methods by RFC 8176.
    pub amr: Vec<String>,
    /// Policy that issues; remembering binds to it.
    pub policy: String,
    /// Whether and how long to remember it.
    pub remember: Option<Remembering>,
    /// Whether a remembered login answered and nothing was asked; keep its original authentication.
    pub silent: bool,
}

/// A login to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembering {
    /// For how long, absolute.
    pub r#for: Seconds,
    /// Life of its cookie.
    pub cookie: CookieLife,
}

/// Something to be done because of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Queue a message.
    Send {
        /// Unique per (policy, step, visit, challenge, send) of an instance: with the flow's id the idempotency key.
        label: String,
        /// How.
        channel: Channel,
        /// Message template.
        template: String,
        /// Recipient, as the account holds it.
        to: String,
        /// The code in it.
        code: String,
        /// When the code expires, and with it the message.
        expires_at: Timestamp,
    },
    /// Write an audit event. `detail` holds policy, step and outcome; never a secret, an address or a number.
    Audit {
        /// What happened.
        kind: AuditKind,
        /// How it ended.
        outcome: AuditOutcome,
        /// The account concerned, if one is known.
        subject: Option<UserId>,
        /// More.
        detail: Map<String, Value>,
    },
    /// Delete this browser's remembered login of a policy, if there is one.
    ForgetRemembered {
        /// The policy.
        policy: String,
    },
    /// A right answer: set the counter back.
    ResetCounter(Charge),
    /// An authenticator code was right: its time step must never count again. Unique in the database.
    SpendTotpStep {
        /// Whose.
        user: UserId,
        /// Which, in units of 30 s since the epoch.
        step: i64,
    },
}

/// Why a flow could not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The set has no such policy.
    #[error("no such policy")]
    UnknownPolicy,
    /// The policy may not be entered this way.
    #[error("the policy's `entry` does not allow this")]
    EntryRefused,
    /// It could not be entered.
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// Why an instance could not go on. None of them is the person's fault: show a restart, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// Its version of the policy is not loaded any more, or was replaced with `restart` or `kill`.
    #[error("the policy's version is gone")]
    PolicyGone,
    /// Its lifetime, idle time or number of advances is used up.
    #[error("the instance's limits are used up")]
    Expired,
    /// It already issued.
    #[error("the instance is finished")]
    Finished,
    /// It points to a step that does not exist or can not be waited at.
    #[error("the instance is damaged")]
    Corrupt,
    /// The service left out what `needs` asked for.
    #[error("a needed fact is missing")]
    MissingFact,
    /// A step this version can not run, a missing mandatory policy, or a loop: `check` refuses such sets.
    #[error("the policy can not run")]
    NotRunnable,
}
