//! Clients that nobody registered: described by the document at the address that is their `client_id`
//! (draft-ietf-oauth-client-id-metadata-document-01).

use countersign_model::ClientId;
use serde_json::{Map, Value, json};
use url::Url;

use super::addresses::{has_credentials, is_loopback};
use super::grants::CODE;
use super::{ClientMetadata, MetadataError};

/// The longest accepted document, in bytes.
pub const MAX_DOCUMENT: usize = 8 * 1024;
/// Ways such a client may authenticate: there is nobody to share a secret with (draft, 4.1).
const METHODS: [&str; 2] = ["none", "private_key_jwt"];
/// What such a client may use: each token is of a person who was asked.
const GRANT_TYPES: [&str; 2] = [CODE, "refresh_token"];
/// Members by which a document would lead to addresses or identities of others.
const NEVER: [&str; 5] =
    ["client_secret", "client_secret_expires_at", "request_uris", "sector_identifier_uri", "subject_type"];
/// Members that hold addresses: all are at the host of the document.
const ADDRESSES: [&str; 6] = [
    "redirect_uris",
    "post_logout_redirect_uris",
    "jwks_uri",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
    "initiate_login_uri",
];

/// Whether `id` is the address of a document (draft, 3): https with a path, without dot segments, user information,
/// query and fragment, and written as everybody writes it. `loopback`: http on this machine too.
pub fn is_document_address(id: &ClientId, loopback: bool) -> bool {
    let Ok(url) = Url::parse(id.as_str()) else { return false };
    let is_guarded = match url.scheme() {
        "https" => true,
        "http" => loopback && is_loopback(&url),
        _ => false,
    };
    let is_plain = url.query().is_none() && url.fragment().is_none() && !has_credentials(&url);
    is_guarded && is_plain && url.path() != "/" && url.as_str() == id.as_str()
}

/// Whether what is served as `media_type` may be a document (draft, 4): JSON. What people may leave at a host, as pictures
/// and texts, is not.
pub fn is_document_type(media_type: &str) -> bool {
    let json = |kind: &str| kind == "json" || kind.strip_suffix("+json").is_some_and(|name| !name.is_empty());
    media_type.strip_prefix("application/").is_some_and(json)
}

/// Reads the document at `id`: what a client may say of itself, with the members that were understood.
pub fn read_document(id: &ClientId, body: &[u8]) -> Result<(ClientMetadata, Map<String, Value>), MetadataError> {
    if body.len() > MAX_DOCUMENT {
        return Err(MetadataError::new("the document is too long"));
    }
    let mut members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| MetadataError::new("the document is no JSON object"))?;
    // Compared byte for byte (draft, 4.1): who finds it elsewhere has not found it.
    if members.remove("client_id").as_ref().and_then(Value::as_str) != Some(id.as_str()) {
        return Err(MetadataError::new("client_id is not the document's address"));
    }
    if let Some(name) = NEVER.into_iter().find(|name| members.contains_key(*name)) {
        return Err(MetadataError::new(format!("{name} is not for clients that a document describes")));
    }
    members.entry("token_endpoint_auth_method").or_insert_with(|| json!("none"));
    if names_own_machine(&members) {
        members.entry("application_type").or_insert_with(|| json!("native"));
    }
    let metadata = super::read(&mut members)?;
    check(id, &metadata, &members)?;
    Ok((metadata, members))
}

fn check(id: &ClientId, metadata: &ClientMetadata, members: &Map<String, Value>) -> Result<(), MetadataError> {
    let method = metadata.token_endpoint_auth_method.as_deref().unwrap_or_default();
    if !METHODS.contains(&method) || metadata.countersign_auth_methods.is_some() {
        return Err(MetadataError::new("token_endpoint_auth_method is neither none nor private_key_jwt"));
    }
    let grants = metadata.grant_types.as_deref().unwrap_or_default();
    let types = metadata.response_types.as_deref().unwrap_or_default();
    if !grants.iter().all(|grant| GRANT_TYPES.contains(&grant.as_str())) || types.iter().any(|kind| kind != "code") {
        return Err(MetadataError::new("a client that a document describes uses codes and refresh tokens alone"));
    }
    let host = host_of(id.as_str());
    for name in ADDRESSES {
        let uris: Vec<&str> = match members.get(name) {
            Some(Value::String(uri)) => vec![uri],
            Some(Value::Array(uris)) => uris.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let may_be_here = name == "redirect_uris";
        if let Some(uri) = uris.into_iter().find(|uri| host_of(uri) != host && !(may_be_here && is_at_home(uri))) {
            return Err(MetadataError::new(format!("{name}: {uri} is at another host than the document")));
        }
    }
    Ok(())
}

/// Scheme, host and port: an address of a private-use scheme is at no host.
fn host_of(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    Some(url.origin().ascii_serialization())
}

/// Whether an answer goes to the person's own machine: a native application, where the document does not say.
fn names_own_machine(members: &Map<String, Value>) -> bool {
    let uris = members.get("redirect_uris").and_then(Value::as_array);
    uris.is_some_and(|uris| uris.iter().filter_map(Value::as_str).any(is_at_home))
}

/// An application on the person's own machine (RFC 8252, 7.3).
fn is_at_home(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use countersign_model::ApplicationType;

    use super::*;

    const ID: &str = "https://app.example/client.json";

    fn id(text: &str) -> ClientId {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_of_a_document_is_plain_and_guarded_draft_3() {
        for good in [ID, "https://app.example:8443/a/b", "https://xn--bcher-kva.example/c"] {
            assert!(is_document_address(&id(good), false), "{good}");
        }
        for bad in [
            "https://app.example",
            "https://app.example/",
            "https://app.example/a?b",
            "https://app.example/a#b",
            "https://user@app.example/a",
            "https://app.example/a/../b",
            "https://app.example/./b",
            "https://APP.example/a",
            "https://app.example:443/a",
            "http://app.example/a",
            "http://127.0.0.1/a",
            "app",
            "dyn-abc",
            "com.example.app:/a",
        ] {
            assert!(!is_document_address(&id(bad), false), "{bad}");
        }
        assert!(is_document_address(&id("http://127.0.0.1:9/a"), true));
        assert!(!is_document_address(&id("http://app.example/a"), true));
    }

    fn read(changes: &Value) -> Result<ClientMetadata, MetadataError> {
        let mut document = json!({
            "client_id": ID, "client_name": "App", "redirect_uris": ["https://app.example/cb", "http://127.0.0.1/cb"],
        });
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        read_document(&id(ID), document.to_string().as_bytes()).map(|(metadata, _)| metadata)
    }

    #[test]
    fn a_document_is_served_as_json_draft_4() {
        for good in ["application/json", "application/client-metadata+json"] {
            assert!(is_document_type(good), "{good}");
        }
        for bad in
            ["", "text/plain", "text/html", "text/json", "image/svg+xml", "application/+json", "application/jsonx"]
        {
            assert!(!is_document_type(bad), "{bad}");
        }
    }

    #[test]
    fn a_document_describes_a_client_without_secrets_draft_4_1() {
        let metadata = read(&json!({})).unwrap();
        assert_eq!(metadata.token_endpoint_auth_method.as_deref(), Some("none"));
        // An answer to the person's own machine is a native application's, unless the document says otherwise.
        assert_eq!(metadata.application_type, Some(ApplicationType::Native));
        let web = json!({"application_type": "web"});
        assert_eq!(read(&web).unwrap().application_type, Some(ApplicationType::Web));
        assert_eq!(read(&json!({"redirect_uris": ["https://app.example/cb"]})).unwrap().application_type, None);
        let keys = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"});
        assert!(read(&keys).is_ok());
        for changes in [
            json!({"client_id": "https://app.example/other.json"}),
            json!({"client_id": null}),
            json!({"client_secret": "s"}),
            json!({"client_secret_expires_at": 0}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"token_endpoint_auth_method": "client_secret_jwt"}),
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            json!({"grant_types": ["client_credentials"]}),
            json!({"grant_types": ["implicit"], "response_types": ["id_token"]}),
            json!({"response_types": ["code id_token"]}),
            json!({"redirect_uris": ["https://elsewhere.example/cb"]}),
            // Another port is another origin.
            json!({"redirect_uris": ["https://app.example:8443/cb"]}),
            json!({"jwks_uri": "https://app.example:8443/jwks", "token_endpoint_auth_method": "private_key_jwt"}),
            json!({"post_logout_redirect_uris": ["https://app.example:8443/out"]}),
            json!({"initiate_login_uri": "https://app.example:8443/login"}),
            json!({"redirect_uris": ["com.example.app:/cb"], "application_type": "native"}),
            json!({"jwks_uri": "https://elsewhere.example/jwks"}),
            json!({"jwks_uri": "http://127.0.0.1/jwks"}),
            json!({"backchannel_logout_uri": "https://elsewhere.example/out"}),
            json!({"sector_identifier_uri": "https://app.example/uris"}),
            json!({"request_uris": ["https://app.example/object"]}),
            json!({"subject_type": "pairwise"}),
            json!({"software_statement": "x"}),
            json!({"redirect_uris": "https://app.example/cb"}),
        ] {
            assert!(read(&changes).is_err(), "{changes}");
        }
        assert!(read_document(&id(ID), b"[]").is_err() && read_document(&id(ID), b"{").is_err());
        let long = json!({"client_id": ID, "client_name": "x".repeat(MAX_DOCUMENT)}).to_string();
        assert!(read_document(&id(ID), long.as_bytes()).is_err());
    }
}
