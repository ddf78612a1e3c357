//! Clients that an operator registers: RFC 7591 metadata that names its own `client_id` and `client_secret`.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::{ClientDemand, PolicySet, Surroundings, check_within};
use countersign_model::{AuthMethod, Client, ClientId, ClientSecret, KeyedHash, Seconds, Timestamp};
use countersign_protocol::delegation::is_administrative;
use countersign_protocol::registration::{self, Rules};
use countersign_protocol::{ClientMetadata, MetadataError, Registrant};
use countersign_store::Db;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::fresh_secret;
use crate::deed::{Deed, RecordRefusal, tell};
use crate::once::{Before, Once};
use crate::policies::{Policies, date_of, default_login};
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};

/// A client as an operator writes it.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientRegistration {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretString>,
    /// Everything else.
    #[serde(flatten)]
    pub metadata: ClientMetadata,
}

impl ClientRegistration {
    /// Whether a way it authenticates needs a secret (RFC 7591, 2: HTTP Basic where it says nothing).
    pub fn needs_secret(&self) -> bool {
        let single = self.metadata.token_endpoint_auth_method.iter();
        let several = self.metadata.countersign_auth_methods.iter().flatten();
        let mut names = single.chain(several).peekable();
        names.peek().is_none() || names.filter_map(|name| AuthMethod::from_name(name)).any(AuthMethod::uses_secret)
    }
}

/// Secrets that are kept of a client, whether they still work or not.
const MOST_SECRETS: usize = 8;
/// Why nothing is done to a client by a program that has no administrator behind it.
const ADMINISTRATIVE: RecordRefusal =
    RecordRefusal::Forbidden("a client of the admin API is for an administrator, not for another program");

/// What becomes of a client that is added.
pub(crate) enum Added {
    /// It was, with this secret if it has one.
    Made(Box<Client>, Option<SecretString>),
    /// This very request added it before; its secret is told once.
    Before(ClientId),
}

/// What is asked of a client that is to be changed, in the transaction that does.
pub(crate) struct Demand<'a> {
    /// Versions one of which it has; none: any.
    pub(crate) expected: Option<&'a [String]>,
    /// Whether who asks is a program by itself.
    pub(crate) by_program: bool,
}

impl Demand<'_> {
    /// What an operator does is done.
    const NONE: Self = Self { expected: None, by_program: false };

    fn check(&self, client: &Client) -> Result<(), RecordRefusal> {
        if self.expected.is_some_and(|expected| !expected.contains(&version_of(client))) {
            Err(RecordRefusal::Changed)
        } else if self.by_program && is_administrative(&client.scope) {
            Err(ADMINISTRATIVE)
        } else {
            Ok(())
        }
    }
}

impl Provider {
    /// Registers `registration`, or replaces what was registered under its id. Secrets are stored hashed.
    pub async fn register_client(&self, registration: &ClientRegistration) -> Result<ClientId, ServiceError> {
        let now = self.clock.now();
        let named = |why: &dyn std::fmt::Display| {
            let id: String = registration.client_id.chars().take(80).collect();
            ServiceError::Configuration(format!("{id}: {why}"))
        };
        let id: ClientId =
            registration.client_id.parse().map_err(|_| named(&"client_id is not 1 to 255 visible ASCII characters"))?;
        let mut client =
            self.check_client(id, &registration.metadata, Registrant::Operator, now).map_err(|error| named(&error))?;
        client.secrets = self.operator_secrets(&client, registration.client_secret.as_ref(), now, &named)?;
        let context = RequestContext::default();
        let event = Deed::of_operator(&context).client_event(&client.id, "registered", now)?.build();
        self.db
            .write(async |tx| {
                let known = tx.find_client(&client.id).await?;
                let client = known.iter().fold(client.clone(), keep_history);
                if known.as_ref() != Some(&client) {
                    tx.upsert_client(&client).await?;
                    tell(tx, &event).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(client.id)
    }

    /// Registers a client that nobody registered yet, with a secret of our own where it needs one; once for the hashes `once`
    /// of a request's key and of what it asks for.
    pub(crate) async fn add_client(
        &self,
        id: ClientId,
        members: &Map<String, Value>,
        by_program: bool,
        deed: &Deed<'_>,
        once: Option<(KeyedHash, KeyedHash)>,
    ) -> Result<Result<Added, RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let mut client = match self.read_whole(id, members, by_program, now) {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let secret = if needs_secret(&client) { Some(fresh_secret()?) } else { None };
        if let Some(secret) = &secret {
            client.secrets = vec![store_secret(&self.vault, &client, secret, now)?];
        }
        let event = deed.client_event(&client.id, "registered", now)?.build();
        let once = once.map(|hashes| Once::new(hashes, client.id.to_string()));
        let written = self.db.write(async |tx| {
            if let Err(refusal) = deed.check(tx, now).await? {
                return Ok(Err(refusal));
            }
            if let Some(once) = &once {
                match once.begin(tx, now).await? {
                    Before::Never => {}
                    Before::Made(id) => return Ok(id.parse().map(Some).map_err(|_| RecordRefusal::KeyReused)),
                    Before::Other => return Ok(Err(RecordRefusal::KeyReused)),
                }
            }
            if tx.find_client(&client.id).await?.is_some() {
                if let Some(once) = &once {
                    once.forget(tx).await?;
                }
                return Ok(Err(RecordRefusal::Conflict("there is a client of this id")));
            }
            tx.insert_client(&client).await?;
            tell(tx, &event).await?;
            Ok::<_, ServiceError>(Ok(None))
        });
        Ok(written.await?.map(|before| match before {
            Some(before) => Added::Before(before),
            None => Added::Made(Box::new(client), secret),
        }))
    }

    /// Makes of an operator's client what `members` say: what they leave out is gone. Its secrets stay; one that it needs and
    /// lacks is made by a rotation, which wants a client that has secrets.
    pub(crate) async fn replace_client(
        &self,
        id: &ClientId,
        members: &Map<String, Value>,
        demand: &Demand<'_>,
        deed: &Deed<'_>,
    ) -> Result<Result<Client, RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let new = match self.read_whole(id.clone(), members, demand.by_program, now) {
            Ok(new) => new,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.change_client(id, "replaced", demand, deed, |known| {
            if known.registration.is_some() {
                return Err(RecordRefusal::Conflict(
                    "the client registered itself: it alone changes what it registered",
                ));
            }
            let secrets = if needs_secret(&new) { known.secrets.clone() } else { Vec::new() };
            // What was kept in clear for a client that signs with it is kept no longer than that.
            let keep = |secret: ClientSecret| ClientSecret {
                sealed: secret.sealed.filter(|_| signs_with_secret(&new)),
                ..secret
            };
            let lacks = needs_secret(&new) && secrets.is_empty();
            if lacks || signs_with_secret(&new) && secrets.iter().all(|own| own.sealed.is_none()) {
                return Err(RecordRefusal::Conflict("the client has no secret for this method: register another one"));
            }
            Ok(Client {
                secrets: secrets.into_iter().map(keep).collect(),
                created_at: known.created_at,
                disabled: known.disabled,
                ..new.clone()
            })
        })
        .await
    }

    /// Refuses a client wherever it shows itself, or no longer.
    pub(crate) async fn set_client_disabled(
        &self,
        id: &ClientId,
        disabled: bool,
        demand: &Demand<'_>,
        deed: &Deed<'_>,
    ) -> Result<Result<Client, RecordRefusal>, ServiceError> {
        let (change, stands) = if disabled {
            ("disabled", RecordRefusal::Conflict("the client is disabled already"))
        } else {
            ("enabled", RecordRefusal::Conflict("the client is enabled already"))
        };
        self.change_client(id, change, demand, deed, |known| {
            if known.disabled == disabled { Err(stands.clone()) } else { Ok(Client { disabled, ..known.clone() }) }
        })
        .await
    }

    /// Removes a client; its grants end with it.
    pub(crate) async fn delete_client(
        &self,
        id: &ClientId,
        demand: &Demand<'_>,
        deed: &Deed<'_>,
    ) -> Result<Result<(), RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let event = deed.client_event(id, "removed", now)?.build();
        self.db
            .write(async |tx| {
                if let Err(refusal) = deed.check(tx, now).await? {
                    return Ok(Err(refusal));
                }
                let Some(known) = tx.find_client(id).await? else { return Ok(Err(RecordRefusal::Unknown)) };
                if let Err(refusal) = demand.check(&known) {
                    return Ok(Err(refusal));
                }
                tx.delete_client(id, now).await?;
                tell(tx, &event).await?;
                Ok::<_, ServiceError>(Ok(()))
            })
            .await
    }

    async fn change_client(
        &self,
        id: &ClientId,
        change: &str,
        demand: &Demand<'_>,
        deed: &Deed<'_>,
        make: impl Fn(&Client) -> Result<Client, RecordRefusal> + Sync,
    ) -> Result<Result<Client, RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let event = deed.client_event(id, change, now)?.build();
        self.db
            .write(async |tx| {
                if let Err(refusal) = deed.check(tx, now).await? {
                    return Ok(Err(refusal));
                }
                let Some(known) = tx.find_client(id).await? else { return Ok(Err(RecordRefusal::Unknown)) };
                let new = match demand.check(&known).and_then(|()| make(&known)) {
                    Ok(new) => new,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                if new != known {
                    tx.upsert_client(&new).await?;
                    tell(tx, &event).await?;
                }
                Ok::<_, ServiceError>(Ok(new))
            })
            .await
    }

    /// The client that `members` describe, without a secret, as an administrator's program may write it.
    fn read_whole(
        &self,
        id: ClientId,
        members: &Map<String, Value>,
        by_program: bool,
        now: Timestamp,
    ) -> Result<Client, RecordRefusal> {
        let read = registration::read_whole(members)
            .and_then(|metadata| self.check_client(id, &metadata, Registrant::Operator, now));
        let client = read.map_err(|error| RecordRefusal::Invalid(error.to_string()))?;
        if by_program && is_administrative(&client.scope) {
            return Err(ADMINISTRATIVE);
        }
        // A node would not start with it.
        let demand = demand_of_client(&client);
        let around = Surroundings { today: &date_of(now), catalogue: None, clients: &[demand] };
        match check_within(self.policies.set(), &around).iter().find(|finding| finding.code == "E60") {
            Some(finding) => Err(RecordRefusal::Invalid(finding.message.clone())),
            None => Ok(client),
        }
    }

    /// Gives a client another secret; those it had work for `keep` more. None: there is no such client, or it has no
    /// secrets.
    pub async fn rotate_client_secret(
        &self,
        id: &ClientId,
        keep: Seconds,
    ) -> Result<Option<SecretString>, ServiceError> {
        let context = RequestContext::default();
        let rotated = self.rotate_secret(id, keep, &Demand::NONE, &Deed::of_operator(&context)).await?;
        Ok(rotated.ok().map(|(_, secret)| secret))
    }

    /// The same, by whoever it is.
    pub(crate) async fn rotate_secret(
        &self,
        id: &ClientId,
        keep: Seconds,
        demand: &Demand<'_>,
        deed: &Deed<'_>,
    ) -> Result<Result<(Client, SecretString), RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let secret = fresh_secret()?;
        let event = deed.client_event(id, "secret", now)?.detail("secret", "rotated").build();
        let rotated = self
            .db
            .write(async |tx| {
                if let Err(refusal) = deed.check(tx, now).await? {
                    return Ok(Err(refusal));
                }
                let Some(mut client) = tx.find_client(id).await? else { return Ok(Err(RecordRefusal::Unknown)) };
                if let Err(refusal) = demand.check(&client) {
                    return Ok(Err(refusal));
                }
                if !needs_secret(&client) {
                    return Ok(Err(RecordRefusal::Conflict("the client has no secret")));
                }
                let end = now.plus(keep);
                for old in &mut client.secrets {
                    old.expires_at = Some(old.expires_at.map_or(end, |earlier| earlier.min(end)));
                }
                client.secrets.insert(0, store_secret(&self.vault, &client, &secret, now)?);
                // The oldest stay as long as there is room: they tell that a file names a secret which is over.
                client.secrets.truncate(MOST_SECRETS);
                tx.upsert_client(&client).await?;
                tell(tx, &event).await?;
                Ok::<_, ServiceError>(Ok(client))
            })
            .await?;
        Ok(rotated.map(|client| (client, secret)))
    }

    /// Every client, by id.
    pub async fn list_clients(&self) -> Result<Vec<Client>, ServiceError> {
        Ok(self.db.read(async |tx| tx.list_clients().await).await?)
    }

    /// The client that `metadata` describes, if it is sound, with its policies and without a secret.
    pub(crate) fn check_client(
        &self,
        id: ClientId,
        metadata: &ClientMetadata,
        registrant: Registrant,
        now: Timestamp,
    ) -> Result<Client, MetadataError> {
        let rules = Rules {
            registrant,
            capabilities: &self.capabilities,
            scopes: &self.settings.registration.scopes,
            loopback: self.calls_this_host(),
        };
        let client = registration::check(id, metadata, &rules, now)?;
        let (default_policy, allowed_policies) = allowed_policies(metadata, &self.policies)?;
        Ok(Client { default_policy, allowed_policies, ..client })
    }

    fn operator_secrets(
        &self,
        client: &Client,
        secret: Option<&SecretString>,
        now: Timestamp,
        named: &dyn Fn(&dyn std::fmt::Display) -> ServiceError,
    ) -> Result<Vec<ClientSecret>, ServiceError> {
        match (secret, needs_secret(client)) {
            (Some(_), _) if client.is_public() => Err(named(&"a public client has no secret")),
            // A client that signs or shows a certificate has no use for one.
            (_, false) => Ok(Vec::new()),
            (None, true) => Err(named(&"client_secret is missing")),
            // High entropy is what makes a fast keyed hash enough; 16 characters is the least that is let through.
            (Some(secret), true) if secret.expose_secret().len() < 16 => {
                Err(named(&"client_secret is shorter than 16 characters"))
            }
            (Some(secret), true) => Ok(vec![store_secret(&self.vault, client, secret, now)?]),
        }
    }
}

/// Whether it authenticates by a secret.
pub(crate) fn needs_secret(client: &Client) -> bool {
    client.auth_methods.iter().copied().any(AuthMethod::uses_secret)
}

/// Whether its secret must be known in clear: it signs with it.
pub(crate) fn signs_with_secret(client: &Client) -> bool {
    client.auth_methods.contains(&AuthMethod::ClientSecretJwt)
}

/// A secret as it is kept.
pub(crate) fn store_secret(
    vault: &Vault,
    client: &Client,
    secret: &SecretString,
    now: Timestamp,
) -> Result<ClientSecret, ServiceError> {
    let plain = secret.expose_secret().as_bytes();
    let sealed = if signs_with_secret(client) {
        Some(vault.seal(Purpose::ClientSecret, client.id.as_str().as_bytes(), plain)?)
    } else {
        None
    };
    Ok(ClientSecret { hash: vault.hash(Purpose::ClientSecret, plain), created_at: now, expires_at: None, sealed })
}

/// What the operator's clients require of the policies they may name (E60): those of `db`, and `registrations`, which are
/// about to replace theirs. Who registers a client alone can not keep a node from starting.
pub async fn list_demands(
    db: &Db,
    registrations: &[ClientRegistration],
    set: &PolicySet,
) -> Result<Vec<ClientDemand>, ServiceError> {
    let known = db.read(async |tx| tx.list_clients().await).await?;
    let own = known.into_iter().filter(|client| client.registration.is_none() && !client.disabled);
    let kept = own.filter(|client| !registrations.iter().any(|new| new.client_id == client.id.as_str()));
    let kept = kept.map(|client| demand_of_client(&client));
    Ok(kept.chain(registrations.iter().map(|new| demand_of(new, set))).collect())
}

fn demand_of_client(client: &Client) -> ClientDemand {
    ClientDemand {
        client: client.id.to_string(),
        allowed: client.allowed_policies.clone(),
        required_acr: client.required_acr.clone(),
    }
}

/// Changes with everything that is registered of a client: the strong validator of RFC 9110, 8.8.3.
pub(crate) fn version_of(client: &Client) -> String {
    let written = serde_json::to_vec(client).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, &written).as_ref()[..16])
}

/// What a registration will require of the policies of `set`.
pub fn demand_of(registration: &ClientRegistration, set: &PolicySet) -> ClientDemand {
    let metadata = &registration.metadata;
    let default = metadata.countersign_policy.clone().unwrap_or_else(|| default_login(set).to_owned());
    let mut allowed = metadata.countersign_policies.clone().unwrap_or_default();
    if !allowed.contains(&default) {
        allowed.insert(0, default);
    }
    let required_acr = metadata.countersign_required_acr.clone().unwrap_or_default();
    ClientDemand { client: registration.client_id.clone(), allowed, required_acr }
}

/// What a registration does not decide: when client and secrets were made, whether an administrator disabled it, and
/// what a rotation made of its secret since. A secret that was not there before takes the place of all others.
fn keep_history(mut client: Client, known: &Client) -> Client {
    client.created_at = known.created_at;
    client.disabled = known.disabled;
    let Some(named) = client.secrets.first() else { return client };
    if !known.secrets.iter().any(|known| known.hash == named.hash) {
        return client;
    }
    let signs = signs_with_secret(&client);
    let keep = |old: &ClientSecret| {
        let new = if old.hash == named.hash { named.sealed.clone() } else { None };
        let sealed = if signs { old.sealed.clone().or(new) } else { None };
        ClientSecret { sealed, ..old.clone() }
    };
    client.secrets = known.secrets.iter().map(keep).collect();
    client
}

fn allowed_policies(metadata: &ClientMetadata, policies: &Policies) -> Result<(String, Vec<String>), MetadataError> {
    let default = metadata.countersign_policy.clone().unwrap_or_else(|| policies.default_login().to_owned());
    let mut allowed = metadata.countersign_policies.clone().unwrap_or_default();
    if !allowed.contains(&default) {
        allowed.insert(0, default.clone());
    }
    if policies.set().get(&default).is_none() {
        return Err(MetadataError::new(format!("policy {default} is not in the set")));
    }
    // A policy that is not there yet is left out, as an optional switch to it is.
    allowed.retain(|id| policies.set().get(id).is_some());
    Ok((default, allowed))
}
