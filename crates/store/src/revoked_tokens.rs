//! Access tokens that were taken back before their end and have no grant to die with (RFC 7009).

use countersign_model::Timestamp;
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::schema::revoked_tokens;
use crate::{StoreError, Tx};

impl Tx {
    /// Takes back the token of `jti`, which ends at `expires_at` anyway; false when it was taken back before.
    pub async fn revoke_token(&mut self, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        let row = (revoked_tokens::jti.eq(jti), revoked_tokens::expires_at.eq(expires_at.as_millis()));
        let query = diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Whether the token of `jti` was taken back.
    pub async fn is_token_revoked(&mut self, jti: &str) -> Result<bool, StoreError> {
        let query = revoked_tokens::table.find(jti).select(revoked_tokens::jti);
        let rows: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!rows.is_empty())
    }
}
