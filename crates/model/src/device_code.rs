//! Devices that wait for a person elsewhere (RFC 8628).

use crate::{ClientId, GrantId, KeyedHash, Scope, Seconds, Timestamp};

/// What became of a device's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending,
    /// A person allowed it.
    Allowed,
    /// A person denied it.
    Denied,
    /// It was allowed, and the device has its tokens.
    Spent,
}

impl DeviceState {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Allowed, Self::Denied, Self::Spent];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Spent => "spent",
        }
    }

    /// The state whose word is `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A device's request (RFC 8628, 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// Keyed hash of the code that the device polls with.
    pub hash: KeyedHash,
    /// Keyed hash of the code that its person types.
    pub user_code: KeyedHash,
    /// Client it was issued to.
    pub client: ClientId,
    /// What was asked for.
    pub scope: Scope,
    /// Resource servers that were asked for (RFC 8707).
    pub resources: Vec<String>,
    /// What became of it.
    pub state: DeviceState,
    /// What the person granted.
    pub grant: Option<GrantId>,
    /// How long the device has to wait between two polls.
    pub wait: Seconds,
    /// When it polled last.
    pub polled_at: Option<Timestamp>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
}
