//! Lists of people for who looks after them, by name, a page at a time.

use countersign_model::{Factor, OrganizationId, Timestamp, User, UserId, UserStatus};
use diesel::dsl::max;
use diesel::{
    BoolExpressionMethods, EscapeExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl,
    SelectableHelper, TextExpressionMethods,
};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::factors::FactorRow;
use crate::row::{Row, starting, time};
use crate::schema::{factors, known_devices, users};
use crate::users::UserRow;
use crate::{StoreError, Tx};

/// Which people to list, those with a closed account never.
#[derive(Clone, Debug, Default)]
pub struct PeopleFilter {
    /// Of one of these provider groups; none: of any and of none.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Of this status; none: of any.
    pub status: Option<UserStatus>,
    /// With this text in name, mail address or user name; case does not matter.
    pub search: Option<String>,
    /// After this one, the last of the page before. One that the filter does not find counts for nothing.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

/// The part of a query that keeps to a filter's people, whatever was searched for.
macro_rules! within {
    ($query:expr, $filter:expr) => {{
        let mut query = $query.filter(users::status.ne(UserStatus::Closed.as_str()));
        if let Some(organizations) = &$filter.organizations {
            let ids: Vec<&str> = organizations.iter().map(OrganizationId::as_str).collect();
            query = query.filter(users::organization.eq_any(ids));
        }
        query
    }};
}

impl Tx {
    /// The people that `filter` asks for, by name.
    pub async fn list_people(&mut self, filter: &PeopleFilter) -> Result<Vec<User>, StoreError> {
        let after = self.find_place(filter).await?;
        let rows: Vec<UserRow> = on!(self, |c| {
            let mut query = within!(users::table.select(UserRow::as_select()).into_boxed(), filter);
            if let Some(status) = filter.status {
                query = query.filter(users::status.eq(status.as_str()));
            }
            if let Some(search) = &filter.search {
                let text = format!("%{}", starting(&search.to_lowercase()));
                let named = users::listed_name.like(text.clone()).escape('!');
                let named = named.or(users::email.assume_not_null().like(text.clone()).escape('!'));
                query = query.filter(named.or(users::username.assume_not_null().like(text).escape('!')));
            }
            if let Some((name, id)) = &after {
                let same = users::listed_name.eq(name).and(users::id.gt(id));
                query = query.filter(users::listed_name.gt(name).or(same));
            }
            query.order((users::listed_name, users::id)).limit(i64::from(filter.limit)).load(c).await
        })?;
        rows.into_iter().map(UserRow::into_noun).collect()
    }

    /// Where the page before ended.
    async fn find_place(&mut self, filter: &PeopleFilter) -> Result<Option<(String, String)>, StoreError> {
        let Some(after) = &filter.after else { return Ok(None) };
        let mut found: Vec<(String, String)> = on!(self, |c| {
            let query = users::table.select((users::listed_name, users::id)).into_boxed();
            within!(query, filter).filter(users::id.eq(after.as_str())).load(c).await
        })?;
        Ok(found.pop())
    }

    /// Every factor of `people`, each person's oldest first.
    pub async fn list_factors_of(&mut self, people: &[UserId]) -> Result<Vec<Factor>, StoreError> {
        let ids: Vec<&str> = people.iter().map(UserId::as_str).collect();
        let query = factors::table.filter(factors::user_id.eq_any(ids)).order((factors::bound_at, factors::id));
        let rows: Vec<FactorRow> = on!(self, |c| query.select(FactorRow::as_select()).load(c).await)?;
        rows.into_iter().map(FactorRow::into_noun).collect()
    }

    /// When each of `people` signed in last; who never did is left out.
    pub async fn list_last_sign_ins(&mut self, people: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let ids: Vec<&str> = people.iter().map(UserId::as_str).collect();
        let query = known_devices::table
            .filter(known_devices::user_id.eq_any(ids))
            .group_by(known_devices::user_id)
            .select((known_devices::user_id, max(known_devices::last_seen_at)));
        let rows: Vec<(String, Option<i64>)> = on!(self, |c| query.load(c).await)?;
        let read = |(id, seen): (String, Option<i64>)| {
            let user = Row { table: "known_devices", id: &id }.parse("user_id", &id);
            seen.map(|seen| user.map(|user| (user, time(seen))))
        };
        rows.into_iter().filter_map(read).collect()
    }
}
