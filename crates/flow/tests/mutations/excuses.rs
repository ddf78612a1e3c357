//! Edits that break nothing, each with its reason and how many of them were looked at.

use countersign_flow::Policy;

const AGAIN: &str = "asks for more than before, of people who had passed already";
const UNCHANGED: &str = "everything required is proven; what the policy would have changed stays as it is";
const UNGUESSABLE: &str = "a passkey can not be guessed";
const STRICTER: &str = "turns accounts away that it could have let in";
const CHOICE: &str = "both ways prove what is required: who may use this login is the operator's choice";

/// The reasons, and how many edits each was looked at for.
pub const REASONS: &[(&str, usize)] = &[(AGAIN, 18), (UNCHANGED, 16), (UNGUESSABLE, 18), (STRICTER, 11), (CHOICE, 1)];

/// Why an edit of a policy breaks nothing.
pub fn find_excuse(policy: &Policy, edit: &str) -> Option<&'static str> {
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
    ];
    if stricter.contains(&(policy.id.as_str(), edit)) || edit == "app_too whatever account.totp says" {
        return Some(STRICTER);
    }
    if policy.id == "email" && edit == "phone_on_file with account.phone turned round" {
        return Some(CHOICE);
    }
    let enrols = matches!(
        policy.id.as_str(),
        "change-email" | "change-password" | "change-phone" | "passkey-enrol" | "recovery-codes-enrol" | "totp-enrol"
    );
    let ways = ["way 0 of app", "way 0 of second_app", "way 1 of app_too", "way 0 of phone", "way 0 of mailbox"];
    let passed_over = ways.iter().any(|way| edit.starts_with(way));
    (enrols && passed_over && edit.ends_with("leads to issue")).then_some(UNCHANGED)
}
