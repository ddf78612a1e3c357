//! `countersign organization`: provider groups.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use countersign_model::NpiRule;
use secrecy::SecretString;
use serde_json::json;

use super::load;
use crate::cli::{NpiValidator, OrganizationCommand};
use crate::{say, serve};

/// Longest registration code, in bytes.
const MAX_CODE: u64 = 200;

/// Provider groups.
pub async fn organization(command: OrganizationCommand) -> Result<ExitCode, String> {
    match command {
        OrganizationCommand::Add { name, npi, validator, code_file, config } => {
            let code = read_code(&code_file)?;
            let provider = serve::build_provider(&load(&config)?).await?;
            let validator = validator.map(|validator| match validator {
                NpiValidator::Npi => NpiRule::Npi,
                NpiValidator::NpiOrOther => NpiRule::NpiOrOther,
            });
            let entered = provider.enter_organization(name.trim(), &npi, &code, validator).await;
            say(entered.map_err(|error| error.to_string())?.as_str());
        }
        OrganizationCommand::List { json, config } => {
            let provider = serve::build_provider(&load(&config)?).await?;
            for organization in provider.list_organizations().await.map_err(|error| error.to_string())? {
                let (id, name, npi) = (&organization.id, &organization.name, &organization.npi);
                let validator = organization.validator.as_str();
                say(&if json {
                    json!({"id": id, "name": name, "npi": npi, "validator": validator}).to_string()
                } else {
                    format!("{id}  {npi:<12} {validator:<12} {name}")
                });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_code(file: &Path) -> Result<SecretString, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(MAX_CODE + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_CODE + 1).read_to_string(&mut text)).map_err(failed)?;
    }
    match text.trim().len() {
        0 => Err(format!("{}: there is no registration code", file.display())),
        length if length as u64 > MAX_CODE => Err(format!("{}: longer than {MAX_CODE} bytes", file.display())),
        _ => Ok(SecretString::from(text.trim())),
    }
}
