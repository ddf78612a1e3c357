//! Browsers people have signed in from.

use countersign_model::{KnownDevice, UserId};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, time};
use crate::schema::known_devices;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = known_devices)]
struct DeviceRow {
    user_id: String,
    device: Vec<u8>,
    description: String,
    first_seen_at: i64,
    last_seen_at: i64,
}

impl Tx {
    /// Notes a sign-in from a browser: true when it was never seen with this person, for exactly one of many callers.
    /// Of a known one, description and last time are renewed.
    pub async fn upsert_known_device(&mut self, device: &KnownDevice) -> Result<bool, StoreError> {
        use known_devices::{description, device as key, last_seen_at, user_id};
        let row = DeviceRow::from_noun(device);
        let query = diesel::insert_into(known_devices::table).values(&row).on_conflict_do_nothing();
        if on!(self, |c| query.execute(c).await)? == 1 {
            return Ok(true);
        }
        let seen = device.last_seen_at.as_millis();
        let older = user_id.eq(device.user.as_str()).and(key.eq(device.device.as_slice())).and(last_seen_at.lt(seen));
        let new = (description.eq(device.description.as_str()), last_seen_at.eq(seen));
        let query = diesel::update(known_devices::table.filter(older)).set(new);
        on!(self, |c| query.execute(c).await).map(|_| false)
    }

    /// The browsers `user` signed in from, the last used first.
    pub async fn list_known_devices(&mut self, user: &UserId) -> Result<Vec<KnownDevice>, StoreError> {
        let query = known_devices::table
            .filter(known_devices::user_id.eq(user.as_str()))
            .order((known_devices::last_seen_at.desc(), known_devices::device));
        let rows: Vec<DeviceRow> = on!(self, |c| query.select(DeviceRow::as_select()).load(c).await)?;
        rows.into_iter().map(DeviceRow::into_noun).collect()
    }
}

impl DeviceRow {
    fn from_noun(device: &KnownDevice) -> Self {
        Self {
            user_id: device.user.to_string(),
            device: device.device.to_vec(),
            description: device.description.clone(),
            first_seen_at: device.first_seen_at.as_millis(),
            last_seen_at: device.last_seen_at.as_millis(),
        }
    }

    fn into_noun(self) -> Result<KnownDevice, StoreError> {
        let row = Row { table: "known_devices", id: &self.user_id };
        Ok(KnownDevice {
            user: row.parse("user_id", &self.user_id)?,
            device: row.hash("device", &self.device)?,
            first_seen_at: time(self.first_seen_at),
            last_seen_at: time(self.last_seen_at),
            description: self.description,
        })
    }
}
