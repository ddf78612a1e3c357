//! Credentials of the legacy portal: imported hashes, or the portal's own answer over HTTP.
//!
//! Imported hashes are of several methods, some slower than others, and most names have none. So that time tells nothing
//! of that, every try computes one hash of each cost that was ever imported, and whoever is wrong is asked about at the portal.

use std::collections::BTreeSet;

use countersign_flow::{Input, Verdict, password};
use countersign_model::{Account, LegacyCredential};
use countersign_store::{StoreError, Tx};
use secrecy::SecretString;

use crate::ServiceError;
use crate::flow::given_password;
use crate::provider::Provider;

/// Settings that name the costs of imported hashes: one for each, by its dummy.
const COST: &str = "legacy_cost/";
/// Most costs an import may bring: each try pays all of them.
pub(crate) const MAX_COSTS: usize = 4;

/// The costs of imported hashes, as dummies of them.
pub(crate) async fn list_costs(tx: &mut Tx) -> Result<BTreeSet<String>, StoreError> {
    let settings = tx.list_settings(COST).await?;
    Ok(settings.into_iter().filter_map(|(key, _)| Some(key.strip_prefix(COST)?.to_owned())).collect())
}

/// Notes the cost of a hash before it is written: who sees the account sees the cost too.
pub(crate) async fn note_cost(tx: &mut Tx, legacy: &LegacyCredential) -> Result<(), ServiceError> {
    let cost = password::dummy_like(&legacy.phc).map_err(|_| ServiceError::Internal("a hash is of no known method"))?;
    tx.insert_setting_if_absent(&format!("{COST}{cost}"), &[]).await?;
    Ok(())
}

impl Provider {
    /// Whether the password is that of the legacy portal. Of who has no imported hash the portal is believed, if there is
    /// a connector.
    pub(crate) async fn verify_legacy(
        &self,
        account: Option<&Account>,
        input: &Input,
    ) -> Result<Verdict, ServiceError> {
        let password = given_password(input);
        let imported = account.and_then(|account| account.legacy.clone()).map(|credential| credential.phc);
        let costs = self.db.read(async |tx| list_costs(tx).await).await?;
        let believed = account.is_some() && imported.is_none();
        if self.hash_pool.verify_among(password.clone(), imported, costs.into_iter().collect()).await? {
            return Ok(Verdict::Right);
        }
        // Asked for unknown names too, and for those whose hash alone counts.
        let username = input.fields.get("username").map_or("", |name| name.trim());
        let answer = self.ask_legacy(username, &password).await?;
        Ok(if believed { answer } else { Verdict::Wrong })
    }

    async fn ask_legacy(&self, username: &str, password: &SecretString) -> Result<Verdict, ServiceError> {
        let Some(connector) = &self.legacy else { return Ok(Verdict::Wrong) };
        match connector.check(username, password).await {
            Ok(Some(_)) => Ok(Verdict::Right),
            Ok(None) => Ok(Verdict::Wrong),
            Err(error) => {
                tracing::warn!(%error, "the legacy portal did not answer");
                Err(ServiceError::Busy(countersign_model::Seconds::new(5)))
            }
        }
    }
}
