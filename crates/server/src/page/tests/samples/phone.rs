//! A code by text or call, and the number it goes to.

use super::*;
use crate::page::places;

fn phone(locale: Locale, name: &str, state: &str, controls: &[&str]) -> PageRequest {
    let mut request = flow_page(name, locale, controls)
        .with_value(values::CODE_TTL, "300")
        .with_value(values::CODE_DIGITS, "6")
        .with_value(values::SUBMIT, "auto+button");
    state.clone_into(&mut request.state);
    if state == "sent" {
        request.fields = vec![field("code", "text", "one-time-code")];
        request.values.insert(values::CODE_LEFT.to_owned(), "300".to_owned());
    }
    request
}

fn number_fields(locale: Locale) -> Vec<FieldView> {
    let choices = places::list_countries("US CA MX", locale);
    let country = FieldView { choices, value: "US".to_owned(), ..field("country", "select", "tel-country-code") };
    let number = FieldView { inputmode: "tel".to_owned(), ..field("phone_number", "tel", "tel-national") };
    vec![country, number]
}

pub(super) fn phone_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let verify = |state: &str, controls: &[&str]| {
        phone(locale, "phone_verify", state, controls).with_value(values::MASKED, "XXX-XXX-3661")
    };
    let bind = |state: &str, controls: &[&str]| {
        phone(locale, "phone_number", state, controls).with_value(values::NUMBER, "+18015553661")
    };
    let mut ask = verify("unsent", &["send", "call", "cancel"]);
    ask.fields = number_fields(locale);
    let mut wrong = verify("sent", &["verify", "resend", "call", "cancel"]);
    wrong.notices = vec![error("wrong", Some("code"))];
    let mut sent = verify("sent", &["verify", "resend", "call", "cancel"]);
    sent.notices = vec![NoticeView { key: "sent".to_owned(), tone: Tone::Success, field: None }];
    let expired = verify("sent", &["verify", "resend", "call", "cancel"]).with_value(values::CODE_LEFT, "0");
    let calling = &["continue", "resend", "send", "cancel"];
    let mut read = verify("calling", &["verify", "resend", "send", "cancel"]);
    read.fields = vec![field("code", "text", "one-time-code")];
    let mut waiting = verify("calling", calling);
    waiting.notices = vec![NoticeView { key: "call_waiting".to_owned(), tone: Tone::Info, field: None }];
    let mut unsent = phone(locale, "phone_number", "unsent", &["send", "call", "cancel"]);
    unsent.fields = number_fields(locale);
    let mut extension = unsent.clone();
    "555-0100 ext. 7".clone_into(&mut extension.fields[1].value);
    extension.notices = vec![error("extension_refused", Some("phone_number"))];
    vec![
        ("phone_verify_unsent", verify("unsent", &["send", "call", "cancel"])),
        ("phone_verify_ask", ask),
        ("phone_verify_sent", sent),
        ("phone_verify_wrong", wrong),
        ("phone_verify_expired", expired),
        ("phone_verify_calling", verify("calling", calling)),
        ("phone_verify_keypad", verify("calling", calling).with_value(values::KEYPAD_CODE, "47")),
        ("phone_verify_read", read),
        ("phone_verify_waiting", waiting),
        ("phone_number_unsent", unsent),
        ("phone_number_extension", extension),
        ("phone_number_sent", bind("sent", &["verify", "resend", "call", "change", "cancel"])),
        ("phone_number_calling", bind("calling", &["continue", "resend", "send", "change", "cancel"])),
        ("phone_number_verified", bind("verified", &["continue", "cancel"])),
    ]
}
