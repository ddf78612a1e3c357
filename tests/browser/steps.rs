//! The steps of the guides that several journeys share: registration, phone, password, links, the account page.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use countersign_tests::servers::{Browser, Demo, DemoOptions, Inbox, InboxMessage};

use crate::journey::{PHONE_USER, Person, SIGN_IN, open_login_options, sign_in};

/// The number of [`PHONE_USER`].
pub const PHONE: &str = "+12025553661";
pub const ON_RECORD: &str =
    "We have the following number on record for you. We can send a code via SMS or phone to authenticate you.";
pub const ENTER_CODE: &str = "Enter your verification code below, or send a new code";
pub const CALLING: &str = "Please answer the call and press the # key on the keypad to complete authentication.";
pub const WRONG_CODE: &str = "That code is incorrect. Please try again.";
pub const EXPIRED_CODE: &str = "That code is expired. Please request a new code.";
pub const CHECK_MAIL: &str = "CHECK YOUR EMAIL";
pub const TERMS: &str = "I have read and agree to these terms of use.";
/// Nobody's password yet.
pub const NEW_PASSWORD: &str = "autumn-ferry-7719-window";

/// A current portal user who has not registered yet (CONTRACT.md).
pub const LEGACY: Person =
    Person { email: "legacy.provider@example.com", password: "Atrezzo-2021!", name: "Lee Provider" };
pub const LEGACY_NAME: &str = "legacy.provider";

/// A demo whose policy `phone` has another text in one place, as an operator would edit the file.
pub async fn demo_with_phone_policy(from: &str, to: &str) -> Demo {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    for entry in std::fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let mut text = std::fs::read_to_string(&entry).unwrap();
        if entry.ends_with("phone.toml") {
            assert!(text.contains(from), "phone.toml has no {from:?}");
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(entry.file_name().unwrap()), text).unwrap();
    }
    let flags = vec!["--policies".to_owned(), folder.path().display().to_string()];
    Demo::start(DemoOptions { flags, ..DemoOptions::default() }).await
}

/// From the portal to the page of the number on record.
pub async fn open_phone_page(browser: &Browser, demo: &Demo, person: &Person) {
    open_login_options(browser, demo).await;
    browser.press_and_leave("LOGIN WITH PHONE").await;
    browser.wait_for_text(SIGN_IN).await;
    sign_in(browser, person).await;
    browser.wait_for_text(ON_RECORD).await; // R35
}

/// Presses `button` and answers the code that comes to `to`.
pub async fn ask_for_code(browser: &Browser, inbox: &Inbox, button: &str, to: &str) -> String {
    let before = inbox.ids(to).await;
    browser.press_and_leave(button).await;
    inbox.new_code(to, &before).await
}

/// Presses "Call Me" and answers the call that rings.
pub async fn ask_for_call(browser: &Browser, inbox: &Inbox, to: &str) -> InboxMessage {
    let before = inbox.ids(to).await;
    browser.press_and_leave("Call Me").await;
    browser.wait_for_text(CALLING).await; // R21 R38
    inbox.ringing(to, &before).await
}

/// The phone step of [`PHONE_USER`] by a text message; the page goes on by itself.
pub async fn prove_phone(browser: &Browser, inbox: &Inbox) {
    browser.wait_for_text("XXX-XXX-3661").await;
    let code = ask_for_code(browser, inbox, "Send Code", PHONE).await;
    browser.fill_and_leave("Verification code", &code).await;
}

/// From the portal to LOGIN METHOD (R8, R10).
pub async fn open_registration(browser: &Browser, demo: &Demo) {
    open_login_options(browser, demo).await;
    browser.press_in_and_leave("to complete your registration").await; // R4
    portal_login(browser).await;
}

/// The page "LOGIN", with the portal's own user name and password.
pub async fn portal_login(browser: &Browser) {
    browser.wait_for_text("use your Atrezzo login to complete registration").await;
    browser.fill("USERNAME", LEGACY_NAME).await;
    browser.fill("PASSWORD", LEGACY.password).await;
    browser.press_and_leave("LOGIN >").await;
}

/// The mailbox on file of a registration (R13 to R17).
pub async fn prove_mailbox(browser: &Browser, inbox: &Inbox, email: &str) {
    let code = ask_for_code(browser, inbox, "Send verification code", email).await;
    browser.wait_for_text("Verification code has been sent. Please copy it to the input box below.").await;
    browser.fill("Verification Code", &code).await;
    browser.press_and_leave("Verify code").await;
    browser.wait_for_text("The code has been verified. You can now continue.").await;
    browser.press_and_leave("Continue").await;
}

/// A new password, twice (R15, R62).
pub async fn set_password(browser: &Browser, password: &str, button: &str) {
    browser.fill("New Password", password).await;
    browser.fill("Confirm New Password", password).await;
    browser.press_and_leave(button).await;
}

/// A number to register (R19).
pub async fn type_number(browser: &Browser, number: &str) {
    let text = "Enter a number below that we can send a code via SMS or phone to authenticate you.";
    browser.wait_for_text(text).await;
    browser.fill("Phone Number", number).await;
}

/// The Terms of Use (R23).
pub async fn accept_terms(browser: &Browser) {
    browser.wait_for_text(TERMS).await;
    browser.tick(TERMS).await;
    browser.press_and_leave("CONTINUE >").await;
}

/// From any page to the own account page, signed in by a mailed code.
pub async fn open_account(browser: &Browser, demo: &Demo, person: &Person) {
    browser.open(&format!("{}/account", demo.issuer)).await;
    browser.wait_for_text("LOGIN OPTIONS").await;
    browser.press_and_leave("LOGIN WITH EMAIL").await;
    sign_in(browser, person).await;
    prove_login_mailbox(browser, &demo.inbox(), person.email).await;
    browser.press_and_leave("Continue").await;
    browser.wait_for_text("Your account").await;
}

/// A mailed code of the sign-in, up to the page's "verified", or the next page where it does not stop there.
pub async fn prove_login_mailbox(browser: &Browser, inbox: &Inbox, email: &str) {
    let code = ask_for_code(browser, inbox, "Send verification code", email).await;
    browser.fill("Verification code", &code).await;
    browser.press_and_leave("Verify code").await;
}

/// Begins something on the account page that proves the person anew, and answers the password.
pub async fn begin_change(browser: &Browser, demo: &Demo, button: &str, person: &Person) {
    browser.open(&format!("{}/account", demo.issuer)).await;
    browser.press_and_leave(button).await;
    browser.wait_for_text(SIGN_IN).await;
    sign_in(browser, person).await;
}

/// What an app shows `ahead` of now for a base32 seed (RFC 6238, RFC 4648).
pub fn totp(seed: &str, ahead: Duration) -> String {
    let mut bits = String::new();
    for letter in seed.bytes().filter(u8::is_ascii_alphanumeric) {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        write!(bits, "{value:05b}").unwrap();
    }
    let seed: Vec<u8> =
        bits.as_bytes().chunks_exact(8).map(|byte| byte.iter().fold(0, |n, bit| n << 1 | (bit - b'0'))).collect();
    let now = i64::try_from((UNIX_EPOCH.elapsed().unwrap() + ahead).as_secs()).unwrap();
    countersign_flow::totp::code_at(&seed, now / 30).unwrap()
}

/// From the portal, by password and text message, to where the policy ends.
pub async fn sign_in_by_phone(browser: &Browser, demo: &Demo, person: &Person) {
    open_phone_page(browser, demo, person).await;
    assert_eq!(person.email, PHONE_USER.email);
    prove_phone(browser, &demo.inbox()).await;
}
