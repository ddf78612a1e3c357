//! `authorization_endpoint` (RFC 6749, 3.1; OpenID Connect Core, 3.1.2.1).

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::discovery::paths;
use countersign_protocol::{ErrorCode, OAuthError, Params};
use countersign_service::AuthorizeCall;

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::request::{self, Body};

/// Longest request, in bytes: sealed into the first page it still fits into that page's form.
const MAX_REQUEST: usize = 8 * 1024;

/// GET: the request is in the query.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let query = request.query_string();
    let params = match check_length(query.len()).and_then(|()| Params::parse_query(query)) {
        Ok(params) => params,
        Err(refusal) => return refuse(&node, &request, query.as_bytes(), refusal).await,
    };
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, Some(&params));
    let chosen = request::chosen_locale(&node, &request).is_some();
    let locale_name = locale.as_str();
    let call = AuthorizeCall { params: &params, cookies: &cookies, locale: locale_name, chosen, context: &context };
    match node.provider.authorize(call).await {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

/// POST: a browser withholds `SameSite=Lax` cookies from another site's POST, so the request goes on as a GET, which
/// has them again.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let form = match check_length(body.len()).and_then(|()| request::form(&request, &body)) {
        Ok(form) => form,
        Err(refusal) => return refuse(&node, &request, &body, refusal).await,
    };
    // Encoded anew: a form may hold raw characters that no header may.
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    HttpResponse::SeeOther()
        .insert_header((LOCATION, format!("{}?{query}", paths::AUTHORIZATION)))
        .insert_header(("cache-control", "no-store"))
        .finish()
}

/// Refuses a request that could not be read: its client hears of it where a parameter sent twice is all that is wrong.
async fn refuse(node: &Data<Node>, request: &HttpRequest, text: &[u8], refusal: OAuthError) -> HttpResponse {
    let once = check_length(text.len()).ok().and_then(|()| Params::parse_once(text));
    let Some(params) = once else { return error::refused_page(node, request, &refusal) };
    let context = request::context(node, request);
    let locale = request::locale(node, request, Some(&params));
    match node.provider.refuse_repeated(&params, refusal, &context).await {
        Ok(answered) => flow_page::answer(node, request, locale, answered),
        Err(failure) => error::person_failure(node, request, &failure),
    }
}

/// Refuses a request that no first page could carry.
pub(super) fn check_length(bytes: usize) -> Result<(), OAuthError> {
    if bytes <= MAX_REQUEST {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidRequest, "The request is too long"))
    }
}
