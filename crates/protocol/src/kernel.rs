//! The grants of RFC 6749, carried by oxide-auth's machines. Nothing of oxide-auth leaves this file.
//!
//! The machines see one client, already authenticated, and an end of time: who the client is and what the time is are
//! decided by us. They decide the order of the mandatory checks and hold code to client and redirect URI, the verifier
//! to its challenge, and a refreshed or negotiated scope within what was granted.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use countersign_model::Scope;
use oxide_auth::code_grant::error::{
    AccessTokenError, AccessTokenErrorType, AuthorizationError, AuthorizationErrorType,
};
use oxide_auth::code_grant::extensions::Pkce;
use oxide_auth::code_grant::{accesstoken, authorization, client_credentials, refresh};
use oxide_auth::primitives::grant::{Extensions, Grant, GrantExtension as _, Value};
use oxide_auth::primitives::issuer::{IssuedToken, RefreshedToken, TokenType};
use oxide_auth::primitives::registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl};
use oxide_auth::primitives::scope::Scope as MachineScope;

use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;

/// The machines read the clock; nothing they are shown ever ends.
const NEVER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

type Result<T> = std::result::Result<T, OAuthError>;

/// An authorization request whose client and redirect URI are proven.
pub(crate) struct Authorize<'a> {
    pub(crate) params: &'a Params,
    pub(crate) redirect_uri: &'a str,
    pub(crate) allowed: &'a Scope,
    pub(crate) pkce_required: bool,
}

/// The exchange of a code that exists, is fresh and unspent.
pub(crate) struct Redeem<'a> {
    pub(crate) client: &'a str,
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: Option<&'a str>,
    pub(crate) pkce_required: bool,
    pub(crate) stored: Stored<'a>,
    pub(crate) stored_redirect_uri: &'a str,
    pub(crate) challenge: Option<&'a str>,
}

/// The use of a refresh token that exists, is fresh and unspent.
pub(crate) struct Refresh<'a> {
    pub(crate) client: &'a str,
    pub(crate) token: &'a str,
    pub(crate) scope: Option<&'a str>,
    pub(crate) stored: Stored<'a>,
}

/// What was granted, to whom.
pub(crate) struct Stored<'a> {
    pub(crate) owner: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scope: &'a Scope,
}

/// A client's request on its own behalf.
pub(crate) struct OwnBehalf<'a> {
    pub(crate) client: &'a str,
    pub(crate) scope: Option<&'a str>,
    pub(crate) allowed: &'a Scope,
}

/// Runs the machine of the authorization request (RFC 6749, 4.1.1); gives the scope it negotiated.
pub(crate) fn authorize(request: &Authorize<'_>) -> Result<Scope> {
    let mut machine = authorization::Authorization::new(request);
    let mut input = authorization::Input::None;
    loop {
        input = match machine.advance(input) {
            authorization::Output::Bind { client_id, redirect_uri } => {
                let bound = redirect_uri.filter(|uri| uri.as_str() == request.redirect_uri).ok_or_else(broken)?;
                let redirect_uri = Cow::Owned(RegisteredUrl::Exact(bound));
                let bound_client = BoundClient { client_id: Cow::Owned(client_id), redirect_uri };
                authorization::Input::Bound { request, bound_client }
            }
            authorization::Output::Extend => authorization::Input::Extended(challenge(request)?),
            authorization::Output::Negotiate { bound_client, scope } => {
                let scope = scope.map_or_else(|| machine_scope(&Scope::default()), Ok)?;
                if !machine_scope(request.allowed)?.priviledged_to(&scope) {
                    return Err(OAuthError::new(ErrorCode::InvalidScope, "The client may not ask for this scope"));
                }
                let (client_id, redirect_uri) = (bound_client.client_id.to_string(), bound_client.redirect_uri.clone());
                let pre_grant = PreGrant { client_id, redirect_uri: redirect_uri.into_owned(), scope };
                authorization::Input::Negotiated { pre_grant, state: None }
            }
            authorization::Output::Ok { pre_grant, .. } => return own_scope(&pre_grant.scope),
            authorization::Output::Err(mut error) => return Err(authorization_error(&mut error)),
        };
    }
}

/// Runs the machine of the code exchange (RFC 6749, 4.1.3; RFC 7636, 4.6); gives the scope to issue.
pub(crate) fn redeem(request: &Redeem<'_>) -> Result<Scope> {
    let mut machine = accesstoken::AccessToken::new(request);
    let mut input = accesstoken::Input::None;
    let mut issued = None;
    loop {
        input = match machine.advance(input) {
            accesstoken::Output::Authenticate { client, .. } if client == request.client => {
                accesstoken::Input::Authenticated
            }
            accesstoken::Output::Authenticate { .. } => return Err(broken()),
            accesstoken::Output::Recover { .. } => accesstoken::Input::Recovered(Some(Box::new(request.grant()?))),
            accesstoken::Output::Extend { extensions } => {
                verify(extensions, request)?;
                accesstoken::Input::Extended { access_extensions: std::mem::take(extensions) }
            }
            accesstoken::Output::Issue { grant } => {
                issued = Some(own_scope(&grant.scope)?);
                let token_type = TokenType::Bearer;
                let nothing = IssuedToken { token: String::new(), refresh: None, until: NEVER, token_type };
                accesstoken::Input::Issued(nothing)
            }
            accesstoken::Output::Ok(_) => return issued.ok_or_else(broken),
            accesstoken::Output::Err(mut error) => {
                return Err(token_error(error.description().map(AccessTokenError::kind)));
            }
        };
    }
}

/// Runs the machine of the refresh grant (RFC 6749, 6); gives the scope of the new access token.
pub(crate) fn refresh(request: &Refresh<'_>) -> Result<Scope> {
    let scope = || request.scope.map(Cow::Borrowed);
    let mut machine = refresh::Refresh::new(request);
    let mut input = refresh::Input::None;
    let mut issued = None;
    loop {
        input = match machine.advance(input) {
            refresh::Output::Unauthenticated { client, .. } if client == request.client => {
                refresh::Input::Authenticated { scope: scope() }
            }
            refresh::Output::Unauthenticated { .. } => return Err(broken()),
            refresh::Output::RecoverRefresh { .. } => {
                let grant = request.stored.grant("https://refresh.invalid/")?;
                refresh::Input::Recovered { scope: scope(), grant: Some(Box::new(grant)) }
            }
            refresh::Output::Refresh { grant, .. } => {
                issued = Some(own_scope(&grant.scope)?);
                let token_type = TokenType::Bearer;
                let nothing = RefreshedToken { token: String::new(), refresh: None, until: NEVER, token_type };
                refresh::Input::Refreshed(nothing)
            }
            refresh::Output::Ok(_) => return issued.ok_or_else(broken),
            refresh::Output::Err(mut error) => {
                return Err(token_error(error.description().map(AccessTokenError::kind)));
            }
        };
    }
}

/// Runs the machine of the client credentials grant (RFC 6749, 4.4); gives the scope to issue.
pub(crate) fn on_own_behalf(request: &OwnBehalf<'_>) -> Result<Scope> {
    use client_credentials::{Input, Output};
    let mut machine = client_credentials::ClientCredentials::new(request);
    let mut input = Input::None;
    loop {
        input = match machine.advance(input) {
            Output::Authenticate { client, .. } if client == request.client => Input::Authenticated,
            Output::Authenticate { .. } => return Err(broken()),
            Output::Binding { client_id } => {
                let nowhere = ExactUrl::new("https://client.invalid/".to_owned()).map_err(|_| broken())?;
                let redirect_uri = Cow::Owned(RegisteredUrl::Exact(nowhere));
                Input::Bound { bound_client: BoundClient { client_id: Cow::Owned(client_id.to_owned()), redirect_uri } }
            }
            Output::Extend => Input::Extended { extensions: Extensions::new() },
            Output::Negotiate { bound_client, scope } => {
                let allowed = machine_scope(request.allowed)?;
                let scope = scope.unwrap_or_else(|| allowed.clone());
                if !allowed.priviledged_to(&scope) {
                    return Err(OAuthError::new(ErrorCode::InvalidScope, "The client may not ask for this scope"));
                }
                let (client_id, redirect_uri) = (bound_client.client_id.to_string(), bound_client.redirect_uri.clone());
                Input::Negotiated { pre_grant: PreGrant { client_id, redirect_uri: redirect_uri.into_owned(), scope } }
            }
            Output::Ok { pre_grant, .. } => return own_scope(&pre_grant.scope),
            Output::Err(mut error) => return Err(token_error(error.description().map(AccessTokenError::kind))),
        };
    }
}

/// The challenge as the private extension the machine carries.
fn challenge(request: &Authorize<'_>) -> Result<Extensions> {
    let pkce = if request.pkce_required { Pkce::required() } else { Pkce::optional() };
    let parameter = |name| request.params.get(name).map(Cow::Borrowed);
    let encoded = pkce
        .challenge(parameter("code_challenge_method"), parameter("code_challenge"))
        .map_err(|()| OAuthError::new(ErrorCode::InvalidRequest, "The code_challenge does not hold"))?;
    let mut extensions = Extensions::new();
    if let Some(value) = encoded {
        extensions.set(&pkce, value);
    }
    Ok(extensions)
}

/// Holds the verifier to the challenge. A verifier without one is refused: somebody stripped the challenge
/// (RFC 9700, 2.1.1 and 4.8.2), which oxide-auth would let pass.
fn verify(extensions: &mut Extensions, request: &Redeem<'_>) -> Result<()> {
    let failed = || OAuthError::new(ErrorCode::InvalidGrant, "The code_verifier does not match");
    let pkce = if request.pkce_required { Pkce::required() } else { Pkce::optional() };
    let encoded = extensions.remove(&pkce);
    if encoded.is_none() && request.verifier.is_some() {
        return Err(failed().with_detail("a code_verifier came without a code_challenge before it"));
    }
    pkce.verify(encoded, request.verifier.map(Cow::Borrowed)).map_err(|()| failed())
}

impl Redeem<'_> {
    fn grant(&self) -> Result<Grant> {
        let mut grant = self.stored.grant(self.stored_redirect_uri)?;
        if let Some(challenge) = self.challenge {
            let encoded = Pkce::required()
                .challenge(Some("S256".into()), Some(challenge.into()))
                .map_err(|()| broken())?
                .unwrap_or_else(|| Value::private(None));
            grant.extensions.set_raw(Pkce::required().identifier().to_owned(), encoded);
        }
        Ok(grant)
    }
}

impl Stored<'_> {
    fn grant(&self, redirect_uri: &str) -> Result<Grant> {
        Ok(Grant {
            owner_id: self.owner.to_owned(),
            client_id: self.client.to_owned(),
            scope: machine_scope(self.scope)?,
            redirect_uri: redirect_uri.parse().map_err(|_| broken())?,
            until: NEVER,
            extensions: Extensions::new(),
        })
    }
}

/// The machine's scope is unordered: it is only ever compared, and made ours before it is shown.
fn machine_scope(scope: &Scope) -> Result<MachineScope> {
    scope.to_string().parse().map_err(|_| broken())
}

fn own_scope(scope: &MachineScope) -> Result<Scope> {
    scope.to_string().parse().map_err(|_| broken())
}

/// The machine asked for what it should not, or stored data is not what was stored.
fn broken() -> OAuthError {
    OAuthError::new(ErrorCode::ServerError, "The request could not be decided").with_detail("grant machine out of step")
}

fn authorization_error(error: &mut authorization::Error) -> OAuthError {
    let code = match error.description().map(AuthorizationError::kind) {
        Some(AuthorizationErrorType::InvalidRequest) => ErrorCode::InvalidRequest,
        Some(AuthorizationErrorType::UnauthorizedClient) => ErrorCode::UnauthorizedClient,
        Some(AuthorizationErrorType::AccessDenied) => ErrorCode::AccessDenied,
        Some(AuthorizationErrorType::UnsupportedResponseType) => ErrorCode::UnsupportedResponseType,
        Some(AuthorizationErrorType::InvalidScope) => ErrorCode::InvalidScope,
        Some(AuthorizationErrorType::TemporarilyUnavailable) => ErrorCode::TemporarilyUnavailable,
        Some(AuthorizationErrorType::ServerError) | None => return broken(),
    };
    OAuthError::new(code, "The authorization request is not acceptable")
}

fn token_error(kind: Option<AccessTokenErrorType>) -> OAuthError {
    let (code, description) = match kind {
        Some(AccessTokenErrorType::InvalidRequest) => (ErrorCode::InvalidRequest, "The token request is malformed"),
        Some(AccessTokenErrorType::InvalidClient) => (ErrorCode::InvalidClient, "Client authentication failed"),
        Some(AccessTokenErrorType::InvalidGrant) => (ErrorCode::InvalidGrant, "The grant is invalid"),
        Some(AccessTokenErrorType::UnauthorizedClient) => {
            (ErrorCode::UnauthorizedClient, "The client may not use this grant_type")
        }
        Some(AccessTokenErrorType::UnsupportedGrantType) => {
            (ErrorCode::UnsupportedGrantType, "The grant_type is not supported")
        }
        Some(AccessTokenErrorType::InvalidScope) => {
            (ErrorCode::InvalidScope, "The scope exceeds what was granted or is malformed")
        }
        None => return broken(),
    };
    OAuthError::new(code, description)
}

impl authorization::Request for Authorize<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn client_id(&self) -> Option<Cow<'_, str>> {
        self.params.get("client_id").map(Cow::Borrowed)
    }

    fn scope(&self) -> Option<Cow<'_, str>> {
        self.params.get("scope").map(Cow::Borrowed)
    }

    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.redirect_uri))
    }

    /// Kept from the machine: it would only copy it into an error URL that is never used.
    fn state(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn response_type(&self) -> Option<Cow<'_, str>> {
        self.params.get("response_type").map(Cow::Borrowed)
    }

    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        self.params.get(key).map(Cow::Borrowed)
    }
}

impl accesstoken::Request for Redeem<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.code))
    }

    fn authorization(&self) -> accesstoken::Authorization<'_> {
        accesstoken::Authorization::Username(Cow::Borrowed(self.client))
    }

    /// One identity is shown, the authenticated one: a client_id in the body was compared with it before.
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.redirect_uri))
    }

    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("authorization_code"))
    }

    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        self.verifier.filter(|_| key == "code_verifier").map(Cow::Borrowed)
    }
}

impl refresh::Request for Refresh<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.token))
    }

    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Cow::Borrowed)
    }

    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("refresh_token"))
    }

    /// Always the authenticated client, public ones too: else the machine would authenticate the token's own client
    /// and honour it for any other.
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((Cow::Borrowed(self.client), Cow::Borrowed(&[])))
    }

    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

impl client_credentials::Request for OwnBehalf<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((Cow::Borrowed(self.client), Cow::Borrowed(&[])))
    }

    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Cow::Borrowed)
    }

    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("client_credentials"))
    }

    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

#[cfg(test)]
mod tests;
