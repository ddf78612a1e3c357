//! `token_endpoint` (RFC 6749, 3.2).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::OAuthError;
use countersign_service::TokenCall;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body, ClientRequest};

/// POST: an exchange.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let response = match parse(&node, &request, &body) {
        Ok((asked, dpop)) => exchange(&node, &request, &asked, dpop).await,
        Err(refusal) => error::token_error(&refusal),
    };
    error::with_nonce(response, &node, &request)
}

async fn exchange(node: &Node, request: &HttpRequest, asked: &ClientRequest<'_>, dpop: Option<&str>) -> HttpResponse {
    let asked = asked.call();
    let call = TokenCall {
        authorization: asked.authorization,
        query: asked.query,
        form: asked.form,
        dpop,
        certificate: request::certificate(request),
        context: asked.context,
    };
    match node.provider.token(call).await {
        Ok(Ok(body)) => error::json(StatusCode::OK, &body),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}

fn parse<'a>(
    node: &Node,
    request: &'a HttpRequest,
    body: &[u8],
) -> Result<(ClientRequest<'a>, Option<&'a str>), OAuthError> {
    Ok((ClientRequest::parse(node, request, body)?, request::proof(request)?))
}
