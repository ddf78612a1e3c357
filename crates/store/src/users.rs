//! People, and the accounts they are read as.

use countersign_model::{Account, OrganizationId, Profile, Role, Timestamp, User, UserId, UserStatus};
use diesel::{
    BoolExpressionMethods, EscapeExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable,
    SelectableHelper, TextExpressionMethods,
};
use diesel_async::RunQueryDsl;

use crate::credentials::{LegacyRow, PasswordRow};
use crate::db::on;
use crate::factors::FactorRow;
use crate::row::{Row, millis, starting, time, to_json};
use crate::schema::{
    factors, federated_identities, known_devices, legacy_credentials, password_credentials, recovery_codes,
    unfinished_accounts, users,
};
use crate::{StoreError, Tx};

/// Which people to list; none of a field: any.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// With this text in mail address or username; case does not matter.
    pub search: Option<String>,
    /// Of this provider group.
    pub organization: Option<OrganizationId>,
    /// Of this status.
    pub status: Option<UserStatus>,
    /// After this one: the last of the page before.
    pub after: Option<UserId>,
    /// At most so many; 0: a hundred. A thousand is the most.
    pub limit: u32,
}

const MOST: u32 = 1000;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct UserRow {
    id: String,
    email: Option<String>,
    username: Option<String>,
    status: String,
    organization: Option<String>,
    roles: String,
    profile: String,
    terms_version: Option<String>,
    created_at: i64,
    updated_at: i64,
    registered_at: Option<i64>,
    fax: Option<String>,
    locale: Option<String>,
}

/// One row of an account's join: the person, and one factor of theirs.
type AccountRow = (UserRow, Option<PasswordRow>, Option<LegacyRow>, Option<FactorRow>);

/// As [`AccountRow`], of who holds a grant: the imported password is of no use there, and each table more in a nested
/// join costs the compiler dearly.
pub type HolderRow = (UserRow, Option<PasswordRow>, Option<FactorRow>);

/// An account in one round trip: a row per factor, oldest first.
macro_rules! load_account {
    ($tx:expr, $filter:expr) => {{
        let rows: Vec<AccountRow> = on!($tx, |c| users::table
            .left_join(password_credentials::table)
            .left_join(legacy_credentials::table)
            .left_join(factors::table)
            .filter($filter)
            .order((factors::bound_at, factors::id))
            .select((
                UserRow::as_select(),
                Option::<PasswordRow>::as_select(),
                Option::<LegacyRow>::as_select(),
                Option::<FactorRow>::as_select(),
            ))
            .load(c)
            .await)?;
        account_from_rows(rows)
    }};
}

impl Tx {
    /// The account with the mail address `email` (lower case), whatever its status. One round trip.
    pub async fn find_account_by_email(&mut self, email: &str) -> Result<Option<Account>, StoreError> {
        load_account!(self, users::email.eq(email))
    }

    /// The account with the legacy name `username` (lower case). One round trip.
    pub async fn find_account_by_username(&mut self, username: &str) -> Result<Option<Account>, StoreError> {
        load_account!(self, users::username.eq(username))
    }

    /// The account of `id`. One round trip.
    pub async fn find_account(&mut self, id: &UserId) -> Result<Option<Account>, StoreError> {
        load_account!(self, users::id.eq(id.as_str()))
    }

    /// Whether anybody has the mail address `email` (lower case).
    pub async fn email_exists(&mut self, email: &str) -> Result<bool, StoreError> {
        let query = users::table.filter(users::email.eq(email)).select(users::id);
        let found: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!found.is_empty())
    }

    /// Whether anybody has the name `username` (lower case).
    pub async fn username_exists(&mut self, username: &str) -> Result<bool, StoreError> {
        let query = users::table.filter(users::username.eq(username)).select(users::id);
        let found: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!found.is_empty())
    }

    /// The people that `filter` asks for, in the order they came.
    pub async fn list_users(&mut self, filter: &UserFilter) -> Result<Vec<User>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(MOST) };
        let rows: Vec<UserRow> = on!(self, |c| {
            let mut query = users::table.select(UserRow::as_select()).into_boxed();
            if let Some(search) = &filter.search {
                let text = format!("%{}", starting(&search.to_lowercase()));
                let named = users::email.like(text.clone()).escape('!');
                query = query.filter(named.or(users::username.like(text).escape('!')));
            }
            if let Some(organization) = &filter.organization {
                query = query.filter(users::organization.eq(organization.as_str()));
            }
            if let Some(status) = filter.status {
                query = query.filter(users::status.eq(status.as_str()));
            }
            if let Some(after) = &filter.after {
                query = query.filter(users::id.gt(after.as_str()));
            }
            query.order(users::id).limit(i64::from(limit)).load(c).await
        })?;
        rows.into_iter().map(UserRow::into_noun).collect()
    }

    /// Adds a person; [`StoreError::Conflict`] when the id, mail address or username is taken.
    pub async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let (row, listed) = (UserRow::from_noun(user)?, users::listed_name.eq(listed_name(user)));
        on!(self, |c| diesel::insert_into(users::table).values((&row, &listed)).execute(c).await).map(drop)
    }

    /// Adds a person with their passwords and factors.
    pub async fn insert_account(&mut self, account: &Account) -> Result<(), StoreError> {
        self.insert_user(&account.user).await?;
        if let Some(password) = &account.password {
            self.insert_password(&account.user.id, password).await?;
        }
        if let Some(legacy) = &account.legacy {
            self.insert_legacy_credential(&account.user.id, legacy).await?;
        }
        for factor in &account.factors {
            self.insert_factor(factor).await?;
        }
        Ok(())
    }

    /// Writes everything of `user` but its id and birth, over whatever stands: false when there is no such person,
    /// [`StoreError::Conflict`] when mail address or username is another's.
    pub async fn update_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let row = UserRow::from_noun(user)?;
        let query = diesel::update(users::table.find(row.id.clone())).set((
            users::email.eq(row.email),
            users::username.eq(row.username),
            users::status.eq(row.status),
            users::organization.eq(row.organization),
            users::roles.eq(row.roles),
            users::profile.eq(row.profile),
            users::terms_version.eq(row.terms_version),
            users::updated_at.eq(row.updated_at),
            users::registered_at.eq(row.registered_at),
            users::fax.eq(row.fax),
            users::locale.eq(row.locale),
            users::listed_name.eq(listed_name(user)),
        ));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Puts `email` (lower case) on file: false when there is no such person, [`StoreError::Conflict`] when it is
    /// another's.
    pub async fn set_user_email(&mut self, user: &UserId, email: &str, now: Timestamp) -> Result<bool, StoreError> {
        let new = (users::email.eq(email), users::updated_at.eq(now.as_millis()));
        let query = diesel::update(users::table.find(user.as_str())).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Writes the roles of `user`: false when there is no such person, or the account is closed.
    pub async fn set_user_roles(&mut self, user: &UserId, roles: &[Role], now: Timestamp) -> Result<bool, StoreError> {
        let open = users::id.eq(user.as_str()).and(users::status.ne(UserStatus::Closed.as_str()));
        let new = (users::roles.eq(to_json(&roles)?), users::updated_at.eq(now.as_millis()));
        let query = diesel::update(users::table.filter(open)).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Whether somebody other than `but` holds `role` and is neither disabled nor closed.
    pub async fn role_is_held(&mut self, role: Role, but: Option<&UserId>) -> Result<bool, StoreError> {
        let but = but.map(UserId::as_str).unwrap_or_default();
        let held = users::roles.like(format!("%\"{}\"%", role.as_str())).and(users::id.ne(but));
        let query = users::table.filter(held.and(users::status.eq(UserStatus::Active.as_str()))).select(users::id);
        let found: Vec<String> = on!(self, |c| query.limit(1).load(c).await)?;
        Ok(!found.is_empty())
    }

    /// Enables or disables: false when `status` stands already, the account is closed or there is none.
    pub async fn set_user_status(
        &mut self,
        user: &UserId,
        status: UserStatus,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (new, closed) = (status.as_str(), UserStatus::Closed.as_str());
        let other = users::id.eq(user.as_str()).and(users::status.ne(new)).and(users::status.ne(closed));
        let query = diesel::update(users::table.filter(other))
            .set((users::status.eq(new), users::updated_at.eq(now.as_millis())));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Notes that the registration is complete: of any number of callers exactly one gets true.
    pub async fn complete_registration(&mut self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let incomplete = users::table.filter(users::id.eq(user.as_str()).and(users::registered_at.is_null()));
        let millis = at.as_millis();
        let query = diesel::update(incomplete).set((users::registered_at.eq(millis), users::updated_at.eq(millis)));
        let completed = on!(self, |c| query.execute(c).await)? == 1;
        if completed {
            let query = diesel::delete(unfinished_accounts::table.find(user.as_str()));
            on!(self, |c| query.execute(c).await)?;
        }
        Ok(completed)
    }

    /// Whether the registration is incomplete, and stays so until this transaction ends.
    pub async fn hold_registration(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let incomplete = users::table.filter(users::id.eq(user.as_str()).and(users::registered_at.is_null()));
        // An update that changes nothing: it waits for whoever is completing it, and then looks again.
        let query = diesel::update(incomplete).set(users::updated_at.eq(users::updated_at));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Takes the registration back, so that it can be done anew: false when it is not complete.
    pub async fn reopen_registration(&mut self, user: &UserId, now: Timestamp) -> Result<bool, StoreError> {
        let complete = users::table.filter(users::id.eq(user.as_str()).and(users::registered_at.is_not_null()));
        let new = (users::registered_at.eq(None::<i64>), users::updated_at.eq(now.as_millis()));
        let query = diesel::update(complete).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Closes an account for good: what is personal and what one could sign in with goes, sessions, grants and links
    /// end; the row stays for the audit, what was agreed to stays on record. False when it was closed before.
    pub async fn close_user(&mut self, user: &UserId, now: Timestamp) -> Result<bool, StoreError> {
        if !self.empty_user(user, now).await? {
            return Ok(false);
        }
        self.delete_password(user).await?;
        self.delete_legacy_credential(user).await?;
        let id = user.as_str();
        let query = diesel::delete(factors::table.filter(factors::user_id.eq(id)));
        on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(id)));
        on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(federated_identities::table.filter(federated_identities::user_id.eq(id)));
        on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(unfinished_accounts::table.find(id));
        on!(self, |c| query.execute(c).await)?;
        let query = diesel::delete(known_devices::table.filter(known_devices::user_id.eq(id)));
        on!(self, |c| query.execute(c).await)?;
        self.delete_administered(user, None).await?;
        self.delete_remembered_logins_of_user(user).await?;
        self.delete_consents_of_user(user).await?;
        self.end_sessions_of_user(user, now).await?;
        self.revoke_grants_of_user(user, now).await?;
        self.revoke_links_of_user(user, now).await?;
        Ok(true)
    }

    async fn empty_user(&mut self, user: &UserId, now: Timestamp) -> Result<bool, StoreError> {
        let closed = UserStatus::Closed.as_str();
        let open = users::table.filter(users::id.eq(user.as_str()).and(users::status.ne(closed)));
        let query = diesel::update(open).set((
            users::status.eq(closed),
            users::email.eq(None::<String>),
            users::username.eq(None::<String>),
            users::roles.eq(to_json(&Vec::<Role>::new())?),
            users::profile.eq(to_json(&Profile::default())?),
            users::listed_name.eq(""),
            users::fax.eq(None::<String>),
            users::updated_at.eq(now.as_millis()),
        ));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

/// The account that the rows of one join describe.
fn account_from_rows(rows: Vec<AccountRow>) -> Result<Option<Account>, StoreError> {
    let mut account: Option<Account> = None;
    for (user, password, legacy, factor) in rows {
        let account = match &mut account {
            Some(account) => account,
            None => account.insert(Account {
                user: user.into_noun()?,
                password: password.map(PasswordRow::into_noun),
                legacy: legacy.map(LegacyRow::into_noun),
                factors: Vec::new(),
            }),
        };
        account.factors.extend(factor.map(FactorRow::into_noun).transpose()?);
    }
    Ok(account)
}

/// The account, but for its imported password, that the rows of one join describe.
pub fn holder_from_rows(rows: Vec<HolderRow>) -> Result<Option<Account>, StoreError> {
    account_from_rows(rows.into_iter().map(|(user, password, factor)| (user, password, None, factor)).collect())
}

/// What lists are searched by and put in order by.
fn listed_name(user: &User) -> String {
    user.profile.name.as_deref().unwrap_or_default().to_lowercase()
}

impl UserRow {
    fn from_noun(user: &User) -> Result<Self, StoreError> {
        Ok(Self {
            id: user.id.to_string(),
            email: user.email.clone(),
            username: user.username.clone(),
            status: user.status.as_str().to_owned(),
            organization: user.organization.as_ref().map(ToString::to_string),
            roles: to_json(&user.roles)?,
            profile: to_json(&user.profile)?,
            terms_version: user.terms_version.clone(),
            created_at: user.created_at.as_millis(),
            updated_at: user.updated_at.as_millis(),
            registered_at: millis(user.registered_at),
            fax: user.fax.clone(),
            locale: user.locale.clone(),
        })
    }

    pub fn into_noun(self) -> Result<User, StoreError> {
        let row = Row { table: "users", id: &self.id };
        Ok(User {
            id: row.parse("id", &self.id)?,
            status: row.known("status", UserStatus::from_word(&self.status))?,
            organization: row.parse_some("organization", self.organization.as_deref())?,
            roles: row.json::<Vec<Role>>("roles", &self.roles)?,
            profile: row.json("profile", &self.profile)?,
            registered_at: self.registered_at.map(time),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            email: self.email,
            username: self.username,
            fax: self.fax,
            locale: self.locale,
            terms_version: self.terms_version,
        })
    }
}
