//! Judges a configuration and its clients against OAuth 2.1, RFC 9700 and FAPI 2.0, and the clients against what is off:
//! tables of rules, each with the section it comes from. What this provider always does (exact redirect URIs, S256
//! alone, no password grant, no token in a query, `iss` in every answer) needs no rule.

mod rules;

use countersign_model::{Client, Seconds};
use serde::Serialize;

use crate::features::Features;

/// What a configuration is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Yardstick {
    /// The OAuth 2.1 Authorization Framework (draft-ietf-oauth-v2-1).
    #[serde(rename = "oauth2.1")]
    OAuth21,
    /// Best Current Practice for OAuth 2.0 Security.
    #[serde(rename = "rfc9700")]
    Rfc9700,
    /// FAPI 2.0 Security Profile (Final).
    #[serde(rename = "fapi2")]
    Fapi2,
    /// The deployment's own `[protocol]`: a switch is the section.
    #[serde(rename = "protocol")]
    Protocol,
}

impl Yardstick {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::OAuth21, Self::Rfc9700, Self::Fapi2, Self::Protocol];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth21 => "oauth2.1",
            Self::Rfc9700 => "rfc9700",
            Self::Fapi2 => "fapi2",
            Self::Protocol => "protocol",
        }
    }

    /// The yardstick named `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|yardstick| yardstick.as_str() == name)
    }
}

/// How much a deviation weighs: the word of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// MUST, SHALL, REQUIRED.
    Must,
    /// SHOULD, RECOMMENDED.
    Should,
}

/// A rule that something does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// Judged by what.
    pub yardstick: Yardstick,
    /// Its section.
    pub section: &'static str,
    /// How much it weighs; what is off is a MUST.
    pub weight: Weight,
    /// The client; none: the provider itself.
    pub client: Option<String>,
    /// What is so, and what would keep the rule.
    pub text: &'static str,
}

/// What of the configuration the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Configuration {
    /// Whether the issuer is https.
    pub is_https: bool,
    /// Parts of the protocol that are on.
    pub features: Features,
    /// Life of authorization codes.
    pub code: Seconds,
    /// Life of access tokens.
    pub access_token: Seconds,
    /// Whether client certificates are asked for somewhere.
    pub mutual_tls: bool,
}

/// Every deviation of `configuration` and its `clients` that are not disabled: first the provider's, then by client.
pub fn judge(configuration: &Configuration, clients: &[Client]) -> Vec<Deviation> {
    let provider = rules::OF_THE_PROVIDER.iter().filter(|rule| (rule.deviates)(configuration));
    let mut deviations: Vec<Deviation> = provider.map(|rule| rule.deviation(None)).collect();
    for client in clients.iter().filter(|client| !client.disabled) {
        let broken = rules::OF_A_CLIENT.iter().filter(|rule| (rule.deviates)(client));
        let kept = rules::KEPT_BY_A_CLIENT.iter().filter(|(feature, _)| !configuration.features.has(*feature));
        let kept = kept.map(|(_, rule)| rule).filter(|rule| (rule.deviates)(client));
        deviations.extend(broken.chain(kept).map(|rule| rule.deviation(Some(client.id.to_string()))));
    }
    deviations
}

#[cfg(test)]
mod tests;
