//! A member of what is off, or of what nobody here can do, is refused: to ignore it would be to promise it.

use super::{ClientMetadata, MetadataError};
use crate::discovery::Capabilities;

/// A member that asks for something, and whether that is on.
type Switch = (&'static str, fn(&ClientMetadata) -> bool, fn(&Capabilities) -> bool);

const SWITCHES: [Switch; 21] = [
    ("subject_type", |m| m.subject_type == Some(countersign_model::SubjectType::Pairwise), |c| c.features.pairwise),
    ("sector_identifier_uri", |m| m.sector_identifier_uri.is_some(), |c| c.features.pairwise),
    ("request_object_signing_alg", |m| m.request_object_signing_alg.is_some(), |c| c.features.request_objects),
    ("require_signed_request_object", |m| is_true(m.require_signed_request_object), |c| c.features.request_objects),
    ("request_uris", |m| has_any(m.request_uris.as_deref()), |c| c.features.request_uris),
    (
        "require_pushed_authorization_requests",
        |m| is_true(m.require_pushed_authorization_requests),
        |c| c.features.pushed_requests,
    ),
    (
        "authorization_signed_response_alg",
        |m| m.authorization_signed_response_alg.is_some(),
        |c| c.features.signed_responses,
    ),
    (
        "introspection_signed_response_alg",
        |m| m.introspection_signed_response_alg.is_some(),
        |c| c.features.introspection,
    ),
    (
        "introspection_signed_response_alg",
        |m| m.introspection_signed_response_alg.is_some(),
        |c| c.features.signed_introspection,
    ),
    (
        "userinfo_signed_response_alg",
        |m| m.userinfo_signed_response_alg.as_ref().is_some_and(|name| name != "none"),
        |c| c.features.signed_userinfo,
    ),
    ("id_token_signed_response_alg none", super::responses::wants_unsigned_id_token, |c| c.features.unsigned_id_tokens),
    ("id_token_encrypted_response_alg", |m| m.id_token_encrypted_response_alg.is_some(), |c| c.features.encryption),
    ("userinfo_encrypted_response_alg", |m| m.userinfo_encrypted_response_alg.is_some(), |c| c.features.encryption),
    ("dpop_bound_access_tokens", |m| is_true(m.dpop_bound_access_tokens), |c| c.features.dpop),
    ("post_logout_redirect_uris", |m| has_any(m.post_logout_redirect_uris.as_deref()), |c| c.features.logout),
    ("backchannel_logout_uri", |m| m.backchannel_logout_uri.is_some(), |c| c.features.backchannel_logout),
    ("frontchannel_logout_uri", |m| m.frontchannel_logout_uri.is_some(), |c| c.features.frontchannel_logout),
    ("countersign_may_act", |m| m.countersign_may_act.is_some(), |c| c.features.token_exchange),
    ("countersign_profile", |m| m.countersign_profile.is_some(), |c| c.features.pushed_requests),
    ("countersign_profile", |m| m.countersign_profile.is_some(), |c| c.features.security_profiles),
    (
        "tls_client_certificate_bound_access_tokens",
        |m| is_true(m.tls_client_certificate_bound_access_tokens),
        |c| c.mtls_origin.is_some(),
    ),
];

pub(super) fn check(metadata: &ClientMetadata, capabilities: &Capabilities) -> Result<(), MetadataError> {
    let off = SWITCHES.iter().find(|(_, asks, is_on)| asks(metadata) && !is_on(capabilities));
    off.map_or(Ok(()), |(name, ..)| Err(MetadataError::new(format!("{name} is not supported here"))))
}

fn is_true(member: Option<bool>) -> bool {
    member.unwrap_or(false)
}

fn has_any(member: Option<&[String]>) -> bool {
    member.is_some_and(|values| !values.is_empty())
}
