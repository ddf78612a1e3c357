//! The portal's cookies. Ports of localhost share cookies, so each listener has names of its own.

use super::{LOGIN_LIFE, Portal};
use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

pub const SESSION: &str = "portal_session";
/// The state of a logout at the provider, until the browser comes back.
pub const LOGOUT: &str = "portal_logout";
/// One cookie per pending login, so that two tabs that start at the same moment do not overwrite each other.
const LOGIN_PREFIX: &str = "portal_login_";
const MAX_LOGINS: usize = 10;

impl Portal {
    /// Ends with the browser session.
    pub fn session_cookie(&self, id: String) -> Cookie<'static> {
        self.cookie(SESSION.into(), id)
    }

    pub fn logout_cookie(&self, state: String) -> Cookie<'static> {
        self.cookie(LOGOUT.into(), state)
    }

    pub fn login_cookie(&self, state: &str, browser: String) -> Cookie<'static> {
        let mut cookie = self.cookie(login_cookie_name(state), browser);
        cookie.set_max_age(Duration::seconds(LOGIN_LIFE.num_seconds()));
        cookie
    }

    /// Tells the browser to forget a cookie.
    pub fn ended_cookie(&self, name: String) -> Cookie<'static> {
        let mut cookie = self.cookie(name, String::new());
        cookie.set_max_age(Duration::ZERO);
        cookie
    }

    fn cookie(&self, name: String, value: String) -> Cookie<'static> {
        Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(self.secure).finish()
    }

    /// Abandoned sign-ins, oldest first, past what a browser may hold: it sends older cookies first (RFC 6265, 5.4).
    pub fn surplus_login_cookies(&self, request: &HttpRequest) -> Vec<Cookie<'static>> {
        let Ok(cookies) = request.cookies() else { return Vec::new() };
        let names: Vec<_> = cookies.iter().map(Cookie::name).filter(|name| name.starts_with(LOGIN_PREFIX)).collect();
        let surplus = (names.len() + 1).saturating_sub(MAX_LOGINS);
        names.into_iter().take(surplus).map(|name| self.ended_cookie(name.to_owned())).collect()
    }
}

/// The start of a state is enough to tell pending logins apart; the whole does not belong into a name.
pub fn login_cookie_name(state: &str) -> String {
    let start: String = state.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    format!("{LOGIN_PREFIX}{start}")
}

pub fn find_cookie(request: &HttpRequest, name: &str) -> Option<String> {
    request.cookie(name).map(|cookie| cookie.value().to_owned()).filter(|value| !value.is_empty())
}
