//! The browser's sign-in session and the logins it remembers.

use crate::{Authentication, ClientId, FactSet, KeyedHash, SessionId, Timestamp, UserId};

/// A browser's sign-in session; its cookie holds a secret of which only the keyed hash is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its id, the `sid` of tokens.
    pub id: SessionId,
    /// Keyed hash of the cookie's secret.
    pub token: KeyedHash,
    /// Who signed in, when and how.
    pub authentication: Authentication,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last.
    pub seen_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// When it was ended early.
    pub ended_at: Option<Timestamp>,
    /// Lets one authorization request of a client count as asked for at this sign-in.
    pub ticket: Option<Ticket>,
    /// Browser and system in words.
    pub device: Option<String>,
    /// Address it began from.
    pub address: Option<String>,
}

/// After a mailed link, the client's next request in this browser counts as this sign-in: once, and soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whose request.
    pub client: ClientId,
    /// Its end.
    pub until: Timestamp,
}

/// A login remembered in a browser for one policy ("the same login option"), four hours absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedLogin {
    /// Keyed hash of the browser's binding cookie: the same browser, while it stays open.
    pub browser: KeyedHash,
    /// Policy it is bound to.
    pub policy: String,
    /// The person.
    pub user: UserId,
    /// The original authentication; its `auth_time` is kept.
    pub authentication: Authentication,
    /// What was proven then.
    pub facts: FactSet,
    /// When it was remembered.
    pub created_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// Browser and system in words.
    pub device: Option<String>,
}

/// A browser a person has signed in from, to tell them about new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// The person.
    pub user: UserId,
    /// Keyed hash of the browser's long-lived cookie.
    pub device: KeyedHash,
    /// Browser and system in words.
    pub description: String,
    /// First sign-in from it.
    pub first_seen_at: Timestamp,
    /// Last sign-in from it.
    pub last_seen_at: Timestamp,
}
