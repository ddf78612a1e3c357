//! Removing events whose class is kept no longer. Their places and hashes stay, so the tree does.

use countersign_model::{AuditKind, Timestamp};
use diesel::{ExpressionMethods, Insertable, JoinOnDsl, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::audit_tree::{column, count};
use crate::db::{insert_all, on};
use crate::schema::{audit_entries, audit_events, audit_expiring};
use crate::{StoreError, Tx};

/// What an event tells of a removal.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct RemovalTold {
    /// Kind of the events.
    pub of: String,
    /// They are from before this, in milliseconds since 1970.
    pub before: i64,
    /// Their places.
    pub positions: String,
    /// By which who wrote it is known.
    pub seal: String,
}

#[derive(Insertable)]
#[diesel(table_name = audit_expiring)]
struct Mark {
    event_id: String,
}

impl Tx {
    /// Events of `kind` from before `before` that stand at places below `end`, the oldest first, at most `limit`: place
    /// and id of each.
    pub async fn list_expired_events(
        &mut self,
        kind: AuditKind,
        before: Timestamp,
        end: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        let query = audit_events::table
            .inner_join(audit_entries::table.on(audit_entries::event_id.eq(audit_events::id)))
            .filter(audit_events::kind.eq(kind.as_str()))
            .filter(audit_events::at.lt(before.as_millis()))
            .filter(audit_entries::position.lt(column(end)?))
            .order((audit_events::at, audit_events::id))
            .limit(i64::from(limit))
            .select((audit_entries::position, audit_events::id));
        let rows: Vec<(i64, String)> = on!(self, |c| query.load(c).await)?;
        rows.into_iter().map(|(position, id)| Ok((count(position)?, id))).collect()
    }

    /// Removes these events. The database refuses to delete an event that is not marked: so nothing else removes any.
    pub async fn remove_events(&mut self, ids: &[String]) -> Result<usize, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let marks: Vec<Mark> = ids.iter().map(|id| Mark { event_id: id.clone() }).collect();
        insert_all!(self, audit_expiring::table, marks)?;
        let query = diesel::delete(audit_events::table.filter(audit_events::id.eq_any(ids)));
        let removed = on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(audit_expiring::table.filter(audit_expiring::event_id.eq_any(ids)));
        on!(self, |c| query.execute(c).await)?;
        Ok(removed)
    }

    /// What every event of `kind` tells of a removal; one that tells nothing of the sort is left out.
    pub async fn list_removals_told(&mut self, kind: AuditKind) -> Result<Vec<RemovalTold>, StoreError> {
        let query = audit_events::table
            .filter(audit_events::kind.eq(kind.as_str()))
            .order((audit_events::at, audit_events::id))
            .select(audit_events::detail);
        let details: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(details.iter().filter_map(|detail| serde_json::from_str(detail).ok()).collect())
    }
}
