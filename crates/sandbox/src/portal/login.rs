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
use url::{Url, form_urlencoded};

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
    /// The issuer that wants this sign-in (OpenID Connect Core 1.0, 4).
    pub initiator: Option<String>,
}

impl LoginWishes {
    /// Names outside the list are dropped; a listed name twice, too long or malformed is an error. `target_link_uri`
    /// counts if it is a page below `origin`.
    pub fn read(query: &str, origin: &Url) -> Result<Self, Problem> {
        let wrong = |name: &str| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "This sign-in link is not valid.")
                .with_detail(name)
        };
        let mut wishes = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "next" {
                wishes.place = Place::find(&value).unwrap_or_default();
            }
            if name == "target_link_uri" {
                let target = Url::parse(&value).ok().filter(|target| target.origin() == origin.origin());
                wishes.place = target.and_then(|target| Place::find(target.path())).unwrap_or_default();
            }
            if name == "iss" && wishes.initiator.replace(value.clone().into_owned()).is_some() {
                return Err(wrong("iss"));
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
    let (address, state, mut login) = match begin(&portal, request.query_string()).await {
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

async fn begin(portal: &Portal, query: &str) -> Result<(Url, CsrfToken, PendingLogin), Problem> {
    let wishes = LoginWishes::read(query, &portal.origin)?;
    if let Some(initiator) = &wishes.initiator {
        portal.provider.check_initiator(initiator)?;
    }
    portal.provider.begin(wishes).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<LoginWishes, Problem> {
        LoginWishes::read(query, &"http://localhost:8090/".parse().unwrap())
    }

    #[test]
    fn only_listed_parameters_are_passed_on() {
        let wishes = read("p=email&scope=admin&client_id=x&max_age=60&next=/cases&redirect_uri=y").unwrap();
        assert_eq!(wishes.passed_on, [("p", "email".to_owned()), ("max_age", "60".to_owned())]);
        assert_eq!((wishes.max_age, wishes.place), (Some(60), Place::Cases));
    }

    #[test]
    fn doubled_and_malformed_parameters_are_refused() {
        let long = format!("login_hint={}", "x".repeat(MAX_VALUE + 1));
        for query in ["p=a&p=b", "max_age=-1", "max_age=soon", "p=%0A", "iss=a&iss=a", &long] {
            assert_eq!(read(query).unwrap_err().code, "invalid_request", "{query}");
        }
    }

    #[test]
    fn a_foreign_address_is_no_place_to_return_to() {
        assert_eq!(read("next=https://evil.example/").unwrap().place, Place::Home);
    }

    #[test]
    fn a_target_counts_if_it_is_a_page_of_the_portal() {
        let place = |target: &str| read(&format!("target_link_uri={target}")).unwrap().place;
        assert_eq!(place("http%3A%2F%2Flocalhost%3A8090%2Fcases"), Place::Cases);
        for foreign in ["http%3A%2F%2Flocalhost%3A8091%2Fcases", "https%3A%2F%2Fevil.example%2Fcases", "%2Fcases", ""] {
            assert_eq!(place(foreign), Place::Home, "{foreign}");
        }
    }
}
