//! The policies a node runs: built in or from a folder, proven before they may.

use std::path::{Path, PathBuf};

use countersign_flow::language::{Entry, Purpose, Requirement, Sso, StepKind};
use countersign_flow::{Finding, Policy, PolicySet, Severity, Surroundings, check, check_within, parse};
use countersign_model::fact::Fact;
use countersign_model::{Authentication, Timestamp};
use countersign_protocol::{Choices, LoginPolicy};

/// Where policies come from.
#[derive(Clone, Debug)]
pub enum PolicySource {
    /// Those of `config/policies`, compiled in; with `demo` also the policy `lab`.
    BuiltIn {
        /// Whether `lab`, password alone, is in the set.
        demo: bool,
    },
    /// As `BuiltIn`, but for the policies that need an upstream provider which is not there.
    BuiltInFor {
        /// Whether `lab`, password alone, is in the set.
        demo: bool,
        /// Ids of the upstream providers that are there.
        providers: Vec<String>,
    },
    /// Files ending in `.toml`, or folders of them.
    Files(Vec<PathBuf>),
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("config/policies/", $name), include_str!(concat!("../../../config/policies/", $name)))),*]
    };
}

const SHIPPED: &[(&str, &str)] = shipped![
    "login-options.toml",
    "change-email.toml",
    "change-password.toml",
    "change-phone.toml",
    "close-account.toml",
    "email.toml",
    "employees-close-account.toml",
    "employees-totp-enrol.toml",
    "employees-totp.toml",
    "employees.toml",
    "first-administrator.toml",
    "forgot-password.toml",
    "invitation.toml",
    "new-provider.toml",
    "passkey-enrol.toml",
    "passkey.toml",
    "phone.toml",
    "recovery-codes-enrol.toml",
    "recovery-codes.toml",
    "registration-2024.toml",
    "registration-link.toml",
    "registration-reset.toml",
    "registration.toml",
    "resume-registration.toml",
    "step-up-totp.toml",
    "totp-enrol.toml",
    "totp.toml",
];
const DEMO: &[(&str, &str)] = shipped!["demo/lab.toml"];

/// Largest policy file, in bytes.
const MAX_FILE: u64 = countersign_flow::MAX_FILE as u64;

/// A set that was read, and everything `check` has to say about it.
#[derive(Debug)]
pub struct CheckedPolicies {
    /// The policies; empty when a file did not parse.
    pub set: PolicySet,
    /// Findings, those of parsing first.
    pub findings: Vec<Finding>,
    /// The text of each policy.
    pub texts: Vec<String>,
}

impl CheckedPolicies {
    /// Whether a finding forbids running the set; an expired waiver alone does not (POLICIES, section 7).
    pub fn blocks_serve(&self) -> bool {
        self.findings.iter().any(Finding::blocks_serve)
    }

    /// Adds what is found with the pages, texts and clients around the set.
    pub fn prove_within(&mut self, around: &Surroundings<'_>) {
        self.findings.extend(check_within(&self.set, around));
        self.findings.sort_by(|one, other| (&one.file, one.line, one.code).cmp(&(&other.file, other.line, other.code)));
        self.findings.dedup();
    }

    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Reads and checks policies as of `now`; errs when a file cannot be read.
pub fn load_policies(source: &PolicySource, now: Timestamp) -> std::io::Result<CheckedPolicies> {
    let mut texts = read(source)?;
    if let PolicySource::BuiltInFor { providers, .. } = source {
        texts.retain(|(file, text)| has_providers(file, text, providers));
    }
    let mut policies = Vec::new();
    let mut findings = Vec::new();
    for (file, text) in &texts {
        match parse(file, text) {
            Ok(policy) => policies.push(policy),
            Err(more) => findings.extend(more),
        }
    }
    let set = PolicySet::new(policies);
    if findings.is_empty() {
        findings = check(&set, &date(now));
    }
    Ok(CheckedPolicies { set, findings, texts: texts.into_iter().map(|(_, text)| text).collect() })
}

/// Whether every upstream provider that a policy sends people to is among `providers`.
fn has_providers(file: &str, text: &str, providers: &[String]) -> bool {
    let Ok(policy) = parse(file, text) else { return true };
    policy.steps.iter().all(|step| match &step.kind {
        StepKind::Federate { provider } => providers.contains(provider),
        _ => true,
    })
}

fn read(source: &PolicySource) -> std::io::Result<Vec<(String, String)>> {
    let owned =
        |files: &[(&str, &str)]| files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    match source {
        PolicySource::BuiltIn { demo: false } | PolicySource::BuiltInFor { demo: false, .. } => Ok(owned(SHIPPED)),
        PolicySource::BuiltIn { demo: true } | PolicySource::BuiltInFor { demo: true, .. } => {
            Ok(owned(&[SHIPPED, DEMO].concat()))
        }
        PolicySource::Files(paths) => {
            let files = read_policy_files(paths)?;
            Ok(files.into_iter().map(|(file, text)| (file.display().to_string(), text)).collect())
        }
    }
}

/// Every policy file that `paths` name, files or folders of them, by name; errs when one cannot be read or is too large.
pub fn read_policy_files(paths: &[PathBuf]) -> std::io::Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    paths.iter().try_for_each(|path| list_files(path, &mut files))?;
    files.sort();
    files.into_iter().map(|file| read_file(&file).map(|text| (file, text))).collect()
}

fn list_files(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|error| naming(path, &error.to_string()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let length = std::fs::metadata(path).map_err(|error| naming(path, &error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(naming(path, &format!("larger than {MAX_FILE} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| naming(path, &error.to_string()))
}

/// An error that says which file it is about.
fn naming(path: &Path, why: &str) -> std::io::Error {
    std::io::Error::other(format!("{}: {why}", path.display()))
}

/// The day of a time, `YYYY-MM-DD`.
pub fn date_of(now: Timestamp) -> String {
    date(now)
}

fn date(now: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_millis(now.as_millis()).unwrap_or_default();
    time.format("%Y-%m-%d").to_string()
}

/// The running set and what the protocol wants to know of it.
pub(crate) struct Policies {
    set: PolicySet,
    login: Vec<LoginPolicy>,
    create: Vec<String>,
}

impl Policies {
    pub(crate) fn new(set: PolicySet) -> Self {
        let login = set.iter().filter_map(login_policy).collect();
        let registers = |policy: &&Policy| policy.purpose == Purpose::Register && policy.allows_entry(Entry::Authorize);
        let create = set.iter().filter(registers).map(|policy| policy.id.clone()).collect();
        Self { set, login, create }
    }

    pub(crate) fn set(&self) -> &PolicySet {
        &self.set
    }

    /// Policies that end in a login, with what they prove.
    pub(crate) fn login(&self) -> &[LoginPolicy] {
        &self.login
    }

    /// What a request may mean.
    pub(crate) fn choices(&self) -> Choices<'_> {
        Choices { login: &self.login, create: &self.create }
    }

    /// The policy of a client that names none.
    pub(crate) fn default_login(&self) -> &str {
        default_login(&self.set)
    }

    /// The policies for which a session with this login answers, remembered or not: its own, and those whose facts it
    /// contains, so that a step-up takes nothing away.
    pub(crate) fn list_answered_by_session<'a>(&'a self, known: &'a Authentication) -> impl Iterator<Item = &'a str> {
        let always = self.set.iter().filter(|policy| policy.sso == Sso::Always && policy.purpose == Purpose::Login);
        let answered = always.filter(|policy| policy.id == known.policy || contains(known, policy));
        answered.map(|policy| policy.id.as_str())
    }
}

/// Whether what `known` proved is all that `policy` asks of anybody. What it asks of some accounts alone is not known
/// here, nor which provider vouched.
fn contains(known: &Authentication, policy: &Policy) -> bool {
    let is_met = |require: &Requirement| {
        require.condition.is_none()
            && !require.factors.contains(Fact::Federated)
            && known.facts.is_superset(require.factors)
    };
    !policy.require.is_empty() && policy.require.iter().all(is_met)
}

/// The policy of `set` for a client that names none.
pub(crate) fn default_login(set: &PolicySet) -> &str {
    set.get("lab").map_or("login-options", |policy| policy.id.as_str())
}

fn login_policy(policy: &countersign_flow::Policy) -> Option<LoginPolicy> {
    if policy.purpose != Purpose::Login {
        return None;
    }
    // What every path proves: the requirements that hold without a condition.
    let facts =
        policy.require.iter().filter(|require| require.condition.is_none()).flat_map(|require| require.factors.iter());
    Some(LoginPolicy { id: policy.id.clone(), acr: policy.acr.clone()?, facts: facts.collect() })
}

#[cfg(test)]
mod tests {
    use countersign_flow::language::Guard;
    use countersign_model::{FactSet, SessionId, UserId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn known(facts: &[Fact]) -> Authentication {
        let hearsay = Authentication::hearsay(UserId::new(NOW, [1; 10]), SessionId::new(NOW, [2; 10]), NOW);
        Authentication { facts: facts.iter().copied().collect(), policy: "another".to_owned(), ..hearsay }
    }

    /// The policy `lab` with these requirements: whom they are of, and what they are.
    fn policy(requirements: &[(bool, &[Fact])]) -> Policy {
        let checked = load_policies(&PolicySource::BuiltIn { demo: true }, NOW).unwrap();
        let mut lab = checked.set.get("lab").unwrap().clone();
        let plain = lab.require[0].clone();
        let of_some = Guard::SessionRemembered;
        let require = requirements.iter().map(|(conditional, facts)| Requirement {
            condition: conditional.then(|| of_some.clone()),
            factors: facts.iter().copied().collect::<FactSet>(),
            ..plain.clone()
        });
        lab.require = require.collect();
        lab
    }

    #[test]
    fn a_session_stands_for_a_policy_whose_every_demand_on_anybody_it_met() {
        let (password, strong) = (known(&[Fact::Password]), known(&[Fact::Password, Fact::Mailbox, Fact::Federated]));
        let plain = policy(&[(false, &[Fact::Password])]);
        assert!(contains(&password, &plain) && contains(&strong, &plain));
        assert!(!contains(&password, &policy(&[(false, &[Fact::Password, Fact::Mailbox])])));
        // Of some accounts alone: whose this is, is not looked up here.
        let of_some = policy(&[(false, &[Fact::Password]), (true, &[Fact::Mailbox])]);
        assert!(!contains(&password, &of_some) && !contains(&strong, &of_some));
        assert!(!contains(&strong, &policy(&[(true, &[Fact::Password])])));
        // Another provider may have vouched.
        assert!(!contains(&strong, &policy(&[(false, &[Fact::Federated])])));
        assert!(!contains(&strong, &policy(&[])), "what demands nothing is met by nothing");
    }
}
