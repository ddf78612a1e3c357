//! Clients that register themselves (RFC 7591, OpenID Connect Registration) and look after what they registered
//! (RFC 7592).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::Policy;
use countersign_flow::language::{Entry, Purpose};
use countersign_model::{
    AuditKind, AuditOutcome, AuthMethod, Client, ClientId, Seconds, SelfRegistration, SigningAlgorithm, Timestamp,
};
use countersign_protocol::bearer::{self, Refusal};
use countersign_protocol::discovery::paths;
use countersign_protocol::{ErrorCode, OAuthError, Params};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clients::{self, ClientRegistration, RegistrationError};
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::Purpose as KeyPurpose;

/// Who may register a client.
#[derive(Clone, Debug, Default)]
pub enum RegistrationAccess {
    /// Nobody: the endpoint is not there.
    #[default]
    Closed,
    /// Who holds an initial access token (RFC 7591, 3).
    WithToken,
    /// Everybody; a token that is presented must still be right.
    Open,
}

/// What the operator decides about clients that register themselves.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// Who may.
    pub access: RegistrationAccess,
    /// Initial access tokens.
    pub initial_access_tokens: Vec<SecretString>,
    /// How many such clients there may be.
    pub most_clients: u32,
    /// After this time without use a client is removed.
    pub unused: Seconds,
    /// Policies they may name; empty: any. The first is the default.
    pub policies: Vec<String>,
    /// Whether they are taken for the operator's own, which skip consent.
    pub first_party: bool,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            access: RegistrationAccess::Closed,
            initial_access_tokens: Vec::new(),
            most_clients: 1000,
            unused: Seconds::hours(24 * 30),
            policies: Vec::new(),
            first_party: false,
        }
    }
}

/// Why a registration was not accepted.
#[derive(Debug)]
pub enum RegistrationRefusal {
    /// The token is missing or wrong (RFC 6750).
    Token(Refusal),
    /// The metadata (RFC 7591, 3.2.2).
    Metadata(RegistrationError),
    /// There are enough of them.
    Full,
    /// The endpoint is not there.
    Closed,
}

impl From<Refusal> for RegistrationRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<RegistrationError> for RegistrationRefusal {
    fn from(error: RegistrationError) -> Self {
        Self::Metadata(error)
    }
}

/// A request to the registration endpoint, or to a client's own configuration endpoint.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationCall<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The query; a token in it is refused.
    pub query: &'a Params,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

type Registered = Result<Value, RegistrationRefusal>;

/// Longest text of a member that people see, in characters.
const MAX_TEXT: usize = 1000;
/// Longest name of a client, in characters.
const MAX_NAME: usize = 60;
/// Most values of a list.
const MAX_LIST: usize = 50;
/// Use is noted this often at most.
pub(crate) const NOTED: Seconds = Seconds::hours(24);
/// Members that are kept as they are, shown to people or to programs that ask (RFC 7591, 2).
const DESCRIPTIVE: [&str; 8] =
    ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "contacts", "software_id", "software_version"];

impl Provider {
    /// Registers a client: 201 with everything it needs to know. `body` is the JSON as it came.
    pub async fn register(&self, call: RegistrationCall<'_>, body: &[u8]) -> Result<Registered, ServiceError> {
        if let Err(refusal) = self.check_initial_access(call) {
            return Ok(Err(refusal));
        }
        let limit = self.settings.address_limits.registrations;
        if let Some(wait) = self.charge_network(call.context, "registrations", limit).await? {
            return Err(ServiceError::Busy(wait));
        }
        let now = self.clock.now();
        let drawn = Drawn::new()?;
        let client = match self.read_metadata(body, &drawn, now) {
            Ok(client) => client,
            Err(error) => return Ok(Err(error.into())),
        };
        let event = Self::registration_event(&client.id, call.context, now, "registered")?;
        let most = self.settings.registration.most_clients;
        let has_room = self
            .db
            .write(async |tx| {
                if tx.count_registered_clients().await? >= most {
                    return Ok::<_, ServiceError>(false);
                }
                tx.insert_client(&client).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok(true)
            })
            .await?;
        if !has_room {
            return Ok(Err(RegistrationRefusal::Full));
        }
        let mut answer = self.configuration(&client);
        answer["registration_access_token"] = json!(drawn.access_token.expose_secret());
        if !client.is_public() {
            answer["client_secret"] = json!(drawn.secret.expose_secret());
            answer["client_secret_expires_at"] = json!(0);
        }
        Ok(Ok(answer))
    }

    /// What a client registered (RFC 7592, 2.1). Its secret is not told again: we do not know it.
    pub async fn read_registration(&self, call: RegistrationCall<'_>, id: &str) -> Result<Registered, ServiceError> {
        let own = self.find_own(call, id).await?;
        Ok(own.map(|client| self.configuration(&client)).map_err(Into::into))
    }

    /// Replaces what a client registered (RFC 7592, 2.2): what is left out is gone. Its secret stays.
    pub async fn replace_registration(
        &self,
        call: RegistrationCall<'_>,
        id: &str,
        body: &[u8],
    ) -> Result<Registered, ServiceError> {
        let known = match self.find_own(call, id).await? {
            Ok(known) => known,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let now = self.clock.now();
        let new = match self.read_replacement(body, &known, now) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error.into())),
        };
        let event = Self::registration_event(&new.id, call.context, now, "replaced")?;
        let replaced = self
            .db
            .write(async |tx| {
                // Removed, disabled or replaced meanwhile: what is gone does not come back.
                let replaced = tx.replace_registered_client(&known, &new).await?;
                if replaced {
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
                Ok::<_, ServiceError>(replaced)
            })
            .await?;
        if !replaced {
            return Ok(Err(invalid_token().into()));
        }
        Ok(Ok(self.configuration(&new)))
    }

    /// Removes a client (RFC 7592, 2.3); its tokens end with its grants.
    pub async fn delete_registration(
        &self,
        call: RegistrationCall<'_>,
        id: &str,
    ) -> Result<Result<(), RegistrationRefusal>, ServiceError> {
        let own = match self.find_own(call, id).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let now = self.clock.now();
        let event = Self::registration_event(&own.id, call.context, now, "removed")?;
        self.remove_client(&own.id, &event, now).await?;
        Ok(Ok(()))
    }

    /// Removes clients that registered themselves and were not used for too long; up to `batch`, tells how many.
    pub(crate) async fn remove_unused_clients(&self, batch: u32) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let unused = self.settings.registration.unused;
        if unused.get() == 0 {
            return Ok(0);
        }
        let ids = self.db.read(async |tx| tx.list_unused_clients(now.minus(unused), batch).await).await?;
        for id in &ids {
            let event = Self::registration_event(id, &RequestContext::default(), now, "removed, unused")?;
            self.remove_client(id, &event, now).await?;
        }
        Ok(ids.len())
    }

    async fn remove_client(
        &self,
        id: &ClientId,
        event: &countersign_model::AuditEvent,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.db
            .write(async |tx| {
                if tx.delete_client(id, now).await? {
                    tx.insert_audit_events(std::slice::from_ref(event)).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await
    }

    fn check_initial_access(&self, call: RegistrationCall<'_>) -> Result<(), RegistrationRefusal> {
        let settings = &self.settings.registration;
        if matches!(settings.access, RegistrationAccess::Closed) {
            return Err(RegistrationRefusal::Closed);
        }
        match bearer::find_token(call.authorization, call.query, &Params::default()) {
            Ok(token) => {
                let hash = |token: &SecretString| {
                    self.vault.hash(KeyPurpose::RegistrationAccess, token.expose_secret().as_bytes())
                };
                let offered = hash(&token);
                let known = settings.initial_access_tokens.iter().any(|known| hash(known) == offered);
                if known { Ok(()) } else { Err(invalid_token().into()) }
            }
            Err(Refusal::Missing) if matches!(settings.access, RegistrationAccess::Open) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The client whose registration access token is presented. Anything else, also a client that is gone, is
    /// `invalid_token` (RFC 7592, 2.1): who asks learns of no client.
    async fn find_own(&self, call: RegistrationCall<'_>, id: &str) -> Result<Result<Client, Refusal>, ServiceError> {
        let token = match bearer::find_token(call.authorization, call.query, &Params::default()) {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let client = match id.parse() {
            Ok(id) => self.find_client(&id).await?,
            Err(_) => None,
        };
        let hash = self.vault.hash(KeyPurpose::RegistrationAccess, token.expose_secret().as_bytes());
        let is_own = |client: &Client| client.registration.as_ref().is_some_and(|own| own.access_token == hash);
        Ok(client.filter(|client| is_own(client) && !client.disabled).ok_or_else(invalid_token))
    }

    fn read_metadata(&self, body: &[u8], drawn: &Drawn, now: Timestamp) -> Result<Client, RegistrationError> {
        let metadata = parse(body)?;
        let access_token =
            self.vault.hash(KeyPurpose::RegistrationAccess, drawn.access_token.expose_secret().as_bytes());
        self.check_metadata(metadata, &drawn.id, Some(&drawn.secret), access_token, now)
    }

    fn read_replacement(&self, body: &[u8], known: &Client, now: Timestamp) -> Result<Client, RegistrationError> {
        let mut metadata = parse(body)?;
        let own = metadata.remove("client_id");
        if own.as_ref().and_then(Value::as_str) != Some(known.id.as_str()) {
            return Err(invalid("client_id is missing or another client's"));
        }
        let secret = metadata.remove("client_secret");
        let text = secret.as_ref().map(|secret| secret.as_str().unwrap_or_default());
        let is_known = |text: &str| {
            let hash = self.vault.hash(KeyPurpose::ClientSecret, text.as_bytes());
            known.secrets.iter().any(|known| known.hash == hash)
        };
        if text.is_some_and(|text| !is_known(text)) {
            return Err(invalid("client_secret is not the client's: it can not choose one itself"));
        }
        let access_token = known.registration.as_ref().map(|own| own.access_token).unwrap_or_default();
        let stand_in = SecretString::from(URL_SAFE_NO_PAD.encode(access_token));
        let mut client = self.check_metadata(metadata, known.id.as_str(), Some(&stand_in), access_token, now)?;
        if !client.is_public() && known.is_public() {
            return Err(invalid("a public client can not become a confidential one"));
        }
        if !client.is_public() {
            client.secrets.clone_from(&known.secrets);
        }
        client.created_at = known.created_at;
        Ok(client)
    }

    fn check_metadata(
        &self,
        mut metadata: Map<String, Value>,
        id: &str,
        secret: Option<&SecretString>,
        access_token: countersign_model::KeyedHash,
        now: Timestamp,
    ) -> Result<Client, RegistrationError> {
        let settings = &self.settings.registration;
        check_unsupported(&metadata)?;
        check_descriptions(&metadata)?;
        // What only an operator decides is not for the client to say.
        metadata.retain(|name, _| !name.starts_with("countersign_") || name == "countersign_policy");
        let is_public = metadata.get("token_endpoint_auth_method").and_then(Value::as_str) == Some("none");
        let mut document = metadata.clone();
        document.insert("client_id".to_owned(), json!(id));
        if let (Some(secret), false) = (secret, is_public) {
            document.insert("client_secret".to_owned(), json!(secret.expose_secret()));
        }
        let first = settings.policies.first();
        if let (Some(default), false) = (first, document.contains_key("countersign_policy")) {
            document.insert("countersign_policy".to_owned(), json!(default));
        }
        let mut registration: ClientRegistration =
            serde_json::from_value(Value::Object(document)).map_err(|error| invalid(&error.to_string()))?;
        let policy = registration.countersign_policy.clone();
        if policy.is_some_and(|policy| !settings.policies.is_empty() && !settings.policies.contains(&policy)) {
            return Err(invalid("countersign_policy is not one that clients may choose here"));
        }
        registration.countersign_first_party = settings.first_party;
        let mut client = clients::check(&registration, &self.policies, &self.vault, now)?;
        self.check_policy(&client)?;
        check_initiate_login_uri(client.initiate_login_uri.as_deref())?;
        fill_defaults(&mut metadata, &client);
        client.registration = Some(SelfRegistration { access_token, metadata });
        Ok(client)
    }

    /// A client may choose how people sign in, and nothing else: no recovery, no enrolment, no page that a link opens.
    fn check_policy(&self, client: &Client) -> Result<(), RegistrationError> {
        let signs_in = |policy: &Policy| policy.purpose == Purpose::Login && policy.entry.contains(&Entry::Authorize);
        let allowed = [&client.default_policy].into_iter().chain(&client.allowed_policies);
        let fits = |id: &String| self.policies.set().get(id).is_some_and(signs_in);
        if allowed.clone().all(fits) { Ok(()) } else { Err(invalid("countersign_policy is no policy to sign in by")) }
    }

    /// The client information response (RFC 7591, 3.2.1), without secrets.
    fn configuration(&self, client: &Client) -> Value {
        let mut members = client.registration.as_ref().map(|own| own.metadata.clone()).unwrap_or_default();
        members.insert("client_id".to_owned(), json!(client.id.as_str()));
        members.insert("client_id_issued_at".to_owned(), json!(client.created_at.as_secs()));
        let own = format!("{}/{}", paths::REGISTRATION, client.id);
        members.insert("registration_client_uri".to_owned(), json!(self.settings.issuer.endpoint(&own)));
        Value::Object(members)
    }

    fn registration_event(
        id: &ClientId,
        context: &RequestContext,
        now: Timestamp,
        what: &str,
    ) -> Result<countersign_model::AuditEvent, ServiceError> {
        let event = audit::event(context, now, AuditKind::ClientChanged, AuditOutcome::Success)?;
        Ok(event.client(id).detail("registration", what).build())
    }
}

/// What a new client is given.
struct Drawn {
    id: String,
    secret: SecretString,
    access_token: SecretString,
}

impl Drawn {
    fn new() -> Result<Self, ServiceError> {
        let secret = || Ok::<_, ServiceError>(SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?)));
        let id = URL_SAFE_NO_PAD.encode(random::<16>()?);
        Ok(Self { id: format!("dyn-{id}"), secret: secret()?, access_token: secret()? })
    }
}

fn invalid_token() -> Refusal {
    Refusal::Error(OAuthError::new(ErrorCode::InvalidToken, "The access token is invalid or expired"))
}

fn invalid(why: &str) -> RegistrationError {
    RegistrationError {
        client: String::new(),
        code: "invalid_client_metadata",
        why: why.chars().take(MAX_TEXT).collect(),
    }
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, RegistrationError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(invalid("the metadata is not a JSON object")),
        Err(error) => Err(invalid(&format!("the metadata is not JSON: {error}"))),
    }
}

/// Members whose meaning would be lost if they were ignored.
fn check_unsupported(metadata: &Map<String, Value>) -> Result<(), RegistrationError> {
    for name in ["client_id", "client_secret"] {
        if metadata.contains_key(name) {
            return Err(invalid(&format!("{name} is not for the client to choose")));
        }
    }
    if metadata.contains_key("software_statement") {
        let why = "software statements are not understood here";
        return Err(RegistrationError { code: "invalid_software_statement", ..invalid(why) });
    }
    for (name, only) in [
        ("subject_type", "public"),
        ("userinfo_signed_response_alg", "none"),
        ("authorization_signed_response_alg", "none"),
        ("introspection_signed_response_alg", "none"),
    ] {
        if metadata.get(name).is_some_and(|value| value.as_str() != Some(only)) {
            return Err(invalid(&format!("{name} can only be {only} here")));
        }
    }
    let never = |name: &String| {
        name.ends_with("_encrypted_response_alg")
            || name.ends_with("_encrypted_response_enc")
            || matches!(
                name.as_str(),
                "request_object_signing_alg"
                    | "request_uris"
                    | "sector_identifier_uri"
                    | "jwks"
                    | "jwks_uri"
                    | "backchannel_logout_uri"
                    | "frontchannel_logout_uri"
                    | "post_logout_redirect_uris"
            )
    };
    match metadata.keys().find(|name| never(name)) {
        Some(name) => Err(invalid(&format!("{name} is not supported"))),
        None => Ok(()),
    }
}

/// Stands on pages and in mails that come from us: one short line of one direction that leads nowhere.
fn is_name(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let lower = text.to_ascii_lowercase();
    let leads = ["://", "www.", "@"].into_iter().any(|mark| lower.contains(mark));
    let length = text.chars().count();
    (1..=MAX_NAME).contains(&length) && !leads && !text.chars().any(|c| c.is_control() || turns(c))
}

/// What people will see, or programs fetch: bounded; addresses are https, or http of this machine.
fn check_descriptions(metadata: &Map<String, Value>) -> Result<(), RegistrationError> {
    let fits = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() <= MAX_TEXT);
    for (name, value) in metadata {
        let base = name.split('#').next().unwrap_or_default();
        let is_list = matches!(value, Value::Array(values) if values.len() <= MAX_LIST && values.iter().all(fits));
        let is_sound = match base {
            "contacts" | "redirect_uris" | "grant_types" | "response_types" => is_list,
            "client_name" => value.as_str().is_some_and(is_name),
            _ if DESCRIPTIVE.contains(&base) && base.ends_with("_uri") => {
                fits(value) && value.as_str().is_some_and(is_web)
            }
            _ if DESCRIPTIVE.contains(&base) => fits(value),
            _ => true,
        };
        if !is_sound {
            return Err(invalid(&format!("{base} is not of the right form")));
        }
    }
    Ok(())
}

fn is_web(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|uri| matches!(uri.scheme(), "https" | "http") && uri.host().is_some())
}

/// OpenID Connect Core, 4: https; http only for this machine itself.
fn check_initiate_login_uri(uri: Option<&str>) -> Result<(), RegistrationError> {
    let Some(uri) = uri else { return Ok(()) };
    let parsed = url::Url::parse(uri).map_err(|_| invalid("initiate_login_uri is not a URL"))?;
    let is_loopback = match parsed.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err(invalid("initiate_login_uri is not https")),
    }
}

/// The metadata as it holds, defaults filled in and what is not understood left out (RFC 7591, 3.2.1).
fn fill_defaults(metadata: &mut Map<String, Value>, client: &Client) {
    const KNOWN: [&str; 12] = [
        "redirect_uris",
        "token_endpoint_auth_method",
        "grant_types",
        "response_types",
        "application_type",
        "scope",
        "id_token_signed_response_alg",
        "default_max_age",
        "require_auth_time",
        "initiate_login_uri",
        "tls_client_certificate_bound_access_tokens",
        "countersign_policy",
    ];
    let is_known = |name: &str| {
        let base = name.split('#').next().unwrap_or_default();
        KNOWN.contains(&name) || DESCRIPTIVE.contains(&base)
    };
    metadata.retain(|name, _| is_known(name));
    let mut put = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    put("redirect_uris", json!(client.redirect_uris));
    put(
        "token_endpoint_auth_method",
        json!(client.auth_methods.first().map_or("none", |method| AuthMethod::as_str(*method))),
    );
    put("grant_types", json!(client.grant_types));
    put("response_types", json!(client.response_types));
    put("application_type", json!(client.application_type));
    put("scope", json!(client.scope.to_string()));
    put("id_token_signed_response_alg", json!(SigningAlgorithm::as_str(client.id_token_alg)));
    put("require_auth_time", json!(client.require_auth_time));
    put("subject_type", json!("public"));
    put("countersign_policy", json!(client.default_policy));
}
