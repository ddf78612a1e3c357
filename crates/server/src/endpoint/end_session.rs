//! `end_session_endpoint` (OpenID Connect RP-Initiated Logout, 2).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::discovery::paths;
use countersign_protocol::{ErrorCode, OAuthError, Params};
use countersign_service::{ClientView, LoggedOut, LogoutAnswer, LogoutCall, LogoutQuestion, ServiceError};
use url::Url;

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::{FormAction, FormView, PageRequest, values};
use crate::request::{self, Body};

/// Longest request, in bytes: with what is sealed it still fits into a page's form.
const MAX_REQUEST: usize = 8 * 1024;

/// GET: the request is in the query.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let query = request.query_string();
    let params = match check_length(query.len()).and_then(|()| Params::parse_query(query)) {
        Ok(params) => params,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let call = LogoutCall { params: &params, cookies: &cookies, context: &context };
    let answer = node.provider.log_out(call).await;
    respond(&node, &request, Some(&params), answer)
}

/// POST: a browser withholds `SameSite=Lax` cookies from another site's POST, so the request goes on as a GET, which
/// has them again.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let form = match check_length(body.len()).and_then(|()| request::form(&request, &body)) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    see(&format!("{}?{query}", paths::END_SESSION))
}

/// POST `/end_session/confirm`: the person's answer to the question.
pub async fn confirm(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    if form.get("do") != Some("logout") {
        return see("/account");
    }
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let answer = node.provider.confirm_logout(form.get("start").unwrap_or_default(), &cookies, &context).await;
    respond(&node, &request, None, answer)
}

fn respond(
    node: &Node,
    request: &HttpRequest,
    params: Option<&Params>,
    answer: Result<LogoutAnswer, ServiceError>,
) -> HttpResponse {
    match answer {
        Ok(LogoutAnswer::Ask(question)) => ask(node, request, params, *question),
        Ok(LogoutAnswer::Done(done)) => logged_out(node, request, params, *done),
        Ok(LogoutAnswer::Stale) => see(paths::END_SESSION),
        Ok(LogoutAnswer::Refused(refusal)) => error::refused_page(node, request, &refusal),
        Err(failure) => error::person_failure(node, request, &failure),
    }
}

fn ask(node: &Node, request: &HttpRequest, params: Option<&Params>, question: LogoutQuestion) -> HttpResponse {
    let forms = question.target.as_deref().and_then(|target| Url::parse(target).ok());
    let forms = forms.map_or(FormAction::Own, |target| FormAction::AndTo(vec![target]));
    let action = format!("{}/confirm", paths::END_SESSION);
    let page = PageRequest {
        form: Some(FormView { action, start: Some(question.sealed), ..FormView::default() }),
        here: flow_page::here(request, true),
        ..page(node, request, params, "logout", question.client)
    };
    flow_page::respond(node, request, StatusCode::OK, page, &forms)
}

/// Straight to the client, unless other clients are to be told in the browser first.
fn logged_out(node: &Node, request: &HttpRequest, params: Option<&Params>, done: LoggedOut) -> HttpResponse {
    let mut response = match done.target {
        Some(target) if done.frames.is_empty() => see(&target),
        target => {
            let page = page(node, request, params, "logged_out", done.client);
            let page = PageRequest { frames: done.frames, ..page };
            let page = page.with_value(values::HREF, target.unwrap_or_default());
            flow_page::respond(node, request, StatusCode::OK, page, &FormAction::Own)
        }
    };
    flow_page::set_cookies(node, request, &done.cookies, &mut response);
    response
}

fn page(
    node: &Node,
    request: &HttpRequest,
    params: Option<&Params>,
    name: &str,
    client: Option<ClientView>,
) -> PageRequest {
    let (application, brand) = client.map(|client| (client.name, client.brand)).unzip();
    let brand = brand.flatten().unwrap_or_else(|| request::brand(node, request).to_owned());
    PageRequest { application, ..PageRequest::new(name, request::locale(node, request, params), &brand) }
}

fn see(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("referrer-policy", "no-referrer"))
        .finish()
}

fn check_length(bytes: usize) -> Result<(), OAuthError> {
    if bytes <= MAX_REQUEST {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidRequest, "The request is too long"))
    }
}
