//! The texts of the pages, by locale and key.
//!
//! A key is looked up as `policy.page.key`, then the same of the policy that `like.<policy>` names, then `page.key`, then
//! `common.key`. `{name}` stands for a value of the brand or the page, `[...]` for the part of a sentence that is a link or
//! button. An empty text hides what is optional on a page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{MAX_FILE, find_text, parse_toml};
use super::{LoadError, Locale};

/// What a text may have in braces.
const PLACEHOLDERS: [&str; 13] = [
    "company",
    "product",
    "application",
    "email",
    "lifetime",
    "link_lifetime",
    "invitation_lifetime",
    "remember_lifetime",
    "retry",
    "time",
    "count",
    "number",
    "least",
];
/// The longest text, in bytes, and the most keys in one file.
const MAX_TEXT: usize = 4000;
const MAX_KEYS: usize = 4096;
/// `policy.page.notice.key` is the deepest key.
const MAX_DEPTH: usize = 5;

const SHIPPED: [(Locale, &str, &str); 2] = [
    (Locale::En, "config/messages/en.toml", include_str!("../../../../config/messages/en.toml")),
    (Locale::Es, "config/messages/es.toml", include_str!("../../../../config/messages/es.toml")),
];

/// Texts of one locale by full key.
pub(super) type Texts = BTreeMap<String, String>;

/// All texts that are not a brand's own.
#[derive(Debug)]
pub struct Catalogue {
    texts: BTreeMap<Locale, Texts>,
}

impl Catalogue {
    /// What ships, with the operator's keys laid over it; every locale must have every key.
    pub(super) fn load(overriding: Option<&Path>) -> Result<Self, LoadError> {
        let mut texts = BTreeMap::new();
        for (locale, file, text) in SHIPPED {
            let mut of_locale = parse(file, text)?;
            if let Some(dir) = overriding {
                let path = dir.join(format!("{}.toml", locale.as_str()));
                if let Some(text) = find_text(&path, MAX_FILE)? {
                    of_locale.extend(parse(&path.display().to_string(), &text)?);
                }
            }
            texts.insert(locale, of_locale);
        }
        let catalogue = Self { texts };
        catalogue.check_locales()?;
        Ok(catalogue)
    }

    /// The text with the most specific key.
    pub fn find(&self, locale: Locale, policy: &str, page: &str, key: &str) -> Option<&str> {
        candidates(&self.list_kin(policy), page, key).find_map(|full| self.find_exact(locale, &full))
    }

    /// The policies whose texts are those of `policy`: itself, and the one it is like.
    pub(super) fn list_kin(&self, policy: &str) -> Vec<String> {
        let like = self.find_exact(Locale::default(), &format!("like.{policy}"));
        [policy].into_iter().chain(like).filter(|kin| !kin.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn find_exact(&self, locale: Locale, full_key: &str) -> Option<&str> {
        self.texts.get(&locale)?.get(full_key).map(String::as_str)
    }

    /// Every full key of every locale.
    pub fn keys(&self) -> BTreeSet<&str> {
        self.texts.values().flat_map(BTreeMap::keys).map(String::as_str).collect()
    }

    fn check_locales(&self) -> Result<(), LoadError> {
        for key in self.keys() {
            for locale in Locale::ALL {
                if self.find_exact(locale, key).is_none() {
                    let file = format!("messages/{}.toml", locale.as_str());
                    return Err(LoadError::invalid(&file, key, "has no text in this language"));
                }
            }
        }
        Ok(())
    }
}

/// The full keys under which `key` may stand, the most specific first.
pub(super) fn candidates(policies: &[String], page: &str, key: &str) -> impl Iterator<Item = String> {
    let specific = policies.iter().map(move |policy| format!("{policy}.{page}.{key}"));
    specific.chain([format!("{page}.{key}"), format!("common.{key}")])
}

/// A message file as full keys and texts.
pub(super) fn parse(file: &str, text: &str) -> Result<Texts, LoadError> {
    let table: toml::Table = parse_toml(file, text)?;
    let mut texts = Texts::new();
    flatten(file, "", &table, 1, &mut texts)?;
    Ok(texts)
}

fn flatten(file: &str, prefix: &str, table: &toml::Table, depth: usize, texts: &mut Texts) -> Result<(), LoadError> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::String(text) => {
                check_text(text).map_err(|reason| LoadError::invalid(file, &key, reason))?;
                texts.insert(key, text.clone());
            }
            toml::Value::Table(inner) if depth < MAX_DEPTH => flatten(file, &key, inner, depth + 1, texts)?,
            _ => return Err(LoadError::invalid(file, &key, "is neither a text nor a table of texts")),
        }
        if texts.len() > MAX_KEYS {
            return Err(LoadError::invalid(file, prefix, format!("there are more than {MAX_KEYS} texts")));
        }
    }
    Ok(())
}

/// A text must fit and use only values that exist.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    for name in placeholders(text) {
        if !PLACEHOLDERS.contains(&name) {
            return Err(format!("{{{name}}} is not a value; there are {}", PLACEHOLDERS.join(", ")));
        }
    }
    Ok(())
}

/// The names in braces.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// `text` with the values in place of their names; what has no value stays empty.
pub(super) fn substitute<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some((name, tail)) = after.split_once('}') {
            out.push_str(value(name).unwrap_or_default());
            rest = tail;
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// A sentence cut at its `[link]`: before, link, after. Without one, all of it is the link.
pub(super) fn cut_at_link(text: &str) -> (&str, &str, &str) {
    let cut =
        text.split_once('[').and_then(|(before, rest)| rest.split_once(']').map(|(link, after)| (before, link, after)));
    cut.unwrap_or(("", text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once_and_not_read_again() {
        let value = |name: &str| match name {
            "company" => Some("{product} & Co"),
            "product" => Some("never"),
            _ => None,
        };
        assert_eq!(substitute("a {company} b {nothing}c {open", value), "a {product} & Co b c {open");
        assert_eq!(substitute("", value), "");
        assert_eq!(substitute("}{", value), "}{");
    }

    #[test]
    fn a_sentence_is_cut_at_its_link() {
        assert_eq!(cut_at_link("you can [register here]."), ("you can ", "register here", "."));
        assert_eq!(cut_at_link("register"), ("", "register", ""));
        assert_eq!(cut_at_link("open [here"), ("", "open [here", ""));
    }

    #[test]
    fn the_policys_text_wins_over_the_pages_which_wins_over_the_common_one() {
        let (catalogue, page) = (Catalogue::load(None).unwrap(), "email_verify");
        let keys: Vec<_> = candidates(&catalogue.list_kin("invitation"), page, "sent").collect();
        let own = ["invitation.email_verify.sent", "registration.email_verify.sent"];
        assert_eq!(keys, [own[0], own[1], "email_verify.sent", "common.sent"]);
        assert_eq!(candidates(&catalogue.list_kin(""), "error", "title").next().as_deref(), Some("error.title"));
    }

    #[test]
    fn a_bad_file_is_refused_with_file_and_key() {
        let deep = "[a.b.c.d.e]\nf = 'x'";
        let long = format!("[a]\nb = '{}'", "x".repeat(MAX_TEXT + 1));
        for (text, key) in [
            ("[sign_in]\ntitle = 4", "sign_in.title"),
            ("[sign_in]\ntitle = 'Hi {user}'", "sign_in.title"),
            ("[sign_in]\n\ntitle = ", "line 3"),
            (deep, "a.b.c.d.e"),
            (&long, "a.b"),
        ] {
            let error = parse("x.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("x.toml: {key}: ")), "{error}");
        }
    }
}
