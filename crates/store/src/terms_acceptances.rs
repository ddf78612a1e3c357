//! What people agreed to, and when.

use countersign_model::{TermsAcceptance, UserId};
use diesel::{ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, time};
use crate::schema::{terms_acceptances, users};
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = terms_acceptances)]
struct AcceptanceRow {
    user_id: String,
    document: String,
    version: String,
    accepted_at: i64,
}

impl Tx {
    /// Notes an agreement, and the version on the account: false when it was noted before; the first time stands.
    pub async fn accept_terms(&mut self, acceptance: &TermsAcceptance) -> Result<bool, StoreError> {
        let row = AcceptanceRow {
            user_id: acceptance.user.to_string(),
            document: acceptance.document.clone(),
            version: acceptance.version.clone(),
            accepted_at: acceptance.accepted_at.as_millis(),
        };
        let query = diesel::insert_into(terms_acceptances::table).values(&row).on_conflict_do_nothing();
        let is_first = on!(self, |c| query.execute(c).await)? == 1;
        let query = diesel::update(users::table.find(acceptance.user.as_str()))
            .set(users::terms_version.eq(acceptance.version.as_str()));
        on!(self, |c| query.execute(c).await)?;
        Ok(is_first)
    }

    /// What `user` agreed to, oldest first.
    pub async fn list_terms_acceptances(&mut self, user: &UserId) -> Result<Vec<TermsAcceptance>, StoreError> {
        use terms_acceptances::{accepted_at, document, user_id, version};
        let query = terms_acceptances::table.filter(user_id.eq(user.as_str())).order((accepted_at, document, version));
        let rows: Vec<AcceptanceRow> = on!(self, |c| query.select(AcceptanceRow::as_select()).load(c).await)?;
        rows.into_iter().map(AcceptanceRow::into_noun).collect()
    }
}

impl AcceptanceRow {
    fn into_noun(self) -> Result<TermsAcceptance, StoreError> {
        let row = Row { table: "terms_acceptances", id: &self.user_id };
        Ok(TermsAcceptance {
            user: row.parse("user_id", &self.user_id)?,
            accepted_at: time(self.accepted_at),
            document: self.document,
            version: self.version,
        })
    }
}
