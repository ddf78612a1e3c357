//! People as an administrator sees them: no secret, factors by kind alone, the phone masked.

use std::collections::BTreeMap;

use countersign_model::{Account, Factor, FactorKind, OrganizationId, Timestamp, User, UserId, UserStatus};
use countersign_protocol::delegation::Reach;
use countersign_store::{PeopleFilter, Tx};

use crate::ServiceError;
use crate::effects::mask_phone;
use crate::people::Administrator;
use crate::provider::Provider;

/// People on a page.
const PAGE: u32 = 25;
/// Longest text that is searched for, in characters.
const MAX_SEARCH: usize = 100;

/// Which people to list.
#[derive(Clone, Debug, Default)]
pub struct PeopleAsked {
    /// With this in name, mail address or user name; empty: all of them.
    pub search: String,
    /// After this one, the last of the page before.
    pub after: Option<UserId>,
}

/// A page of people.
#[derive(Clone, Debug)]
pub struct PeoplePage {
    /// Names of the organizations whose people they see; none: everybody.
    pub organizations: Option<Vec<String>>,
    /// What was searched for, as far as it was looked at.
    pub search: String,
    /// By name.
    pub people: Vec<ListedPerson>,
    /// The last of them, when there are more.
    pub next: Option<UserId>,
}

/// One person.
#[derive(Clone, Debug)]
pub struct ListedPerson {
    /// Their id.
    pub id: UserId,
    /// Full name.
    pub name: Option<String>,
    /// Mail address on file.
    pub email: Option<String>,
    /// Name of the legacy portal.
    pub username: Option<String>,
    /// Name of the organization they belong to.
    pub organization: Option<String>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// When their registration was completed.
    pub registered_at: Option<Timestamp>,
    /// Whether they administer, too.
    pub has_role: bool,
    /// Kinds of their factors, each once.
    pub factors: Vec<FactorKind>,
    /// Their phone, masked.
    pub phone: Option<String>,
    /// When they signed in last.
    pub signed_in_at: Option<Timestamp>,
}

impl Provider {
    pub(super) async fn list_page(&self, own: &Administrator, asked: &PeopleAsked) -> Result<PeoplePage, ServiceError> {
        let search: String = asked.search.trim().chars().take(MAX_SEARCH).collect();
        let filter = PeopleFilter {
            organizations: organizations_of(&own.reach),
            status: None,
            search: Some(search.clone()).filter(|search| !search.is_empty()),
            after: asked.after.clone(),
            limit: PAGE + 1,
        };
        let mut people = self
            .db
            .read(async |tx| {
                let users = tx.list_people(&filter).await?;
                describe(tx, users).await
            })
            .await?;
        let has_more = people.len() > PAGE as usize;
        people.truncate(PAGE as usize);
        let next = people.last().filter(|_| has_more).map(|person| person.id.clone());
        Ok(PeoplePage { organizations: self.name_organizations(&own.reach).await?, search, people, next })
    }

    pub(super) async fn describe_one(&self, account: Account) -> Result<ListedPerson, ServiceError> {
        let user = account.user;
        let people = self.db.read(async |tx| describe(tx, vec![user.clone()]).await).await?;
        people.into_iter().next().ok_or(ServiceError::Internal("a person was not described"))
    }

    /// The account of `user`, if it is one that `reach` covers.
    pub(super) async fn find_within(&self, reach: &Reach, user: &UserId) -> Result<Option<Account>, ServiceError> {
        let found = self.db.read(async |tx| tx.find_account(user).await).await?;
        Ok(found.filter(|account| account.user.status != UserStatus::Closed && reach.covers(&account.user)))
    }

    /// The organizations that `reach` is limited to, by name.
    pub(super) async fn name_organizations(&self, reach: &Reach) -> Result<Option<Vec<String>>, ServiceError> {
        let Reach::Organizations(own) = reach else { return Ok(None) };
        let known = self.list_organizations().await?;
        Ok(Some(known.into_iter().filter(|known| own.contains(&known.id)).map(|known| known.name).collect()))
    }
}

fn organizations_of(reach: &Reach) -> Option<Vec<OrganizationId>> {
    match reach {
        Reach::Everybody => None,
        Reach::Organizations(own) => Some(own.clone()),
    }
}

async fn describe(tx: &mut Tx, users: Vec<User>) -> Result<Vec<ListedPerson>, ServiceError> {
    let ids: Vec<UserId> = users.iter().map(|user| user.id.clone()).collect();
    let mut factors: BTreeMap<UserId, Vec<Factor>> = BTreeMap::new();
    for factor in tx.list_factors_of(&ids).await? {
        factors.entry(factor.user.clone()).or_default().push(factor);
    }
    let signed_in: BTreeMap<UserId, Timestamp> = tx.list_last_sign_ins(&ids).await?.into_iter().collect();
    let mut names: BTreeMap<OrganizationId, String> = BTreeMap::new();
    for id in users.iter().filter_map(|user| user.organization.as_ref()) {
        if !names.contains_key(id)
            && let Some(found) = tx.find_organization_by_id(id).await?
        {
            names.insert(id.clone(), found.name);
        }
    }
    let listed = users.into_iter().map(|user| {
        let held = factors.remove(&user.id).unwrap_or_default();
        let signed_in_at = signed_in.get(&user.id).copied();
        let organization = user.organization.as_ref().and_then(|id| names.get(id).cloned());
        list(user, &held, organization, signed_in_at)
    });
    Ok(listed.collect())
}

fn list(user: User, held: &[Factor], organization: Option<String>, signed_in_at: Option<Timestamp>) -> ListedPerson {
    let mut factors = Vec::new();
    for factor in held {
        if !factors.contains(&factor.kind) {
            factors.push(factor.kind);
        }
    }
    let phone = held.iter().find(|factor| factor.kind == FactorKind::Phone);
    ListedPerson {
        phone: phone.map(|phone| mask_phone(&phone.value)),
        factors,
        organization,
        signed_in_at,
        has_role: !user.roles.is_empty(),
        status: user.status,
        registered_at: user.registered_at,
        name: user.profile.name,
        email: user.email,
        username: user.username,
        id: user.id,
    }
}
