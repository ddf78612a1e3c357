//! `countersign audit`: key, checkpoint, verify, prove, consistency, export, sinks, tail. Exit 0: done; 1: a fault, or nothing
//! to prove.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_service::{EntryForm, LogReport, Provider, ServiceError};
use serde_json::json;

use super::load;
use crate::cli::{AuditCommand, ConfigArgs, UserOptions};
use crate::{say, say_error, serve};

/// Entries read at a time.
const PAGE: u32 = 1000;
/// How often `tail --follow` looks for more.
const LOOK: Duration = Duration::from_secs(1);

/// Runs one command.
pub async fn audit(command: AuditCommand) -> Result<ExitCode, String> {
    match command {
        AuditCommand::Key(config) => {
            say(&open(&config).await?.audit_key().await.map_err(|error| error.to_string())?);
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Checkpoint(config) => checkpoint(&config).await,
        AuditCommand::Verify { checkpoint, options } => verify(&checkpoint, &options).await,
        AuditCommand::Prove { jti, position, to, config } => prove(jti.as_deref(), position, &to, &config).await,
        AuditCommand::Consistency { old, new, config } => consistency(old, new, &config).await,
        AuditCommand::Export { from, ocsf, config } => {
            let provider = open(&config).await?;
            write_entries(&provider, from, if ocsf { EntryForm::Ocsf } else { EntryForm::Entry }).await?;
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Sinks(config) => sinks(&config).await,
        AuditCommand::Tail { lines, follow, config } => tail(lines, follow, &config).await,
    }
}

async fn open(config: &ConfigArgs) -> Result<Arc<Provider>, String> {
    serve::build_provider(&load(config)?).await
}

/// Everything that happened until now is in the log and signed.
async fn sign(provider: &Provider) -> Result<Option<String>, ServiceError> {
    provider.place_audit_events().await?;
    Ok(provider.sign_checkpoint().await?.map(|checkpoint| checkpoint.note))
}

async fn checkpoint(config: &ConfigArgs) -> Result<ExitCode, String> {
    let provider = open(config).await?;
    let Some(note) = sign(&provider).await.map_err(|error| error.to_string())? else {
        say_error("the log is empty");
        return Ok(ExitCode::FAILURE);
    };
    say(note.trim_end());
    Ok(ExitCode::SUCCESS)
}

async fn verify(files: &[PathBuf], options: &UserOptions) -> Result<ExitCode, String> {
    let provider = open(&options.config).await?;
    let read = |file: &PathBuf| std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()));
    let kept = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let report = provider.verify_audit_log(&kept).await.map_err(|error| error.to_string())?;
    if options.json {
        say(&as_json(&report).to_string());
    } else {
        tell(&report);
    }
    Ok(if report.fault.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(report: &LogReport) -> serde_json::Value {
    json!({
        "entries": report.entries,
        "removed": report.removed,
        "checkpoints": report.checkpoints,
        "root": STANDARD.encode(report.root),
        "fault": report.fault.as_ref().map(ToString::to_string),
    })
}

fn tell(report: &LogReport) {
    let (entries, checkpoints) = (report.entries, report.checkpoints);
    match &report.fault {
        None if report.removed > 0 => say(&format!(
            "{entries} entries are what {checkpoints} checkpoints say; the log tells that the events of {} were removed",
            report.removed
        )),
        None => say(&format!("{entries} entries are what {checkpoints} checkpoints say")),
        Some(fault) => say_error(&format!("{fault}; the {entries} entries before are sound by themselves")),
    }
}

async fn prove(
    jti: Option<&str>,
    position: Option<u64>,
    folder: &Path,
    config: &ConfigArgs,
) -> Result<ExitCode, String> {
    let provider = open(config).await?;
    sign(&provider).await.map_err(|error| error.to_string())?;
    let proven = match (jti, position) {
        (Some(jti), _) => provider.prove_token(jti).await,
        (None, Some(position)) => provider.prove_entry(position).await.map(|found| found.into_iter().collect()),
        (None, None) => Ok(Vec::new()),
    };
    let proven = proven.map_err(|error| error.to_string())?;
    for found in &proven {
        let write = |ending: &str, text: &str| {
            let path = folder.join(format!("{}.{ending}", found.position));
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        if let Some(entry) = &found.entry {
            write("entry", entry)?;
        }
        write("proof", &found.proof)?;
        let entry = found.entry.as_deref().unwrap_or("its event was removed when its class was kept no longer");
        say(&format!("{}  {entry}", found.position));
    }
    if proven.is_empty() {
        say_error("nothing of it is in the log");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn consistency(old: u64, new: u64, config: &ConfigArgs) -> Result<ExitCode, String> {
    let hashes = open(config).await?.prove_consistency(old, new).await.map_err(|error| error.to_string())?;
    let Some(hashes) = hashes else {
        say_error("the log has never had so many entries, or OLD is more than NEW");
        return Ok(ExitCode::FAILURE);
    };
    for hash in hashes {
        say(&STANDARD.encode(hash));
    }
    Ok(ExitCode::SUCCESS)
}

async fn sinks(config: &ConfigArgs) -> Result<ExitCode, String> {
    let config = load(config)?;
    let provider = serve::build_provider(&config).await?;
    for name in config.audit.sinks.keys() {
        let (given, entries) = provider.find_sink_position(name).await.map_err(|error| error.to_string())?;
        say(&format!("{name}  {given} of {entries} entries"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes what stands from `first` on; answers the place behind it.
async fn write_entries(provider: &Provider, mut first: u64, form: EntryForm) -> Result<u64, String> {
    loop {
        let entries = provider.list_log_entries(first, PAGE, form).await.map_err(|error| error.to_string())?;
        let mut out = std::io::stdout().lock();
        for (position, entry) in &entries {
            writeln!(out, "{entry}").map_err(|error| error.to_string())?;
            first = position + 1;
        }
        out.flush().map_err(|error| error.to_string())?;
        if entries.len() < PAGE as usize {
            return Ok(first);
        }
    }
}

async fn tail(lines: u64, follow: bool, config: &ConfigArgs) -> Result<ExitCode, String> {
    let provider = open(config).await?;
    let size = provider.log_size().await.map_err(|error| error.to_string())?;
    let mut next = write_entries(&provider, size.saturating_sub(lines), EntryForm::Entry).await?;
    if !follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        tokio::time::sleep(LOOK).await;
        next = write_entries(&provider, next, EntryForm::Entry).await?;
    }
}
