//! How a client wants to be answered: algorithms of signatures and of encryption.

use countersign_model::{Client, Encryption, ResponseRules, SigningAlgorithm};

use super::{ClientMetadata, MetadataError};
use crate::{device, jwe};

/// `enc` where none is named (OpenID Connect Registration, 2).
const DEFAULT_ENC: &str = "A128CBC-HS256";

/// The algorithm named, or RS256.
pub(super) fn algorithm(name: Option<&str>) -> Result<SigningAlgorithm, MetadataError> {
    let name = name.unwrap_or(SigningAlgorithm::RS256.as_str());
    SigningAlgorithm::from_name(name).ok_or_else(|| MetadataError::new(format!("algorithm {name} is not supported")))
}

/// The algorithm of ID tokens; where those are unsigned, of whatever else is signed as they would be.
pub(super) fn id_token_algorithm(metadata: &ClientMetadata) -> Result<SigningAlgorithm, MetadataError> {
    let name = metadata.id_token_signed_response_alg.as_deref();
    algorithm(name.filter(|_| !wants_unsigned_id_token(metadata)))
}

pub(super) fn wants_unsigned_id_token(metadata: &ClientMetadata) -> bool {
    metadata.id_token_signed_response_alg.as_deref() == Some("none")
}

/// An ID token that nobody signed is vouched for by the connection it comes by: by the code flow, never from the
/// authorization endpoint (Core, 2; Registration, 2), and encryption goes around a signature.
pub(super) fn check_unsigned(client: &Client) -> Result<(), MetadataError> {
    if !client.responses.unsigned_id_token {
        return Ok(());
    }
    if client.response_types != ["code"] || client.allows_grant(device::GRANT_TYPE) {
        return Err(MetadataError::new("id_token_signed_response_alg none is for the code flow alone (Core, 2)"));
    }
    if client.responses.id_token_encryption.is_some() {
        return Err(MetadataError::new("an ID token is signed before it is encrypted (Core, 2)"));
    }
    Ok(())
}

pub(super) fn rules(metadata: &ClientMetadata) -> Result<ResponseRules, MetadataError> {
    let optional = |name: &Option<String>| name.as_deref().map(|name| algorithm(Some(name))).transpose();
    let userinfo = metadata.userinfo_signed_response_alg.clone().filter(|name| name != "none");
    let id_token_encryption = encryption(
        metadata.id_token_encrypted_response_alg.as_ref(),
        metadata.id_token_encrypted_response_enc.as_ref(),
    )?;
    let userinfo_encryption = encryption(
        metadata.userinfo_encrypted_response_alg.as_ref(),
        metadata.userinfo_encrypted_response_enc.as_ref(),
    )?;
    // What is at an address may change at any time: it is looked at when there is something to encrypt.
    let has_key = |rule: &Encryption| {
        metadata.jwks.as_ref().map_or(metadata.jwks_uri.is_some(), |jwks| jwe::has_key(jwks, &rule.alg))
    };
    if ![&id_token_encryption, &userinfo_encryption].into_iter().flatten().all(has_key) {
        return Err(MetadataError::new("encrypted answers need a key for them in jwks, or a jwks_uri"));
    }
    Ok(ResponseRules {
        authorization_alg: optional(&metadata.authorization_signed_response_alg)?,
        userinfo_alg: optional(&userinfo)?,
        introspection_alg: optional(&metadata.introspection_signed_response_alg)?,
        id_token_encryption,
        userinfo_encryption,
        unsigned_id_token: wants_unsigned_id_token(metadata),
    })
}

/// `enc` means nothing without `alg` (Registration, 2).
fn encryption(alg: Option<&String>, enc: Option<&String>) -> Result<Option<Encryption>, MetadataError> {
    let (alg, enc) = match (alg, enc) {
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(MetadataError::new("an encrypted_response_enc needs its encrypted_response_alg"));
        }
        (Some(alg), enc) => (alg.as_str(), enc.map_or(DEFAULT_ENC, String::as_str)),
    };
    for (name, known) in [(alg, jwe::KEY_MANAGEMENT.as_slice()), (enc, &jwe::CONTENT_ENCRYPTION)] {
        if !known.contains(&name) {
            return Err(MetadataError::new(format!("encryption {name} is not supported")));
        }
    }
    Ok(Some(Encryption { alg: alg.to_owned(), enc: enc.to_owned() }))
}
