//! `countersign user`: timeline, invite, create-admin, reset-registration, disable, enable, role, import. Exit 0: done; 1: refused.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use countersign_model::{Role, UserId};
use countersign_service::{
    ImportFormat, ImportReport, Imported, Invitation, NewAdministrator, PersonRefusal, Provider, RegistrationReset,
    RequestContext, RoleChange, ServiceError, moment,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::load;
use crate::cli::{AdminArgs, InviteArgs, PeopleFormat, RoleArgs, RoleCommand, RoleName, UserCommand, UserOptions};
use crate::{say, say_error, serve};

/// Runs one command.
pub async fn user(command: UserCommand) -> Result<ExitCode, String> {
    match command {
        UserCommand::Timeline { who, options } => timeline(&who, &options).await,
        UserCommand::Invite(args) => invite(args).await,
        UserCommand::CreateAdmin(args) => create_administrator(&args).await,
        UserCommand::ResetRegistration { who, reason, force, options } => {
            reset(RegistrationReset { who: &who, reason: &reason, force }, &options).await
        }
        UserCommand::Disable { who, reason, options } => {
            let provider = open(&options).await?;
            let done = provider.disable_person(&who, &reason, &RequestContext::default()).await;
            tell_status(done, "disabled", &options)
        }
        UserCommand::Enable { who, reason, options } => {
            let provider = open(&options).await?;
            let done = provider.enable_person(&who, &reason, &RequestContext::default()).await;
            tell_status(done, "enabled", &options)
        }
        UserCommand::Role(command) => role(command).await,
        UserCommand::Import { file, format, dry_run, options } => import(&file, format, dry_run, &options).await,
    }
}

async fn open(options: &UserOptions) -> Result<std::sync::Arc<Provider>, String> {
    serve::build_provider(&load(&options.config)?).await
}

/// What was done, or why it was not: exit 1.
fn answer(
    done: Result<Result<(Value, String), PersonRefusal>, ServiceError>,
    options: &UserOptions,
) -> Result<ExitCode, String> {
    match done.map_err(|error| error.to_string())? {
        Ok((document, line)) => {
            say(&if options.json { document.to_string() } else { line });
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            if options.json {
                say(&json!({"refused": refusal.to_string()}).to_string());
            } else {
                say_error(&refusal.to_string());
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn timeline(who: &str, options: &UserOptions) -> Result<ExitCode, String> {
    let found = open(options).await?.timeline(who).await;
    let told = found.map(|timeline| {
        let timeline = timeline.ok_or(PersonRefusal::Unknown)?;
        Ok((timeline.to_json(), timeline.to_lines().join("\n")))
    });
    answer(told, options)
}

async fn invite(args: InviteArgs) -> Result<ExitCode, String> {
    let InviteArgs { email, name, username, organization_npi, client, locale, options } = args;
    let provider = open(&options).await?;
    let new = Invitation { email, name, username, npi: organization_npi, client, locale };
    let invited = provider.invite(&new, &RequestContext::default()).await;
    let told = invited.map(|invited| {
        invited.map(|invited| {
            let made = if invited.created { "the account was made" } else { "the account was there" };
            let document = json!({"user": invited.user.as_str(), "created": invited.created, "link": "queued"});
            (document, format!("{made}; the link is in the outbox, which a serving node delivers"))
        })
    });
    answer(told, &options)
}

/// The link is for this terminal alone: neither mailed nor logged.
async fn create_administrator(args: &AdminArgs) -> Result<ExitCode, String> {
    let AdminArgs { email, name, another, locale, options } = args;
    let new = NewAdministrator { email, name, locale, another: *another };
    let made = open(options).await?.create_administrator(new, &RequestContext::default()).await;
    let told = made.map(|made| {
        made.map(|made| {
            let (link, until) = (made.link.expose_secret(), made.expires_at);
            let document = json!({
                "user": made.user.as_str(), "created": made.created, "link": link, "expires_at": until.as_secs(),
            });
            let word = if made.created { "the account was made" } else { "the account was there, unfinished" };
            (document, format!("{word}; this link works once, until {}:\n{link}", moment(until)))
        })
    });
    answer(told, options)
}

async fn reset(reset: RegistrationReset<'_>, options: &UserOptions) -> Result<ExitCode, String> {
    let done = open(options).await?.reset_registration(reset, &RequestContext::default()).await;
    let told = done.map(|done| {
        done.map(|done| {
            let gone = if done.factors.is_empty() { "no factor".to_owned() } else { done.factors.join(", ") };
            let phone = if done.phone_told { "; the old phone is told" } else { "" };
            let document = json!({
                "user": done.user.as_str(), "factors_removed": done.factors, "was_complete": done.was_complete,
                "phone_told": done.phone_told, "link": "queued",
            });
            (
                document,
                format!("the registration is to be done anew; removed: password, {gone}; the link is queued{phone}"),
            )
        })
    });
    answer(told, options)
}

async fn role(command: RoleCommand) -> Result<ExitCode, String> {
    let (args, grants) = match command {
        RoleCommand::Grant(args) => (args, true),
        RoleCommand::Revoke(args) => (args, false),
    };
    let RoleArgs { who, role, organization, reason, options } = args;
    let role = match role {
        RoleName::Administrator => Role::Administrator,
        RoleName::ProviderAdministrator => Role::ProviderAdministrator,
        RoleName::HelpDesk => Role::HelpDesk,
        RoleName::SecurityAuditor => Role::SecurityAuditor,
    };
    let change = RoleChange { who: &who, role, npi: organization.as_deref(), reason: &reason };
    let (provider, context) = (open(&options).await?, RequestContext::default());
    let done =
        if grants { provider.grant_role(change, &context).await } else { provider.revoke_role(change, &context).await };
    let word = if grants { "granted" } else { "revoked" };
    let told = done.map(|done| {
        done.map(|user| {
            let document =
                json!({"user": user.as_str(), "role": role.as_str(), "organization": organization, "change": word});
            (document, format!("the role is {word}"))
        })
    });
    answer(told, &options)
}

fn tell_status(
    done: Result<Result<UserId, PersonRefusal>, ServiceError>,
    status: &str,
    options: &UserOptions,
) -> Result<ExitCode, String> {
    let told = done.map(|done| {
        done.map(|user| (json!({"user": user.as_str(), "status": status}), format!("the account is {status}")))
    });
    answer(told, options)
}

async fn import(file: &Path, format: PeopleFormat, dry_run: bool, options: &UserOptions) -> Result<ExitCode, String> {
    let format = match format {
        PeopleFormat::Csv => ImportFormat::Csv,
        PeopleFormat::Ndjson => ImportFormat::Ndjson,
    };
    let source: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let provider = open(options).await?;
    let imported = provider.import_people(source, format, dry_run, &RequestContext::default()).await;
    let (report, unreadable) = match imported.map_err(|error| error.to_string())? {
        Imported::Done(report) => (report, None),
        Imported::Unreadable(why, report) => (report, Some(why)),
    };
    if options.json {
        say(&report_json(&report, dry_run, unreadable.as_deref()).to_string());
    } else {
        tell_report(&report, dry_run);
    }
    match unreadable {
        Some(why) => Err(format!("{}: {why}", file.display())),
        None if report.rejected > 0 => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn report_json(report: &ImportReport, dry_run: bool, unreadable: Option<&str>) -> Value {
    json!({
        "dry_run": dry_run,
        "lines": report.lines,
        "imported": report.imported,
        "without_hash": report.without_hash,
        "skipped": report.skipped,
        "rejected": report.rejected,
        "rejected_lines": report.told.iter().map(|told| json!({
            "line": told.line, "reason": told.reason,
        })).collect::<Vec<_>>(),
        "unreadable": unreadable,
    })
}

fn tell_report(report: &ImportReport, dry_run: bool) {
    for told in &report.told {
        say(&format!("line {}: {}", told.line, told.reason));
    }
    let untold = report.rejected.saturating_sub(report.told.len() as u64);
    if untold > 0 {
        say(&format!("and {untold} lines more"));
    }
    let imported = if dry_run { "would be imported" } else { "imported" };
    say(&format!(
        "{} lines: {} {imported} ({} without a hash), {} skipped (user name is there), {} rejected",
        report.lines, report.imported, report.without_hash, report.skipped, report.rejected
    ));
}
