//! The signing keys: made on first start, sealed in the database, published before they are used.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_lc_rs::{encoding::AsDer as _, rand::SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditKind, AuditOutcome, KeyId, SigningAlgorithm, SigningKey, Timestamp};
use countersign_protocol::PrivateKey;
use countersign_protocol::keys;
use countersign_store::Tx;
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};

/// The keys as they were read last. Reading again replaces them as a whole.
#[derive(Default)]
pub(crate) struct KeyRing(RwLock<Arc<Keys>>);

/// Keys of one reading.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) stored: Vec<SigningKey>,
    private: HashMap<KeyId, Arc<PrivateKey>>,
}

impl KeyRing {
    pub(crate) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
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
    /// Reads the keys; makes the first of each algorithm, and its announced successor, when there is none.
    pub async fn load_keys(&self) -> Result<(), ServiceError> {
        let mut stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        for algorithm in SigningAlgorithm::ALL {
            if !stored.iter().any(|key| key.algorithm == algorithm) {
                let now = self.clock.now();
                // Nobody can have cached a JWKS yet, so the first key needs no announcement.
                self.create_key(algorithm, now, now, true).await?;
            }
        }
        stored = self.db.read(async |tx| tx.list_signing_keys().await).await?;
        let private = stored
            .iter()
            .map(|key| open(&self.vault, key).map(|private| (key.id.clone(), Arc::new(private))))
            .collect::<Result<_, _>>()?;
        self.keys.replace(Keys { stored, private });
        Ok(())
    }

    /// Makes a new key for each algorithm: published from now, used after the announcement.
    pub async fn rotate_keys(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        for algorithm in SigningAlgorithm::ALL {
            self.create_key(algorithm, now, now.plus(self.settings.key_announcement), false).await?;
        }
        self.load_keys().await
    }

    /// The stored keys, never a private half in clear.
    pub fn signing_keys(&self) -> Vec<SigningKey> {
        self.keys.current().stored.clone()
    }

    async fn create_key(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        use_from: Timestamp,
        first: bool,
    ) -> Result<(), ServiceError> {
        let key = generate(&self.vault, algorithm, now, use_from)?;
        let event = audit::event(&RequestContext::default(), now, AuditKind::KeyCreated, AuditOutcome::Success)?
            .detail("kid", key.id.as_str())
            .detail("alg", algorithm.as_str())
            .build();
        self.db
            .write(async |tx| {
                if first && !is_first(tx, &key).await? {
                    return Ok(());
                }
                tx.insert_signing_key(&key).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await
    }
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
