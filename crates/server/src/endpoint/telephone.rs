//! `/telephone/...`: what carriers ask and report. They prove themselves by a signature over the public address.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_service::outbound::Callback;
use countersign_service::{CarrierCall, ServiceError};
use url::form_urlencoded;

use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// More parameters than any carrier sends, and more bytes.
const MAX_PARAMS: usize = 100;
const MAX_BYTES: usize = 16 * 1024;

/// POST: somebody took a call; what it says.
pub async fn begin(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let Some(callback) = read(&node, &request, &body) else { return refuse() };
    let context = request::context(&node, &request);
    let call = CarrierCall { ticket: &path, callback: &callback, context: &context };
    script(node.switchboard.begin_call(call).await)
}

/// POST: keys were pressed; what follows.
pub async fn answer(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let Some(callback) = read(&node, &request, &body) else { return refuse() };
    let context = request::context(&node, &request);
    let call = CarrierCall { ticket: &path, callback: &callback, context: &context };
    script(node.switchboard.answer_call(call).await)
}

/// POST: what became of a text or call.
pub async fn status(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let Some(callback) = read(&node, &request, &body) else { return refuse() };
    let context = request::context(&node, &request);
    let call = CarrierCall { ticket: &path, callback: &callback, context: &context };
    match node.switchboard.note_delivery(call).await {
        Ok(true) => HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish(),
        Ok(false) => refuse(),
        Err(failure) => error::program_failure(&failure),
    }
}

fn script(answer: Result<Option<String>, ServiceError>) -> HttpResponse {
    match answer {
        Ok(Some(script)) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/xml; charset=utf-8"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(script),
        Ok(None) => refuse(),
        Err(failure) => error::program_failure(&failure),
    }
}

/// What was sent, at the address the carrier was given: the proxy's, not this machine's.
fn read(node: &Node, request: &HttpRequest, body: &[u8]) -> Option<Callback> {
    let params: Vec<(String, String)> =
        form_urlencoded::parse(body).take(MAX_PARAMS + 1).map(|(name, value)| (name.into(), value.into())).collect();
    if body.len() > MAX_BYTES || params.len() > MAX_PARAMS {
        return None;
    }
    let path = request.uri().path_and_query().map(actix_web::http::uri::PathAndQuery::as_str)?;
    let issuer = node.provider.settings().issuer.as_str().trim_end_matches('/');
    let signature = |name| request::header(request, &HeaderName::from_static(name)).map(str::to_owned);
    Some(Callback {
        url: format!("{issuer}{path}"),
        params,
        body: body.to_vec(),
        twilio_signature: signature("x-twilio-signature"),
        countersign_signature: signature("countersign-signature"),
    })
}

fn refuse() -> HttpResponse {
    HttpResponse::build(StatusCode::FORBIDDEN).insert_header((CACHE_CONTROL, "no-store")).finish()
}
