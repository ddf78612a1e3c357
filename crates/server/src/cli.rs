//! The command line: `countersign <command>`. Exit 0: fine; 1: a finding or a refusal; 2: usage.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use countersign_protocol::report::Yardstick;

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
    /// Say whether the node of this configuration, on this host, is ready; exit 1 when it is not.
    Health(ConfigArgs),
    /// User-flow policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// People: invite, look at, reset, disable, import.
    #[command(subcommand)]
    User(UserCommand),
    /// Provider groups, which people name by NPI and registration code when they register.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Registered clients.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The audit log: verify, prove, export.
    #[command(subcommand)]
    Audit(AuditCommand),
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
        /// Policy files, or folders of them; none: those of the configuration, else the policies built in.
        paths: Vec<PathBuf>,
        /// Also prove them against the pages, texts and clients of this configuration, those in its database included.
        #[command(flatten)]
        config: ConfigArgs,
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
    /// Try a policy out in the terminal, with a fake account and a courier that shows the code; exit 1 when the input ends
    /// before the flow does.
    Run(RunArgs),
    /// Tell what changes between two versions: factors, limits, paths lost and gained, and with --config how many running
    /// instances it concerns; exit 1 when something does, 2 when a version cannot be read.
    Diff {
        /// The old file or folder.
        old: PathBuf,
        /// The new file or folder.
        new: PathBuf,
        /// A configuration with a Redis: how many running instances the edit would pin, restart or kill. Where they cannot be
        /// counted, as in a cluster, the rest is told all the same, and why.
        #[command(flatten)]
        config: ConfigArgs,
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

/// What can be done for people. WHO is a mail address or a user name.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Tell what happened to a person's attempts, why each stopped and what to do next; nothing secret.
    Timeline {
        /// Whose.
        who: String,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
    /// Mail somebody a link to register; makes the account when there is none.
    Invite(InviteArgs),
    /// Make an account that may do everything in the console, and show the link, good once, to register it. Mails nothing.
    CreateAdmin(AdminArgs),
    /// Take password and factors away, end what is signed in, and mail the link of a registration.
    ResetRegistration {
        /// Whose.
        who: String,
        /// Why; kept in the audit.
        #[arg(long)]
        reason: String,
        /// Also when it is an administrator's account.
        #[arg(long)]
        force: bool,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
    /// Let a person sign in no more, and end what is signed in.
    Disable {
        /// Whom.
        who: String,
        /// Why; kept in the audit.
        #[arg(long)]
        reason: String,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
    /// Let a person sign in again.
    Enable {
        /// Whom.
        who: String,
        /// Why; kept in the audit.
        #[arg(long)]
        reason: String,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
    /// What people may do in the console.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Bring people over from the legacy portal, with their password hashes; exit 1 when a line is rejected.
    Import {
        /// The file: username, email, name, organization (NPI), hash (PHC string or bcrypt); - for standard input.
        file: PathBuf,
        /// How it is written.
        #[arg(long)]
        format: PeopleFormat,
        /// Look at every line and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
}

/// What can be done with the audit log. Places count from 0.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Tell the public key that checkpoints are verified with.
    Key(ConfigArgs),
    /// Tell the newest checkpoint; what waits is placed and signed before.
    Checkpoint(ConfigArgs),
    /// Read the whole log and compare it with what was signed; exit 1 and the first bad entry when it is not that.
    Verify {
        /// A checkpoint that was kept elsewhere; may be repeated.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// How it is run and answers.
        #[command(flatten)]
        options: UserOptions,
    },
    /// Write the entries about a token, and for each the proof that it is in the log.
    Prove {
        /// `jti` of the token; it may begin with a dash.
        #[arg(long, required_unless_present = "position", allow_hyphen_values = true)]
        jti: Option<String>,
        /// Place of an entry instead.
        #[arg(long, conflicts_with = "jti")]
        position: Option<u64>,
        /// Folder for POSITION.entry and POSITION.proof.
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write the hashes that show that the log of NEW entries begins with that of OLD (RFC 9162, 2.1.4), a line each.
    Consistency {
        /// Size of the older checkpoint.
        old: u64,
        /// Size of the newer checkpoint.
        new: u64,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write the entries, a line each, exactly as they are hashed.
    Export {
        /// The first place.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// As events of the Open Cybersecurity Schema Framework instead.
        #[arg(long)]
        ocsf: bool,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Tell how far each system that is given the log has it.
    Sinks(ConfigArgs),
    /// Write the last entries, and go on with what comes.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u64,
        /// Go on until it is stopped.
        #[arg(long, short)]
        follow: bool,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// What can be done with roles.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Let a person do what the role allows; at once.
    Grant(RoleArgs),
    /// Let a person do it no more; at once.
    Revoke(RoleArgs),
}

/// Who holds which role.
#[derive(Debug, Args)]
pub struct RoleArgs {
    /// Who.
    pub who: String,
    /// The role.
    pub role: RoleName,
    /// NPI of the organization whose people a provider administrator looks after; may be granted more than once.
    /// Revoking without it is of the role and of all its organizations.
    #[arg(long, value_name = "NPI")]
    pub organization: Option<String>,
    /// Why; kept in the audit.
    #[arg(long)]
    pub reason: String,
    /// How it is run and answers.
    #[command(flatten)]
    pub options: UserOptions,
}

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Looks after everybody.
    Administrator,
    /// Looks after the people of organizations.
    ProviderAdministrator,
    /// Reads timelines.
    HelpDesk,
    /// Reads the audit.
    SecurityAuditor,
}

/// What an organization takes for an NPI.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum NpiValidator {
    /// Ten digits with their check digit.
    Npi,
    /// That, or another id in its place.
    NpiOrOther,
}

/// What can be done with provider groups.
#[derive(Debug, Subcommand)]
pub enum OrganizationCommand {
    /// Enter one; when its NPI is known with this code nothing changes but its validator, if one is given.
    Add {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Its National Provider Identifier, or what stands in for it.
        #[arg(long)]
        npi: String,
        /// What its people may type as NPI: an NPI alone, or another id in its place (the default).
        #[arg(long, value_enum)]
        validator: Option<NpiValidator>,
        /// The file that holds its registration code; - for standard input.
        #[arg(long, value_name = "FILE")]
        code_file: PathBuf,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List all of them; their codes are not known.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// How a command for people is run and answers.
#[derive(Debug, Args)]
pub struct UserOptions {
    /// Answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Who is invited.
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// Mail address the link goes to.
    #[arg(long)]
    pub email: String,
    /// Full name.
    #[arg(long)]
    pub name: String,
    /// User name, if they are to have one from the start.
    #[arg(long)]
    pub username: Option<String>,
    /// NPI of their organization.
    #[arg(long, value_name = "NPI")]
    pub organization_npi: Option<String>,
    /// Client where the registration ends; none: the account page.
    #[arg(long, value_name = "CLIENT_ID")]
    pub client: Option<String>,
    /// Language of the mail.
    #[arg(long, default_value = "en", value_parser = ["en", "es"])]
    pub locale: String,
    /// How it is run and answers.
    #[command(flatten)]
    pub options: UserOptions,
}

/// Who becomes an administrator.
#[derive(Debug, Args)]
pub struct AdminArgs {
    /// Mail address they will sign in with.
    pub email: String,
    /// Full name.
    #[arg(long)]
    pub name: String,
    /// Also when there is an administrator.
    #[arg(long)]
    pub another: bool,
    /// Language of the pages.
    #[arg(long, default_value = "en", value_parser = ["en", "es"])]
    pub locale: String,
    /// How it is run and answers.
    #[command(flatten)]
    pub options: UserOptions,
}

/// How an import is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PeopleFormat {
    /// RFC 4180 with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// What a dry run is told.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Id of the policy.
    pub policy: String,
    /// Policy files, or folders of them; none: the policies built in.
    pub paths: Vec<PathBuf>,
    /// What the fake account has, or is, beside mail address, mailbox and password; may be repeated.
    #[arg(long, value_enum)]
    pub account: Vec<AccountTrait>,
    /// File with the inputs, a line each; none: standard input.
    #[arg(long)]
    pub script: Option<PathBuf>,
    /// What happens as JSON, a line each.
    #[arg(long)]
    pub json: bool,
}

/// What a fake account has, or is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccountTrait {
    /// A phone.
    Phone,
    /// An authenticator app.
    Totp,
    /// A passkey.
    Passkey,
    /// A password of the legacy portal, and none of its own.
    Legacy,
    /// A registration that stopped half way.
    Incomplete,
    /// The Terms of Use are still to be accepted.
    TermsDue,
    /// Disabled.
    Disabled,
    /// There is no such account.
    Nobody,
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

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register those of a JSON array of RFC 7591 metadata with `client_id`, or replace what is registered under their
    /// ids. A client that needs a secret and has none is given one, which is printed once.
    Add {
        /// The file; - for standard input.
        file: PathBuf,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List all of them, without their secrets.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Give a client another secret, which is printed once; its old ones go on for a while.
    RotateSecret {
        /// Its `client_id`.
        client: String,
        /// Hours for which the old secrets go on.
        #[arg(long, default_value_t = 24)]
        keep_hours: u32,
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
    /// Judge it and the registered clients against OAuth 2.1, RFC 9700 and FAPI 2.0, and name the clients that keep what
    /// is off.
    Report {
        /// The form of the report.
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
        /// End with 1 when something deviates from these: `oauth2.1`, `rfc9700`, `fapi2`, `protocol` (a client keeps what
        /// is off), each of which may be followed by `:should` to count recommendations too.
        #[arg(long, value_name = "YARDSTICK", value_delimiter = ',')]
        fail_on: Vec<FailOn>,
        /// Where the configuration is.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ReportFormat {
    /// A line a deviation.
    #[default]
    Text,
    /// A JSON array.
    Json,
    /// A page.
    Html,
}

/// What makes a report fail.
#[derive(Clone, Copy, Debug)]
pub struct FailOn {
    /// Deviations from what.
    pub yardstick: Yardstick,
    /// Whether recommendations count.
    pub should: bool,
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, weight) = text.split_once(':').unwrap_or((text, "must"));
        let yardstick = Yardstick::from_name(name).filter(|_| matches!(weight, "must" | "should"));
        let yardstick = yardstick.ok_or("one of oauth2.1, rfc9700, fapi2, protocol, alone or with :should")?;
        Ok(Self { yardstick, should: weight == "should" })
    }
}
