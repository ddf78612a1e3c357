//! How far each system that is given the audit log has it, and which node gives it.

use countersign_model::Timestamp;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::audit_tree::{column, count};
use crate::db::on;
use crate::schema::audit_sinks;
use crate::{StoreError, Tx};

impl Tx {
    /// The place of the first entry that the sink `name` has not; 0 for one that has none yet.
    pub async fn find_sink_position(&mut self, name: &str) -> Result<u64, StoreError> {
        let query = audit_sinks::table.find(name).select(audit_sinks::position);
        let rows: Vec<i64> = on!(self, |c| query.load(c).await)?;
        rows.into_iter().next().map_or(Ok(0), count)
    }

    /// Lets `holder` alone feed the sink until `until`: its position; none while another's turn lasts.
    pub async fn claim_sink(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let new = (
            audit_sinks::name.eq(name),
            audit_sinks::position.eq(0),
            audit_sinks::holder.eq(holder),
            audit_sinks::held_until.eq(now.as_millis()),
        );
        let insert = diesel::insert_into(audit_sinks::table).values(new).on_conflict_do_nothing();
        on!(self, |c| insert.execute(c).await)?;
        let is_free = audit_sinks::holder.eq(holder).or(audit_sinks::held_until.le(now.as_millis()));
        let claim = diesel::update(audit_sinks::table.filter(audit_sinks::name.eq(name).and(is_free)))
            .set((audit_sinks::holder.eq(holder), audit_sinks::held_until.eq(until.as_millis())))
            .returning(audit_sinks::position);
        let rows: Vec<i64> = on!(self, |c| claim.get_results(c).await)?;
        rows.into_iter().next().map(count).transpose()
    }

    /// `holder` gives its turn back: nobody has one before `until`.
    pub async fn rest_sink(&mut self, name: &str, holder: &str, until: Timestamp) -> Result<(), StoreError> {
        let held = audit_sinks::name.eq(name).and(audit_sinks::holder.eq(holder));
        let query = diesel::update(audit_sinks::table.filter(held))
            .set((audit_sinks::holder.eq(""), audit_sinks::held_until.eq(until.as_millis())));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// The sink has everything before `to`; `holder`'s turn is over. False when it was over before: another goes on.
    pub async fn advance_sink(&mut self, name: &str, holder: &str, from: u64, to: u64) -> Result<bool, StoreError> {
        let held = audit_sinks::name.eq(name).and(audit_sinks::holder.eq(holder));
        let held = held.and(audit_sinks::position.eq(column(from)?));
        let query = diesel::update(audit_sinks::table.filter(held))
            .set((audit_sinks::position.eq(column(to)?), audit_sinks::held_until.eq(0)));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}
