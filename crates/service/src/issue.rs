//! The end of a sign-in: session, grant, authorization code, what is remembered, and the audit, in one transaction.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::{Effect, Issued};
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, Authentication, AuthorizationCode, BrowserSession, Grant, GrantId, KeyedHash,
    RememberedLogin, SessionId, Timestamp, UserStatus,
};
use countersign_protocol::interaction::{self, Demand};
use countersign_protocol::{AuthorizationResponse, ErrorCode, OAuthError, SessionFacts};
use countersign_store::Tx;
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit;
use crate::clock::random;
use crate::flow::{Response, Visit};
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
    remembered_event: Option<AuditEvent>,
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
                prepared.write(tx).await?;
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
        let response =
            AuthorizationResponse::success(visit.target()?, &self.settings.issuer, code.expose_secret()).into();
        Ok(SignedInNow { response, session })
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
        self.db.write(async |tx| prepared.write(tx).await).await
    }

    /// An error to the client of the request, signed in or not.
    pub(crate) fn respond_error(&self, visit: &Visit<'_>, error: &OAuthError) -> Result<SignedInNow, ServiceError> {
        let response = AuthorizationResponse::error(visit.target()?, &self.settings.issuer, error).into();
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
            remembered_event: remembered.as_ref().map(|_| event(AuditKind::LoginRemembered)).transpose()?,
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
    let events = [&rows.login, &rows.code_issued].into_iter().chain(&rows.remembered_event).cloned();
    tx.insert_audit_events(&events.collect::<Vec<_>>()).await?;
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
