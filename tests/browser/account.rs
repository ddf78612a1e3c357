//! The own account page: an authenticator app, recovery codes and passkeys, what can be changed, and the end of it.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;

use crate::journey::{
    EMAIL_USER, PHONE_USER, Person, SIGN_IN, demo_with_clock, open_login_options, read_home, sign_in,
};
use crate::steps::{
    NEW_PASSWORD, ask_for_code, begin_change, open_account, prove_login_mailbox, prove_phone, set_password,
    sign_in_by_phone, totp, type_number,
};

const CHANGED: &str = "Your account was changed.";

async fn texts(browser: &Browser, css: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for element in browser.find_all(Locator::Css(css)).await.unwrap() {
        texts.push(element.text().await.unwrap().trim().to_owned());
    }
    texts
}

async fn answer_app(browser: &Browser, secret: &str, ahead: Duration) {
    browser.wait_for_text("Open your authenticator app").await;
    answer_code(browser, &totp(secret, ahead)).await;
}

async fn answer_code(browser: &Browser, code: &str) {
    browser.fill("Authenticator code", code).await;
    browser.press_and_leave("Verify code").await;
}

#[tokio::test]
async fn an_authenticator_app_and_recovery_codes_are_added_and_used() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("account-app", &BrowserOptions::default(), async |browser| {
        open_account(browser, &demo, &EMAIL_USER).await;
        for text in [EMAIL_USER.name, EMAIL_USER.email, "No phone number is registered", "this browser"] {
            browser.wait_for_text(text).await;
        }
        // Another person's password does not count here.
        begin_change(browser, &demo, "Add an authenticator app", &PHONE_USER).await;
        browser.wait_for_text("Your email address or password is incorrect. Please try again.").await;
        sign_in(browser, &EMAIL_USER).await;
        prove_login_mailbox(browser, &inbox, EMAIL_USER.email).await;
        browser.wait_for_text("Add an account in it and scan this picture.").await;
        browser.find(Locator::Css("svg.qr")).await.unwrap();
        browser.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        let secret = texts(browser, ".secret").await.remove(0);
        browser.fill("Authenticator code", "000000").await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text("That code is incorrect. Please check the time of your phone").await;
        browser.fill("Authenticator code", &totp(&secret, Duration::ZERO)).await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text("Your recovery codes").await;
        let codes = texts(browser, ".recovery-codes li").await;
        assert_eq!(codes.len(), 10);
        browser.press_and_leave("I have kept them. Continue").await;
        browser.wait_for_text(CHANGED).await;
        browser.wait_for_text("Left: 10").await;
        inbox.mail(EMAIL_USER.email, "New Way to Log In").await;
        browser.press_and_leave("Log out").await;

        // A code counts once: the next one is half a minute away.
        let minute = Duration::from_mins(1);
        demo.move_clock(minute);
        browser.open(&format!("{}/login?p=totp", demo.portal)).await;
        sign_in(browser, &EMAIL_USER).await;
        let code = totp(&secret, minute);
        answer_code(browser, &code).await;
        assert_eq!(read_home(browser, &demo).await.acr, "urn:countersign:acr:password-totp");
        browser.open(&format!("{}/login?p=totp", demo.portal)).await;
        sign_in(browser, &EMAIL_USER).await;
        answer_code(browser, &code).await;
        browser.wait_for_text("That code is incorrect. Please wait for the next code of your app").await;

        // So does a recovery code.
        for right in [true, false] {
            browser.open(&format!("{}/login?p=recovery-codes", demo.portal)).await;
            sign_in(browser, &EMAIL_USER).await;
            browser.wait_for_text("Enter one of the recovery codes").await;
            browser.fill("Recovery code", &codes[3]).await;
            browser.press_and_leave("Verify code").await;
            if right {
                assert_eq!(read_home(browser, &demo).await.acr, "urn:countersign:acr:password-recovery");
            } else {
                browser.wait_for_text("That code is incorrect or was already used.").await;
            }
        }

        // Step-up asks a session for the app alone (RFC 9470).
        demo.move_clock(minute);
        browser.open(&format!("{}/login?p=step-up-totp", demo.portal)).await;
        answer_app(browser, &secret, 2 * minute).await;
        assert_eq!(read_home(browser, &demo).await.acr, "urn:countersign:acr:step-up-totp");

        // Whoever has an app proves it before anything changes.
        demo.move_clock(minute);
        begin_change(browser, &demo, "Get new recovery codes", &EMAIL_USER).await;
        answer_app(browser, &secret, 3 * minute).await;
        browser.wait_for_text("Your recovery codes").await;
        assert!(!texts(browser, ".recovery-codes li").await.contains(&codes[0]));
        browser.press_and_leave("I have kept them. Continue").await;
        browser.press_and_leave("Remove Authenticator app").await;
        browser.wait_for_text("It was removed.").await;
    })
    .await;
}

#[tokio::test]
async fn password_phone_and_mail_are_changed_sessions_ended_and_the_account_closed() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    let person = Person { password: NEW_PASSWORD, ..PHONE_USER };
    Browser::journey("account-changes", &BrowserOptions::default(), async |browser| {
        Browser::journey("account-elsewhere", &BrowserOptions::default(), async |other| {
            sign_in_by_phone(other, &demo, &PHONE_USER).await;
            read_home(other, &demo).await;
            sign_in_by_phone(browser, &demo, &PHONE_USER).await;
            read_home(browser, &demo).await;
            browser.open(&format!("{}/account", demo.issuer)).await;
            browser.wait_for_text("XXX-XXX-3661").await;
            browser.press_and_leave("Log out everywhere else").await;
            browser.wait_for_text("You have been logged out everywhere else.").await;
            other.open(&format!("{}/account", demo.issuer)).await;
            other.wait_for_text("LOGIN OPTIONS").await;
        })
        .await;

        begin_change(browser, &demo, "Change Password", &PHONE_USER).await;
        prove_phone(browser, &inbox).await;
        set_password(browser, NEW_PASSWORD, "Continue").await;
        browser.wait_for_text(CHANGED).await;
        inbox.mail(PHONE_USER.email, "Password Changed").await;

        let address = "daisy.duck@pond.example.com";
        begin_change(browser, &demo, "Change Email Address", &person).await;
        prove_phone(browser, &inbox).await;
        browser.wait_for_text("Change your email address").await;
        browser.fill("New Email Address", address).await;
        let code = ask_for_code(browser, &inbox, "Send verification code", address).await;
        browser.fill("Verification code", &code).await;
        browser.press_and_leave("Verify code").await;
        browser.press_and_leave("Continue").await;
        browser.wait_for_text(address).await;
        inbox.mail(PHONE_USER.email, "Email Address Changed").await;

        let person = Person { email: address, ..person };
        begin_change(browser, &demo, "Change Phone", &person).await;
        prove_phone(browser, &inbox).await;
        browser.wait_for_text("Change your phone number").await;
        type_number(browser, "202 555 0147").await;
        let code = ask_for_code(browser, &inbox, "Send Code", "+12025550147").await;
        browser.fill_and_leave("Verification code", &code).await;
        browser.wait_for_text("XXX-XXX-0147").await;
        inbox.mail(address, "Phone Number Changed").await;

        begin_change(browser, &demo, "Close my account", &person).await;
        browser.wait_for_text("XXX-XXX-0147").await;
        let code = ask_for_code(browser, &inbox, "Send Code", "+12025550147").await;
        browser.fill_and_leave("Verification code", &code).await;
        browser.wait_for_text("Close your account?").await;
        browser.press_and_leave("Close my account").await;
        browser.wait_for_text("YOUR ACCOUNT IS CLOSED").await;
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in(browser, &person).await;
        browser.wait_for_text("Your email address or password is incorrect. Please try again.").await;
    })
    .await;
}

#[tokio::test]
async fn a_passkey_is_added_signs_in_by_itself_and_is_removed() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("passkey", &BrowserOptions::default(), async |browser| {
        browser.add_authenticator().await;
        open_account(browser, &demo, &EMAIL_USER).await;
        begin_change(browser, &demo, "Add a passkey", &EMAIL_USER).await;
        prove_login_mailbox(browser, &inbox, EMAIL_USER.email).await;
        browser.fill("Name of the passkey", "office laptop").await;
        browser.press_and_leave("Add a passkey").await;
        browser.wait_for_text(CHANGED).await;
        browser.wait_for_text("office laptop").await;
        browser.press_and_leave("Log out").await;

        browser.open(&format!("{}/login?p=passkey", demo.portal)).await;
        browser.press_and_leave("Use a passkey").await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (EMAIL_USER.name, "urn:countersign:acr:passkey"));
        assert!(home.amr.contains(&"mfa".to_owned()), "{home:?}");

        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.press_and_leave("Remove office laptop").await;
        browser.wait_for_text("It was removed.").await;
        browser.open(&format!("{}/login?p=passkey", demo.portal)).await;
        browser.press_and_leave("Use a passkey").await;
        browser.wait_for_text("There is a problem").await;
    })
    .await;
}
