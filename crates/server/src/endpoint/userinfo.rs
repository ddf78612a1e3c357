//! `userinfo_endpoint` (OpenID Connect Core, 5.3; RFC 6750; RFC 9449, 7).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::UserInfo;

use super::resource;
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
    let asked = match resource::Asked::parse(request, form) {
        Ok(asked) => asked,
        Err(refusal) => return resource::refused(node, request, &refusal.into()),
    };
    let response = match node.provider.userinfo(asked.call()).await {
        Ok(Ok(UserInfo::Plain(claims))) => error::json(StatusCode::OK, &claims.into()),
        Ok(Ok(UserInfo::Jwt(jwt))) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_TYPE, "application/jwt"))
            .body(jwt),
        Ok(Err(refusal)) => return resource::refused(node, request, &refusal),
        Err(failure) => error::program_failure(&failure),
    };
    error::with_nonce(response, node, request)
}
