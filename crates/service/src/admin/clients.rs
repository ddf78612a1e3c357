//! Clients by the admin API: registered, changed, disabled, removed, given other secrets. Keys: others made.

use countersign_model::{Client, ClientId, KeyedHash, Seconds};
use countersign_protocol::delegation::Permission;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::reading::Reading;
use super::view::{ClientMade, KeyList, KeyView, RegisteredClient};
use super::{AdminRefusal, Answer, Caller};
use crate::audit::RequestContext;
use crate::clients::{Added, Demand};
use crate::deed::{Deed, RecordRefusal};
use crate::people::Actor;
use crate::provider::Provider;
use crate::resource_access::ResourceCall;
use crate::vault::Purpose;

/// How long secrets of before work on, unless it is said.
const KEEP_HOURS: u32 = 24;
/// The longest that it can be said: a year.
const MOST_HOURS: u32 = 24 * 365;

/// A client to be registered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateClient {
    /// Its id, 1 to 255 visible ASCII characters.
    pub client_id: String,
    /// Its metadata (RFC 7591 and its extensions, and our own members), without id and secret.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Why; kept in the audit.
    pub reason: String,
}

/// What a client is to be from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceClient {
    /// Its whole metadata: what is left out is gone.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Why; kept in the audit.
    pub reason: String,
}

/// Another secret for a client.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// For how many hours the secrets of before work on, at most a year; 24 unless it is said, 0: they end now.
    pub keep_hours: Option<u32>,
    /// Why; kept in the audit.
    pub reason: String,
}

/// Who changes which client.
#[derive(Clone, Copy, Debug)]
pub struct ClientChange<'a> {
    /// Its id.
    pub client: &'a str,
    /// Why; kept in the audit.
    pub reason: &'a str,
    /// Versions one of which it must have; none: whatever it has (If-Match).
    pub expected: Option<&'a [String]>,
}

impl Provider {
    /// Registers a client. Its secret is told this once: a request that is sent again under its key is told the client alone.
    pub async fn create_client(
        &self,
        caller: &Caller,
        new: &CreateClient,
        once: Option<(&str, &[u8])>,
        context: &RequestContext,
    ) -> Answer<ClientMade> {
        let deed = match Deed::new(Actor::Caller(caller), &new.reason, context) {
            Ok(deed) => deed,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let Ok(id) = new.client_id.parse::<ClientId>() else {
            let why = "client_id is not 1 to 255 visible ASCII characters".to_owned();
            return Ok(Err(RecordRefusal::Invalid(why).into()));
        };
        let once = once.map(|once| self.hash_once(caller, once));
        let by_program = caller.person.is_none();
        Ok(match self.add_client(id, &new.metadata, by_program, &deed, once).await? {
            Ok(Added::Made(client, secret)) => {
                let secret = secret.map(|secret| secret.expose_secret().to_owned());
                Ok(ClientMade { client: RegisteredClient::of(*client), client_secret: secret })
            }
            Ok(Added::Before(id)) => match self.find_client(&id).await? {
                Some(client) => Ok(ClientMade { client: RegisteredClient::of(client), client_secret: None }),
                None => Err(AdminRefusal::Unknown),
            },
            Err(refusal) => Err(refusal.into()),
        })
    }

    /// Replaces what is registered of an operator's client.
    pub async fn change_registration(
        &self,
        caller: &Caller,
        change: ClientChange<'_>,
        metadata: &Map<String, Value>,
        context: &RequestContext,
    ) -> Answer<RegisteredClient> {
        let (id, deed, demand) = match prepare(caller, change, context) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let done = self.replace_client(&id, metadata, &demand, &deed).await?;
        Ok(done.map(RegisteredClient::of).map_err(AdminRefusal::from))
    }

    /// Refuses a client wherever it shows itself, or no longer.
    pub async fn set_client_status(
        &self,
        caller: &Caller,
        change: ClientChange<'_>,
        disabled: bool,
        context: &RequestContext,
    ) -> Answer<RegisteredClient> {
        let (id, deed, demand) = match prepare(caller, change, context) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let done = self.set_client_disabled(&id, disabled, &demand, &deed).await?;
        Ok(done.map(RegisteredClient::of).map_err(AdminRefusal::from))
    }

    /// Gives a client another secret, which is told this once.
    pub async fn renew_client_secret(
        &self,
        caller: &Caller,
        change: ClientChange<'_>,
        keep_hours: Option<u32>,
        context: &RequestContext,
    ) -> Answer<ClientMade> {
        let (id, deed, demand) = match prepare(caller, change, context) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let hours = keep_hours.unwrap_or(KEEP_HOURS);
        if hours > MOST_HOURS {
            let why = "keep_hours is more than a year".to_owned();
            return Ok(Err(RecordRefusal::Invalid(why).into()));
        }
        let done = self.rotate_secret(&id, Seconds::hours(hours), &demand, &deed).await?;
        let told = |(client, secret): (Client, SecretString)| ClientMade {
            client: RegisteredClient::of(client),
            client_secret: Some(secret.expose_secret().to_owned()),
        };
        Ok(done.map(told).map_err(AdminRefusal::from))
    }

    /// Removes a client and ends its grants.
    pub async fn remove_client_of(
        &self,
        caller: &Caller,
        change: ClientChange<'_>,
        context: &RequestContext,
    ) -> Answer<()> {
        let (id, deed, demand) = match prepare(caller, change, context) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(self.delete_client(&id, &demand, &deed).await?.map_err(AdminRefusal::from))
    }

    /// Announces another signing key for each algorithm.
    pub async fn rotate_signing_keys(
        &self,
        caller: &Caller,
        reason: &str,
        context: &RequestContext,
    ) -> Answer<KeyList> {
        let deed = match Deed::new(Actor::Caller(caller), reason, context) {
            Ok(deed) => deed,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        if let Err(refusal) = self.announce_keys(&deed).await? {
            return Ok(Err(refusal.into()));
        }
        Ok(Ok(self.describe_keys()))
    }

    /// The published signing keys, as this node knows them.
    pub async fn tell_keys(&self, call: ResourceCall<'_>, context: &RequestContext) -> Answer<KeyList> {
        if let Err(refusal) = self.find_reader(call, Permission::ReadKeys, Reading::of("keys"), context).await? {
            return Ok(Err(refusal));
        }
        Ok(Ok(self.describe_keys()))
    }

    /// The published signing keys with what each is for by now.
    pub(crate) fn describe_keys(&self) -> KeyList {
        let (stored, now) = (self.signing_keys(), self.clock.now());
        KeyList { keys: stored.iter().map(|key| KeyView::of(key, &stored, now)).collect() }
    }

    /// Hashes of a request's key, as this caller's, and of what it asks for.
    pub(super) fn hash_once(&self, caller: &Caller, (key, asked): (&str, &[u8])) -> (KeyedHash, KeyedHash) {
        let hash = |text: &[u8]| self.vault.hash(Purpose::AnsweredRequest, text);
        (hash(format!("{} {key}", caller.name()).as_bytes()), hash(asked))
    }
}

/// What a change of a client needs.
fn prepare<'a>(
    caller: &'a Caller,
    change: ClientChange<'a>,
    context: &'a RequestContext,
) -> Result<(ClientId, Deed<'a>, Demand<'a>), AdminRefusal> {
    let id = change.client.parse::<ClientId>().map_err(|_| AdminRefusal::Unknown)?;
    let deed = Deed::new(Actor::Caller(caller), change.reason, context)?;
    Ok((id, deed, Demand { expected: change.expected, by_program: caller.person.is_none() }))
}
