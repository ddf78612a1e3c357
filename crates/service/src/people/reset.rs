//! A registration reset by an administrator (R56): what one signed in with goes, the old phone is told, a link is mailed.

use countersign_model::{
    Account, AuditEvent, AuditKind, FactorKind, OutboxMessage, Role, Timestamp, UserId, UserStatus,
};
use countersign_store::Tx;
use serde_json::Value;

use super::{Actor, PersonRefusal, change_event, check_reason, locale_of};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::effects::mailbox_of;
use crate::links::NewLink;
use crate::notices::Notice;
use crate::provider::Provider;

const POLICY: &str = "registration-link";
const TEMPLATE: &str = "registration_reset";
const FACTORS: [FactorKind; 4] = [FactorKind::Mailbox, FactorKind::Phone, FactorKind::Totp, FactorKind::Passkey];

/// A registration to be reset.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationReset<'a> {
    /// Mail address or user name.
    pub who: &'a str,
    /// Why; kept in the audit.
    pub reason: &'a str,
    /// Also an administrator's.
    pub force: bool,
}

/// What a reset took away.
#[derive(Clone, Debug)]
pub struct ResetDone {
    /// Whose.
    pub user: UserId,
    /// Kinds of the factors that went, one word each, as often as there were.
    pub factors: Vec<&'static str>,
    /// Whether the registration was complete before.
    pub was_complete: bool,
    /// Whether the old phone is told by text message.
    pub phone_told: bool,
}

/// Rows of a reset, made before the transaction so that it can be run again.
struct Rows {
    /// A mail address taken over from the mailbox factor, when none is on file.
    email: Option<String>,
    told: Option<(OutboxMessage, AuditEvent)>,
    event: AuditEvent,
}

impl Provider {
    /// Takes password, factors and recovery codes away, ends sessions, remembered logins, grants and links, and mails the
    /// link of a registration. Doing it again after a failure mails the link again.
    pub async fn reset_registration(
        &self,
        reset: RegistrationReset<'_>,
        context: &RequestContext,
    ) -> Result<Result<ResetDone, PersonRefusal>, ServiceError> {
        if let Err(refusal) = check_reason(reset.reason) {
            return Ok(Err(refusal));
        }
        let Some(account) = self.find_person(reset.who).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        self.reset_account(&account, &reset, Actor::Operator, context).await
    }

    /// The same, of an account that was found, by whoever it is.
    pub(crate) async fn reset_account(
        &self,
        account: &Account,
        reset: &RegistrationReset<'_>,
        actor: Actor<'_>,
        context: &RequestContext,
    ) -> Result<Result<ResetDone, PersonRefusal>, ServiceError> {
        let reason = match check_reason(reset.reason) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let has_policy = self.policies.set().get(POLICY).is_some();
        if let Err(refusal) = check(account, reset.force, has_policy) {
            return Ok(Err(refusal));
        }
        let now = self.clock.now();
        let (rows, user) = (self.reset_rows(account, reason, actor, context, now)?, &account.user.id);
        let written = self.db.write(async |tx| {
            if let Err(refusal) = actor.may_still(tx, user, now).await? {
                return Ok(Err(refusal));
            }
            rows.write(tx, user, now).await.map(Ok)
        });
        if let Err(refusal) = written.await? {
            return Ok(Err(refusal));
        }
        let link = NewLink {
            user: user.clone(),
            policy: POLICY.to_owned(),
            template: TEMPLATE.to_owned(),
            client: None,
            locale: locale_of(account).to_owned(),
        };
        if !self.mail_link(&link, context).await? {
            return Ok(Err(PersonRefusal::NoPolicy(POLICY)));
        }
        let mut factors: Vec<_> = account.factors.iter().map(|factor| factor.kind.as_str()).collect();
        factors.sort_unstable();
        Ok(Ok(ResetDone {
            factors,
            was_complete: account.user.registered_at.is_some(),
            phone_told: rows.told.is_some(),
            user: user.clone(),
        }))
    }

    fn reset_rows(
        &self,
        account: &Account,
        reason: &str,
        actor: Actor<'_>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Rows, ServiceError> {
        let user = &account.user.id;
        let kinds: Vec<Value> = account.factors.iter().map(|factor| factor.kind.as_str().into()).collect();
        let (kind, change) = (AuditKind::UserChanged, "registration reset");
        let mut event = change_event(user, kind, change, Some(reason), actor, context, now)?;
        event.detail.insert("factors".to_owned(), kinds.into());
        let told = match account.factor(FactorKind::Phone) {
            Some(phone) => Some(self.tell_phone(account, &phone.value, context, now)?),
            None => None,
        };
        let email = mailbox_of(account).filter(|_| account.user.email.is_none());
        Ok(Rows { email, told, event })
    }

    /// A text message to the phone that is taken off.
    fn tell_phone(
        &self,
        account: &Account,
        number: &str,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(OutboxMessage, AuditEvent), ServiceError> {
        let notice = Notice { template: TEMPLATE, channel: "sms", to: number, locale: locale_of(account) };
        self.notice(account, &notice, context, now)
    }
}

impl Rows {
    async fn write(&self, tx: &mut Tx, user: &UserId, now: Timestamp) -> Result<(), ServiceError> {
        if let Some(email) = &self.email {
            tx.set_user_email(user, email, now).await?;
        }
        for kind in FACTORS {
            tx.delete_factors(user, kind).await?;
        }
        tx.delete_password(user).await?;
        tx.replace_recovery_codes(user, &[]).await?;
        tx.reopen_registration(user, now).await?;
        tx.end_sessions_of_user(user, now).await?;
        tx.delete_remembered_logins_of_user(user).await?;
        tx.revoke_grants_of_user(user, now).await?;
        tx.revoke_links_of_user(user, now).await?;
        let mut events = vec![self.event.clone()];
        if let Some((message, told)) = &self.told {
            tx.insert_outbox_message(message).await?;
            events.push(told.clone());
        }
        Ok(tx.insert_audit_events(&events).await?)
    }
}

fn check(account: &Account, force: bool, has_policy: bool) -> Result<(), PersonRefusal> {
    let administers = |role: &Role| matches!(role, Role::Administrator | Role::ProviderAdministrator);
    match account.user.status {
        UserStatus::Closed => return Err(PersonRefusal::Closed),
        UserStatus::Disabled => return Err(PersonRefusal::Disabled),
        UserStatus::Active => {}
    }
    if !has_policy {
        return Err(PersonRefusal::NoPolicy(POLICY));
    }
    if account.user.roles.iter().any(administers) && !force {
        return Err(PersonRefusal::Administrator);
    }
    if mailbox_of(account).is_none() { Err(PersonRefusal::NoMailbox) } else { Ok(()) }
}
