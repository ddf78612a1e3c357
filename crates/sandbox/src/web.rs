//! One way to serve HTTP for both servers: limits, headers, listeners, a quick end.

use crate::SandboxError;
use crate::listener::{Loopback, TlsFiles, tls_config};
use crate::origin::refuse_foreign_origin;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{PayloadConfig, ServiceConfig};
use actix_web::{App, HttpServer};
use std::time::Duration;

/// No body of a request may be longer.
pub const MAX_BODY: usize = 64 * 1024;

/// Own assets only, no inline script or style, no frames of strangers; forms may lead to `elsewhere`, too.
pub fn content_security_policy(elsewhere: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         frame-src 'self'; form-action 'self'{elsewhere}; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn default_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Content-Security-Policy", content_security_policy("")))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
}

/// Serves until `stop` ends, then gives running requests a second.
pub async fn serve<Configure>(
    loopback: Loopback,
    tls: Option<&TlsFiles>,
    configure: Configure,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> Result<(), SandboxError>
where
    Configure: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let tls = tls.map(tls_config).transpose()?;
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(PayloadConfig::new(MAX_BODY))
            .wrap(from_fn(refuse_foreign_origin))
            .wrap(default_headers())
            .configure(configure.clone())
    })
    .workers(2)
    .max_connections(1024)
    .client_request_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(15))
    .shutdown_timeout(1)
    .disable_signals();
    for listener in loopback.listeners {
        server = match &tls {
            Some(config) => server.listen_rustls_0_23(listener, config.clone())?,
            None => server.listen(listener)?,
        };
    }
    let server = server.run();
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    ready();
    tokio::select! {
        ended = &mut server => return ended.map_err(std::io::Error::other)?.map_err(SandboxError::Io),
        () = stop => {}
    }
    handle.stop(true).await;
    Ok(())
}
