//! The signing keys: made on first start, sealed in the database, published before they are used.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_lc_rs::{encoding::AsDer as _, rand::SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditEvent, AuditKind, AuditOutcome, KeyId, Seconds, SigningAlgorithm, SigningKey, Timestamp};
use countersign_protocol::PrivateKey;
use countersign_protocol::keys;
use countersign_protocol::keys::schedule::{self, Plan, Schedule};
use countersign_store::Tx;
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::deed::{Deed, RecordRefusal};
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};

/// How late a node may learn of a key, with some to spare: they are read again every minute.
const READING: Seconds = Seconds::minutes(5);

/// The keys as they were read last. Reading again replaces them as a whole.
#[derive(Default)]
pub(crate) struct KeyRing(RwLock<Arc<Keys>>);

/// Keys of one reading.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) stored: Vec<SigningKey>,
    /// How many readings there were.
    pub(crate) reading: u64,
    private: HashMap<KeyId, Arc<PrivateKey>>,
}

impl KeyRing {
    pub(crate) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, stored: Vec<SigningKey>, private: HashMap<KeyId, Arc<PrivateKey>>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(Keys { stored, reading: current.reading + 1, private });
    }
}

impl Keys {
    /// The key that signs `algorithm` at `now`.
    pub(crate) fn signer(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Result<Arc<PrivateKey>, ServiceError> {
        let key = keys::choose_signing_key(&self.stored, algorithm, now);
        key.and_then(|key| self.private.get(&key.id))
            .cloned()
            .ok_or(ServiceError::Internal("no signing key may be used now"))
    }
}

impl Provider {
    /// Reads the keys; makes the first of an algorithm that has none.
    pub async fn load_keys(&self) -> Result<(), ServiceError> {
        let mut stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        for algorithm in SigningAlgorithm::ALL {
            if !stored.iter().any(|key| key.algorithm == algorithm) {
                self.create_first(algorithm).await?;
            }
        }
        stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        let private = stored
            .iter()
            .map(|key| open(&self.vault, key).map(|private| (key.id.clone(), Arc::new(private))))
            .collect::<Result<_, _>>()?;
        self.keys.replace(stored, private);
        Ok(())
    }

    /// Reads the keys again if another node or an operator changed them.
    pub async fn renew_keys(&self) -> Result<(), ServiceError> {
        let stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        if stored == self.keys.current().stored { Ok(()) } else { self.load_keys().await }
    }

    /// Makes a new key for each algorithm: published from now, used after the announcement. Of operators and nodes that
    /// do so at once, one does.
    pub async fn rotate_keys(&self) -> Result<(), ServiceError> {
        let context = RequestContext::default();
        self.create_successors(&Deed::of_operator(&context)).await.map(drop)
    }

    /// The same by a program, while none is announced: keys that were made and do not sign yet need no others, and whoever
    /// asks all day makes no JWKS without end.
    pub(crate) async fn announce_keys(&self, deed: &Deed<'_>) -> Result<Result<(), RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        if stored.iter().any(|key| now < key.use_from) {
            return Ok(Err(RecordRefusal::Conflict("keys are announced already that do not sign yet")));
        }
        self.create_successors(deed).await
    }

    async fn create_successors(&self, deed: &Deed<'_>) -> Result<Result<(), RecordRefusal>, ServiceError> {
        let now = self.clock.now();
        let stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        if let Err(refusal) = self.db.write(async |tx| deed.check(tx, now).await).await? {
            return Ok(Err(refusal));
        }
        let newest = |algorithm| schedule::newest(&stored, algorithm).map(|key| (algorithm, key.id.clone()));
        let create = SigningAlgorithm::ALL.into_iter().filter_map(newest).collect();
        self.follow_plan(&Plan { create, ..Plan::default() }, Some(deed), now).await?;
        self.keep_keys().await.map(Ok)
    }

    /// Does what the schedule asks for: makes successors, decides when keys end, removes those that did. Then reads them
    /// again.
    pub async fn keep_keys(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        // A new key decides the end of the one before.
        for _ in 0..2 {
            let stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
            let plan = schedule::plan(&stored, &self.key_schedule(), now);
            if plan == Plan::default() {
                break;
            }
            self.follow_plan(&plan, None, now).await?;
        }
        self.load_keys().await
    }

    fn key_schedule(&self) -> Schedule {
        let lifetimes = &self.settings.lifetimes;
        let longest = lifetimes.access_token.max(lifetimes.id_token).max(lifetimes.session_absolute);
        Schedule {
            rotation: self.settings.key_rotation,
            announcement: self.settings.key_announcement,
            retention: Seconds::new(longest.get().saturating_add(READING.get())),
        }
    }

    async fn follow_plan(&self, plan: &Plan, deed: Option<&Deed<'_>>, now: Timestamp) -> Result<(), ServiceError> {
        for (algorithm, followed) in &plan.create {
            let key = generate(&self.vault, *algorithm, now, now.plus(self.settings.key_announcement))?;
            let event = match deed {
                Some(deed) => deed.event(AuditKind::KeyCreated, now)?.detail("kid", key.id.as_str()).build(),
                None => key_event(AuditKind::KeyCreated, &key.id, now)?,
            };
            self.db
                .write(async |tx| {
                    if let Some(deed) = deed
                        && deed.check(tx, now).await?.is_err()
                    {
                        return Ok(());
                    }
                    // Every node sees at the same time that a key is due.
                    if tx.insert_effect(&format!("key_after/{followed}"), now).await? {
                        tx.insert_signing_key(&key).await?;
                        tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                    }
                    Ok::<_, ServiceError>(())
                })
                .await?;
        }
        let removed =
            plan.remove.iter().map(|id| key_event(AuditKind::KeyRemoved, id, now)).collect::<Result<Vec<_>, _>>()?;
        self.db
            .write(async |tx| {
                for (id, at) in &plan.retire {
                    tx.retire_signing_key(id, *at).await?;
                }
                for (id, event) in plan.remove.iter().zip(&removed) {
                    if tx.delete_signing_key(id).await? {
                        tx.insert_audit_events(std::slice::from_ref(event)).await?;
                    }
                }
                Ok::<_, ServiceError>(())
            })
            .await
    }

    /// The stored keys, never a private half in clear.
    pub fn signing_keys(&self) -> Vec<SigningKey> {
        self.keys.current().stored.clone()
    }

    /// Makes the first key of an algorithm, unless another node does.
    async fn create_first(&self, algorithm: SigningAlgorithm) -> Result<(), ServiceError> {
        let now = self.clock.now();
        // Nobody can have cached a JWKS that it would be missing from and yet see it sign: it needs no announcement.
        let key = generate(&self.vault, algorithm, now, now)?;
        let event = key_event(AuditKind::KeyCreated, &key.id, now)?;
        self.db
            .write(async |tx| {
                if is_first(tx, &key).await? {
                    tx.insert_signing_key(&key).await?;
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await
    }
}

fn key_event(kind: AuditKind, id: &KeyId, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    let event = audit::event(&RequestContext::default(), now, kind, AuditOutcome::Success)?;
    Ok(event.detail("kid", id.as_str()).build())
}

/// Whether no other node made the first key of this algorithm. Nodes that start at once wait here for each other.
async fn is_first(tx: &mut Tx, key: &SigningKey) -> Result<bool, ServiceError> {
    let name = format!("first_key/{}", key.algorithm.as_str());
    let standing = tx.insert_setting_if_absent(&name, key.id.as_str().as_bytes()).await?;
    if standing == key.id.as_str().as_bytes() {
        return Ok(true);
    }
    // There was a first one; it may have been removed since.
    Ok(!tx.list_signing_keys().await?.iter().any(|known| known.algorithm == key.algorithm))
}

fn open(vault: &Vault, key: &SigningKey) -> Result<PrivateKey, ServiceError> {
    let der = vault
        .open(Purpose::SigningKey, key.id.as_str().as_bytes(), &key.sealed_private)
        .ok_or_else(|| ServiceError::Configuration("the signing keys were sealed under another master key".into()))?;
    PrivateKey::from_pkcs8(key.algorithm, key.id.clone(), &der)
        .map_err(|_| ServiceError::Internal("a signing key does not parse"))
}

fn generate(
    vault: &Vault,
    algorithm: SigningAlgorithm,
    now: Timestamp,
    use_from: Timestamp,
) -> Result<SigningKey, ServiceError> {
    let failed = ServiceError::Internal("a signing key could not be made");
    let der = generate_pkcs8(algorithm).ok_or(failed)?;
    let unique = URL_SAFE_NO_PAD.encode(random::<9>()?);
    let id: KeyId = format!("{}-{}-{unique}", algorithm.as_str().to_lowercase(), now.as_secs())
        .parse()
        .map_err(|_| ServiceError::Internal("a kid could not be made"))?;
    let public_jwk =
        keys::public_jwk(algorithm, &id, &der).map_err(|_| ServiceError::Internal("a signing key does not parse"))?;
    let sealed_private = vault.seal(Purpose::SigningKey, id.as_str().as_bytes(), &der)?;
    Ok(SigningKey { id, algorithm, public_jwk, sealed_private, created_at: now, use_from, retire_at: None })
}

fn generate_pkcs8(algorithm: SigningAlgorithm) -> Option<Zeroizing<Vec<u8>>> {
    let random = SystemRandom::new();
    let der = match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = pair.as_der().ok()?;
            der.as_ref().to_vec()
        }
        SigningAlgorithm::ES256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?.as_ref().to_vec()
        }
        SigningAlgorithm::EdDSA => Ed25519KeyPair::generate_pkcs8(&random).ok()?.as_ref().to_vec(),
    };
    Some(Zeroizing::new(der))
}
