//! Terms of Use: plain documents by id, version and language.
//!
//! A file is `<document>/<version>.<locale>.md`. Of Markdown it may use `# headings`, `- lists` and paragraphs divided by
//! empty lines; everything else is text. `{company}` and `{product}` stand for the brand's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::message::substitute;
use super::source::{MAX_FILE, find_text};
use super::{Brand, LoadError, Locale};

/// The most documents with their versions and languages in a folder.
const MAX_DOCUMENTS: usize = 1024;

macro_rules! shipped {
    ($($document:literal / $version:literal . $locale:ident = $file:literal),* $(,)?) => {
        &[$(($document, $version, Locale::$locale, include_str!(concat!("../../../../config/terms/", $file)))),*]
    };
}

const SHIPPED: &[(&str, &str, Locale, &str)] =
    shipped!["portal_terms" / "1".En = "portal_terms/1.en.md", "portal_terms" / "1".Es = "portal_terms/1.es.md",];

/// All documents.
#[derive(Debug)]
pub(super) struct Documents(BTreeMap<(String, String, Locale), String>);

/// A document as a page shows it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TermsView {
    /// Its version.
    pub version: String,
    /// The language it is in: the default one where it is not translated.
    pub locale: Locale,
    /// Its parts, in order.
    pub blocks: Vec<TermsBlock>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TermsBlock {
    /// A heading.
    Heading {
        /// Its words.
        text: String,
    },
    /// A paragraph.
    Paragraph {
        /// Its words.
        text: String,
    },
    /// A list.
    List {
        /// Its items.
        items: Vec<String>,
    },
}

impl Documents {
    /// What ships, with the operator's folder laid over it.
    pub(super) fn load(dir: Option<&Path>) -> Result<Self, LoadError> {
        let mut documents = BTreeMap::new();
        for (document, version, locale, text) in SHIPPED {
            documents.insert(((*document).to_owned(), (*version).to_owned(), *locale), (*text).to_owned());
        }
        for folder in dir.map_or_else(|| Ok(Vec::new()), list)? {
            let Some(document) = plain_name(&folder).filter(|_| folder.is_dir()) else { continue };
            for file in list(&folder)? {
                let Some((version, locale)) = parse_name(&file) else { continue };
                if let Some(text) = find_text(&file, MAX_FILE)? {
                    documents.insert((document.clone(), version, locale), text);
                }
                if documents.len() > MAX_DOCUMENTS {
                    let reason = format!("holds more than {MAX_DOCUMENTS} documents");
                    return Err(LoadError::Unreadable { file: folder.display().to_string(), reason });
                }
            }
        }
        Ok(Self(documents))
    }

    /// The documents of any version. One that is not translated is shown in the language it is in.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0.keys().map(|(document, ..)| document.clone()).collect()
    }

    pub(super) fn has(&self, document: &str, version: &str) -> bool {
        Locale::ALL.into_iter().any(|locale| self.find_text(document, version, locale).is_some())
    }

    fn find_text(&self, document: &str, version: &str, locale: Locale) -> Option<&str> {
        self.0.get(&(document.to_owned(), version.to_owned(), locale)).map(String::as_str)
    }

    /// The document in `locale`, else in the first language that has it.
    pub(super) fn find(&self, document: &str, version: &str, locale: Locale, brand: &Brand) -> Option<TermsView> {
        let mut locales = [locale].into_iter().chain(Locale::ALL);
        let (locale, text) = locales.find_map(|l| self.find_text(document, version, l).map(|text| (l, text)))?;
        let filled = |text: &str| {
            substitute(text, |name| match name {
                "company" => Some(brand.name()),
                "product" => Some(brand.product()),
                _ => None,
            })
        };
        let blocks = text.split("\n\n").filter_map(|part| parse_block(part, &filled)).collect();
        Some(TermsView { version: version.to_owned(), locale, blocks })
    }
}

fn list(dir: &Path) -> Result<Vec<std::path::PathBuf>, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { file: dir.display().to_string(), reason };
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(error.to_string()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(|error| unreadable(error.to_string())));
    let mut paths = paths.take(MAX_DOCUMENTS).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// A file's or folder's name, if it is of `a-z`, digits, `-`, `_` and `.`.
fn plain_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    (name.len() <= 128 && name.bytes().all(plain)).then(|| name.to_owned())
}

/// Version and language in `2024-06.es.md`.
fn parse_name(path: &Path) -> Option<(String, Locale)> {
    let name = plain_name(path)?;
    let (version, locale) = name.strip_suffix(".md")?.rsplit_once('.')?;
    let locale = Locale::ALL.into_iter().find(|known| known.as_str() == locale)?;
    (!version.is_empty()).then(|| (version.to_owned(), locale))
}

fn parse_block(part: &str, filled: &impl Fn(&str) -> String) -> Option<TermsBlock> {
    let part = part.trim();
    let joined = |text: &str| filled(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if part.is_empty() {
        None
    } else if part.starts_with('#') {
        Some(TermsBlock::Heading { text: joined(part.trim_start_matches('#')) })
    } else if part.starts_with("- ") {
        let text = format!("\n{part}");
        Some(TermsBlock::List { items: text.split("\n- ").skip(1).map(joined).collect() })
    } else {
        Some(TermsBlock::Paragraph { text: joined(part) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_headings_lists_and_paragraphs() {
        let block = |text: &str| parse_block(text, &|text: &str| text.to_owned());
        assert_eq!(block("# Terms\nof Use"), Some(TermsBlock::Heading { text: "Terms of Use".to_owned() }));
        let items = vec!["one two".to_owned(), "three".to_owned()];
        assert_eq!(block("- one\n  two\n- three"), Some(TermsBlock::List { items }));
        assert_eq!(block("<b>a</b>\nb"), Some(TermsBlock::Paragraph { text: "<b>a</b> b".to_owned() }));
        assert_eq!(block(" \n "), None);
    }

    #[test]
    fn a_file_is_named_after_version_and_language() {
        let parsed = |name: &str| parse_name(Path::new(name));
        assert_eq!(parsed("x/2024-06.es.md"), Some(("2024-06".to_owned(), Locale::Es)));
        for bad in ["1.md", ".en.md", "1.fr.md", "1.en.html", "A.en.md", "1.en.md~"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
