//! `/callback`: the provider's answer.

use super::Portal;
use super::answers::Problem;
use super::cookies::{SESSION, find_cookie, login_cookie_name};
use super::login::PendingLogin;
use crate::clock::now;
use crate::page::see_other;
use crate::random;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use url::form_urlencoded;

const MAX_PARAMETERS: usize = 20;

pub fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/callback").route(get().to(call_back)));
}

/// The parameters of an authorization response, each once.
struct ProviderAnswer(BTreeMap<String, String>);

impl ProviderAnswer {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if parameters.len() >= MAX_PARAMETERS || parameters.insert(name, value).is_some() {
                return Err(malformed());
            }
        }
        Ok(Self(parameters))
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn malformed() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "This is not an answer of the sign-in service.")
}

async fn call_back(portal: Data<Portal>, request: HttpRequest) -> HttpResponse {
    let answer = match ProviderAnswer::read(request.query_string()) {
        Ok(answer) => answer,
        Err(problem) => return portal.show_problem(&problem),
    };
    let Some((state, login)) = consume_login(&portal, &request, &answer) else {
        let message = "This sign-in has been used already, has ended, or was begun in another browser.";
        return portal.show_problem(&Problem::new(StatusCode::BAD_REQUEST, "unknown_state", message));
    };
    let mut response = finish(&portal, &request, &answer, &login).await;
    // The pending login is gone, whatever came of it.
    if response.add_cookie(&portal.ended_cookie(login_cookie_name(&state))).is_err() {
        return HttpResponse::InternalServerError().finish();
    }
    response
}

/// Once, and only for the browser that began.
fn consume_login(portal: &Portal, request: &HttpRequest, answer: &ProviderAnswer) -> Option<(String, PendingLogin)> {
    let state = answer.find("state")?;
    let browser = find_cookie(request, &login_cookie_name(state))?;
    let same = |login: &PendingLogin| {
        aws_lc_rs::constant_time::verify_slices_are_equal(login.browser.expose_secret().as_bytes(), browser.as_bytes())
            .is_ok()
    };
    let login = portal.pending.consume_if(state, now(), same)?;
    Some((state.to_owned(), login))
}

async fn finish(portal: &Portal, request: &HttpRequest, answer: &ProviderAnswer, login: &PendingLogin) -> HttpResponse {
    let session = match read_code(portal, answer).await {
        Ok(code) => portal.provider.redeem(code, login).await,
        Err(problem) => Err(problem),
    };
    match session {
        Err(problem) => portal.show_problem(&problem),
        Ok(session) => {
            if let Some(previous) = find_cookie(request, SESSION) {
                portal.sessions.revoke(&previous);
            }
            let id = random::secret();
            portal.sessions.insert(id.clone(), session.share(), now());
            let mut response = see_other(login.place.path());
            match response.add_cookie(&portal.session_cookie(id)) {
                Ok(()) => response,
                Err(_) => HttpResponse::InternalServerError().finish(),
            }
        }
    }
}

/// First who answers, then what.
async fn read_code(portal: &Portal, answer: &ProviderAnswer) -> Result<String, Problem> {
    portal.provider.check_issuer(answer.find("iss")).await?;
    if let Some(error) = answer.find("error") {
        let message = match error {
            "access_denied" => "The sign-in was cancelled or refused.",
            _ => "The sign-in service could not sign you in.",
        };
        let description = answer.find("error_description").unwrap_or_default();
        return Err(Problem::new(StatusCode::FORBIDDEN, error, message).with_detail(description));
    }
    answer.find("code").map(str::to_owned).ok_or_else(malformed)
}
