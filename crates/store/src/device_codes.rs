//! Device codes (RFC 8628): decided once by a person, consumed once by a device.

use countersign_model::{DeviceCode, DeviceState, GrantId, KeyedHash, Seconds, Timestamp};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, hex, millis, time, to_json};
use crate::schema::device_codes;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = device_codes, treat_none_as_default_value = false)]
struct DeviceRow {
    hash: Vec<u8>,
    user_code: Vec<u8>,
    client_id: String,
    scope: String,
    resources: String,
    state: String,
    grant_id: Option<String>,
    wait_seconds: i64,
    polled_at: Option<i64>,
    created_at: i64,
    expires_at: i64,
}

impl Tx {
    /// Stores a device's request: false when one of its codes is taken.
    pub async fn insert_device_code(&mut self, code: &DeviceCode) -> Result<bool, StoreError> {
        let row = DeviceRow::from_noun(code)?;
        let query = diesel::insert_into(device_codes::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The request of the device code with `hash`.
    pub async fn find_device_code(&mut self, hash: &KeyedHash) -> Result<Option<DeviceCode>, StoreError> {
        let query = device_codes::table.find(hash.as_slice());
        let mut rows: Vec<DeviceRow> = on!(self, |c| query.select(DeviceRow::as_select()).load(c).await)?;
        rows.pop().map(DeviceRow::into_noun).transpose()
    }

    /// The request of the user code with `hash`.
    pub async fn find_device_by_user_code(&mut self, hash: &KeyedHash) -> Result<Option<DeviceCode>, StoreError> {
        let query = device_codes::table.filter(device_codes::user_code.eq(hash.as_slice()));
        let mut rows: Vec<DeviceRow> = on!(self, |c| query.select(DeviceRow::as_select()).load(c).await)?;
        rows.pop().map(DeviceRow::into_noun).transpose()
    }

    /// Allows or denies a request that is pending: of any number of callers exactly one gets true.
    pub async fn decide_device(
        &mut self,
        hash: &KeyedHash,
        state: DeviceState,
        grant: Option<&GrantId>,
    ) -> Result<bool, StoreError> {
        let decided = (
            device_codes::state.eq(state.as_str()),
            device_codes::grant_id.eq(grant.map(|grant| grant.as_str().to_owned())),
        );
        let pending = device_codes::state.eq(DeviceState::Pending.as_str());
        let query = diesel::update(device_codes::table.filter(device_codes::hash.eq(hash.as_slice()).and(pending)))
            .set(decided);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Redeems a request that was allowed: of any number of callers exactly one gets true.
    pub async fn consume_device_code(&mut self, hash: &KeyedHash) -> Result<bool, StoreError> {
        let spent = device_codes::state.eq(DeviceState::Spent.as_str());
        let allowed = device_codes::state.eq(DeviceState::Allowed.as_str());
        let query =
            diesel::update(device_codes::table.filter(device_codes::hash.eq(hash.as_slice()).and(allowed))).set(spent);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Notes a poll, and how long the next one has to wait.
    pub async fn note_poll(&mut self, hash: &KeyedHash, wait: Seconds, now: Timestamp) -> Result<(), StoreError> {
        let polled =
            (device_codes::wait_seconds.eq(i64::from(wait.get())), device_codes::polled_at.eq(now.as_millis()));
        let query = diesel::update(device_codes::table.find(hash.as_slice())).set(polled);
        on!(self, |c| query.execute(c).await).map(drop)
    }
}

impl DeviceRow {
    fn from_noun(code: &DeviceCode) -> Result<Self, StoreError> {
        Ok(Self {
            hash: code.hash.to_vec(),
            user_code: code.user_code.to_vec(),
            client_id: code.client.to_string(),
            scope: code.scope.to_string(),
            resources: to_json(&code.resources)?,
            state: code.state.as_str().to_owned(),
            grant_id: code.grant.as_ref().map(ToString::to_string),
            wait_seconds: i64::from(code.wait.get()),
            polled_at: millis(code.polled_at),
            created_at: code.created_at.as_millis(),
            expires_at: code.expires_at.as_millis(),
        })
    }

    fn into_noun(self) -> Result<DeviceCode, StoreError> {
        let row = Row { table: "device_codes", id: &hex(&self.hash) };
        let wait = u32::try_from(self.wait_seconds).map_err(|_| row.corrupt("wait_seconds"))?;
        Ok(DeviceCode {
            hash: row.hash("hash", &self.hash)?,
            user_code: row.hash("user_code", &self.user_code)?,
            client: row.parse("client_id", &self.client_id)?,
            scope: row.parse("scope", &self.scope)?,
            resources: row.json("resources", &self.resources)?,
            state: row.known("state", DeviceState::from_word(&self.state))?,
            grant: row.parse_some("grant_id", self.grant_id.as_deref())?,
            wait: Seconds::new(wait),
            polled_at: self.polled_at.map(time),
            created_at: time(self.created_at),
            expires_at: time(self.expires_at),
        })
    }
}
