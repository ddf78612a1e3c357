//! Scripts of clients at the endpoints that take no cookies (the Fetch standard, CORS protocol; RFC 9700, 2.6).

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use countersign_model::ClientId;

use crate::node::Node;
use crate::request;

/// The client a request names, proven or not: it decides who may read the answer.
pub struct NamedClient(pub ClientId);

/// OPTIONS: a preflight. It does not say which client will call, so every origin may go on and be judged then.
pub fn preflight(request: &HttpRequest, methods: &'static str) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((VARY, "Origin"));
    if let Some(origin) = origin(request) {
        response
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, dpop"))
            .insert_header((ACCESS_CONTROL_MAX_AGE, "3600"));
    }
    response.finish()
}

/// Lets scripts of the client's own origins read the answer, errors too.
pub async fn share(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    if response.request().method() == actix_web::http::Method::OPTIONS {
        return Ok(response);
    }
    let allowed = allowed_origin(response.request()).await;
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce"));
    }
    Ok(response)
}

async fn allowed_origin(request: &HttpRequest) -> Option<HeaderValue> {
    let origin = origin(request)?;
    let node = request.app_data::<Data<Node>>()?;
    let named = request.extensions().get::<NamedClient>().map(|named| named.0.clone());
    let allowed = node.provider.allows_origin(origin, named.as_ref()).await;
    HeaderValue::from_str(origin).ok().filter(|_| allowed)
}

/// The origin of a script, if it has one to be known by.
fn origin(request: &HttpRequest) -> Option<&str> {
    request::header(request, &ORIGIN).filter(|origin| *origin != "null")
}
