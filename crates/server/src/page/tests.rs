//! Every page in every language, with honest and hostile values.
//!
//! `COUNTERSIGN_PREVIEWS=<folder> cargo test previews` writes the pages as files to look at in a browser.

mod markup;
mod samples;

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
    }
}

#[test]
fn every_page_has_a_template_and_a_sample() {
    let templates: BTreeSet<_> = render::TEMPLATES.iter().map(|(name, _)| *name).collect();
    let sampled: BTreeSet<_> = samples(Locale::En).into_iter().map(|(_, request)| request.page).collect();
    for (page, template) in render::PAGES {
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
            assert!(!html.contains('{') && !html.contains("undefined"), "{name}: a value is missing\n{html}");
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
            assert!(tag.starts_with("script src=\"/assets/pages-") && tag.ends_with("defer>"), "{name}: {tag}");
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
fn login_options_says_the_guides_words() {
    let text = visible(&pages().render(&sample("login_options")).unwrap());
    for words in [
        "LOGIN OPTIONS",
        "Acentra Health Employees Use this login button if you have a Acentra Health domain account. LOGIN Remember Me",
        "Customer/Provider Use this login button if you are a customer or provider user. LOGIN WITH PHONE LOGIN WITH EMAIL \
         Remember Me",
        "If you don't already have a Acentra Health account, you can register here.",
        "If this is your first login with multi-factor authentication, click here to complete your registration.",
        "Having trouble logging in? Click here.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn an_option_that_is_not_offered_is_not_shown() {
    let mut request = sample("login_options");
    request.options.retain(|option| option.id == "email");
    request.links.clear();
    request.boxes.retain(|remember| remember.name == "remember_customers");
    let html = pages().render(&request).unwrap();
    let text = visible(&html);
    assert!(text.contains("Customer/Provider") && text.contains("LOGIN WITH EMAIL"));
    for absent in ["Employees", "LOGIN WITH PHONE", "register here", "Having trouble", "remember_employees"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn the_other_brand_is_only_another_name_and_its_own_texts() {
    let mut request = sample("login_options");
    "kepro".clone_into(&mut request.brand);
    let text = visible(&pages().render(&request).unwrap());
    assert!(text.contains("Kepro Use this login button if you have a Kepro domain account."), "{text}");
    assert!(!text.contains("Acentra"));
    "no-such-brand".clone_into(&mut request.brand);
    assert!(visible(&pages().render(&request).unwrap()).contains("Countersign Employees"));
}

#[test]
fn mail_verification_says_the_guides_words() {
    let shown = |name: &str| visible(&pages().render(&sample(name)).unwrap());
    let unsent = shown("email_verify_unsent");
    assert!(unsent.contains("< Cancel") && unsent.contains("Verification is necessary. Please click Send button."));
    assert!(unsent.contains("The verification code will expire within 30 seconds"));
    assert!(unsent.contains("Send verification code Continue"), "{unsent}");
    let sent = shown("email_verify_sent");
    assert!(sent.contains("Verification code has been sent to your inbox. Please copy it to the input box below."));
    assert!(sent.contains("Verify code Send new code Continue"), "{sent}");
    let verified = shown("email_verify_verified");
    assert!(verified.contains("E-mail address verified. You can now continue."));
}

#[test]
fn continue_is_off_until_the_mail_is_verified() {
    let off = "value=\"continue\" disabled>";
    for (name, expected) in
        [("email_verify_unsent", true), ("email_verify_sent", true), ("email_verify_verified", false)]
    {
        assert_eq!(pages().render(&sample(name)).unwrap().contains(off), expected, "{name}");
    }
}

#[test]
fn enter_presses_the_pages_own_button_and_never_cancel_or_forgot() {
    for (name, expected) in [
        ("sign_in", "login"),
        ("email_verify_unsent", "send"),
        ("email_verify_sent", "verify"),
        ("email_verify_verified", "continue"),
        ("totp", "verify"),
        ("try_later", "login"),
        ("consent", "allow"),
    ] {
        let html = pages().render(&sample(name)).unwrap();
        let main = html
            .split("<form ")
            .find(|form| !form.starts_with("class=\"cancel\"") && form.contains("<button"))
            .unwrap();
        let own = main.split("<button").skip(1).find(|button| !button.contains(" form=")).unwrap();
        assert!(own.contains(&format!("name=\"do\" value=\"{expected}\"")), "{name}: {own}");
    }
}

#[test]
fn an_error_is_said_at_the_top_and_beside_its_field() {
    let html = pages().render(&sample("sign_in_wrong")).unwrap();
    assert!(html.contains("<title>Error: Sign in with your email address - Atrezzo</title>"));
    assert!(html.contains("id=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus"));
    assert!(html.contains("<a href=\"#field-password\">Your email address or password is incorrect."));
    assert!(html.contains("aria-describedby=\"field-password-error\" aria-invalid=\"true\""), "{html}");
    assert_eq!(html.matches("autofocus").count(), 1);
}

#[test]
fn an_unknown_notice_still_says_something() {
    let mut request = sample("sign_in");
    request.notices =
        vec![NoticeView { key: "never_heard".to_owned(), tone: Tone::Error, field: Some("gone".to_owned()) }];
    let html = pages().render(&request).unwrap();
    assert!(html.contains("That did not work.") && !html.contains("#field-gone"));
}

#[test]
fn the_policys_own_text_is_shown() {
    let mut request = sample("sign_in");
    "lab".clone_into(&mut request.policy);
    assert!(visible(&pages().render(&request).unwrap()).contains("Sign in to the lab"));
}

#[test]
fn an_error_of_ours_is_not_blamed_on_the_application() {
    let ours = visible(&pages().render(&sample("error_ours")).unwrap());
    assert!(ours.contains("SOMETHING WENT WRONG") && !ours.contains("NOT VALID"), "{ours}");
    assert!(visible(&pages().render(&sample("error")).unwrap()).contains("invalid_request"));
}

#[test]
fn an_unknown_page_is_an_error() {
    let error = pages().render(&PageRequest::new("../layout", Locale::En, "default")).unwrap_err();
    assert!(matches!(error, PageError::UnknownPage(_)));
}

#[test]
fn an_operators_files_win_key_by_key() {
    let dir = Folder::new("override");
    dir.write("es.toml", "[sign_in]\ntitle = \"Bienvenido a {product}\"\n");
    let pages = Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), brand_dir: None }).unwrap();
    let text = |locale| visible(&pages.render(&PageRequest { locale, ..sample("sign_in") }).unwrap());
    assert!(text(Locale::Es).contains("Bienvenido a Atrezzo"));
    assert!(text(Locale::Es).contains("Contraseña"));
    assert!(text(Locale::En).contains("Sign in with your email address"));
}

#[test]
fn an_operators_mistake_names_file_and_key() {
    let dir = Folder::new("mistake");
    let load =
        || Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), brand_dir: None }).unwrap_err().to_string();
    dir.write("en.toml", "[email.sign_in]\ntitle = \"Hello\"\n");
    assert!(load().contains("messages/es.toml: email.sign_in.title: has no text in this language"), "{}", load());
    dir.write("en.toml", "[sign_in]\ntitle = \"Hello {you}\"\n");
    assert!(load().contains("en.toml: sign_in.title: {you} is not a value"), "{}", load());
    dir.write("en.toml", &"x".repeat(300 * 1024));
    assert!(load().contains("en.toml: is larger than"), "{}", load());
}

#[test]
fn an_operators_brand_is_loaded_with_its_logo() {
    let dir = Folder::new("brand");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/brand");
    let text = std::fs::read_to_string(shipped.join("kepro.toml")).unwrap();
    dir.write("duck.toml", &text.replace("kepro.svg", "pond.svg").replace("\"Kepro\"", "\"Duck Pond\""));
    let sources = PageSources { messages_dir: None, brand_dir: Some(dir.0.clone()) };
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("pond.svg: is not there"));
    dir.write("pond.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
    let pages = Pages::load(&sources).unwrap();
    assert_eq!(pages.find_brand("duck").map(Brand::name), Some("Duck Pond"));
    dir.write("duck.toml", &text.replace("kepro.svg", "../pond.svg"));
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("duck.toml: logo: is the name of an .svg file"));
}

#[test]
fn every_mail_template_is_sound_and_links_nowhere() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/messages/mail");
    for locale in Locale::ALL {
        for (part, html) in [("subject", false), ("txt", false), ("html", true)] {
            let file = dir.join(locale.as_str()).join(format!("verification_code.{part}"));
            let source = std::fs::read_to_string(&file).unwrap();
            let mut environment = minijinja::Environment::new();
            environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
            let values = minijinja::context! {
                company => "Acentra Health", product => "Atrezzo", application => "Case Portal <b>",
                code => "012345", lifetime => "30 seconds",
            };
            let name = if html { "mail.html" } else { "mail.txt" };
            let mail = environment.render_named_str(name, &source, values).unwrap();
            assert!(!mail.contains("http") && !mail.contains("href"), "{}", file.display());
            assert_eq!(mail.contains("012345"), part != "subject", "{}", file.display());
            if html {
                markup::check_fragment(&mail).unwrap();
                assert!(mail.contains(&format!("<html lang=\"{}\"", locale.as_str())) && mail.contains("&lt;b&gt;"));
            }
        }
    }
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

/// An empty folder of its own that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("countersign-pages-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
