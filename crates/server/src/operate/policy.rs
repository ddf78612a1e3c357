//! `countersign policy`: check, draw, paths, run, diff, fmt. Exit 0: fine; 1: a finding; 2, of `diff`: nothing to compare.

mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use countersign_service::policy::{Finding, Policy, PolicySet, Severity, diff, draw, fmt, list_least_sets, paths};
use countersign_service::{
    CheckedPolicies, Clock, PolicySource, RunningFlows, list_demands, load_policies, read_policy_files,
};
use serde_json::{Value, json};

use crate::cli::{ConfigArgs, PolicyCommand};
use crate::config::ShortLivedKind;
use crate::{say, say_error, serve};

/// Runs one command.
pub async fn policy(command: PolicyCommand) -> Result<ExitCode, String> {
    match command {
        PolicyCommand::Check { paths, config, json, sets } => check(paths, &config, json, sets).await,
        PolicyCommand::Draw { policy, paths, mermaid } => with_policy(&policy, paths, |_, policy| {
            say(if mermaid { draw::draw_mermaid(policy) } else { draw::draw_svg(policy) }.trim_end());
        }),
        PolicyCommand::Paths { policy, paths, json } => {
            with_policy(&policy, paths, |set, policy| list(set, policy, json))
        }
        PolicyCommand::Run(args) => run::run(load_parsed(args.paths.clone())?, &args),
        PolicyCommand::Diff { old, new, config, json } => compare(old, new, &config, json).await,
        PolicyCommand::Fmt { paths, check } => format(&paths, check),
    }
}

fn load(paths: Vec<PathBuf>) -> Result<CheckedPolicies, String> {
    let source = if paths.is_empty() { PolicySource::BuiltIn { demo: false } } else { PolicySource::Files(paths) };
    load_policies(&source, Clock::system().now()).map_err(|error| error.to_string())
}

/// Those that parse; the findings of those that do not.
fn load_parsed(paths: Vec<PathBuf>) -> Result<PolicySet, String> {
    let checked = load(paths)?;
    let unread = checked.set.iter().next().is_none();
    let words: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    if unread { Err(words.join("\n")) } else { Ok(checked.set) }
}

/// All of them; the findings where one does not parse.
fn load_whole(path: PathBuf) -> Result<PolicySet, String> {
    let checked = load(vec![path])?;
    if checked.set.iter().count() < checked.texts.len() {
        let words: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
        return Err(words.join("\n"));
    }
    Ok(checked.set)
}

/// What `check` looks at: the policies with what is around them, in a configuration or as shipped.
async fn load_surrounded(paths: Vec<PathBuf>, config: &ConfigArgs) -> Result<CheckedPolicies, String> {
    if config.config.is_none() {
        let mut checked = load(paths)?;
        serve::prove_within(&super::load(config)?, &Clock::system(), &mut checked, &[])?;
        return Ok(checked);
    }
    let config = super::load(config)?;
    let source = if paths.is_empty() { serve::policy_source(&config) } else { PolicySource::Files(paths) };
    let mut checked = load_policies(&source, Clock::system().now()).map_err(|error| error.to_string())?;
    let clients = list_demands(&serve::open_database(&config)?, &serve::read_clients(&config)?, &checked.set).await;
    let clients = clients.map_err(|error| format!("the clients could not be read: {error}"))?;
    serve::prove_within(&config, &Clock::system(), &mut checked, &clients)?;
    Ok(checked)
}

async fn check(paths: Vec<PathBuf>, config: &ConfigArgs, json: bool, sets: bool) -> Result<ExitCode, String> {
    let checked = load_surrounded(paths, config).await?;
    let today = countersign_service::date_of(Clock::system().now());
    let findings = &checked.findings;
    if json {
        say(&Value::from(findings.iter().map(finding_as_json).collect::<Vec<_>>()).to_string());
    } else {
        for finding in findings {
            say(&finding.to_string());
        }
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let policies = checked.set.iter().count();
        say(&format!("{policies} policies, {} errors, {} warnings", count(Severity::Error), count(Severity::Warning)));
    }
    if sets && !json {
        for least in list_least_sets(&checked.set, &today) {
            let account = if least.account.is_empty() { "mail only".to_owned() } else { least.account.join(" + ") };
            let waived = if least.waived { " (by a waiver)" } else { "" };
            say(&format!("{:<16} {account:<24} {}{waived}", least.policy, least.held.join(" + ")));
        }
    }
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn finding_as_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "policy": finding.policy,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "path": finding.path,
    })
}

fn with_policy(id: &str, paths: Vec<PathBuf>, act: impl FnOnce(&PolicySet, &Policy)) -> Result<ExitCode, String> {
    let set = load_parsed(paths)?;
    let policy = set.get(id).ok_or_else(|| format!("no policy `{id}` in the set"))?;
    act(&set, policy);
    Ok(ExitCode::SUCCESS)
}

fn list(set: &PolicySet, policy: &Policy, json: bool) {
    let all = paths::list_paths(set, policy);
    if !json {
        for path in &all {
            say(&path.to_string());
        }
        return;
    }
    let tell = |path: &paths::Path| {
        let legs: Vec<Value> = path.legs.iter().map(|leg| json!({"step": leg.step, "by": leg.by})).collect();
        let given: Vec<Value> =
            path.given.iter().map(|(guard, holds)| json!({"guard": guard.to_string(), "holds": holds})).collect();
        let (kind, name) = match &path.end {
            paths::End::Issue { step } => ("issue", step),
            paths::End::Stop { step } => ("stop", step),
            paths::End::Switch { policy } => ("switch", policy),
        };
        json!({"legs": legs, "end": {"kind": kind, "name": name}, "given": given})
    };
    say(&Value::from(all.iter().map(tell).collect::<Vec<_>>()).to_string());
}

/// Exit 2 where there is nothing to compare: 1 says that something changed.
async fn compare(old: PathBuf, new: PathBuf, config: &ConfigArgs, json: bool) -> Result<ExitCode, String> {
    let (old, new) = match load_whole(old).and_then(|old| Ok((old, load_whole(new)?))) {
        Ok(both) => both,
        Err(why) => {
            say_error(&why);
            return Ok(ExitCode::from(2));
        }
    };
    let running = if config.config.is_none() { Counted::NotAsked } else { Counted::from(count_running(config).await) };
    let mut told: Vec<Value> = Vec::new();
    for policy in new.iter() {
        match old.get(&policy.id) {
            None => told.push(json!({"policy": policy.id, "change": "new"})),
            Some(before) => {
                let change = diff::compare((&old, before), (&new, policy));
                if !change.is_empty() {
                    told.push(json!({
                        "policy": policy.id, "change": "changed", "factors": change.factors, "limits": change.limits,
                        "steps": change.steps, "settings": change.settings, "lost": change.lost,
                        "gained": change.gained, "on_edit": policy.on_edit.as_str(),
                        "instances": tell_running(&running, before),
                    }));
                }
            }
        }
    }
    let gone = old.iter().filter(|policy| new.get(&policy.id).is_none());
    told.extend(gone.map(|policy| {
        let instances = tell_running(&running, policy);
        json!({"policy": policy.id, "change": "gone", "on_edit": "restart", "instances": instances})
    }));
    let code = if told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        say(&Value::from(told).to_string());
    } else {
        told.iter().for_each(tell_change);
    }
    Ok(code)
}

/// What is known of the running instances.
enum Counted {
    /// No configuration was named.
    NotAsked,
    /// They could not be counted: why.
    Failed(String),
    /// So many.
    Flows(RunningFlows),
}

impl From<Result<RunningFlows, String>> for Counted {
    fn from(counted: Result<RunningFlows, String>) -> Self {
        counted.map_or_else(Self::Failed, Self::Flows)
    }
}

/// The running instances of a configuration. Those of an in-process store are the node's alone.
async fn count_running(config: &ConfigArgs) -> Result<RunningFlows, String> {
    let config = super::load(config)?;
    if config.short_lived.store == ShortLivedKind::InProcess {
        return Err("short_lived.store is in_process: nobody but `serve` knows what runs there".to_owned());
    }
    let provider = serve::build_provider(&config).await?;
    provider.count_running().await.map_err(|error| error.to_string())
}

/// How many instances of a policy there are, and how many of them on this version.
fn tell_running(running: &Counted, version: &Policy) -> Value {
    let running = match running {
        Counted::NotAsked => return Value::from("unknown"),
        Counted::Failed(why) => return json!({ "unknown": why }),
        Counted::Flows(running) => running,
    };
    let versions = || running.versions.iter();
    let same = versions().filter(|(known, _)| known.digest == version.digest);
    let of_policy = versions().filter(|(known, _)| known.policy == version.id || known.digest == version.digest);
    let all: u64 = of_policy.map(|(_, count)| count).sum();
    json!({ "all": all, "of_old": same.map(|(_, count)| count).sum::<u64>(), "at_least": !running.is_whole })
}

fn tell_change(change: &Value) {
    let word = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
    say(&format!("{}: {}", word("policy"), word("change")));
    for key in ["factors", "limits", "steps", "settings", "lost", "gained"] {
        let lines = change.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for (index, line) in lines.enumerate() {
            if index == 0 {
                say(&format!("  {key}"));
            }
            say(&format!("    {line}"));
        }
    }
    if let Some(instances) = change.get("instances") {
        say(&format!("  running instances: {}", tell_instances(instances, word("on_edit"))));
    }
}

fn tell_instances(instances: &Value, on_edit: &str) -> String {
    let (Some(all), Some(of_old)) = (instances["all"].as_u64(), instances["of_old"].as_u64()) else {
        let why = instances["unknown"].as_str().map(|why| format!("not counted: {why}"));
        return why.unwrap_or_else(|| "not counted; --config names the deployment".to_owned());
    };
    let least = if instances["at_least"] == true { "at least " } else { "" };
    let then = if on_edit == "pin" { "they finish on the version they began with" } else { "they start anew" };
    format!("{least}{all}, {of_old} of them on the old version; {on_edit}: {then}")
}

fn format(paths: &[PathBuf], check: bool) -> Result<ExitCode, String> {
    let mut changed = Vec::new();
    for (file, text) in read_policy_files(paths).map_err(|error| error.to_string())? {
        let formatted = fmt::format(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        if formatted != text {
            changed.push((file, formatted));
        }
    }
    for (file, formatted) in &changed {
        say(&file.display().to_string());
        if !check {
            std::fs::write(file, formatted).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(if check && !changed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
