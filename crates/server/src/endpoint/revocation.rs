//! `revocation_endpoint` (RFC 7009).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::error;
use crate::node::Node;
use crate::request::{Body, ClientRequest};

/// POST: a token is taken back.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let asked = match ClientRequest::parse(&node, &request, &body) {
        Ok(asked) => asked,
        Err(refusal) => return error::token_error(&refusal),
    };
    match node.provider.revoke(asked.call()).await {
        // Section 2.2: what the body says is nobody's concern.
        Ok(Ok(())) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish(),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}
