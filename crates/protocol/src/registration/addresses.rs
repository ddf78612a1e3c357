//! Addresses of a client: where it is answered, and what is fetched from it or loaded for it.

use countersign_model::ApplicationType;
use url::{Host, Url};

use super::grants::IMPLICIT;
use super::{ClientMetadata, MAX_LIST, MetadataError, Registrant, Rules};

/// Longest address, in bytes.
const MAX_ADDRESS: usize = 2000;

pub(super) fn check(metadata: &ClientMetadata, grant_types: &[String], rules: &Rules<'_>) -> Result<(), MetadataError> {
    check_redirect_uris(metadata, grant_types, rules)?;
    check_initiate_login_uri(metadata, rules)?;
    check_logout_uris(metadata, rules)?;
    let single = [
        ("jwks_uri", &metadata.jwks_uri),
        ("sector_identifier_uri", &metadata.sector_identifier_uri),
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
    ];
    for (name, uri) in single.into_iter().filter_map(|(name, uri)| Some((name, uri.as_deref()?))) {
        check_https(name, uri, rules.loopback)?;
        if uri.contains('#') {
            return Err(MetadataError::new(format!("{name} has a fragment")));
        }
    }
    let requests = metadata.request_uris.as_deref().unwrap_or_default();
    check_length("request_uris", requests)?;
    // A fragment may hold the hash of what is there (OpenID Connect Core, 6.2).
    requests.iter().try_for_each(|uri| check_https("request_uris", uri, rules.loopback))
}

fn check_redirect_uris(
    metadata: &ClientMetadata,
    grant_types: &[String],
    rules: &Rules<'_>,
) -> Result<(), MetadataError> {
    let uris = metadata.redirect_uris.as_deref().unwrap_or_default();
    let application = metadata.application_type.unwrap_or_default();
    let uses = |name: &str| grant_types.iter().any(|grant| grant == name);
    let is_implicit = uses(IMPLICIT);
    if uris.is_empty() && (is_implicit || uses("authorization_code")) {
        return Err(MetadataError::redirect("a redirect URI is needed"));
    }
    check_length("redirect_uris", uris)?;
    for uri in uris {
        check_redirect_uri(uri, application, is_at_home(rules)).map_err(MetadataError::redirect)?;
        let is_strict = is_implicit && application == ApplicationType::Web && !rules.loopback;
        if is_strict && !is_public_https(uri) {
            let why = "web clients of the implicit grant use https and never localhost (Registration, 2)";
            return Err(MetadataError::redirect(format!("{uri}: {why}")));
        }
    }
    Ok(())
}

fn is_public_https(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.scheme() == "https" && !is_loopback(&uri))
}

/// Whether a web client may be on this very machine: an operator's, and anybody's in the demo.
fn is_at_home(rules: &Rules<'_>) -> bool {
    rules.loopback || rules.registrant == Registrant::Operator
}

/// OpenID Connect Registration, 2 (`redirect_uris`, `application_type`); RFC 8252, 7 and 8.4; RFC 6749, 3.1.2; RFC 9700,
/// 2.6. `at_home`: whether a web client may be on this very machine.
pub(super) fn check_redirect_uri(uri: &str, application: ApplicationType, at_home: bool) -> Result<(), String> {
    let parsed = Url::parse(uri).map_err(|error| format!("{uri}: {error}"))?;
    if parsed.fragment().is_some() {
        return Err(format!("{uri}: a fragment is not allowed"));
    }
    // No other characters are redirected to.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\');
    if uri.len() > MAX_ADDRESS || !uri.bytes().all(is_plain) {
        return Err(format!("{}: too long, or not ASCII", uri.chars().take(80).collect::<String>()));
    }
    if uri.contains('*') {
        return Err(format!("{uri}: redirect URIs are compared as they are, without wildcards (RFC 9700, 2.1)"));
    }
    if has_credentials(&parsed) || authority_of(uri).contains('@') {
        return Err(format!("{uri}: user information is not allowed"));
    }
    match (parsed.scheme(), application) {
        ("https" | "http", _) if !says_its_host(uri, &parsed) => Err(format!("{uri}: write the host as it is")),
        ("https", _) => Ok(()),
        ("http", ApplicationType::Native) if is_own_machine(&parsed) => Ok(()),
        ("http", _) if at_home && is_loopback(&parsed) => Ok(()),
        ("http", ApplicationType::Native) => Err(format!("{uri}: http is for loopback addresses alone")),
        ("http", ApplicationType::Web) => {
            Err(format!("{uri}: http is for loopback addresses of application_type native alone (RFC 9700, 2.6)"))
        }
        ("javascript" | "data" | "file" | "blob" | "about" | "vbscript", _) => {
            Err(format!("{uri}: this scheme is not allowed"))
        }
        (scheme, ApplicationType::Native) if scheme.contains('.') => Ok(()),
        _ => Err(format!("{uri}: private-use schemes need a period and application_type native (RFC 8252, 7.1)")),
    }
}

/// What stands between `//` and the path.
fn authority_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// Whether the host is written as everybody reads it: `http://127.1/` and `https:host/` are other spellings of others.
fn says_its_host(uri: &str, parsed: &Url) -> bool {
    let authority = authority_of(uri).to_ascii_lowercase();
    parsed.host_str().and_then(|host| authority.strip_prefix(host)).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// The hosts of a native client's loopback address (OpenID Connect Registration, 2; RFC 8252, 7.3 and 8.3).
fn is_own_machine(uri: &Url) -> bool {
    matches!(uri.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// OpenID Connect Core, 4: https. An operator may have a client on this machine.
fn check_initiate_login_uri(metadata: &ClientMetadata, rules: &Rules<'_>) -> Result<(), MetadataError> {
    let Some(uri) = metadata.initiate_login_uri.as_deref() else { return Ok(()) };
    check_https("initiate_login_uri", uri, rules.registrant == Registrant::Operator)
}

fn check_logout_uris(metadata: &ClientMetadata, rules: &Rules<'_>) -> Result<(), MetadataError> {
    let application = metadata.application_type.unwrap_or_default();
    let uris = metadata.post_logout_redirect_uris.as_deref().unwrap_or_default();
    check_length("post_logout_redirect_uris", uris)?;
    for uri in uris {
        let named = |why: String| MetadataError::new(format!("post_logout_redirect_uris: {why}"));
        check_redirect_uri(uri, application, is_at_home(rules)).map_err(named)?;
    }
    let Some(front) = metadata.frontchannel_logout_uri.as_deref() else { return Ok(()) };
    check_https("frontchannel_logout_uri", front, rules.loopback || rules.registrant == Registrant::Operator)?;
    // Front-Channel Logout, 2: scheme, host and port of a redirect URI.
    let origin = |uri: &str| Url::parse(uri).map(|uri| uri.origin()).ok();
    let redirects = metadata.redirect_uris.as_deref().unwrap_or_default();
    if redirects.iter().any(|uri| origin(uri) == origin(front)) {
        Ok(())
    } else {
        Err(MetadataError::new("frontchannel_logout_uri is of another origin than every redirect URI"))
    }
}

/// An address that nobody reads on its way: https, or http on this machine where that is allowed.
fn check_https(name: &str, uri: &str, loopback: bool) -> Result<(), MetadataError> {
    let wrong = |why: &str| MetadataError::new(format!("{name} {why}"));
    let parsed = Url::parse(uri).map_err(|_| wrong("is not a URL"))?;
    if uri.len() > MAX_ADDRESS || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("is too long, or not ASCII"));
    }
    if has_credentials(&parsed) {
        return Err(wrong("holds credentials"));
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if loopback && is_loopback(&parsed) => Ok(()),
        _ => Err(wrong("is not https")),
    }
}

fn check_length(name: &str, values: &[String]) -> Result<(), MetadataError> {
    if values.len() > MAX_LIST { Err(MetadataError::new(format!("{name} has too many values"))) } else { Ok(()) }
}

pub(super) fn has_credentials(uri: &Url) -> bool {
    !uri.username().is_empty() || uri.password().is_some()
}

pub(super) fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
