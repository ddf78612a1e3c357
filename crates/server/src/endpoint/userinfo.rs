//! `userinfo_endpoint` (OpenID Connect Core, 5.3; RFC 6750).

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::UserInfoCall;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// GET: the token is in the header.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    answer(&node, &request, Ok(Params::default())).await
}

/// POST: the token is in the header or in the form.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let has_body = !body.is_empty() || request.headers().contains_key(CONTENT_TYPE);
    let form = if has_body { request::form(&request, &body) } else { Ok(Params::default()) };
    answer(&node, &request, form).await
}

async fn answer(node: &Node, request: &HttpRequest, form: Result<Params, OAuthError>) -> HttpResponse {
    let parsed = request::authorization(request)
        .and_then(|authorization| Ok((authorization, Params::parse_query(request.query_string())?, form?)));
    let (authorization, query, form) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    let call = UserInfoCall { authorization, query: &query, form: &form, certificate: request::certificate(request) };
    match node.provider.userinfo(call).await {
        Ok(Ok(claims)) => error::json(StatusCode::OK, &claims.into()),
        Ok(Err(refusal)) => error::bearer_refusal(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}
