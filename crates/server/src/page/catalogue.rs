//! What pages, texts, mails and documents ship: what `policy check` proves E10 and E11 against.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_service::policy::{Catalogue, PageParts, Texts};

use super::templates::{PAGES, TEMPLATES};
use super::{LoadError, Locale};

/// Buttons of the engine that a page of generic buttons shows.
const ENGINE: [&str; 15] = [
    "login",
    "return",
    "cancel",
    "forgot",
    "verify",
    "resend",
    "send",
    "call",
    "continue",
    "change",
    "next",
    "set",
    "accept",
    "decline",
    "federated",
];

/// The pages, with the texts and documents that ship and those of the operator's folders.
pub fn load(messages_dir: Option<&Path>, terms_dir: Option<&Path>) -> Result<Catalogue, LoadError> {
    let messages = super::message::Catalogue::load(messages_dir)?;
    let documents = super::terms::Documents::load(terms_dir)?;
    let mut pages: std::collections::BTreeMap<String, PageParts> =
        PAGES.iter().map(|(page, template)| ((*page).to_owned(), read_parts(template))).collect();
    // Nobody reads the page of a step that sends the browser on at once: its buttons are the message page's.
    pages.entry("federation".to_owned()).or_insert_with(|| read_parts("form.html"));
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let texts = |locale: Locale| Texts {
        keys: messages.keys().into_iter().map(str::to_owned).collect(),
        mails: names(countersign_service::list_mail_templates(locale.as_str())),
        calls: names(vec!["verification_code"]),
        documents: documents.names(),
    };
    let locales = Locale::ALL.into_iter().map(|locale| (locale.as_str().to_owned(), texts(locale)));
    Ok(Catalogue { pages, locales: locales.collect() })
}

/// Inputs and buttons that a template and what it includes name.
fn read_parts(template: &str) -> PageParts {
    let source = with_included(template, &mut BTreeSet::new());
    let words: BTreeSet<String> = source.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let any_field = source.contains("in view.fields");
    let mut controls = words.clone();
    if source.contains("in view.controls") || source.contains("view.controls |") {
        controls.extend(ENGINE.map(str::to_owned));
    }
    let any_option = source.contains("view.options") || source.contains("view.links");
    PageParts { fields: words, any_field, controls, any_option, keys: BTreeSet::new() }
}

fn with_included(template: &str, seen: &mut BTreeSet<String>) -> String {
    let Some((_, source)) = TEMPLATES.iter().find(|(name, _)| *name == template) else { return String::new() };
    if !seen.insert(template.to_owned()) {
        return String::new();
    }
    let mut all = (*source).to_owned();
    for call in ["{% include \"", "{% extends \""] {
        for (name, _) in source.split(call).skip(1).filter_map(|rest| rest.split_once('"')) {
            all.push_str(&with_included(name, seen));
        }
    }
    all
}
