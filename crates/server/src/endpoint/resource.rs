//! What the protected resources share: a request with an access token, and its refusal.

use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::bearer::{self, Refusal};
use countersign_protocol::{OAuthError, Params, access_token};
use countersign_service::ResourceCall;
use secrecy::ExposeSecret;

use crate::error;
use crate::node::Node;
use crate::request;

/// What a request says besides what it asks for.
pub struct Asked<'a> {
    request: &'a HttpRequest,
    authorization: Option<&'a str>,
    dpop: Option<&'a str>,
    query: Params,
    form: Params,
}

impl<'a> Asked<'a> {
    /// Reads headers and query; `form` is that of a POST.
    pub fn parse(request: &'a HttpRequest, form: Result<Params, OAuthError>) -> Result<Self, OAuthError> {
        let asked = Self {
            request,
            authorization: request::authorization(request)?,
            dpop: request::proof(request)?,
            query: Params::parse_query(request.query_string())?,
            form: form?,
        };
        let token = bearer::find_token(asked.authorization, &asked.query, &asked.form).ok();
        request::name_client(request, token.and_then(|token| access_token::named_client(token.expose_secret())));
        Ok(asked)
    }

    /// The parameters of the query.
    pub fn query(&self) -> &Params {
        &self.query
    }

    /// Whether there is a token, or something in its place.
    pub fn has_token(&self) -> bool {
        !matches!(bearer::find_token(self.authorization, &self.query, &self.form), Err(Refusal::Missing))
    }

    /// As the use cases take it.
    pub fn call(&self) -> ResourceCall<'_> {
        ResourceCall {
            method: self.request.method().as_str(),
            path: self.request.path(),
            authorization: self.authorization,
            dpop: self.dpop,
            query: &self.query,
            form: &self.form,
            certificate: request::certificate(self.request),
        }
    }
}

/// A refusal with a challenge for each scheme, that in use first.
pub fn refused(node: &Node, request: &HttpRequest, refusal: &Refusal) -> HttpResponse {
    let authorization = request::authorization(request).ok().flatten();
    let challenges = node.provider.challenges(authorization, refusal);
    error::with_nonce(error::resource_refusal(refusal, &challenges), node, request)
}
