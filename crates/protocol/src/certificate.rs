//! Client certificates (RFC 8705).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{ErrorCode, OAuthError};

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
