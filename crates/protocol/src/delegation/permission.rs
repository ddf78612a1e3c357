//! What each role may do to the deployment, and which scope value a program's token must hold for it.

use countersign_model::{OrganizationId, Role, Scope, User};

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
    /// To grant and to revoke roles.
    ChangeRoles,
    /// To read the audit, and to have an entry proven.
    ReadAudit,
    /// To see clients.
    ReadClients,
    /// To register clients, to change and remove them, to give them other secrets.
    WriteClients,
    /// To see provider groups.
    ReadOrganizations,
    /// To enter and change provider groups.
    WriteOrganizations,
    /// To see the public signing keys and their times.
    ReadKeys,
    /// To have other signing keys made.
    RotateKeys,
    /// To see which policies run, and to have others checked against them.
    ReadPolicies,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 12] = [
        Self::ReadUsers,
        Self::WriteUsers,
        Self::ResetUsers,
        Self::ChangeRoles,
        Self::ReadAudit,
        Self::ReadClients,
        Self::WriteClients,
        Self::ReadOrganizations,
        Self::WriteOrganizations,
        Self::ReadKeys,
        Self::RotateKeys,
        Self::ReadPolicies,
    ];

    /// The scope value that a token must hold.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::ReadUsers => "users.read",
            Self::WriteUsers | Self::ResetUsers => "users.write",
            Self::ChangeRoles => "roles.write",
            Self::ReadAudit => "audit.read",
            Self::ReadClients => "clients.read",
            Self::WriteClients => "clients.write",
            Self::ReadOrganizations => "organizations.read",
            Self::WriteOrganizations => "organizations.write",
            Self::ReadKeys => "keys.read",
            Self::RotateKeys => "keys.write",
            Self::ReadPolicies => "policies.read",
        }
    }

    /// Whether a program by itself never may: it has no second factor.
    pub const fn is_dangerous(self) -> bool {
        matches!(self, Self::ResetUsers | Self::ChangeRoles | Self::RotateKeys)
    }

    /// Whether it changes something, which takes a person who signed in just now.
    pub const fn changes(self) -> bool {
        match self {
            Self::WriteUsers
            | Self::ResetUsers
            | Self::ChangeRoles
            | Self::WriteClients
            | Self::WriteOrganizations
            | Self::RotateKeys => true,
            Self::ReadUsers
            | Self::ReadAudit
            | Self::ReadClients
            | Self::ReadOrganizations
            | Self::ReadKeys
            | Self::ReadPolicies => false,
        }
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

/// Whether who holds the roles `held` may grant and revoke `role`: nobody lets another do more than they may themselves, of
/// whomever.
pub fn may_grant(held: &[Role], role: Role) -> bool {
    let holds = |permission: Permission| reach_by(held, &[], permission) == Some(Reach::Everybody);
    Permission::ALL.into_iter().filter(|permission| permission.is_of(role)).all(holds)
}

/// Whether a client of `scope` may ask for tokens for the admin API: a program by itself makes, changes and removes no such
/// client, or it would give itself what it was not given.
pub fn is_administrative(scope: &Scope) -> bool {
    Permission::ALL.into_iter().any(|permission| scope.contains(permission.scope()))
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
    const TABLE: [(Permission, [bool; 4]); 12] = [
        (Permission::ReadUsers, [true, true, true, false]),
        (Permission::WriteUsers, [true, true, false, false]),
        (Permission::ResetUsers, [true, true, false, false]),
        (Permission::ChangeRoles, [true, false, false, false]),
        (Permission::ReadAudit, [true, false, false, true]),
        (Permission::ReadClients, [true, false, false, true]),
        (Permission::WriteClients, [true, false, false, false]),
        (Permission::ReadOrganizations, [true, true, false, false]),
        (Permission::WriteOrganizations, [true, false, false, false]),
        (Permission::ReadKeys, [true, false, false, true]),
        (Permission::RotateKeys, [true, false, false, false]),
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
    fn nobody_grants_more_than_they_hold() {
        use Role::{Administrator, HelpDesk, ProviderAdministrator, SecurityAuditor};
        for role in Role::ALL {
            assert!(may_grant(&[Administrator], role), "{role:?}");
            assert!(!may_grant(&[], role), "{role:?} by nobody");
            assert!(!may_grant(&[ProviderAdministrator], role), "{role:?}: they reach some people alone");
        }
        let both = [HelpDesk, SecurityAuditor];
        assert_eq!(Role::ALL.map(|role| may_grant(&both, role)), [false, false, true, true]);
    }

    #[test]
    fn a_client_of_the_admin_api_is_known_by_any_of_its_scope_values() {
        for permission in Permission::ALL {
            let scope = format!("openid {}", permission.scope()).parse().unwrap();
            assert!(is_administrative(&scope), "{scope}");
        }
        assert!(!is_administrative(&"openid offline_access cases.read users".parse().unwrap()));
    }

    #[test]
    fn who_only_reads_changes_nothing() {
        let changes = Permission::ALL.into_iter().filter(|permission| permission.changes()).collect::<Vec<_>>();
        let reads = |permission: &Permission| permission.scope().split_once('.').map(|(_, deed)| deed) == Some("read");
        assert!(Permission::ALL.iter().all(|permission| reads(permission) != permission.changes()), "by their names");
        for role in [Role::HelpDesk, Role::SecurityAuditor] {
            assert!(changes.iter().all(|permission| !permission.is_of(role)), "{role:?}");
        }
        assert!(Permission::ALL.iter().all(|permission| permission.changes() || !permission.is_dangerous()));
    }
}
