//! The provider groups whose people a provider administrator looks after.

use countersign_model::{OrganizationId, Timestamp, UserId};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::Row;
use crate::schema::administered_organizations as administered;
use crate::{StoreError, Tx};

impl Tx {
    /// Lets `user` look after the people of `organization`: false when they do already.
    pub async fn insert_administered(
        &mut self,
        user: &UserId,
        organization: &OrganizationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = (
            administered::user_id.eq(user.as_str()),
            administered::organization.eq(organization.as_str()),
            administered::granted_at.eq(now.as_millis()),
        );
        let query = diesel::insert_into(administered::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Takes `organization` from `user`, or all of theirs, and says how many those were.
    pub async fn delete_administered(
        &mut self,
        user: &UserId,
        organization: Option<&OrganizationId>,
    ) -> Result<usize, StoreError> {
        let own = administered::user_id.eq(user.as_str());
        if let Some(organization) = organization {
            let one = own.and(administered::organization.eq(organization.as_str()));
            let query = diesel::delete(administered::table.filter(one));
            on!(self, |c| query.execute(c).await)
        } else {
            let query = diesel::delete(administered::table.filter(own));
            on!(self, |c| query.execute(c).await)
        }
    }

    /// The groups whose people `user` looks after.
    pub async fn list_administered(&mut self, user: &UserId) -> Result<Vec<OrganizationId>, StoreError> {
        let query = administered::table
            .filter(administered::user_id.eq(user.as_str()))
            .order(administered::organization)
            .select(administered::organization);
        let found: Vec<String> = on!(self, |c| query.load(c).await)?;
        let row = Row { table: "administered_organizations", id: user.as_str() };
        found.iter().map(|id| row.parse("organization", id)).collect()
    }
}
