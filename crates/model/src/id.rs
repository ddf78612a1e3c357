//! A type per kind of id: passing a client id where a user id belongs does not compile.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Text that is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct IdError(&'static str);

impl IdError {
    pub(crate) const SCOPE: Self = Self("scope");
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new UUIDv7 (RFC 9562, 5.7) from the time and ten random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or_default();
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let uuid = uuid::Uuid::try_parse(text).map_err(|_| IdError(stringify!($name)))?;
                Ok(Self(uuid.to_string()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

uuid_ids! {
    /// A person.
    UserId,
    /// A second factor or identifier bound to a person.
    FactorId,
    /// A standing authorization of a client by a person.
    GrantId,
    /// A browser's sign-in session; the `sid` of tokens.
    SessionId,
    /// A provider group.
    OrganizationId,
    /// An audit event.
    AuditId,
    /// A mail, text or call to be delivered.
    OutboxId,
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The longest accepted text, in bytes.
            pub const MAX: usize = 255;

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Accepts 1 to 255 visible ASCII characters (RFC 6749, appendix A.1: VSCHAR without space).
            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = (1..=Self::MAX).contains(&text.len());
                if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError(stringify!($name)))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_ids! {
    /// A client's `client_id`.
    ClientId,
    /// A signing key's `kid`.
    KeyId,
}

/// One running instance of a policy: 128 random bits, in base64url where it is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowId([u8; 16]);

impl FlowId {
    /// From 128 random bits.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The raw bits.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for FlowId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bits = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bits) {
            Ok(16) => Ok(Self(bits)),
            _ => Err(IdError("FlowId")),
        }
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_id_survives_its_text() {
        let id = FlowId::new([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("short".parse::<FlowId>(), Err(IdError("FlowId")));
        assert!("a".repeat(4000).parse::<FlowId>().is_err());
    }

    #[test]
    fn uuid_ids_sort_by_time() {
        let early = UserId::new(Timestamp::from_millis(1_000), [255; 10]);
        let late = UserId::new(Timestamp::from_millis(2_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse(), Ok(early));
    }

    #[test]
    fn client_id_refuses_space_control_and_excess() {
        assert!("case-portal".parse::<ClientId>().is_ok());
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(256)] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad:?}");
        }
    }
}
