//! `pushed_authorization_request_endpoint` (RFC 9126, 2).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::PushCall;

use super::authorization::check_length;
use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// POST: a request.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let context = request::context(&node, &request);
    let (authorization, query, form) = match parse(&request, &body) {
        Ok(parsed) => parsed,
        Err(refusal) => return error::token_error(&refusal),
    };
    let call = PushCall { authorization, query: &query, form: &form, context: &context };
    match node.provider.push_request(call).await {
        Ok(Ok(body)) => error::json(StatusCode::CREATED, &body),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}

fn parse<'a>(request: &'a HttpRequest, body: &[u8]) -> Result<(Option<&'a str>, Params, Params), OAuthError> {
    check_length(body.len())?;
    let authorization = request::authorization(request)?;
    Ok((authorization, Params::parse_query(request.query_string())?, request::form(request, body)?))
}
