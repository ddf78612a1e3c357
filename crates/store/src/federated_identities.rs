//! Links between accounts and upstream providers.

use countersign_model::{FederatedIdentity, Timestamp, UserId};
use diesel::{ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, millis, time};
use crate::schema::federated_identities;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = federated_identities, treat_none_as_default_value = false)]
struct IdentityRow {
    provider: String,
    subject: String,
    user_id: String,
    email: Option<String>,
    linked_at: i64,
    used_at: Option<i64>,
}

impl Tx {
    /// Links a person of a provider to an account: false when that person is linked already, to whomever.
    pub async fn insert_federated_identity(&mut self, identity: &FederatedIdentity) -> Result<bool, StoreError> {
        let row = IdentityRow::from_noun(identity);
        let query = diesel::insert_into(federated_identities::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Whose account the provider's `subject` is linked to.
    pub async fn find_federated_identity(
        &mut self,
        provider: &str,
        subject: &str,
    ) -> Result<Option<FederatedIdentity>, StoreError> {
        let query = federated_identities::table.find((provider, subject));
        let mut rows: Vec<IdentityRow> = on!(self, |c| query.select(IdentityRow::as_select()).load(c).await)?;
        rows.pop().map(IdentityRow::into_noun).transpose()
    }

    /// Notes a sign-in by way of the provider and the address it told: false when there is no such link.
    pub async fn touch_federated_identity(
        &mut self,
        provider: &str,
        subject: &str,
        email: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let new = (federated_identities::email.eq(email), federated_identities::used_at.eq(now.as_millis()));
        let query = diesel::update(federated_identities::table.find((provider, subject))).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The upstream people linked to `user`, oldest first.
    pub async fn list_federated_identities(&mut self, user: &UserId) -> Result<Vec<FederatedIdentity>, StoreError> {
        let query = federated_identities::table.filter(federated_identities::user_id.eq(user.as_str())).order((
            federated_identities::linked_at,
            federated_identities::provider,
            federated_identities::subject,
        ));
        let rows: Vec<IdentityRow> = on!(self, |c| query.select(IdentityRow::as_select()).load(c).await)?;
        rows.into_iter().map(IdentityRow::into_noun).collect()
    }
}

impl IdentityRow {
    fn from_noun(identity: &FederatedIdentity) -> Self {
        Self {
            provider: identity.provider.clone(),
            subject: identity.subject.clone(),
            user_id: identity.user.to_string(),
            email: identity.email.clone(),
            linked_at: identity.linked_at.as_millis(),
            used_at: millis(identity.used_at),
        }
    }

    fn into_noun(self) -> Result<FederatedIdentity, StoreError> {
        let id = format!("{} {}", self.provider, self.subject);
        let row = Row { table: "federated_identities", id: &id };
        Ok(FederatedIdentity {
            user: row.parse("user_id", &self.user_id)?,
            linked_at: time(self.linked_at),
            used_at: self.used_at.map(time),
            provider: self.provider,
            subject: self.subject,
            email: self.email,
        })
    }
}
