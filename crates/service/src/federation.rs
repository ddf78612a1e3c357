//! Sign-in at an upstream OpenID Provider: the browser is sent there and comes back with a code.
//!
//! What rides through the browser as `state` is sealed, names the flow, its version and the page nonce of that version,
//! and counts in the browser it was made for alone. Its way back is an ordinary answer to the flow: the same claim that
//! lets one of two posts through lets one of two callbacks through, and the other gets the same answer.

mod linking;
mod upstreams;

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::{Federated, Input};
use countersign_model::{Account, AuditKind, AuditOutcome, FlowId, KeyedHash, Seconds, Timestamp};
use countersign_outbound::upstream::{CodeExchange, ProviderMetadata, UpstreamTokens};
use countersign_protocol::UpstreamIdentity;
use countersign_protocol::upstream::Expected;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCall;
use crate::clock::random;
use crate::flow::{Answer, Answered, FlowCall, FlowForm, Response};
use crate::page_nonce;
use crate::provider::Provider;
use crate::vault::Purpose;
pub(crate) use linking::Adoption;
pub use upstreams::{ClaimNames, FederationSettings, LinkRule};
pub(crate) use upstreams::{Party, Upstreams};

/// Limit of everything that is asked upstream for one sign-in: shorter than the lease of a flow's version.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest sealed state that is looked at, in characters.
const MAX_STATE: usize = 1024;
/// Longest code that is sent on.
const MAX_CODE: usize = 4096;
const CONTEXT: &[u8] = b"upstream";

/// What rides through the browser.
#[derive(Serialize, Deserialize)]
struct State {
    provider: String,
    flow: FlowId,
    version: u32,
    browser: KeyedHash,
    page_nonce: String,
    nonce: [u8; 16],
    verifier: [u8; 32],
    /// The oldest sign-in there that will do; none when any will.
    fresh_since: Option<Timestamp>,
}

/// Where a flow waits for an upstream provider.
#[derive(Clone, Copy)]
pub(crate) struct FederationPlace<'a> {
    pub(crate) flow: FlowId,
    /// Version of the instance that waits.
    pub(crate) version: u32,
    /// Id of the provider.
    pub(crate) provider: &'a str,
}

/// What is asked for along with the sign-in.
#[derive(Clone, Copy, Default)]
pub(crate) struct FederationWishes<'a> {
    /// Address that was typed; sent on where it is one of the provider's own.
    pub(crate) login_hint: Option<&'a str>,
    /// How old a sign-in there may be: nothing, and the person is to sign in anew. None: any will do.
    pub(crate) max_age: Option<Seconds>,
}

/// What it brings (RFC 6749, 4.1.2; RFC 9207).
#[derive(Clone, Default)]
pub struct UpstreamAnswer {
    /// `state`
    pub state: String,
    /// `code`
    pub code: Option<String>,
    /// `iss`
    pub iss: Option<String>,
    /// `error`
    pub error: Option<String>,
}

/// Whom an upstream provider vouched for, by the linking rules.
pub(crate) struct FoundFederated {
    pub(crate) federated: Federated,
    /// The account; of a new person as it will be.
    pub(crate) account: Account,
    /// What is still to be written.
    pub(crate) adoption: Option<Adoption>,
}

impl Provider {
    /// Sends the browser to the upstream provider (Core, 3.1.2.1): code flow with PKCE and nonce. Changes nothing.
    pub(crate) async fn send_upstream(
        &self,
        place: FederationPlace<'_>,
        browser: &KeyedHash,
        wishes: FederationWishes<'_>,
    ) -> Result<Response, ServiceError> {
        let party = self.find_party(place.provider)?;
        let metadata = match tokio::time::timeout(PATIENCE, party.metadata(self.clock.now())).await {
            Ok(Ok(metadata)) => metadata,
            Ok(Err(error)) => {
                tracing::warn!(%error, provider = place.provider, "an upstream provider does not answer");
                return Err(ServiceError::Busy(Seconds::new(5)));
            }
            Err(_) => return Err(ServiceError::Busy(Seconds::new(5))),
        };
        let state = State {
            provider: place.provider.to_owned(),
            flow: place.flow,
            version: place.version,
            browser: *browser,
            page_nonce: page_nonce::make(&self.vault, place.flow, browser, place.version)?,
            nonce: random()?,
            verifier: random()?,
            fresh_since: wishes.max_age.map(|age| self.clock.now().minus(age)),
        };
        let plain = postcard::to_stdvec(&state).map_err(|_| ServiceError::Internal("a state did not serialize"))?;
        let sealed = URL_SAFE_NO_PAD.encode(self.vault.seal(Purpose::Flow, CONTEXT, &plain)?);
        let mut uri = metadata.authorization_endpoint.clone();
        let challenge = digest::digest(&digest::SHA256, state.verifier().as_bytes());
        uri.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", party.upstream().client_id())
            .append_pair("redirect_uri", &self.federation_callback_uri(place.provider))
            .append_pair("scope", &party.settings.scopes)
            .append_pair("state", &sealed)
            .append_pair("nonce", &state.nonce())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        if let Some(age) = wishes.max_age {
            // Obliges the provider to say when the person signed in (Core, 3.1.2.1).
            uri.query_pairs_mut().append_pair("max_age", &age.get().to_string());
        }
        if wishes.max_age == Some(Seconds::new(0)) {
            uri.query_pairs_mut().append_pair("prompt", "login");
        }
        if let Some(hint) = wishes.login_hint.filter(|hint| party.settings.owns_address(hint)) {
            uri.query_pairs_mut().append_pair("login_hint", hint);
        }
        Ok(Response::Redirect(uri.into()))
    }

    /// Where the upstream provider sends the browser back: what is to be registered there.
    pub fn federation_callback_uri(&self, provider: &str) -> String {
        self.settings.issuer.endpoint(&format!("/federation/{provider}/callback"))
    }

    /// Where forms may lead in the end because of upstream providers: the chain of redirects passes through them.
    pub fn upstream_origins(&self) -> Vec<Url> {
        self.upstreams.list_origins()
    }

    /// Learns what the upstream providers publish, before anybody waits for it. What fails is tried again when asked for.
    pub async fn warm_upstreams(&self) {
        let now = self.clock.now();
        for party in self.upstreams.iter() {
            if let Err(error) = party.metadata(now).await {
                tracing::warn!(%error, provider = party.settings.id, "an upstream provider does not answer");
            }
        }
    }

    /// The browser comes back from `provider`: the flow goes on with whatever it brings, once.
    pub async fn federation_callback(
        &self,
        provider: &str,
        answer: UpstreamAnswer,
        call: BrowserCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let gone = || Ok(Answered::plain(Answer::Gone));
        let Some(browser) = call.cookies.binding_hash(&self.vault) else { return gone() };
        let Some(state) = self.open_state(&answer.state) else { return gone() };
        if state.provider != provider || state.browser != browser {
            tracing::warn!(provider, "a callback that was begun elsewhere");
            return gone();
        }
        let optional = [("code", answer.code), ("iss", answer.iss), ("error", answer.error)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let form = FlowForm {
            nonce: state.page_nonce,
            start: None,
            control: "federated".to_owned(),
            fields: optional.chain([("state".to_owned(), answer.state)]).collect(),
        };
        let call = FlowCall { flow: state.flow, cookies: call.cookies, locale: call.locale, context: call.context };
        Box::pin(self.advance_flow(call, form)).await
    }

    /// Whom the upstream provider vouched for. None when it declined, when anything of its answer is wrong, or when the
    /// linking rules let nobody in; the audit tells which.
    pub(crate) async fn find_federated(
        &self,
        place: FederationPlace<'_>,
        input: &Input,
        context: &RequestContext,
    ) -> Result<Option<FoundFederated>, ServiceError> {
        let party = self.find_party(place.provider)?;
        let found = match tokio::time::timeout(PATIENCE, self.identify(party, place, input)).await {
            Ok(Ok(identity)) => self.link(party, &identity, place.flow, context).await?,
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err("the provider did not answer in time"),
        };
        let reason = match found {
            Ok(found) => return Ok(Some(found)),
            Err(reason) => reason,
        };
        tracing::info!(provider = place.provider, reason, "a person came back from upstream in vain");
        let event = audit::event(context, self.clock.now(), AuditKind::FederationRefused, AuditOutcome::Failure)?
            .flow(place.flow)
            .detail("provider", place.provider)
            .detail("reason", reason)
            .build();
        self.write_events(&[event]).await?;
        Ok(None)
    }

    /// From what the browser brought to a person the provider vouches for, or the reason against it.
    async fn identify(
        &self,
        party: &Party,
        place: FederationPlace<'_>,
        input: &Input,
    ) -> Result<UpstreamIdentity, &'static str> {
        let field = |name: &str| input.fields.get(name).map(String::as_str);
        let state = self.open_state(field("state").unwrap_or_default()).ok_or("no state of ours")?;
        if state.provider != place.provider || state.flow != place.flow || state.version != place.version {
            return Err("the state of another sign-in");
        }
        let now = self.clock.now();
        let metadata = party.metadata(now).await.map_err(|error| unreachable(party, &error))?;
        check_issuer(&metadata, field("iss"))?;
        if field("error").is_some() {
            return Err("the provider declined");
        }
        let code = field("code").filter(|code| (1..=MAX_CODE).contains(&code.len())).ok_or("no code")?;
        let exchanged = CodeExchange {
            code: SecretString::from(code),
            code_verifier: SecretString::from(state.verifier()),
            redirect_uri: self.federation_callback_uri(place.provider),
        };
        let tokens = party.upstream().exchange_code(&metadata, &exchanged).await;
        let tokens = tokens.map_err(|error| unreachable(party, &error))?;
        let identity = self.verify(party, &metadata, &tokens, &state).await?;
        self.complete(party, &metadata, &tokens, identity).await
    }

    /// Asks UserInfo for what a new person's account takes over and the ID token does not say. Without an answer the ID
    /// token must be enough.
    async fn complete(
        &self,
        party: &Party,
        metadata: &ProviderMetadata,
        tokens: &UpstreamTokens,
        mut identity: UpstreamIdentity,
    ) -> Result<UpstreamIdentity, &'static str> {
        let names = &party.settings.claims;
        let Some(access_token) = tokens.access_token.as_ref() else { return Ok(identity) };
        let wanted = [names.email.as_str(), &names.given_name, &names.family_name];
        if !identity.lacks(&wanted) || !self.is_new(party, &identity).await {
            return Ok(identity);
        }
        match party.upstream().fetch_userinfo(metadata, access_token).await {
            Ok(None) => Ok(identity),
            Ok(Some(told)) => match identity.complete(&told, &names.email) {
                Ok(()) => Ok(identity),
                Err(error) => {
                    tracing::warn!(%error, provider = party.settings.id, "upstream UserInfo does not count");
                    Err("its UserInfo is of somebody else")
                }
            },
            Err(error) if identity.lacks(&[&names.email]) => Err(unreachable(party, &error)),
            Err(error) => {
                tracing::warn!(%error, provider = party.settings.id, "upstream UserInfo is left aside");
                Ok(identity)
            }
        }
    }

    /// Whether the person was never here before, as far as the database says.
    async fn is_new(&self, party: &Party, identity: &UpstreamIdentity) -> bool {
        let (provider, subject) = (party.settings.id.as_str(), identity.subject.as_str());
        let known = self.db.read(async |tx| tx.find_federated_identity(provider, subject).await).await;
        known.is_ok_and(|known| known.is_none())
    }

    /// A key that is not known may be a new one: the key set is fetched again, once.
    async fn verify(
        &self,
        party: &Party,
        metadata: &ProviderMetadata,
        tokens: &UpstreamTokens,
        state: &State,
    ) -> Result<UpstreamIdentity, &'static str> {
        use countersign_protocol::{UpstreamError, verify_upstream_id_token};
        let (now, nonce) = (self.clock.now(), state.nonce());
        let expected = Expected {
            issuer: party.upstream().issuer(),
            client: party.upstream().client_id(),
            nonce: &nonce,
            fresh_since: state.fresh_since,
            access_token: tokens.access_token.as_ref().map(ExposeSecret::expose_secret),
        };
        let token = tokens.id_token.expose_secret();
        let keys = party.keys(metadata, now).await.map_err(|error| unreachable(party, &error))?;
        let mut verified = verify_upstream_id_token(token, &keys, &expected, now);
        if verified == Err(UpstreamError::UnknownKey) {
            let renewed = party.renew_keys(metadata, now).await.map_err(|error| unreachable(party, &error))?;
            if let Some(keys) = renewed {
                verified = verify_upstream_id_token(token, &keys, &expected, now);
            }
        }
        verified.map_err(|error| {
            tracing::warn!(%error, provider = party.settings.id, "an upstream ID token does not count");
            if error == UpstreamError::Stale { "no recent sign-in there" } else { "its ID token does not count" }
        })
    }

    fn open_state(&self, text: &str) -> Option<State> {
        if text.len() > MAX_STATE {
            return None;
        }
        let plain = self.vault.open(Purpose::Flow, CONTEXT, &URL_SAFE_NO_PAD.decode(text).ok()?)?;
        postcard::from_bytes(&plain).ok()
    }

    fn find_party(&self, id: &str) -> Result<&Party, ServiceError> {
        let party = self.upstreams.find(id);
        party.ok_or_else(|| ServiceError::Configuration(format!("no [[federation]] has the id `{id}`")))
    }
}

impl State {
    fn nonce(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.nonce)
    }

    /// 43 characters of base64url (RFC 7636, 4.1).
    fn verifier(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.verifier)
    }
}

/// An answer must come from whom we asked (RFC 9207, 2.4).
fn check_issuer(metadata: &ProviderMetadata, iss: Option<&str>) -> Result<(), &'static str> {
    match iss {
        Some(iss) if iss != metadata.issuer => Err("the answer of another provider"),
        None if metadata.authorization_response_iss_parameter_supported => Err("an answer that names no provider"),
        _ => Ok(()),
    }
}

fn unreachable(party: &Party, error: &countersign_outbound::CallError) -> &'static str {
    tracing::warn!(%error, provider = party.settings.id, "an upstream provider failed");
    "the provider failed"
}

impl std::fmt::Debug for UpstreamAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamAnswer(..)")
    }
}
