//! What goes to a client through the browser: the answer to its request, and the tokens in it (OpenID Connect Core, 3.2
//! and 3.3; JARM).

use countersign_model::{Account, Client, Grant, Scope, Timestamp};
use countersign_protocol::resource::{self, Resources};
use countersign_protocol::{
    AccessTokenClaims, AuthorizationRequest, AuthorizationResponse, Binding, Granted, Issue, Rendered, ResponseTarget,
    access_token, id_token, profile,
};

use crate::ServiceError;
use crate::encryption::{self, Recipient};
use crate::flow::Response;
use crate::provider::Provider;

/// What a request is answered with, once it is granted.
pub(crate) struct FrontChannel<'a> {
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) client: &'a Client,
    pub(crate) target: ResponseTarget,
    pub(crate) grant: &'a Grant,
    pub(crate) account: &'a Account,
    /// The code, whether it is in the answer or not.
    pub(crate) code: &'a str,
    /// Id of the access token, as the audit has it.
    pub(crate) jti: &'a str,
    /// What the client's pages need to see the session change.
    pub(crate) session_state: Option<String>,
    /// Who alone reads an ID token in it.
    pub(crate) recipient: Option<&'a Recipient>,
}

/// Header type of a signed answer (JARM names none).
const SIGNED_TYPE: &str = "JWT";

impl Provider {
    /// The answer with what was granted; tokens are signed now.
    pub(crate) fn answer_granted(&self, answer: FrontChannel<'_>, now: Timestamp) -> Result<Response, ServiceError> {
        let kind = answer.request.response_type;
        let code = Some(answer.code).filter(|_| kind.has_code());
        let access = if kind.has_token() { Some(self.sign_access_token(&answer, now)?) } else { None };
        let tied = id_token::Tied {
            access_token: access.as_ref().map(|(token, _)| token.as_str()),
            code,
            state: answer.request.state.as_deref(),
        };
        let identity = if kind.has_id_token() { Some(self.sign_id_token(&answer, tied, now)?) } else { None };
        let lifetime = self.settings.lifetimes.access_token;
        let granted = Granted {
            code,
            access_token: access.as_ref().map(|(token, scope)| (token.as_str(), lifetime, scope)),
            id_token: identity.as_deref(),
        };
        let response = AuthorizationResponse::success(answer.target, &self.settings.issuer, &granted);
        let response = response.with_session_state(answer.session_state);
        self.deliver(response, answer.client, now)
    }

    /// An answer as the browser gets it; signed where that is the mode.
    pub(crate) fn deliver(
        &self,
        response: AuthorizationResponse,
        client: &Client,
        now: Timestamp,
    ) -> Result<Response, ServiceError> {
        let rendered = response.render(&client.id, now, |claims| {
            let key = self.keys.current().signer(profile::response_algorithm(client), now)?;
            key.sign(SIGNED_TYPE, claims).map_err(signing)
        })?;
        Ok(match rendered {
            Rendered::Redirect(uri) => Response::Redirect(uri),
            Rendered::FormPost { action, fields } => Response::FormPost {
                action,
                fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            },
        })
    }

    fn sign_access_token(&self, answer: &FrontChannel<'_>, now: Timestamp) -> Result<(String, Scope), ServiceError> {
        let (client, grant) = (answer.client, answer.grant);
        let resources = Resources { issuer: &self.settings.issuer, servers: &self.settings.resources };
        let target = resource::decide(&[], &grant.resources, &grant.scope, client, &resources)
            .map_err(|_| ServiceError::Internal("a checked request for resources does not hold"))?;
        let issue = Issue {
            client: client.id.clone(),
            grant: Some(grant.clone()),
            scope: target.scope.clone(),
            audience: target.audience.clone(),
            access_token_alg: target.algorithm,
            id_token: false,
            nonce: None,
            refresh_token: false,
            exchanged: None,
        };
        let terms = access_token::Terms {
            jti: answer.jti,
            lifetime: self.settings.lifetimes.access_token,
            audience: &target.audience,
            binding: &Binding::default(),
            client,
        };
        let claims = AccessTokenClaims::new(&self.settings.issuer, &issue, &terms, now);
        let key = self.keys.current().signer(target.algorithm.unwrap_or(client.access_token_alg), now)?;
        Ok((key.sign(access_token::TYPE, &claims).map_err(signing)?, target.scope))
    }

    fn sign_id_token(
        &self,
        answer: &FrontChannel<'_>,
        tied: id_token::Tied<'_>,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        let algorithm = answer.client.id_token_alg;
        let terms = id_token::Terms {
            issuer: &self.settings.issuer,
            lifetime: self.settings.lifetimes.id_token,
            nonce: answer.request.nonce.as_deref(),
            tied,
            algorithm: Some(algorithm),
            naming: &answer.client.policy_naming,
        };
        let claims = id_token::claims(answer.account, answer.grant, &terms, now);
        let signed = self.keys.current().signer(algorithm, now)?.sign(id_token::TYPE, &claims).map_err(signing)?;
        encryption::dress_id_token(signed, answer.recipient)
    }
}

fn signing(_: countersign_protocol::KeyError) -> ServiceError {
    ServiceError::Internal("a token could not be signed")
}
