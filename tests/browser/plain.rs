//! JavaScript off, once per kind of page: everything goes on by buttons.

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;

use crate::journey::{EMAIL_USER, PHONE_USER, open_login_options, read_home, sign_in};
use crate::steps::{
    ENTER_CODE, LEGACY, NEW_PASSWORD, PHONE, accept_terms, ask_for_call, ask_for_code, begin_change, open_account,
    open_phone_page, open_registration, prove_login_mailbox, prove_mailbox, set_password, totp, type_number,
};

fn without_javascript() -> BrowserOptions {
    BrowserOptions { javascript: false, ..BrowserOptions::default() }
}

#[tokio::test]
async fn phone_registration_and_recovery_work_without_javascript() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("plain", &without_javascript(), async |browser| {
        // A text message, by the button.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let code = ask_for_code(browser, &inbox, "Send Code", PHONE).await;
        browser.wait_for_text(ENTER_CODE).await;
        browser.fill("Verification code", "12345").await;
        browser.press_and_leave("Verify Code").await;
        browser.wait_for_text("Please enter the six digits of the verification code.").await;
        browser.fill("Verification code", &code).await;
        browser.press_and_leave("Verify Code").await;
        assert_eq!(read_home(browser, &demo).await.name, PHONE_USER.name);

        // A call: Continue before it was answered says so, and afterwards goes on.
        open_phone_page(browser, &demo, &PHONE_USER).await;
        let call = ask_for_call(browser, &inbox, PHONE).await;
        browser.press_and_leave("Continue").await;
        browser.wait_for_text("We have not seen your answer on the phone yet.").await;
        inbox.press(&call.id, "#").await;
        browser.press_and_leave("Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, PHONE_USER.name);

        // Registration: choice, password, mail, new password, phone by call, terms.
        open_registration(browser, &demo).await;
        browser.press_and_leave("PHONE").await;
        prove_mailbox(browser, &inbox, LEGACY.email).await;
        set_password(browser, NEW_PASSWORD, "Create").await;
        type_number(browser, "202 555 0147").await;
        let call = ask_for_call(browser, &inbox, "+12025550147").await;
        inbox.press(&call.id, "#").await;
        browser.press_and_leave("Continue").await;
        accept_terms(browser).await;
        assert_eq!(read_home(browser, &demo).await.name, LEGACY.name);

        // Forgotten password, mail only.
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.press_and_leave("Forgot your password?").await;
        browser.fill("Email Address", EMAIL_USER.email).await;
        let code = ask_for_code(browser, &inbox, "Send verification code", EMAIL_USER.email).await;
        browser.fill("Verification Code", &code).await;
        browser.press_and_leave("Verify code").await;
        browser.press_and_leave("Continue").await;
        set_password(browser, NEW_PASSWORD, "Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn links_forms_and_the_account_page_work_without_javascript_and_a_passkey_says_it_needs_it() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("plain-account", &without_javascript(), async |browser| {
        // A form, a stop page, a mailed link and its landing page.
        browser.open(&format!("{}/login?p=registration-reset", demo.portal)).await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text("Please enter your username.").await;
        browser.fill("USERNAME", "legacy.provider").await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text("CHECK YOUR EMAIL").await;
        let mail = inbox.mail(LEGACY.email, "Account Registration Reset").await;
        browser.open(&mail.link()).await;
        browser.press_and_leave("Continue").await;
        browser.press_and_leave("EMAIL").await;
        set_password(browser, NEW_PASSWORD, "Create").await;
        accept_terms(browser).await;
        assert_eq!(read_home(browser, &demo).await.name, LEGACY.name);

        // The account page, and an app for it.
        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.press_and_leave("Log out").await;
        open_account(browser, &demo, &EMAIL_USER).await;
        begin_change(browser, &demo, "Add an authenticator app", &EMAIL_USER).await;
        prove_login_mailbox(browser, &inbox, EMAIL_USER.email).await;
        browser.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        let secret = browser.find(Locator::Css(".secret")).await.unwrap().text().await.unwrap();
        browser.fill("Authenticator code", &totp(&secret, std::time::Duration::ZERO)).await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text("Your recovery codes").await;
        browser.press_and_leave("I have kept them. Continue").await;
        browser.wait_for_text("Your account was changed.").await;

        // What cannot work says so, and what else there is.
        browser.open(&format!("{}/login?p=passkey", demo.portal)).await;
        browser.wait_for_text("Passkeys need JavaScript, which is switched off in this browser.").await;
        browser.press_and_leave("Use a passkey").await;
        browser.wait_for_text("JavaScript must be switched on.").await;
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in(browser, &EMAIL_USER).await;
        prove_login_mailbox(browser, &inbox, EMAIL_USER.email).await;
        browser.press_and_leave("Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, EMAIL_USER.name);
    })
    .await;
}
