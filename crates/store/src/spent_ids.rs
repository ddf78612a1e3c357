//! Ids that are good once: of client assertions, DPoP proofs and JWT grants.

use countersign_model::{KeyedHash, Timestamp};
use diesel::ExpressionMethods;
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::schema::spent_ids;
use crate::{StoreError, Tx};

impl Tx {
    /// Spends an id, by the hash of its kind, issuer and `jti`: of any number of callers exactly one gets true, until
    /// `expires_at`, after which whatever bears the id must be refused for its age.
    pub async fn spend_id(&mut self, hash: &KeyedHash, expires_at: Timestamp) -> Result<bool, StoreError> {
        let row = (spent_ids::hash.eq(hash.as_slice()), spent_ids::expires_at.eq(expires_at.as_millis()));
        let query = diesel::insert_into(spent_ids::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}
