//! Who may read timelines over HTTP: an access token of ours with the scope `users.read`, and for people a role, of which
//! they proved by a second factor that it is theirs (RFC 9470).

use countersign_model::{Client, ClientId, OrganizationId, Role, UserId, UserStatus};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::delegation::{self, Reach};

use super::Timeline;
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::provider::Provider;
use crate::resource_access::{ResourceCall, dead};

/// Lets a client read what is on record of people.
const USERS_READ: &str = "users.read";

/// Why the admin API does not answer.
#[derive(Debug)]
pub enum AdminRefusal {
    /// The token is missing, wrong, or does not allow it (RFC 6750).
    Token(Refusal),
    /// There is no such person, or not among those the caller may see.
    Unknown,
}

/// Who asks: a client, for itself or for a person.
struct Caller {
    reach: Reach,
    client: ClientId,
    person: Option<UserId>,
}

impl Provider {
    /// The timeline of `who`, for who presents a token that allows it.
    pub async fn read_timeline(
        &self,
        call: ResourceCall<'_>,
        who: &str,
        context: &RequestContext,
    ) -> Result<Result<Timeline, AdminRefusal>, ServiceError> {
        let caller = match self.find_caller(call).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(AdminRefusal::Token(refusal))),
        };
        let Some(account) = self.find_person(who).await?.filter(|account| caller.reach.covers(&account.user)) else {
            return Ok(Err(AdminRefusal::Unknown));
        };
        let by = caller.person.as_ref().map_or("client", |person| person.as_str());
        let read = self.reading_of(&account, context)?.client(&caller.client).detail("by", by).build();
        self.write_events(&[read]).await?;
        self.timeline_of(&account).await.map(Ok)
    }

    async fn find_caller(&self, call: ResourceCall<'_>) -> Result<Result<Caller, Refusal>, ServiceError> {
        let claims = match self.accept_token(call, USERS_READ).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(id) = claims.client() else { return Ok(Err(TOO_NARROW)) };
        let Some(client) = self.find_standing(&id).await? else { return Ok(Err(TOO_NARROW)) };
        let Some(grant) = claims.gid.as_ref() else {
            // A client on its own behalf: its operator registered it for this.
            let itself = Caller { reach: Reach::Everybody, client: client.id, person: None };
            return Ok(if claims.sub == claims.client_id { Ok(itself) } else { Err(TOO_NARROW) });
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
        let reach = match reach_of(&account.user.roles, &administers) {
            Ok(reach) => reach,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (policies, session) = (self.policies.login(), self.settings.lifetimes.session_absolute);
        let demand = delegation::demand_of_reader(&account, &login, &client, policies, session, self.clock.now());
        Ok(match demand {
            Some(refusal) => Err(refusal),
            None => Ok(Caller { reach, client: client.id, person: Some(account.user.id) }),
        })
    }

    /// The client, if the operator registered it for the scope and it may still use it. Clients that registered
    /// themselves may name any scope: theirs counts for nothing here.
    async fn find_standing(&self, client: &ClientId) -> Result<Option<Client>, ServiceError> {
        let client = self.db.read(async |tx| tx.find_client(client).await).await?;
        Ok(client
            .filter(|client| !client.disabled && client.registration.is_none() && client.scope.contains(USERS_READ)))
    }
}

const TOO_NARROW: Refusal = Refusal::InsufficientScope { needed: USERS_READ };

/// The help desk reads everybody's, and changes nothing.
fn reach_of(roles: &[Role], administers: &[OrganizationId]) -> Result<Reach, Refusal> {
    if roles.contains(&Role::HelpDesk) {
        return Ok(Reach::Everybody);
    }
    Reach::of(roles, administers).ok_or(TOO_NARROW)
}
