//! Clients that are held to FAPI 2.0: what the profile wants is set, and what contradicts it is refused when they
//! register.

use countersign_model::{AuthMethod, Client, RefreshRule, SecurityProfile, SigningAlgorithm};

use super::{ClientMetadata, MetadataError};

/// `client` with what its profile demands (FAPI 2.0 Security Profile, 5.3.2; Message Signing, 5.3).
pub(super) fn hold(mut client: Client, metadata: &ClientMetadata) -> Result<Client, MetadataError> {
    let Some(profile) = client.profile else { return Ok(client) };
    client.require_pkce = true;
    client.requests.require_pushed = true;
    if profile == SecurityProfile::Fapi2MessageSigning {
        client.requests.require_signed = true;
    }
    if metadata.countersign_refresh.is_none() {
        client.refresh = RefreshRule::Keep;
    }
    if metadata.id_token_signed_response_alg.is_none() {
        client.id_token_alg = SigningAlgorithm::PS256;
    }
    if metadata.countersign_access_token_alg.is_none() {
        client.access_token_alg = SigningAlgorithm::PS256;
    }
    check(&client)?;
    Ok(client)
}

fn check(client: &Client) -> Result<(), MetadataError> {
    let proves = |method: &AuthMethod| {
        matches!(method, AuthMethod::PrivateKeyJwt | AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
    };
    let algorithms = [Some(client.id_token_alg), client.responses.authorization_alg, client.responses.userinfo_alg];
    let weak = |name: Option<&str>| matches!(name, Some("RS256" | "HS256" | "none"));
    let has_keys = client.keys.jwks.is_some() || client.keys.jwks_uri.is_some();
    let broken = [
        (!client.auth_methods.iter().all(proves), "private_key_jwt or mutual TLS (5.3.2.1)"),
        (!client.dpop_bound_tokens && !client.certificate_bound_tokens, "tokens bound to a key (5.3.2.1)"),
        (client.response_types.iter().any(|kind| kind != "code"), "response type code alone (5.3.2.2)"),
        (client.responses.unsigned_id_token, "signed ID tokens (5.4.1)"),
        (algorithms.contains(&Some(SigningAlgorithm::RS256)), "PS256, ES256 or EdDSA (5.4.1)"),
        (weak(client.assertion_alg.as_deref()), "assertions by PS256, ES256 or EdDSA (5.4.1)"),
        (weak(client.requests.signing_alg.as_deref()), "request objects by PS256, ES256 or EdDSA (5.4.1)"),
        (client.requests.require_signed && !has_keys, "keys for its request objects (Message Signing, 5.3.1)"),
    ];
    match broken.into_iter().find(|(is_broken, _)| *is_broken) {
        Some((_, wanted)) => Err(MetadataError::new(format!("FAPI 2.0 wants {wanted}"))),
        None => Ok(()),
    }
}
