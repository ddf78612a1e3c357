//! Authorization requests as they come: in clear, as an object of their client, or pushed before (RFC 9101; RFC 9126).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditKind, AuditOutcome, Client, Feature, KeyedHash, PushedRequest, Timestamp};
use countersign_outbound::documents;
use countersign_protocol::authorization::{self, Carriage, Refusal};
use countersign_protocol::discovery::paths;
use countersign_protocol::request_object::{self, Expected, Opened, Unopened};
use countersign_protocol::{Arrival, AuthorizationRequest, ErrorCode, OAuthError, Params, dpop, pushed_request};
use serde_json::Value;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::dpop::ShownProof;
use crate::provider::Provider;
use crate::vault::Purpose;

/// Media type of a request object (RFC 9101, 5.2.3).
const OBJECT_TYPE: &str = "application/oauth-authz-req+jwt, application/jwt";

/// A request that its client pushes.
#[derive(Clone, Copy, Debug)]
pub struct PushCall<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The query; credentials in it are refused.
    pub query: &'a Params,
    /// The form.
    pub form: &'a Params,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

type Read = Result<AuthorizationRequest, Refusal>;

impl Provider {
    /// Keeps a request for its browser (RFC 9126, 2): the body of the answer, 201, or the error to send.
    pub async fn push_request(&self, call: PushCall<'_>) -> Result<Result<Value, OAuthError>, ServiceError> {
        let now = self.clock.now();
        if let Some(id) = authorization::client_id(call.form) {
            self.meet_client(&id, call.context).await?;
        }
        let claimed = match self.claimed_client(call.authorization, call.query, call.form).await? {
            Ok(claimed) => claimed,
            Err(error) => return Ok(Err(error)),
        };
        let shown = ShownProof {
            proof: call.dpop,
            method: "POST",
            path: paths::PUSHED_AUTHORIZATION_REQUEST,
            access_token: None,
        };
        let proof = match self.read_proof(shown, claimed.client(), now) {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error)),
        };
        let authenticated = match self.prove_client(&claimed, call.context, now).await? {
            Ok(authenticated) => authenticated,
            Err(error) => return Ok(Err(error)),
        };
        let client = authenticated.client();
        if let Err(error) = self.settings.features.check_endpoint(client, Feature::PushedRequests) {
            return Ok(Err(error));
        }
        // Anybody can be a public client; what the database keeps for strangers has a budget.
        if !authenticated.is_confidential()
            && let Some(wait) = self.charge_network(call.context, "pushes", self.settings.address_limits.starts).await?
        {
            return Err(ServiceError::Busy(wait));
        }
        if call.form.has("request_uri") {
            let description = "A pushed request does not hold a request_uri";
            return Ok(Err(OAuthError::new(ErrorCode::InvalidRequest, description)));
        }
        // Whoever proves itself by the header needs not name itself in the form.
        let form = call.form.clone().with("client_id", client.id.as_str());
        let bound = self.read_request(&form, Some(client), true, call.context, now).await?;
        let bound = bound.and_then(|request| dpop::bind_request(request, proof.as_ref()).map_err(Refusal::Page));
        match bound {
            Ok(_) if !self.spend_some_proof(proof.as_ref()).await? => Ok(Err(dpop::replayed())),
            Ok(request) => self.keep_request(&request, client, now).await.map(Ok),
            Err(Refusal::Page(error) | Refusal::Redirect(_, error)) => {
                tracing::info!(code = error.code.as_str(), detail = %error.detail, "pushed request refused");
                self.note_refused_push(client, &error, call.context, now).await?;
                Ok(Err(error))
            }
        }
    }

    /// Reads and checks a request, however it is carried; `pushed` says that its client proved itself.
    pub(crate) async fn read_request(
        &self,
        params: &Params,
        client: Option<&Client>,
        pushed: bool,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Read, ServiceError> {
        let keys = self.keys.current();
        let provider = authorization::Provider {
            issuer: &self.settings.issuer,
            capabilities: &self.capabilities,
            keys: &keys.stored,
        };
        let refused = |error| Ok(Err(authorization::refuse(params, client, &provider, error)));
        let features = client.map_or(self.settings.features, |client| self.settings.features.of(client));
        let carriage = match authorization::find_carriage(params, &features) {
            Ok(carriage) => carriage,
            Err(error) => return refused(error),
        };
        let (Some(owner), false) = (client, carriage == Carriage::Plain) else {
            return Ok(authorization::check(params, client, &provider, Arrival { pushed, signed: false }));
        };
        let object = match carriage {
            Carriage::Pushed(name) => {
                let found = self.find_pushed(name, owner, now).await?;
                return found.map_or_else(|| refused(unknown_uri()), |request| Ok(Ok(request)));
            }
            Carriage::Object(object) => object.to_owned(),
            Carriage::Reference(uri) => match self.fetch_object(uri, owner, context).await? {
                Some(object) => object,
                None => return refused(unknown_uri()),
            },
            Carriage::Plain => String::new(),
        };
        match self.open_object(params, &object, owner, now).await {
            Ok(Opened { params, signed }) => {
                Ok(authorization::check(&params, client, &provider, Arrival { pushed, signed }))
            }
            Err(error) => refused(error),
        }
    }

    /// Opens an object by the keys of its client; an unknown key has them fetched again, once.
    async fn open_object(
        &self,
        outer: &Params,
        object: &str,
        client: &Client,
        now: Timestamp,
    ) -> Result<Opened, OAuthError> {
        let open = |jwks: Option<&Value>| {
            request_object::open(outer, object, &Expected { client, jwks, issuer: &self.settings.issuer }, now)
        };
        // Nobody's keys are fetched for an object that needs none, or is refused whatever they are.
        let mut opened = open(None);
        if opened == Err(Unopened::UnknownKey) {
            opened = open(self.client_keys(client, now).await.as_deref());
        }
        if opened == Err(Unopened::UnknownKey) {
            opened = open(self.fresh_client_keys(client, now).await.as_deref());
        }
        opened.map_err(OAuthError::from)
    }

    /// The object at an address that `client` registered, with its fragment or without (Core, 6.2), if it can be had.
    async fn fetch_object(
        &self,
        uri: &str,
        client: &Client,
        context: &RequestContext,
    ) -> Result<Option<String>, ServiceError> {
        let bare = uri.split('#').next().unwrap_or_default();
        let registered = client.requests.request_uris.iter().any(|known| known == uri || known == bare);
        let Some(http) = self.http.as_ref().filter(|_| registered && !client.disabled) else { return Ok(None) };
        if let Some(wait) = self.charge_network(context, "request_uris", self.settings.address_limits.starts).await? {
            return Err(ServiceError::Busy(wait));
        }
        match documents::fetch(http, uri, OBJECT_TYPE).await {
            Ok(object) => Ok(String::from_utf8(object.body).ok().map(|text| text.trim().to_owned())),
            Err(error) => {
                tracing::info!(%error, client = %client.id, "a request object could not be fetched");
                Ok(None)
            }
        }
    }

    /// A pushed request of `client` that waits; a page may be loaded again until the request is answered.
    async fn find_pushed(
        &self,
        name: &str,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<AuthorizationRequest>, ServiceError> {
        let hash = self.vault.hash(Purpose::PushedRequest, name.as_bytes());
        let found = self.db.read(async |tx| tx.find_pushed_request(&hash).await).await?;
        let waits = |row: &PushedRequest| row.client == client.id && row.consumed_at.is_none() && now < row.expires_at;
        let request = found.filter(waits).and_then(|row| self.open_pushed(&row));
        let request = request.filter(|request| request.target(client).is_some());
        Ok(request.map(|request| AuthorizationRequest { pushed: Some(hash), ..request }))
    }

    fn open_pushed(&self, row: &PushedRequest) -> Option<AuthorizationRequest> {
        postcard::from_bytes(&self.vault.open(Purpose::PushedRequest, &row.hash, &row.sealed)?).ok()
    }

    async fn keep_request(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        now: Timestamp,
    ) -> Result<Value, ServiceError> {
        let name = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let hash: KeyedHash = self.vault.hash(Purpose::PushedRequest, name.as_bytes());
        let plain = postcard::to_stdvec(request).map_err(|_| ServiceError::Internal("a request did not serialize"))?;
        let row = PushedRequest {
            hash,
            client: client.id.clone(),
            sealed: self.vault.seal(Purpose::PushedRequest, &hash, &plain)?,
            created_at: now,
            expires_at: now.plus(pushed_request::LIFETIME),
            consumed_at: None,
        };
        self.db.write(async |tx| tx.insert_pushed_request(&row).await).await?;
        Ok(pushed_request::response(&name))
    }

    async fn note_refused_push(
        &self,
        client: &Client,
        error: &OAuthError,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        if self.charge_network(context, "refusals", self.settings.address_limits.refusals).await?.is_some() {
            return Ok(());
        }
        let event = audit::event(context, now, AuditKind::RequestRefused, AuditOutcome::Failure)?
            .client(&client.id)
            .detail("endpoint", "pushed_authorization_request")
            .detail("error", error.code.as_str())
            .build();
        self.write_events(&[event]).await
    }
}

fn unknown_uri() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestUri, "The request_uri is unknown, expired or used up")
}
