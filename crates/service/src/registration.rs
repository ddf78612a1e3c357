//! Clients that register themselves (RFC 7591, OpenID Connect Registration) and look after what they registered
//! (RFC 7592).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::Policy;
use countersign_flow::language::{Entry, Purpose};
use countersign_model::{
    AuditKind, AuditOutcome, Client, ClientId, KeyedHash, Scope, Seconds, SelfRegistration, Timestamp,
};
use countersign_protocol::bearer::{self, Refusal};
use countersign_protocol::discovery::paths;
use countersign_protocol::{ClientMetadata, ErrorCode, MetadataError, OAuthError, Params, Registrant, registration};
use countersign_store::Tx;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clients;
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
    /// Scope values of resource servers that they may have; none: nothing but those of OpenID Connect, and nothing on
    /// their own behalf.
    pub scopes: Scope,
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
            scopes: Scope::default(),
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
    Metadata(MetadataError),
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

impl From<MetadataError> for RegistrationRefusal {
    fn from(error: MetadataError) -> Self {
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

/// Use is noted this often at most.
pub(crate) const NOTED: Seconds = Seconds::hours(24);
/// A document that was met is left alone for as long as somebody may be signing in.
const MET: Seconds = Seconds::minutes(30);

/// Whether there is room for another client that nobody entered. A document that nobody ever used makes room: it is
/// read again when it is met again, so that no stranger's documents keep others out.
pub(crate) async fn has_room(tx: &mut Tx, most: u32, now: Timestamp) -> Result<bool, ServiceError> {
    if tx.count_registered_clients().await? < most {
        return Ok(true);
    }
    let Some(idle) = tx.find_idle_document(now.minus(MET)).await? else { return Ok(false) };
    let event = Provider::registration_event(&idle, &RequestContext::default(), now, "removed for another, unused")?;
    tx.delete_client(&idle, now).await?;
    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
    Ok(true)
}

impl Provider {
    /// Registers a client: 201 with everything it needs to know. `body` is the JSON as it came.
    pub async fn register(&self, call: RegistrationCall<'_>, body: &[u8]) -> Result<Registered, ServiceError> {
        if let Err(refusal) = self.check_initial_access(call) {
            return Ok(Err(refusal));
        }
        self.charge_registration(call.context).await?;
        let now = self.clock.now();
        let drawn = Drawn::new()?;
        let access_token =
            self.vault.hash(KeyPurpose::RegistrationAccess, drawn.access_token.expose_secret().as_bytes());
        let read = match parse(body) {
            Ok(members) => self.read_metadata(members, drawn.id.clone(), access_token, now).await,
            Err(error) => Err(error),
        };
        let mut client = match read {
            Ok(client) => client,
            Err(error) => return Ok(Err(error.into())),
        };
        if clients::needs_secret(&client) {
            client.secrets = vec![clients::store_secret(&self.vault, &client, &drawn.secret, now)?];
        }
        let event = Self::registration_event(&client.id, call.context, now, "registered")?;
        let most = self.settings.registration.most_clients;
        let has_room = self
            .db
            .write(async |tx| {
                tx.take_turn("client registration").await?;
                if !has_room(tx, most, now).await? {
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
        if clients::needs_secret(&client) {
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
        self.charge_registration(call.context).await?;
        let now = self.clock.now();
        let new = match self.read_replacement(body, &known, now).await {
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

    /// What is registered may have us fetch documents, and is new each time.
    pub(crate) async fn charge_registration(&self, context: &RequestContext) -> Result<(), ServiceError> {
        let limit = self.settings.address_limits.registrations;
        match self.charge_network(context, "registrations", limit).await? {
            Some(wait) => Err(ServiceError::Busy(wait)),
            None => Ok(()),
        }
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

    /// The new client, without secrets.
    async fn read_metadata(
        &self,
        members: Map<String, Value>,
        id: ClientId,
        access_token: KeyedHash,
        now: Timestamp,
    ) -> Result<Client, MetadataError> {
        let mut members = members;
        let metadata = registration::read(&mut members)?;
        let asks_consent = metadata.countersign_ask_consent.unwrap_or(false);
        let mut client = self.check_own(id, metadata, now).await?;
        client.first_party = self.settings.registration.first_party && !asks_consent;
        let metadata = registration::describe(&client, members);
        client.registration = Some(SelfRegistration { access_token, metadata });
        Ok(client)
    }

    /// The client that says `metadata` of itself, within what the operator leaves to such clients.
    pub(crate) async fn check_own(
        &self,
        id: ClientId,
        mut metadata: ClientMetadata,
        now: Timestamp,
    ) -> Result<Client, MetadataError> {
        let settings = &self.settings.registration;
        match (&metadata.countersign_policy, settings.policies.first()) {
            (None, Some(default)) => metadata.countersign_policy = Some(default.clone()),
            (Some(policy), Some(_)) if !settings.policies.contains(policy) => {
                return Err(MetadataError::new("countersign_policy is not one that clients may choose here"));
            }
            _ => {}
        }
        let client = self.check_client(id, &metadata, Registrant::Client, now)?;
        self.check_policy(&client)?;
        self.check_sector(&metadata).await?;
        Ok(client)
    }

    async fn read_replacement(&self, body: &[u8], known: &Client, now: Timestamp) -> Result<Client, MetadataError> {
        let mut members = parse(body)?;
        let own = members.remove("client_id");
        if own.as_ref().and_then(Value::as_str) != Some(known.id.as_str()) {
            return Err(MetadataError::new("client_id is missing or another client's"));
        }
        let secret = members.remove("client_secret");
        let text = secret.as_ref().map(|secret| secret.as_str().unwrap_or_default());
        let is_known = |text: &str| {
            let hash = self.vault.hash(KeyPurpose::ClientSecret, text.as_bytes());
            known.secrets.iter().any(|known| known.hash == hash)
        };
        if text.is_some_and(|text| !is_known(text)) {
            return Err(MetadataError::new("client_secret is not the client's: it can not choose one itself"));
        }
        let access_token = known.registration.as_ref().map(|own| own.access_token).unwrap_or_default();
        let mut client = self.read_metadata(members, known.id.clone(), access_token, now).await?;
        if clients::needs_secret(&client) {
            client.secrets.clone_from(&known.secrets);
        }
        let lacks = clients::needs_secret(&client) && client.secrets.is_empty();
        if lacks || (clients::signs_with_secret(&client) && client.secrets.iter().all(|own| own.sealed.is_none())) {
            return Err(MetadataError::new("the client has no secret for this method: register another client"));
        }
        client.created_at = known.created_at;
        // What is off for a client comes back by nothing that it says itself.
        if let Some(feature) = known.off.iter().find(|feature| !client.off.contains(feature)) {
            return Err(MetadataError::new(format!("countersign_off: {} stays off", feature.as_str())));
        }
        Ok(client)
    }

    /// A client may choose how people sign in, and nothing else: no recovery, no enrolment, no page that a link opens.
    fn check_policy(&self, client: &Client) -> Result<(), MetadataError> {
        let signs_in = |policy: &Policy| policy.purpose == Purpose::Login && policy.entry.contains(&Entry::Authorize);
        let allowed = [&client.default_policy].into_iter().chain(&client.allowed_policies);
        let fits = |id: &String| self.policies.set().get(id).is_some_and(signs_in);
        if allowed.clone().all(fits) {
            Ok(())
        } else {
            Err(MetadataError::new("countersign_policy is no policy to sign in by"))
        }
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
    id: ClientId,
    secret: SecretString,
    access_token: SecretString,
}

impl Drawn {
    fn new() -> Result<Self, ServiceError> {
        let secret = || Ok::<_, ServiceError>(SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?)));
        let id = format!("dyn-{}", URL_SAFE_NO_PAD.encode(random::<16>()?));
        let id = id.parse().map_err(|_| ServiceError::Internal("a client_id that is none"))?;
        Ok(Self { id, secret: secret()?, access_token: secret()? })
    }
}

fn invalid_token() -> Refusal {
    Refusal::Error(OAuthError::new(ErrorCode::InvalidToken, "The access token is invalid or expired"))
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, MetadataError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(MetadataError::new("the metadata is not a JSON object")),
        Err(error) => Err(MetadataError::new(format!("the metadata is not JSON: {error}"))),
    }
}
