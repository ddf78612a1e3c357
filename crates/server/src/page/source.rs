//! Reads an operator's files, bounded.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::LoadError;

/// The largest text file taken from an operator, in bytes.
pub(super) const MAX_FILE: u64 = 256 * 1024;

/// The text of `path`, or nothing when there is no such file.
pub(super) fn find_text(path: &Path, max: u64) -> Result<Option<String>, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { file: path.display().to_string(), reason };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > max {
        return Err(unreadable(format!("is larger than {max} bytes")));
    }
    Ok(Some(text))
}

/// A TOML document; the error names the line.
pub(super) fn parse_toml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
        LoadError::invalid(file, &format!("line {line}"), error.message())
    })
}
