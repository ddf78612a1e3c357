//! The commands of operators: `migrate`, `policy`, `user`, `organization`, `client`, `keys`, `config`.

mod client;
mod organization;
mod policy;
mod report;
mod user;

use std::process::ExitCode;

use countersign_model::Timestamp;
use serde_json::json;

pub use client::client;
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
    database.migrate().await.map_err(|error| error.to_string())?;
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
                let (created, from) = (key.created_at.as_secs(), key.use_from.as_secs());
                let end = key.retire_at.map(Timestamp::as_secs);
                if json {
                    let line = json!({
                        "kid": key.id, "alg": key.algorithm, "created_at": created, "use_from": from, "retire_at": end,
                    });
                    say(&line.to_string());
                } else {
                    let end = end.map(|end| format!("  published until {end}")).unwrap_or_default();
                    let alg = key.algorithm.as_str();
                    say(&format!("{:<36} {alg:<6} created {created}  signs from {from}{end}", key.id));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
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
