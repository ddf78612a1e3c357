//! The provider's cookies: their names, what they are read as, and how they are set.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use countersign_service::{BrowserCookies, CookieChanges};
use secrecy::{ExposeSecret, SecretString};

/// Longest life that browsers give a cookie.
const DEVICE_LIFE: Duration = Duration::days(400);

const BROWSER_STATE: &str = "cs_state";

/// How cookies are named and marked. Ports of one host share cookies, so the names are the provider's own.
#[derive(Clone, Copy, Debug)]
pub struct CookieJar {
    /// Browsers reach the provider by https: `__Host-` names, `Secure`.
    pub secure: bool,
}

impl CookieJar {
    fn name(self, plain: &'static str) -> String {
        if self.secure { format!("__Host-{plain}") } else { plain.to_owned() }
    }

    /// The browser's binding and session.
    pub fn read(self, request: &HttpRequest) -> BrowserCookies {
        let secret = |plain| request.cookie(&self.name(plain)).map(|cookie| SecretString::from(cookie.value()));
        BrowserCookies { binding: secret("cs_browser"), session: secret("cs_session"), device: secret("cs_device") }
    }

    /// The language a person chose.
    pub fn read_locale(self, request: &HttpRequest) -> Option<String> {
        request.cookie(&self.name("cs_locale")).map(|cookie| cookie.value().to_owned())
    }

    /// Cookies that carry out `changes`. They end with the browser (R48), but for the device's.
    pub fn write(self, changes: &CookieChanges) -> Vec<Cookie<'static>> {
        let secrets = [("cs_browser", &changes.binding), ("cs_session", &changes.session)];
        let cookie = |(plain, secret): (&'static str, &Option<SecretString>)| {
            secret.as_ref().map(|secret| self.cookie(plain, secret.expose_secret()))
        };
        let device = changes.device.as_ref().map(|secret| {
            let mut cookie = self.cookie("cs_device", secret.expose_secret());
            cookie.set_max_age(DEVICE_LIFE);
            cookie
        });
        let gone = changes.signed_out.then(|| {
            let mut cookie = self.cookie("cs_session", "");
            cookie.set_max_age(Duration::ZERO);
            cookie
        });
        secrets.into_iter().filter_map(cookie).chain(device).chain(gone).collect()
    }

    /// Whether the browser keeps a state that pages of clients watch.
    pub fn has_browser_state(self, request: &HttpRequest) -> bool {
        request.cookie(&self.name(BROWSER_STATE)).is_some_and(|cookie| !cookie.value().is_empty())
    }

    /// The cookie that says whether the session is the same; empty: nobody is signed in. The page of
    /// `check_session_iframe` reads it from within pages of other sites, so it is neither `HttpOnly` nor `SameSite`.
    pub fn browser_state(self, state: &str) -> Cookie<'static> {
        let mut cookie = self.cookie(BROWSER_STATE, state);
        cookie.set_http_only(false);
        // `SameSite=None` is for secure cookies alone.
        cookie.set_same_site(if self.secure { SameSite::None } else { SameSite::Lax });
        cookie
    }

    /// The name of that cookie.
    pub fn browser_state_name(self) -> String {
        self.name(BROWSER_STATE)
    }

    /// The cookie that keeps a chosen language.
    pub fn locale(self, locale: &str) -> Cookie<'static> {
        self.cookie("cs_locale", locale)
    }

    fn cookie(self, plain: &'static str, value: &str) -> Cookie<'static> {
        Cookie::build(self.name(plain), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .finish()
    }
}
