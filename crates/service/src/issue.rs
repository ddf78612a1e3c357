//! The end of a sign-in: session, grant, authorization code, what is remembered, and the audit, in one transaction.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::Purpose as PolicyPurpose;
use countersign_flow::{Effect, Issued};
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, Authentication, AuthorizationCode, BrowserSession, Grant, GrantId,
    KeyedHash, RememberedLogin, Seconds, SessionId, Ticket, Timestamp, UserId, UserStatus,
};
use countersign_protocol::consent::ConsentDecision;
use countersign_protocol::interaction::{self, Demand};
use countersign_protocol::{
    AuthorizationRequest, AuthorizationResponse, ErrorCode, OAuthError, profile, session_state,
};
use countersign_store::Tx;
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::{self, EventBuilder};
use crate::clock::random;
use crate::effects::{PreparedEffects, as_lost};
use crate::encryption::Recipient;
use crate::flow::{ACCOUNT, Origin, Response, StoredAnswer, Visit};
use crate::front_channel::FrontChannel;
use crate::provider::Provider;
use crate::vault::Purpose;

/// How long after a mailed link the client's own request counts as this sign-in.
const TICKET_LIFE: Seconds = Seconds::new(60);

/// The end of a sign-in.
pub(crate) struct SignedInNow {
    pub(crate) response: Response,
    /// Secret of the session cookie; none when nobody was signed in.
    pub(crate) session: Option<SecretString>,
    /// Secret of the device cookie.
    pub(crate) device: Option<SecretString>,
}

/// What a login is issued with, in clear.
struct Secrets<'a> {
    code: &'a SecretString,
    session: Option<&'a SecretString>,
    /// Id of an access token in the answer.
    jti: &'a str,
}

impl SignedInNow {
    /// As it is stored, sealed, for a double submit.
    pub(crate) fn into_stored(self) -> StoredAnswer {
        let text = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        StoredAnswer::Respond { response: self.response, session: text(self.session), device: text(self.device) }
    }
}

/// Rows of one sign-in, ready to be written.
struct Rows {
    key: String,
    user: UserId,
    session: Option<BrowserSession>,
    /// Session of the login: that which is used again, of a silent one.
    used: SessionId,
    grant: Option<NewGrant>,
    remembered: Option<RememberedLogin>,
    events: Vec<AuditEvent>,
    /// Instead of everything else, when the account may not sign in.
    refused: AuditEvent,
    /// Instead of the login, when the pushed request was answered by another one.
    spent: AuditEvent,
}

/// What a request is granted.
struct NewGrant {
    grant: Grant,
    /// In the answer, or none when the answer holds tokens alone.
    code: Option<AuthorizationCode>,
    /// The pushed request that is answered.
    pushed: Option<KeyedHash>,
    /// Audit of the tokens in the answer.
    tokens: Option<AuditEvent>,
}

/// How the transaction of a login ended.
enum Written {
    /// The person is signed in, under this grant if a request was answered.
    Done(Box<Account>, Option<Box<Grant>>),
    /// Nobody is signed in.
    Refused(OAuthError),
}

impl Rows {
    /// The login without what the client would get: its person is asked first. A silent one will be told of then.
    fn withhold_grant(&mut self, silent: bool) {
        self.grant = None;
        let issued = [AuditKind::CodeIssued, AuditKind::TokenIssued];
        self.events.retain(|event| !issued.contains(&event.kind) && !silent);
        for event in &mut self.events {
            event.grant = None;
        }
    }
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
        let authentication = Self::authentication(visit, issued, now)?;
        // What was good enough when the person was asked for consent still is, however long they thought about it.
        let checked = self.check_login(visit, &authentication, visit.agreed.unwrap_or(now));
        let consent = match checked {
            Ok(()) => self.decide_consent(visit, &issued.user).await?,
            Err(error) => ConsentDecision::Refuse(error),
        };
        if let ConsentDecision::Refuse(error) = consent {
            self.write_refused(visit, issued, effects, &error, now).await?;
            return self.respond_error(visit, &error);
        }
        let asks = consent == ConsentDecision::Ask;
        let recipient = self.front_recipient(visit, now).await?;
        let code = self.derive_secret(Purpose::AuthorizationCode, visit, issued);
        let session = if issued.silent { None } else { Some(self.derive_secret(Purpose::Session, visit, issued)) };
        let jti = URL_SAFE_NO_PAD.encode(random::<16>()?);
        let mut rows = self.rows(
            visit,
            issued,
            authentication,
            &Secrets { code: &code, session: session.as_ref(), jti: &jti },
            now,
        )?;
        if asks {
            rows.withhold_grant(issued.silent);
        }
        let prepared = self.prepare(visit, effects, now).await?;
        let written = self.db.write(async |tx| self.write_login(tx, visit, &rows, &prepared, now).await).await;
        let (account, grant) = match written.map_err(as_lost)? {
            Written::Done(account, grant) => (account, grant),
            Written::Refused(refused) => {
                return match visit.origin {
                    Origin::Request(_) => self.respond_error(visit, &refused),
                    origin => Ok(Self::leave(self.way_back(origin, visit.client))),
                };
            }
        };
        self.outbox.notify_one();
        metrics::counter!("countersign_logins_total", "policy" => issued.policy.clone()).increment(1);
        let device = session.as_ref().map(|_| self.device_secret(visit));
        let response = match visit.origin {
            Origin::Request(_) if asks => self.ask_consent(visit, &rows.used, issued, now).await?,
            Origin::Request(_) => {
                let (request, client) = visit.request().ok_or(ServiceError::Internal("an answer without a request"))?;
                let grant = grant.ok_or(ServiceError::Internal("an answer without a grant"))?;
                let target = visit.target()?;
                let (code, account) = (code.expose_secret(), &*account);
                let session_state = self.session_state(visit, &rows)?;
                let recipient = recipient.as_ref();
                let answer = FrontChannel {
                    request,
                    client,
                    target,
                    grant: &grant,
                    account,
                    code,
                    jti: &jti,
                    session_state,
                    recipient,
                };
                self.answer_granted(answer, now)?
            }
            Origin::Client(_) | Origin::Device { .. } | Origin::Setup(_) => {
                Response::Redirect(self.way_back(visit.origin, visit.client))
            }
            Origin::Account => Response::Redirect(self.account_after(&issued.policy)),
        };
        Ok(SignedInNow { response, session, device })
    }

    /// Who alone reads an ID token in the answer to the request, if one will be there.
    async fn front_recipient(&self, visit: &Visit<'_>, now: Timestamp) -> Result<Option<Recipient>, ServiceError> {
        match visit.request().filter(|(request, _)| request.response_type.has_id_token()) {
            Some((_, client)) => self.id_token_recipient(client, now).await,
            None => Ok(None),
        }
    }

    /// What the client's pages need to see the browser's session change (Session Management, 2).
    fn session_state(&self, visit: &Visit<'_>, rows: &Rows) -> Result<Option<String>, ServiceError> {
        let Some((request, client)) = visit.request() else { return Ok(None) };
        let session = rows.session.as_ref().or(visit.signed_in.session.as_ref());
        let Some(session) = session.filter(|_| self.settings.features.of(client).session_management) else {
            return Ok(None);
        };
        let salt = URL_SAFE_NO_PAD.encode(random::<12>()?);
        let browser = self.browser_state_of(&session.token);
        Ok(session_state::compute(&client.id, request.redirect_uri.as_str(), &browser, &salt))
    }

    /// The account page, which tells that something was changed if that was what the policy was for.
    fn account_after(&self, policy: &str) -> String {
        let policy = self.policies.set().get(policy);
        let changes = policy.is_some_and(|policy| policy.purpose == PolicyPurpose::Enrol);
        if changes { format!("{ACCOUNT}?notice=changed") } else { ACCOUNT.to_owned() }
    }

    const fn leave(uri: String) -> SignedInNow {
        SignedInNow { response: Response::Redirect(uri), session: None, device: None }
    }

    /// Writes it all, or that nobody may sign in.
    async fn write_login(
        &self,
        tx: &mut Tx,
        visit: &Visit<'_>,
        rows: &Rows,
        prepared: &PreparedEffects,
        now: Timestamp,
    ) -> Result<Written, ServiceError> {
        let before = tx.find_account(&rows.user).await?;
        if before.as_ref().is_some_and(|account| account.user.status != UserStatus::Active) {
            tx.insert_audit_events(std::slice::from_ref(&rows.refused)).await?;
            let refused = OAuthError::new(ErrorCode::AccessDenied, "The account may not sign in");
            return Ok(Written::Refused(refused));
        }
        prepared.write(tx, now).await?;
        // An upstream provider's people get their account on the way.
        let account = if before.is_some() { before } else { tx.find_account(&rows.user).await? };
        let account = account.ok_or(ServiceError::Lost)?;
        if let Some(ticket) = visit.ticket
            && !tx.consume_ticket(ticket, &visit.client_id()?, now).await?
        {
            return Err(ServiceError::Lost);
        }
        let grant = rows.grant.as_ref();
        if tx.has_effect(&rows.key).await? {
            // A node died after this transaction and before its answer.
            let granted = match grant {
                Some(new) => Some(Box::new(write_again(tx, new).await?)),
                None => None,
            };
            return Ok(Written::Done(Box::new(account), granted));
        }
        if let Some(hash) = grant.and_then(|new| new.pushed)
            && !tx.consume_pushed_request(&hash, now).await?
        {
            tx.insert_audit_events(std::slice::from_ref(&rows.spent)).await?;
            let refused = OAuthError::new(ErrorCode::InvalidRequestUri, "The pushed request was answered already");
            return Ok(Written::Refused(refused));
        }
        if tx.insert_effect(&rows.key, now).await? {
            let old = visit.signed_in.session.as_ref().map(|session| session.token);
            write_rows(tx, rows, old, now).await?;
            if rows.session.is_some() {
                self.note_device(tx, visit, &account, now).await?;
            }
        }
        Ok(Written::Done(Box::new(account), grant.map(|new| Box::new(new.grant.clone()))))
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
        let mut prepared = self.prepare(visit, effects, now).await?;
        prepared.push_event(refused(visit, issued, error.code.as_str(), now)?);
        self.db.write(async |tx| prepared.write(tx, now).await).await
    }

    /// An error to the client of the request, signed in or not.
    pub(crate) fn respond_error(&self, visit: &Visit<'_>, error: &OAuthError) -> Result<SignedInNow, ServiceError> {
        let (_, client) = visit.request().ok_or(ServiceError::Internal("an answer without a request"))?;
        let response = AuthorizationResponse::error(visit.target()?, &self.settings.issuer, error);
        let response = self.deliver(response, client, self.clock.now())?;
        Ok(SignedInNow { response, session: None, device: None })
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
            auth_time: issued.auth_time,
            acr: issued.acr.clone(),
            amr: issued.amr.clone(),
            facts: countersign_flow::fact_set(&issued.facts),
            policy: issued.policy.clone(),
            subject: None,
        })
    }

    /// Naming a policy never lowers what the request or the client demands.
    fn check_login(
        &self,
        visit: &Visit<'_>,
        authentication: &Authentication,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        // Without a request there is nothing to meet yet: the client's next one will be checked.
        let Some((request, client)) = visit.request() else { return Ok(()) };
        let login = self.session_facts(authentication, client);
        let demand = Demand { request, client, policy: &authentication.policy, login_policies: self.policies.login() };
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
        authentication: Authentication,
        secrets: &Secrets<'_>,
        now: Timestamp,
    ) -> Result<Rows, ServiceError> {
        let token = secrets.session.map(|secret| self.vault.hash(Purpose::Session, secret.expose_secret().as_bytes()));
        let device = visit.context.describe_browser();
        let browser_session = token.map(|token| self.browser_session(visit, &authentication, token, now));
        let remembered = token.zip(issued.remember).map(|(token, remember)| RememberedLogin {
            browser: token,
            policy: issued.policy.clone(),
            user: issued.user.clone(),
            authentication: authentication.clone(),
            facts: authentication.facts,
            created_at: now,
            expires_at: now.plus(remember.r#for),
            device,
        });
        let used = authentication.session.clone();
        let acr = authentication.acr.clone();
        let mut grant = self.grant(visit, authentication, secrets.code, now)?;
        let mut kinds = vec![if issued.silent { AuditKind::SilentLogin } else { AuditKind::Login }];
        kinds.extend(grant.as_ref().and_then(|new| new.code.as_ref()).map(|_| AuditKind::CodeIssued));
        kinds.extend(remembered.as_ref().map(|_| AuditKind::LoginRemembered));
        if let (Some(new), Some((request, _))) = (&mut grant, visit.request()) {
            new.tokens = token_event(visit, issued, &new.grant, request, secrets.jti, now)?;
        }
        let granted = grant.as_ref().map(|new| &new.grant);
        let event = |kind: AuditKind| Ok(login_event(visit, issued, granted, &acr, kind, now)?.build());
        let mut events = kinds.into_iter().map(event).collect::<Result<Vec<_>, ServiceError>>()?;
        events.extend(grant.as_ref().and_then(|new| new.tokens.clone()));
        Ok(Rows {
            key: format!("issue/{}/{}", URL_SAFE_NO_PAD.encode(visit.seed), issued.user),
            user: issued.user.clone(),
            events,
            refused: refused(visit, issued, "the account may not sign in", now)?,
            spent: refused(visit, issued, "the pushed request was answered already", now)?,
            session: browser_session,
            used,
            remembered,
            grant,
        })
    }

    fn browser_session(
        &self,
        visit: &Visit<'_>,
        authentication: &Authentication,
        token: KeyedHash,
        now: Timestamp,
    ) -> BrowserSession {
        let ticket = match visit.origin {
            Origin::Client(client) | Origin::Device { client, .. } => {
                Some(Ticket { client: client.clone(), until: now.plus(TICKET_LIFE) })
            }
            Origin::Request(_) | Origin::Account | Origin::Setup(_) => None,
        };
        BrowserSession {
            id: authentication.session.clone(),
            token,
            authentication: authentication.clone(),
            created_at: now,
            seen_at: now,
            expires_at: self.session_end(visit, authentication, now),
            ended_at: None,
            ticket,
            device: visit.context.describe_browser(),
            address: visit.context.address.clone(),
        }
    }

    /// A session that took over from an earlier one ends when that would have.
    fn session_end(&self, visit: &Visit<'_>, authentication: &Authentication, now: Timestamp) -> Timestamp {
        let end = now.plus(self.settings.lifetimes.session_absolute);
        let took_over = |known: &&BrowserSession| {
            let known = &known.authentication;
            known.user == authentication.user && known.auth_time == authentication.auth_time
        };
        let earlier = visit.signed_in.session.as_ref().filter(took_over);
        earlier.map_or(end, |earlier| end.min(earlier.expires_at))
    }

    /// What the request that waits is granted; nothing when none does.
    fn grant(
        &self,
        visit: &Visit<'_>,
        mut authentication: Authentication,
        code: &SecretString,
        now: Timestamp,
    ) -> Result<Option<NewGrant>, ServiceError> {
        let Some((request, client)) = visit.request() else { return Ok(None) };
        let login = self.session_facts(&authentication, client);
        authentication.acr = interaction::decide_acr(request, &login, self.policies.login());
        let grant = Grant {
            id: GrantId::new(now, random()?),
            client: client.id.clone(),
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
            claims: request.claims.clone(),
            resources: request.resources.clone(),
            authentication: self.told_to(client, authentication),
            created_at: now,
            revoked_at: None,
        };
        let code = AuthorizationCode {
            hash: self.vault.hash(Purpose::AuthorizationCode, code.expose_secret().as_bytes()),
            grant: grant.id.clone(),
            client: client.id.clone(),
            redirect_uri: request.redirect_uri.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            created_at: now,
            expires_at: now.plus(profile::code_lifetime(client, self.settings.lifetimes.code)),
            consumed_at: None,
        };
        let code = Some(code).filter(|_| request.response_type.has_code());
        Ok(Some(NewGrant { grant, code, pushed: request.pushed, tokens: None }))
    }
}

fn login_event(
    visit: &Visit<'_>,
    issued: &Issued,
    grant: Option<&Grant>,
    acr: &str,
    kind: AuditKind,
    now: Timestamp,
) -> Result<EventBuilder, ServiceError> {
    let event = visit
        .describe(audit::event(visit.context, now, kind, AuditOutcome::Success)?)
        .subject(Some(&issued.user))
        .detail("policy", issued.policy.as_str())
        .detail("acr", grant.map_or(acr, |grant| grant.authentication.acr.as_str()))
        .detail("amr", issued.amr.clone());
    let event = if visit.ticket.is_some() { event.detail("ticket", true) } else { event };
    Ok(match grant {
        Some(grant) => event.grant(&grant.id),
        None => event,
    })
}

/// Tokens in the answer itself; none when it holds a code alone.
fn token_event(
    visit: &Visit<'_>,
    issued: &Issued,
    grant: &Grant,
    request: &AuthorizationRequest,
    jti: &str,
    now: Timestamp,
) -> Result<Option<AuditEvent>, ServiceError> {
    let kind = request.response_type;
    if !kind.has_front_channel_tokens() {
        return Ok(None);
    }
    let event = login_event(visit, issued, Some(grant), "", AuditKind::TokenIssued, now)?;
    let event = event.detail("response_type", kind.as_str());
    let event = if kind.has_token() { event.jti(jti) } else { event };
    Ok(Some(event.build()))
}

fn refused(visit: &Visit<'_>, issued: &Issued, reason: &str, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    let event = audit::event(visit.context, now, AuditKind::RequestRefused, AuditOutcome::Failure)?;
    Ok(visit
        .describe(event)
        .subject(Some(&issued.user))
        .detail("policy", issued.policy.as_str())
        .detail("reason", reason)
        .build())
}

/// What was granted in a transaction whose answer was lost: the code is still to be redeemed, its grant is the one to
/// issue tokens under; where there was no code nobody got anything, and tokens are issued under a grant of their own.
async fn write_again(tx: &mut Tx, new: &NewGrant) -> Result<Grant, ServiceError> {
    let Some(code) = &new.code else {
        tx.insert_grant(&new.grant).await?;
        tx.insert_audit_events(new.tokens.as_slice()).await?;
        return Ok(new.grant.clone());
    };
    tx.renew_code(&code.hash, code.expires_at).await?;
    let found = tx.find_code_with_grant(&code.hash).await?;
    let grant = found.map(|found| found.grant).ok_or(ServiceError::Internal("a code was issued without a grant"))?;
    if let Some(event) = new.tokens.clone() {
        tx.insert_audit_events(&[AuditEvent { grant: Some(grant.id.clone()), ..event }]).await?;
    }
    Ok(grant)
}

async fn write_rows(tx: &mut Tx, rows: &Rows, old: Option<KeyedHash>, now: Timestamp) -> Result<(), ServiceError> {
    match (&rows.session, old) {
        (Some(session), old) => {
            tx.insert_session(session).await?;
            if let Some(old) = old {
                move_remembered(tx, session, &old, now).await?;
            }
        }
        (None, _) => tx.touch_session(&rows.used, now).await?,
    }
    if let Some(remembered) = &rows.remembered {
        tx.upsert_remembered_login(remembered).await?;
    }
    if let Some(new) = &rows.grant {
        tx.insert_grant(&new.grant).await?;
        if let Some(code) = &new.code {
            tx.insert_code(code).await?;
        }
    }
    tx.insert_audit_events(&rows.events).await?;
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
        // Whoever was signed in is so still, as far as their clients are concerned.
        if ended.authentication.user == session.authentication.user {
            tx.move_grants(&ended.id, &session.id).await?;
        }
        tx.end_session(&ended.id, now).await?;
    }
    Ok(())
}
