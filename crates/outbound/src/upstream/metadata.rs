//! What a provider publishes of itself (OpenID Connect Discovery 1.0, 3), as far as it is used.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::HttpClient;
use crate::{CallError, SettingsError};

/// Metadata of a provider. Fit to be cached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// Issuer identifier.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where codes are exchanged.
    pub token_endpoint: Url,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// Where it tells more of a person than its ID tokens do, if it does.
    #[serde(default)]
    pub userinfo_endpoint: Option<Url>,
    /// How we may authenticate at the token endpoint.
    #[serde(default = "basic")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How its ID tokens may be signed.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Whether its answers name it (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// The method of a provider that names none.
fn basic() -> Vec<String> {
    vec!["client_secret_basic".to_owned()]
}

impl ProviderMetadata {
    /// Refuses endpoints that must not be called and authentication that we cannot do.
    pub(super) fn check(&self, http: &HttpClient) -> Result<(), CallError> {
        let endpoints = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
        ];
        for (name, url) in endpoints {
            http.check_url(name, url).map_err(|error: SettingsError| CallError::Permanent(error.to_string()))?;
        }
        if !self.takes("client_secret_basic") && !self.takes("client_secret_post") {
            return Err(CallError::Permanent("it takes no client secret, neither basic nor post".to_owned()));
        }
        Ok(())
    }

    pub(super) fn takes(&self, method: &str) -> bool {
        self.token_endpoint_auth_methods_supported.iter().any(|supported| supported == method)
    }
}
