//! Authorization codes: issued once, consumed once.

use countersign_model::{Account, AuthorizationCode, Grant, KeyedHash, Timestamp};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::credentials::PasswordRow;
use crate::db::on;
use crate::factors::FactorRow;
use crate::grants::{GrantRow, grant_with_account};
use crate::row::{Row, hex, millis, time};
use crate::schema::{authorization_codes, factors, grants, password_credentials, users};
use crate::users::{HolderRow, UserRow};
use crate::{StoreError, Tx};

/// A code with everything its redemption needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeWithGrant {
    /// The code, consumed, expired or neither.
    pub code: AuthorizationCode,
    /// The grant it stands for, revoked or not.
    pub grant: Grant,
    /// Who gave the grant; without an imported password.
    pub account: Account,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = authorization_codes, treat_none_as_default_value = false)]
struct CodeRow {
    hash: Vec<u8>,
    grant_id: String,
    client_id: String,
    redirect_uri: String,
    code_challenge: Option<String>,
    created_at: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
    dpop_jkt: Option<String>,
}

impl Tx {
    /// Stores a code: false when its hash is there already, so that issuing again after a crash is harmless.
    pub async fn insert_code(&mut self, code: &AuthorizationCode) -> Result<bool, StoreError> {
        let row = CodeRow::from_noun(code);
        let query = diesel::insert_into(authorization_codes::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The code with `hash`, whatever its state.
    pub async fn find_code(&mut self, hash: &KeyedHash) -> Result<Option<AuthorizationCode>, StoreError> {
        let query = authorization_codes::table.find(hash.as_slice());
        let mut rows: Vec<CodeRow> = on!(self, |c| query.select(CodeRow::as_select()).load(c).await)?;
        rows.pop().map(CodeRow::into_noun).transpose()
    }

    /// The code with `hash`, its grant and the account of its person. One round trip.
    pub async fn find_code_with_grant(&mut self, hash: &KeyedHash) -> Result<Option<CodeWithGrant>, StoreError> {
        let rows: Vec<(CodeRow, GrantRow, HolderRow)> = on!(self, |c| authorization_codes::table
            .inner_join(
                grants::table.inner_join(users::table.left_join(password_credentials::table).left_join(factors::table))
            )
            .filter(authorization_codes::hash.eq(hash.as_slice()))
            .order((factors::bound_at, factors::id))
            .select((
                CodeRow::as_select(),
                GrantRow::as_select(),
                (UserRow::as_select(), Option::<PasswordRow>::as_select(), Option::<FactorRow>::as_select())
            ))
            .load(c)
            .await)?;
        let mut code = None;
        let mut rest = Vec::with_capacity(rows.len());
        for (row, grant, account) in rows {
            code.get_or_insert(row);
            rest.push((grant, account));
        }
        let code = code.map(CodeRow::into_noun).transpose()?;
        let found = code.zip(grant_with_account(rest)?);
        Ok(found.map(|(code, with)| CodeWithGrant { code, grant: with.grant, account: with.account }))
    }

    /// Moves the end of a code that was not redeemed yet: its answer was lost and is given again.
    pub async fn renew_code(&mut self, hash: &KeyedHash, expires_at: Timestamp) -> Result<bool, StoreError> {
        use authorization_codes::{consumed_at, expires_at as end, hash as key};
        let fresh = authorization_codes::table.filter(key.eq(hash.as_slice()).and(consumed_at.is_null()));
        let query = diesel::update(fresh).set(end.eq(expires_at.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Redeems a code: of any number of callers exactly one gets true. Expiry is the caller's to check.
    pub async fn consume_code(&mut self, hash: &KeyedHash, now: Timestamp) -> Result<bool, StoreError> {
        use authorization_codes::{consumed_at, hash as key};
        let fresh = authorization_codes::table.filter(key.eq(hash.as_slice()).and(consumed_at.is_null()));
        let query = diesel::update(fresh).set(consumed_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl CodeRow {
    fn from_noun(code: &AuthorizationCode) -> Self {
        Self {
            hash: code.hash.to_vec(),
            grant_id: code.grant.to_string(),
            client_id: code.client.to_string(),
            redirect_uri: code.redirect_uri.clone(),
            code_challenge: code.code_challenge.clone(),
            created_at: code.created_at.as_millis(),
            expires_at: code.expires_at.as_millis(),
            consumed_at: millis(code.consumed_at),
            dpop_jkt: code.dpop_jkt.clone(),
        }
    }

    fn into_noun(self) -> Result<AuthorizationCode, StoreError> {
        let row = Row { table: "authorization_codes", id: &hex(&self.hash) };
        Ok(AuthorizationCode {
            hash: row.hash("hash", &self.hash)?,
            grant: row.parse("grant_id", &self.grant_id)?,
            client: row.parse("client_id", &self.client_id)?,
            redirect_uri: self.redirect_uri,
            code_challenge: self.code_challenge,
            dpop_jkt: self.dpop_jkt,
            created_at: time(self.created_at),
            expires_at: time(self.expires_at),
            consumed_at: self.consumed_at.map(time),
        })
    }
}
