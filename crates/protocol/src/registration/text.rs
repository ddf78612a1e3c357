//! What people will read of a client that registers itself.

use serde_json::{Map, Value};
use url::Url;

use super::{MAX_LIST, MetadataError};

/// Longest text of a member that people see, in characters.
pub const MAX_TEXT: usize = 1000;
/// Longest name of a client, in characters.
const MAX_NAME: usize = 60;
/// Members that are kept as they are, in every language they come in (RFC 7591, 2.2).
const DESCRIPTIVE: [&str; 8] =
    ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "contacts", "software_id", "software_version"];

/// Whether `name` is shown to people or to programs that ask, whatever its language tag.
pub(super) fn is_descriptive(name: &str) -> bool {
    DESCRIPTIVE.contains(&base_of(name))
}

/// Bounded; addresses are those of the web.
pub(super) fn check(members: &Map<String, Value>) -> Result<(), MetadataError> {
    let fits = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() <= MAX_TEXT);
    for (name, value) in members.iter().filter(|(name, value)| is_descriptive(name) && !value.is_null()) {
        let base = base_of(name);
        let is_sound = match base {
            "contacts" => matches!(value, Value::Array(list) if list.len() <= MAX_LIST && list.iter().all(fits)),
            "client_name" => value.as_str().is_some_and(is_name),
            _ if base.ends_with("_uri") => fits(value) && value.as_str().is_some_and(is_web),
            _ => fits(value),
        };
        if !is_sound {
            return Err(MetadataError::new(format!("{base} is not of the right form")));
        }
    }
    Ok(())
}

fn base_of(name: &str) -> &str {
    name.split('#').next().unwrap_or_default()
}

/// Stands on pages and in mails that come from us: one short line of one direction that leads nowhere.
fn is_name(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let lower = text.to_ascii_lowercase();
    let leads = ["://", "www.", "@"].into_iter().any(|mark| lower.contains(mark));
    let length = text.chars().count();
    (1..=MAX_NAME).contains(&length) && !leads && !text.chars().any(|c| c.is_control() || turns(c))
}

fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|uri| matches!(uri.scheme(), "https" | "http") && uri.host().is_some())
}
