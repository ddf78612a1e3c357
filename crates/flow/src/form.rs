//! The catalogue of form fields: how each is read, checked and normalised.

use std::collections::BTreeMap;

use countersign_model::NpiRule;

use crate::input::{Typed, parse_email};
use crate::language::{FieldName, FormField, FormInput, Validator};
use crate::{Input, MAX_USERNAME, NoticeKey, phone};

/// Longest value of most inputs, in bytes.
pub(crate) const MAX_TEXT: usize = 100;

/// The states and territories of the United States, by their postal code.
pub(crate) const STATES: [&str; 56] = [
    "AL", "AK", "AS", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "GU", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "MP",
    "OH", "OK", "OR", "PA", "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VI", "VA", "WA", "WV", "WI", "WY",
];

/// What was read from a form.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What was filled in, normalised.
    pub(crate) values: BTreeMap<FormInput, String>,
    /// What is wrong, in the order of the page.
    pub(crate) errors: Vec<(NoticeKey, FormInput)>,
}

impl Reading {
    pub(crate) fn find(&self, input: FormInput) -> Option<&String> {
        self.values.get(&input)
    }
}

/// Reads the inputs of `fields`. `new_name`: a user name is being chosen, not recalled.
pub(crate) fn read(fields: &[FormField], new_name: bool, input: &Input) -> Reading {
    let mut reading = Reading::default();
    for field in fields {
        for name in field.name.list_inputs() {
            let typed = input.field(name.as_str()).trim();
            let required = is_required(*field, *name);
            match read_input(*name, field.validator, new_name, typed) {
                _ if typed.is_empty() && required => reading.errors.push((missing(*name), *name)),
                _ if typed.is_empty() => {}
                Ok(value) => {
                    reading.values.insert(*name, value);
                }
                Err(notice) => reading.errors.push((notice, *name)),
            }
        }
        check_confirmation(*field, &mut reading);
    }
    reading
}

/// Whether an input of a field must be filled in: the second line of an address never.
pub(crate) fn is_required(field: FormField, input: FormInput) -> bool {
    field.required && input != FormInput::Address2
}

/// Both addresses are the same, where both can be addresses.
fn check_confirmation(field: FormField, reading: &mut Reading) {
    let wrong = |input: FormInput| reading.errors.iter().any(|(_, wrong)| *wrong == input);
    if field.name != FieldName::Email || wrong(FormInput::Email) || wrong(FormInput::ConfirmEmail) {
        return;
    }
    if reading.find(FormInput::Email) != reading.find(FormInput::ConfirmEmail) {
        reading.errors.push((NoticeKey::EmailMismatch, FormInput::ConfirmEmail));
    }
}

const fn missing(input: FormInput) -> NoticeKey {
    match input {
        FormInput::Username => NoticeKey::UsernameMissing,
        FormInput::Email => NoticeKey::EmailMissing,
        _ => NoticeKey::FieldMissing,
    }
}

fn read_input(
    input: FormInput,
    validator: Option<Validator>,
    new_name: bool,
    typed: &str,
) -> Result<String, NoticeKey> {
    match input {
        FormInput::Email | FormInput::ConfirmEmail => match parse_email(typed) {
            Typed::Name(address) => Ok(address),
            _ => Err(NoticeKey::EmailMalformed),
        },
        FormInput::Phone | FormInput::Fax => read_number(validator, typed),
        FormInput::Username => read_username(new_name, typed),
        FormInput::Npi => read_npi(validator, typed),
        FormInput::State => {
            let code = typed.to_ascii_uppercase();
            if STATES.contains(&code.as_str()) { Ok(code) } else { Err(NoticeKey::StateMalformed) }
        }
        FormInput::Zip => read_zip(typed),
        _ => read_text(typed),
    }
}

fn read_text(typed: &str) -> Result<String, NoticeKey> {
    if typed.len() > MAX_TEXT {
        return Err(NoticeKey::FieldTooLong);
    }
    if typed.chars().any(char::is_control) { Err(NoticeKey::FieldMalformed) } else { Ok(typed.to_owned()) }
}

fn read_username(new_name: bool, typed: &str) -> Result<String, NoticeKey> {
    let name = typed.to_lowercase();
    let clean = !name.chars().any(char::is_control) && name.len() <= MAX_USERNAME;
    let sign = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    let chosen = name.chars().count() >= 3 && name.chars().all(sign);
    if clean && (chosen || !new_name) { Ok(name) } else { Err(NoticeKey::UsernameMalformed) }
}

/// An NPI, or where the tenant allows it another id in its place (R27).
fn read_npi(validator: Option<Validator>, typed: &str) -> Result<String, NoticeKey> {
    let rule = if validator == Some(Validator::Npi) { NpiRule::Npi } else { NpiRule::NpiOrOther };
    parse_npi(rule, typed).ok_or(NoticeKey::NpiMalformed)
}

/// An id as `rule` takes it, without spaces and in upper case: how organizations are named everywhere.
pub fn parse_npi(rule: NpiRule, typed: &str) -> Option<String> {
    let id: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let shaped = (1..=40).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let fits = (rule == NpiRule::NpiOrOther && shaped) || is_npi(&id);
    fits.then(|| id.to_ascii_uppercase())
}

/// Ten digits whose Luhn sum, with the prefix 80840 of the United States, ends in 0 (45 CFR 162.406).
fn is_npi(id: &str) -> bool {
    if id.len() != 10 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let weigh = |(at, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0');
        let doubled = digit * 2;
        if at % 2 == 0 { digit } else { doubled / 10 + doubled % 10 }
    };
    // The prefix alone adds 24.
    let sum: u32 = id.bytes().rev().enumerate().map(weigh).sum();
    (sum + 24).is_multiple_of(10)
}

fn read_zip(typed: &str) -> Result<String, NoticeKey> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let shaped = matches!(digits.len(), 5 | 9) && digits.bytes().all(|byte| byte.is_ascii_digit());
    match (shaped, digits.split_at_checked(5)) {
        (true, Some((zip, ""))) => Ok(zip.to_owned()),
        (true, Some((zip, more))) => Ok(format!("{zip}-{more}")),
        _ => Err(NoticeKey::ZipMalformed),
    }
}

/// A contact number, E.164; without `+` one of the United States.
fn read_number(validator: Option<Validator>, typed: &str) -> Result<String, NoticeKey> {
    let number = phone::read("US", typed).map_err(|error| match error {
        phone::PhoneError::Extension => NoticeKey::NumberExtension,
        _ => NoticeKey::NumberMalformed,
    })?;
    let american = number.e164.starts_with("+1");
    if american || validator != Some(Validator::UsPhone) { Ok(number.e164) } else { Err(NoticeKey::NumberMalformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: FieldName, required: bool, validator: Option<Validator>) -> FormField {
        FormField { name, required, validator }
    }

    fn only(name: FieldName, validator: Option<Validator>, input: FormInput, typed: &str) -> Result<String, NoticeKey> {
        let form = Input::default().with(input.as_str(), typed).with("confirm_email", typed);
        let reading = read(&[field(name, false, validator)], true, &form);
        match reading.errors.iter().find(|(_, wrong)| *wrong == input) {
            Some((notice, _)) => Err(*notice),
            None => Ok(reading.find(input).cloned().unwrap_or_default()),
        }
    }

    #[test]
    fn the_user_information_page_is_read_and_normalised() {
        let fields = [
            field(FieldName::Username, true, None),
            field(FieldName::Name, true, None),
            field(FieldName::Address, false, None),
            field(FieldName::Email, true, Some(Validator::Email)),
            field(FieldName::Phone, false, None),
            field(FieldName::Fax, true, Some(Validator::UsPhone)),
        ];
        let form = Input::default()
            .with("username", " DDuck ")
            .with("first_name", "Daisy")
            .with("last_name", "Duck ")
            .with("state", "ms")
            .with("zip", "39201 1234")
            .with("email", "DDuck@Example.com")
            .with("confirm_email", "dduck@example.com")
            .with("fax", "(601) 555-0100");
        let reading = read(&fields, true, &form);
        assert!(reading.errors.is_empty(), "{:?}", reading.errors);
        let values: Vec<(&str, &str)> =
            reading.values.iter().map(|(input, value)| (input.as_str(), value.as_str())).collect();
        assert_eq!(
            values,
            [
                ("username", "dduck"),
                ("first_name", "Daisy"),
                ("last_name", "Duck"),
                ("state", "MS"),
                ("zip", "39201-1234"),
                ("email", "dduck@example.com"),
                ("confirm_email", "dduck@example.com"),
                ("fax", "+16015550100"),
            ]
        );
    }

    #[test]
    fn empty_required_fields_are_named_each() {
        let fields = [
            field(FieldName::Name, true, None),
            field(FieldName::Address, true, None),
            field(FieldName::Email, true, None),
        ];
        let reading = read(&fields, true, &Input::default().with("last_name", "Duck"));
        let wrong: Vec<&str> = reading.errors.iter().map(|(_, input)| input.as_str()).collect();
        assert_eq!(wrong, ["first_name", "address1", "city", "state", "zip", "email", "confirm_email"]);
    }

    #[test]
    fn an_npi_has_a_check_digit_and_another_id_has_none() {
        let npi = |validator, typed| only(FieldName::Npi, Some(validator), FormInput::Npi, typed);
        assert_eq!(npi(Validator::Npi, "1234 567 893"), Ok("1234567893".to_owned()));
        assert_eq!(npi(Validator::Npi, "1234567890"), Err(NoticeKey::NpiMalformed));
        assert_eq!(npi(Validator::NpiOrOther, "bcbs-4711"), Ok("BCBS-4711".to_owned()));
        assert_eq!(npi(Validator::NpiOrOther, "a/b"), Err(NoticeKey::NpiMalformed));
    }

    #[test]
    fn what_can_not_be_is_said_beside_its_field() {
        use NoticeKey::{
            EmailMalformed, FieldMalformed, FieldTooLong, NumberExtension, NumberMalformed, StateMalformed,
            UsernameMalformed, ZipMalformed,
        };
        let long = "x".repeat(101);
        let cases = [
            (FieldName::Name, FormInput::FirstName, long.as_str(), FieldTooLong),
            (FieldName::Name, FormInput::FirstName, "a\u{7}b", FieldMalformed),
            (FieldName::Address, FormInput::State, "XX", StateMalformed),
            (FieldName::Address, FormInput::Zip, "1234", ZipMalformed),
            (FieldName::Username, FormInput::Username, "a b", UsernameMalformed),
            (FieldName::Username, FormInput::Username, "ab", UsernameMalformed),
            (FieldName::Email, FormInput::Email, "nobody", EmailMalformed),
            (FieldName::Fax, FormInput::Fax, "601 555 0100 x3", NumberExtension),
            (FieldName::Fax, FormInput::Fax, "555", NumberMalformed),
            (FieldName::Fax, FormInput::Fax, "+44 20 7946 0958", NumberMalformed),
        ];
        for (name, input, typed, notice) in cases {
            assert_eq!(only(name, Some(Validator::UsPhone), input, typed), Err(notice), "{typed}");
        }
    }

    #[test]
    fn two_addresses_that_differ_are_a_mismatch() {
        let form = Input::default().with("email", "a@b.c").with("confirm_email", "a@b.d");
        let reading = read(&[field(FieldName::Email, true, None)], true, &form);
        assert_eq!(reading.errors, [(NoticeKey::EmailMismatch, FormInput::ConfirmEmail)]);
    }

    #[test]
    fn a_recalled_user_name_may_look_as_old_portals_let_it() {
        let form = Input::default().with("username", "O'Duck 7");
        let fields = [field(FieldName::Username, true, None)];
        assert!(read(&fields, false, &form).errors.is_empty());
        assert!(!read(&fields, true, &form).errors.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_form_panic_and_what_is_read_is_bounded(
            typed in prop::collection::vec((0..FormInput::ALL.len(), any::<String>()), 0..20), new_name in any::<bool>()
        ) {
            let fields: Vec<FormField> = FieldName::ALL.iter().map(|name| field(*name, true, None)).collect();
            let mut form = Input::default();
            for (at, text) in typed {
                form = form.with(FormInput::ALL[at].as_str(), &text);
            }
            let reading = read(&fields, new_name, &form);
            prop_assert!(reading.values.values().all(|value| value.len() <= crate::MAX_EMAIL && !value.is_empty()));
        }
    }
}
