//! Refresh tokens: rotated at each use; the family is the grant.

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
    /// Keyed hash of the token it was exchanged for.
    pub successor: Option<KeyedHash>,
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
}

impl Tx {
    /// Stores a refresh token: false when its hash is there already.
    pub async fn insert_refresh_token(&mut self, token: &RefreshToken) -> Result<bool, StoreError> {
        let row = TokenRow::from_noun(token)?;
        let query = diesel::insert_into(refresh_tokens::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The token with `hash`, its grant and the account of its person. One round trip.
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
        let found = token.zip(grant_with_account(rest)?);
        Ok(found.map(|((token, successor), with)| RefreshTokenWithGrant {
            token,
            successor,
            grant: with.grant,
            account: with.account,
        }))
    }

    /// Exchanges a token for its successor: of any number of callers exactly one gets true.
    pub async fn consume_refresh_token(&mut self, rotation: Rotation<'_>, now: Timestamp) -> Result<bool, StoreError> {
        use refresh_tokens::{consumed_at, hash, successor};
        let fresh = refresh_tokens::table.filter(hash.eq(rotation.hash.as_slice()).and(consumed_at.is_null()));
        let new = (consumed_at.eq(now.as_millis()), successor.eq(rotation.successor.as_slice()));
        let query = diesel::update(fresh).set(new);
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
            consumed_at: self.consumed_at.map(time),
        };
        let successor = self.successor.map(|hash| row.hash("successor", &hash)).transpose()?;
        Ok((token, successor))
    }
}
