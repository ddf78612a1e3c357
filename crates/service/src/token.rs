//! The token endpoint: authenticate the client, then one transaction: load, decide, write. Tokens are signed after it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Account, AuditEvent, AuditOutcome, GrantId, KeyedHash, Timestamp, UserStatus};
use countersign_protocol::discovery::paths;
use countersign_protocol::resource::Resources;
use countersign_protocol::token::{self, Prepared, RequestedGrant};
use countersign_protocol::{
    AccessTokenClaims, AssertionError, Binding, CertificateThumbprint, Decision, Effect, Held, Issue, OAuthError,
    Params, Proof, SpokenFor, TokenFacts, TokenRequest, access_token, dpop, id_token, jws, profile,
};
use countersign_store::{Rotation, Tx};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::dpop::ShownProof;
use crate::encryption::{self, Recipient};
use crate::provider::Provider;
use crate::refresh_uses::Place;
use crate::registration;
use crate::token_exchange::{self, OfferedTokens};
use crate::vault::Purpose;

/// A token request.
#[derive(Clone, Copy, Debug)]
pub struct TokenCall<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The query; credentials in it are refused.
    pub query: &'a Params,
    /// The form.
    pub form: &'a Params,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// Certificate of the TLS client, if it showed one.
    pub certificate: Option<&'a CertificateThumbprint>,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// Values drawn before the transaction, so that it can be run again.
struct Drawn {
    jti: String,
    refresh_token: SecretString,
    refresh_hash: KeyedHash,
    grant: GrantId,
}

/// What is offered in exchange, as far as it can be told without the store.
enum Offered {
    /// Nothing.
    Nothing,
    /// A secret, by its keyed hash.
    Secret(KeyedHash),
    /// Access tokens.
    Tokens(Box<OfferedTokens>),
    /// An assertion of somebody who is heard.
    Assertion(Result<SpokenFor, AssertionError>),
}

impl Provider {
    /// Answers a token request (RFC 6749, 3.2): the body of the answer, or the error to send.
    pub async fn token(&self, call: TokenCall<'_>) -> Result<Result<Value, OAuthError>, ServiceError> {
        let now = self.clock.now();
        let place = self.enter_refresh(call, now);
        let claimed = match self.claimed_client(call.authorization, call.query, call.form).await? {
            Ok(claimed) => claimed,
            Err(error) => return Ok(Err(error)),
        };
        // Before anything is spent: a client that is told to use a nonce comes again with the same assertion.
        let shown = ShownProof { proof: call.dpop, method: "POST", path: paths::TOKEN, access_token: None };
        let proof = match self.read_proof(shown, claimed.client(), now) {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error)),
        };
        let authenticated = match self.prove_client(&claimed, call.context, now).await? {
            Ok(authenticated) => authenticated,
            Err(error) => return Ok(Err(error)),
        };
        let held = Held { certificate: call.certificate, proof: proof.as_ref() };
        let binding = match Binding::decide(authenticated.client(), held) {
            Ok(binding) => binding,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = profile::check_binding(authenticated.client(), binding.confirmation().is_some()) {
            return Ok(Err(error));
        }
        match TokenRequest::parse(authenticated, call.form, &self.settings.features) {
            Ok(request) => {
                let request = request.bound_to(binding);
                self.exchange(&request, proof.as_ref(), place.as_ref(), call.context, now).await
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn exchange(
        &self,
        request: &TokenRequest<'_>,
        proof: Option<&Proof>,
        place: Option<&Place<'_>>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Result<Value, OAuthError>, ServiceError> {
        // An ID token is of a person's own grant.
        let recipient = match request.grant() {
            RequestedGrant::AuthorizationCode { .. }
            | RequestedGrant::RefreshToken { .. }
            | RequestedGrant::DeviceCode { .. } => self.id_token_recipient(request.client().client(), now).await?,
            _ => None,
        };
        let drawn = self.draw(now)?;
        let prepared = self.prepared(&drawn);
        if let Some(decision) = decide_alone(request, proof, &prepared, now) {
            let events = audit_events(&decision, request, &drawn, context, now)?;
            self.write_events(&events).await?;
            return self.answer(request, decision, (None, None), &drawn, now);
        }
        let offered = self.read_grant(request, now).await;
        let (decision, account) = self
            .db
            .write(async |tx| {
                if let Some(proof) = proof
                    && !self.spend_proof(tx, proof).await?
                {
                    return Ok((Decision { outcome: Err(dpop::replayed()), effects: Vec::new() }, None));
                }
                let mut overtaken = false;
                loop {
                    let (facts, account) = load(self, tx, request, &offered, now, place, overtaken).await?;
                    let decision = token::decide(request, facts, &prepared, now);
                    // Somebody else spent it since it was read: look again, and see by whom.
                    if write(self, tx, &decision, request, &drawn, context, now).await? {
                        let client = request.client().client();
                        if decision.outcome.is_ok() && client.registration.is_some() {
                            tx.touch_client(&client.id, now.minus(registration::NOTED), now).await?;
                        }
                        return Ok::<_, ServiceError>((decision, account));
                    }
                    overtaken = true;
                }
            })
            .await?;
        if decision.outcome.is_ok()
            && let Some(place) = place
        {
            place.won();
        }
        self.answer(request, decision, (account.as_ref(), recipient.as_ref()), &drawn, now)
    }

    /// What a decision that was committed comes to.
    fn answer(
        &self,
        request: &TokenRequest<'_>,
        decision: Decision,
        of_whom: (Option<&Account>, Option<&Recipient>),
        drawn: &Drawn,
        now: Timestamp,
    ) -> Result<Result<Value, OAuthError>, ServiceError> {
        match decision.outcome {
            Ok(issue) => {
                metrics::counter!("countersign_tokens_issued_total").increment(1);
                self.sign_all(request, &issue, of_whom, drawn, now).map(Ok)
            }
            Err(error) => {
                tracing::info!(code = error.code.as_str(), detail = %error.detail, "token request refused");
                Ok(Err(error))
            }
        }
    }

    fn draw(&self, now: Timestamp) -> Result<Drawn, ServiceError> {
        let refresh_token = SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let refresh_hash = self.vault.hash(Purpose::RefreshToken, refresh_token.expose_secret().as_bytes());
        let jti = URL_SAFE_NO_PAD.encode(random::<16>()?);
        Ok(Drawn { jti, refresh_token, refresh_hash, grant: GrantId::new(now, random()?) })
    }

    fn prepared<'a>(&'a self, drawn: &'a Drawn) -> Prepared<'a> {
        Prepared {
            refresh_token: drawn.refresh_hash,
            refresh_lifetime: self.settings.lifetimes.refresh_token,
            access_jti: &drawn.jti,
            access_lifetime: self.settings.lifetimes.access_token,
            grant: &drawn.grant,
            resources: self.resources(),
        }
    }

    /// The resource servers of the deployment.
    pub(crate) fn resources(&self) -> Resources<'_> {
        Resources { issuer: &self.settings.issuer, servers: &self.settings.resources }
    }

    /// From here on other requests with this refresh token are parallel ones.
    /// Company is whoever shows the same token as the same client: a stranger who holds requests open with it is none.
    fn enter_refresh(&self, call: TokenCall<'_>, now: Timestamp) -> Option<Place<'_>> {
        let token = call.form.get("refresh_token")?;
        let client = [call.form.get("client_id"), call.authorization].map(Option::unwrap_or_default);
        let shown = SecretString::from([token, client[0], client[1]].join("\0"));
        Some(self.refresh_uses.enter(self.vault.hash(Purpose::RefreshToken, shown.expose_secret().as_bytes()), now))
    }

    async fn read_grant(&self, request: &TokenRequest<'_>, now: Timestamp) -> Offered {
        let hash = |purpose, secret: &SecretString| self.vault.hash(purpose, secret.expose_secret().as_bytes());
        match request.grant() {
            RequestedGrant::AuthorizationCode { code, .. } => Offered::Secret(hash(Purpose::AuthorizationCode, code)),
            RequestedGrant::RefreshToken { refresh_token, .. } => {
                Offered::Secret(hash(Purpose::RefreshToken, refresh_token))
            }
            RequestedGrant::DeviceCode { device_code } => Offered::Secret(self.device_code_hash(device_code)),
            RequestedGrant::TokenExchange { subject, actor, .. } => {
                Offered::Tokens(Box::new(self.read_offered(subject, actor.as_ref(), now)))
            }
            RequestedGrant::JwtBearer { assertion, .. } => {
                let client = &request.client().client().id;
                match self.hear(assertion.expose_secret(), client, now).await {
                    Some(heard) => Offered::Assertion(heard),
                    None => Offered::Nothing,
                }
            }
            RequestedGrant::ClientCredentials { .. } => Offered::Nothing,
        }
    }

    fn sign_all(
        &self,
        request: &TokenRequest<'_>,
        issue: &Issue,
        (account, recipient): (Option<&Account>, Option<&Recipient>),
        drawn: &Drawn,
        now: Timestamp,
    ) -> Result<Value, ServiceError> {
        let signing = |_| ServiceError::Internal("a token could not be signed");
        let client = request.client().client();
        let keys = self.keys.current();
        let lifetimes = self.settings.lifetimes;
        let terms = access_token::Terms {
            jti: &drawn.jti,
            lifetime: lifetimes.access_token,
            audience: &issue.audience,
            binding: request.binding(),
            client,
        };
        let claims = AccessTokenClaims::new(&self.settings.issuer, issue, &terms, now);
        let algorithm = issue.access_token_alg.unwrap_or(client.access_token_alg);
        let access = keys.signer(algorithm, now)?.sign(access_token::TYPE, &claims).map_err(signing)?;
        let id_token_alg = id_token::algorithm(client, self.settings.features);
        let identity = match (issue.id_token, account, &issue.grant) {
            (true, Some(account), Some(grant)) => {
                let terms = id_token::Terms {
                    issuer: &self.settings.issuer,
                    lifetime: lifetimes.id_token,
                    nonce: issue.nonce.as_deref(),
                    tied: id_token::Tied { access_token: Some(&access), ..id_token::Tied::default() },
                    algorithm: id_token_alg,
                    naming: &client.policy_naming,
                };
                let claims = id_token::claims(account, grant, &terms, now);
                let token = match id_token_alg {
                    Some(alg) => keys.signer(alg, now)?.sign(id_token::TYPE, &claims).map_err(signing)?,
                    None => jws::write_unsigned(id_token::TYPE, &claims),
                };
                Some(encryption::dress_id_token(token, recipient)?)
            }
            _ => None,
        };
        let refresh = issue.refresh_token.then(|| drawn.refresh_token.expose_secret());
        let kind = access_token::token_type(claims.cnf.as_ref());
        Ok(token::response(issue, (kind, &access), lifetimes.access_token, refresh, identity.as_deref()))
    }
}

/// The decision on a request that nothing stored has a say in, beside the client, and that changes nothing stored: all
/// that is written of it is that it happened.
fn decide_alone(
    request: &TokenRequest<'_>,
    proof: Option<&Proof>,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Option<Decision> {
    let is_own = matches!(request.grant(), RequestedGrant::ClientCredentials { .. });
    // That a client which registered itself is used is noted, and a proof is spent.
    if !is_own || proof.is_some() || request.client().client().registration.is_some() {
        return None;
    }
    let decision = token::decide(request, TokenFacts::Nothing, prepared, now);
    decision.effects.iter().all(|effect| matches!(effect, Effect::Audit { .. })).then_some(decision)
}

/// What the store knows of what is offered, and whose it is.
async fn load(
    provider: &Provider,
    tx: &mut Tx,
    request: &TokenRequest<'_>,
    offered: &Offered,
    now: Timestamp,
    place: Option<&Place<'_>>,
    overtaken: bool,
) -> Result<(TokenFacts, Option<Account>), ServiceError> {
    let nothing = Ok((TokenFacts::Nothing, None));
    let hash = match offered {
        Offered::Nothing => return nothing,
        Offered::Secret(hash) => hash,
        Offered::Tokens(tokens) => return Ok((token_exchange::load(tx, tokens, now).await?, None)),
        Offered::Assertion(heard) => {
            let client = request.client().client();
            return Ok((provider.load_assertion(tx, heard, client, overtaken, now).await?, None));
        }
    };
    let is_active = |account: &Account| account.user.status == UserStatus::Active;
    match request.grant() {
        RequestedGrant::AuthorizationCode { .. } => {
            let Some(found) = tx.find_code_with_grant(hash).await? else { return nothing };
            let user_active = is_active(&found.account);
            Ok((TokenFacts::Code { code: found.code, grant: Box::new(found.grant), user_active }, Some(found.account)))
        }
        RequestedGrant::RefreshToken { .. } => {
            let Some(found) = tx.find_refresh_token_with_grant(hash).await? else { return nothing };
            let user_active = is_active(&found.account);
            let consumed_at = found.token.consumed_at;
            let overlaps = |consumed_at| place.is_some_and(|place| place.overlaps(consumed_at, now));
            let facts = TokenFacts::RefreshToken {
                token: Box::new(found.token),
                successor: found.successor.map(Box::new),
                grant: Box::new(found.grant),
                user_active,
                parallel: overtaken || consumed_at.is_some_and(overlaps),
            };
            Ok((facts, Some(found.account)))
        }
        RequestedGrant::DeviceCode { .. } => {
            let Some(code) = tx.find_device_code(hash).await? else { return nothing };
            let granted = match &code.grant {
                Some(grant) => tx.find_grant_with_account(grant).await?,
                None => None,
            };
            let (grant, account) = granted.map(|found| (Box::new(found.grant), found.account)).unzip();
            let user_active = account.as_ref().is_some_and(is_active);
            Ok((TokenFacts::Device { code: Box::new(code), grant, user_active }, account))
        }
        RequestedGrant::ClientCredentials { .. }
        | RequestedGrant::TokenExchange { .. }
        | RequestedGrant::JwtBearer { .. } => nothing,
    }
}

/// Writes the effects; false when what was to be spent was spent meanwhile, and then nothing was written.
async fn write(
    provider: &Provider,
    tx: &mut Tx,
    decision: &Decision,
    request: &TokenRequest<'_>,
    drawn: &Drawn,
    context: &RequestContext,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    for effect in &decision.effects {
        match effect {
            Effect::ConsumeCode(hash) => {
                if !tx.consume_code(hash, now).await? {
                    return Ok(false);
                }
            }
            Effect::ConsumeRefreshToken(hash) => {
                let rotation = Rotation { hash, successor: &drawn.refresh_hash };
                if !tx.consume_refresh_token(rotation, now).await? {
                    return Ok(false);
                }
            }
            Effect::ConsumeDeviceCode(hash) => {
                if !tx.consume_device_code(hash).await? {
                    return Ok(false);
                }
            }
            Effect::SpendAssertion { issuer, jti, expires_at } => {
                if !provider.spend_assertion_grant(tx, issuer, jti, *expires_at).await? {
                    return Ok(false);
                }
            }
            Effect::InsertGrant(grant) => tx.insert_grant(grant).await?,
            Effect::NotePoll { code, wait } => tx.note_poll(code, *wait, now).await?,
            Effect::ReplaceSuccessor { spent, successor } => {
                let rotation = Rotation { hash: spent, successor: &drawn.refresh_hash };
                if !tx.replace_successor(rotation, successor, now).await? {
                    return Ok(false);
                }
            }
            Effect::RevokeAccessToken { jti, expires_at } => {
                tx.revoke_token(jti, *expires_at).await?;
            }
            Effect::InsertRefreshToken(token) => {
                tx.insert_refresh_token(token).await?;
            }
            Effect::RevokeGrant(grant) => {
                tx.revoke_grant(grant, now).await?;
            }
            Effect::Audit { .. } => {}
        }
    }
    tx.insert_audit_events(&audit_events(decision, request, drawn, context, now)?).await?;
    Ok(true)
}

fn audit_events(
    decision: &Decision,
    request: &TokenRequest<'_>,
    drawn: &Drawn,
    context: &RequestContext,
    now: Timestamp,
) -> Result<Vec<AuditEvent>, ServiceError> {
    let events = decision.effects.iter().map(|effect| audit_event(effect, request, drawn, context, now));
    events.filter_map(Result::transpose).collect()
}

fn audit_event(
    effect: &Effect,
    request: &TokenRequest<'_>,
    drawn: &Drawn,
    context: &RequestContext,
    now: Timestamp,
) -> Result<Option<AuditEvent>, ServiceError> {
    let Effect::Audit { kind, outcome, grant, subject, reason } = effect else { return Ok(None) };
    let mut event = audit::event(context, now, *kind, *outcome)?
        .subject(subject.as_ref())
        .client(&request.client().client().id)
        .detail("auth_method", request.client().method().as_str());
    if let Some(grant) = grant {
        event = event.grant(grant);
    }
    if *outcome == AuditOutcome::Success {
        event = event.jti(&drawn.jti);
    }
    if !reason.is_empty() {
        event = event.detail("reason", reason.as_str());
    }
    Ok(Some(event.build()))
}
