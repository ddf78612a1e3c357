//! Routes, pages, configuration, command line: the outermost layer. No rules and no SQL.

pub mod page;

mod audit_log;
mod audit_sinks;
mod cli;
mod config;
mod connections;
mod cookie;
mod cors;
#[cfg(feature = "demo")]
mod demo;
mod endpoint;
mod error;
mod flow_page;
mod lives;
mod management;
mod node;
mod operate;
mod request;
mod serve;
mod telemetry;
mod telephone;
mod tls;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

pub use config::{Config, ConfigError};
pub use endpoint::admin::{AdminRoute, ROOT as ADMIN_ROOT, ROUTES as ADMIN_ROUTES};
pub use endpoint::setup::{ROUTES as SETUP_ROUTES, SetupRoute};

use cli::{Cli, Command};

/// Runs the command line. Exit 0: fine; 1: a finding or a refusal; 2: usage.
pub async fn run() -> ExitCode {
    // Every TLS connection of the process, in and out, uses this provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let result = match Cli::parse().command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => return demo::run(args).await,
        #[cfg(feature = "demo")]
        Command::DemoChild { part } => demo::run_child(part).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Migrate(args) => operate::migrate(&args).await,
        Command::Health(args) => operate::health(&args),
        Command::Policy(command) => operate::policy(command).await,
        Command::User(command) => operate::user(command).await,
        Command::Organization(command) => operate::organization(command).await,
        Command::Client(command) => operate::client(command).await,
        Command::Keys(command) => operate::keys(command).await,
        Command::Audit(command) => operate::audit(command).await,
        Command::Config(command) => operate::config(command).await,
    };
    result.unwrap_or_else(|why| {
        say_error(&format!("countersign: {why}"));
        ExitCode::FAILURE
    })
}

/// A line for the person or program that started the command.
pub(crate) fn say(line: &str) {
    // A reader that went away is no reason to stop.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line about what went wrong.
pub(crate) fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
