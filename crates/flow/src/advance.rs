//! What the machine answers: the next instance, what the person sees next, and the effects to apply.

use std::collections::BTreeMap;

use countersign_model::{
    AuditKind, AuditOutcome, FactorKind, KeyedHash, OrganizationId, ProvenFact, Seconds, Timestamp, UserId,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::language::{Channel, CookieLife, Revocation, Voice};
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
    /// Send the browser to an upstream provider; its answer comes back as the input `federated`.
    Federate {
        /// Which.
        provider: String,
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
    /// What was proven, each with its time; of an earlier login no more than was required.
    pub facts: Vec<ProvenFact>,
    /// When it was authenticated: now, or as long ago as the oldest that an earlier login brought along.
    pub auth_time: Timestamp,
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

/// A call to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What proves that it was answered.
    pub voice: Voice,
    /// Challenge to approve: `Needs::approval` asks for the same.
    pub challenge: u32,
}

/// A factor to be bound.
#[derive(Clone, PartialEq, Eq)]
pub enum Binding {
    /// A mailbox; it becomes the address the person signs in with.
    Mailbox(String),
    /// A phone, E.164.
    Phone(String),
    /// An authenticator app with the seed derived from this label, whose time step is spent.
    Totp {
        /// Label, from `Needs::enrol_totp`.
        label: String,
        /// Time step of the code that proved it.
        step: i64,
    },
    /// The passkey of `Facts::passkey`.
    Passkey,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mailbox(_) => "Mailbox",
            Self::Phone(_) => "Phone",
            Self::Totp { .. } => "Totp",
            Self::Passkey => "Passkey",
        })
    }
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
        /// The code in it; none in calls that ask for `#` alone, and in notices.
        code: Option<String>,
        /// Of a call: what proves that it was answered.
        call: Option<Call>,
        /// When the code expires, and with it the message.
        expires_at: Timestamp,
    },
    /// As `Send`, but there is nobody to send to: the same rows are written, nothing leaves, so that time tells nothing.
    Pretend {
        /// As in `Send`.
        label: String,
        /// As in `Send`.
        channel: Channel,
        /// As in `Send`.
        expires_at: Timestamp,
    },
    /// Tell the person, at the mailbox they had before this decision, about a change; by mail, queued.
    Notify {
        /// Whom.
        user: UserId,
        /// As in `Send`.
        label: String,
        /// Message template.
        template: String,
    },
    /// Tell whoever has a typed address that somebody typed it; by mail, queued. About nobody else: it must show in no
    /// mailbox, export or history of who typed it.
    Warn {
        /// As in `Send`.
        label: String,
        /// Message template.
        template: String,
        /// The address.
        to: String,
    },
    /// Mail a link that begins `policy`; earlier links of this person and policy stop working.
    SendLink {
        /// Whom.
        user: UserId,
        /// As in `Send`.
        label: String,
        /// Policy with `entry = ["link"]`.
        policy: String,
        /// Message template.
        template: String,
        /// Life of the link.
        ttl: Seconds,
    },
    /// Spend the link this flow began with: once, however many browsers opened it.
    ConsumeLink,
    /// Make an account whose registration is incomplete.
    CreateAccount {
        /// Its id, from `Facts::new_user`.
        user: UserId,
        /// What was typed, by field: `username`, `given_name`, `family_name`, `address1`, `address2`, `city`, `state`,
        /// `zip`, `email`, `phone`, `fax`; checked and normalised.
        form: BTreeMap<String, String>,
        /// Its organization.
        organization: Option<OrganizationId>,
    },
    /// Set the password, whatever it was.
    SetPassword {
        /// Whose.
        user: UserId,
        /// Its hash.
        phc: Zeroizing<String>,
    },
    /// Bind a factor; the one of the same kind it had goes, but for passkeys, of which there may be several.
    BindFactor {
        /// Whose.
        user: UserId,
        /// What.
        binding: Binding,
    },
    /// Unbind every factor of a kind.
    UnbindFactor {
        /// Whose.
        user: UserId,
        /// What.
        kind: FactorKind,
    },
    /// Note that a version of a document was agreed to.
    AcceptTerms {
        /// Who.
        user: UserId,
        /// Which document.
        document: String,
        /// Which version.
        version: String,
    },
    /// Written only while the registration is incomplete: of a policy that registers, whatever changes the account.
    HoldRegistration {
        /// Whose.
        user: UserId,
        /// The oldest of what this flow proved: who used a link to the account after that has taken the registration over.
        since: Timestamp,
    },
    /// The registration is complete: it can not be entered again (R9).
    CompleteRegistration {
        /// Whose.
        user: UserId,
    },
    /// Take away sessions, remembered logins or refresh tokens of a person; not what this decision makes.
    Revoke {
        /// Whose.
        user: UserId,
        /// What.
        what: Vec<Revocation>,
    },
    /// A recovery code was given: it must never count again.
    SpendRecoveryCode {
        /// Whose.
        user: UserId,
        /// Which, from `Facts::recovery_code`.
        hash: KeyedHash,
    },
    /// Replace all recovery codes by ten new ones, derived from this label.
    ReplaceRecoveryCodes {
        /// Whose.
        user: UserId,
        /// Label, as `Needs::code_label`.
        label: String,
    },
    /// Keep the new counter of the passkey of `Facts::passkey`.
    UsePasskey {
        /// Whose.
        user: UserId,
    },
    /// Write the account or link of `Facts::federated`.
    AdoptFederated {
        /// Whose.
        user: UserId,
    },
    /// Call a webhook, from the outbox.
    Webhook {
        /// As in `Send`.
        label: String,
        /// Its name in the policy.
        name: String,
        /// Whom it is about.
        user: Option<UserId>,
    },
    /// Close the account: nobody signs in to it again, what is personal in it is removed.
    CloseAccount {
        /// Whose.
        user: UserId,
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
