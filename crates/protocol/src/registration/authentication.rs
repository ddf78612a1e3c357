//! How a client will authenticate, and what it registers for that (RFC 7591, 2; RFC 8705, 2; OpenID Connect Core, 9).

use countersign_model::{AuthMethod, CertificateName, ClientKeys, SigningAlgorithm};
use serde_json::Value;

use crate::discovery;

use super::{ClientMetadata, MetadataError, Registrant, Rules};

/// Keys of a set at most.
const MAX_KEYS: usize = 20;
/// A JWK Set by value, in bytes of JSON.
const MAX_JWKS: usize = 32 * 1024;
/// Members of keys that must stay with their owner (RFC 7518, 6).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];
/// The algorithm of `client_secret_jwt`.
const SHARED: &str = "HS256";

pub(super) fn methods(metadata: &ClientMetadata, rules: &Rules<'_>) -> Result<Vec<AuthMethod>, MetadataError> {
    let single = metadata.token_endpoint_auth_method.clone().map(|method| vec![method]);
    let several = metadata.countersign_auth_methods.clone().filter(|_| rules.registrant == Registrant::Operator);
    let default = || vec![AuthMethod::ClientSecretBasic.as_str().to_owned()];
    let names = several.or(single).unwrap_or_else(default);
    let is_on = |method: &AuthMethod| discovery::is_supported(*method, rules.capabilities);
    let method = |name: &String| {
        let refused = || MetadataError::new(format!("authentication method {name} is not supported"));
        AuthMethod::from_name(name).filter(is_on).ok_or_else(refused)
    };
    let methods = names.iter().map(method).collect::<Result<Vec<_>, _>>()?;
    match methods.as_slice() {
        [] => Err(MetadataError::new("no authentication method")),
        [_] => Ok(methods),
        several if several.contains(&AuthMethod::None) => {
            Err(MetadataError::new("`none` cannot stand beside another method"))
        }
        _ => Ok(methods),
    }
}

/// Its keys, by value or by address (RFC 7591, 2).
pub(super) fn keys(metadata: &ClientMetadata, methods: &[AuthMethod]) -> Result<ClientKeys, MetadataError> {
    let keys = ClientKeys { jwks: metadata.jwks.clone(), jwks_uri: metadata.jwks_uri.clone() };
    match (&keys.jwks, &keys.jwks_uri) {
        (Some(_), Some(_)) => return Err(MetadataError::new("jwks and jwks_uri exclude each other (RFC 7591, 2)")),
        (Some(jwks), None) => check_jwks(jwks)?,
        _ => {}
    }
    let needs = |method| matches!(method, AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClientAuth);
    if keys == ClientKeys::default()
        && let Some(method) = methods.iter().copied().find(|method| needs(*method))
    {
        return Err(MetadataError::new(format!("{} needs jwks or jwks_uri", method.as_str())));
    }
    Ok(keys)
}

/// A set of public keys, bounded.
fn check_jwks(jwks: &Value) -> Result<(), MetadataError> {
    let wrong = |why: &str| Err(MetadataError::new(format!("jwks {why}")));
    let Some(keys) = jwks.get("keys").and_then(Value::as_array) else { return wrong("is no JWK Set (RFC 7517, 5)") };
    if keys.is_empty() || keys.len() > MAX_KEYS || jwks.to_string().len() > MAX_JWKS {
        return wrong("is empty or too large");
    }
    if keys.iter().any(|key| !key.get("kty").is_some_and(Value::is_string)) {
        return wrong("has a key without kty (RFC 7517, 4.1)");
    }
    if keys.iter().any(|key| key["kty"] == "oct" || PRIVATE.iter().any(|name| key.get(name).is_some())) {
        return wrong("has a key that is not public");
    }
    Ok(())
}

/// `token_endpoint_auth_signing_alg` (Registration, 2): asymmetric for keys, HS256 for the secret, never `none`.
pub(super) fn assertion_alg(
    metadata: &ClientMetadata,
    methods: &[AuthMethod],
) -> Result<Option<String>, MetadataError> {
    let Some(name) = metadata.token_endpoint_auth_signing_alg.clone() else { return Ok(None) };
    let by_key = methods.contains(&AuthMethod::PrivateKeyJwt) && SigningAlgorithm::from_name(&name).is_some();
    let by_secret = methods.contains(&AuthMethod::ClientSecretJwt) && name == SHARED;
    let by_nothing = !methods.iter().any(|m| matches!(m, AuthMethod::PrivateKeyJwt | AuthMethod::ClientSecretJwt));
    if by_key || by_secret || (by_nothing && (name == SHARED || SigningAlgorithm::from_name(&name).is_some())) {
        Ok(Some(name))
    } else {
        Err(MetadataError::new(format!("token_endpoint_auth_signing_alg {name} does not fit its method")))
    }
}

/// What the certificate must name: exactly one thing, for `tls_client_auth` alone (RFC 8705, 2.1.2).
pub(super) fn certificate_name(
    metadata: &ClientMetadata,
    methods: &[AuthMethod],
) -> Result<Option<CertificateName>, MetadataError> {
    let names = [
        metadata.tls_client_auth_subject_dn.clone().map(CertificateName::SubjectDn),
        metadata.tls_client_auth_san_dns.clone().map(CertificateName::Dns),
        metadata.tls_client_auth_san_uri.clone().map(CertificateName::Uri),
        metadata.tls_client_auth_san_ip.clone().map(CertificateName::Ip),
        metadata.tls_client_auth_san_email.clone().map(CertificateName::Email),
    ];
    let mut named = names.into_iter().flatten();
    match (methods.contains(&AuthMethod::TlsClientAuth), named.next(), named.next()) {
        (true, Some(name), None) => Ok(Some(name)),
        (false, None, None) => Ok(None),
        (true, ..) => {
            Err(MetadataError::new("tls_client_auth needs exactly one of tls_client_auth_subject_dn and _san_*"))
        }
        (false, ..) => Err(MetadataError::new("tls_client_auth_* is for tls_client_auth alone")),
    }
}
