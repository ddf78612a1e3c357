//! Templates and what they may call.
//!
//! A template sees the [`PageRequest`] as `view` and may call: `t(key)` for a text, `t_or(key, other)` where the key is
//! made from data, `parts(key)` for a sentence cut at its link. Everything is escaped; nothing is marked safe.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, context};
use serde::Serialize;

use super::message::{Catalogue, candidates, cut_at_link, substitute};
use super::templates::{HELP, PAGES, TEMPLATES, find_template, list_parts};
use super::view::values;
use super::{Brand, LoadError, Locale, NoticeView, PageError, PageRequest, Pages, Tone};

/// The least number of characters of a new password where nothing else is said (NIST SP 800-63B-4, 3.1.1.2).
const LEAST_PASSWORD: &str = "8";

/// The engine with every shipped template in it.
pub(super) fn environment() -> Result<Environment<'static>, LoadError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_formatter(write_escaped);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| template_error("syntax", error.to_string()))?);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(|error| template_error(name, error.to_string()))?;
    }
    Ok(environment)
}

/// Escapes what HTML needs escaped in text and in attributes in double quotes, the only ones the templates have; the
/// engine's own formatter would also turn every slash and apostrophe of a text into a reference.
fn write_escaped(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let Some(mut rest) = value.as_str().filter(|_| !value.is_safe()) else {
        return minijinja::escape_formatter(out, state, value);
    };
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        let (before, special) = rest.split_at(at);
        out.write_str(before)?;
        out.write_str(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            _ => "&quot;",
        })?;
        rest = special.get(1..).unwrap_or_default();
    }
    Ok(out.write_str(rest)?)
}

fn template_error(template: &str, reason: String) -> LoadError {
    LoadError::Template { template: template.to_owned(), reason }
}

/// Every text that a template asks for by a fixed key stands in every locale, for every page that the template shows.
pub(super) fn check_keys(messages: &Catalogue) -> Result<(), LoadError> {
    for (page, template) in PAGES {
        for (name, source) in list_parts(template) {
            for key in fixed_keys(source) {
                for locale in Locale::ALL {
                    if messages.find(locale, "", page, key).is_none() {
                        let reason = format!("{}: the text {page}.{key} is missing", locale.as_str());
                        return Err(template_error(name, reason));
                    }
                }
            }
        }
    }
    Ok(())
}

/// The keys in `t("...")` and `parts("...")`.
pub(super) fn fixed_keys(source: &str) -> impl Iterator<Item = &str> {
    ["t(\"", "parts(\""].into_iter().flat_map(move |call| {
        let calls = source.match_indices(call).filter(move |(at, _)| !is_inside_word(source, *at));
        calls.filter_map(move |(at, _)| source[at + call.len()..].split_once('"')).filter_map(|(key, rest)| {
            // `t("notice." ~ key)` is made from data and has a fallback.
            rest.trim_start().starts_with([')', ',']).then_some(key)
        })
    })
}

fn is_inside_word(source: &str, at: usize) -> bool {
    source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The texts as one page sees them.
struct Texts {
    messages: Arc<Catalogue>,
    brand: Arc<Brand>,
    locale: Locale,
    /// The page's policy and the one that it is like.
    policies: Vec<String>,
    page: String,
    values: BTreeMap<&'static str, String>,
}

impl Texts {
    fn new(pages: &Pages, brand: &Arc<Brand>, request: &PageRequest) -> Self {
        let mut texts = Self {
            messages: Arc::clone(&pages.messages),
            brand: Arc::clone(brand),
            locale: request.locale,
            policies: pages.messages.list_kin(&request.policy),
            page: request.page.clone(),
            values: BTreeMap::new(),
        };
        let application = request.application.clone().or_else(|| texts.find("the_application")).unwrap_or_default();
        let given_or = |name: &str, other: &str| request.values.get(name).map_or(other, String::as_str).to_owned();
        let masked = given_or(values::MASKED, "");
        let email = given_or(values::ADDRESS, &masked);
        let given = |name: &str| request.values.get(name).and_then(|secs| secs.parse::<u32>().ok());
        let spans = [
            ("lifetime", given(values::CODE_TTL)),
            ("link_lifetime", given(values::LINK_TTL)),
            ("invitation_lifetime", given(values::INVITATION_TTL)),
            ("retry", given(values::RETRY_AFTER).or_else(|| given(values::RESEND_IN))),
            ("time", given(values::CODE_LEFT)),
        ]
        .map(|(name, secs)| (name, secs.map(|secs| texts.span(secs, Count::Figures)).unwrap_or_default()));
        let remembered = given(values::REMEMBER_FOR).map(|secs| texts.span(secs, Count::Words)).unwrap_or_default();
        texts.values.extend(spans.into_iter().chain([("remember_lifetime", remembered)]));
        let number = given_or(values::NUMBER, &masked);
        let least = given_or(values::PASSWORD_MIN, LEAST_PASSWORD);
        texts.values.extend([("application", application), ("email", email), ("number", number), ("least", least)]);
        texts
    }

    /// The text of the most specific key, the brand's own before the common one, with the values put in.
    fn find(&self, key: &str) -> Option<String> {
        let text = candidates(&self.policies, &self.page, key).find_map(|full| {
            self.brand
                .find_text(self.locale, &full)
                .or_else(|| self.messages.find_exact(self.locale, &full))
                .map(str::to_owned)
        })?;
        Some(self.filled(&text))
    }

    fn filled(&self, text: &str) -> String {
        substitute(text, |name| match name {
            "company" => Some(self.brand.name()),
            "product" => Some(self.brand.product()),
            other => self.values.get(other).map(String::as_str),
        })
    }

    fn text(&self, key: &str) -> Result<String, Error> {
        let missing = || Error::new(ErrorKind::UnknownFunction, format!("no text {}.{key}", self.page));
        self.find(key).ok_or_else(missing)
    }

    /// A span in the unit people use: seconds under two minutes, then minutes, then hours, rounded up; days where they
    /// are whole.
    fn span(&self, secs: u32, count: Count) -> String {
        let (amount, unit) = match secs {
            1 => (1, "unit.second"),
            60 => (1, "unit.minute"),
            0..120 => (secs, "unit.seconds"),
            3541..=3600 => (1, "unit.hour"),
            120..7200 => (secs.div_ceil(60), "unit.minutes"),
            86_400 => (1, "unit.day"),
            _ if secs.is_multiple_of(86_400) => (secs / 86_400, "unit.days"),
            _ => (secs.div_ceil(3600), "unit.hours"),
        };
        let find = |key: &str| {
            candidates(&self.policies, &self.page, key).find_map(|full| self.messages.find_exact(self.locale, &full))
        };
        let figures = amount.to_string();
        let in_words = find(&format!("number.{amount}")).filter(|_| count == Count::Words);
        let shown = in_words.unwrap_or(&figures);
        substitute(find(unit).unwrap_or_default(), |name| (name == "count").then_some(shown))
    }
}

/// How the count of a span is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    /// `4`
    Figures,
    /// `four (4)`, where there are words.
    Words,
}

#[derive(Serialize)]
struct Parts {
    before: String,
    link: String,
    after: String,
}

impl Parts {
    fn of(sentence: &str) -> Self {
        let (before, link, after) = cut_at_link(sentence);
        Self { before: before.to_owned(), link: link.to_owned(), after: after.to_owned() }
    }
}

#[derive(Serialize)]
struct LanguageLink {
    lang: &'static str,
    name: &'static str,
    href: String,
    current: bool,
}

/// The page as HTML.
pub(super) fn render(pages: &Pages, request: &PageRequest) -> Result<String, PageError> {
    let unknown = || PageError::UnknownPage(request.page.clone());
    let template = pages.environment.get_template(find_template(&request.page).ok_or_else(unknown)?)?;
    let brand = pages.brand_or_default(&request.brand).ok_or_else(unknown)?;
    let texts = Arc::new(Texts::new(pages, brand, request));
    Ok(template.render(context! {
        view => Serde(request),
        dir => request.locale.dir(),
        brand => brand_value(pages, brand),
        css => pages.asset_url("pages.css"),
        js => pages.asset_url("pages.js"),
        passkey_js => pages.asset_url("passkey.js"),
        sections => HELP.iter().find(|(page, _)| *page == request.page).map(|(_, sections)| sections.to_vec()),
        languages => Serde(request.here.as_deref().map(|here| language_links(here, request.locale)).unwrap_or_default()),
        notices => Serde(notices(&texts, request)),
        has_error => request.notices.iter().any(|notice| notice.tone == Tone::Error),
        control => Serde(control_map(request)),
        value => Serde(value_map(request)),
        ..functions(&texts)
    })?)
}

/// What a template may call.
fn functions(texts: &Arc<Texts>) -> Value {
    let (for_t, for_or, for_parts) = (Arc::clone(texts), Arc::clone(texts), Arc::clone(texts));
    context! {
        t => Value::from_function(move |key: String| for_t.text(&key)),
        t_or => Value::from_function(move |key: String, other: String| for_or.find(&key).unwrap_or(other)),
        parts => Value::from_function(move |key: String| {
            let sentence = for_parts.find(&key).unwrap_or(key);
            Serde(Parts::of(&sentence))
        }),
        at => Value::from_function(|millis: i64| moment(millis)),
    }
}

#[derive(Serialize)]
struct SpokenNotice<'a> {
    text: String,
    tone: Tone,
    field: Option<&'a str>,
    key: &'a str,
}

/// The notices in words. A page that asks for a username may word one of its own: `notice.<key>_username`.
fn notices<'a>(texts: &Texts, request: &'a PageRequest) -> Vec<SpokenNotice<'a>> {
    let by_username = request.fields.iter().any(|field| field.name == "username");
    let words = |key: &str| {
        let variant = by_username.then(|| texts.find(&format!("notice.{key}_username"))).flatten();
        variant.or_else(|| texts.find(&format!("notice.{key}"))).or_else(|| texts.find("notice.problem"))
    };
    let spoken = |notice: &'a NoticeView| SpokenNotice {
        text: words(&notice.key).unwrap_or_default(),
        tone: notice.tone,
        field: notice.field.as_deref().filter(|name| request.fields.iter().any(|field| field.name == *name)),
        key: &notice.key,
    };
    request.notices.iter().map(spoken).collect()
}

fn brand_value(pages: &Pages, brand: &Brand) -> Value {
    let asset = |suffix: &str| pages.asset_url(&format!("brand/{}{suffix}", brand.id())).unwrap_or_default().to_owned();
    context! {
        id => brand.id(),
        name => brand.name(),
        product => brand.product(),
        help_link => brand.help_link(),
        css => asset(".css"),
        logo => asset(".svg"),
        icon => asset(".icon.svg"),
    }
}

/// A moment as everybody reads it alike: `2026-11-22 14:05 UTC`.
fn moment(millis: i64) -> String {
    let minutes = millis.div_euclid(60_000);
    let (days, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    // Days to a date of the proleptic Gregorian calendar, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (year, day) = (year + era * 400 + i64::from(month >= 10), day - (153 * month + 2) / 5 + 1);
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

/// The controls by name: whether each may be pressed.
fn control_map(request: &PageRequest) -> BTreeMap<&str, bool> {
    request.controls.iter().map(|control| (control.value.as_str(), control.enabled)).collect()
}

/// The values by name; one that was not given is empty.
fn value_map(request: &PageRequest) -> BTreeMap<&str, &str> {
    let given = |name: &'static str| (name, request.values.get(name).map_or("", String::as_str));
    values::ALL.into_iter().map(given).collect()
}

/// A link per language to the page at `here`, with `lang` set and everything else as it was.
fn language_links(here: &str, current: Locale) -> Vec<LanguageLink> {
    if !here.starts_with('/') || here.starts_with("//") {
        return Vec::new();
    }
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && *pair != "lang" && !pair.starts_with("lang="));
    let kept: Vec<&str> = kept.collect();
    let link = |locale: Locale| {
        let lang = format!("lang={}", locale.as_str());
        let query = kept.iter().copied().chain([lang.as_str()]).collect::<Vec<_>>().join("&");
        LanguageLink {
            lang: locale.as_str(),
            name: locale.name(),
            href: format!("{path}?{query}"),
            current: locale == current,
        }
    };
    Locale::ALL.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_link_keeps_the_rest_of_the_address() {
        let links = language_links("/authorize?client_id=a%26b&lang=en&langs=x&state=1", Locale::Es);
        assert_eq!(links[0].href, "/authorize?client_id=a%26b&langs=x&state=1&lang=en");
        assert_eq!(links[1].href, "/authorize?client_id=a%26b&langs=x&state=1&lang=es");
        assert_eq!((links[0].current, links[1].current), (false, true));
        assert_eq!(language_links("/flow/x", Locale::En)[1].href, "/flow/x?lang=es");
        assert!(language_links("//evil.example/", Locale::En).is_empty());
    }

    #[test]
    fn fixed_keys_are_found_and_made_ones_are_not() {
        let source =
            r#"{{ t("title") }} {{ t_or("field." ~ f, f) }} {{ parts("register") }} {{ t("a." ~ b) }} {{ at("x") }}"#;
        assert_eq!(fixed_keys(source).collect::<Vec<_>>(), ["title", "register"]);
    }

    #[test]
    fn a_moment_is_a_date_and_a_time_of_day() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
            (951_782_340_000, "2000-02-28 23:59 UTC"),
            (951_868_800_000, "2000-03-01 00:00 UTC"),
            (1_795_356_300_000, "2026-11-22 14:05 UTC"),
        ] {
            assert_eq!(moment(millis), expected);
        }
    }

    #[test]
    fn a_span_is_told_in_the_unit_people_use() {
        let pages = Pages::load(&super::super::PageSources::default()).unwrap();
        let words = |secs, locale| {
            let request = PageRequest::new("message", locale, "default");
            Texts::new(&pages, pages.brand_or_default("default").unwrap(), &request).span(secs, Count::Figures)
        };
        for (secs, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (30, "30 seconds"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (121, "3 minutes"),
            (600, "10 minutes"),
            (3600, "1 hour"),
            (18_000, "5 hours"),
        ] {
            assert_eq!(words(secs, Locale::En), expected);
        }
        assert_eq!(words(600, Locale::Es), "10 minutos");
    }
}
