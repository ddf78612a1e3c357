//! `countersign demo`: provider, sandbox and sample portal as three processes of their own, on data that need not last.
//!
//! The binary starts itself three more times. Each child reads its settings from one environment variable, says
//! `ready` on its standard output, and ends when its standard input closes: also when this process is killed.

mod certificates;
mod child;
mod data;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

pub use child::run as run_child;

/// Name of the variable that holds a child's settings.
const SETTINGS: &str = "COUNTERSIGN_DEMO_SETTINGS";

/// How the demo is started.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Port of the provider.
    #[arg(long, default_value_t = 8080)]
    pub idp_port: u16,
    /// Port of the sample portal.
    #[arg(long, default_value_t = 8090)]
    pub portal_port: u16,
    /// Port of the sandbox's inbox and REST API.
    #[arg(long, default_value_t = 8025)]
    pub sandbox_port: u16,
    /// Port of the sandbox's mail server.
    #[arg(long, default_value_t = 2525)]
    pub smtp_port: u16,
    /// Port of health and metrics.
    #[arg(long, default_value_t = 8081)]
    pub management_port: u16,
    /// Keep the data here; without it they are gone at the end.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Use this PostgreSQL database instead of SQLite.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Use this Redis instead of the in-process store.
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
    /// Serve everything by https, with a throw-away certificate authority.
    #[arg(long)]
    pub tls: bool,
    /// Port that asks for client certificates, with --tls.
    #[arg(long, default_value_t = 8443)]
    pub mtls_port: u16,
    /// JSON array of RFC 7591 client metadata, with client_id and client_secret, to register at start.
    #[arg(long, value_name = "FILE")]
    pub clients: Option<PathBuf>,
    /// Run the policies of this folder instead of the shipped ones.
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
}

/// One of the demo's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Mails, texts and calls.
    Sandbox,
    /// The provider.
    Provider,
    /// The sample case portal.
    Portal,
}

/// What every child is told. Travels in the environment, never on a command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DemoSettings {
    idp_port: u16,
    portal_port: u16,
    sandbox_port: u16,
    smtp_port: u16,
    management_port: u16,
    mtls_port: u16,
    data_dir: PathBuf,
    database_url: Option<String>,
    redis_url: Option<String>,
    clients: Option<PathBuf>,
    policies: Option<PathBuf>,
    certificates: Option<certificates::Files>,
    portal_secret: String,
    carrier_token: String,
    corporate_secret: String,
    master_key: String,
}

impl DemoSettings {
    fn scheme(&self) -> &'static str {
        if self.certificates.is_some() { "https" } else { "http" }
    }

    fn issuer(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.idp_port)
    }

    fn mtls_origin(&self) -> String {
        format!("https://localhost:{}", self.mtls_port)
    }

    fn portal(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.portal_port)
    }

    fn sandbox(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.sandbox_port)
    }
}

/// Starts all of it, waits for a signal or for a part to end, stops all of it.
pub async fn run(args: DemoArgs) -> ExitCode {
    match start_and_wait(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            crate::say_error(&format!("demo: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn start_and_wait(args: DemoArgs) -> Result<(), String> {
    let folder = data::Folder::open(args.data_dir.clone())?;
    let settings = prepare(args, &folder)?;
    let mut parts = Vec::new();
    for part in [Part::Sandbox, Part::Provider, Part::Portal] {
        let child = start(part, &settings).await;
        match child {
            Ok(child) => parts.push(child),
            Err(why) => {
                stop(parts).await;
                return Err(why);
            }
        }
    }
    announce(&settings);
    let outcome = wait(&mut parts).await;
    stop(parts).await;
    outcome
}

fn prepare(args: DemoArgs, folder: &data::Folder) -> Result<DemoSettings, String> {
    let certificates = if args.tls { Some(certificates::make(folder.path())?) } else { None };
    let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose().map_err(|error| error.to_string());
    Ok(DemoSettings {
        idp_port: args.idp_port,
        portal_port: args.portal_port,
        sandbox_port: args.sandbox_port,
        smtp_port: args.smtp_port,
        management_port: args.management_port,
        mtls_port: args.mtls_port,
        data_dir: folder.path().to_owned(),
        database_url: args.database_url,
        redis_url: args.redis_url,
        clients: absolute(args.clients)?,
        policies: absolute(args.policies)?,
        certificates,
        portal_secret: folder.secret("case-portal.secret")?.expose_secret().to_owned(),
        master_key: folder.secret("master.key")?.expose_secret().to_owned(),
        carrier_token: folder.secret("carrier.secret")?.expose_secret().to_owned(),
        corporate_secret: folder.secret("corporate.secret")?.expose_secret().to_owned(),
    })
}

/// A running part. Dropping its standard input asks it to end.
struct RunningPart {
    part: Part,
    child: Child,
    /// Kept apart: waiting for a child closes an input that it still holds.
    input: Option<ChildStdin>,
}

async fn start(part: Part, settings: &DemoSettings) -> Result<RunningPart, String> {
    let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    // Only the provider needs the master key.
    let master_key = if part == Part::Provider { settings.master_key.clone() } else { String::new() };
    let settings = DemoSettings { master_key, ..settings.clone() };
    let json = SecretString::from(serde_json::to_string(&settings).map_err(|error| error.to_string())?);
    let mut child = Command::new(binary)
        .args(["demo-child", &name])
        .env(SETTINGS, json.expose_secret())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{name} did not start: {error}"))?;
    let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
    let mut lines = BufReader::new(output).lines();
    loop {
        match lines.next_line().await {
            Ok(Some(line)) if line == "ready" => break,
            Ok(Some(line)) => crate::say(&line),
            _ => return Err(format!("the {name} ended before it was ready; its reason stands above")),
        }
    }
    // Keep reading, so that the child never blocks on a full pipe.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            crate::say(&line);
        }
    });
    Ok(RunningPart { part, child, input })
}

fn announce(settings: &DemoSettings) {
    crate::say(&format!("provider  {}  (management http://localhost:{})", settings.issuer(), settings.management_port));
    crate::say(&format!("portal    {}", settings.portal()));
    crate::say(&format!("sandbox   {}  (SMTP localhost:{})", settings.sandbox(), settings.smtp_port));
    if let Some(files) = &settings.certificates {
        crate::say(&format!("mTLS      {}", settings.mtls_origin()));
        crate::say(&format!("CA        {}", files.ca.display()));
    }
    crate::say("");
    for line in data::accounts_in_words(&settings.portal_secret) {
        crate::say(&line);
    }
    crate::say("ready");
}

/// Ends well on a signal, badly when a part ends by itself.
async fn wait(parts: &mut [RunningPart]) -> Result<(), String> {
    let ended = futures_util::future::select_all(parts.iter_mut().map(|running| {
        let part = running.part;
        Box::pin(async move { (part, running.child.wait().await) })
    }));
    tokio::select! {
        ((part, status), _, _) = ended => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            Err(format!("the {part:?} ended by itself: {status}"))
        }
        () = crate::stop_signal() => Ok(()),
    }
}

async fn stop(mut parts: Vec<RunningPart>) {
    while let Some(mut running) = parts.pop() {
        drop(running.input.take());
        let patience = std::time::Duration::from_secs(10);
        if tokio::time::timeout(patience, running.child.wait()).await.is_err() {
            // It had its time; what it held is found again at the next start.
            let _ = running.child.kill().await;
        }
    }
}
