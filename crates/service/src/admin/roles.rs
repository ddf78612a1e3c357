//! Roles by the admin API, and the locks of people who typed wrong passwords or codes.

use countersign_model::Role;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{OrganizationView, RoleList, RoleView, UserView};
use super::{AdminRefusal, Answer, Caller, UserChange};
use crate::audit::RequestContext;
use crate::people::{Actor, PersonRefusal, RoleChange};
use crate::provider::Provider;
use crate::resource_access::ResourceCall;

/// A role to be granted or revoked.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// `administrator`, `provider_administrator`, `help_desk` or `security_auditor`.
    pub role: String,
    /// NPI of the organization whose people a provider administrator looks after. A grant names one; a revocation that names
    /// none is of the role and of all its organizations.
    pub organization_npi: Option<String>,
    /// Why; kept in the audit.
    pub reason: String,
}

impl Provider {
    /// The roles of a person, with the organizations whose people they look after.
    pub async fn list_user_roles(
        &self,
        call: ResourceCall<'_>,
        user: &str,
        context: &RequestContext,
    ) -> Answer<RoleList> {
        let account = match self.find_seen(call, user, "roles", context).await? {
            Ok(account) => account,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let administered = self.db.read(async |tx| tx.list_administered(&account.user.id).await).await?;
        let known = self.list_organizations().await?;
        let of = |role: Role| RoleView {
            role: role.as_str().to_owned(),
            organizations: match role {
                Role::ProviderAdministrator => {
                    let own = known.iter().filter(|known| administered.contains(&known.id));
                    own.cloned().map(OrganizationView::of).collect()
                }
                Role::Administrator | Role::HelpDesk | Role::SecurityAuditor => Vec::new(),
            },
        };
        Ok(Ok(RoleList { roles: account.user.roles.iter().copied().map(of).collect() }))
    }

    /// Grants a role, or revokes it.
    pub async fn change_user_role(
        &self,
        caller: Caller,
        change: UserChange<'_>,
        role: &ChangeRole,
        grants: bool,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let (caller, account) = match self.find_to_change(caller, change).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(word) = Role::from_word(&role.role) else {
            return Ok(Err(AdminRefusal::Person(PersonRefusal::RoleUnknown)));
        };
        let npi = role.organization_npi.as_deref();
        let asked = RoleChange { who: change.user, role: word, npi, reason: change.reason };
        let done = self.change_role(&account, asked, grants, Actor::Caller(&caller), context).await?;
        self.answer_change(done.map(drop), &account.user.id).await
    }

    /// Forgets the wrong passwords and codes of a person, and the locks they brought.
    pub async fn unlock_user(
        &self,
        caller: Caller,
        change: UserChange<'_>,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let (caller, account) = match self.find_to_change(caller, change).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let done = self.unlock(&account, change.reason, Actor::Caller(&caller), context).await?;
        self.answer_change(done, &account.user.id).await
    }
}
