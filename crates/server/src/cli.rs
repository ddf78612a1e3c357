//! The command line: `countersign <command>`. Exit 0: fine; 1: a finding or a refusal; 2: usage.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// An OAuth 2.0 and OpenID Connect provider whose user flows are proven before they run.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the provider with demo data, a sandbox for mails, texts and calls, and a sample case portal.
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
    /// One of the demo's processes; it reads its settings from the environment and ends with its standard input.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoChild {
        /// Which one.
        part: crate::demo::Part,
    },
    /// Run one node.
    Serve(ServeArgs),
    /// Bring the database to this version's schema.
    Migrate(ConfigArgs),
    /// User-flow policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How a node is started.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Listen here instead of server.listen; may be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<SocketAddr>,
}

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Prove that every path to a token carries the factors it must; exit 1 when one does not.
    Check {
        /// Policy files, or folders of them; none: the policies built in.
        paths: Vec<PathBuf>,
        /// Findings as JSON.
        #[arg(long)]
        json: bool,
        /// Also list the least sets of things that pass each login policy.
        #[arg(long)]
        sets: bool,
    },
    /// Draw a policy's machine as SVG.
    Draw {
        /// Id of the policy.
        policy: String,
        /// Policy files, or folders of them; none: the policies built in.
        paths: Vec<PathBuf>,
        /// As a Mermaid flowchart.
        #[arg(long)]
        mermaid: bool,
    },
    /// List every path of a policy.
    Paths {
        /// Id of the policy.
        policy: String,
        /// Policy files, or folders of them; none: the policies built in.
        paths: Vec<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell what changes between two versions: factors, limits, paths lost and gained; exit 1 when something does.
    Diff {
        /// The old file or folder.
        old: PathBuf,
        /// The new file or folder.
        new: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put policy files into their canonical form; comments stay.
    Fmt {
        /// Policy files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Change nothing; exit 1 when a file is not in its canonical form.
        #[arg(long)]
        check: bool,
    },
}

/// What can be done with signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List them, never a private half.
    List {
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new key for each algorithm: published now, used after lifetimes.key_announcement.
    Rotate {
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether `serve` would accept it.
    Check {
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
}
