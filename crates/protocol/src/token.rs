//! The token endpoint (RFC 6749, 3.2 and 5; OpenID Connect Core, 3.1.3 and 12): request and facts in, decision out.

mod authorization_code;
mod client_credentials;
mod device_code;
pub mod jwt_bearer;
mod refresh_token;
pub mod token_exchange;

use countersign_model::{
    AuditKind, AuditOutcome, Authentication, AuthorizationCode, ClientId, DeviceCode, Grant, GrantId, KeyedHash,
    RefreshToken, Scope, Seconds, SigningAlgorithm, Timestamp, UserId,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::access_token::AccessTokenClaims;
use crate::actor::Actor;
use crate::assertion_grant::SpokenFor;
use crate::binding::Binding;
use crate::client_assertion::AssertionError;
use crate::client_authentication::AuthenticatedClient;
use crate::device;
use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::params::Params;
use crate::resource::{self, Resources, Target};
use crate::scopes;

/// The `grant_type` that is always supported.
const CODE: &str = "authorization_code";

/// Every `grant_type` of a deployment.
pub fn grant_types(features: &Features) -> Vec<&'static str> {
    let switched = [
        ("refresh_token", features.refresh_tokens),
        ("client_credentials", features.client_credentials),
        (device::GRANT_TYPE, features.device),
        (token_exchange::GRANT_TYPE, features.token_exchange),
        (jwt_bearer::GRANT_TYPE, features.jwt_bearer),
    ];
    let on = switched.into_iter().filter_map(|(name, on)| on.then_some(name));
    std::iter::once(CODE).chain(on).collect()
}

/// A token request of an authenticated client, each parameter its grant requires present.
#[derive(Debug)]
pub struct TokenRequest<'a> {
    client: AuthenticatedClient<'a>,
    grant: RequestedGrant,
    resources: Vec<String>,
    binding: Binding,
}

/// What is offered in exchange.
#[derive(Debug)]
pub enum RequestedGrant {
    /// RFC 6749, 4.1.3 and RFC 7636, 4.5.
    AuthorizationCode {
        /// The code.
        code: SecretString,
        /// Must be the authorization request's.
        redirect_uri: String,
        /// Proves whose code it is.
        code_verifier: Option<SecretString>,
    },
    /// RFC 6749, 6.
    RefreshToken {
        /// The token.
        refresh_token: SecretString,
        /// A narrower scope, if wanted.
        scope: Option<String>,
    },
    /// RFC 6749, 4.4.
    ClientCredentials {
        /// The scope, if not all of it is wanted.
        scope: Option<String>,
    },
    /// RFC 8628, 3.4.
    DeviceCode {
        /// The code.
        device_code: SecretString,
    },
    /// RFC 8693, 2.1.
    TokenExchange {
        /// The access token of whom the new one speaks.
        subject: SecretString,
        /// The access token of who acts, if it is not the client by its own right.
        actor: Option<SecretString>,
        /// A narrower scope, if wanted.
        scope: Option<String>,
    },
    /// RFC 7523, 2.1.
    JwtBearer {
        /// The JWT.
        assertion: SecretString,
        /// A narrower scope, if wanted.
        scope: Option<String>,
    },
}

impl<'a> TokenRequest<'a> {
    /// Reads a form. Errors: `invalid_request`, `unsupported_grant_type`, `unauthorized_client` (RFC 6749, 5.2),
    /// `invalid_target` (RFC 8707, 2).
    pub fn parse(client: AuthenticatedClient<'a>, form: &Params, features: &Features) -> Result<Self, OAuthError> {
        let grant_type = required(form, "grant_type", "The parameter grant_type is missing")?;
        if !grant_types(features).contains(&grant_type) {
            return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "The grant_type is not supported"));
        }
        let features = features.of(client.client());
        if !grant_types(&features).contains(&grant_type) || !client.client().allows_grant(grant_type) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this grant_type"));
        }
        let scope = form.get("scope").map(str::to_owned);
        let grant = match grant_type {
            "authorization_code" => RequestedGrant::AuthorizationCode {
                code: required(form, "code", "The parameter code is missing")?.into(),
                redirect_uri: required(form, "redirect_uri", "The parameter redirect_uri is missing")?.to_owned(),
                code_verifier: form.get("code_verifier").map(SecretString::from),
            },
            "refresh_token" => RequestedGrant::RefreshToken {
                refresh_token: required(form, "refresh_token", "The parameter refresh_token is missing")?.into(),
                scope,
            },
            device::GRANT_TYPE => RequestedGrant::DeviceCode {
                device_code: required(form, "device_code", "The parameter device_code is missing")?.into(),
            },
            jwt_bearer::GRANT_TYPE => RequestedGrant::JwtBearer {
                assertion: required(form, "assertion", "The parameter assertion is missing")?.into(),
                scope,
            },
            token_exchange::GRANT_TYPE => token_exchange::parse(form, scope)?,
            _ => RequestedGrant::ClientCredentials { scope },
        };
        let mut resources = resource::asked(form, &features)?;
        if grant_type == token_exchange::GRANT_TYPE {
            resources = resource::with_audience(resources, form)?;
        }
        Ok(Self { client, grant, resources, binding: Binding::default() })
    }

    /// The same of who proved to hold a key or a certificate.
    #[must_use]
    pub fn bound_to(self, binding: Binding) -> Self {
        Self { binding, ..self }
    }

    /// What the tokens are to be bound to.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What is offered: the caller hashes it and loads what it stands for.
    pub const fn grant(&self) -> &RequestedGrant {
        &self.grant
    }

    /// Who asks.
    pub const fn client(&self) -> AuthenticatedClient<'a> {
        self.client
    }
}

fn required<'p>(form: &'p Params, name: &str, missing: &'static str) -> Result<&'p str, OAuthError> {
    form.get(name).ok_or(OAuthError::new(ErrorCode::InvalidRequest, missing))
}

/// What the store knows of what was offered, loaded and locked in the transaction that applies the effects.
#[derive(Clone, Debug)]
pub enum TokenFacts {
    /// Nothing: no such code or token, or there is nothing to look up.
    Nothing,
    /// The code, spent or not.
    Code {
        /// The code's row.
        code: AuthorizationCode,
        /// Its grant.
        grant: Box<Grant>,
        /// Whether the person may still sign in.
        user_active: bool,
    },
    /// The refresh token, spent or not.
    RefreshToken {
        /// The token's row.
        token: Box<RefreshToken>,
        /// The token it was exchanged for.
        successor: Option<Box<RefreshToken>>,
        /// Its grant.
        grant: Box<Grant>,
        /// Whether the person may still sign in.
        user_active: bool,
        /// Whether somebody else is using it at this very moment.
        parallel: bool,
    },
    /// The device code, decided or not.
    Device {
        /// The code's row.
        code: Box<DeviceCode>,
        /// What the person granted.
        grant: Option<Box<Grant>>,
        /// Whether the person may still sign in.
        user_active: bool,
    },
    /// The access tokens of an exchange.
    Exchange {
        /// That of the subject; none: it is no living token of ours.
        subject: Option<Box<ShownToken>>,
        /// That of who acts, likewise.
        actor: Option<Box<ShownToken>>,
    },
    /// An assertion of somebody who is heard.
    Assertion {
        /// What it says, or why it does not hold.
        spoken: Result<SpokenFor, AssertionError>,
        /// Whom it speaks for, as the client knows them.
        person: Option<Box<Authentication>>,
        /// Whether the person may still sign in.
        user_active: bool,
        /// A grant that stands of an earlier assertion of the same person to the same client.
        standing: Option<Box<Grant>>,
        /// Whether it was shown before.
        spent: bool,
    },
}

/// An access token of ours whose signature and time hold, which was not taken back, and whose grant, person and client
/// stand.
#[derive(Clone, Debug)]
pub struct ShownToken {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// Its grant; none: it is a client's on its own behalf.
    pub grant: Option<Grant>,
}

/// Random and configured values a decision may use.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<'a> {
    /// Keyed hash of the refresh token to hand out, should there be one.
    pub refresh_token: KeyedHash,
    /// How long a family of refresh tokens lives.
    pub refresh_lifetime: Seconds,
    /// Id of the access token to hand out.
    pub access_jti: &'a str,
    /// How long it lives.
    pub access_lifetime: Seconds,
    /// Id of the grant to make, should there be one.
    pub grant: &'a GrantId,
    /// Resource servers it may be for.
    pub resources: Resources<'a>,
}

/// What to issue. The tokens themselves are made from it by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// To whom.
    pub client: ClientId,
    /// Under which grant; none: the client on its own behalf.
    pub grant: Option<Grant>,
    /// Scope of the access token.
    pub scope: Scope,
    /// Audience of the access token.
    pub audience: Vec<String>,
    /// Algorithm of the access token; none: the client's.
    pub access_token_alg: Option<SigningAlgorithm>,
    /// Whether an ID token goes along.
    pub id_token: bool,
    /// `nonce` of the ID token.
    pub nonce: Option<String>,
    /// Whether the prepared refresh token goes along.
    pub refresh_token: bool,
    /// What it takes over from the token it is exchanged for.
    pub exchanged: Option<Exchanged>,
}

/// What an access token takes over from another one (RFC 8693).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// Who acts.
    pub act: Option<Actor>,
    /// Who may.
    pub may_act: Option<Actor>,
    /// What is left of the other one's life.
    pub left: Seconds,
}

/// Something to write, in the transaction the facts were read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Marks a code spent; it must not be spent already.
    ConsumeCode(KeyedHash),
    /// Marks a refresh token spent; it must not be spent already.
    ConsumeRefreshToken(KeyedHash),
    /// Marks the id of an assertion spent; it must not be spent already.
    SpendAssertion {
        /// Who wrote it.
        issuer: String,
        /// Its id.
        jti: String,
        /// Its end.
        expires_at: Timestamp,
    },
    /// Stores a grant.
    InsertGrant(Box<Grant>),
    /// Marks a device code spent; it must not be spent already.
    ConsumeDeviceCode(KeyedHash),
    /// Notes that a device asked.
    NotePoll {
        /// With which code.
        code: KeyedHash,
        /// How long it has to wait now.
        wait: Seconds,
    },
    /// Exchanges a spent refresh token anew: its successor must be unused still, and is taken back.
    ReplaceSuccessor {
        /// The token that was spent.
        spent: KeyedHash,
        /// Its successor so far.
        successor: KeyedHash,
    },
    /// Stores a refresh token.
    InsertRefreshToken(RefreshToken),
    /// Takes back an access token before its end.
    RevokeAccessToken {
        /// Its id.
        jti: String,
        /// Its end.
        expires_at: Timestamp,
    },
    /// Takes back a grant: every token under it dies.
    RevokeGrant(GrantId),
    /// Writes an audit event.
    Audit {
        /// What happened.
        kind: AuditKind,
        /// How it ended.
        outcome: AuditOutcome,
        /// Under which grant.
        grant: Option<GrantId>,
        /// Whose.
        subject: Option<UserId>,
        /// Why; empty when there is nothing to say.
        reason: String,
    },
}

/// A decision: a refusal has effects too, so it is no error that rolls back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the client gets.
    pub outcome: Result<Issue, OAuthError>,
    /// What is written, in order.
    pub effects: Vec<Effect>,
}

/// Decides a token request.
///
/// A refused exchange spends nothing: neither another client's code nor the client's own. A code that was spent already
/// takes its whole grant with it, whoever presents it (RFC 6749, 4.1.2); so does a refresh token (RFC 9700, 4.14.2),
/// unless its answer was lost or tabs of one browser got into each other's way.
pub fn decide(request: &TokenRequest<'_>, facts: TokenFacts, prepared: &Prepared<'_>, now: Timestamp) -> Decision {
    let resources = request.resources.as_slice();
    match &request.grant {
        RequestedGrant::AuthorizationCode { code, redirect_uri, code_verifier } => {
            let verifier = code_verifier.as_ref();
            let (client, binding) = (request.client, &request.binding);
            let exchange = authorization_code::Exchange { client, code, redirect_uri, verifier, resources, binding };
            authorization_code::decide(&exchange, facts, prepared, now).bound_as(request)
        }
        RequestedGrant::RefreshToken { refresh_token, scope } => {
            let scope = scope.as_deref();
            let (client, binding) = (request.client, &request.binding);
            let usage = refresh_token::Usage { client, token: refresh_token, scope, resources, binding };
            refresh_token::decide(&usage, facts, prepared, now)
        }
        RequestedGrant::ClientCredentials { scope } => {
            client_credentials::decide(request.client, scope.as_deref(), resources, prepared)
        }
        RequestedGrant::JwtBearer { scope, .. } => {
            jwt_bearer::decide(request.client, scope.as_deref(), resources, facts, prepared, now)
        }
        RequestedGrant::DeviceCode { .. } => {
            device_code::decide(request.client, resources, facts, prepared, now).bound_as(request)
        }
        RequestedGrant::TokenExchange { actor, scope, .. } => {
            let (client, binding, scope) = (request.client, &request.binding, scope.as_deref());
            let exchange = token_exchange::Exchange { client, has_actor: actor.is_some(), scope, resources, binding };
            token_exchange::decide(&exchange, facts, prepared, now)
        }
    }
}

/// The body of a successful answer (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3; RFC 8693, 2.2.1). Always names the scope.
pub fn response(
    issue: &Issue,
    (token_type, access_token): (&str, &str),
    expires_in: Seconds,
    refresh_token: Option<&str>,
    id_token: Option<&str>,
) -> Value {
    let mut body = json!({
        "access_token": access_token,
        "token_type": token_type,
        "expires_in": issue.lifetime(expires_in).get(),
        "scope": issue.scope.to_string(),
    });
    let kind = issue.exchanged.as_ref().map(|_| token_exchange::ACCESS_TOKEN);
    for (name, token) in [("refresh_token", refresh_token), ("id_token", id_token), ("issued_token_type", kind)] {
        if let (Some(token), Some(members)) = (token, body.as_object_mut()) {
            members.insert(name.to_owned(), json!(token));
        }
    }
    body
}

impl Prepared<'_> {
    /// The first refresh token of a family.
    fn first_refresh_token(&self, grant: &Grant, scope: Scope, now: Timestamp) -> RefreshToken {
        RefreshToken {
            hash: self.refresh_token,
            grant: grant.id.clone(),
            client: grant.client.clone(),
            scope,
            binding: None,
            created_at: now,
            expires_at: now.plus(self.refresh_lifetime),
            access_jti: None,
            access_used_at: None,
            consumed_at: None,
            revoked_at: None,
        }
    }
}

impl Issue {
    /// Under a grant of which `scope` was asked for, without a refresh token; an ID token goes along whatever the access
    /// token is for.
    fn of_a_person(grant: Grant, scope: &Scope, target: Target) -> Self {
        Self {
            client: grant.client.clone(),
            scope: target.scope,
            audience: target.audience,
            access_token_alg: target.algorithm,
            id_token: scope.contains(scopes::OPENID),
            nonce: grant.nonce.clone(),
            grant: Some(grant),
            refresh_token: false,
            exchanged: None,
        }
    }

    /// How long the access token lives, where others live as long as `configured`.
    pub fn lifetime(&self, configured: Seconds) -> Seconds {
        self.exchanged.as_ref().map_or(configured, |exchanged| exchanged.left.min(configured))
    }
}

impl Decision {
    /// Binds the first refresh token of a public client to what it proved to hold; successors stay bound as they are.
    fn bound_as(mut self, request: &TokenRequest<'_>) -> Self {
        for effect in &mut self.effects {
            if let Effect::InsertRefreshToken(token) = effect {
                token.binding = request.binding.of_refresh_token(request.client.client().is_public());
            }
        }
        self
    }

    fn issued(kind: AuditKind, issue: Issue, effects: Vec<Effect>) -> Self {
        Self::issued_since(kind, "", issue, effects)
    }

    /// Issued for a reason that the audit tells.
    fn issued_since(kind: AuditKind, reason: &str, issue: Issue, mut effects: Vec<Effect>) -> Self {
        effects.push(audit(kind, AuditOutcome::Success, issue.grant.as_ref(), reason));
        Self { outcome: Ok(issue), effects }
    }

    fn refused(error: OAuthError, grant: Option<&Grant>) -> Self {
        let reason = if error.detail.is_empty() { error.description } else { &error.detail };
        let effects = vec![audit(AuditKind::RequestRefused, AuditOutcome::Failure, grant, reason)];
        Self { outcome: Err(error), effects }
    }

    /// What was spent comes back: the family is revoked.
    fn replayed(grant: &Grant, what: &'static str) -> Self {
        let note = audit(AuditKind::ReplayDetected, AuditOutcome::Failure, Some(grant), what);
        Self { outcome: Err(invalid_grant(what)), effects: vec![Effect::RevokeGrant(grant.id.clone()), note] }
    }
}

fn audit(kind: AuditKind, outcome: AuditOutcome, grant: Option<&Grant>, reason: &str) -> Effect {
    let subject = grant.map(|grant| grant.authentication.user.clone());
    Effect::Audit { kind, outcome, grant: grant.map(|grant| grant.id.clone()), subject, reason: reason.to_owned() }
}

/// One public face for everything wrong with what was offered (RFC 6749, 5.2).
fn invalid_grant(detail: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, "The grant is invalid, expired or revoked").with_detail(detail)
}

/// What both grants of a person need: alive, and the person allowed to sign in.
fn check_standing(grant: &Grant, user_active: bool, expires_at: Timestamp, now: Timestamp) -> Result<(), OAuthError> {
    if now >= expires_at {
        return Err(invalid_grant("expired"));
    }
    if grant.revoked_at.is_some() {
        return Err(invalid_grant("the grant was revoked"));
    }
    if !user_active {
        return Err(invalid_grant("the person may not sign in"));
    }
    Ok(())
}

/// Whether a scope of a person is in `scope`.
fn speaks_of_a_person(scope: &Scope) -> bool {
    scopes::OF_A_PERSON.into_iter().any(|value| scope.contains(value))
}

#[cfg(test)]
mod tests;
