//! Mails: sound, in every language, and with the words of the guides.

use std::path::Path;

use super::markup;
use crate::page::Locale;

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
    assert_eq!(seen, 2 * 16 * 3);
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
