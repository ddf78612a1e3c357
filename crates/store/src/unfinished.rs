//! Accounts that somebody made on a registration page and nobody has completed. Their mail address is what was typed there:
//! until the mailbox was proven they are in nobody's way.

use countersign_model::{KeyedHash, Timestamp, UserId};
use diesel::dsl::{exists, not};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::Row;
use crate::schema::{
    administered_organizations, browser_sessions, consents, factors, federated_identities, grants, known_devices,
    legacy_credentials, links, password_credentials, recovery_codes, remembered_logins, terms_acceptances,
    unfinished_accounts, users,
};
use crate::{StoreError, Tx};

impl Tx {
    /// Notes that `user` was made on a registration page at `now`.
    pub async fn insert_unfinished(&mut self, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
        use unfinished_accounts::{claimed, made_at, user_id};
        let row = (user_id.eq(user.as_str()), made_at.eq(now.as_millis()), claimed.eq(false));
        on!(self, |c| diesel::insert_into(unfinished_accounts::table).values(row).execute(c).await).map(drop)
    }

    /// Notes that the mailbox of `user` was proven; does nothing for one that an operator made.
    pub async fn claim_unfinished(&mut self, user: &UserId) -> Result<(), StoreError> {
        let query =
            diesel::update(unfinished_accounts::table.find(user.as_str())).set(unfinished_accounts::claimed.eq(true));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Whether `user` was made on a registration page and neither completed nor proven to be its mailbox's.
    pub async fn is_unclaimed(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let unclaimed = unfinished_accounts::table.find(user.as_str()).filter(unfinished_accounts::claimed.eq(false));
        let query = users::table
            .filter(users::id.eq(user.as_str()).and(users::registered_at.is_null()))
            .filter(exists(unclaimed))
            .select(users::id);
        let found: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!found.is_empty())
    }

    /// As [`Tx::is_unclaimed`], and no link to it can be followed any more.
    pub async fn is_abandoned(&mut self, user: &UserId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.is_unclaimed(user).await? && !self.has_live_link(user, now).await?)
    }

    /// Removes an account that [`Tx::is_unclaimed`], with all that hangs on it: false when it is not, or not any more.
    pub async fn delete_unclaimed(&mut self, user: &UserId) -> Result<bool, StoreError> {
        if !self.hold_registration(user).await? || !self.is_unclaimed(user).await? {
            return Ok(false);
        }
        self.delete_users(&[user.to_string()]).await?;
        Ok(true)
    }

    /// Takes away what was bound to an account before its mailbox was proven: password, factors but for that very mailbox,
    /// recovery codes. Does nothing when the registration is complete.
    pub async fn clear_unfinished(&mut self, user: &UserId) -> Result<(), StoreError> {
        if !self.hold_registration(user).await? {
            return Ok(());
        }
        self.claim_unfinished(user).await?;
        self.delete_password(user).await?;
        let id = user.as_str();
        let address = users::table.find(id).select(users::email);
        let mut addresses: Vec<Option<String>> = on!(self, |c| address.load(c).await)?;
        let address = addresses.pop().flatten().unwrap_or_default();
        let proven = factors::kind.eq("mailbox").and(factors::value.eq(address));
        let query = diesel::delete(factors::table.filter(factors::user_id.eq(id)).filter(not(proven)));
        on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(id)));
        on!(self, |c| query.execute(c).await)?;
        self.delete_remembered_logins_of_user(user).await?;
        Ok(())
    }

    /// Whether a link to `user` other than `own` was used after `since`: whoever proved the mailbox last goes on alone.
    pub async fn link_used_since(
        &mut self,
        user: &UserId,
        since: Timestamp,
        own: Option<&KeyedHash>,
    ) -> Result<bool, StoreError> {
        let used = links::user_id.eq(user.as_str()).and(links::consumed_at.gt(since.as_millis()));
        let own = own.map(|hash| hash.to_vec()).unwrap_or_default();
        let query = links::table.filter(used).filter(links::hash.ne(own)).select(links::policy);
        let found: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!found.is_empty())
    }

    async fn has_live_link(&mut self, user: &UserId, now: Timestamp) -> Result<bool, StoreError> {
        let live = links::user_id
            .eq(user.as_str())
            .and(links::consumed_at.is_null())
            .and(links::revoked_at.is_null())
            .and(links::expires_at.gt(now.as_millis()));
        let found: Vec<String> = on!(self, |c| links::table.filter(live).select(links::policy).load(c).await)?;
        Ok(!found.is_empty())
    }

    /// Removes up to `batch` accounts that were made on a registration page before `before` and were never completed; none
    /// that a link can still be followed to. How many those were.
    pub async fn purge_unfinished(
        &mut self,
        before: Timestamp,
        now: Timestamp,
        batch: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let id = unfinished_accounts::user_id;
        let incomplete = users::table.filter(users::id.eq(id).and(users::registered_at.is_null()));
        let live = links::user_id.eq(id).and(links::consumed_at.is_null()).and(links::expires_at.gt(now.as_millis()));
        let query = unfinished_accounts::table
            .filter(unfinished_accounts::made_at.lt(before.as_millis()))
            .filter(exists(incomplete))
            .filter(not(exists(links::table.filter(live))))
            .filter(not(exists(grants::table.filter(grants::user_id.eq(id)))))
            .filter(not(exists(browser_sessions::table.filter(browser_sessions::user_id.eq(id)))))
            .order(unfinished_accounts::made_at)
            .select(id)
            .limit(i64::from(batch));
        let ids: Vec<String> = on!(self, |c| query.load(c).await)?;
        let mut doomed = Vec::with_capacity(ids.len());
        for id in ids {
            let user: UserId = Row { table: "unfinished_accounts", id: &id }.parse("user_id", &id)?;
            // One that is being completed at this moment is waited for, and then stays.
            if self.hold_registration(&user).await? {
                doomed.push(user);
            }
        }
        let ids: Vec<String> = doomed.iter().map(ToString::to_string).collect();
        self.delete_users(&ids).await?;
        Ok(doomed)
    }

    /// Removes accounts that nobody ever signed in to, with every row that names them. The audit keeps their ids.
    async fn delete_users(&mut self, ids: &[String]) -> Result<(), StoreError> {
        macro_rules! delete_of {
            ($($table:ident.$column:ident),*) => {$(
                let query = diesel::delete($table::table.filter($table::$column.eq_any(ids)));
                on!(self, |c| query.execute(c).await)?;
            )*};
        }
        delete_of!(
            unfinished_accounts.user_id,
            password_credentials.user_id,
            legacy_credentials.user_id,
            factors.user_id,
            recovery_codes.user_id,
            links.user_id,
            federated_identities.user_id,
            terms_acceptances.user_id,
            known_devices.user_id,
            remembered_logins.user_id,
            consents.user_id,
            administered_organizations.user_id,
            users.id
        );
        Ok(())
    }
}
