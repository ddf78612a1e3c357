//! The sector that a client's pairwise identifiers are made for (OpenID Connect Core, 8.1).

use std::collections::BTreeSet;

use countersign_model::SubjectType;
use url::Url;

use super::{ClientMetadata, MetadataError, Rules};

/// Whether the document at `sector_identifier_uri`, a JSON array, lists every redirect URI (Core, 8.1).
pub fn check_sector(document: &[u8], redirect_uris: &[String]) -> Result<(), MetadataError> {
    let Ok(listed) = serde_json::from_slice::<Vec<String>>(document) else {
        return Err(MetadataError::new("sector_identifier_uri is no JSON array of redirect URIs"));
    };
    match redirect_uris.iter().find(|uri| !listed.contains(uri)) {
        Some(missing) => Err(MetadataError::new(format!("sector_identifier_uri does not list {missing}"))),
        None => Ok(()),
    }
}

/// The host of `sector_identifier_uri`, or else the only one of the redirect URIs. Of `https` alone: whose it is, a
/// scheme of an app or this machine's own address does not say.
pub(super) fn sector(metadata: &ClientMetadata, rules: &Rules<'_>) -> Result<Option<String>, MetadataError> {
    if metadata.subject_type != Some(SubjectType::Pairwise) {
        return Ok(None);
    }
    let is_web = |uri: &Url| uri.scheme() == "https" || (rules.loopback && uri.scheme() == "http");
    let host = |uri: &str| Url::parse(uri).ok().filter(is_web).and_then(|uri| uri.host_str().map(str::to_owned));
    if let Some(uri) = &metadata.sector_identifier_uri {
        return Ok(host(uri));
    }
    let uris = metadata.redirect_uris.as_deref().unwrap_or_default();
    let hosts: BTreeSet<_> = uris.iter().map(|uri| host(uri)).collect();
    match (hosts.len(), hosts.into_iter().next().flatten()) {
        (1, Some(only)) => Ok(Some(only)),
        _ => Err(MetadataError::new(
            "pairwise subjects need https redirect URIs of one host, or a sector_identifier_uri",
        )),
    }
}
