//! Texts of mails, texts and calls, by template and locale. Plain data in, plain text and HTML out.

use minijinja::{AutoEscape, Environment, Value, context};

use crate::ServiceError;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What a template may mention; what a mail has no use for is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MailValues<'a> {
    pub(crate) company: &'a str,
    pub(crate) product: &'a str,
    pub(crate) application: &'a str,
    pub(crate) name: &'a str,
    pub(crate) code: &'a str,
    pub(crate) lifetime: &'a str,
    pub(crate) link: &'a str,
    /// What was replaced, masked.
    pub(crate) old: &'a str,
    /// A new device in words.
    pub(crate) device: &'a str,
    /// Host of the issuer.
    pub(crate) host: &'a str,
    /// How many digits are asked for in a call.
    pub(crate) digits: usize,
    /// BCP 47, for the frame.
    pub(crate) lang: &'a str,
}

impl MailValues<'_> {
    fn as_context(&self) -> Value {
        context! {
            company => self.company,
            product => self.product,
            application => self.application,
            name => self.name,
            code => self.code,
            lifetime => self.lifetime,
            link => self.link,
            old => self.old,
            device => self.device,
            host => self.host,
            digits => self.digits,
            lang => self.lang,
        }
    }
}

/// A mail's three texts.
pub(crate) struct MailText {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The mail templates, parsed once.
pub(crate) struct MailTexts(Environment<'static>);

impl MailTexts {
    pub(crate) fn load() -> Result<Self, ServiceError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name.rsplit('.').next() {
            Some("html") => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .map_err(|error| ServiceError::Configuration(format!("mail template {name}: {error}")))?;
        }
        Ok(Self(environment))
    }

    /// The mail `template` in `locale`; English where the locale has none.
    pub(crate) fn render(
        &self,
        template: &str,
        locale: &str,
        values: &MailValues<'_>,
    ) -> Result<MailText, ServiceError> {
        let locale = if self.0.get_template(&format!("{locale}/{template}.txt")).is_ok() { locale } else { "en" };
        let values = MailValues { lang: locale, ..*values };
        let part = |part: &str| {
            self.0
                .get_template(&format!("{locale}/{template}.{part}"))
                .and_then(|template| template.render(values.as_context()))
                .map_err(|_| ServiceError::Internal("a mail template did not render"))
        };
        Ok(MailText { subject: part("subject")?.trim().to_owned(), text: part("txt")?, html: part("html")? })
    }

    /// The text `key` of texts and calls in `locale`; English where the locale has none.
    pub(crate) fn say(&self, key: &str, locale: &str, values: &MailValues<'_>) -> Result<String, ServiceError> {
        let text = |locale: &str| self.0.get_template(&format!("telephone/{locale}/{key}.txt"));
        let said = text(locale).or_else(|_| text("en")).and_then(|template| template.render(values.as_context()));
        Ok(said.map_err(|_| ServiceError::Internal("a text of the telephone did not render"))?.trim().to_owned())
    }
}

/// The mail templates there are in `locale`, by name.
pub fn list_mail_templates(locale: &str) -> Vec<&'static str> {
    let of_locale = TEMPLATES.iter().filter_map(|(name, _)| name.strip_prefix(locale)?.strip_prefix('/'));
    of_locale.filter_map(|name| name.strip_suffix(".subject")).collect()
}

/// A span in words, as mails say it.
pub(crate) fn lifetime_in_words(seconds: u32, locale: &str) -> String {
    let units = [(86_400, "days", "días"), (3600, "hours", "horas"), (60, "minutes", "minutos")];
    let whole = units.into_iter().find(|(unit, ..)| seconds >= 2 * unit && seconds.is_multiple_of(*unit));
    let (unit, en, es) = whole.unwrap_or((1, "seconds", "segundos"));
    format!("{} {}", seconds / unit, if locale == "es" { es } else { en })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 16] = [
        "verification_code",
        "account_registration",
        "registration_reset",
        "invitation",
        "password_changed",
        "phone_changed",
        "email_changed",
        "factor_added",
        "factor_removed",
        "new_device",
        "registration_attempt",
        "registration_complete",
        "account_closed",
        "account_disabled",
        "role_granted",
        "role_revoked",
    ];

    fn values() -> MailValues<'static> {
        MailValues {
            company: "Acentra <Health>",
            product: "Atrezzo",
            application: "Case Portal",
            name: "Daisy <Duck>",
            code: "012345",
            lifetime: "20 minutes",
            link: "https://id.example/link/abc?d=e&f=g",
            old: "d*****@example.com",
            device: "Firefox on Linux",
            host: "id.example",
            digits: 6,
            lang: "",
        }
    }

    #[test]
    fn every_mail_renders_in_both_languages_and_escapes_html() {
        let texts = MailTexts::load().unwrap();
        for (locale, name) in ["en", "es", "fr"].into_iter().flat_map(|locale| NAMES.map(|name| (locale, name))) {
            for values in [values(), MailValues { name: "", ..values() }] {
                let mail = texts.render(name, locale, &values).unwrap_or_else(|_| panic!("{locale}/{name}"));
                assert!(mail.html.contains("Acentra &lt;Health&gt;"), "{locale}/{name} does not name the company");
                assert!(!mail.html.contains("<Health>") && !mail.html.contains("<Duck>"), "{locale}/{name}");
                assert!(!mail.subject.contains('\n') && !mail.subject.is_empty(), "{locale}/{name}");
                assert!(!mail.subject.contains("012345"), "a locked screen shows subjects: {locale}/{name}");
            }
        }
    }

    #[test]
    fn a_code_stands_in_both_parts_of_its_mail_and_a_link_in_those_that_carry_one() {
        let texts = MailTexts::load().unwrap();
        for locale in ["en", "es"] {
            let mail = texts.render("verification_code", locale, &values()).unwrap();
            assert!(mail.text.contains("012345") && mail.html.contains("012345"), "{locale}");
            for name in ["account_registration", "registration_reset", "invitation"] {
                let mail = texts.render(name, locale, &values()).unwrap();
                assert!(mail.text.contains("https://id.example/link/abc?d=e&f=g"), "{locale}/{name}");
                assert!(mail.html.contains("https:&#x2f;&#x2f;id.example"), "{locale}/{name}: {}", mail.html);
            }
        }
    }

    #[test]
    fn subjects_are_those_of_the_guides() {
        let texts = MailTexts::load().unwrap();
        let subject = |name| texts.render(name, "en", &values()).unwrap().subject;
        assert_eq!(subject("account_registration"), "Atrezzo - Account Registration");
        assert_eq!(subject("registration_reset"), "Atrezzo - Account Registration Reset");
    }

    #[test]
    fn spans_are_told_in_the_unit_people_use() {
        assert_eq!(lifetime_in_words(30, "en"), "30 seconds");
        assert_eq!(lifetime_in_words(600, "es"), "10 minutos");
        assert_eq!(lifetime_in_words(90, "en"), "90 seconds");
        assert_eq!(lifetime_in_words(172_800, "en"), "2 days");
        assert_eq!(lifetime_in_words(86_400, "es"), "24 horas");
    }
}
