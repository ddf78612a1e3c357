//! `registration_endpoint` (RFC 7591, 3; OpenID Connect Registration, 3) and the client configuration endpoint
//! (RFC 7592).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::{RegistrationCall, RegistrationRefusal, RequestContext, ServiceError};
use serde_json::Value;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

type Outcome<T> = Result<Result<T, RegistrationRefusal>, ServiceError>;

/// POST: a new client.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let asked = match Asked::parse(&node, &request) {
        Ok(asked) => asked,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    answer(StatusCode::CREATED, node.provider.register(asked.call(), &body).await)
}

/// GET: what a client registered.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    request::name_client(&request, path.parse().ok());
    let asked = match Asked::parse(&node, &request) {
        Ok(asked) => asked,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    answer(StatusCode::OK, node.provider.read_registration(asked.call(), &path).await)
}

/// PUT: other metadata.
pub async fn put(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    request::name_client(&request, path.parse().ok());
    let asked = match Asked::parse(&node, &request) {
        Ok(asked) => asked,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    answer(StatusCode::OK, node.provider.replace_registration(asked.call(), &path, &body).await)
}

/// DELETE: the client goes.
pub async fn delete(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    request::name_client(&request, path.parse().ok());
    let asked = match Asked::parse(&node, &request) {
        Ok(asked) => asked,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    match node.provider.delete_registration(asked.call(), &path).await {
        Ok(Ok(())) => error::no_content(),
        Ok(Err(refusal)) => error::registration_refusal(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}

/// What a request says besides its body.
struct Asked<'a> {
    authorization: Option<&'a str>,
    query: Params,
    context: RequestContext,
}

impl<'a> Asked<'a> {
    fn parse(node: &Node, request: &'a HttpRequest) -> Result<Self, OAuthError> {
        Ok(Self {
            authorization: request::authorization(request)?,
            query: Params::parse_query(request.query_string())?,
            context: request::context(node, request),
        })
    }

    fn call(&self) -> RegistrationCall<'_> {
        RegistrationCall { authorization: self.authorization, query: &self.query, context: &self.context }
    }
}

fn answer(status: StatusCode, outcome: Outcome<Value>) -> HttpResponse {
    match outcome {
        Ok(Ok(registered)) => error::json(status, &registered),
        Ok(Err(refusal)) => error::registration_refusal(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}
