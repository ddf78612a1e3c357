//! Mailed links: a new provider's (R27 to R32) and that of a reset (R50 to R53), in this browser and in another one.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{EMAIL_USER, demo_with_clock, open_login_options, read_home};
use crate::steps::{
    CHECK_MAIL, LEGACY, LEGACY_NAME, NEW_PASSWORD, accept_terms, ask_for_call, open_registration, prove_mailbox,
    set_password, type_number,
};

const LANDING: &str = "You have opened the link of an email from Acentra Health.";
const NEWCOMER: &str = "nora.newcomer@example.com";

/// From the portal through "Specify Your Organization" (R28).
async fn open_information(browser: &Browser, demo: &Demo) {
    open_login_options(browser, demo).await;
    browser.press_in_and_leave("If you don't already have a Acentra Health account").await; // R4
    browser.wait_for_text("Create a New Account - Specify Your Organization").await;
    browser.fill("NPI", "1234567893").await;
    browser.fill("PROVIDER REGISTRATION CODE", "BCBS-0042").await;
    browser.press_and_leave("NEXT").await;
    browser.wait_for_text("Create a New Account - Enter User Information").await; // R29
}

async fn fill_information(browser: &Browser, username: &str, email: &str) {
    for (label, text) in [
        ("USERNAME", username),
        ("FIRST NAME", "Nora"),
        ("LAST NAME", "Newcomer"),
        ("ADDRESS 1", "1 Pond Street"),
        ("CITY", "Jackson"),
        ("ZIP CODE", "39201"),
        ("EMAIL", email),
        ("CONFIRM EMAIL", email),
        ("PHONE", "601 555 0199"),
        ("FAX", "(601) 555-0198"),
    ] {
        browser.fill(label, text).await;
    }
    browser.choose("STATE", "Mississippi").await;
}

/// What a scanner of mails does: it fetches every link, more than once.
async fn scan(link: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        http.head(link).send().await.unwrap();
        assert_eq!(http.get(link).send().await.unwrap().status(), 200);
    }
}

/// From the landing page of a link, by EMAIL, to the Terms of Use.
async fn register_by_link(browser: &Browser, link: &str) {
    browser.open(link).await;
    browser.wait_for_text(LANDING).await;
    browser.press_and_leave("Continue").await;
    browser.wait_for_text("LOGIN METHOD").await;
    browser.press_and_leave("EMAIL").await;
    set_password(browser, NEW_PASSWORD, "Create").await;
    accept_terms(browser).await;
}

#[tokio::test]
async fn a_new_provider_registers_by_the_mailed_link_in_the_same_browser() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("new-provider", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        browser.press_in_and_leave("If you don't already have a Acentra Health account").await;
        browser.fill("NPI", "1234567893").await;
        browser.fill("PROVIDER REGISTRATION CODE", "BCBS-0043").await;
        browser.press_and_leave("NEXT").await;
        browser.wait_for_text("NPI and registration code do not belong together.").await;

        open_information(browser, &demo).await;
        for text in ["Organizational Information", "Account Information", "Contact Information", "Faxed Determination"]
        {
            browser.wait_for_text(text).await; // R29 R30
        }
        browser.press_and_leave("NEXT →").await;
        browser.wait_for_text("Please fill in this field.").await;
        fill_information(browser, LEGACY_NAME, NEWCOMER).await;
        browser.press_and_leave("NEXT →").await;
        browser.wait_for_text("This username is taken. Please choose another one.").await;
        fill_information(browser, "nora.newcomer", NEWCOMER).await;
        browser.press_and_leave("NEXT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        browser.wait_for_text("you must click the link in your email within 20 minutes").await; // R31

        // R32, and nothing of it is spent by those who only look.
        let mail = inbox.mail(NEWCOMER, "Atrezzo - Account Registration").await;
        assert!(mail.text.contains("Your Atrezzo user profile has been initiated."), "{mail:?}");
        assert!(mail.text.contains("This link will expire in 20 minutes."), "{mail:?}");
        scan(&mail.link()).await;
        browser.open(&mail.link()).await;
        browser.wait_for_text(LANDING).await;
        register_by_link(browser, &mail.link()).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.email.as_str()), ("Nora Newcomer", NEWCOMER));
        assert_eq!(home.acr, "urn:countersign:acr:password-email");

        // Opened twice.
        browser.open(&mail.link()).await;
        browser.wait_for_text("THIS LINK IS NO LONGER VALID").await;
        browser.open(&format!("{}/link/{}", demo.issuer, "x".repeat(43))).await;
        browser.wait_for_text("THIS LINK IS NOT VALID").await;

        // Somebody else's address: the page is the same, and its owner is told.
        open_information(browser, &demo).await;
        fill_information(browser, "somebody.else", EMAIL_USER.email).await;
        browser.press_and_leave("NEXT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        let told = inbox.mail(EMAIL_USER.email, "You Already Have an Account").await;
        assert!(!told.text.contains("/link/"), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn an_expired_link_is_replaced_and_the_new_one_works_in_another_browser() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("link-expired", &BrowserOptions::default(), async |browser| {
        open_information(browser, &demo).await;
        fill_information(browser, "nora.newcomer", NEWCOMER).await;
        browser.press_and_leave("NEXT →").await;
        let first = inbox.mail(NEWCOMER, "Atrezzo - Account Registration").await;
        demo.move_clock(Duration::from_mins(21));
        browser.open(&first.link()).await;
        browser.wait_for_text("THIS LINK IS NO LONGER VALID").await;

        // RESET leads to the user name, LOGIN to LOGIN HELP and so to the same page (R51 to R53).
        browser.press_and_leave("RESET →").await;
        browser.wait_for_text("USERNAME").await;
        browser.open(&first.link()).await;
        browser.press_and_leave("LOGIN").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_in_and_leave("Having trouble logging in?").await;
        browser.press_in_and_leave("to send a link to the registered email").await;
        browser.fill("USERNAME", "nora.newcomer").await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        let second = inbox.mail(NEWCOMER, "Atrezzo - Account Registration Reset").await;
        assert!(second.text.contains("Your Atrezzo registration has been reset."), "{second:?}");

        // A name that nobody has gets the same page.
        let page = browser.text().await;
        browser.open(&format!("{}/login?p=registration-reset", demo.portal)).await;
        browser.fill("USERNAME", "nobody.at.all").await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        assert_eq!(browser.text().await, page);

        // Another browser, by phone; it ends signed in there (R24).
        Browser::journey("link-elsewhere", &BrowserOptions::default(), async |other| {
            other.open(&second.link()).await;
            other.wait_for_text(LANDING).await;
            other.press_and_leave("Continue").await;
            other.press_and_leave("PHONE").await;
            set_password(other, NEW_PASSWORD, "Create").await;
            type_number(other, "202-555-0161").await;
            let call = ask_for_call(other, &inbox, "+12025550161").await;
            inbox.press(&call.id, "#").await;
            accept_terms(other).await;
            let home = read_home(other, &demo).await;
            assert_eq!(
                (home.name.as_str(), home.acr.as_str()),
                ("Nora Newcomer", "urn:countersign:acr:password-phone")
            );
        })
        .await;
        browser.open(&second.link()).await;
        browser.wait_for_text("THIS LINK IS NO LONGER VALID").await;
    })
    .await;
}

#[tokio::test]
async fn a_registration_that_failed_half_way_goes_on_by_the_link_of_a_reset() {
    let demo = Demo::start_default().await;
    let inbox = demo.inbox();
    Browser::journey("reset-unfinished", &BrowserOptions::default(), async |browser| {
        open_registration(browser, &demo).await;
        browser.press_and_leave("PHONE").await;
        prove_mailbox(browser, &inbox, LEGACY.email).await;
        set_password(browser, "harvest-lantern-2210-copper", "Create").await;
        inbox.fault("voice", "refuse").await;
        type_number(browser, "202 555 0147").await;
        browser.press_and_leave("Call Me").await;
        browser.wait_for_text("REGISTRATION ERROR").await; // R50
        browser.wait_for_text("please click the Reset button, enter your Atrezzo username").await;
        browser.press_and_leave("RESET →").await;
        browser.fill("USERNAME", LEGACY_NAME).await;
        browser.press_and_leave("SUBMIT →").await;
        browser.wait_for_text(CHECK_MAIL).await;
        let mail = inbox.mail(LEGACY.email, "Atrezzo - Account Registration Reset").await; // R52
        scan(&mail.link()).await;
        register_by_link(browser, &mail.link()).await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (LEGACY.name, "urn:countersign:acr:password-email"));
    })
    .await;
}
