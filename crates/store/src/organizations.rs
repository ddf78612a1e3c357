//! Provider groups.

use countersign_model::{KeyedHash, NpiRule, Organization, OrganizationId};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, time};
use crate::schema::organizations;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = organizations)]
struct OrganizationRow {
    id: String,
    name: String,
    npi: String,
    registration_code: Vec<u8>,
    created_at: i64,
    validator: String,
}

impl Tx {
    /// Adds a provider group; [`StoreError::Conflict`] when its id, or its NPI with this code, is there already.
    pub async fn insert_organization(&mut self, organization: &Organization) -> Result<(), StoreError> {
        let row = OrganizationRow {
            id: organization.id.to_string(),
            name: organization.name.clone(),
            npi: organization.npi.clone(),
            registration_code: organization.registration_code.to_vec(),
            created_at: organization.created_at.as_millis(),
            validator: organization.validator.as_str().to_owned(),
        };
        on!(self, |c| diesel::insert_into(organizations::table).values(&row).execute(c).await).map(drop)
    }

    /// The group with this NPI whose registration code hashes to `code`.
    pub async fn find_organization(&mut self, npi: &str, code: &KeyedHash) -> Result<Option<Organization>, StoreError> {
        let named = organizations::npi.eq(npi).and(organizations::registration_code.eq(code.as_slice()));
        let query = organizations::table.filter(named);
        let mut rows: Vec<OrganizationRow> = on!(self, |c| query.select(OrganizationRow::as_select()).load(c).await)?;
        rows.pop().map(OrganizationRow::into_noun).transpose()
    }

    /// Changes what a group takes for an NPI; whether there is such a group.
    pub async fn set_organization_validator(
        &mut self,
        id: &OrganizationId,
        validator: NpiRule,
    ) -> Result<bool, StoreError> {
        let change =
            diesel::update(organizations::table.find(id.as_str())).set(organizations::validator.eq(validator.as_str()));
        Ok(on!(self, |c| change.execute(c).await)? == 1)
    }

    /// Replaces what is known of a group; false when there is none. [`StoreError::Conflict`] when another has this NPI with
    /// this code.
    pub async fn replace_organization(&mut self, organization: &Organization) -> Result<bool, StoreError> {
        let new = (
            organizations::name.eq(&organization.name),
            organizations::npi.eq(&organization.npi),
            organizations::registration_code.eq(organization.registration_code.as_slice()),
            organizations::validator.eq(organization.validator.as_str()),
        );
        let change = diesel::update(organizations::table.find(organization.id.as_str())).set(new);
        on!(self, |c| change.execute(c).await).map(|rows| rows == 1)
    }

    /// The group of `id`.
    pub async fn find_organization_by_id(&mut self, id: &OrganizationId) -> Result<Option<Organization>, StoreError> {
        let query = organizations::table.find(id.as_str());
        let mut rows: Vec<OrganizationRow> = on!(self, |c| query.select(OrganizationRow::as_select()).load(c).await)?;
        rows.pop().map(OrganizationRow::into_noun).transpose()
    }

    /// Every group, by name.
    pub async fn list_organizations(&mut self) -> Result<Vec<Organization>, StoreError> {
        let query = organizations::table.order((organizations::name, organizations::id));
        let rows: Vec<OrganizationRow> = on!(self, |c| query.select(OrganizationRow::as_select()).load(c).await)?;
        rows.into_iter().map(OrganizationRow::into_noun).collect()
    }
}

impl OrganizationRow {
    fn into_noun(self) -> Result<Organization, StoreError> {
        let row = Row { table: "organizations", id: &self.id };
        Ok(Organization {
            id: row.parse("id", &self.id)?,
            registration_code: row.hash("registration_code", &self.registration_code)?,
            created_at: time(self.created_at),
            name: self.name,
            npi: self.npi,
            validator: row.known("validator", NpiRule::from_word(&self.validator))?,
        })
    }
}
