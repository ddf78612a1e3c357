//! Registers clients from RFC 7591 metadata that names its own `client_id` and `client_secret`.

use countersign_model::{
    ApplicationType, AuditKind, AuditOutcome, AuthMethod, Client, ClientId, ClientSecret, Scope, Seconds,
    SigningAlgorithm, Timestamp,
};
use countersign_protocol::token;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use crate::audit::{self, RequestContext};
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};
use crate::{ServiceError, policies::Policies};

/// A client's metadata as an operator writes it: RFC 7591 section 2, OpenID Connect Registration section 2, and our own
/// `countersign_*` members. Members that we do not know are ignored (RFC 7591, 2).
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7591 and OpenID Connect Registration")]
pub struct ClientRegistration {
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub client_name: Option<String>,
    pub client_uri: Option<String>,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    pub token_endpoint_auth_method: Option<String>,
    pub grant_types: Option<Vec<String>>,
    pub response_types: Option<Vec<String>>,
    pub application_type: Option<ApplicationType>,
    pub scope: Option<String>,
    pub id_token_signed_response_alg: Option<String>,
    pub default_max_age: Option<u32>,
    #[serde(default)]
    pub require_auth_time: bool,
    pub initiate_login_uri: Option<String>,
    #[serde(default)]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Several ways to authenticate: static clients only.
    pub countersign_auth_methods: Option<Vec<String>>,
    /// Policy used when a request names none.
    pub countersign_policy: Option<String>,
    /// Policies that a request may name; always with the default one.
    pub countersign_policies: Option<Vec<String>>,
    /// acr values one of which every login must satisfy.
    #[serde(default)]
    pub countersign_required_acr: Vec<String>,
    /// Whether PKCE is demanded; public clients always must.
    pub countersign_require_pkce: Option<bool>,
    /// Algorithm of access tokens.
    pub countersign_access_token_alg: Option<String>,
    /// Brand of its pages.
    pub countersign_brand: Option<String>,
    /// Whether the operator consents for everybody; who does not say otherwise does. As long as there is no consent
    /// page, other clients are refused.
    #[serde(default = "is_own")]
    pub countersign_first_party: bool,
}

const fn is_own() -> bool {
    true
}

/// A registration that cannot be accepted: the registered error (RFC 7591, 3.2.2) and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{client}: {code}: {why}")]
pub struct RegistrationError {
    /// The `client_id` as it was given, cut to a readable length.
    pub client: String,
    /// `invalid_redirect_uri` or `invalid_client_metadata`.
    pub code: &'static str,
    /// What is wrong.
    pub why: String,
}

impl Provider {
    /// Registers `registration`, or replaces what was registered under its id. Secrets are stored hashed.
    pub async fn register_client(&self, registration: &ClientRegistration) -> Result<ClientId, ServiceError> {
        let now = self.clock.now();
        let client = check(registration, &self.policies, &self.vault, now)
            .map_err(|error| ServiceError::Configuration(error.to_string()))?;
        let event = audit::event(&RequestContext::default(), now, AuditKind::ClientChanged, AuditOutcome::Success)?
            .client(&client.id)
            .build();
        self.db
            .write(async |tx| {
                let known = tx.find_client(&client.id).await?;
                let client = known.iter().fold(client.clone(), keep_history);
                if known.as_ref() != Some(&client) {
                    tx.upsert_client(&client).await?;
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(client.id)
    }
}

/// What a registration does not decide: when client and secrets were made, and whether an administrator disabled it.
fn keep_history(mut client: Client, known: &Client) -> Client {
    client.created_at = known.created_at;
    client.disabled = known.disabled;
    for secret in &mut client.secrets {
        if let Some(same) = known.secrets.iter().find(|known| known.hash == secret.hash) {
            *secret = same.clone();
        }
    }
    client
}

/// The client that `registration` describes, if it is sound.
pub(crate) fn check(
    registration: &ClientRegistration,
    policies: &Policies,
    vault: &Vault,
    now: Timestamp,
) -> Result<Client, RegistrationError> {
    let invalid = |why: String| RegistrationError {
        client: registration.client_id.chars().take(80).collect(),
        code: "invalid_client_metadata",
        why,
    };
    let id: ClientId = registration
        .client_id
        .parse()
        .map_err(|_| invalid("client_id is not 1 to 255 visible ASCII characters".into()))?;
    let auth_methods = auth_methods(registration).map_err(&invalid)?;
    let is_public = auth_methods == [AuthMethod::None];
    let grant_types = registration.grant_types.clone().unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    if let Some(unknown) = grant_types.iter().find(|grant| !token::GRANT_TYPES.contains(&grant.as_str())) {
        return Err(invalid(format!("grant type {unknown} is not supported")));
    }
    if is_public && grant_types.iter().any(|grant| grant == "client_credentials") {
        return Err(invalid("a public client cannot use client_credentials (RFC 6749, 4.4)".into()));
    }
    if is_public && registration.tls_client_certificate_bound_access_tokens {
        return Err(invalid("a public client cannot ask for certificate-bound tokens here".into()));
    }
    let response_types = response_types(registration, &grant_types).map_err(&invalid)?;
    let application_type = registration.application_type.unwrap_or_default();
    check_redirect_uris(registration, application_type, &grant_types)
        .map_err(|why| RegistrationError { code: "invalid_redirect_uri", ..invalid(why) })?;
    let (default_policy, allowed_policies) = allowed_policies(registration, policies).map_err(&invalid)?;
    Ok(Client {
        name: registration.client_name.clone().unwrap_or_else(|| id.to_string()),
        secrets: secrets(registration, is_public, vault, now).map_err(&invalid)?,
        auth_methods,
        redirect_uris: registration.redirect_uris.clone(),
        application_type,
        grant_types,
        response_types,
        scope: scope(registration).map_err(&invalid)?,
        require_pkce: is_public || registration.countersign_require_pkce.unwrap_or(false),
        id_token_alg: algorithm(registration.id_token_signed_response_alg.as_deref()).map_err(&invalid)?,
        access_token_alg: algorithm(registration.countersign_access_token_alg.as_deref()).map_err(&invalid)?,
        default_policy,
        allowed_policies,
        required_acr: registration.countersign_required_acr.clone(),
        default_max_age: registration.default_max_age.map(Seconds::new),
        require_auth_time: registration.require_auth_time,
        first_party: registration.countersign_first_party,
        brand: registration.countersign_brand.clone(),
        certificate_bound_tokens: registration.tls_client_certificate_bound_access_tokens,
        initiate_login_uri: registration.initiate_login_uri.clone(),
        client_uri: registration.client_uri.clone(),
        ..Client::new(id, now)
    })
}

fn auth_methods(registration: &ClientRegistration) -> Result<Vec<AuthMethod>, String> {
    let single = registration.token_endpoint_auth_method.clone().map(|method| vec![method]);
    let names = registration.countersign_auth_methods.clone().or(single);
    let Some(names) = names else { return Ok(vec![AuthMethod::ClientSecretBasic]) };
    let method = |name: &String| {
        [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::None]
            .into_iter()
            .find(|method| method.as_str() == name)
            .ok_or_else(|| format!("authentication method {name} is not supported"))
    };
    let methods = names.iter().map(method).collect::<Result<Vec<_>, _>>()?;
    match methods.as_slice() {
        [] => Err("no authentication method".into()),
        [_] => Ok(methods),
        several if several.contains(&AuthMethod::None) => Err("`none` cannot stand beside another method".into()),
        _ => Ok(methods),
    }
}

fn response_types(registration: &ClientRegistration, grant_types: &[String]) -> Result<Vec<String>, String> {
    let uses_code = grant_types.iter().any(|grant| grant == "authorization_code");
    let default = if uses_code { vec!["code".to_owned()] } else { Vec::new() };
    let types = registration.response_types.clone().unwrap_or(default);
    match types.iter().find(|kind| *kind != "code") {
        Some(unknown) => Err(format!("response type {unknown} is not supported")),
        None if types.is_empty() == uses_code => Err("response types and grant types do not fit each other".into()),
        None => Ok(types),
    }
}

fn check_redirect_uris(
    registration: &ClientRegistration,
    application_type: ApplicationType,
    grant_types: &[String],
) -> Result<(), String> {
    let needs_one = grant_types.iter().any(|grant| grant == "authorization_code");
    if needs_one && registration.redirect_uris.is_empty() {
        return Err("a redirect URI is needed".into());
    }
    registration.redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri, application_type))
}

/// OpenID Connect Registration, 2 (`redirect_uris`, `application_type`); RFC 8252, 7; RFC 6749, 3.1.2.
fn check_redirect_uri(uri: &str, application_type: ApplicationType) -> Result<(), String> {
    let parsed = Url::parse(uri).map_err(|error| format!("{uri}: {error}"))?;
    if parsed.fragment().is_some() {
        return Err(format!("{uri}: a fragment is not allowed"));
    }
    if uri.len() > 2000 || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{}: too long, or not ASCII", uri.chars().take(80).collect::<String>()));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(format!("{uri}: user information is not allowed"));
    }
    let is_loopback = match parsed.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match (parsed.scheme(), application_type) {
        ("https", _) => Ok(()),
        ("http", _) if is_loopback => Ok(()),
        ("http", _) => Err(format!("{uri}: http is for loopback addresses alone")),
        ("javascript" | "data" | "file" | "blob" | "about" | "vbscript", _) => {
            Err(format!("{uri}: this scheme is not allowed"))
        }
        (scheme, ApplicationType::Native) if scheme.contains('.') => Ok(()),
        _ => Err(format!("{uri}: private-use schemes need a period and application_type native (RFC 8252, 7.1)")),
    }
}

fn scope(registration: &ClientRegistration) -> Result<Scope, String> {
    let text = registration.scope.as_deref().unwrap_or("openid profile email address phone offline_access");
    text.parse().map_err(|_| "scope has characters that no scope value may have".to_owned())
}

fn algorithm(name: Option<&str>) -> Result<SigningAlgorithm, String> {
    let name = name.unwrap_or(SigningAlgorithm::RS256.as_str());
    SigningAlgorithm::from_name(name).ok_or_else(|| format!("algorithm {name} is not supported"))
}

fn allowed_policies(registration: &ClientRegistration, policies: &Policies) -> Result<(String, Vec<String>), String> {
    let default = registration.countersign_policy.clone().unwrap_or_else(|| policies.default_login().to_owned());
    let mut allowed = registration.countersign_policies.clone().unwrap_or_default();
    if !allowed.contains(&default) {
        allowed.insert(0, default.clone());
    }
    if policies.set().get(&default).is_none() {
        return Err(format!("policy {default} is not in the set"));
    }
    // A policy that is not there yet is left out, as an optional switch to it is.
    allowed.retain(|id| policies.set().get(id).is_some());
    Ok((default, allowed))
}

fn secrets(
    registration: &ClientRegistration,
    is_public: bool,
    vault: &Vault,
    now: Timestamp,
) -> Result<Vec<ClientSecret>, String> {
    match (&registration.client_secret, is_public) {
        (Some(_), true) => Err("a public client has no secret".into()),
        (None, false) => Err("client_secret is missing".into()),
        (None, true) => Ok(Vec::new()),
        // High entropy is what makes a fast keyed hash enough; 16 characters is the least that is let through.
        (Some(secret), false) if secret.expose_secret().len() < 16 => {
            Err("client_secret is shorter than 16 characters".into())
        }
        (Some(secret), false) => {
            let hash = vault.hash(Purpose::ClientSecret, secret.expose_secret().as_bytes());
            Ok(vec![ClientSecret { hash, created_at: now, expires_at: None, sealed: None }])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(uri: &str, application_type: ApplicationType) -> bool {
        check_redirect_uri(uri, application_type).is_err()
    }

    #[test]
    fn redirect_uris_follow_the_application_type() {
        use ApplicationType::{Native, Web};
        for good in [
            "https://rp.example.com/cb?x=y",
            "http://localhost:8090/callback",
            "http://127.0.0.1/cb",
            "http://[::1]/cb",
        ] {
            assert!(!refused(good, Web), "{good}");
        }
        assert!(!refused("com.example.app:/callback", Native));
        assert!(refused("com.example.app:/callback", Web));
        for bad in [
            "http://rp.example.com/cb",
            "https://rp.example.com/cb#fragment",
            "https://user:secret@rp.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "app:/cb",
            "/callback",
            "",
        ] {
            assert!(refused(bad, Web) && refused(bad, Native), "{bad}");
        }
    }
}
