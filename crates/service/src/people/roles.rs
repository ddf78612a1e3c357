//! Roles, granted and revoked by operators: what a person may do in the console.

use countersign_model::{AuditEvent, AuditKind, OrganizationId, Role, Timestamp, User, UserId, UserStatus};
use countersign_store::Tx;

use super::{Actor, PersonRefusal, change_event, check_reason, find_npi};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::provider::Provider;

/// The turn of what changes roles, and of what is done by one.
pub(super) const ROLES: &str = "roles";

/// A role to be granted or revoked.
#[derive(Clone, Copy, Debug)]
pub struct RoleChange<'a> {
    /// Mail address or user name.
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
    event: AuditEvent,
}

impl Provider {
    /// Lets a person do what the role allows, at once.
    pub async fn grant_role(
        &self,
        change: RoleChange<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        if change.role == Role::ProviderAdministrator && change.npi.is_none() {
            return Ok(Err(PersonRefusal::OrganizationMissing));
        }
        self.change_role(change, true, context).await
    }

    /// Lets a person do it no more, at once: their sessions go on without it.
    pub async fn revoke_role(
        &self,
        change: RoleChange<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        self.change_role(change, false, context).await
    }

    async fn change_role(
        &self,
        change: RoleChange<'_>,
        grants: bool,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        let now = self.clock.now();
        let checked = match self.check_change(change, grants, context, now).await? {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let written = self
            .db
            .write(async |tx| {
                tx.take_turn(ROLES).await?;
                if grants { checked.grant(tx, now).await } else { checked.revoke(tx, now).await }
            })
            .await?;
        Ok(written.map(|()| checked.user.id))
    }

    async fn check_change(
        &self,
        change: RoleChange<'_>,
        grants: bool,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Result<Checked, PersonRefusal>, ServiceError> {
        let reason = match check_reason(change.reason) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if change.npi.is_some() && change.role != Role::ProviderAdministrator {
            return Ok(Err(PersonRefusal::OrganizationUnasked));
        }
        let organizations = self.list_organizations().await?;
        let organization = match change.npi.map(|npi| find_npi(&organizations, npi)).transpose() {
            Ok(organization) => organization,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(account) = self.find_person(change.who).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        if account.user.status == UserStatus::Closed {
            return Ok(Err(PersonRefusal::Closed));
        }
        let (user, kind) = (account.user, AuditKind::UserChanged);
        let word = if grants { "role granted" } else { "role revoked" };
        let mut event = change_event(&user.id, kind, word, Some(reason), Actor::Operator, context, now)?;
        event.detail.insert("role".to_owned(), change.role.as_str().into());
        if let Some(organization) = &organization {
            event.detail.insert("organization".to_owned(), organization.as_str().into());
        }
        Ok(Ok(Checked { user, role: change.role, organization, event }))
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
        tx.insert_audit_events(std::slice::from_ref(&self.event)).await?;
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
        tx.insert_audit_events(std::slice::from_ref(&self.event)).await?;
        Ok(Ok(()))
    }

    /// The roles as they stand; none of a closed account.
    async fn find_roles(&self, tx: &mut Tx) -> Result<Option<Vec<Role>>, ServiceError> {
        let account = tx.find_account(&self.user.id).await?;
        Ok(account.filter(|account| account.user.status != UserStatus::Closed).map(|account| account.user.roles))
    }
}
