//! Deleting what nobody will ask for again, a few rows at a time.

use countersign_model::{Seconds, Timestamp};
use diesel::dsl::{exists, not};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::schema::{
    answered_requests, authorization_codes, browser_sessions, device_codes, effects, grants, known_devices, links,
    outbox, pushed_requests, refresh_tokens, remembered_logins, revoked_tokens, spent_ids,
};
use crate::{StoreError, Tx};

/// How long rows stay after their end: a replay or a retry is still recognised that long.
const KEPT: Seconds = Seconds::hours(24);
/// How long a pushed request stays after its end: longer than any sign-in that began with it.
const PUSHED_KEPT: Seconds = Seconds::hours(1);
/// How long a grant stays after its last code and refresh token: longer than any access token lives.
const GRANTS_KEPT: Seconds = Seconds::hours(24 * 7);
/// How long a link stays after its end: whoever opens it late is told that it is over, not that it never was.
const LINKS_KEPT: Seconds = Seconds::hours(24 * 30);
/// How long a browser is known after its last sign-in.
const DEVICES_KEPT: Seconds = Seconds::hours(24 * 400);

/// How many rows were deleted of each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Authorization codes.
    pub codes: usize,
    /// Refresh tokens.
    pub refresh_tokens: usize,
    /// Grants without code or refresh token.
    pub grants: usize,
    /// Browser sessions.
    pub sessions: usize,
    /// Remembered logins.
    pub remembered: usize,
    /// Keys of effects.
    pub effects: usize,
    /// Messages that were delivered or given up.
    pub outbox: usize,
    /// Mailed links.
    pub links: usize,
    /// Browsers that have not been seen for long.
    pub devices: usize,
    /// Ids that were good once.
    pub ids: usize,
    /// Access tokens that were taken back and have ended.
    pub revoked: usize,
    /// Pushed requests.
    pub pushed: usize,
    /// Codes of devices.
    pub device_codes: usize,
    /// Requests that may be sent again no more.
    pub answered: usize,
}

impl Purged {
    /// All of them; less than the batch means that nothing is left.
    pub const fn total(&self) -> usize {
        let issued = self.codes + self.refresh_tokens + self.grants + self.sessions + self.remembered + self.links;
        issued
            + self.effects
            + self.outbox
            + self.devices
            + self.ids
            + self.revoked
            + self.pushed
            + self.device_codes
            + self.answered
    }
}

/// `DELETE` of up to `$batch` rows that match, by primary key.
macro_rules! delete_batch {
    ($tx:expr, $table:ident.$key:ident: $type:ty, $batch:expr, $filter:expr) => {{
        let query = $table::table.filter($filter).select($table::$key).limit($batch);
        let doomed: Vec<$type> = on!($tx, |c| query.load(c).await)?;
        if doomed.is_empty() {
            0
        } else {
            let query = diesel::delete($table::table.filter($table::$key.eq_any(doomed)));
            on!($tx, |c| query.execute(c).await)?
        }
    }};
}

impl Tx {
    /// Deletes up to `batch` rows of each table whose time is over: call it until it deletes nothing.
    pub async fn purge_expired(&mut self, now: Timestamp, batch: u32) -> Result<Purged, StoreError> {
        let batch = i64::from(batch);
        let kept = now.minus(KEPT).as_millis();
        let by_expiry = authorization_codes::expires_at.lt(kept);
        let codes = delete_batch!(self, authorization_codes.hash: Vec<u8>, batch, by_expiry);
        let by_expiry = refresh_tokens::expires_at.lt(kept);
        let refresh_tokens = delete_batch!(self, refresh_tokens.hash: Vec<u8>, batch, by_expiry);
        let by_expiry = browser_sessions::expires_at.lt(kept);
        let sessions = delete_batch!(self, browser_sessions.id: String, batch, by_expiry);
        let effects = delete_batch!(self, effects.key: String, batch, effects::at.lt(kept));
        let outbox = delete_batch!(self, outbox.id: String, batch, outbox::finished_at.lt(kept));
        let remembered = self.purge_remembered(now, batch).await?;
        // Before the grants they name.
        let by_expiry = device_codes::expires_at.lt(kept);
        let device_codes = delete_batch!(self, device_codes.hash: Vec<u8>, batch, by_expiry);
        let grants = self.purge_grants(now, batch).await?;
        let over = links::expires_at.lt(now.minus(LINKS_KEPT).as_millis());
        let links = delete_batch!(self, links.hash: Vec<u8>, batch, over);
        let devices = self.purge_devices(now, batch).await?;
        // What has ended is refused for its age: neither needs to be kept past it.
        let ended = spent_ids::expires_at.lt(now.as_millis());
        let ids = delete_batch!(self, spent_ids.hash: Vec<u8>, batch, ended);
        let ended = revoked_tokens::expires_at.lt(now.as_millis());
        let revoked = delete_batch!(self, revoked_tokens.jti: String, batch, ended);
        let by_expiry = pushed_requests::expires_at.lt(now.minus(PUSHED_KEPT).as_millis());
        let pushed = delete_batch!(self, pushed_requests.hash: Vec<u8>, batch, by_expiry);
        let answered = delete_batch!(self, answered_requests.hash: Vec<u8>, batch, answered_requests::at.lt(kept));
        Ok(Purged {
            codes,
            refresh_tokens,
            grants,
            sessions,
            remembered,
            effects,
            outbox,
            links,
            devices,
            ids,
            revoked,
            pushed,
            device_codes,
            answered,
        })
    }

    /// Nothing can be done with an expired remembered login, so none is kept. A browser has a handful of them.
    async fn purge_remembered(&mut self, now: Timestamp, batch: i64) -> Result<usize, StoreError> {
        let over = remembered_logins::expires_at.lt(now.as_millis());
        let query = remembered_logins::table.filter(over).select(remembered_logins::browser).limit(batch);
        let browsers: Vec<Vec<u8>> = on!(self, |c| query.load(c).await)?;
        let doomed = remembered_logins::table.filter(remembered_logins::browser.eq_any(browsers).and(over));
        let query = diesel::delete(doomed);
        on!(self, |c| query.execute(c).await)
    }

    /// The key has two columns, and a person has few browsers: all old ones of the people found go at once.
    async fn purge_devices(&mut self, now: Timestamp, batch: i64) -> Result<usize, StoreError> {
        let old = known_devices::last_seen_at.lt(now.minus(DEVICES_KEPT).as_millis());
        let query = known_devices::table.filter(old).select(known_devices::user_id).limit(batch);
        let users: Vec<String> = on!(self, |c| query.load(c).await)?;
        let doomed = known_devices::table.filter(known_devices::user_id.eq_any(users).and(old));
        let query = diesel::delete(doomed);
        on!(self, |c| query.execute(c).await)
    }

    async fn purge_grants(&mut self, now: Timestamp, batch: i64) -> Result<usize, StoreError> {
        let codes = authorization_codes::table.filter(authorization_codes::grant_id.eq(grants::id));
        let tokens = refresh_tokens::table.filter(refresh_tokens::grant_id.eq(grants::id));
        let childless = not(exists(codes)).and(not(exists(tokens)));
        let old = grants::created_at.lt(now.minus(GRANTS_KEPT).as_millis());
        Ok(delete_batch!(self, grants.id: String, batch, old.and(childless)))
    }
}
