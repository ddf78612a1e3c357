//! What the audit records. Never a secret, a code, a token, a password or a full phone number.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AuditId, ClientId, GrantId, Timestamp, UserId};

macro_rules! audit_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum AuditKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl AuditKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The event's name in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The kind named `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
            }
        }
    };
}

audit_kinds! {
    /// A flow began.
    FlowStarted = "flow.started",
    /// A step ended with an outcome.
    FlowStep = "flow.step",
    /// A flow ended in `stop`.
    FlowStopped = "flow.stopped",
    /// A person signed in.
    Login = "login",
    /// A remembered or single sign-on session answered for the person.
    SilentLogin = "login.silent",
    /// A limit was reached.
    LimitReached = "limit.reached",
    /// A mail, text or call was queued.
    SendQueued = "send.queued",
    /// A carrier took it.
    SendDelivered = "send.delivered",
    /// It could not be delivered.
    SendFailed = "send.failed",
    /// A remembered login was stored.
    LoginRemembered = "login.remembered",
    /// A remembered login was forgotten.
    LoginForgotten = "login.forgotten",
    /// A password hash was renewed with stronger parameters.
    PasswordRehashed = "password.rehashed",
    /// An authorization code was issued.
    CodeIssued = "code.issued",
    /// Tokens were issued for an authorization code.
    TokenIssued = "token.issued",
    /// Tokens were issued for a refresh token.
    TokenRefreshed = "token.refreshed",
    /// An access token was exchanged for a narrower one.
    TokenExchanged = "token.exchanged",
    /// A code or refresh token was used twice: its family was revoked.
    ReplayDetected = "token.replay_detected",
    /// A client took a token back.
    TokenRevoked = "token.revoked",
    /// A request was refused.
    RequestRefused = "request.refused",
    /// A client could not prove itself.
    ClientAuthenticationFailed = "client.authentication_failed",
    /// A client was registered or changed.
    ClientChanged = "client.changed",
    /// A provider group was entered or changed.
    OrganizationChanged = "organization.changed",
    /// A user was made or changed.
    UserChanged = "user.changed",
    /// Somebody of the help desk read what is on record of a person.
    TimelineRead = "timeline.read",
    /// Somebody read by the admin API.
    AdminRead = "admin.read",
    /// An account was made.
    AccountCreated = "account.created",
    /// An account was closed by its person.
    AccountClosed = "account.closed",
    /// A registration was completed.
    RegistrationCompleted = "registration.completed",
    /// A version of a document was agreed to.
    TermsAccepted = "terms.accepted",
    /// A password was set.
    PasswordChanged = "password.changed",
    /// A factor was bound.
    FactorBound = "factor.bound",
    /// A factor was unbound.
    FactorUnbound = "factor.unbound",
    /// A recovery code was spent.
    RecoveryCodeUsed = "recovery_code.used",
    /// All recovery codes were replaced by new ones.
    RecoveryCodesReplaced = "recovery_codes.replaced",
    /// A sign-in came from a browser not seen before.
    DeviceNew = "device.new",
    /// A link was mailed.
    LinkSent = "link.sent",
    /// A mailed link was used.
    LinkUsed = "link.used",
    /// Sessions were ended.
    SessionEnded = "session.ended",
    /// A person allowed a client what it asked for.
    ConsentGiven = "consent.given",
    /// A person denied a client what it asked for.
    ConsentDenied = "consent.denied",
    /// A person took back what they had allowed a client.
    ConsentWithdrawn = "consent.withdrawn",
    /// A person of an upstream provider was linked to an account.
    FederationLinked = "federation.linked",
    /// A person of an upstream provider may not be linked.
    FederationRefused = "federation.refused",
    /// A webhook did not answer as it should.
    WebhookFailed = "webhook.failed",
    /// A carrier told what became of a message.
    DeliveryStatus = "delivery.status",
    /// A call was answered with the right key or digits, or with wrong ones.
    CallAnswered = "call.answered",
    /// A person allowed or denied what a device asked for.
    DeviceDecided = "device.decided",
    /// A signing key was made.
    KeyCreated = "key.created",
    /// A signing key left the JWKS: whatever it signed is dead.
    KeyRemoved = "key.removed",
    /// A client asked what a token is good for.
    TokenIntrospected = "token.introspected",
    /// A version of a policy runs from now on.
    PolicyActivated = "policy.activated",
    /// A policy runs no more.
    PolicyWithdrawn = "policy.withdrawn",
    /// Events were removed whose class is kept no longer.
    AuditExpired = "audit.expired",
}

macro_rules! audit_classes {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $($kind:ident)|+),* $(,)?) => {
        /// Kinds of events that are kept equally long.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum AuditClass {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl AuditClass {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The kinds of events that are of this class.
            pub fn kinds(self) -> impl Iterator<Item = AuditKind> {
                AuditKind::ALL.iter().copied().filter(move |kind| kind.class() == self)
            }
        }

        impl AuditKind {
            /// How long it is kept is decided for this class.
            pub const fn class(self) -> AuditClass {
                match self {
                    $($(Self::$kind)|+ => AuditClass::$name,)*
                }
            }
        }
    };
}

audit_classes! {
    /// Codes, tokens, and what was allowed or refused on the way to them.
    Tokens = "tokens": CodeIssued | TokenIssued | TokenRefreshed | TokenExchanged | ReplayDetected | TokenRevoked
        | TokenIntrospected | RequestRefused | ClientAuthenticationFailed | ConsentGiven | ConsentDenied | ConsentWithdrawn | DeviceDecided,
    /// Flows, and sessions that came of them.
    SignIns = "sign_ins": FlowStarted | FlowStep | FlowStopped | Login | SilentLogin | LimitReached | LoginRemembered
        | LoginForgotten | DeviceNew | LinkUsed | SessionEnded | FederationRefused | WebhookFailed | CallAnswered,
    /// Mails, texts and calls.
    Messages = "messages": SendQueued | SendDelivered | SendFailed | LinkSent | DeliveryStatus,
    /// What became of accounts by their own people.
    Accounts = "accounts": PasswordRehashed | AccountCreated | AccountClosed | RegistrationCompleted | TermsAccepted
        | PasswordChanged | FactorBound | FactorUnbound | RecoveryCodeUsed | RecoveryCodesReplaced | FederationLinked,
    /// What operators, administrators and the house itself did.
    Administration = "administration": ClientChanged | OrganizationChanged | UserChanged | TimelineRead | AdminRead | KeyCreated
        | KeyRemoved | PolicyActivated | PolicyWithdrawn | AuditExpired,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// As asked.
    Success,
    /// Refused or failed.
    Failure,
}

impl AuditOutcome {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The outcome meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One entry of the append-only audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id, ordered by time.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The person concerned.
    pub subject: Option<UserId>,
    /// The client concerned.
    pub client: Option<ClientId>,
    /// The grant concerned.
    pub grant: Option<GrantId>,
    /// `jti` of the token concerned.
    pub jti: Option<String>,
    /// Flow it happened in, base64url of the first half of its id: enough to correlate, useless to resume.
    pub flow: Option<String>,
    /// Request it happened in.
    pub request: Option<String>,
    /// Address of the other side.
    pub address: Option<String>,
    /// Anything more: step, policy, digest, acr, reason.
    pub detail: Map<String, Value>,
}
