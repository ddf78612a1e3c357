//! The provider administrator's own page (R56): Home > Setup > "Manage Users" > expand > pencil > "RESET REGISTRATION".

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;

use crate::journey::{PHONE_USER, Person, SIGN_IN, sign_in};
use crate::steps::{NEW_PASSWORD, PHONE, accept_terms, ask_for_code, set_password, type_number};

const PROVIDER_ADMINISTRATOR: Person =
    Person { email: "admin@example.com", password: "harbour-light-3305-oak", name: "Pat Harbour" };
const ADMINISTRATORS_PHONE: &str = "+12025559885";

/// To the own account page by password and text message, and from there to the console.
async fn open_setup(browser: &Browser, demo: &Demo, javascript: bool) {
    browser.open(&format!("{}/account", demo.issuer)).await;
    browser.press_and_leave("LOGIN WITH PHONE").await;
    browser.wait_for_text(SIGN_IN).await;
    sign_in(browser, &PROVIDER_ADMINISTRATOR).await;
    let code = ask_for_code(browser, &demo.inbox(), "Send Code", ADMINISTRATORS_PHONE).await;
    if javascript {
        browser.fill_and_leave("Verification code", &code).await;
    } else {
        browser.fill("Verification code", &code).await;
        browser.press_and_leave("Verify Code").await;
    }
    browser.wait_for_text("Your account").await;
    browser.press_and_leave("Setup").await;
}

/// The row of [`PHONE_USER`], expanded, and their page by the pencil.
async fn open_person(browser: &Browser) {
    browser.wait_for_text("You see the users of: Duck Pond Clinic").await;
    browser.press_and_leave("Manage Users").await;
    browser.fill("Name, email address or username", "duck").await;
    browser.press_and_leave("Search").await;
    assert!(!browser.text().await.contains("XXX-XXX-3661"), "folded");
    browser.find(Locator::Css(".people summary")).await.unwrap().click().await.unwrap();
    browser.wait_for_text("XXX-XXX-3661").await;
    browser.press_and_leave(&format!("Edit {}", PHONE_USER.name)).await;
}

/// The question, without a reason and with one.
async fn reset_registration(browser: &Browser) {
    browser.press_and_leave("RESET REGISTRATION").await;
    browser.wait_for_text("You are about to reset the registration of Daisy Duck").await;
    browser.press_and_leave("RESET REGISTRATION").await;
    browser.wait_for_text("Please say why").await;
    browser.fill("Reason", "lost her phone, ticket 4711").await;
    browser.press_and_leave("RESET REGISTRATION").await;
    browser.wait_for_text("The registration was reset.").await;
    browser.wait_for_text("Registration unfinished").await;
}

#[tokio::test]
async fn a_provider_administrator_resets_a_registration_and_the_person_registers_anew() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("setup", &BrowserOptions::default(), async |browser| {
        open_setup(browser, &demo, true).await;
        open_person(browser).await;
        reset_registration(browser).await;
        let told = inbox.wait_for(PHONE, 1).await.remove(0);
        assert!(told.text.contains("reset by an administrator"), "{}", told.text);
        let mail = inbox.wait_for(PHONE_USER.email, 1).await.remove(0);

        Browser::journey("setup-person", &BrowserOptions::default(), async |person| {
            person.open(&mail.link()).await;
            person.press_and_leave("Continue").await;
            person.press_and_leave("PHONE").await;
            set_password(person, NEW_PASSWORD, "Create").await;
            type_number(person, "202 555 0147").await;
            let code = ask_for_code(person, &inbox, "Send Code", "+12025550147").await;
            person.fill_and_leave("Verification code", &code).await;
            if person.text().await.contains("terms of use") {
                accept_terms(person).await;
            }
            person.wait_for_text("Your account").await;
            person.wait_for_text("XXX-XXX-0147").await;
        })
        .await;

        browser.refresh().await.unwrap();
        browser.wait_for_text("XXX-XXX-0147").await;
        browser.find(Locator::Css("#timeline ~ details:last-of-type summary")).await.unwrap().click().await.unwrap();
        browser.wait_for_text("registration reset by provider administrator: lost her phone, ticket 4711").await;
    })
    .await;
}

#[tokio::test]
async fn the_console_works_without_javascript_and_is_nothing_to_others() {
    let demo = Demo::start_default().await;
    let plain = BrowserOptions { javascript: false, ..BrowserOptions::default() };
    Browser::journey("setup-plain", &plain, async |browser| {
        open_setup(browser, &demo, false).await;
        open_person(browser).await;
        reset_registration(browser).await;
        browser.press_and_leave("Send the invitation again").await;
        browser.wait_for_text("The invitation was sent again.").await;
        demo.inbox().wait_for(PHONE_USER.email, 2).await;
    })
    .await;
    Browser::journey("setup-forbidden", &BrowserOptions::default(), async |browser| {
        let inbox = demo.inbox();
        let person = crate::journey::EMAIL_USER;
        crate::steps::open_account(browser, &demo, &person).await;
        assert!(!browser.has_control("Setup").await);
        browser.open(&format!("{}/setup/users", demo.issuer)).await;
        browser.wait_for_text("This page is for administrators.").await;
        browser.press_and_leave("Your account").await;
        browser.wait_for_text(person.name).await;
        assert!(inbox.list(PHONE_USER.email).await.len() == 2, "nothing more was sent");
    })
    .await;
}
