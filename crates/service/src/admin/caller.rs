//! Who may use the admin API: an access token of ours with the scope, and for people a role, of which they proved by a
//! second factor that it is theirs (RFC 9470).

use countersign_model::{Account, Client, ClientId, GrantId, Seconds, User, UserId, UserStatus};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::delegation::{self, FRESH, Permission, Reach};
use countersign_store::{Charged, CounterLimit, Tx};

use super::Answer;
use super::view::UserView;
use crate::ServiceError;
use crate::deed::RecordRefusal;
use crate::people::PersonRefusal;
use crate::provider::Provider;
use crate::resource_access::{ResourceCall, dead};

/// How much a caller may try to change within an hour, as an administrator in the console.
const DEEDS: CounterLimit = CounterLimit { allowed: 120, window: Seconds::hours(1), lock: None };

/// Why the admin API does not answer.
#[derive(Debug)]
pub enum AdminRefusal {
    /// The token is missing, wrong, or does not allow it (RFC 6750).
    Token(Refusal),
    /// There is no such thing, or not among those the caller may see.
    Unknown,
    /// Another request was carried out under this key.
    KeyReused,
    /// The caller changed too much within an hour.
    Spent {
        /// When to come back.
        retry_after: Seconds,
    },
    /// Nothing was done for a person, and this is why.
    Person(PersonRefusal),
    /// Nothing was done to the deployment, and this is why.
    Record(RecordRefusal),
}

impl From<RecordRefusal> for AdminRefusal {
    fn from(refusal: RecordRefusal) -> Self {
        match refusal {
            RecordRefusal::Unknown => Self::Unknown,
            RecordRefusal::KeyReused => Self::KeyReused,
            refusal => Self::Record(refusal),
        }
    }
}

impl From<PersonRefusal> for AdminRefusal {
    fn from(refusal: PersonRefusal) -> Self {
        // Who went out of reach meanwhile is told of as anybody out of it.
        if refusal == PersonRefusal::Unknown { Self::Unknown } else { Self::Person(refusal) }
    }
}

/// Who asks: a client, for itself or for a person.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whom they see.
    pub(crate) reach: Reach,
    /// The client.
    pub(crate) client: ClientId,
    /// The person it asks for.
    pub(crate) person: Option<CallingPerson>,
    permission: Permission,
    /// Versions one of which the account that is changed must have; none: whatever it has.
    expected: Option<Vec<String>>,
}

/// A person who asks by a client.
#[derive(Clone, Debug)]
pub(crate) struct CallingPerson {
    /// Themself.
    pub(crate) user: User,
    grant: GrantId,
}

impl Caller {
    /// With the versions one of which the account must have (RFC 9110, 13.1.1).
    pub(crate) fn expecting(self, expected: Option<Vec<String>>) -> Self {
        Self { expected, ..self }
    }

    /// Their name in what is counted and remembered by caller.
    pub(crate) fn name(&self) -> String {
        let person = self.person.as_ref().map_or("", |person| person.user.id.as_str());
        format!("{} {person}", self.client)
    }

    /// Whether `account` is not what the caller takes it for.
    pub(crate) fn is_outdated(&self, account: &Account) -> bool {
        self.expected.as_ref().is_some_and(|expected| !expected.contains(&UserView::of(account).version()))
    }

    /// Who they are and whom they reach by now: client, grant, account and role may have gone since.
    pub(crate) async fn find_reach(&self, tx: &mut Tx) -> Result<Option<(Option<UserId>, Reach)>, ServiceError> {
        if find_standing(tx, &self.client, self.permission).await?.is_none() {
            return Ok(None);
        }
        let Some(person) = &self.person else { return Ok(Some((None, self.reach.clone()))) };
        let is_granted = tx.find_grant(&person.grant).await?.is_some_and(|grant| grant.revoked_at.is_none());
        let account = tx.find_account(&person.user.id).await?;
        let Some(account) = account.filter(|account| is_granted && account.user.status == UserStatus::Active) else {
            return Ok(None);
        };
        let administers = tx.list_administered(&account.user.id).await?;
        let reach = delegation::reach_by(&account.user.roles, &administers, self.permission);
        Ok(reach.map(|reach| (Some(account.user.id), reach)))
    }
}

impl Provider {
    /// Who changes something by `call`, found before anything of the request is read, and counted.
    pub async fn find_writer(&self, call: ResourceCall<'_>, permission: Permission) -> Answer<Caller> {
        let caller = match self.find_caller(call, permission).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(AdminRefusal::Token(refusal))),
        };
        let key = self.counter_name("admin", "deed", &caller.name());
        Ok(match self.short_lived.charge(&key, &[], &DEEDS).await? {
            Charged::Refused { retry_after } => Err(AdminRefusal::Spent { retry_after }),
            Charged::Allowed { .. } => Ok(caller),
        })
    }

    /// Who shows the token of `call`, if it lets them do what `permission` is.
    pub(crate) async fn find_caller(
        &self,
        call: ResourceCall<'_>,
        permission: Permission,
    ) -> Result<Result<Caller, Refusal>, ServiceError> {
        let claims = match self.accept_token(call, permission.scope()).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let too_narrow = Refusal::InsufficientScope { needed: permission.scope() };
        let Some(id) = claims.client() else { return Ok(Err(too_narrow)) };
        let Some(client) = self.db.read(async |tx| find_standing(tx, &id, permission).await).await? else {
            return Ok(Err(too_narrow));
        };
        let Some(grant) = claims.gid.as_ref() else {
            if claims.sub != claims.client_id {
                return Ok(Err(too_narrow));
            }
            if permission.is_dangerous() {
                return Ok(Err(Refusal::InsufficientAuthentication { acr_values: Vec::new(), max_age: Some(FRESH) }));
            }
            // A client on its own behalf: its operator registered it for this.
            let (reach, client) = (Reach::Everybody, client.id);
            return Ok(Ok(Caller { reach, client, person: None, permission, expected: None }));
        };
        let found = match grant.parse() {
            Ok(grant) => self.db.read(async |tx| tx.find_grant_with_account(&grant).await).await?,
            Err(_) => None,
        };
        let standing =
            found.filter(|found| found.grant.revoked_at.is_none() && found.account.user.status == UserStatus::Active);
        let Some(standing) = standing else {
            return Ok(Err(dead("the grant was revoked or its person may not sign in")));
        };
        let (account, login) = (standing.account, standing.grant.authentication);
        let administers = self.db.read(async |tx| tx.list_administered(&account.user.id).await).await?;
        let Some(reach) = delegation::reach_by(&account.user.roles, &administers, permission) else {
            return Ok(Err(too_narrow));
        };
        let (policies, session) = (self.policies.login(), self.settings.lifetimes.session_absolute);
        let age = if permission.changes() { FRESH } else { session };
        let demand = delegation::demand_of_reader(&account, &login, &client, policies, age, self.clock.now());
        if let Some(refusal) = demand {
            return Ok(Err(refusal));
        }
        let person = Some(CallingPerson { user: account.user, grant: standing.grant.id });
        Ok(Ok(Caller { reach, client: client.id, person, permission, expected: None }))
    }
}

/// The client, if the operator registered it for the scope and it may still use it. Clients that registered themselves
/// may name any scope: theirs counts for nothing here.
async fn find_standing(tx: &mut Tx, client: &ClientId, permission: Permission) -> Result<Option<Client>, ServiceError> {
    let client = tx.find_client(client).await?;
    Ok(client.filter(|client| {
        !client.disabled && client.registration.is_none() && client.scope.contains(permission.scope())
    }))
}
