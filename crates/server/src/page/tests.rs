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

/// Every page with what the guides show on it, and their requirement.
const SAID: &[(&str, &[&str])] = &[
    (
        "portal_login",
        &[
            "LOGIN If you have not already registered for multi-factor authentication, use your Atrezzo login to complete \
         registration. Otherwise use the back button to return to the primary login page.",
            "USERNAME * ",
            "PASSWORD * ",
            "LOGIN >",
            "< BACK",
        ],
    ),
    (
        "login_method",
        &[
            "LOGIN METHOD Please select the method of multi-factor authentication to continue. Note: phone multi-factor \
         authentication must be a 10-digit phone number and cannot use an extension. PHONE EMAIL",
            "you will be required to enter an email address for both options. Only choose the Email option if you do not \
         have access to a direct phone line (landline or mobile).",
            "a direct line with 10-digits; extensions are not supported",
        ],
    ),
    (
        "registration_email_unsent",
        &["Enter your work email address, then click Send verification code. A code will be sent to your email."],
    ),
    (
        "registration_email_sent",
        &[
            "Verification code has been sent. Please copy it to the input box below.",
            "Verification Code",
            "Verify code Send new code Change",
        ],
    ),
    ("registration_email_verified", &["The code has been verified. You can now continue.", "Continue Change"]),
    (
        "new_password_registration",
        &[
            "This is creating a password for the Multi-Factor Authentication Registration.",
            "New Password",
            "Confirm New Password",
            "Create",
        ],
    ),
    ("new_password", &["Enter a new password and confirm the password.", "Confirm New Password Continue"]),
    (
        "phone_number_unsent",
        &[
            "Enter a number below that we can send a code via SMS or phone to authenticate you. Country Code United States (+1)",
            "Phone Number",
            "Send Code Call Me",
            "press the # key to complete authentication",
        ],
    ),
    ("phone_number_sent", &["+18015553661 Enter your verification code below, or send a new code"]),
    ("terms", &["I have read and agree to these terms of use. CONTINUE >"]),
    (
        "organization",
        &[
            "Create a New Account - Specify Your Organization",
            "NPI * ",
            "PROVIDER REGISTRATION CODE *",
            "Please refer to the registration section of the Atrezzo Connect Provider Portal End User Guide for more \
         information on how to register. You can find this document on your payer-specific Acentra Health website. NEXT",
        ],
    ),
    (
        "user_information",
        &[
            "Create a New Account - Enter User Information Organizational Information",
            "Please enter the required (*) fields Account Information USERNAME * Contact Information FIRST NAME * LAST NAME * \
         ADDRESS 1 ADDRESS 2 CITY STATE Select State Alabama",
            "ZIP CODE EMAIL * CONFIRM EMAIL * PHONE Providers in receipt of Faxed Determination Letters: Official communication \
         of service authorization will be sent to the fax number entered below. FAX * NEXT →",
            "← LOGIN",
        ],
    ),
    (
        "registration_sent",
        &[
            "Registration is complete. To complete the Multi-Factor Authentication registration, you must click the link in your email within 20 minutes.",
        ],
    ),
    (
        "phone_verify_unsent",
        &[
            "We have the following number on record for you. We can send a code via SMS or phone to authenticate you. XXX-XXX-3661",
            "Send Code Call Me",
            "< Cancel",
        ],
    ),
    ("phone_verify_ask", &["Enter the phone number on file."]),
    ("phone_verify_sent", &["XXX-XXX-3661 Enter your verification code below, or send a new code", "Verify Code"]),
    (
        "phone_verify_calling",
        &[
            "press the # key on the keypad to complete authentication. The page will go on by itself.",
            "Continue Call me again Send Code",
        ],
    ),
    ("phone_verify_keypad", &["type these digits on the keypad of your phone, then press the # key. 47"]),
    (
        "help_browser",
        &[
            "Google Chrome is the preferred browser for Atrezzo.",
            "click the three (3) menu dots in the upper right corner of the browser. Then click Settings. Click On startup in \
         the left menu. Then click the selection for “Continue where you left off”.",
            "Edge Configuration",
        ],
    ),
    (
        "registration_error_link",
        &[
            "REGISTRATION ERROR Your multi-factor authentication attempt failed to complete. If you were attempting to login or \
         recover your password, click the Login button to return to the login page and try again. If you were attempting to \
         register, please click the Reset button, enter your Atrezzo username, and you will receive an email containing a \
         link to use to complete your registration. ← LOGIN RESET →",
        ],
    ),
    (
        "reset_username",
        &[
            "LOGIN Enter username to send a new link to the registered email to complete multi-factor authentication \
         registration. USERNAME * SUBMIT →",
            "← BACK",
        ],
    ),
    (
        "login_help",
        &[
            "LOGIN HELP Acentra Health Users",
            "Customer/Provider Users",
            "Multi-factor Authentication Help Registration If you already have an Atrezzo user account, return to the login page",
            "Incomplete Registration Prerequisite: you began the multi-factor registration process, verified your email, created \
         a password, but did not complete the process. Click here",
            "You will need the email and password you used to initiate the multi-factor authentication registration.",
            "< BACK",
        ],
    ),
    ("forgot_email_unsent", &["Email Address", "Send verification code", "6-digit code"]),
    ("forgot_email_verified", &["E-mail address verified. You can now continue.", "Continue Change e-mail"]),
];

#[test]
fn every_page_of_the_guides_says_their_words() {
    let pages = pages();
    for (name, said) in SAID {
        let text = visible(&pages.render(&sample(name)).unwrap());
        for words in *said {
            assert!(text.contains(words), "{name}: {words}\n{text}");
        }
    }
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
fn an_operators_terms_are_shown_as_text() {
    let dir = Folder::new("terms");
    std::fs::create_dir_all(dir.0.join("house_rules")).unwrap();
    dir.write("house_rules/2024-06.en.md", "# Rules\n\n<script>alert(1)</script> of {company}\n");
    let pages = Pages::load(&PageSources { terms_dir: Some(dir.0.clone()), ..PageSources::default() }).unwrap();
    let terms = pages.find_terms("house_rules", "2024-06", Locale::Es, "acentra").unwrap();
    assert_eq!(terms.locale, Locale::En, "not translated: shown in the language there is");
    let html = pages.render(&PageRequest { terms: Some(terms), ..sample("terms") }).unwrap();
    assert!(html.contains("<p>&lt;script&gt;alert(1)&lt;/script&gt; of Acentra Health</p>"), "{html}");
}

#[test]
fn a_code_by_phone_goes_on_by_itself_and_says_so() {
    let html = pages().render(&sample("phone_verify_sent")).unwrap();
    assert!(html.contains("data-auto=\"All digits are entered.") && html.contains("data-sms"), "{html}");
    assert!(visible(&html).contains("The page will go on by itself when you have entered the last digit."));
    let calling = pages().render(&sample("phone_verify_calling")).unwrap();
    assert!(calling.contains("data-poll=\"/flow/AAAAAAAAAAAAAAAAAAAAAA/state\""));
    assert!(calling.contains("value=\"continue\" data-go-on>"), "without script the button does it");
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
        ("portal_login", "login"),
        ("registration_email_unsent", "send"),
        ("phone_verify_unsent", "send"),
        ("phone_verify_sent", "verify"),
        ("phone_verify_expired", "resend"),
        ("phone_verify_calling", "continue"),
        ("phone_verify_read", "verify"),
        ("new_password", "set"),
        ("terms", "accept"),
        ("user_information", "next"),
        ("totp_enrol", "verify"),
        ("recovery_codes", "continue"),
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
    let pages = Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), ..PageSources::default() }).unwrap();
    let text = |locale| visible(&pages.render(&PageRequest { locale, ..sample("sign_in") }).unwrap());
    assert!(text(Locale::Es).contains("Bienvenido a Atrezzo"));
    assert!(text(Locale::Es).contains("Contraseña"));
    assert!(text(Locale::En).contains("Sign in with your email address"));
}

#[test]
fn an_operators_mistake_names_file_and_key() {
    let dir = Folder::new("mistake");
    let load = || {
        Pages::load(&PageSources { messages_dir: Some(dir.0.clone()), ..PageSources::default() })
            .unwrap_err()
            .to_string()
    };
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
    let sources = PageSources { brand_dir: Some(dir.0.clone()), ..PageSources::default() };
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("pond.svg: is not there"));
    dir.write("pond.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
    let pages = Pages::load(&sources).unwrap();
    assert_eq!(pages.find_brand("duck").map(Brand::name), Some("Duck Pond"));
    dir.write("duck.toml", &text.replace("kepro.svg", "../pond.svg"));
    assert!(Pages::load(&sources).unwrap_err().to_string().contains("duck.toml: logo: is the name of an .svg file"));
}

#[test]
fn every_mail_is_sound_and_only_those_that_carry_a_link_lead_anywhere() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/messages/mail");
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let linked = ["account_registration", "registration_reset", "invitation"];
    let mut seen = 0;
    for locale in Locale::ALL.map(Locale::as_str) {
        for entry in std::fs::read_dir(dir.join(locale)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let (name, part) = file.split_once('.').unwrap();
            let mut environment = minijinja::Environment::new();
            environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
            environment.add_template_owned("layout.html", text("layout.html")).unwrap();
            environment.add_template_owned(format!("mail.{part}"), text(&format!("{locale}/{file}"))).unwrap();
            let values = minijinja::context! {
                company => "Acentra Health", product => "Atrezzo", application => "Case Portal <b>", code => "012345",
                lifetime => "30 seconds", link => "https://login.example.com/link/AAAA", old => "d*****@example.com",
                device => "Chrome <i>", name => "", host => "login.example.com", lang => locale,
            };
            let mail = environment.get_template(&format!("mail.{part}")).unwrap().render(values).unwrap();
            let leads = mail.contains("https:");
            assert_eq!(leads, linked.contains(&name) && part != "subject", "{locale}/{file}");
            assert_eq!(mail.contains("012345"), name == "verification_code" && part != "subject", "{locale}/{file}");
            if part == "html" {
                markup::check_fragment(&mail).unwrap_or_else(|reason| panic!("{locale}/{file}: {reason}"));
                assert!(
                    mail.contains(&format!("<html lang=\"{locale}\""))
                        && !mail.contains("<b>")
                        && !mail.contains("<i>")
                );
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 2 * 13 * 3);
}

#[test]
fn mails_say_the_guides_words() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/messages/mail/en");
    let words = |name: &str| {
        let text = std::fs::read_to_string(dir.join(name)).unwrap();
        let text = text.replace("{{ product }}", "Atrezzo").replace("{{ lifetime }}", "20 minutes");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words("account_registration.subject"), "Atrezzo - Account Registration");
    assert_eq!(words("registration_reset.subject"), "Atrezzo - Account Registration Reset");
    for (name, said) in [
        (
            "account_registration.txt",
            "Dear User, Your Atrezzo user profile has been initiated. Please follow the link below and the instructions on that page to register your account. Atrezzo Registration",
        ),
        ("account_registration.txt", "This link will expire in 20 minutes."),
        (
            "registration_reset.txt",
            "Dear User, Your Atrezzo registration has been reset. Please follow the link below and the instructions on that page to re-register your account. Atrezzo Registration",
        ),
        ("registration_reset.txt", "This link will expire in 20 minutes."),
    ] {
        assert!(words(name).contains(said), "{}", words(name));
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
