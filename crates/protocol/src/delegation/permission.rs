//! What each role may do to the deployment, and which scope value a program's token must hold for it.

use countersign_model::{OrganizationId, Role, User};

use super::{Forbidden, Reach};

/// What can be done by the console or the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// To see people, their factors and sessions, and what happened to their attempts.
    ReadUsers,
    /// To make accounts, to invite, disable and enable, to end sessions.
    WriteUsers,
    /// To take a registration away.
    ResetUsers,
    /// To read the audit, and to have an entry proven.
    ReadAudit,
    /// To see clients.
    ReadClients,
    /// To see provider groups.
    ReadOrganizations,
    /// To see the public signing keys and their times.
    ReadKeys,
    /// To see which policies run.
    ReadPolicies,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 8] = [
        Self::ReadUsers,
        Self::WriteUsers,
        Self::ResetUsers,
        Self::ReadAudit,
        Self::ReadClients,
        Self::ReadOrganizations,
        Self::ReadKeys,
        Self::ReadPolicies,
    ];

    /// The scope value that a token must hold.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::ReadUsers => "users.read",
            Self::WriteUsers | Self::ResetUsers => "users.write",
            Self::ReadAudit => "audit.read",
            Self::ReadClients => "clients.read",
            Self::ReadOrganizations => "organizations.read",
            Self::ReadKeys => "keys.read",
            Self::ReadPolicies => "policies.read",
        }
    }

    /// Whether a program by itself never may: it has no second factor.
    pub const fn is_dangerous(self) -> bool {
        matches!(self, Self::ResetUsers)
    }

    /// Whether it changes somebody's account, which takes a person who signed in just now.
    pub const fn changes(self) -> bool {
        matches!(self, Self::WriteUsers | Self::ResetUsers)
    }

    /// Whether a holder of `role` has it.
    pub const fn is_of(self, role: Role) -> bool {
        match role {
            Role::Administrator => true,
            Role::ProviderAdministrator => {
                matches!(self, Self::ReadUsers | Self::WriteUsers | Self::ResetUsers | Self::ReadOrganizations)
            }
            Role::HelpDesk => matches!(self, Self::ReadUsers),
            Role::SecurityAuditor => {
                matches!(self, Self::ReadAudit | Self::ReadClients | Self::ReadKeys | Self::ReadPolicies)
            }
        }
    }
}

/// Whom or what holders of `roles` reach by `permission`, when they look after the people of `administers`; none: they
/// may not. Of several roles the widest counts.
pub fn reach_by(roles: &[Role], administers: &[OrganizationId], permission: Permission) -> Option<Reach> {
    let mut having = roles.iter().filter(|role| permission.is_of(**role)).peekable();
    having.peek()?;
    let is_wide = having.any(|role| *role != Role::ProviderAdministrator);
    Some(if is_wide { Reach::Everybody } else { Reach::Organizations(administers.to_vec()) })
}

/// Whether a program by itself may change the account of `target`: nobody with a role, since it has none.
pub fn may_program_change(target: &User) -> Result<(), Forbidden> {
    if target.roles.is_empty() { Ok(()) } else { Err(Forbidden::Administrator) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    /// The whole table: permission, then administrator, provider administrator, help desk, security auditor.
    const TABLE: [(Permission, [bool; 4]); 8] = [
        (Permission::ReadUsers, [true, true, true, false]),
        (Permission::WriteUsers, [true, true, false, false]),
        (Permission::ResetUsers, [true, true, false, false]),
        (Permission::ReadAudit, [true, false, false, true]),
        (Permission::ReadClients, [true, false, false, true]),
        (Permission::ReadOrganizations, [true, true, false, false]),
        (Permission::ReadKeys, [true, false, false, true]),
        (Permission::ReadPolicies, [true, false, false, true]),
    ];

    #[test]
    fn each_role_may_what_the_table_says_within_its_reach() {
        assert_eq!(TABLE.map(|(permission, _)| permission), Permission::ALL);
        let own = [OrganizationId::new(NOW, [1; 10])];
        for (permission, row) in TABLE {
            for (role, may) in Role::ALL.into_iter().zip(row) {
                let narrow = role == Role::ProviderAdministrator;
                let reach = if narrow { Reach::Organizations(own.to_vec()) } else { Reach::Everybody };
                assert_eq!(reach_by(&[role], &own, permission), may.then_some(reach), "{role:?} {permission:?}");
            }
            assert_eq!(reach_by(&[], &own, permission), None, "nobody's role: {permission:?}");
        }
    }

    #[test]
    fn of_several_roles_the_widest_counts() {
        let both = [Role::ProviderAdministrator, Role::HelpDesk];
        assert_eq!(reach_by(&both, &[], Permission::ReadUsers), Some(Reach::Everybody));
        assert_eq!(reach_by(&both, &[], Permission::WriteUsers), Some(Reach::Organizations(Vec::new())));
    }

    #[test]
    fn who_only_reads_changes_nothing() {
        let changes = [Permission::WriteUsers, Permission::ResetUsers];
        for role in [Role::HelpDesk, Role::SecurityAuditor] {
            assert!(changes.iter().all(|permission| !permission.is_of(role)), "{role:?}");
        }
        assert!(Permission::ALL.iter().all(|permission| permission.changes() == changes.contains(permission)));
        assert!(Permission::ALL.iter().all(|permission| permission.changes() || !permission.is_dangerous()));
    }
}
