//! `pushed_authorization_request_endpoint` (RFC 9126, 2).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::OAuthError;
use countersign_service::{ClientCall, PushCall};

use super::authorization::check_length;
use crate::error;
use crate::node::Node;
use crate::request::{self, Body, ClientRequest};

/// POST: a request.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let response = match parse(&node, &request, &body) {
        Ok((asked, dpop)) => push(&node, &asked, dpop).await,
        Err(refusal) => error::token_error(&refusal),
    };
    error::with_nonce(response, &node, &request)
}

async fn push(node: &Node, asked: &ClientRequest<'_>, dpop: Option<&str>) -> HttpResponse {
    let ClientCall { authorization, query, form, context } = asked.call();
    let call = PushCall { authorization, query, form, dpop, context };
    match node.provider.push_request(call).await {
        Ok(Ok(body)) => error::json(StatusCode::CREATED, &body),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}

fn parse<'a>(
    node: &Node,
    request: &'a HttpRequest,
    body: &[u8],
) -> Result<(ClientRequest<'a>, Option<&'a str>), OAuthError> {
    check_length(body.len())?;
    Ok((ClientRequest::parse(node, request, body)?, request::proof(request)?))
}
