//! `introspection_endpoint` (RFC 7662; RFC 9701).

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::introspection::MEDIA_TYPE;
use countersign_service::Introspection;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body, ClientRequest};

/// POST: what a token is good for.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let asked = match ClientRequest::parse(&node, &request, &body) {
        Ok(asked) => asked,
        Err(refusal) => return error::token_error(&refusal),
    };
    match node.provider.introspect(asked.call(), request::header(&request, &ACCEPT)).await {
        Ok(Ok(Introspection::Plain(answer))) => error::json(StatusCode::OK, &answer.into()),
        Ok(Ok(Introspection::Signed(jwt))) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_TYPE, MEDIA_TYPE))
            .body(jwt),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}
