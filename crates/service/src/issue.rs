//! The end of a sign-in: session, grant, authorization code, what is remembered, and the audit, in one transaction.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::Channel;
use countersign_flow::{Effect, Issued};
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, Authentication, AuthorizationCode, BrowserSession, FactorKind, Grant, GrantId,
    KeyedHash, OutboxId, OutboxMessage, OutboxState, RememberedLogin, SessionId, Timestamp, UserStatus,
};
use countersign_protocol::interaction::{self, Demand};
use countersign_protocol::{AuthorizationResponse, ErrorCode, OAuthError, SessionFacts};
use countersign_store::Tx;
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit;
use crate::clock::random;
use crate::flow::{Response, Visit};
use crate::outbox::Letter;
use crate::provider::Provider;
use crate::vault::Purpose;

/// The end of a sign-in.
pub(crate) struct SignedInNow {
    pub(crate) response: Response,
    /// Secret of the session cookie; none when nobody was signed in.
    pub(crate) session: Option<SecretString>,
}

impl SignedInNow {
    /// The secret as it is stored, sealed, for a double submit.
    pub(crate) fn session_text(&self) -> Option<String> {
        self.session.as_ref().map(|secret| secret.expose_secret().to_owned())
    }
}

/// Rows of one sign-in, ready to be written.
struct Rows {
    key: String,
    session: Option<BrowserSession>,
    grant: Grant,
    code: AuthorizationCode,
    remembered: Option<RememberedLogin>,
    login: AuditEvent,
    code_issued: AuditEvent,
    refused: AuditEvent,
}

impl Provider {
    /// Signs the person in, once however often it is tried: every secret is derived from the flow.
    pub(crate) async fn issue(
        &self,
        visit: &Visit<'_>,
        issued: &Issued,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<SignedInNow, ServiceError> {
        let refuse = |error: &OAuthError| self.respond_error(visit, error);
        let authentication = Self::authentication(visit, issued, now)?;
        if let Err(error) = self.check_login(visit, &authentication, now) {
            self.write_refused(visit, issued, effects, &error, now).await?;
            return refuse(&error);
        }
        let code = self.derive_secret(Purpose::AuthorizationCode, visit, issued);
        let session = if issued.silent { None } else { Some(self.derive_secret(Purpose::Session, visit, issued)) };
        let rows = self.rows(visit, issued, authentication, &code, session.as_ref(), now)?;
        let prepared = self.prepare(visit, effects, now)?;
        let old = visit.signed_in.session.as_ref().map(|session| session.token);
        let still_active = self
            .db
            .write(async |tx| {
                let account = tx.find_account(&rows.grant.authentication.user).await?;
                if account.is_none_or(|account| account.user.status != UserStatus::Active) {
                    tx.insert_audit_events(std::slice::from_ref(&rows.refused)).await?;
                    return Ok(false);
                }
                prepared.write(tx, now).await?;
                if tx.insert_effect(&rows.key, now).await? {
                    write_rows(tx, &rows, old, now).await?;
                } else {
                    // A node died after this transaction and before its answer; the code is still to be redeemed.
                    tx.renew_code(&rows.code.hash, rows.code.expires_at).await?;
                }
                Ok::<_, ServiceError>(true)
            })
            .await?;
        if !still_active {
            return refuse(&OAuthError::new(ErrorCode::AccessDenied, "The account may not sign in"));
        }
        self.outbox.notify_one();
        metrics::counter!("countersign_logins_total", "policy" => issued.policy.clone()).increment(1);
        let target = visit
            .request
            .target(visit.client)
            .ok_or(ServiceError::Internal("a redirect URI is no longer registered"))?;
        let response = AuthorizationResponse::success(target, &self.settings.issuer, code.expose_secret()).into();
        Ok(SignedInNow { response, session })
    }

    /// The effects of a step that does not end the flow, in one transaction.
    pub(crate) async fn apply(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let prepared = self.prepare(visit, effects, now)?;
        if prepared.is_empty() {
            return Ok(());
        }
        let result = self.db.write(async |tx| prepared.write(tx, now).await).await;
        self.outbox.notify_one();
        result
    }

    /// What was done on the way to a login that the client's demands forbid, and that they do.
    async fn write_refused(
        &self,
        visit: &Visit<'_>,
        issued: &Issued,
        effects: &[Effect],
        error: &OAuthError,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut prepared = self.prepare(visit, effects, now)?;
        prepared.events.push(refused(visit, issued, error.code.as_str(), now)?);
        self.db.write(async |tx| prepared.write(tx, now).await).await
    }

    /// An error to the client of the request, signed in or not.
    pub(crate) fn respond_error(&self, visit: &Visit<'_>, error: &OAuthError) -> Result<SignedInNow, ServiceError> {
        let target = visit
            .request
            .target(visit.client)
            .ok_or(ServiceError::Internal("a redirect URI is no longer registered"))?;
        let response = AuthorizationResponse::error(target, &self.settings.issuer, error).into();
        Ok(SignedInNow { response, session: None })
    }

    /// A remembered login keeps its original authentication; a new one starts a session of its own.
    fn authentication(visit: &Visit<'_>, issued: &Issued, now: Timestamp) -> Result<Authentication, ServiceError> {
        if issued.silent {
            let remembered = visit.signed_in.remembered.iter().find(|login| login.policy == issued.policy);
            let session = visit.signed_in.session.as_ref();
            let known =
                remembered.map(|login| &login.authentication).or(session.map(|session| &session.authentication));
            return known
                .filter(|known| known.user == issued.user)
                .cloned()
                .ok_or(ServiceError::Internal("a silent login without a session"));
        }
        Ok(Authentication {
            user: issued.user.clone(),
            session: SessionId::new(now, random()?),
            auth_time: now,
            acr: issued.acr.clone(),
            amr: issued.amr.clone(),
            facts: countersign_flow::fact_set(&issued.facts),
            policy: issued.policy.clone(),
        })
    }

    /// Naming a policy never lowers what the request or the client demands.
    fn check_login(
        &self,
        visit: &Visit<'_>,
        authentication: &Authentication,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let login = session_facts(authentication);
        let demand = Demand {
            request: visit.request,
            client: visit.client,
            policy: &authentication.policy,
            login_policies: self.policies.login(),
        };
        interaction::check_login(&demand, &login, now)
    }

    /// The same at every try of one person to end this flow, and no other person's.
    fn derive_secret(&self, purpose: Purpose, visit: &Visit<'_>, issued: &Issued) -> SecretString {
        let context: [&[u8]; 2] = [&visit.seed, issued.user.as_str().as_bytes()];
        SecretString::from(URL_SAFE_NO_PAD.encode(self.vault.derive(purpose, &context)))
    }

    fn rows(
        &self,
        visit: &Visit<'_>,
        issued: &Issued,
        mut authentication: Authentication,
        code: &SecretString,
        session: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Rows, ServiceError> {
        let lifetimes = self.settings.lifetimes;
        let token = session.map(|secret| self.vault.hash(Purpose::Session, secret.expose_secret().as_bytes()));
        let browser_session = token.map(|token| BrowserSession {
            id: authentication.session.clone(),
            token,
            authentication: authentication.clone(),
            created_at: now,
            seen_at: now,
            expires_at: now.plus(lifetimes.session_absolute),
            ended_at: None,
        });
        let remembered = token.zip(issued.remember).map(|(token, remember)| RememberedLogin {
            browser: token,
            policy: issued.policy.clone(),
            user: issued.user.clone(),
            authentication: authentication.clone(),
            facts: authentication.facts,
            expires_at: now.plus(remember.r#for),
        });
        authentication.acr =
            interaction::decide_acr(visit.request, &session_facts(&authentication), self.policies.login());
        let grant = Grant {
            id: GrantId::new(now, random()?),
            client: visit.client.id.clone(),
            scope: visit.request.scope.clone(),
            nonce: visit.request.nonce.clone(),
            claims: visit.request.claims.clone(),
            authentication,
            created_at: now,
            revoked_at: None,
        };
        let kind = if issued.silent { AuditKind::SilentLogin } else { AuditKind::Login };
        let event = |kind| -> Result<AuditEvent, ServiceError> {
            Ok(audit::event(visit.context, now, kind, AuditOutcome::Success)?
                .subject(Some(&issued.user))
                .client(&visit.client.id)
                .grant(&grant.id)
                .flow(visit.flow)
                .detail("policy", issued.policy.as_str())
                .detail("acr", grant.authentication.acr.as_str())
                .detail("amr", issued.amr.clone())
                .build())
        };
        Ok(Rows {
            key: format!("issue/{}/{}", URL_SAFE_NO_PAD.encode(visit.seed), issued.user),
            login: event(kind)?,
            code_issued: event(AuditKind::CodeIssued)?,
            refused: refused(visit, issued, "the account may not sign in", now)?,
            code: AuthorizationCode {
                hash: self.vault.hash(Purpose::AuthorizationCode, code.expose_secret().as_bytes()),
                grant: grant.id.clone(),
                client: visit.client.id.clone(),
                redirect_uri: visit.request.redirect_uri.as_str().to_owned(),
                code_challenge: visit.request.code_challenge.clone(),
                created_at: now,
                expires_at: now.plus(lifetimes.code),
                consumed_at: None,
            },
            session: browser_session,
            remembered,
            grant,
        })
    }

    /// Turns what the machine asked for into rows.
    fn prepare(&self, visit: &Visit<'_>, effects: &[Effect], now: Timestamp) -> Result<PreparedEffects, ServiceError> {
        let mut prepared = PreparedEffects {
            browser: visit.signed_in.session.as_ref().map(|session| session.token),
            ..Default::default()
        };
        for effect in effects {
            match effect {
                Effect::Send { label, channel, template, to, code, expires_at } => {
                    let letter = Self::letter(visit, template, to, code, *expires_at, now);
                    prepared.sends.push(self.send(visit, label, *channel, &letter, *expires_at, now)?);
                }
                Effect::Audit { kind, outcome, subject, detail } if !is_told_here(*kind, *outcome) => {
                    let event = audit::event(visit.context, now, *kind, *outcome)?
                        .subject(subject.as_ref())
                        .client(&visit.client.id)
                        .flow(visit.flow)
                        .details(detail.clone());
                    prepared.events.push(event.build());
                }
                Effect::ForgetRemembered { policy } => {
                    let event = audit::event(visit.context, now, AuditKind::LoginForgotten, AuditOutcome::Success)?
                        .client(&visit.client.id)
                        .flow(visit.flow)
                        .detail("policy", policy.as_str())
                        .build();
                    prepared.forgets.push((policy.clone(), event));
                }
                Effect::SpendTotpStep { user, step } => prepared.totp_steps.push((user.clone(), *step)),
                // Short-lived: set back after the transaction.
                Effect::ResetCounter(_) | Effect::Audit { .. } => {}
            }
        }
        Ok(prepared)
    }

    fn letter(
        visit: &Visit<'_>,
        template: &str,
        to: &str,
        code: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Letter {
        Letter {
            to: to.to_owned(),
            template: template.to_owned(),
            locale: visit.locale.to_owned(),
            code: code.to_owned(),
            lifetime: u32::try_from(expires_at.millis_since(now) / 1000).unwrap_or_default(),
            application: visit.client.name.clone(),
        }
    }

    fn send(
        &self,
        visit: &Visit<'_>,
        label: &str,
        channel: Channel,
        letter: &Letter,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(OutboxMessage, AuditEvent), ServiceError> {
        let id = OutboxId::new(now, random()?);
        let channel = match channel {
            Channel::Email => "email",
            Channel::Sms => "sms",
            Channel::Voice => "voice",
        };
        let sealed = letter.seal(&self.vault, &id)?;
        let event = audit::event(visit.context, now, AuditKind::SendQueued, AuditOutcome::Success)?
            .client(&visit.client.id)
            .flow(visit.flow)
            .detail("channel", channel)
            .detail("template", letter.template.as_str())
            .detail("message", id.as_str())
            .build();
        let message = OutboxMessage {
            idempotency_key: format!("{}/{label}", URL_SAFE_NO_PAD.encode(visit.seed)),
            channel: channel.to_owned(),
            sealed: Some(sealed),
            state: OutboxState::Queued,
            attempts: 0,
            created_at: now,
            due_at: now,
            expires_at,
            id,
        };
        Ok((message, event))
    }
}

fn refused(visit: &Visit<'_>, issued: &Issued, reason: &str, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    Ok(audit::event(visit.context, now, AuditKind::RequestRefused, AuditOutcome::Failure)?
        .subject(Some(&issued.user))
        .client(&visit.client.id)
        .flow(visit.flow)
        .detail("policy", issued.policy.as_str())
        .detail("reason", reason)
        .build())
}

/// Whether an event is written by this file, with what the machine cannot know: the grant, the message.
fn is_told_here(kind: AuditKind, outcome: AuditOutcome) -> bool {
    outcome == AuditOutcome::Success
        && matches!(kind, AuditKind::Login | AuditKind::SilentLogin | AuditKind::SendQueued)
}

/// The session a login stands for.
pub(crate) fn session_facts(authentication: &Authentication) -> SessionFacts {
    SessionFacts {
        user: authentication.user.clone(),
        auth_time: authentication.auth_time,
        acr: authentication.acr.clone(),
        facts: authentication.facts,
        may_answer: true,
    }
}

/// Effects as rows. Writing them twice changes nothing more, but for the audit, which tells of both tries.
#[derive(Default)]
struct PreparedEffects {
    browser: Option<KeyedHash>,
    sends: Vec<(OutboxMessage, AuditEvent)>,
    events: Vec<AuditEvent>,
    forgets: Vec<(String, AuditEvent)>,
    totp_steps: Vec<(countersign_model::UserId, i64)>,
}

impl PreparedEffects {
    fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.events.is_empty() && self.forgets.is_empty() && self.totp_steps.is_empty()
    }

    async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<(), ServiceError> {
        let _ = now;
        let mut events = self.events.clone();
        for (message, event) in &self.sends {
            if tx.insert_outbox_message(message).await? {
                events.push(event.clone());
            }
        }
        for (policy, event) in &self.forgets {
            if let Some(browser) = &self.browser
                && tx.delete_remembered_login(browser, policy).await?
            {
                events.push(event.clone());
            }
        }
        for (user, step) in &self.totp_steps {
            // Another request spent this very code first: nothing of this one may stand.
            let account = tx.find_account(user).await?;
            let factor =
                account.as_ref().and_then(|account| account.factor(FactorKind::Totp)).ok_or(ServiceError::Lost)?;
            if !tx.spend_totp_step(&factor.id, *step).await? {
                return Err(ServiceError::Lost);
            }
        }
        tx.insert_audit_events(&events).await?;
        Ok(())
    }
}

async fn write_rows(tx: &mut Tx, rows: &Rows, old: Option<KeyedHash>, now: Timestamp) -> Result<(), ServiceError> {
    match (&rows.session, old) {
        (Some(session), old) => {
            tx.insert_session(session).await?;
            if let Some(old) = old {
                move_remembered(tx, session, &old, now).await?;
            }
        }
        (None, _) => tx.touch_session(&rows.grant.authentication.session, now).await?,
    }
    if let Some(remembered) = &rows.remembered {
        tx.upsert_remembered_login(remembered).await?;
    }
    tx.insert_grant(&rows.grant).await?;
    tx.insert_code(&rows.code).await?;
    tx.insert_audit_events(&[rows.login.clone(), rows.code_issued.clone()]).await?;
    Ok(())
}

/// The session's secret is renewed at login (RFC 9700, 4.16 by way of fixation): what the same person's browser
/// remembered for other policies moves along, another person's is forgotten, and the old session ends.
async fn move_remembered(
    tx: &mut Tx,
    session: &BrowserSession,
    old: &KeyedHash,
    now: Timestamp,
) -> Result<(), ServiceError> {
    for mut login in tx.list_remembered_logins(old, now).await? {
        tx.delete_remembered_login(old, &login.policy).await?;
        if login.user == session.authentication.user && login.policy != session.authentication.policy {
            login.browser = session.token;
            login.authentication.session.clone_from(&session.id);
            tx.upsert_remembered_login(&login).await?;
        }
    }
    if let Some(ended) = tx.find_session_by_token(old).await? {
        tx.end_session(&ended.id, now).await?;
    }
    Ok(())
}
