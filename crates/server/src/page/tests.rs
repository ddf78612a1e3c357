//! Every page in every language, with honest and hostile values.
//!
//! `COUNTERSIGN_PREVIEWS=<folder> cargo test previews` writes the pages as files to look at in a browser.

mod guides;
mod mails;
mod markup;
mod operator;
mod samples;
mod states;

use std::collections::BTreeSet;
use std::path::Path;

use super::message::{parse, placeholders};
use super::*;
use samples::{hostile, samples};

fn pages() -> Pages {
    Pages::load(&PageSources::default()).unwrap()
}

fn shipped(locale: &str) -> super::message::Texts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/messages").join(format!("{locale}.toml"));
    parse(locale, &std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What a reader sees: tags gone, entities back, spaces single.
fn visible(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    let text: String = body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect();
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sample(name: &str) -> PageRequest {
    samples(Locale::En).into_iter().find(|(sample, _)| *sample == name).unwrap().1
}

#[test]
fn english_and_spanish_have_the_same_keys_and_values() {
    let (en, es) = (shipped("en"), shipped("es"));
    assert_eq!(en.keys().collect::<Vec<_>>(), es.keys().collect::<Vec<_>>());
    for (key, text) in &en {
        let names = |text| placeholders(text).collect::<BTreeSet<_>>();
        assert_eq!(names(text), names(&es[key]), "{key}");
        assert_eq!(text.contains('['), es[key].contains('['), "{key}");
        assert_eq!(text.is_empty(), es[key].is_empty(), "{key}");
        assert!(text != &es[key] || is_the_same_everywhere(key, text), "{key} is not translated: {text}");
    }
}

/// Ids, signs, names, and words that both languages share.
fn is_the_same_everywhere(key: &str, text: &str) -> bool {
    key.starts_with("like.")
        || key.rsplit('.').next() == Some("mood")
        || ["Error", "© {company}", "*", "NPI", "FAX"].contains(&text)
}

#[test]
fn every_page_has_a_template_and_a_sample() {
    let templates: BTreeSet<_> = templates::TEMPLATES.iter().map(|(name, _)| *name).collect();
    let sampled: BTreeSet<_> = samples(Locale::En).into_iter().map(|(_, request)| request.page).collect();
    for (page, template) in templates::PAGES {
        assert!(templates.contains(template), "{page}");
        assert!(sampled.contains(*page), "{page}");
        assert!(pages().has_page(page) && pages().has_message("", page, "title"), "{page}");
    }
    assert!(!pages().has_page("layout"));
}

#[test]
fn every_page_is_sound_html_in_every_language() {
    let pages = pages();
    for locale in Locale::ALL {
        for (name, request) in samples(locale) {
            let html = pages.render(&request).unwrap();
            markup::check(&html).unwrap_or_else(|reason| panic!("{name} {}: {reason}\n{html}", locale.as_str()));
            assert!(html.contains(&format!("<html lang=\"{}\" dir=\"ltr\">", locale.as_str())), "{name}");
            // The options of a passkey are JSON and have braces of their own.
            let options = request.values.get(values::PASSKEY_OPTIONS).map(|options| options.replace('"', "&quot;"));
            let own = html.replace(options.as_deref().unwrap_or("\0"), "");
            assert!(!own.contains('{') && !own.contains("undefined"), "{name}: a value is missing\n{html}");
        }
    }
}

#[test]
fn foreign_values_stay_text() {
    let pages = pages();
    for (name, request) in samples(Locale::En) {
        let html = pages.render(&hostile(request)).unwrap();
        markup::check(&html).unwrap_or_else(|reason| panic!("{name}: {reason}\n{html}"));
        assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{name}");
        assert!(!html.contains("x Acentra Health &amp;amp;"), "{name}: a value was read as a text");
    }
}

#[test]
fn nothing_in_a_page_needs_an_exception_from_the_policy() {
    let pages = pages();
    for (name, request) in samples(Locale::En) {
        let html = pages.render(&request).unwrap();
        for banned in [" style=", "<style", "javascript:", " onclick", " onload"] {
            assert!(!html.contains(banned), "{name}: {banned}");
        }
        for tag in html.split('<').filter(|tag| tag.starts_with("script")) {
            let ours = ["script src=\"/assets/pages-", "script src=\"/assets/passkey-"];
            assert!(ours.iter().any(|own| tag.starts_with(own)) && tag.trim_end().ends_with("defer>"), "{name}: {tag}");
        }
    }
}

#[test]
fn every_address_of_an_asset_is_served() {
    let pages = pages();
    for brand in ["default", "acentra", "kepro"] {
        let html = pages.render(&PageRequest::new("not_found", Locale::En, brand)).unwrap();
        let paths: Vec<_> = html.split("\"/assets/").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        assert_eq!(paths.len(), 5, "{paths:?}");
        for path in paths {
            assert!(pages.asset(path).is_some_and(|asset| asset.immutable && !asset.bytes.is_empty()), "{path}");
        }
    }
    assert_eq!(pages.asset_url("pages.css"), pages.asset("pages.css").map(|asset| asset.url.as_str()));
}

#[test]
fn every_stop_says_what_to_do_next_and_offers_a_way_on() {
    let pages = pages();
    for locale in Locale::ALL {
        for (page, template) in
            templates::PAGES.iter().filter(|(_, template)| ["stop.html", "message.html"].contains(template))
        {
            let next = ["next", "if_login"].map(|key| pages.messages.find(locale, "", page, key));
            assert!(next.iter().flatten().any(|text| text.len() > 20), "{page} ({template})");
        }
    }
}

#[test]
fn every_stop_page_is_named_by_a_shipped_policy_or_meant_for_those_of_operators() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let shipped: String = files.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let stops = templates::PAGES.iter().filter(|(_, template)| *template == "stop.html");
    let unnamed = stops.filter(|(page, _)| !shipped.contains(&format!("\"{page}\"")));
    // Where a policy's page is unknown; a `terms` step that routes `declined`; a link that nobody sent.
    assert_eq!(unnamed.map(|(page, _)| *page).collect::<Vec<_>>(), ["declined", "link_unknown", "stopped"]);
}

#[test]
fn every_page_of_a_shipped_policy_has_a_template_and_its_ways_on_have_words() {
    let pages = pages();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let policy: toml::Table = text.parse().unwrap();
        let id = policy["id"].as_str().unwrap();
        for (name, step) in policy["step"].as_table().unwrap() {
            let Some(page) = step.get("page").and_then(toml::Value::as_str).filter(|page| *page != "none") else {
                continue;
            };
            assert!(pages.has_page(page), "{id}.{name}: {page}");
            for list in ["options", "links"] {
                let ways = step.get(list).and_then(toml::Value::as_array).into_iter().flatten();
                for way in ways.map(|way| way["id"].as_str().unwrap()) {
                    let words = [format!("control.{way}"), way.to_owned()];
                    let said = words.iter().any(|key| pages.has_message(id, page, key));
                    assert!(said, "{id}.{name}: {way} on {page}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_control_notice_and_field_of_a_sample_has_words() {
    let catalogue = pages().messages;
    for (name, request) in samples(Locale::En) {
        let has = |key: String| catalogue.find(Locale::En, &request.policy, &request.page, &key).is_some();
        let fields = request.fields.iter().filter(|field| field.kind != "hidden");
        for key in fields.map(|field| format!("field.{}", field.name)) {
            assert!(has(key.clone()), "{name}: {key}");
        }
        for key in request.controls.iter().map(|control| format!("control.{}", control.value)) {
            assert!(has(key.clone()), "{name}: {key}");
        }
        for key in request.notices.iter().map(|notice| format!("notice.{}", notice.key)) {
            assert!(has(key.clone()), "{name}: {key}");
        }
    }
}

#[test]
fn the_shipped_terms_name_the_company_in_both_languages() {
    let pages = pages();
    assert!(pages.has_terms("portal_terms", "1") && !pages.has_terms("portal_terms", "0"));
    for locale in Locale::ALL {
        let terms = pages.find_terms("portal_terms", "1", locale, "kepro").unwrap();
        let text = format!("{:?}", terms.blocks);
        assert!(terms.locale == locale && text.contains("PORTAL") && text.matches("Kepro").count() > 2, "{text}");
        assert!(!text.contains('{'.to_string().repeat(2).as_str()) && !text.contains("{company}"));
    }
}

#[test]
fn an_unknown_page_is_an_error() {
    let error = pages().render(&PageRequest::new("../layout", Locale::En, "default")).unwrap_err();
    assert!(matches!(error, PageError::UnknownPage(_)));
}

#[test]
fn previews_are_written_where_asked() {
    let Some(folder) = std::env::var_os("COUNTERSIGN_PREVIEWS").map(PathBuf::from) else { return };
    let pages = pages();
    std::fs::create_dir_all(folder.join("assets/brand")).unwrap();
    for locale in Locale::ALL {
        for (name, request) in samples(locale) {
            let html = pages.render(&request).unwrap();
            for path in html.split("\"/assets/").skip(1).map(|rest| rest.split_once('"').unwrap().0) {
                std::fs::write(folder.join("assets").join(path), &pages.asset(path).unwrap().bytes).unwrap();
            }
            let html = html.replace("\"/assets/", "\"assets/").replace(" data-submit-now", "");
            std::fs::write(folder.join(format!("{name}.{}.html", locale.as_str())), html).unwrap();
        }
    }
}
