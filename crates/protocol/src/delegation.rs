//! Delegated administration: who is let into the console, whom they see there, and to whom they may do something.

mod permission;

use countersign_model::{
    Account, Authentication, Client, Fact, FactSet, FactorKind, OrganizationId, Role, Seconds, Timestamp, User, UserId,
};

use crate::bearer::Refusal;
use crate::policy_choice::{LoginPolicy, may_use};

pub use permission::{Permission, is_administrative, may_grant, may_program_change, reach_by};

/// What changes somebody else's account wants a sign-in that is no older.
pub const FRESH: Seconds = Seconds::minutes(15);

/// Whom an administrator sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every person.
    Everybody,
    /// The people of these provider groups.
    Organizations(Vec<OrganizationId>),
}

impl Reach {
    /// What `roles` and the provider groups that somebody `administers` reach at the console; none: nobody but themself.
    pub fn of(roles: &[Role], administers: &[OrganizationId]) -> Option<Self> {
        reach_by(roles, administers, Permission::WriteUsers)
    }

    /// Whether `user` is among them.
    pub fn covers(&self, user: &User) -> bool {
        match self {
            Self::Everybody => true,
            Self::Organizations(own) => user.organization.as_ref().is_some_and(|theirs| own.contains(theirs)),
        }
    }
}

/// What becomes of who asks for a page of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// They are let in.
    Enter(Reach),
    /// They prove themselves first: by a second factor, or anew.
    Prove,
    /// Nothing they could prove would let them in.
    Refuse,
}

/// Decides on the person of `account`, signed in by `login`. `changes`: what is asked for changes somebody's account, so
/// that an old sign-in is not enough.
pub fn admit(
    account: &Account,
    administers: &[OrganizationId],
    login: &Authentication,
    changes: bool,
    now: Timestamp,
) -> Admission {
    let Some(reach) = Reach::of(&account.user.roles, administers) else { return Admission::Refuse };
    let is_fresh = now < login.auth_time.plus(FRESH);
    if is_enough(account, login) && (is_fresh || !changes) { Admission::Enter(reach) } else { Admission::Prove }
}

/// What the person of `account`, of whom a program shows a token, must prove first to look at others' records: as much as
/// at the console, no longer ago than a browser's session lives. None: the login is enough.
pub fn demand_of_reader(
    account: &Account,
    login: &Authentication,
    client: &Client,
    login_policies: &[LoginPolicy],
    session: Seconds,
    now: Timestamp,
) -> Option<Refusal> {
    let is_old = now >= login.auth_time.plus(session);
    if is_enough(account, login) && !is_old {
        return None;
    }
    let enough = |policy: &&LoginPolicy| {
        has_second(policy.facts)
            && (!holds_stronger(account) || is_stronger(policy.facts))
            && may_use(client, &policy.id)
    };
    let acr_values = login_policies.iter().filter(enough).map(|policy| policy.acr.clone()).collect();
    let acr_values = if is_enough(account, login) { Vec::new() } else { acr_values };
    Some(Refusal::InsufficientAuthentication { acr_values, max_age: is_old.then_some(session) })
}

/// Whether `login` proved two things, and the stronger of them where the person has one.
fn is_enough(account: &Account, login: &Authentication) -> bool {
    has_second_factor(login) && (!holds_stronger(account) || is_stronger(login.facts))
}

/// Whether the person has an authenticator app or a passkey: no mailbox and no phone stands in for these.
fn holds_stronger(account: &Account) -> bool {
    account.factor(FactorKind::Totp).is_some() || account.factor(FactorKind::Passkey).is_some()
}

fn is_stronger(facts: FactSet) -> bool {
    [Fact::Totp, Fact::Passkey, Fact::RecoveryCode].into_iter().any(|fact| facts.contains(fact))
}

/// Whether `login` proved two things: `mfa` by its `amr` (RFC 8176), or a password and what is neither known nor guessed.
fn has_second_factor(login: &Authentication) -> bool {
    login.amr.iter().any(|method| method == "mfa") || has_second(login.facts)
}

/// What another provider vouches for is one thing, whatever it asked for there. A mailed code adds nothing to it, since that
/// provider keeps the mailbox as a rule.
fn has_second(facts: FactSet) -> bool {
    let held = [Fact::Phone, Fact::Totp, Fact::Passkey].into_iter().any(|fact| facts.contains(fact));
    let sent = [Fact::Mailbox, Fact::RecoveryCode].into_iter().any(|fact| facts.contains(fact));
    facts.contains(Fact::Password) && (held || sent) || facts.contains(Fact::Federated) && held
}

/// By what somebody proves what the console wants of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// However they sign in.
    SignIn,
    /// By their passkey.
    Passkey,
    /// By their password and their app.
    App,
    /// At the provider that vouches for them, and by their app.
    FederatedApp,
    /// They have nothing beside that provider yet: they bind something first.
    Enrol,
}

/// By what the person of `account`, signed in by `login`, proves themselves: by the stronger thing where they have one.
pub fn proof_of(account: &Account, login: &Authentication) -> Proof {
    let has = |kind| account.factor(kind).is_some();
    let is_federated = account.password.is_none() && login.facts.contains(Fact::Federated);
    match (has(FactorKind::Totp), has(FactorKind::Passkey)) {
        (true, _) if account.password.is_some() => Proof::App,
        (_, true) => Proof::Passkey,
        (true, false) if is_federated => Proof::FederatedApp,
        (false, false) if is_federated => Proof::Enrol,
        _ => Proof::SignIn,
    }
}

/// Why an administrator may not change an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It is none they see: they are told the same as of one that is not there.
    Unseen,
    /// It is their own.
    Own,
    /// Its person administers, too.
    Administrator,
    /// It is a role of more than their own.
    Role,
}

/// Whether `actor`, who holds the roles `held`, may grant `role` to `target`, and revoke it: nobody to themself, so that who
/// looks after the deployment can neither widen nor lose that alone.
pub fn may_change_role(actor: &UserId, held: &[Role], target: &UserId, role: Role) -> Result<(), Forbidden> {
    if actor == target {
        Err(Forbidden::Own)
    } else if may_grant(held, role) {
        Ok(())
    } else {
        Err(Forbidden::Role)
    }
}

/// Whether `actor`, whose `reach` this is, may change the account of `target`. Administrators may change every one.
pub fn may_change(actor: &UserId, reach: &Reach, target: &User) -> Result<(), Forbidden> {
    if !reach.covers(target) {
        Err(Forbidden::Unseen)
    } else if *reach == Reach::Everybody {
        Ok(())
    } else if *actor == target.id {
        Err(Forbidden::Own)
    } else if target.roles.is_empty() {
        Ok(())
    } else {
        Err(Forbidden::Administrator)
    }
}

#[cfg(test)]
mod tests;
