//! Registration of a current portal user (R8 to R25), once; abandoned and resumed (R54); the page order of 2024 (R26).

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{Person, open_login_options, read_home, sign_in};
use crate::steps::{
    CHECK_MAIL, ENTER_CODE, LEGACY, LEGACY_NAME, NEW_PASSWORD, accept_terms, ask_for_code, open_registration,
    portal_login, prove_mailbox, set_password, type_number,
};

const NUMBER: &str = "+12025550147";
const ALREADY: &str = "Registration is a one-time process, and you have already completed it.";

#[tokio::test]
async fn a_current_user_registers_a_phone_once_and_signs_in_with_it() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("registration-phone", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        browser.press_in_and_leave("to complete your registration").await; // R4
        browser.wait_for_text("Otherwise use the back button to return to the primary login page.").await; // R8
        browser.fill("USERNAME", LEGACY_NAME).await;
        browser.fill("PASSWORD", "Atrezzo-2020!").await;
        browser.press_and_leave("LOGIN >").await;
        browser.wait_for_text("Your Atrezzo username or password is incorrect. Please try again.").await;
        portal_login(browser).await;

        browser.wait_for_text("Please select the method of multi-factor authentication to continue.").await; // R10
        browser.wait_for_text("you will be required to enter an email address for both options.").await; // R11
        browser.wait_for_text("extensions are not supported").await; // R12
        browser.press_and_leave("PHONE").await;

        // R14: no password boxes before the mail address is verified.
        browser.wait_for_text("A code will be sent to your email.").await; // R13
        assert!(!browser.text().await.contains("New Password"));
        let shown = browser.field("Email Address").await.prop("value").await.unwrap().unwrap();
        assert!(shown.starts_with("l*") && shown.ends_with("@example.com"), "{shown}");
        prove_mailbox(browser, &inbox, LEGACY.email).await;

        browser.wait_for_text("This is creating a password for the Multi-Factor Authentication Registration.").await;
        set_password(browser, "short", "Create").await;
        browser.wait_for_text("The password is too short.").await;
        browser.fill("New Password", NEW_PASSWORD).await;
        browser.fill("Confirm New Password", "autumn-ferry-7719-winter").await;
        browser.press_and_leave("Create").await;
        browser.wait_for_text("The passwords do not match.").await;
        set_password(browser, NEW_PASSWORD, "Create").await;

        // R19 to R22.
        let country = browser.field("Country Code").await;
        let chosen = country.find(fantoccini::Locator::Css("option:checked")).await.unwrap();
        assert_eq!(chosen.text().await.unwrap(), "United States (+1)");
        type_number(browser, "202 555 0147 ext 12").await;
        browser.press_and_leave("Send Code").await;
        browser.wait_for_text("Extensions are not supported.").await;
        type_number(browser, "202 555 014").await;
        browser.press_and_leave("Send Code").await;
        browser.wait_for_text("Please enter a 10-digit phone number.").await;
        type_number(browser, "(202) 555-0147").await;
        let code = ask_for_code(browser, &inbox, "Send Code", NUMBER).await;
        browser.wait_for_text(ENTER_CODE).await;
        browser.wait_for_text(NUMBER).await; // R20: the number in full
        browser.fill_and_leave("Verification code", &code).await;

        // R23: nothing without the box.
        browser.wait_for_text("Terms of Use").await;
        browser.press_and_leave("CONTINUE >").await;
        browser.wait_for_text("please check the box to agree to the Terms of Use").await;
        accept_terms(browser).await;
        let home = read_home(browser, &demo).await; // R24
        assert_eq!((home.name.as_str(), home.acr.as_str()), (LEGACY.name, "urn:countersign:acr:password-phone"));

        // R9: once.
        open_login_options(browser, &demo).await;
        browser.press_in_and_leave("to complete your registration").await;
        portal_login(browser).await;
        browser.wait_for_text(ALREADY).await;
        browser.press_and_leave("LOGIN").await;

        // R18: the new password, with the mail address as the name.
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &Person { password: NEW_PASSWORD, ..LEGACY }).await;
        browser.wait_for_text("XXX-XXX-0147").await;
        let code = ask_for_code(browser, &inbox, "Send Code", NUMBER).await;
        browser.fill_and_leave("Verification code", &code).await;
        assert_eq!(read_home(browser, &demo).await.name, LEGACY.name);

        // A finished registration is reset by nobody but an administrator: the page says the same as ever, the mail why.
        browser.open(&format!("{}/login?p=registration-reset", demo.portal)).await;
        browser.wait_for_text("Enter username to send a new link to the registered email").await; // R51
        browser.fill("USERNAME", LEGACY_NAME).await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        let told = inbox.mail(LEGACY.email, "Your Registration Is Complete").await;
        assert!(told.text.contains("ask your portal administrator") && !told.text.contains("/link/"), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_registration_is_resumed_from_login_help() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    let person = Person { password: NEW_PASSWORD, ..LEGACY };
    Browser::journey("registration-resumed", &BrowserOptions::default(), async |browser| {
        open_registration(browser, &demo).await;
        browser.press_and_leave("PHONE").await;
        prove_mailbox(browser, &inbox, LEGACY.email).await;
        set_password(browser, NEW_PASSWORD, "Create").await;
        type_number(browser, "202 555 0147").await;
        browser.press_and_leave("< Cancel").await;

        // Signing in is not open yet: it leads to the way on (R54).
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH PHONE").await;
        sign_in(browser, &person).await;
        browser.wait_for_text("LOGIN HELP").await;
        browser.press_and_leave("< BACK").await;

        open_login_options(browser, &demo).await;
        browser.press_in_and_leave("Having trouble logging in?").await; // R4
        browser.wait_for_text("LOGIN HELP").await; // R55
        for heading in ["Acentra Health Users", "Customer/Provider Users", "Multi-factor Authentication Help"] {
            browser.wait_for_text(heading).await;
        }
        browser.wait_for_text("Prerequisite: you began the multi-factor registration process").await;
        browser.press_in_and_leave("to complete the multi-factor authentication registration process").await;
        sign_in(browser, &person).await;
        prove_mailbox(browser, &inbox, LEGACY.email).await;
        browser.wait_for_text("LOGIN METHOD").await;
        browser.press_and_leave("EMAIL").await; // R25: no phone page
        accept_terms(browser).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (LEGACY.name, "urn:countersign:acr:password-email"));
        assert_eq!(home.amr, ["pwd"]);
    })
    .await;
}

#[tokio::test]
async fn the_phone_branch_of_2024_shows_who_registers_and_binds_the_phone_after_a_sign_in() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("registration-2024", &BrowserOptions::default(), async |browser| {
        browser.open(&format!("{}/login?p=registration-2024", demo.portal)).await;
        portal_login(browser).await;
        // R26: "Display Name and Email are pre-populated", and not for typing.
        for (label, value) in [("Display Name", LEGACY.name), ("Email", LEGACY.email)] {
            let known = browser.field(label).await;
            assert_eq!(known.prop("value").await.unwrap().unwrap(), value, "{label}");
            assert!(known.attr("readonly").await.unwrap().is_some(), "{label}");
        }
        set_password(browser, NEW_PASSWORD, "Create").await;
        browser.wait_for_text("LOGIN METHOD").await;
        browser.press_and_leave("PHONE").await;
        sign_in(browser, &Person { password: NEW_PASSWORD, ..LEGACY }).await;
        let code = ask_for_code(browser, &inbox, "Send verification code", LEGACY.email).await;
        browser.fill("Verification Code", &code).await;
        browser.press_and_leave("Verify code").await;
        browser.press_and_leave("Continue").await;
        type_number(browser, "202 555 0147").await;
        let code = ask_for_code(browser, &inbox, "Send Code", NUMBER).await;
        browser.fill_and_leave("Verification code", &code).await;
        accept_terms(browser).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (LEGACY.name, "urn:countersign:acr:password-phone"));
    })
    .await;
}

#[tokio::test]
async fn the_email_branch_and_the_page_order_of_2024_end_signed_in_at_the_portal() {
    for order_of_2024 in [false, true] {
        let demo = Demo::start_default().await;
        let inbox = demo.inbox();
        Browser::journey("registration-email", &BrowserOptions::default(), async |browser| {
            if order_of_2024 {
                browser.open(&format!("{}/login?p=registration-2024", demo.portal)).await;
                portal_login(browser).await;
                set_password(browser, NEW_PASSWORD, "Create").await;
                browser.press_and_leave("EMAIL").await;
                sign_in(browser, &Person { password: NEW_PASSWORD, ..LEGACY }).await;
                let code = ask_for_code(browser, &inbox, "Send verification code", LEGACY.email).await;
                browser.wait_for_text("Verification code has been sent to your inbox.").await; // R16
                browser.fill("Verification Code", &code).await;
                browser.press_and_leave("Verify code").await;
                browser.press_and_leave("Continue").await;
            } else {
                open_registration(browser, &demo).await;
                browser.press_and_leave("EMAIL").await;
                prove_mailbox(browser, &inbox, LEGACY.email).await;
                set_password(browser, NEW_PASSWORD, "Create").await;
            }
            accept_terms(browser).await;
            let home = read_home(browser, &demo).await;
            assert_eq!((home.name.as_str(), home.acr.as_str()), (LEGACY.name, "urn:countersign:acr:password-email"));
        })
        .await;
    }
}
