//! Client certificates (RFC 8705).

mod names;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_model::{AuthMethod, Client, ClientId};
use serde_json::Value;

use crate::error::{ErrorCode, OAuthError};

/// Keys of a set that are looked at.
const MAX_KEYS: usize = 64;

/// `x5t#S256`: SHA-256 of a DER certificate in base64url (RFC 8705, 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateThumbprint(String);

impl CertificateThumbprint {
    /// Of the certificate that a TLS client showed, and proved to hold the key of.
    pub fn of(certificate: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, certificate)))
    }

    /// The text of the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The certificate a TLS client showed, and proved to hold the key of.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    der: Vec<u8>,
    is_trusted: bool,
}

impl ShownCertificate {
    /// Of the DER the client showed; `is_trusted` when it is valid now, for clients, under an authority of the operator.
    pub const fn new(der: Vec<u8>, is_trusted: bool) -> Self {
        Self { der, is_trusted }
    }

    /// Whether an authority of the operator vouches for it.
    pub const fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// The certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl std::fmt::Debug for ShownCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownCertificate").field("is_trusted", &self.is_trusted).finish_non_exhaustive()
    }
}

/// A certificate that proves who a client is; only [`prove`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateProof {
    client: ClientId,
    method: AuthMethod,
}

impl CertificateProof {
    /// Whether it proves this client.
    pub fn is_of(&self, client: &Client) -> bool {
        self.client == client.id
    }

    /// How.
    pub const fn method(&self) -> AuthMethod {
        self.method
    }
}

/// Whether `shown` is the certificate of `client`: one that it registered as a whole (RFC 8705, 2.2), or one
/// that names it and that somebody trusted vouches for (2.1). `jwks` is its JWK Set.
pub fn prove(client: &Client, shown: &ShownCertificate, jwks: Option<&Value>) -> Option<CertificateProof> {
    let registered = |method| client.auth_methods.contains(&method);
    let proof = |method| Some(CertificateProof { client: client.id.clone(), method });
    if registered(AuthMethod::SelfSignedTlsClientAuth) && jwks.is_some_and(|jwks| holds(jwks, shown)) {
        return proof(AuthMethod::SelfSignedTlsClientAuth);
    }
    let is_named = || client.certificate_name.as_ref().is_some_and(|name| names::matches(&shown.der, name));
    if registered(AuthMethod::TlsClientAuth) && shown.is_trusted && is_named() {
        return proof(AuthMethod::TlsClientAuth);
    }
    None
}

/// Whether a key of the set is this certificate's: the first of its `x5c` (RFC 7517, 4.7), in strict base64.
fn holds(jwks: &Value, shown: &ShownCertificate) -> bool {
    let keys = jwks.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let leaf = |key: &Value| STANDARD.decode(key.get("x5c")?.get(0)?.as_str()?).ok();
    keys.iter().take(MAX_KEYS).any(|key| leaf(key).is_some_and(|leaf| leaf == shown.der))
}

/// What a token of a client is to be bound to: the certificate it showed, if its registration asks for that
/// (`tls_client_certificate_bound_access_tokens`; RFC 8705, 3.4). Errors with `invalid_request` when it showed none.
pub fn decide_binding(
    is_demanded: bool,
    shown: Option<&CertificateThumbprint>,
) -> Result<Option<CertificateThumbprint>, OAuthError> {
    match (is_demanded, shown) {
        (false, _) => Ok(None),
        (true, Some(certificate)) => Ok(Some(certificate.clone())),
        (true, None) => {
            Err(OAuthError::new(ErrorCode::InvalidRequest, "The client must show its certificate (mutual TLS)"))
        }
    }
}

/// Checks that a token bound to `bound` comes with that certificate (RFC 8705, 3). Errors with `invalid_token`.
pub fn check_binding(bound: Option<&str>, shown: Option<&CertificateThumbprint>) -> Result<(), OAuthError> {
    match bound {
        Some(bound) if shown.is_none_or(|shown| shown.as_str() != bound) => {
            Err(OAuthError::new(ErrorCode::InvalidToken, "The access token is bound to another certificate"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_the_sha_256_of_the_der() {
        // SHA-256 of nothing, in base64url.
        assert_eq!(CertificateThumbprint::of(b"").as_str(), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }

    #[test]
    fn only_the_certificate_it_was_bound_to_carries_a_token() {
        let (own, other) = (CertificateThumbprint::of(b"own"), CertificateThumbprint::of(b"other"));
        assert!(check_binding(Some(own.as_str()), Some(&own)).is_ok());
        assert!(check_binding(None, Some(&other)).is_ok() && check_binding(None, None).is_ok());
        for shown in [None, Some(&other)] {
            let refused = check_binding(Some(own.as_str()), shown).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidToken);
        }
    }

    #[test]
    fn who_asked_for_bound_tokens_gets_none_without_a_certificate() {
        let shown = CertificateThumbprint::of(b"own");
        assert_eq!(decide_binding(true, Some(&shown)).unwrap(), Some(shown.clone()));
        assert_eq!(decide_binding(false, Some(&shown)).unwrap(), None);
        assert_eq!(decide_binding(true, None).unwrap_err().code, ErrorCode::InvalidRequest);
    }
}
