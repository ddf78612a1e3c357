//! The only place that picks a status and headers for what went wrong.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderName, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::{ErrorCode, OAuthError};
use countersign_service::{RegistrationRefusal, ServiceError};

use crate::flow_page;
use crate::node::Node;
use crate::page::{FormAction, PageRequest};
use crate::request;

/// JSON that must not be cached (RFC 6749, 5.1).
pub fn json(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(body)
}

/// An error of the token endpoint (RFC 6749, 5.2).
pub fn token_error(error: &OAuthError) -> HttpResponse {
    let status = error.token_status();
    let code = StatusCode::from_u16(status.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &error.body());
    if let Some(challenge) = status.www_authenticate {
        set_header(&mut response, &WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A refusal where bearer tokens alone are taken (RFC 6750, 3).
pub fn bearer_refusal(refusal: &Refusal) -> HttpResponse {
    resource_refusal(refusal, &[refusal.challenge()])
}

/// A refusal of a protected resource, a challenge for each scheme it takes (RFC 6750, 3; RFC 9449, 7.1).
pub fn resource_refusal(refusal: &Refusal, challenges: &[String]) -> HttpResponse {
    let code = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match refusal.body() {
        Some(body) => json(code, &body),
        None => HttpResponse::build(code).insert_header((CACHE_CONTROL, "no-store")).finish(),
    };
    for challenge in challenges.iter().filter_map(|challenge| HeaderValue::from_str(challenge).ok()) {
        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// With the nonce for the next proof, where the request had one (RFC 9449, 8).
pub fn with_nonce(mut response: HttpResponse, node: &Node, request: &HttpRequest) -> HttpResponse {
    if request.headers().contains_key(request::DPOP)
        && let Some(nonce) = node.provider.dpop_nonce()
    {
        set_header(&mut response, &HeaderName::from_static("dpop-nonce"), &nonce);
    }
    response
}

/// A registration that was not accepted (RFC 7591, 3.2.2).
pub fn registration_refusal(refusal: &RegistrationRefusal) -> HttpResponse {
    match refusal {
        RegistrationRefusal::Token(refusal) => bearer_refusal(refusal),
        RegistrationRefusal::Metadata(error) => {
            let body = serde_json::json!({"error": error.code, "error_description": error.why});
            json(StatusCode::BAD_REQUEST, &body)
        }
        RegistrationRefusal::Full => {
            let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, "No more clients can be registered");
            json(StatusCode::SERVICE_UNAVAILABLE, &error.body())
        }
        RegistrationRefusal::Closed => HttpResponse::NotFound().insert_header((CACHE_CONTROL, "no-store")).finish(),
    }
}

/// Done, and there is nothing to say.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish()
}

/// A use case that could not be carried out, for a program: 503 when another try may go through.
pub fn program_failure(error: &ServiceError) -> HttpResponse {
    let code = note(error);
    let body = OAuthError::new(code, "The request could not be carried out").body();
    let status = if code == ErrorCode::ServerError {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = json(status, &body);
    set_retry_after(&mut response, error);
    response
}

/// The same for a person: a page that says what to do next.
pub fn person_failure(node: &Node, request: &HttpRequest, error: &ServiceError) -> HttpResponse {
    let code = note(error);
    let (page, status) = match code {
        ErrorCode::ServerError => ("error", StatusCode::INTERNAL_SERVER_ERROR),
        _ => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
    };
    let page = PageRequest::new(page, request::locale(node, request, None), request::brand(node, request))
        .with_value("error", code.as_str());
    let mut response = flow_page::respond(node, request, status, page, &FormAction::Own);
    set_retry_after(&mut response, error);
    response
}

/// A request that may not be answered to any client (RFC 6749, 4.1.2.1).
pub fn refused_page(node: &Node, request: &HttpRequest, error: &OAuthError) -> HttpResponse {
    let page = PageRequest::new("error", request::locale(node, request, None), request::brand(node, request));
    let page = PageRequest { here: flow_page::here(request, true), ..page }
        .with_value("error", error.code.as_str())
        .with_value("description", error.public_description());
    flow_page::respond(node, request, StatusCode::BAD_REQUEST, page, &FormAction::Own)
}

/// The wrong method, with those that are allowed (RFC 9110, 15.5.6).
pub fn method_not_allowed(allowed: &str) -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).insert_header((CACHE_CONTROL, "no-store")).finish()
}

fn note(error: &ServiceError) -> ErrorCode {
    if error.retry_after().is_some() {
        tracing::warn!(%error, "a request could not be carried out now");
        ErrorCode::TemporarilyUnavailable
    } else {
        tracing::error!(%error, "a request could not be carried out");
        ErrorCode::ServerError
    }
}

fn set_retry_after(response: &mut HttpResponse, error: &ServiceError) {
    if let Some(span) = error.retry_after() {
        set_header(response, &RETRY_AFTER, &span.get().to_string());
    }
}

pub fn set_header(response: &mut HttpResponse, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name.clone(), value);
    }
}
