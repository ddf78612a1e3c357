//! The sign-in page: who is it, and shall the provider lie.

use super::people::{OFFERED, find_person};
use super::request::{Refusal, Request};
use super::{Approved, Corporate, CorporateFault, FAULT_CHOICES};
use crate::carrier::Exchange;
use crate::clock::now;
use crate::form::Form;
use crate::page::see_other;
use crate::random;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// What the page asks a password for; it may be left out.
const PASSWORD: &str = "corporate-demo";

/// Browsers hold every redirect that follows a form's POST against form-action, and only the client knows how many
/// follow and where they end.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' http: https:; \
     base-uri 'none'; frame-ancestors 'none'";

pub async fn show(corporate: Data<Corporate>, exchange: Data<Exchange>, request: HttpRequest) -> HttpResponse {
    match corporate.read_request(&Form::read(request.query_string().as_bytes())) {
        Ok(request) => show_page(&exchange, StatusCode::OK, &request, None),
        Err(refusal) => refuse(&corporate, &exchange, refusal),
    }
}

/// The page's form: `do` is `sign_in` or `decline`, `email` says who, `fault` how to lie.
pub async fn decide(corporate: Data<Corporate>, exchange: Data<Exchange>, body: Bytes) -> HttpResponse {
    let form = Form::read(&body);
    let request = match corporate.read_request(&form) {
        Ok(request) => request,
        Err(refusal) => return refuse(&corporate, &exchange, refusal),
    };
    let chosen = form.find("fault").map_or(Some(CorporateFault::Ok), find_fault);
    let Some(chosen) = chosen else {
        return show_page(&exchange, StatusCode::BAD_REQUEST, &request, Some("No such fault."));
    };
    let fault = if chosen == CorporateFault::Ok { exchange.faults.current().corporate } else { chosen };
    if form.find("do") == Some("decline") || fault == CorporateFault::Declined {
        return refuse(&corporate, &exchange, Refusal::Redirect { error: "access_denied", state: request.state });
    }
    if form.find("password").is_some_and(|password| password != PASSWORD) {
        return show_page(&exchange, StatusCode::OK, &request, Some("The password is wrong."));
    }
    let Some(person) = form.find("email").and_then(find_person) else {
        return show_page(&exchange, StatusCode::OK, &request, Some("That is no mail address."));
    };
    let Request { state, nonce, code_challenge, .. } = request;
    let code = random::secret();
    corporate.codes.insert(code.clone(), Approved { person, nonce, code_challenge, at: now(), fault }, now());
    see_other(corporate.answer_address(state.as_deref(), "code", &code).as_str())
}

fn find_fault(word: &str) -> Option<CorporateFault> {
    serde_json::from_value(json!(word)).ok()
}

fn refuse(corporate: &Corporate, exchange: &Exchange, refusal: Refusal) -> HttpResponse {
    match refusal {
        Refusal::Page(reason) => {
            exchange.pages.render(StatusCode::BAD_REQUEST, "inbox_problem.html", json!({ "reason": reason }))
        }
        Refusal::Redirect { error, state } => {
            see_other(corporate.answer_address(state.as_deref(), "error", error).as_str())
        }
    }
}

fn show_page(exchange: &Exchange, status: StatusCode, request: &Request, problem: Option<&str>) -> HttpResponse {
    let context = json!({
        "fields": request.fields,
        "email": request.login_hint.as_deref().unwrap_or(OFFERED[0].0),
        "offered": OFFERED,
        "fault_choices": FAULT_CHOICES,
        "problem": problem,
    });
    let mut answer = exchange.pages.render(status, "corporate.html", context);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}
