//! Standing authorizations: parents of codes and tokens.

use countersign_model::{Account, Client, ClientId, Grant, GrantId, SessionId, Timestamp, UserId};
use diesel::dsl::exists;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods, QueryDsl, Queryable,
    Selectable, SelectableHelper,
};
use diesel_async::RunQueryDsl;

use crate::clients::ClientRow;
use crate::credentials::PasswordRow;
use crate::db::on;
use crate::factors::FactorRow;
use crate::row::{Row, millis, time, to_json};
use crate::schema::{clients, factors, grants, password_credentials, refresh_tokens, revoked_tokens, users};
use crate::users::{HolderRow, UserRow, holder_from_rows};
use crate::{StoreError, Tx};

/// A grant with the account of who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantWithAccount {
    /// The grant, revoked or not.
    pub grant: Grant,
    /// Who gave it; without an imported password.
    pub account: Account,
}

/// What stands behind an access token of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    /// Its grant, with who gave it.
    pub found: GrantWithAccount,
    /// The grant's client, disabled or not; none: it was removed.
    pub client: Option<Client>,
    /// The token itself was taken back.
    pub revoked: bool,
    /// It came with a refresh token and was never shown to us.
    pub unseen: bool,
}

const MOST: i64 = 1000;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = grants, treat_none_as_default_value = false)]
pub struct GrantRow {
    id: String,
    client_id: String,
    user_id: String,
    session_id: String,
    authentication: String,
    scope: String,
    nonce: Option<String>,
    claims: String,
    created_at: i64,
    revoked_at: Option<i64>,
    resources: Option<String>,
}

impl Tx {
    /// Stores a grant.
    pub async fn insert_grant(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let row = GrantRow::from_noun(grant)?;
        on!(self, |c| diesel::insert_into(grants::table).values(&row).execute(c).await).map(drop)
    }

    /// The grant of `id`, revoked or not.
    pub async fn find_grant(&mut self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        let query = grants::table.find(id.as_str());
        let mut rows: Vec<GrantRow> = on!(self, |c| query.select(GrantRow::as_select()).load(c).await)?;
        rows.pop().map(GrantRow::into_noun).transpose()
    }

    /// The grant of `id` with its person's account, for UserInfo. One round trip.
    pub async fn find_grant_with_account(&mut self, id: &GrantId) -> Result<Option<GrantWithAccount>, StoreError> {
        let rows: Vec<(GrantRow, HolderRow)> = on!(self, |c| grants::table
            .inner_join(users::table.left_join(password_credentials::table).left_join(factors::table))
            .filter(grants::id.eq(id.as_str()))
            .order((factors::bound_at, factors::id))
            .select((
                GrantRow::as_select(),
                (UserRow::as_select(), Option::<PasswordRow>::as_select(), Option::<FactorRow>::as_select())
            ))
            .load(c)
            .await)?;
        grant_with_account(rows)
    }

    /// The grant of `id` with everything that says whether the access token of `jti`, which is under it, still stands.
    /// One round trip.
    pub async fn find_token_grant(&mut self, id: &GrantId, jti: &str) -> Result<Option<TokenGrant>, StoreError> {
        use refresh_tokens::{access_jti, access_used_at};
        let revoked = exists(revoked_tokens::table.filter(revoked_tokens::jti.eq(jti)));
        let unseen = exists(refresh_tokens::table.filter(access_jti.eq(jti).and(access_used_at.is_null())));
        let rows: Vec<(GrantRow, Option<ClientRow>, bool, bool, HolderRow)> = on!(self, |c| grants::table
            .inner_join(users::table.left_join(password_credentials::table).left_join(factors::table))
            .left_join(clients::table.on(clients::id.eq(grants::client_id)))
            .filter(grants::id.eq(id.as_str()))
            .order((factors::bound_at, factors::id))
            .select((
                GrantRow::as_select(),
                Option::<ClientRow>::as_select(),
                revoked,
                unseen,
                (UserRow::as_select(), Option::<PasswordRow>::as_select(), Option::<FactorRow>::as_select()),
            ))
            .load(c)
            .await)?;
        let (mut pairs, mut rest) = (Vec::with_capacity(rows.len()), None);
        for (grant, client, revoked, unseen, holder) in rows {
            pairs.push((grant, holder));
            rest = Some((client, revoked, unseen));
        }
        let (Some(found), Some((client, revoked, unseen))) = (grant_with_account(pairs)?, rest) else {
            return Ok(None);
        };
        let client = client.map(ClientRow::into_noun).transpose()?;
        Ok(Some(TokenGrant { found, client, revoked, unseen }))
    }

    /// The grants of `user` that stand, newest first; a thousand at most.
    pub async fn list_grants_of_user(&mut self, user: &UserId) -> Result<Vec<Grant>, StoreError> {
        let live = grants::table.filter(grants::user_id.eq(user.as_str()).and(grants::revoked_at.is_null()));
        let query = live.order((grants::created_at.desc(), grants::id.desc())).limit(MOST);
        let rows: Vec<GrantRow> = on!(self, |c| query.select(GrantRow::as_select()).load(c).await)?;
        rows.into_iter().map(GrantRow::into_noun).collect()
    }

    /// The grants given in the browser session `session` that stood at `at`; a thousand at most.
    pub async fn list_grants_of_session(
        &mut self,
        session: &SessionId,
        at: Timestamp,
    ) -> Result<Vec<Grant>, StoreError> {
        use grants::{created_at, id, revoked_at, session_id};
        let stood = revoked_at.is_null().or(revoked_at.ge(at.as_millis()).assume_not_null());
        let query = grants::table.filter(session_id.eq(session.as_str())).filter(stood);
        let query = query.order((created_at, id)).limit(MOST);
        let rows: Vec<GrantRow> = on!(self, |c| query.select(GrantRow::as_select()).load(c).await)?;
        rows.into_iter().map(GrantRow::into_noun).collect()
    }

    /// Lets `new` stand for `old` where grants of the session are looked for: the same person signed in again. What
    /// tokens say of their session stays.
    pub async fn move_grants(&mut self, old: &SessionId, new: &SessionId) -> Result<usize, StoreError> {
        let query = diesel::update(grants::table.filter(grants::session_id.eq(old.as_str())))
            .set(grants::session_id.eq(new.as_str()));
        on!(self, |c| query.execute(c).await)
    }

    /// Takes every grant of `user` to `client` back and says how many.
    pub async fn revoke_grants_of_client(
        &mut self,
        user: &UserId,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        use grants::{client_id, revoked_at, user_id};
        let live = user_id.eq(user.as_str()).and(client_id.eq(client.as_str())).and(revoked_at.is_null());
        let query = diesel::update(grants::table.filter(live)).set(revoked_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }

    /// Takes a grant back, and with it everything under it: false when it was revoked before or never was.
    pub async fn revoke_grant(&mut self, id: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
        let live = grants::table.filter(grants::id.eq(id.as_str()).and(grants::revoked_at.is_null()));
        let query = diesel::update(live).set(grants::revoked_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Takes every grant of `user` back and says how many; for resets.
    pub async fn revoke_grants_of_user(&mut self, user: &UserId, now: Timestamp) -> Result<usize, StoreError> {
        let live = grants::table.filter(grants::user_id.eq(user.as_str()).and(grants::revoked_at.is_null()));
        let query = diesel::update(live).set(grants::revoked_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }
}

/// The grant and account that the rows of one join describe.
pub fn grant_with_account(rows: Vec<(GrantRow, HolderRow)>) -> Result<Option<GrantWithAccount>, StoreError> {
    let mut grant = None;
    let mut accounts = Vec::with_capacity(rows.len());
    for (row, account) in rows {
        grant.get_or_insert(row);
        accounts.push(account);
    }
    let grant = grant.map(GrantRow::into_noun).transpose()?;
    Ok(grant.zip(holder_from_rows(accounts)?).map(|(grant, account)| GrantWithAccount { grant, account }))
}

impl GrantRow {
    fn from_noun(grant: &Grant) -> Result<Self, StoreError> {
        Ok(Self {
            id: grant.id.to_string(),
            client_id: grant.client.to_string(),
            user_id: grant.authentication.user.to_string(),
            session_id: grant.authentication.session.to_string(),
            authentication: to_json(&grant.authentication)?,
            scope: grant.scope.to_string(),
            nonce: grant.nonce.clone(),
            claims: to_json(&grant.claims)?,
            created_at: grant.created_at.as_millis(),
            revoked_at: millis(grant.revoked_at),
            resources: if grant.resources.is_empty() { None } else { Some(to_json(&grant.resources)?) },
        })
    }

    pub fn into_noun(self) -> Result<Grant, StoreError> {
        let row = Row { table: "grants", id: &self.id };
        Ok(Grant {
            id: row.parse("id", &self.id)?,
            client: row.parse("client_id", &self.client_id)?,
            authentication: row.json("authentication", &self.authentication)?,
            scope: row.parse("scope", &self.scope)?,
            claims: row.json("claims", &self.claims)?,
            resources: match &self.resources {
                Some(text) => row.json("resources", text)?,
                None => Vec::new(),
            },
            created_at: time(self.created_at),
            revoked_at: self.revoked_at.map(time),
            nonce: self.nonce,
        })
    }
}
