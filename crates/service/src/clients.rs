//! Clients that an operator registers: RFC 7591 metadata that names its own `client_id` and `client_secret`.

use countersign_flow::{ClientDemand, PolicySet};
use countersign_model::{AuditKind, AuditOutcome, AuthMethod, Client, ClientId, ClientSecret, Seconds, Timestamp};
use countersign_protocol::registration::{self, Rules};
use countersign_protocol::{ClientMetadata, MetadataError, Registrant};
use countersign_store::Db;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::fresh_secret;
use crate::policies::{Policies, default_login};
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

    /// Gives a client another secret; those it had work for `keep` more. None: there is no such client, or it has no
    /// secrets.
    pub async fn rotate_client_secret(
        &self,
        id: &ClientId,
        keep: Seconds,
    ) -> Result<Option<SecretString>, ServiceError> {
        let now = self.clock.now();
        let secret = fresh_secret()?;
        let event = audit::event(&RequestContext::default(), now, AuditKind::ClientChanged, AuditOutcome::Success)?
            .client(id)
            .detail("secret", "rotated")
            .build();
        let rotated = self
            .db
            .write(async |tx| {
                let Some(mut client) = tx.find_client(id).await?.filter(needs_secret) else { return Ok(false) };
                let end = now.plus(keep);
                for old in &mut client.secrets {
                    old.expires_at = Some(old.expires_at.map_or(end, |earlier| earlier.min(end)));
                }
                client.secrets.insert(0, store_secret(&self.vault, &client, &secret, now)?);
                // The oldest stay as long as there is room: they tell that a file names a secret which is over.
                client.secrets.truncate(MOST_SECRETS);
                tx.upsert_client(&client).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(true)
            })
            .await?;
        Ok(rotated.then_some(secret))
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
    let kept = kept.map(|client| ClientDemand {
        client: client.id.to_string(),
        allowed: client.allowed_policies,
        required_acr: client.required_acr,
    });
    Ok(kept.chain(registrations.iter().map(|new| demand_of(new, set))).collect())
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
