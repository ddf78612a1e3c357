//! `device_authorization_endpoint` (RFC 8628, 3.1).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::DeviceAuthorizationCall;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// POST: a device asks for its codes.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let context = request::context(&node, &request);
    let (authorization, query, form) = match parse(&request, &body) {
        Ok(parsed) => parsed,
        Err(refusal) => return error::token_error(&refusal),
    };
    let call = DeviceAuthorizationCall { authorization, query: &query, form: &form, context: &context };
    match node.provider.authorize_device(call).await {
        Ok(Ok(body)) => error::json(StatusCode::OK, &body),
        Ok(Err(refusal)) => error::token_error(&refusal),
        Err(failure) => error::program_failure(&failure),
    }
}

fn parse<'a>(request: &'a HttpRequest, body: &[u8]) -> Result<(Option<&'a str>, Params, Params), OAuthError> {
    let authorization = request::authorization(request)?;
    Ok((authorization, Params::parse_query(request.query_string())?, request::form(request, body)?))
}
