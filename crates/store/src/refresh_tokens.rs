//! Refresh tokens: rotated at each use, and again when the answer was lost; the family is the grant.

use countersign_model::{Account, Grant, KeyedHash, RefreshToken, Timestamp};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::credentials::PasswordRow;
use crate::db::on;
use crate::factors::FactorRow;
use crate::grants::{GrantRow, grant_with_account};
use crate::row::{Row, hex, millis, time, to_json};
use crate::schema::{factors, grants, password_credentials, refresh_tokens, users};
use crate::users::{HolderRow, UserRow};
use crate::{StoreError, Tx};

/// A refresh token with everything its use needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshTokenWithGrant {
    /// The token, consumed, expired or neither.
    pub token: RefreshToken,
    /// The token it was exchanged for.
    pub successor: Option<RefreshToken>,
    /// The grant it belongs to, revoked or not.
    pub grant: Grant,
    /// Who gave the grant; without an imported password.
    pub account: Account,
}

/// The exchange of a refresh token for its successor.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Keyed hash of the token that is used up.
    pub hash: &'a KeyedHash,
    /// Keyed hash of the new one, kept to recognise a client that never saw the answer.
    pub successor: &'a KeyedHash,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens, treat_none_as_default_value = false)]
struct TokenRow {
    hash: Vec<u8>,
    grant_id: String,
    client_id: String,
    scope: String,
    created_at: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
    successor: Option<Vec<u8>>,
    binding: Option<String>,
    access_jti: Option<String>,
    access_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Tx {
    /// Stores a refresh token: false when its hash is there already.
    pub async fn insert_refresh_token(&mut self, token: &RefreshToken) -> Result<bool, StoreError> {
        let row = TokenRow::from_noun(token)?;
        let query = diesel::insert_into(refresh_tokens::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The token with `hash`, its grant and the account of its person. One round trip, two when it was used before.
    pub async fn find_refresh_token_with_grant(
        &mut self,
        hash: &KeyedHash,
    ) -> Result<Option<RefreshTokenWithGrant>, StoreError> {
        let rows: Vec<(TokenRow, GrantRow, HolderRow)> = on!(self, |c| refresh_tokens::table
            .inner_join(
                grants::table.inner_join(users::table.left_join(password_credentials::table).left_join(factors::table))
            )
            .filter(refresh_tokens::hash.eq(hash.as_slice()))
            .order((factors::bound_at, factors::id))
            .select((
                TokenRow::as_select(),
                GrantRow::as_select(),
                (UserRow::as_select(), Option::<PasswordRow>::as_select(), Option::<FactorRow>::as_select())
            ))
            .load(c)
            .await)?;
        let mut token = None;
        let mut rest = Vec::with_capacity(rows.len());
        for (row, grant, account) in rows {
            token.get_or_insert(row);
            rest.push((grant, account));
        }
        let token = token.map(TokenRow::into_noun).transpose()?;
        let Some(((token, successor), with)) = token.zip(grant_with_account(rest)?) else { return Ok(None) };
        let successor = match successor {
            Some(hash) => self.find_refresh_token(&hash).await?,
            None => None,
        };
        Ok(Some(RefreshTokenWithGrant { token, successor, grant: with.grant, account: with.account }))
    }

    async fn find_refresh_token(&mut self, hash: &KeyedHash) -> Result<Option<RefreshToken>, StoreError> {
        let query = refresh_tokens::table.find(hash.as_slice());
        let mut rows: Vec<TokenRow> = on!(self, |c| query.select(TokenRow::as_select()).load(c).await)?;
        rows.pop().map(TokenRow::into_noun).transpose().map(|found| found.map(|(token, _)| token))
    }

    /// Exchanges a token for its successor: of any number of callers exactly one gets true.
    pub async fn consume_refresh_token(&mut self, rotation: Rotation<'_>, now: Timestamp) -> Result<bool, StoreError> {
        use refresh_tokens::{consumed_at, hash, revoked_at, successor};
        let unused = consumed_at.is_null().and(revoked_at.is_null());
        let fresh = refresh_tokens::table.filter(hash.eq(rotation.hash.as_slice()).and(unused));
        let new = (consumed_at.eq(now.as_millis()), successor.eq(rotation.successor.as_slice()));
        let query = diesel::update(fresh).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Exchanges a used token anew: its successor `old` is taken back, if neither it nor its access token was ever
    /// used. Of any number of callers exactly one gets true.
    pub async fn replace_successor(
        &mut self,
        rotation: Rotation<'_>,
        old: &KeyedHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use refresh_tokens::{access_used_at, consumed_at, hash, revoked_at, successor};
        let unused = consumed_at.is_null().and(revoked_at.is_null()).and(access_used_at.is_null());
        let unseen = refresh_tokens::table.filter(hash.eq(old.as_slice()).and(unused));
        let query = diesel::update(unseen).set(revoked_at.eq(now.as_millis()));
        if on!(self, |c| query.execute(c).await)? != 1 {
            return Ok(false);
        }
        let used = refresh_tokens::table.filter(hash.eq(rotation.hash.as_slice()));
        let query = diesel::update(used).set(successor.eq(rotation.successor.as_slice()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Whether the access token of `jti` came with a refresh token and was never shown to us.
    pub async fn is_access_token_unseen(&mut self, jti: &str) -> Result<bool, StoreError> {
        use refresh_tokens::{access_jti, access_used_at, hash};
        let query = refresh_tokens::table.filter(access_jti.eq(jti).and(access_used_at.is_null())).select(hash);
        let rows: Vec<Vec<u8>> = on!(self, |c| query.load(c).await)?;
        Ok(!rows.is_empty())
    }

    /// Notes that the access token of `jti` was shown to us: its client did get the answer that it came with. False
    /// when that was known.
    pub async fn note_access_token_use(&mut self, jti: &str, now: Timestamp) -> Result<bool, StoreError> {
        use refresh_tokens::{access_jti, access_used_at};
        let unseen = refresh_tokens::table.filter(access_jti.eq(jti).and(access_used_at.is_null()));
        let query = diesel::update(unseen).set(access_used_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl TokenRow {
    fn from_noun(token: &RefreshToken) -> Result<Self, StoreError> {
        Ok(Self {
            hash: token.hash.to_vec(),
            grant_id: token.grant.to_string(),
            client_id: token.client.to_string(),
            scope: token.scope.to_string(),
            created_at: token.created_at.as_millis(),
            expires_at: token.expires_at.as_millis(),
            consumed_at: millis(token.consumed_at),
            successor: None,
            binding: token.binding.as_ref().map(to_json).transpose()?,
            access_jti: token.access_jti.clone(),
            access_used_at: millis(token.access_used_at),
            revoked_at: millis(token.revoked_at),
        })
    }

    fn into_noun(self) -> Result<(RefreshToken, Option<KeyedHash>), StoreError> {
        let row = Row { table: "refresh_tokens", id: &hex(&self.hash) };
        let token = RefreshToken {
            hash: row.hash("hash", &self.hash)?,
            grant: row.parse("grant_id", &self.grant_id)?,
            client: row.parse("client_id", &self.client_id)?,
            scope: row.parse("scope", &self.scope)?,
            binding: self.binding.as_deref().map(|text| row.json("binding", text)).transpose()?,
            created_at: time(self.created_at),
            expires_at: time(self.expires_at),
            access_jti: self.access_jti,
            access_used_at: self.access_used_at.map(time),
            consumed_at: self.consumed_at.map(time),
            revoked_at: self.revoked_at.map(time),
        };
        let successor = self.successor.map(|hash| row.hash("successor", &hash)).transpose()?;
        Ok((token, successor))
    }
}
