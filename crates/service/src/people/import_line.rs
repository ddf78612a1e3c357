//! A line of an import, as CSV or JSON: bounded, and told of in words that hold nothing of it.

use countersign_flow::password;
use countersign_model::UserId;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{check_name, read_email, read_username};

/// How an import is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// RFC 4180, with a header; a record is one line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// Columns and members, in the order of [`Fields`].
const NAMES: [&str; 6] = ["username", "email", "name", "organization", "hash", "id"];
/// Most columns.
const MAX_COLUMNS: usize = 32;

/// What a line says, unread.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    #[serde(default)]
    username: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default)]
    hash: Zeroizing<String>,
    #[serde(default)]
    id: Option<String>,
}

/// A person to be brought over.
pub(super) struct LegacyPerson {
    /// The id they keep, and with it the `sub` of their tokens.
    pub(super) id: Option<UserId>,
    pub(super) username: String,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// NPI of their provider group.
    pub(super) npi: Option<String>,
    /// None: the legacy portal is asked, if there is a connector.
    pub(super) hash: Option<Zeroizing<String>>,
}

/// The columns of a CSV file: which of [`NAMES`] each is.
pub(super) struct Header(Vec<usize>);

impl Header {
    /// Reads the first line.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let cells = split(line).ok_or_else(|| "the header is no CSV".to_owned())?;
        if cells.len() > MAX_COLUMNS {
            return Err("the header has too many columns".to_owned());
        }
        let mut columns = Vec::new();
        for cell in &cells {
            let name = cell.trim().to_lowercase();
            let known = NAMES.iter().position(|known| *known == name);
            let known = known.ok_or_else(|| format!("the columns are: {}; another is not known", NAMES.join(", ")))?;
            if columns.contains(&known) {
                return Err(format!("the column {name} is there twice"));
            }
            columns.push(known);
        }
        if columns.contains(&0) && columns.contains(&4) {
            Ok(Self(columns))
        } else {
            Err("the header must name the columns username and hash".to_owned())
        }
    }

    /// Reads a further line.
    pub(super) fn read(&self, line: &str) -> Result<Fields, &'static str> {
        let cells = split(line).ok_or("no CSV: a quote is not closed, or text follows one")?;
        if cells.len() != self.0.len() {
            return Err("another number of columns than the header");
        }
        let mut fields = Fields::default();
        for (column, mut cell) in self.0.iter().zip(cells) {
            let cell = std::mem::take(&mut *cell);
            match column {
                0 => fields.username = cell,
                1 => fields.email = Some(cell),
                2 => fields.name = Some(cell),
                3 => fields.organization = Some(cell),
                4 => fields.hash = Zeroizing::new(cell),
                _ => fields.id = Some(cell),
            }
        }
        Ok(fields)
    }
}

impl Fields {
    /// Reads a JSON object.
    pub(super) fn parse_json(line: &str) -> Result<Self, &'static str> {
        serde_json::from_str(line).map_err(|_| "no JSON object of username, email, name, organization, hash, id")
    }

    /// The person, or why there is none.
    pub(super) fn read(self) -> Result<LegacyPerson, &'static str> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let username = read_username(&self.username).map_err(|_| "the user name is missing or malformed")?;
        let email = given(self.email).map(|text| read_email(&text).map_err(|_| "the mail address is malformed"));
        let name = given(self.name).map(|text| {
            check_name(&text).map(str::to_owned).map_err(|_| "the name is too long or has control characters")
        });
        let hash = Some(Zeroizing::new(self.hash.trim().to_owned())).filter(|hash| !hash.is_empty());
        if hash.as_ref().is_some_and(|hash| password::check_stored(hash).is_err()) {
            return Err(
                "the hash is of no kind that can be verified, or costs too much (argon2, scrypt, pbkdf2, bcrypt)",
            );
        }
        let id = given(self.id).map(|text| text.trim().parse().map_err(|_| "the id is no UUID"));
        Ok(LegacyPerson {
            id: id.transpose()?,
            username,
            email: email.transpose()?,
            name: name.transpose()?,
            npi: given(self.organization),
            hash,
        })
    }
}

/// The cells of a record (RFC 4180); none: a quote is not closed, or text follows a closed one.
fn split(line: &str) -> Option<Vec<Zeroizing<String>>> {
    let mut cells = vec![Zeroizing::new(String::with_capacity(line.len()))];
    let mut chars = line.chars().peekable();
    let (mut quoted, mut closed) = (false, false);
    while let Some(c) = chars.next() {
        let cell = cells.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            '"' if cell.is_empty() && !closed => quoted = true,
            ',' if !quoted => {
                closed = false;
                cells.push(Zeroizing::new(String::new()));
            }
            _ if closed => return None,
            c => cell.push(c),
        }
    }
    (!quoted).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Option<Vec<String>> {
        split(line).map(|cells| cells.iter().map(|cell| cell.to_string()).collect())
    }

    #[test]
    fn quotes_commas_and_empty_cells_are_read_as_rfc_4180_has_it() {
        assert_eq!(cells("a,\"b"), None, "a quote that does not end");
        assert_eq!(cells(r#"a,"b,""c""",,"#), Some(["a", "b,\"c\"", "", ""].map(str::to_owned).to_vec()));
        assert_eq!(cells(r#""a"b"#), None);
        assert_eq!(cells(r#"a"b"#), Some(vec!["a\"b".to_owned()]));
    }

    #[test]
    fn a_header_names_what_there_is_once_and_the_name_and_hash_at_least() {
        assert!(Header::parse("Hash, username ,email").is_ok());
        for wrong in ["username,email", "username,hash,hash", "username,hash,shoe", "", "\""] {
            assert!(Header::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_line_makes_reading_panic() {
        let header = Header::parse("username,email,name,organization,hash,id").unwrap();
        let words =
            ["", "\"", "\"\"", ",", ",,,,", "{}", "{\"username\":1}", "[", "\u{0}", "é@ü", "$2b$", "$scrypt$ln=4,"];
        for first in words {
            for second in words {
                let line = format!("{first}{second}");
                let _ = header.read(&line).map(Fields::read);
                let _ = Fields::parse_json(&line).map(Fields::read);
                let _ = Header::parse(&line);
            }
        }
    }
}
