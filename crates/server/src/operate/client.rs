//! `countersign client`: relying parties that an operator registers.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use countersign_model::{AuthMethod, Client, Seconds, Timestamp};
use countersign_service::{ClientRegistration, fresh_secret};
use secrecy::ExposeSecret;
use serde_json::json;

use super::load;
use crate::cli::ClientCommand;
use crate::{say, say_error, serve};

/// Longest file of clients, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Relying parties.
pub async fn client(command: ClientCommand) -> Result<ExitCode, String> {
    match command {
        ClientCommand::Add { file, config } => {
            let registrations = read(&file)?;
            let provider = serve::build_provider(&load(&config)?).await?;
            for mut registration in registrations {
                let drawn = draw_missing_secret(&mut registration)?;
                let id = provider.register_client(&registration).await.map_err(|error| error.to_string())?;
                match drawn {
                    Some(secret) => say(&format!("{id}  {secret}")),
                    None => say(id.as_str()),
                }
            }
        }
        ClientCommand::List { json, config } => {
            let provider = serve::build_provider(&load(&config)?).await?;
            for client in provider.list_clients().await.map_err(|error| error.to_string())? {
                say(&if json { as_json(&client) } else { as_line(&client) });
            }
        }
        ClientCommand::RotateSecret { client, keep_hours, config } => {
            let provider = serve::build_provider(&load(&config)?).await?;
            let id = client.parse().map_err(|_| "no client can have this id".to_owned())?;
            let keep = Seconds::hours(keep_hours.min(24 * 365));
            let rotated = provider.rotate_client_secret(&id, keep).await.map_err(|error| error.to_string())?;
            let Some(secret) = rotated else {
                say_error("there is no such client, or it has no secret");
                return Ok(ExitCode::FAILURE);
            };
            say(secret.expose_secret());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<ClientRegistration>, String> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(MAX_FILE + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
    };
    if read.map_err(|error| named(&error))? as u64 > MAX_FILE {
        return Err(named(&"longer than a megabyte"));
    }
    serde_json::from_str(&text).map_err(|error| named(&error))
}

/// The secret it was given, if it needs one and named none.
fn draw_missing_secret(registration: &mut ClientRegistration) -> Result<Option<String>, String> {
    if registration.client_secret.is_some() || !registration.needs_secret() {
        return Ok(None);
    }
    let secret = fresh_secret().map_err(|error| error.to_string())?;
    let shown = secret.expose_secret().to_owned();
    registration.client_secret = Some(secret);
    Ok(Some(shown))
}

fn methods(client: &Client) -> String {
    client.auth_methods.iter().copied().map(AuthMethod::as_str).collect::<Vec<_>>().join(",")
}

fn as_line(client: &Client) -> String {
    let state = match (client.disabled, &client.registration) {
        (true, _) => "disabled",
        (false, Some(_)) => "registered itself",
        (false, None) => "",
    };
    format!("{:<28} {:<24} {} {state}", client.id, methods(client), client.name).trim_end().to_owned()
}

fn as_json(client: &Client) -> String {
    let secrets = client.secrets.iter().map(|secret| {
        json!({
            "created_at": secret.created_at.as_secs(),
            "expires_at": secret.expires_at.map(Timestamp::as_secs),
        })
    });
    json!({
        "client_id": client.id,
        "client_name": client.name,
        "auth_methods": client.auth_methods,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": client.response_types,
        "scope": client.scope.to_string(),
        "policies": client.allowed_policies,
        "registered_itself": client.registration.is_some(),
        "disabled": client.disabled,
        "created_at": client.created_at.as_secs(),
        "secrets": secrets.collect::<Vec<_>>(),
    })
    .to_string()
}
