//! `/login`: off to the provider.

use super::Portal;
use super::answers::Problem;
use super::pages::Place;
use crate::clock::now;
use crate::page::see_other;
use crate::random;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use openidconnect::{CsrfToken, Nonce};
use secrecy::SecretString;
use url::form_urlencoded;

/// What `/login` hands on to the authorization request.
const PASSED_ON: [&str; 6] = ["p", "acr_values", "prompt", "max_age", "ui_locales", "login_hint"];
const MAX_VALUE: usize = 512;

pub fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/login").route(get().to(log_in)));
}

/// What the portal must remember until the provider answers.
#[derive(Clone, Debug)]
pub struct PendingLogin {
    /// The secret in the cookie of the browser that began.
    pub browser: SecretString,
    pub nonce: Nonce,
    pub pkce_verifier: SecretString,
    /// Seconds; the ID token's auth_time is held against it.
    pub max_age: Option<i64>,
    pub place: Place,
}

/// The extra parameters of `/login`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoginWishes {
    pub passed_on: Vec<(&'static str, String)>,
    pub max_age: Option<i64>,
    pub place: Place,
}

impl LoginWishes {
    /// Names outside the list are dropped; a listed name twice, too long or malformed is an error.
    pub fn read(query: &str) -> Result<Self, Problem> {
        let wrong = |name: &str| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "This sign-in link is not valid.")
                .with_detail(name)
        };
        let mut wishes = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "next" {
                wishes.place = Place::find(&value).unwrap_or_default();
            }
            let Some(name) = PASSED_ON.into_iter().find(|listed| *listed == name) else { continue };
            let twice = wishes.passed_on.iter().any(|(given, _)| *given == name);
            if twice || value.len() > MAX_VALUE || value.contains(char::is_control) {
                return Err(wrong(name));
            }
            if name == "max_age" {
                wishes.max_age = Some(value.parse().ok().filter(|seconds| *seconds >= 0).ok_or_else(|| wrong(name))?);
            }
            wishes.passed_on.push((name, value.into_owned()));
        }
        Ok(wishes)
    }
}

async fn log_in(portal: Data<Portal>, request: HttpRequest) -> HttpResponse {
    let begun = match LoginWishes::read(request.query_string()) {
        Ok(wishes) => portal.provider.begin(wishes).await,
        Err(problem) => Err(problem),
    };
    let (address, state, mut login) = match begun {
        Ok(begun) => begun,
        Err(problem) => return portal.show_problem(&problem),
    };
    let browser = random::secret();
    login.browser = browser.clone().into();
    let cookie = portal.login_cookie(state.secret(), browser);
    portal.pending.insert(CsrfToken::secret(&state).clone(), login, now());
    let mut answer = see_other(address.as_str());
    for cookie in portal.surplus_login_cookies(&request).iter().chain([&cookie]) {
        if answer.add_cookie(cookie).is_err() {
            return HttpResponse::InternalServerError().finish();
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_parameters_are_passed_on() {
        let wishes =
            LoginWishes::read("p=email&scope=admin&client_id=x&max_age=60&next=/cases&redirect_uri=y").unwrap();
        assert_eq!(wishes.passed_on, [("p", "email".to_owned()), ("max_age", "60".to_owned())]);
        assert_eq!((wishes.max_age, wishes.place), (Some(60), Place::Cases));
    }

    #[test]
    fn doubled_and_malformed_parameters_are_refused() {
        let long = format!("login_hint={}", "x".repeat(MAX_VALUE + 1));
        for query in ["p=a&p=b", "max_age=-1", "max_age=soon", "p=%0A", &long] {
            assert_eq!(LoginWishes::read(query).unwrap_err().code, "invalid_request", "{query}");
        }
    }

    #[test]
    fn a_foreign_address_is_no_place_to_return_to() {
        assert_eq!(LoginWishes::read("next=https://evil.example/").unwrap().place, Place::Home);
    }
}
