//! What the answer of an authorization request holds (OAuth 2.0 Multiple Response Types; OpenID Connect Core, 3).

use serde::{Deserialize, Serialize};

use crate::features::Features;

/// A set of `code`, `id_token` and `token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseType(u8);

const CODE: u8 = 1;
const ID_TOKEN: u8 = 2;
const TOKEN: u8 = 4;

impl ResponseType {
    /// A code alone.
    pub const CODE: Self = Self(CODE);

    /// Every supported one; `token` alone is none of them (RFC 9700, 2.1.2).
    pub const ALL: [Self; 6] = [
        Self::CODE,
        Self(ID_TOKEN),
        Self(ID_TOKEN | TOKEN),
        Self(CODE | ID_TOKEN),
        Self(CODE | TOKEN),
        Self(CODE | ID_TOKEN | TOKEN),
    ];

    /// The supported type written `text`, its words in any order (Multiple Response Types, 3).
    pub fn parse(text: &str) -> Option<Self> {
        let mut found = 0;
        for word in text.split(' ') {
            let bit = match word {
                "code" => CODE,
                "id_token" => ID_TOKEN,
                "token" => TOKEN,
                _ => return None,
            };
            if found & bit != 0 {
                return None;
            }
            found |= bit;
        }
        Self::ALL.into_iter().find(|known| known.0 == found)
    }

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            CODE => "code",
            ID_TOKEN => "id_token",
            6 => "id_token token",
            3 => "code id_token",
            5 => "code token",
            _ => "code id_token token",
        }
    }

    /// Whether there is a code in the answer.
    pub const fn has_code(self) -> bool {
        self.0 & CODE != 0
    }

    /// Whether there is an ID token in the answer.
    pub const fn has_id_token(self) -> bool {
        self.0 & ID_TOKEN != 0
    }

    /// Whether there is an access token in the answer.
    pub const fn has_token(self) -> bool {
        self.0 & TOKEN != 0
    }

    /// Whether tokens go through the browser: never in a query (Multiple Response Types, 5).
    pub const fn has_front_channel_tokens(self) -> bool {
        self.0 & (ID_TOKEN | TOKEN) != 0
    }

    /// Whether a deployment with `features` speaks it.
    pub const fn is_on(self, features: &Features) -> bool {
        match (self.has_front_channel_tokens(), self.has_code()) {
            (false, _) => true,
            (true, true) => features.hybrid,
            (true, false) => features.implicit,
        }
    }
}
