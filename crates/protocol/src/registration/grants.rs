//! Grant types and response types, and that they fit each other (RFC 7591, 2.1).

use super::{ClientMetadata, MetadataError};
use crate::features::Features;
use crate::token::{self, jwt_bearer, token_exchange};

/// The grant type of tokens that come from the authorization endpoint itself (OpenID Connect Registration, 2).
pub const IMPLICIT: &str = "implicit";
pub(super) const CODE: &str = "authorization_code";

/// Every response type, its words in the order they are kept in (Multiple Response Types, 3 and 5). `token` alone is
/// none of OpenID Connect's (Core, 3) and `none` proves nothing to anybody.
pub const RESPONSE_TYPES: [&str; 6] =
    ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];

/// `text` with its words in order, if it is a response type: their order says nothing (RFC 6749, 3.1.1).
pub fn canonical_response_type(text: &str) -> Option<&'static str> {
    let mut words: Vec<&str> = text.split(' ').collect();
    words.sort_unstable();
    let sorted = words.join(" ");
    RESPONSE_TYPES.into_iter().find(|known| *known == sorted)
}

/// Whether the answer brings a code.
fn has_code(response_type: &str) -> bool {
    response_type.starts_with("code")
}

/// Whether the answer brings a token.
fn has_token(response_type: &str) -> bool {
    response_type != "code"
}

pub(super) fn check(
    metadata: &ClientMetadata,
    features: &Features,
    is_public: bool,
) -> Result<(Vec<String>, Vec<String>), MetadataError> {
    let asked = metadata.response_types.as_ref().map(|types| canonical(types, features)).transpose()?;
    let grants = metadata.grant_types.clone().unwrap_or_else(|| default_grants(asked.as_deref()));
    if let Some(unknown) = grants.iter().find(|grant| !is_supported(grant, features)) {
        return Err(MetadataError::new(format!("grant type {unknown} is not supported")));
    }
    let uses = |name: &str| grants.iter().any(|grant| grant == name);
    if is_public && uses("client_credentials") {
        return Err(MetadataError::new("a public client cannot use client_credentials (RFC 6749, 4.4)"));
    }
    let speaks_for_others = [token_exchange::GRANT_TYPE, jwt_bearer::GRANT_TYPE].into_iter().find(|grant| uses(grant));
    if let Some(grant) = speaks_for_others.filter(|_| is_public) {
        return Err(MetadataError::new(format!("a public client cannot use {grant}")));
    }
    let types = asked.unwrap_or_else(|| if uses(CODE) { vec!["code"] } else { Vec::new() });
    let fit = uses(CODE) == types.iter().any(|kind| has_code(kind))
        && uses(IMPLICIT) == types.iter().any(|kind| has_token(kind));
    if !fit {
        return Err(MetadataError::new("response types and grant types do not fit each other (RFC 7591, 2.1)"));
    }
    Ok((grants, types.into_iter().map(str::to_owned).collect()))
}

/// What the response types need, where no grant types are named.
fn default_grants(types: Option<&[&str]>) -> Vec<String> {
    let Some(types) = types else { return vec![CODE.to_owned()] };
    let code = types.iter().any(|kind| has_code(kind)).then(|| CODE.to_owned());
    let implicit = types.iter().any(|kind| has_token(kind)).then(|| IMPLICIT.to_owned());
    code.into_iter().chain(implicit).collect()
}

fn canonical(types: &[String], features: &Features) -> Result<Vec<&'static str>, MetadataError> {
    let mut known = Vec::new();
    for text in types {
        let kind = canonical_response_type(text).filter(|kind| is_on(kind, features));
        let kind = kind.ok_or_else(|| MetadataError::new(format!("response type {text} is not supported")))?;
        if !known.contains(&kind) {
            known.push(kind);
        }
    }
    Ok(known)
}

fn is_on(response_type: &str, features: &Features) -> bool {
    match (has_code(response_type), has_token(response_type)) {
        (true, true) => features.hybrid,
        (false, _) => features.implicit,
        (true, false) => true,
    }
}

fn is_supported(grant: &str, features: &Features) -> bool {
    let is_implicit = grant == IMPLICIT && (features.implicit || features.hybrid);
    is_implicit || token::grant_types(features).contains(&grant)
}
