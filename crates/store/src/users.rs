//! People, their passwords and factors.

use countersign_model::{
    Account, Factor, FactorId, FactorKind, PasswordCredential, Role, Timestamp, User, UserId, UserStatus,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, NullableExpressionMethods, QueryDsl, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, time, to_json};
use crate::schema::{factors, password_credentials, users};
use crate::{StoreError, Tx};

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
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = password_credentials)]
pub struct PasswordRow {
    user_id: String,
    phc: String,
    changed_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = factors, treat_none_as_default_value = false)]
pub struct FactorRow {
    id: String,
    user_id: String,
    kind: String,
    value: String,
    last_step: Option<i64>,
    bound_at: i64,
}

/// One row of an account's join: the person, and one factor of theirs.
pub type AccountRow = (UserRow, Option<PasswordRow>, Option<FactorRow>);

/// An account in one round trip: a row per factor, oldest first.
macro_rules! load_account {
    ($tx:expr, $filter:expr) => {{
        let rows: Vec<AccountRow> = on!($tx, |c| users::table
            .left_join(password_credentials::table)
            .left_join(factors::table)
            .filter($filter)
            .order((factors::bound_at, factors::id))
            .select((UserRow::as_select(), Option::<PasswordRow>::as_select(), Option::<FactorRow>::as_select()))
            .load(c)
            .await)?;
        account_from_rows(rows)
    }};
}

impl Tx {
    /// The account that signs in with `email` (lower case), whatever its status. One round trip.
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

    /// Adds a person; [`StoreError::Conflict`] when the id, mail address or username is taken.
    pub async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let row = UserRow::from_noun(user)?;
        on!(self, |c| diesel::insert_into(users::table).values(&row).execute(c).await).map(drop)
    }

    /// Adds a person with their password and factors.
    pub async fn insert_account(&mut self, account: &Account) -> Result<(), StoreError> {
        self.insert_user(&account.user).await?;
        if let Some(password) = &account.password {
            self.insert_password(&account.user.id, password).await?;
        }
        for factor in &account.factors {
            self.insert_factor(factor).await?;
        }
        Ok(())
    }

    /// Gives `user` their first password.
    pub async fn insert_password(&mut self, user: &UserId, password: &PasswordCredential) -> Result<(), StoreError> {
        let row = PasswordRow {
            user_id: user.to_string(),
            phc: password.phc.to_string(),
            changed_at: password.changed_at.as_millis(),
        };
        on!(self, |c| diesel::insert_into(password_credentials::table).values(&row).execute(c).await).map(drop)
    }

    /// Replaces `old` by `new`: false when the password is another one by now. A rehash keeps `changed_at`: pass none.
    pub async fn set_password_phc(
        &mut self,
        user: &UserId,
        old: &str,
        new: &str,
        changed_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        use password_credentials::{changed_at as changed, phc, user_id};
        let changed_at = changed_at.map(|at| changed.eq(at.as_millis()));
        let same = user_id.eq(user.as_str()).and(phc.eq(old));
        let query = diesel::update(password_credentials::table.filter(same)).set((phc.eq(new), changed_at));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Binds a factor.
    pub async fn insert_factor(&mut self, factor: &Factor) -> Result<(), StoreError> {
        let row = FactorRow {
            id: factor.id.to_string(),
            user_id: factor.user.to_string(),
            kind: factor.kind.as_str().to_owned(),
            value: factor.value.clone(),
            last_step: factor.last_step,
            bound_at: factor.bound_at.as_millis(),
        };
        on!(self, |c| diesel::insert_into(factors::table).values(&row).execute(c).await).map(drop)
    }

    /// Spends a time step of an authenticator app: false when that step or a later one is spent already.
    pub async fn spend_totp_step(&mut self, factor: &FactorId, step: i64) -> Result<bool, StoreError> {
        let unspent = factors::last_step.is_null().or(factors::last_step.lt(step));
        let target = factors::table.filter(factors::id.eq(factor.as_str())).filter(unspent.assume_not_null());
        let query = diesel::update(target).set(factors::last_step.eq(step));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

/// The account that the rows of one join describe.
pub fn account_from_rows(rows: Vec<AccountRow>) -> Result<Option<Account>, StoreError> {
    let mut account: Option<Account> = None;
    for (user, password, factor) in rows {
        let account = match &mut account {
            Some(account) => account,
            None => account.insert(Account {
                user: user.into_noun()?,
                password: password.map(PasswordRow::into_noun),
                factors: Vec::new(),
            }),
        };
        account.factors.extend(factor.map(FactorRow::into_noun).transpose()?);
    }
    Ok(account)
}

impl UserRow {
    fn from_noun(user: &User) -> Result<Self, StoreError> {
        Ok(Self {
            id: user.id.to_string(),
            email: user.email.clone(),
            username: user.username.clone(),
            status: match user.status {
                UserStatus::Active => "active".to_owned(),
                UserStatus::Disabled => "disabled".to_owned(),
            },
            organization: user.organization.as_ref().map(ToString::to_string),
            roles: to_json(&user.roles)?,
            profile: to_json(&user.profile)?,
            terms_version: user.terms_version.clone(),
            created_at: user.created_at.as_millis(),
            updated_at: user.updated_at.as_millis(),
        })
    }

    fn into_noun(self) -> Result<User, StoreError> {
        let row = Row { table: "users", id: &self.id };
        let status = match self.status.as_str() {
            "active" => UserStatus::Active,
            "disabled" => UserStatus::Disabled,
            _ => return Err(row.corrupt("status")),
        };
        Ok(User {
            id: row.parse("id", &self.id)?,
            status,
            organization: row.parse_some("organization", self.organization.as_deref())?,
            roles: row.json::<Vec<Role>>("roles", &self.roles)?,
            profile: row.json("profile", &self.profile)?,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            email: self.email,
            username: self.username,
            terms_version: self.terms_version,
        })
    }
}

impl PasswordRow {
    fn into_noun(self) -> PasswordCredential {
        PasswordCredential { phc: self.phc.into(), changed_at: time(self.changed_at) }
    }
}

impl FactorRow {
    fn into_noun(self) -> Result<Factor, StoreError> {
        let row = Row { table: "factors", id: &self.id };
        Ok(Factor {
            id: row.parse("id", &self.id)?,
            user: row.parse("user_id", &self.user_id)?,
            kind: row.known("kind", FactorKind::from_word(&self.kind))?,
            value: self.value,
            last_step: self.last_step,
            bound_at: time(self.bound_at),
        })
    }
}
