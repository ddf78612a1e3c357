//! Edits that break nothing, each with its reason and how many of them were looked at.

use countersign_flow::{Finding, Policy};

const AGAIN: &str = "asks for more than before, of people who had passed already";
const UNCHANGED: &str = "everything required is proven; what the policy would have changed stays as it is";
const UNGUESSABLE: &str = "a passkey can not be guessed";
const STRICTER: &str = "turns accounts away that it could have let in";
const CHOICE: &str = "both ways prove what is required: who may use this login is the operator's choice";
const SHUT: &str = "nobody gets in any more, and W08 says so: what signs nobody in gives nothing away";
const SPARE: &str = "passes over a page or an effect, and W08 says so: all that `require` asks for is proven";
const NO_ISSUE: &str = "the policy signs nobody in, and W08 says that a step is passed over";
const OPEN: &str = "who may register is the operator's choice, and W08 says that a form is passed over";
const LOWER: &str = "asks less of who has a phone or a mailbox alone; the steps ask for it all the same";

/// The reasons, and how many edits each was looked at for.
pub const REASONS: &[(&str, usize)] = &[
    (AGAIN, 25),
    (UNCHANGED, 18),
    (UNGUESSABLE, 22),
    (STRICTER, 14),
    (CHOICE, 1),
    (SHUT, 60),
    (SPARE, 15),
    (NO_ISSUE, 19),
    (OPEN, 3),
    (LOWER, 4),
];

/// Who was remembered, or has a session, is asked again.
const ASKED_AGAIN: &[(&str, &str)] = &[
    ("email", "starts at credentials"),
    ("employees", "starts at corporate"),
    ("passkey", "starts at passkey"),
    ("phone", "starts at credentials"),
    ("step-up-totp", "starts at credentials"),
    ("totp", "starts at credentials"),
];

const PASSED_OVER: &[(&str, &str)] = &[
    ("change-password", "new_password left out"),
    // A passkey signs in by itself, and so may choose a password.
    ("change-password", "starts at own_passkey"),
    ("change-phone", "way 0 of new_phone leads to issue"),
    ("change-phone", "forget left out"),
    ("close-account", "sure left out"),
    ("employees-totp-enrol", "second_app left out"),
    ("recovery-codes-enrol", "way 0 of new_codes leads to issue"),
    ("recovery-codes-enrol", "new_codes left out"),
    ("recovery-codes-enrol", "show_codes left out"),
    ("registration-2024", "new_password left out"),
    ("registration-2024", "phone_sign_in left out"),
    ("registration-2024", "email_sign_in left out"),
    ("resume-registration", "starts at credentials"),
    ("totp-enrol", "way 0 of bind leads to issue"),
    ("totp-enrol", "way 0 of new_codes leads to issue"),
    ("totp-enrol", "second_app left out"),
    ("totp-enrol", "new_codes left out"),
    ("totp-enrol", "show_codes left out"),
];

const UNASKED: &[(&str, &str)] = &[
    ("new-provider", "organization left out"),
    ("new-provider", "information left out"),
    ("new-provider", "starts at information"),
    ("new-provider", "starts at create"),
];

/// Why an edit of a policy breaks nothing.
pub fn find_excuse(policy: &Policy, edit: &str, fresh: &[Finding]) -> Option<&'static str> {
    if let Some(reason) = find_unreached(policy, edit, fresh) {
        return Some(reason);
    }
    let again = [
        "remembered without session.remembered",
        "terms_due whatever account.terms_due says",
        "session without session.fresh",
        "session with session.fresh turned round",
        "session whatever session.fresh says",
    ];
    if again.contains(&edit) {
        return Some(AGAIN);
    }
    let passkey = ["passkey without attempts", "passkey without a lock"];
    let own = ["own_passkey without attempts", "own_passkey without a lock"];
    if policy.id == "passkey" && passkey.contains(&edit) || own.contains(&edit) {
        return Some(UNGUESSABLE);
    }
    let turned = "unfinished with registration.incomplete turned round";
    let stricter = [
        ("forgot-password", "phone_on_file whatever account.phone says"),
        ("forgot-password", "own_on_file whatever account.passkey says"),
        ("forgot-password", "app_on_file whatever account.totp says"),
        ("registration-reset", turned),
        ("employees-close-account", "app_on_file whatever account.totp says"),
    ];
    if stricter.contains(&(policy.id.as_str(), edit)) || edit == "app_too whatever account.totp says" {
        return Some(STRICTER);
    }
    let one_factor = [
        "requirement 2 without phone",
        "requirement 2 left out",
        "requirement 3 without mailbox",
        "requirement 3 left out",
    ];
    if policy.id == "close-account" && one_factor.contains(&edit) {
        return Some(LOWER);
    }
    if policy.id == "email" && edit == "phone_on_file with account.phone turned round" {
        return Some(CHOICE);
    }
    let enrols = matches!(
        policy.id.as_str(),
        "change-email"
            | "change-password"
            | "change-phone"
            | "employees-totp-enrol"
            | "passkey-enrol"
            | "recovery-codes-enrol"
            | "totp-enrol"
    );
    let ways = ["way 0 of app", "way 0 of second_app", "way 1 of app_too", "way 0 of phone", "way 0 of mailbox"];
    let passed_over = ways.iter().any(|way| edit.starts_with(way));
    (enrols && passed_over && edit.ends_with("leads to issue")).then_some(UNCHANGED)
}

/// Edits that pass something over without a hole: W08 tells each.
fn find_unreached(policy: &Policy, edit: &str, fresh: &[Finding]) -> Option<&'static str> {
    let told = |words: &str| fresh.iter().any(|finding| finding.code == "W08" && finding.message.contains(words));
    let (start, back) = (edit.starts_with("starts at "), edit.ends_with("leads back to it"));
    let is_one_of = |list: &[(&str, &str)]| list.contains(&(policy.id.as_str(), edit));
    if !told("") {
        return None;
    }
    if (start || back) && told("`issue` can not be reached") {
        return Some(SHUT);
    }
    if is_one_of(ASKED_AGAIN) {
        return Some(AGAIN);
    }
    if is_one_of(PASSED_OVER) {
        return Some(SPARE);
    }
    if is_one_of(UNASKED) {
        return Some(OPEN);
    }
    let passes_over = start || edit.ends_with(" left out") && !edit.starts_with("requirement");
    ((passes_over || back) && !policy.can_issue()).then_some(NO_ISSUE)
}
