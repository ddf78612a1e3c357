//! Roles, granted and revoked: what a person may do in the console and by the admin API.

use countersign_model::{
    Account, AuditEvent, AuditKind, OrganizationId, OutboxMessage, Role, Timestamp, User, UserId, UserStatus,
};
use countersign_store::Tx;

use super::{Actor, PersonRefusal, change_event, check_reason, find_npi, locale_of};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::effects::mailbox_of;
use crate::notices::Notice;
use crate::provider::Provider;

/// Mails to whose roles changed.
const GRANTED: &str = "role_granted";
const REVOKED: &str = "role_revoked";

/// The turn of what changes roles, and of what is done by one.
pub(super) const ROLES: &str = "roles";

/// A role to be granted or revoked.
#[derive(Clone, Copy, Debug)]
pub struct RoleChange<'a> {
    /// Mail address or user name; by the admin API an id.
    pub who: &'a str,
    /// The role.
    pub role: Role,
    /// NPI of the organization whose people a provider administrator looks after. A grant names one; a revocation that
    /// names none is of the role and of all its organizations.
    pub npi: Option<&'a str>,
    /// Why; kept in the audit.
    pub reason: &'a str,
}

/// A change that was checked.
struct Checked {
    user: User,
    role: Role,
    organization: Option<OrganizationId>,
    events: Vec<AuditEvent>,
    /// What the person is told.
    told: Option<OutboxMessage>,
}

impl Provider {
    /// Lets a person do what the role allows, at once.
    pub async fn grant_role(
        &self,
        change: RoleChange<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        self.find_and_change_role(change, true, context).await
    }

    /// Lets a person do it no more, at once: their sessions go on without it.
    pub async fn revoke_role(
        &self,
        change: RoleChange<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        self.find_and_change_role(change, false, context).await
    }

    async fn find_and_change_role(
        &self,
        change: RoleChange<'_>,
        grants: bool,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        if let Err(refusal) = check_asked(change, grants) {
            return Ok(Err(refusal));
        }
        let Some(account) = self.find_person(change.who).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        self.change_role(&account, change, grants, Actor::Operator, context).await
    }

    /// Grants or revokes a role of an account that was found, by whoever it is; its person is told by mail.
    pub(crate) async fn change_role(
        &self,
        account: &Account,
        change: RoleChange<'_>,
        grants: bool,
        actor: Actor<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        let now = self.clock.now();
        let checked = match self.check_change(account, change, grants, (actor, context, now)).await? {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let user = &checked.user.id;
        let written = self.db.write(async |tx| {
            tx.take_turn(ROLES).await?;
            if let Err(refusal) = actor.may_still_change_role(tx, user, change.role, now).await? {
                return Ok(Err(refusal));
            }
            if grants { checked.grant(tx, now).await } else { checked.revoke(tx, now).await }
        });
        let written = written.await?;
        self.outbox.notify_one();
        Ok(written.map(|()| checked.user.id))
    }

    async fn check_change(
        &self,
        account: &Account,
        change: RoleChange<'_>,
        grants: bool,
        (actor, context, now): (Actor<'_>, &RequestContext, Timestamp),
    ) -> Result<Result<Checked, PersonRefusal>, ServiceError> {
        let reason = match check_asked(change, grants) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let organizations = self.list_organizations().await?;
        let organization = match change.npi.map(|npi| find_npi(&organizations, npi)).transpose() {
            Ok(organization) => organization,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if account.user.status == UserStatus::Closed {
            return Ok(Err(PersonRefusal::Closed));
        }
        let (user, kind) = (account.user.clone(), AuditKind::UserChanged);
        let (word, template) = if grants { ("role granted", GRANTED) } else { ("role revoked", REVOKED) };
        let mut event = change_event(&user.id, kind, word, Some(reason), actor, context, now)?;
        event.detail.insert("role".to_owned(), change.role.as_str().into());
        if let Some(organization) = &organization {
            event.detail.insert("organization".to_owned(), organization.as_str().into());
        }
        let mut events = vec![event];
        let told = match mailbox_of(account) {
            Some(to) => {
                let notice = Notice { template, channel: "email", to: &to, locale: locale_of(account) };
                let (message, queued) = self.notice(account, &notice, context, now)?;
                events.push(queued);
                Some(message)
            }
            None => None,
        };
        Ok(Ok(Checked { user, role: change.role, organization, events, told }))
    }
}

impl Checked {
    async fn grant(&self, tx: &mut Tx, now: Timestamp) -> Result<Result<(), PersonRefusal>, ServiceError> {
        if tx.is_unclaimed(&self.user.id).await? {
            return Ok(Err(PersonRefusal::Unclaimed));
        }
        let Some(mut roles) = self.find_roles(tx).await? else { return Ok(Err(PersonRefusal::Closed)) };
        let is_new = !roles.contains(&self.role);
        if is_new {
            roles.push(self.role);
            tx.set_user_roles(&self.user.id, &roles, now).await?;
        }
        let is_wider = match &self.organization {
            Some(organization) => tx.insert_administered(&self.user.id, organization, now).await?,
            None => false,
        };
        if !is_new && !is_wider {
            return Ok(Err(PersonRefusal::Already("granted this role")));
        }
        self.tell(tx).await?;
        Ok(Ok(()))
    }

    async fn revoke(&self, tx: &mut Tx, now: Timestamp) -> Result<Result<(), PersonRefusal>, ServiceError> {
        let Some(mut roles) = self.find_roles(tx).await? else { return Ok(Err(PersonRefusal::Closed)) };
        if !roles.contains(&self.role) {
            return Ok(Err(PersonRefusal::RoleMissing));
        }
        let mut is_last = true;
        if self.role == Role::ProviderAdministrator {
            let gone = tx.delete_administered(&self.user.id, self.organization.as_ref()).await?;
            if self.organization.is_some() && gone == 0 {
                return Ok(Err(PersonRefusal::RoleMissing));
            }
            is_last = tx.list_administered(&self.user.id).await?.is_empty();
        }
        if is_last {
            roles.retain(|role| *role != self.role);
            tx.set_user_roles(&self.user.id, &roles, now).await?;
        }
        self.tell(tx).await?;
        Ok(Ok(()))
    }

    /// Writes what is told: to the audit, and to the person.
    async fn tell(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        if let Some(message) = &self.told {
            tx.insert_outbox_message(message).await?;
        }
        Ok(tx.insert_audit_events(&self.events).await?)
    }

    /// The roles as they stand; none of a closed account.
    async fn find_roles(&self, tx: &mut Tx) -> Result<Option<Vec<Role>>, ServiceError> {
        let account = tx.find_account(&self.user.id).await?;
        Ok(account.filter(|account| account.user.status != UserStatus::Closed).map(|account| account.user.roles))
    }
}

/// The reason, if role, organization and reason go together.
fn check_asked(change: RoleChange<'_>, grants: bool) -> Result<&str, PersonRefusal> {
    if grants && change.role == Role::ProviderAdministrator && change.npi.is_none() {
        return Err(PersonRefusal::OrganizationMissing);
    }
    if change.npi.is_some() && change.role != Role::ProviderAdministrator {
        return Err(PersonRefusal::OrganizationUnasked);
    }
    check_reason(change.reason)
}
