//! The key that signs checkpoints: made when it is first asked for, sealed in the database, and used for nothing else.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use countersign_audit::NoteKey;

use crate::ServiceError;
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::Purpose;

const SETTING: &str = "audit_key";
const NAME: &str = "audit_log_name";
/// Bytes of an Ed25519 seed (RFC 8032, 5.1.5).
const SEED: usize = 32;

impl Provider {
    /// Name of the log and of its key: the issuer without scheme, and `/audit` (C2SP tlog-checkpoint: a URL without
    /// scheme), as it was when the log began. Another issuer does not make it another log.
    pub(super) async fn log_origin(&self) -> Result<String, ServiceError> {
        let issuer = self.settings.issuer.as_str();
        let bare = issuer.split_once("://").map_or(issuer, |(_, bare)| bare);
        let fresh = format!("{}/audit", bare.trim_end_matches('/')).into_bytes();
        let kept = match self.db.read(async |tx| tx.find_setting(NAME).await).await? {
            Some(kept) => kept,
            None => self.db.write(async |tx| tx.insert_setting_if_absent(NAME, &fresh).await).await?,
        };
        String::from_utf8(kept).map_err(|_| ServiceError::Internal("the audit log's name is no text"))
    }

    /// The public key that checkpoints are verified with, as `name+hash+base64` (C2SP signed-note).
    pub async fn audit_key(&self) -> Result<String, ServiceError> {
        Ok(self.log_key().await?.to_string())
    }

    pub(super) async fn log_key(&self) -> Result<NoteKey, ServiceError> {
        let (pair, origin) = (self.log_key_pair().await?, self.log_origin().await?);
        let public = pair.public_key().as_ref().try_into().ok();
        let key = public.and_then(|public| NoteKey::new(&origin, public));
        key.ok_or(ServiceError::Internal("the key of the audit log has no name"))
    }

    pub(super) async fn log_key_pair(&self) -> Result<Ed25519KeyPair, ServiceError> {
        let context = SETTING.as_bytes();
        let sealed = if let Some(sealed) = self.db.read(async |tx| tx.find_setting(SETTING).await).await? {
            sealed
        } else {
            let fresh = self.vault.seal(Purpose::AuditKey, context, &random::<SEED>()?)?;
            self.db.write(async |tx| tx.insert_setting_if_absent(SETTING, &fresh).await).await?
        };
        let elsewhere = || ServiceError::Configuration("the audit's key was sealed under another master key".into());
        let seed = self.vault.open(Purpose::AuditKey, context, &sealed).ok_or_else(elsewhere)?;
        Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| ServiceError::Internal("the key of the audit log does not parse"))
    }
}
