//! From the text of a policy file to a `Policy`: every error with its place, several together.

mod limits;
mod policy;
mod reader;
mod step;
mod target;

use aws_lc_rs::digest;
use toml::de::DeTable;

use crate::Finding;
use crate::language::Policy;
pub(crate) use reader::parse_duration;
use reader::{Report, Table};

/// Largest policy file, in bytes.
pub const MAX_FILE: usize = 64 * 1024;

/// Reads a policy file; `file` is its name in findings.
///
/// # Errors
/// All findings of the file together, in the order of the text: `E00` for its shape (TOML, unknown or missing keys,
/// types, ranges), `E01` to `E05` for unknown kinds, outcomes, guards and targets, and outcomes that lead nowhere.
pub fn parse(file: &str, text: &str) -> Result<Policy, Vec<Finding>> {
    let mut report = Report::new(file, text);
    if text.len() > MAX_FILE {
        report.error("E00", 0, format!("the file is larger than {MAX_FILE} bytes"));
        return Err(report.finish());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.error("E00", error.span().map_or(0, |span| span.start), error.message().to_owned());
    }
    if !errors.is_empty() {
        return Err(report.finish());
    }
    let policy = policy::read(&mut report, Table::new(root.get_ref(), 0, "the policy"), digest(text));
    let findings = report.finish();
    if findings.is_empty() { Ok(policy) } else { Err(findings) }
}

/// What instances are pinned to: a file that differs in its line ends alone is the same policy.
fn digest(text: &str) -> [u8; 16] {
    let hash = digest::digest(&digest::SHA256, text.replace("\r\n", "\n").as_bytes());
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    short
}

#[cfg(test)]
mod tests;
