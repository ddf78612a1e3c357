//! "Forgot your password?" (R57 to R62).

use countersign_tests::servers::{Browser, BrowserOptions, Demo, Inbox};

use crate::journey::{
    EMAIL_USER, PHONE_USER, Person, SIGN_IN, UNSENT, open_login_options, open_sign_in, read_home, sign_in,
};
use crate::steps::{NEW_PASSWORD, ON_RECORD, WRONG_CODE, ask_for_code, prove_phone, set_password};

const SENT: &str = "Verification code has been sent to your inbox. Please copy it to the input box below.";

/// From the portal to the page that asks for the mail address.
async fn open_forgotten(browser: &Browser, demo: &Demo, by: &str) {
    open_login_options(browser, demo).await;
    browser.press_and_leave(by).await; // R57
    browser.press_and_leave("Forgot your password?").await;
    browser.wait_for_text("You will receive a 6-digit code via email.").await; // R58
}

async fn prove_address(browser: &Browser, inbox: &Inbox, email: &str) {
    browser.fill("Email Address", email).await;
    let code = ask_for_code(browser, inbox, "Send verification code", email).await;
    browser.wait_for_text(SENT).await;
    browser.fill("Verification Code", &code).await;
    browser.press_and_leave("Verify code").await;
    browser.wait_for_text("E-mail address verified. You can now continue.").await; // R59
    assert!(browser.has_control("Change e-mail").await);
    browser.press_and_leave("Continue").await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_mail_and_the_phone_on_file() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("forgot-phone", &BrowserOptions::default(), async |browser| {
        open_forgotten(browser, &demo, "LOGIN WITH PHONE").await;
        prove_address(browser, &inbox, PHONE_USER.email).await;
        browser.wait_for_text(ON_RECORD).await; // R60
        prove_phone(browser, &inbox).await;
        browser.wait_for_text("Enter a new password and confirm the password.").await; // R62
        set_password(browser, NEW_PASSWORD, "Continue").await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (PHONE_USER.name, "urn:countersign:acr:password-phone"));
        inbox.mail(PHONE_USER.email, "Password Changed").await;

        // The old one is gone.
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &PHONE_USER).await;
        browser.wait_for_text("Your email address or password is incorrect. Please try again.").await;
        sign_in(browser, &Person { password: NEW_PASSWORD, ..PHONE_USER }).await;
        browser.wait_for_text(ON_RECORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_mail_only_account_needs_no_phone_and_an_unknown_address_looks_the_same() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("forgot-mail", &BrowserOptions::default(), async |browser| {
        // Nobody has this address: the same page, and no code is ever right.
        let nobody = "nobody.at.all@example.com";
        open_forgotten(browser, &demo, "LOGIN WITH EMAIL").await;
        browser.fill("Email Address", nobody).await;
        browser.press_and_leave("Send verification code").await;
        browser.wait_for_text(SENT).await;
        let unknown = browser.text().await.replace(nobody, "");
        browser.fill("Verification Code", "123456").await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text(WRONG_CODE).await;

        open_forgotten(browser, &demo, "LOGIN WITH EMAIL").await;
        browser.fill("Email Address", "not-an-address").await;
        browser.press_and_leave("Send verification code").await;
        browser.wait_for_text("Please enter a valid email address").await;
        // Typed wrongly, then changed (R59).
        browser.fill("Email Address", EMAIL_USER.email).await;
        browser.press_and_leave("Send verification code").await;
        browser.wait_for_text(SENT).await;
        let known = browser.text().await.replace(EMAIL_USER.email, "");
        assert_eq!(without_clock(&known), without_clock(&unknown));
        inbox.code(EMAIL_USER.email).await;

        open_forgotten(browser, &demo, "LOGIN WITH EMAIL").await;
        prove_address(browser, &inbox, EMAIL_USER.email).await;
        // R61: no phone is asked for.
        set_password(browser, EMAIL_USER.email, "Continue").await;
        browser.wait_for_text("Please do not use your own name or address as a password.").await;
        set_password(browser, NEW_PASSWORD, "Continue").await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (EMAIL_USER.name, "urn:countersign:acr:password-email"));
        assert!(inbox.list(nobody).await.is_empty());

        open_sign_in(browser, &demo).await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in(browser, &Person { password: NEW_PASSWORD, ..EMAIL_USER }).await;
        browser.wait_for_text(UNSENT).await;
    })
    .await;
}

/// A page's text without the seconds that are left.
fn without_clock(page: &str) -> String {
    page.lines().filter(|line| !line.contains("Time left")).collect::<Vec<_>>().join("\n")
}
