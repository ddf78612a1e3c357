//! What operators and administrators do for people: invite, reset a registration, disable and enable, grant roles, bring
//! over from the legacy portal.

mod actor;
mod first;
mod import;
mod import_line;
mod invite;
mod reset;
mod roles;
mod status;
mod unlock;

use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, Organization, OrganizationId, Timestamp, UserId,
};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::provider::Provider;

pub(crate) use actor::{Actor, Administrator};
pub use first::{AdministratorMade, NewAdministrator};
pub use import::{ImportReport, Imported, Rejected};
pub use import_line::ImportFormat;
pub(crate) use invite::Creation;
pub use invite::{Invitation, Invited};
pub use reset::{RegistrationReset, ResetDone};
pub use roles::RoleChange;

/// Longest reason, in characters.
const MAX_REASON: usize = 500;
/// Longest name of a person, in characters.
const MAX_NAME: usize = 200;

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonRefusal {
    /// Nobody has this name or address.
    #[error("there is no account of this mail address or user name")]
    Unknown,
    /// It can not be a mail address.
    #[error("this is no mail address")]
    Email,
    /// It can not be a user name.
    #[error("a user name has 1 to 100 bytes and no control characters")]
    Username,
    /// It can not be a name.
    #[error("a name has 1 to 200 characters, none of them a control character")]
    Name,
    /// It says nothing, or too much.
    #[error("a reason has 1 to 500 characters, none of them a control character")]
    Reason,
    /// Another account has it.
    #[error("another account has this user name")]
    UsernameTaken,
    /// What was given and what is on file differ.
    #[error("the account of this mail address has another {0}")]
    Differs(&'static str),
    /// There is nothing to invite to.
    #[error("the registration of this account is complete")]
    Registered,
    /// They may not sign in.
    #[error("the account is disabled: enable it first")]
    Disabled,
    /// For good.
    #[error("the account is closed, which cannot be undone")]
    Closed,
    /// It stands so already.
    #[error("the account is {0} already")]
    Already(&'static str),
    /// Their own account is for somebody else, or for the account page.
    #[error("nobody does this to their own account")]
    Own,
    /// What somebody made under another's address is not whom an operator means.
    #[error("the account was made on a registration page and its mail address was never proven")]
    Unclaimed,
    /// A role that is held for organizations names one.
    #[error("a provider administrator looks after organizations: name one by its NPI")]
    OrganizationMissing,
    /// The others are held as such.
    #[error("only a provider administrator has organizations")]
    OrganizationUnasked,
    /// It lets do more than they may who would grant or revoke it.
    #[error("nobody grants or revokes a role that lets do more than their own")]
    Role,
    /// There is none of this name.
    #[error("there is no such role")]
    RoleUnknown,
    /// Nothing keeps them from signing in.
    #[error("the account is not locked")]
    Unlocked,
    /// They do not hold it.
    #[error("the account does not hold this role")]
    RoleMissing,
    /// There is a budget.
    #[error("too many mails to this account; wait a while")]
    Wait,
    /// Nobody but another administrator should undo an administrator's factors.
    #[error("this is an administrator's account: say --force if that is meant")]
    Administrator,
    /// One is enough to make others by.
    #[error("there is an administrator already: say --another if one more is meant")]
    AdministratorThere,
    /// Whoever has it signs in already, or will; a link shown here must not be theirs.
    #[error("there is an account of this mail address: `user role grant` makes it an administrator's")]
    EmailTaken,
    /// They would sign in at their own provider, which does not open the console.
    #[error(
        "the mail address is in a domain of [[federation]], whose people sign in at their own provider, which alone \
         does not open the console: name an address outside its domains"
    )]
    Federated,
    /// Whoever has it is there already.
    #[error("there is an account of this mail address")]
    Exists,
    /// It is not what the request took it for.
    #[error("the account has changed since")]
    Changed,
    /// Mails are written in these.
    #[error("the language of a mail is en or es")]
    Locale,
    /// A link would reach nobody.
    #[error("the account has no mail address to send a link to")]
    NoMailbox,
    /// No provider group has it.
    #[error("no organization has this NPI")]
    OrganizationUnknown,
    /// Which is meant is not known.
    #[error("several organizations have this NPI")]
    OrganizationAmbiguous,
    /// It is not registered.
    #[error("there is no client of this id")]
    ClientUnknown,
    /// The deployment's own policies lack it.
    #[error("no policy `{0}` begins with a mailed link")]
    NoPolicy(&'static str),
    /// The deployment's own policies lack it.
    #[error("no policy `{0}` begins with a link that is shown (`shown = true`)")]
    NoShownLink(&'static str),
}

impl Provider {
    /// The account of `who`: a mail address or a user name, in any case.
    pub(crate) async fn find_person(&self, who: &str) -> Result<Option<Account>, ServiceError> {
        let who = who.trim().to_lowercase();
        let found = self
            .db
            .read(async |tx| {
                Ok::<_, ServiceError>(match tx.find_account_by_email(&who).await? {
                    Some(account) => Some(account),
                    None => tx.find_account_by_username(&who).await?,
                })
            })
            .await?;
        Ok(found)
    }
}

/// What is told of an account that is made.
struct Events {
    created: AuditEvent,
    /// Of the one that it replaces, if it does; whose it was is known in the transaction.
    replaced: AuditEvent,
}

impl Events {
    fn of(user: &UserId, actor: Actor<'_>, context: &RequestContext, now: Timestamp) -> Result<Self, ServiceError> {
        let created = change_event(user, AuditKind::AccountCreated, "created", None, actor, context, now)?;
        let replaced = change_event(user, AuditKind::UserChanged, "replaced", None, actor, context, now)?;
        Ok(Self { created, replaced })
    }
}

/// Takes an account away that somebody made on a registration page, and whose mail address they never proved: it is not
/// whom an operator means. False when it is another.
async fn replace(tx: &mut countersign_store::Tx, known: &Account, event: &AuditEvent) -> Result<bool, ServiceError> {
    let user = &known.user.id;
    if !tx.delete_unclaimed(user).await? {
        return Ok(false);
    }
    tx.insert_audit_events(&[AuditEvent { subject: Some(user.clone()), ..event.clone() }]).await?;
    Ok(true)
}

/// What somebody did to another's account.
fn change_event(
    user: &UserId,
    kind: AuditKind,
    change: &str,
    reason: Option<&str>,
    actor: Actor<'_>,
    context: &RequestContext,
    now: Timestamp,
) -> Result<AuditEvent, ServiceError> {
    let event = audit::event(context, now, kind, AuditOutcome::Success)?.subject(Some(user)).detail("change", change);
    let event = actor.describe(event);
    Ok(match reason {
        Some(reason) => event.detail("reason", reason).build(),
        None => event.build(),
    })
}

/// The language to write to a person in.
fn locale_of(account: &Account) -> &str {
    account.user.locale.as_deref().unwrap_or("en")
}

pub(crate) fn check_reason(reason: &str) -> Result<&str, PersonRefusal> {
    check_text(reason, MAX_REASON).ok_or(PersonRefusal::Reason)
}

fn check_name(name: &str) -> Result<&str, PersonRefusal> {
    check_text(name, MAX_NAME).ok_or(PersonRefusal::Name)
}

/// Trimmed, of 1 to `most` characters, none of them a control character.
fn check_text(text: &str, most: usize) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// A mail address, trimmed and in lower case. Only the shape is checked, as on the sign-in page.
fn read_email(text: &str) -> Result<String, PersonRefusal> {
    let email = text.trim().to_lowercase();
    let shaped = email.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let clean = !email.chars().any(|c| c.is_control() || c.is_whitespace());
    if shaped && clean && email.len() <= countersign_flow::MAX_EMAIL { Ok(email) } else { Err(PersonRefusal::Email) }
}

/// A user name, trimmed and in lower case; otherwise as old portals let it be.
fn read_username(text: &str) -> Result<String, PersonRefusal> {
    let name = text.trim().to_lowercase();
    let fits = (1..=countersign_flow::MAX_USERNAME).contains(&name.len()) && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(PersonRefusal::Username) }
}

/// The one organization of an NPI.
fn find_npi(organizations: &[Organization], npi: &str) -> Result<OrganizationId, PersonRefusal> {
    let npi: String = npi.chars().filter(|c| !c.is_whitespace()).collect();
    let mut known = organizations.iter().filter(|organization| organization.npi.eq_ignore_ascii_case(&npi));
    match (known.next(), known.next()) {
        (Some(only), None) => Ok(only.id.clone()),
        (None, _) => Err(PersonRefusal::OrganizationUnknown),
        _ => Err(PersonRefusal::OrganizationAmbiguous),
    }
}
