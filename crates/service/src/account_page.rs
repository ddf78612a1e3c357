//! The own account page: what a person sees of their account, and what they end, forget or withdraw there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::{Entry, Purpose as PolicyPurpose};
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, BrowserSession, ClientId, Consent, Fact, FactorId, FactorKind, Grant,
    GrantId, RecoveryCode, RememberedLogin, SessionId, Timestamp, UserStatus,
};
use countersign_protocol::delegation::{FRESH, Reach};
use countersign_store::Tx;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::consent::withdraw_consent;
use crate::effects::mailbox_of;
use crate::flow::{ACCOUNT, Answer, Answered, NewFlow, Response};
use crate::notices::Notice;
use crate::provider::Provider;
use crate::secrets::hex;
use crate::session::SignedIn;
use crate::vault::Purpose;

/// A visit to the account page.
#[derive(Clone, Copy, Debug)]
pub struct AccountCall<'a> {
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language of the pages.
    pub locale: &'a str,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What a person asked for on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountDeed {
    /// End one of their sessions.
    EndSession(String),
    /// End all their sessions but this one.
    EndOtherSessions,
    /// Forget one remembered login.
    Forget(String),
    /// Take back what an application may do.
    Withdraw(String),
    /// Take back everything an application was allowed.
    WithdrawConsent(String),
    /// Unbind an authenticator app or a passkey.
    RemoveFactor(String),
    /// Sign out here.
    SignOut,
}

/// What the browser gets.
#[derive(Debug)]
pub enum AccountAnswer {
    /// The page.
    Page(Box<OwnAccount>),
    /// It was done: see the page again, with this notice.
    Done(&'static str),
    /// A flow: to sign in, or to prove oneself anew.
    Flow(Box<Answered>),
    /// The form was not made for this session: see the page again.
    Stale,
}

/// A person's own account, as they see it.
#[derive(Clone, Debug)]
pub struct OwnAccount {
    /// Nonce of the page's forms.
    pub nonce: String,
    /// The account.
    pub account: Account,
    /// Session of this browser.
    pub session: SessionId,
    /// Live sessions.
    pub sessions: Vec<BrowserSession>,
    /// Remembered logins, each with the id its form posts.
    pub remembered: Vec<(String, RememberedLogin)>,
    /// Applications with access, each with its display name.
    pub grants: Vec<(String, Grant)>,
    /// What applications were allowed, each with its display name.
    pub consents: Vec<(String, Consent)>,
    /// Recovery codes, spent or not.
    pub recovery_codes: Vec<RecoveryCode>,
    /// Policies that change something, by id.
    pub actions: Vec<String>,
    /// Kinds of factors that this session may take away: those that it was begun with.
    pub removable: Vec<FactorKind>,
    /// Whether they look after other people, too.
    pub administers: bool,
}

impl Provider {
    /// The page; without a session a flow that signs the person in.
    pub async fn own_account(&self, call: AccountCall<'_>) -> Result<AccountAnswer, ServiceError> {
        match self.find_signed_in(call).await? {
            Some((signed_in, session)) => {
                self.db
                    .write(async |tx| Ok::<_, ServiceError>(tx.touch_session(&session.id, self.clock.now()).await?))
                    .await?;
                match self.describe_account(&session).await? {
                    Some(own) => Ok(AccountAnswer::Page(Box::new(own))),
                    None => self.sign_in(&signed_in, call).await,
                }
            }
            None => self.sign_in(&SignedIn::default(), call).await,
        }
    }

    /// A policy of the page, such as `change-password`: it proves the person anew by itself.
    pub async fn begin_enrolment(&self, policy: &str, call: AccountCall<'_>) -> Result<AccountAnswer, ServiceError> {
        let Some((signed_in, _)) = self.find_signed_in(call).await? else {
            return self.sign_in(&SignedIn::default(), call).await;
        };
        if !self.list_enrolments(false).iter().any(|known| known == policy) {
            return Ok(AccountAnswer::Stale);
        }
        let new = NewFlow::for_account(policy, &signed_in);
        let answered = self.begin_flow(new, call.cookies, call.locale, call.context).await?;
        Ok(AccountAnswer::Flow(Box::new(answered)))
    }

    /// Does what was asked for, if the form was made for this session and the sign-in is fresh.
    pub async fn change_account(
        &self,
        deed: AccountDeed,
        nonce: &str,
        call: AccountCall<'_>,
    ) -> Result<AccountAnswer, ServiceError> {
        let Some((signed_in, session)) = self.find_signed_in(call).await? else {
            return self.sign_in(&SignedIn::default(), call).await;
        };
        if !self.is_own_form(Purpose::AccountPage, &session, nonce) {
            return Ok(AccountAnswer::Stale);
        }
        let now = self.clock.now();
        // Whoever wants to leave may, however long they have been here.
        let is_fresh = now < session.authentication.auth_time.plus(FRESH);
        if !is_fresh && deed != AccountDeed::SignOut {
            return self.sign_in(&signed_in, call).await;
        }
        let context = call.context;
        let done = self.db.write(async |tx| self.write_change(tx, &session, &deed, context, now).await).await?;
        self.outbox.notify_one();
        Ok(if done { AccountAnswer::Done(notice_of(&deed)) } else { AccountAnswer::Stale })
    }

    /// The session of the browser, while it lives.
    pub(crate) async fn find_signed_in(
        &self,
        call: AccountCall<'_>,
    ) -> Result<Option<(SignedIn, BrowserSession)>, ServiceError> {
        let now = self.clock.now();
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let idle = self.settings.lifetimes.session_idle;
        let live = signed_in.session.clone().filter(|session| now < session.seen_at.plus(idle));
        Ok(live.map(|session| (signed_in, session)))
    }

    async fn sign_in(&self, signed_in: &SignedIn, call: AccountCall<'_>) -> Result<AccountAnswer, ServiceError> {
        let new = NewFlow::for_account(self.own_login(), signed_in);
        let answered = self.begin_flow(new, call.cookies, call.locale, call.context).await?;
        Ok(AccountAnswer::Flow(Box::new(answered)))
    }

    /// The policy by which people sign in to the provider's own pages.
    pub(crate) fn own_login(&self) -> &str {
        let offered = self.policies.set().get("login-options").map(|policy| policy.id.as_str());
        offered.unwrap_or_else(|| self.policies.default_login())
    }

    /// The account behind a session; none when it may not sign in any more.
    async fn describe_account(&self, session: &BrowserSession) -> Result<Option<OwnAccount>, ServiceError> {
        let now = self.clock.now();
        let user = &session.authentication.user;
        let found = self
            .db
            .read(async |tx| {
                let Some(account) = tx.find_account(user).await? else { return Ok(None) };
                let sessions = tx.list_sessions_of_user(user, now).await?;
                let remembered = tx.list_remembered_of_user(user, now).await?;
                let grants = tx.list_grants_of_user(user).await?;
                let recovery_codes = tx.list_recovery_codes(user).await?;
                let by_provider = !tx.list_federated_identities(user).await?.is_empty();
                let mut named = Vec::with_capacity(grants.len());
                for grant in grants {
                    named.push((name_of_client(tx, &grant.client).await?, grant));
                }
                let mut consents = Vec::new();
                for consent in tx.list_consents_of_user(user).await? {
                    consents.push((name_of_client(tx, &consent.client).await?, consent));
                }
                Ok::<_, ServiceError>(Some((
                    account,
                    sessions,
                    remembered,
                    named,
                    consents,
                    recovery_codes,
                    by_provider,
                )))
            })
            .await?;
        let active = found.filter(|(account, ..)| account.user.status == UserStatus::Active);
        let administers = active.as_ref().is_some_and(|(own, ..)| Reach::of(&own.user.roles, &[]).is_some());
        Ok(active.map(|(account, sessions, remembered, grants, consents, recovery_codes, by_provider)| OwnAccount {
            nonce: self.form_nonce(Purpose::AccountPage, session),
            actions: self.list_enrolments(by_provider && account.password.is_none()),
            removable: [FactorKind::Totp, FactorKind::Passkey]
                .into_iter()
                .filter(|kind| may_remove(session, *kind))
                .collect(),
            account,
            session: session.id.clone(),
            sessions,
            remembered: remembered.into_iter().map(|login| (remembered_id(&login), login)).collect(),
            grants,
            consents,
            recovery_codes,
            administers,
        }))
    }

    /// Policies the page offers: those that add or change something and may begin by themselves. Who signs in at an upstream
    /// provider alone is asked for no password.
    fn list_enrolments(&self, upstream_alone: bool) -> Vec<String> {
        let set = self.policies.set();
        let offered = set
            .iter()
            .filter(|policy| policy.purpose == PolicyPurpose::Enrol && policy.allows_entry(Entry::Authorize))
            .filter(|policy| !upstream_alone || set.leads_upstream(policy));
        offered.map(|policy| policy.id.clone()).collect()
    }

    /// What the forms of a page carry: nobody makes it for another session, or for another page.
    pub(crate) fn form_nonce(&self, page: Purpose, session: &BrowserSession) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.derive(page, &[&session.token]))
    }

    /// Whether a form was made by that page for this session.
    pub(crate) fn is_own_form(&self, page: Purpose, session: &BrowserSession, nonce: &str) -> bool {
        let expected = self.form_nonce(page, session);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), nonce.as_bytes()).is_ok()
    }

    async fn write_change(
        &self,
        tx: &mut Tx,
        session: &BrowserSession,
        deed: &AccountDeed,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let user = &session.authentication.user;
        let done = match deed {
            AccountDeed::EndSession(id) => match id.parse::<SessionId>() {
                Ok(id) if tx.list_sessions_of_user(user, now).await?.iter().any(|own| own.id == id) => {
                    tx.end_session(&id, now).await?
                }
                _ => false,
            },
            AccountDeed::EndOtherSessions => tx.end_other_sessions(user, &session.id, now).await.map(|_| true)?,
            AccountDeed::Forget(id) => {
                let logins = tx.list_remembered_of_user(user, now).await?;
                match logins.iter().find(|login| remembered_id(login) == *id) {
                    Some(login) => tx.delete_remembered_login(&login.browser, &login.policy).await?,
                    None => false,
                }
            }
            AccountDeed::Withdraw(id) => match id.parse::<GrantId>() {
                Ok(id) => match tx.list_grants_of_user(user).await?.into_iter().find(|own| own.id == id) {
                    // The client would have it back at once from what it was allowed before.
                    Some(own) => {
                        tx.delete_consent(user, &own.client).await?;
                        tx.revoke_grant(&id, now).await?
                    }
                    None => false,
                },
                Err(_) => false,
            },
            AccountDeed::WithdrawConsent(id) => match id.parse::<ClientId>() {
                Ok(client) => withdraw_consent(tx, user, &client, now).await?,
                Err(_) => false,
            },
            AccountDeed::RemoveFactor(id) => self.remove_factor(tx, session, id, context, now).await?,
            AccountDeed::SignOut => {
                forget_browser(tx, session, now).await?;
                tx.end_session(&session.id, now).await?
            }
        };
        if done {
            tx.insert_audit_events(&[change_event(session, deed, context, now)?]).await?;
        }
        Ok(done)
    }

    /// Unbinds a factor and tells the person, at the mailbox on file.
    async fn remove_factor(
        &self,
        tx: &mut Tx,
        session: &BrowserSession,
        id: &str,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let Some(account) = remove_factor(tx, session, id).await? else { return Ok(false) };
        if let Some(to) = mailbox_of(&account) {
            let locale = account.user.locale.as_deref().unwrap_or("en");
            let notice = Notice { template: "factor_removed", channel: "email", to: &to, locale };
            let (message, event) = self.notice(&account, &notice, context, now)?;
            tx.insert_outbox_message(&message).await?;
            tx.insert_audit_events(&[event]).await?;
        }
        Ok(true)
    }

    /// Everything that is held on the person, without secrets, as JSON.
    pub async fn export_account(&self, call: AccountCall<'_>) -> Result<Option<serde_json::Value>, ServiceError> {
        let Some((_, session)) = self.find_signed_in(call).await? else { return Ok(None) };
        if self.clock.now() >= session.authentication.auth_time.plus(FRESH) {
            return Ok(None);
        }
        let Some(own) = self.describe_account(&session).await? else { return Ok(None) };
        let user = &own.account.user.id;
        let (events, devices, terms, federated, messages) = self
            .db
            .read(async |tx| {
                Ok::<_, ServiceError>((
                    tx.list_events_of_subject(user, None, 1000).await?,
                    tx.list_known_devices(user).await?,
                    tx.list_terms_acceptances(user).await?,
                    tx.list_federated_identities(user).await?,
                    tx.list_outbox_of_subject(user, 1000).await?,
                ))
            })
            .await?;
        let held = crate::export::Held { own: &own, events, devices, terms, federated, messages };
        Ok(Some(held.into_json(self.clock.now())))
    }

    /// Where a person signs in anew before they may have what they asked for.
    pub async fn sign_in_anew(&self, call: AccountCall<'_>) -> Result<Answered, ServiceError> {
        let signed_in = self.load_signed_in(call.cookies, self.clock.now()).await?;
        match self.sign_in(&signed_in, call).await? {
            AccountAnswer::Flow(answered) => Ok(*answered),
            _ => Ok(Answered::plain(Answer::Respond(Response::Redirect(ACCOUNT.to_owned())))),
        }
    }
}

/// How a client is called; one that is gone by its id.
async fn name_of_client(tx: &mut Tx, id: &ClientId) -> Result<String, ServiceError> {
    Ok(tx.find_client(id).await?.map_or_else(|| id.to_string(), |client| client.name))
}

/// An app or a passkey is taken away by who signed in with one: whoever proved the phone or the mailbox alone must not take
/// away what is stronger.
fn may_remove(session: &BrowserSession, kind: FactorKind) -> bool {
    let needed = match kind {
        FactorKind::Totp => Fact::Totp,
        FactorKind::Passkey => Fact::Passkey,
        _ => return false,
    };
    session.authentication.facts.contains(needed)
}

/// An authenticator app or a passkey, never the last second factor of who has one: mailbox and phone stay.
async fn remove_factor(tx: &mut Tx, session: &BrowserSession, id: &str) -> Result<Option<Account>, ServiceError> {
    let user = &session.authentication.user;
    let Ok(id) = id.parse::<FactorId>() else { return Ok(None) };
    let Some(account) = tx.find_account(user).await? else { return Ok(None) };
    let Some(factor) = account.factors.iter().find(|factor| factor.id == id) else { return Ok(None) };
    if !may_remove(session, factor.kind) {
        return Ok(None);
    }
    let removed = tx.delete_factor(user, &id).await?;
    Ok(removed.then_some(account))
}

/// Forgets every login that the session's browser remembers.
pub(crate) async fn forget_browser(tx: &mut Tx, session: &BrowserSession, now: Timestamp) -> Result<(), ServiceError> {
    for login in tx.list_remembered_logins(&session.token, now).await? {
        tx.delete_remembered_login(&session.token, &login.policy).await?;
    }
    Ok(())
}

/// A name for a remembered login that tells nothing of its browser's secret: the key of its row is a keyed hash itself.
fn remembered_id(login: &RememberedLogin) -> String {
    format!("{}.{}", hex(&login.browser[..8]), login.policy)
}

const fn notice_of(deed: &AccountDeed) -> &'static str {
    match deed {
        AccountDeed::EndSession(_) => "session_ended",
        AccountDeed::Forget(_) => "forgotten",
        AccountDeed::Withdraw(_) | AccountDeed::WithdrawConsent(_) => "withdrawn",
        AccountDeed::RemoveFactor(_) => "removed",
        AccountDeed::EndOtherSessions | AccountDeed::SignOut => "signed_out",
    }
}

fn change_event(
    session: &BrowserSession,
    deed: &AccountDeed,
    context: &RequestContext,
    now: Timestamp,
) -> Result<AuditEvent, ServiceError> {
    let kind = match deed {
        AccountDeed::EndSession(_) | AccountDeed::EndOtherSessions | AccountDeed::SignOut => AuditKind::SessionEnded,
        AccountDeed::Forget(_) => AuditKind::LoginForgotten,
        AccountDeed::Withdraw(_) => AuditKind::UserChanged,
        AccountDeed::WithdrawConsent(_) => AuditKind::ConsentWithdrawn,
        AccountDeed::RemoveFactor(_) => AuditKind::FactorUnbound,
    };
    Ok(audit::event(context, now, kind, AuditOutcome::Success)?
        .subject(Some(&session.authentication.user))
        .detail("what", notice_of(deed))
        .detail("by", "account page")
        .build())
}
