//! `device_authorization_endpoint` (RFC 8628, 3.1).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::error;
use crate::node::Node;
use crate::request::{Body, ClientRequest};

/// POST: a device asks for its codes.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let asked = match ClientRequest::parse(&node, &request, &body) {
        Ok(asked) => asked,
        Err(refusal) => return error::token_error(&refusal),
    };
    match node.provider.authorize_device(asked.call()).await {
        Ok(Ok(body)) => error::json(StatusCode::OK, &body),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}
