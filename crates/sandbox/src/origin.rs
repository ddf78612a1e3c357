//! Keeps pages of other origins from posting here: no request that changes something is taken across origins.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

/// Programs send no `Origin` and pass; browsers always send it with a POST or DELETE.
pub async fn refuse_foreign_origin(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.method().is_safe() && is_foreign(&request) {
        let answer = HttpResponse::Forbidden().body("This request came from a page of another origin.\n");
        return Ok(request.into_response(answer));
    }
    next.call(request).await
}

fn is_foreign(request: &ServiceRequest) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return false };
    let Some((_, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return true };
    request.connection_info().host() != authority
}
