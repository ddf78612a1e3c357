//! The carrier: real SMTP, a Twilio-compatible REST API, and an inbox for what arrives.

mod api;
mod call;
mod exchange;
mod faults;
mod inbox;
mod mail;
mod pages;
mod rest;
mod signature;
mod smtp;
mod switchboard;
mod texts;
mod twiml;
mod webhook;

pub use signature::sign;

use crate::SandboxError;
use crate::corporate::{self, Corporate, CorporateSettings};
use crate::lifetime::listen_for_stop;
use crate::listener::{TlsFiles, bind_loopback};
use crate::web::serve;
use actix_web::web::{Data, ServiceConfig, get};
pub(crate) use exchange::Exchange;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the carrier is told at start.
#[derive(Clone, Debug)]
pub struct CarrierSettings {
    /// Inbox page, JSON API and Twilio-compatible REST; 0 takes a free port.
    pub http_port: u16,
    /// SMTP; 0 takes a free port.
    pub smtp_port: u16,
    /// Twilio account, `AC...`.
    pub account_sid: String,
    /// Twilio auth token: the password of REST requests and the key of `X-Twilio-Signature`.
    pub auth_token: SecretString,
    /// Serve HTTP over TLS.
    pub tls: Option<TlsFiles>,
    /// The only CA (PEM) to trust when calling TwiML and status addresses; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// The corporate OpenID Provider under `/corporate`; none: there is none.
    pub corporate: Option<CorporateSettings>,
    /// End when standard input does: the parent holds the other end.
    pub stop_when_stdin_closes: bool,
    /// How long the fault `slow` waits before the ordinary answer.
    pub slow: Duration,
    /// How long a call rings unless it says `Timeout`; then `no-answer`.
    pub ring: Duration,
    /// A Gather waits at least so long for a key, whatever its `timeout`: people have to find the page first.
    pub patience: Duration,
}

impl CarrierSettings {
    /// The demo's ports and times.
    pub fn new(account_sid: impl Into<String>, auth_token: SecretString) -> Self {
        Self {
            http_port: 8025,
            smtp_port: 2525,
            account_sid: account_sid.into(),
            auth_token,
            tls: None,
            ca_file: None,
            corporate: None,
            stop_when_stdin_closes: false,
            slow: Duration::from_secs(8),
            ring: Duration::from_mins(1),
            patience: Duration::from_mins(1),
        }
    }
}

/// Where the carrier listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarrierAddresses {
    /// On 127.0.0.1 and, if the machine has it, `[::1]`.
    pub http_port: u16,
    /// Likewise.
    pub smtp_port: u16,
}

/// Runs until Ctrl-C, SIGTERM or the end of standard input (if set); `ready` is called once both ports answer.
pub async fn run_carrier(settings: CarrierSettings, ready: impl FnOnce(CarrierAddresses)) -> Result<(), SandboxError> {
    let http = bind_loopback(settings.http_port)?;
    let smtp = bind_loopback(settings.smtp_port)?;
    let addresses = CarrierAddresses { http_port: http.port, smtp_port: smtp.port };
    let tls = settings.tls.clone();
    let stop = listen_for_stop(settings.stop_when_stdin_closes)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin = format!("{scheme}://localhost:{}", addresses.http_port);
    let corporate = settings.corporate.clone().map(|settings| Corporate::new(settings, &origin)).transpose()?;
    let corporate = corporate.map(Data::new);
    let exchange = Arc::new(Exchange::new(settings)?);
    // Dropped at the end, and every SMTP connection with it.
    let _post_office = smtp::open(smtp.listeners, &exchange)?;
    let state = Data::from(exchange);
    let configure = move |routes: &mut ServiceConfig| {
        routes.app_data(state.clone()).configure(rest::routes).configure(api::routes).configure(pages::routes);
        if let Some(corporate) = &corporate {
            routes.app_data(corporate.clone()).configure(corporate::routes);
        }
        routes.default_service(get().to(pages::not_found));
    };
    serve(http, tls.as_ref(), configure, || ready(addresses), stop).await
}
