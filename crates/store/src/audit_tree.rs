//! The tree over the audit: places of events, hashes, checkpoints. Nothing here changes or deletes what was placed, and
//! the database refuses both.

use std::collections::BTreeSet;

use countersign_model::{AuditEvent, Timestamp};
use diesel::{ExpressionMethods, Insertable, JoinOnDsl, QueryDsl, Queryable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::audit_events::EventRow;
use crate::db::{insert_all, on};
use crate::row::{Row, time};
use crate::schema::{audit_checkpoints, audit_entries, audit_events, audit_subtrees, audit_unplaced};
use crate::{StoreError, Tx};

/// The hash of a leaf or of a perfect subtree.
pub type EntryHash = [u8; 32];

/// What stands at a place of the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// The place; the first is 0.
    pub position: u64,
    /// Id of the event.
    pub event_id: String,
    /// Hash of its entry, as it was when it was placed.
    pub hash: EntryHash,
    /// The event as it is now: none when it is gone, or no event any more.
    pub event: Option<AuditEvent>,
}

/// An event without a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfLog {
    /// Its id.
    pub event_id: String,
    /// When it happened, by its own word.
    pub at: Timestamp,
    /// Whether it waits for a place.
    pub waits: bool,
}

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// How many entries the tree had.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// The note.
    pub note: String,
}

#[derive(Insertable, Queryable)]
#[diesel(table_name = audit_entries)]
struct EntryRow {
    position: i64,
    event_id: String,
    hash: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = audit_subtrees)]
struct SubtreeRow {
    level: i64,
    position: i64,
    hash: Vec<u8>,
}

impl Tx {
    /// How many entries the log has.
    pub async fn find_log_size(&mut self) -> Result<u64, StoreError> {
        let query = audit_entries::table.select(audit_entries::position).order(audit_entries::position.desc()).limit(1);
        let last: Vec<i64> = on!(self, |c| query.load(c).await)?;
        last.into_iter().next().map_or(Ok(0), |last| count(last).map(|last| last + 1))
    }

    /// Whether events wait for a place.
    pub async fn has_unplaced_events(&mut self) -> Result<bool, StoreError> {
        let query = audit_unplaced::table.select(audit_unplaced::event_id).limit(1);
        let waiting: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!waiting.is_empty())
    }

    /// Events without a place, oldest first. One that this version does not know is passed over and goes on waiting.
    pub async fn list_unplaced_events(&mut self, limit: u32) -> Result<Vec<AuditEvent>, StoreError> {
        let mut after = String::new();
        loop {
            let query = audit_unplaced::table
                .inner_join(audit_events::table.on(audit_events::id.eq(audit_unplaced::event_id)))
                .filter(audit_unplaced::event_id.gt(&after))
                .order(audit_unplaced::event_id)
                .limit(i64::from(limit));
            let rows: Vec<EventRow> = on!(self, |c| query.select(EventRow::as_select()).load(c).await)?;
            let Some(last) = rows.last().map(|row| row.id().to_owned()) else { return Ok(Vec::new()) };
            let known: Vec<_> = rows.into_iter().filter_map(|row| row.into_noun().inspect_err(complain).ok()).collect();
            if !known.is_empty() {
                return Ok(known);
            }
            after = last;
        }
    }

    /// Forgets that events wait which have their place: somebody queued them by hand, or the database was restored in parts.
    pub async fn forget_placed_events(&mut self, limit: u32) -> Result<usize, StoreError> {
        let query = audit_unplaced::table
            .inner_join(audit_entries::table.on(audit_entries::event_id.eq(audit_unplaced::event_id)))
            .limit(i64::from(limit))
            .select(audit_unplaced::event_id);
        let placed: Vec<String> = on!(self, |c| query.load(c).await)?;
        if placed.is_empty() {
            return Ok(0);
        }
        let query = diesel::delete(audit_unplaced::table.filter(audit_unplaced::event_id.eq_any(placed)));
        on!(self, |c| query.execute(c).await)
    }

    /// The last leaf.
    pub async fn find_last_leaf(&mut self) -> Result<Option<EntryHash>, StoreError> {
        let query = audit_entries::table.select(audit_entries::hash).order(audit_entries::position.desc()).limit(1);
        let last: Vec<Vec<u8>> = on!(self, |c| query.load(c).await)?;
        Ok(last.into_iter().next().and_then(|hash| hash.try_into().ok()))
    }

    /// Gives events their places, from `first` on.
    pub async fn place_events(&mut self, first: u64, events: &[(&AuditEvent, EntryHash)]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = events.iter().map(|(event, _)| event.id.to_string()).collect();
        let rows = (first..).zip(events).map(|(position, (event, hash))| {
            Ok(EntryRow { position: column(position)?, event_id: event.id.to_string(), hash: hash.to_vec() })
        });
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        insert_all!(self, audit_entries::table, rows)?;
        let query = diesel::delete(audit_unplaced::table.filter(audit_unplaced::event_id.eq_any(ids)));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Stores perfect subtrees: level, position, hash.
    pub async fn insert_subtrees(&mut self, subtrees: &[(u32, u64, EntryHash)]) -> Result<(), StoreError> {
        if subtrees.is_empty() {
            return Ok(());
        }
        let rows = subtrees.iter().map(|(level, position, hash)| {
            Ok(SubtreeRow { level: i64::from(*level), position: column(*position)?, hash: hash.to_vec() })
        });
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        insert_all!(self, audit_subtrees::table, rows).map(drop)
    }

    /// The `length` hashes of `level` from `first` on, in order; level 0 are the entries. [`StoreError::Corrupt`] if one
    /// is missing.
    pub async fn list_tree_hashes(
        &mut self,
        level: u32,
        first: u64,
        length: u64,
    ) -> Result<Vec<EntryHash>, StoreError> {
        let (from, to) = (column(first)?, column(first.saturating_add(length))?);
        let hashes: Vec<Vec<u8>> = if level == 0 {
            let range =
                audit_entries::table.filter(audit_entries::position.ge(from)).filter(audit_entries::position.lt(to));
            on!(self, |c| range.order(audit_entries::position).select(audit_entries::hash).load(c).await)?
        } else {
            let range = audit_subtrees::table
                .filter(audit_subtrees::level.eq(i64::from(level)))
                .filter(audit_subtrees::position.ge(from))
                .filter(audit_subtrees::position.lt(to));
            on!(self, |c| range.order(audit_subtrees::position).select(audit_subtrees::hash).load(c).await)?
        };
        let place = first.to_string();
        let row = Row { table: "audit_subtrees", id: &place };
        if hashes.len() as u64 != length {
            return Err(row.corrupt("position"));
        }
        hashes.into_iter().map(|hash| hash.try_into().map_err(|_| row.corrupt("hash"))).collect()
    }

    /// The stored hash of a subtree.
    pub async fn find_subtree(&mut self, level: u32, position: u64) -> Result<Option<EntryHash>, StoreError> {
        let query = audit_subtrees::table.find((i64::from(level), column(position)?)).select(audit_subtrees::hash);
        let hashes: Vec<Vec<u8>> = on!(self, |c| query.load(c).await)?;
        Ok(hashes.into_iter().next().and_then(|hash| hash.try_into().ok()))
    }

    /// What stands in the log from `first` on, at most `limit` places.
    pub async fn list_log(&mut self, first: u64, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        let query = audit_entries::table
            .left_join(audit_events::table.on(audit_events::id.eq(audit_entries::event_id)))
            .filter(audit_entries::position.ge(column(first)?))
            .order(audit_entries::position)
            .limit(i64::from(limit));
        let rows: Vec<(EntryRow, Option<EventRow>)> = on!(self, |c| {
            query.select((audit_entries::all_columns, Option::<EventRow>::as_select())).load(c).await
        })?;
        rows.into_iter()
            .map(|(entry, event)| {
                let row = Row { table: "audit_entries", id: &entry.event_id };
                Ok(LogEntry {
                    position: count(entry.position)?,
                    hash: entry.hash.try_into().map_err(|_| row.corrupt("hash"))?,
                    event: event.and_then(|event| event.into_noun().ok()),
                    event_id: entry.event_id,
                })
            })
            .collect()
    }

    /// Places of the events about the token `jti`, oldest first; at most a hundred.
    pub async fn list_places_of_token(&mut self, jti: &str) -> Result<Vec<u64>, StoreError> {
        let query = audit_entries::table
            .inner_join(audit_events::table.on(audit_events::id.eq(audit_entries::event_id)))
            .filter(audit_events::jti.eq(jti))
            .order(audit_entries::position)
            .limit(100)
            .select(audit_entries::position);
        let places: Vec<i64> = on!(self, |c| query.load(c).await)?;
        places.into_iter().map(count).collect()
    }

    /// Events behind the id `after`, in order: at most `limit` of them are looked at. Those without a place, and the last id
    /// that was looked at, if there was one.
    pub async fn list_events_out_of_log(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<(Vec<OutOfLog>, Option<String>), StoreError> {
        let query = audit_events::table
            .filter(audit_events::id.gt(after))
            .order(audit_events::id)
            .limit(i64::from(limit))
            .select((audit_events::id, audit_events::at));
        let looked: Vec<(String, i64)> = on!(self, |c| query.load(c).await)?;
        let last = looked.last().map(|(id, _)| id.clone());
        let placed = self.list_placed(looked.iter().map(|(id, _)| id.clone()).collect()).await?;
        let missing: Vec<(String, i64)> = looked.into_iter().filter(|(id, _)| !placed.contains(id)).collect();
        let waiting = self.list_waiting(missing.iter().map(|(id, _)| id.clone()).collect()).await?;
        // What waited a moment ago may have its place by now.
        let placed = self.list_placed(missing.iter().map(|(id, _)| id.clone()).collect()).await?;
        let out = missing.into_iter().filter(|(id, _)| !placed.contains(id));
        let out = out.map(|(id, at)| OutOfLog { waits: waiting.contains(&id), event_id: id, at: time(at) });
        Ok((out.collect(), last))
    }

    async fn list_placed(&mut self, ids: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        let query = audit_entries::table.filter(audit_entries::event_id.eq_any(ids)).select(audit_entries::event_id);
        let placed: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(placed.into_iter().collect())
    }

    async fn list_waiting(&mut self, ids: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        let query = audit_unplaced::table.filter(audit_unplaced::event_id.eq_any(ids)).select(audit_unplaced::event_id);
        let waiting: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(waiting.into_iter().collect())
    }

    /// Stores a checkpoint.
    pub async fn insert_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        let row = (
            audit_checkpoints::size.eq(column(checkpoint.size)?),
            audit_checkpoints::at.eq(checkpoint.at.as_millis()),
            audit_checkpoints::note.eq(&checkpoint.note),
        );
        on!(self, |c| diesel::insert_into(audit_checkpoints::table).values(row).execute(c).await).map(drop)
    }

    /// The newest checkpoint.
    pub async fn find_last_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        let query = audit_checkpoints::table.order(audit_checkpoints::size.desc()).limit(1);
        let rows: Vec<(i64, i64, String)> = on!(self, |c| query.load(c).await)?;
        rows.into_iter().next().map(to_checkpoint).transpose()
    }

    /// Checkpoints of more than `size` entries, the smallest first.
    pub async fn list_checkpoints_after(&mut self, size: u64, limit: u32) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let query = audit_checkpoints::table
            .filter(audit_checkpoints::size.gt(column(size)?))
            .order(audit_checkpoints::size)
            .limit(i64::from(limit));
        let rows: Vec<(i64, i64, String)> = on!(self, |c| query.load(c).await)?;
        rows.into_iter().map(to_checkpoint).collect()
    }
}

fn to_checkpoint((size, at, note): (i64, i64, String)) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint { size: count(size)?, at: time(at), note })
}

pub(crate) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Database("a place beyond what a column holds".to_owned()))
}

pub(crate) fn count(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Corrupt {
        table: "audit_entries",
        column: "position",
        row: column.to_string(),
    })
}

fn complain(error: &StoreError) {
    tracing::warn!(%error, "an event of the audit cannot be placed by this version");
}
