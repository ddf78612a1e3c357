//! What `parse` and `check` have to say about a policy file.

use std::fmt;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Should be looked at; the policy runs.
    Warning,
    /// The policy must not run.
    Error,
}

impl Severity {
    /// The word in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place in a policy file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// One finding, with its place and, where a path leads to it, the shortest such path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Code of POLICIES.md section 4, such as `E40`. `E00`: the file's shape; `E09`: not runnable yet; `E61`: acr or id used twice.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Policy concerned; empty when the file did not get that far.
    pub policy: String,
    /// File it stands in.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Counterexample: the steps from the start to the fault; empty where no path matters.
    pub path: Vec<String>,
    /// Whether an expired waiver alone causes it: an error for activation, a loud warning for `serve` (section 7).
    pub waiver_expired: bool,
}

impl Finding {
    /// Whether `serve` must refuse the set because of it.
    pub fn blocks_serve(&self) -> bool {
        self.severity == Severity::Error && !self.waiver_expired
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {} {}", self.file, self.line, self.column, self.code, self.message)?;
        if !self.path.is_empty() {
            write!(f, "; path {}", self.path.join(" > "))?;
        }
        Ok(())
    }
}
