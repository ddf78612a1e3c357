//! Texts of mails, by template and locale. Plain data in, plain text and HTML out.

use minijinja::{AutoEscape, Environment, context};

use crate::ServiceError;

macro_rules! template {
    ($locale:literal, $name:literal, $part:literal) => {
        (
            concat!($locale, "/", $name, ".", $part),
            include_str!(concat!("../../../config/messages/mail/", $locale, "/", $name, ".", $part)),
        )
    };
}

const TEMPLATES: &[(&str, &str)] = &[
    template!("en", "verification_code", "subject"),
    template!("en", "verification_code", "txt"),
    template!("en", "verification_code", "html"),
    template!("es", "verification_code", "subject"),
    template!("es", "verification_code", "txt"),
    template!("es", "verification_code", "html"),
];

/// What a template may mention.
pub(crate) struct MailValues<'a> {
    pub(crate) company: &'a str,
    pub(crate) product: &'a str,
    pub(crate) application: &'a str,
    pub(crate) code: &'a str,
    pub(crate) lifetime: &'a str,
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
        let values = context! {
            company => values.company,
            product => values.product,
            application => values.application,
            code => values.code,
            lifetime => values.lifetime,
        };
        let locale = if self.0.get_template(&format!("{locale}/{template}.txt")).is_ok() { locale } else { "en" };
        let part = |part: &str| {
            self.0
                .get_template(&format!("{locale}/{template}.{part}"))
                .and_then(|template| template.render(&values))
                .map_err(|_| ServiceError::Internal("a mail template did not render"))
        };
        Ok(MailText { subject: part("subject")?.trim().to_owned(), text: part("txt")?, html: part("html")? })
    }
}

/// A span in words, as mails say it.
pub(crate) fn lifetime_in_words(seconds: u32, locale: &str) -> String {
    let (amount, unit) = if seconds >= 120 && seconds.is_multiple_of(60) { (seconds / 60, 1) } else { (seconds, 0) };
    let word = match (locale, unit) {
        ("es", 1) => "minutos",
        ("es", _) => "segundos",
        (_, 1) => "minutes",
        _ => "seconds",
    };
    format!("{amount} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_renders_in_both_languages_and_escapes_html() {
        let texts = MailTexts::load().unwrap();
        let values = MailValues {
            company: "Acentra <Health>",
            product: "Atrezzo",
            application: "Case Portal",
            code: "012345",
            lifetime: "30 seconds",
        };
        for locale in ["en", "es", "fr"] {
            let mail = texts.render("verification_code", locale, &values).unwrap();
            assert!(mail.text.contains("012345") && mail.html.contains("012345"), "{locale}");
            assert!(!mail.html.contains("<Health>") && !mail.subject.contains('\n'), "{locale}");
            assert!(!mail.subject.contains("012345"), "a locked screen shows subjects");
        }
    }

    #[test]
    fn spans_are_told_in_the_unit_people_use() {
        assert_eq!(lifetime_in_words(30, "en"), "30 seconds");
        assert_eq!(lifetime_in_words(600, "es"), "10 minutos");
        assert_eq!(lifetime_in_words(90, "en"), "90 seconds");
    }
}
