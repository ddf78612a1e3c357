//! Pages that ask for data: forms, new passwords, terms, passkeys, recovery codes.

use super::{FieldView, PageView, control, text_field};
use crate::form::{MAX_TEXT, is_required};
use crate::language::{FormField, FormInput, Outcome, Step, StepKind};
use crate::{Instance, MAX_EMAIL, MAX_PASSWORD, MAX_USERNAME, PasskeyUse, phone};

/// Longest handed-in passkey, in bytes; no person types it.
const MAX_CREDENTIAL: usize = 16 * 1024;

pub(super) fn show_form(fields: &[FormField], instance: &Instance, page: &mut PageView) {
    for field in fields {
        for input in field.name.list_inputs() {
            let mut shown = form_field(*input);
            shown.required = is_required(*field, *input);
            if *input == FormInput::Username {
                shown.value = instance.identifier.clone().filter(|hint| !hint.contains('@')).unwrap_or_default();
            }
            page.fields.push(shown);
        }
    }
    page.controls.push(control("next", true));
}

/// An input with the autocomplete token that belongs to it (HTML, 4.10.18.7).
fn form_field(input: FormInput) -> FieldView {
    let name = input.as_str();
    match input {
        FormInput::Npi => text_field(name, "off", 40),
        FormInput::RegistrationCode => text_field(name, "off", MAX_TEXT),
        FormInput::Username => text_field(name, "username", MAX_USERNAME),
        FormInput::FirstName => text_field(name, "given-name", MAX_TEXT),
        FormInput::LastName => text_field(name, "family-name", MAX_TEXT),
        FormInput::Address1 => text_field(name, "address-line1", MAX_TEXT),
        FormInput::Address2 => text_field(name, "address-line2", MAX_TEXT),
        FormInput::City => text_field(name, "address-level2", MAX_TEXT),
        FormInput::State => FieldView { kind: "select", ..text_field(name, "address-level1", 2) },
        FormInput::Zip => text_field(name, "postal-code", 10),
        FormInput::Email | FormInput::ConfirmEmail => {
            FieldView { kind: "email", inputmode: "email", ..text_field(name, "email", MAX_EMAIL) }
        }
        FormInput::Phone => FieldView { kind: "tel", inputmode: "tel", ..text_field(name, "tel", phone::MAX_TYPED) },
        FormInput::Fax => FieldView { kind: "tel", inputmode: "tel", ..text_field(name, "off", phone::MAX_TYPED) },
    }
}

/// With the name as it was typed, for password managers.
pub(super) fn show_new_password(instance: &Instance, page: &mut PageView) {
    if let Some(name) = &instance.identifier {
        page.values.insert("account_name", name.clone());
    }
    for name in ["new_password", "confirm_password"] {
        page.fields.push(FieldView { kind: "password", ..text_field(name, "new-password", MAX_PASSWORD) });
    }
    page.controls.push(control("set", true));
}

pub(super) fn show_terms(step: &Step, document: &str, instance: &Instance, page: &mut PageView) {
    page.values.insert("document", document.to_owned());
    page.asks.terms = instance.shown.clone().map(|version| (document.to_owned(), version));
    page.fields.push(FieldView { kind: "checkbox", ..text_field("accept", "off", 8) });
    page.controls.push(control("accept", true));
    if step.find_route(Outcome::Declined).is_some() {
        page.controls.push(control("decline", true));
    }
}

pub(super) fn show_passkey(kind: &StepKind, page: &mut PageView) {
    let binds = matches!(kind, StepKind::BindPasskey);
    for name in ["credential", "ceremony"] {
        page.fields.push(FieldView { kind: "hidden", ..text_field(name, "off", MAX_CREDENTIAL) });
    }
    if binds {
        page.fields.push(FieldView { required: false, ..text_field("name", "off", MAX_TEXT) });
    }
    page.asks.passkey = Some(if binds { PasskeyUse::Register } else { PasskeyUse::Assert });
    page.controls.push(control("verify", true));
}

pub(super) const fn recovery_code_field() -> FieldView {
    text_field("code", "off", 64)
}
