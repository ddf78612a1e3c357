//! The policy language as data: what a file that parsed declares (POLICIES.md, sections 2 and 3).

mod effect;
mod guard;
mod limits;
mod step;
mod words;

use countersign_model::{FactSet, Seconds};

pub use effect::EffectWord;
pub use guard::{AccountGuard, Guard};
pub use limits::{Budget, CodeRule, LockRule, StepLimits};
pub use step::{
    Branch, Choice, ChoiceOption, Clause, Destination, FormField, Otp, Step, StepKind, Stop, Switch, Target,
};
pub(crate) use words::Word;
pub use words::{
    Channel, CookieLife, CountScope, Entry, FieldName, FormInput, LoginName, MailboxRule, OnEdit, Outcome, PhoneShow,
    Purpose, Revocation, SendTo, Sso, Submit, UnknownRule, Validator, Voice,
};

use crate::Position;

/// The most steps a policy may have.
pub const MAX_STEPS: usize = 64;

/// A declared user flow: a finite state machine that parsed and whose local targets all exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id, unique in a set.
    pub id: String,
    /// File it came from, for findings.
    pub file: String,
    /// First 16 bytes of SHA-256 of the file's text with LF line ends: what running instances are pinned to.
    pub digest: [u8; 16],
    /// What it is for.
    pub purpose: Purpose,
    /// How an instance may be born.
    pub entry: Vec<Entry>,
    /// Index of the first step.
    pub start: usize,
    /// What a new version does to running instances.
    pub on_edit: OnEdit,
    /// What must be proven on every path to `issue`; all entries that apply hold together.
    pub require: Vec<Requirement>,
    /// Authentication context class it issues.
    pub acr: Option<String>,
    /// Where `acr` stands.
    pub acr_at: Position,
    /// Login policies whose acr a recovery or registration may claim, each with its place: the first whose requirements
    /// were met is claimed.
    pub claims_acr_of: Vec<(String, Position)>,
    /// Limits of a running instance.
    pub limits: PolicyLimits,
    /// Where `< Cancel` leads on every page.
    pub cancel: Option<Target>,
    /// Whether and how long a login may be remembered.
    pub remember: Option<Remember>,
    /// Whether a browser session may answer for it.
    pub sso: Sso,
    /// Which mailbox a registration uses.
    pub mailbox: MailboxRule,
    /// Webhooks it declares.
    pub webhooks: Vec<Webhook>,
    /// Its steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Where `id` stands.
    pub at: Position,
}

impl Policy {
    /// The step named `name`.
    pub fn find_step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether an instance may be born by `entry`.
    pub fn allows_entry(&self, entry: Entry) -> bool {
        self.entry.contains(&entry)
    }

    /// Everything it may require of anybody, conditions left aside: what its acr stands for.
    pub fn promised_facts(&self) -> FactSet {
        self.require.iter().filter(|r| r.is_for_all()).fold(FactSet::EMPTY, |all, r| all.union(r.factors))
    }

    /// Whether any step ends in `issue`.
    pub fn can_issue(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.kind, StepKind::Issue))
    }
}

/// One entry of `require`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Accounts it applies to; none: all.
    pub condition: Option<Guard>,
    /// Accounts of these it does not apply to, whatever the condition says: `unless`.
    pub unless: Vec<Guard>,
    /// What must have been proven.
    pub factors: FactSet,
    /// Why less than usual is accepted here, and until when.
    pub waive: Option<Waiver>,
    /// Where it stands.
    pub at: Position,
}

impl Requirement {
    /// Whether it applies where `holds` answers guards.
    pub fn applies(&self, holds: impl Fn(&Guard) -> bool) -> bool {
        self.condition.as_ref().is_none_or(&holds) && !self.unless.iter().any(holds)
    }

    /// Whether it is asked of everybody.
    pub const fn is_for_all(&self) -> bool {
        self.condition.is_none() && self.unless.is_empty()
    }

    /// The guards it asks.
    pub fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.condition.iter().chain(&self.unless)
    }

    /// Whom it is asked of, in words of the language.
    pub fn whom(&self) -> String {
        let condition = self.condition.as_ref().map_or_else(|| "everybody".to_owned(), ToString::to_string);
        let unless: Vec<String> = self.unless.iter().map(ToString::to_string).collect();
        if unless.is_empty() { condition } else { format!("{condition} unless {}", unless.join(", ")) }
    }
}

/// An accepted weakness with an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Name to speak of it.
    pub id: String,
    /// Reason.
    pub why: String,
    /// Last day it holds, `YYYY-MM-DD`.
    pub until: String,
    /// Where it stands.
    pub at: Position,
}

/// Limits of a running instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyLimits {
    /// Life of the instance in this policy, absolute.
    pub lifetime: Seconds,
    /// Longest pause between two inputs.
    pub idle: Seconds,
    /// Most inputs an instance may take.
    pub advances: u16,
}

/// How a login is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remember {
    /// Life of the remembered login, absolute.
    pub r#for: Seconds,
    /// Whether its cookie ends with the browser.
    pub cookie: CookieLife,
    /// Where the cookie's life stands.
    pub at: Position,
}

/// A webhook a guard or effect may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Time it has to answer.
    pub within: Seconds,
    /// The guard's value when it does not answer.
    pub fail: bool,
}
