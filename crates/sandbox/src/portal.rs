//! The sample case portal: an ordinary confidential relying party, in a process of its own.

mod answers;
mod callback;
mod cookies;
mod login;
mod logout;
mod pages;
mod provider;
mod sample;
mod session;

use crate::SandboxError;
use crate::expiring::Expiring;
use crate::lifetime::listen_for_stop;
use crate::listener::{TlsFiles, bind_loopback};
use crate::page::Pages;
use crate::web::{content_security_policy, serve};
use actix_web::http::header::HeaderValue;
use actix_web::web::{Data, ServiceConfig, get};
use chrono::TimeDelta;
use login::PendingLogin;
use provider::Provider;
use secrecy::SecretString;
use session::Session;
use std::path::PathBuf;
use url::Url;

/// A sign-in may take so long; the provider's own limits are tighter.
const LOGIN_LIFE: TimeDelta = TimeDelta::hours(1);
/// After that the portal asks the provider again.
const SESSION_LIFE: TimeDelta = TimeDelta::hours(8);
/// Of pending logins, and of sessions. The oldest make room.
const MAX_HELD: usize = 10_000;

/// What the portal is told at start.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// 0 takes a free port.
    pub port: u16,
    /// The portal's own origin as browsers see it; none: `http(s)://localhost:{port}`. The redirect URI is `{url}/callback`.
    pub public_url: Option<Url>,
    /// The provider, exactly as its metadata spell it.
    pub issuer: String,
    /// As registered.
    pub client_id: String,
    /// For client_secret_basic.
    pub client_secret: SecretString,
    /// `openid` is asked for in any case.
    pub scopes: Vec<String>,
    /// Serve over TLS.
    pub tls: Option<TlsFiles>,
    /// The only CA (PEM) to trust when talking to the provider; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// End when standard input does: the parent holds the other end.
    pub stop_when_stdin_closes: bool,
}

impl PortalSettings {
    /// The demo's portal: `case-portal` on port 8090 with `openid profile email offline_access`.
    pub fn new(issuer: impl Into<String>, client_secret: SecretString) -> Self {
        Self {
            port: 8090,
            public_url: None,
            issuer: issuer.into(),
            client_id: "case-portal".into(),
            client_secret,
            scopes: ["openid", "profile", "email", "offline_access"].map(str::to_owned).into(),
            tls: None,
            ca_file: None,
            stop_when_stdin_closes: false,
        }
    }

    fn find_origin(&self, port: u16) -> Result<Url, SandboxError> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let own = || Url::parse(&format!("{scheme}://localhost:{port}/"));
        let wrong = |reason: String| SandboxError::Setting { name: "public_url", reason };
        let url = self.public_url.clone().map_or_else(own, Ok).map_err(|error| wrong(error.to_string()))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !bare {
            return Err(wrong("must be an http(s) origin without a path".into()));
        }
        Ok(url)
    }
}

/// Signing out leads to the provider.
fn find_policy(issuer: &str) -> Result<HeaderValue, SandboxError> {
    let wrong = |reason: String| SandboxError::Setting { name: "issuer", reason };
    let issuer = Url::parse(issuer).map_err(|error| wrong(error.to_string()))?;
    let policy = content_security_policy(&format!(" {}", issuer.origin().ascii_serialization()));
    HeaderValue::try_from(policy).map_err(|error| wrong(error.to_string()))
}

/// What the handlers share.
pub(crate) struct Portal {
    provider: Provider,
    pending: Expiring<PendingLogin>,
    sessions: Expiring<Session>,
    pages: Pages,
    /// As browsers see it.
    origin: Url,
    /// Of pages with a form whose answer leads to the provider: browsers hold redirects against it, too.
    policy: HeaderValue,
    /// Cookies are marked `Secure`.
    secure: bool,
}

/// Runs until Ctrl-C, SIGTERM or the end of standard input (if set); `ready` is given the port once it answers.
///
/// The provider may start later: its metadata are fetched at the first sign-in.
pub async fn run_portal(settings: PortalSettings, ready: impl FnOnce(u16)) -> Result<(), SandboxError> {
    let loopback = bind_loopback(settings.port)?;
    let port = loopback.port;
    let origin = settings.find_origin(port)?;
    let tls = settings.tls.clone();
    let stop = listen_for_stop(settings.stop_when_stdin_closes)?;
    let portal = Data::new(Portal {
        secure: origin.scheme() == "https",
        policy: find_policy(&settings.issuer)?,
        provider: Provider::new(&settings, &origin)?,
        origin,
        pending: Expiring::new(MAX_HELD, LOGIN_LIFE),
        sessions: Expiring::new(MAX_HELD, SESSION_LIFE),
        pages: pages::load().map_err(|error| std::io::Error::other(error.to_string()))?,
    });
    let configure = move |routes: &mut ServiceConfig| {
        routes.app_data(portal.clone());
        routes.configure(login::routes).configure(callback::routes).configure(logout::routes).configure(pages::routes);
        routes.default_service(get().to(pages::not_found));
    };
    serve(loopback, tls.as_ref(), configure, || ready(port), stop).await
}
