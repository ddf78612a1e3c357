//! The commands of operators: `migrate`, `health`, `policy`, `user`, `organization`, `client`, `keys`, `audit`, `config`.

mod audit;
mod client;
mod health;
mod organization;
mod policy;
mod report;
mod user;

use std::process::ExitCode;

use countersign_model::{SigningKey, Timestamp};
use countersign_service::moment;
use serde_json::{Value, json};

pub use audit::audit;
pub use client::client;
pub use health::health;
pub use organization::organization;
pub use policy::policy;
pub use user::user;

use crate::cli::{ConfigArgs, ConfigCommand, KeysCommand};
use crate::config::Config;
use crate::{say, say_error, serve};

fn load(args: &ConfigArgs) -> Result<Config, String> {
    Config::load(args.config.as_deref(), json!({})).map_err(|error| error.to_string())
}

/// Brings the schema up to date.
pub async fn migrate(args: &ConfigArgs) -> Result<ExitCode, String> {
    let database = serve::open_database(&load(args)?)?;
    let applied = database.migrate().await.map_err(|error| error.to_string())?;
    for migration in &applied {
        say(&format!("applied {migration}"));
    }
    say("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}

/// The signing keys.
pub async fn keys(command: KeysCommand) -> Result<ExitCode, String> {
    match command {
        KeysCommand::Rotate { config } => {
            let provider = serve::build_provider(&load(&config)?).await?;
            provider.rotate_keys().await.map_err(|error| error.to_string())?;
            say("new keys are published; they sign once the announcement is over");
        }
        KeysCommand::List { config, json } => {
            let provider = serve::build_provider(&load(&config)?).await?;
            for key in provider.signing_keys() {
                say(&if json { key_as_json(&key).to_string() } else { key_as_line(&key) });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Times are seconds since 1970.
fn key_as_json(key: &SigningKey) -> Value {
    json!({
        "kid": key.id,
        "alg": key.algorithm,
        "created_at": key.created_at.as_secs(),
        "use_from": key.use_from.as_secs(),
        "retire_at": key.retire_at.map(Timestamp::as_secs),
    })
}

fn key_as_line(key: &SigningKey) -> String {
    let (alg, created, from) = (key.algorithm.as_str(), moment(key.created_at), moment(key.use_from));
    let end = key.retire_at.map(|end| format!("  published until {}", moment(end))).unwrap_or_default();
    format!("{:<36} {alg:<6} created {created}  signs from {from}{end}", key.id)
}

/// The configuration.
pub async fn config(command: ConfigCommand) -> Result<ExitCode, String> {
    match command {
        ConfigCommand::Check { config } => Ok(check(&load(&config)?)),
        ConfigCommand::Report { format, fail_on, config } => report::report(&load(&config)?, format, &fail_on).await,
    }
}

fn check(config: &Config) -> ExitCode {
    let refusals = serve::refusals(config);
    for refusal in &refusals {
        say_error(refusal);
    }
    if let Ok(warnings) = config.warnings() {
        for warning in warnings {
            say(&format!("warning: {warning}"));
        }
    }
    let refused = !refusals.is_empty();
    if !refused {
        say("the configuration would be accepted");
    }
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
