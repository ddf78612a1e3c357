//! Sign-ins that end without one: given up, refused, locked.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{
    EMAIL_USER, PHONE_USER, Person, UNSENT, Wire, another_code, demo_with_clock, finish, open_login_options,
    open_sign_in, open_verification, read_home, read_refusal, send_code, sign_in, verify,
};

const WRONG: &str = "Your email address or password is incorrect. Please try again.";
const TRY_LATER: &str = "For your security, no further attempts are possible at the moment.";

#[tokio::test]
async fn cancel_on_any_page_returns_to_the_portal_with_access_denied() {
    let demo = Demo::start_default().await;
    Browser::journey("cancel", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        browser.press_and_leave("< Cancel").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");

        open_sign_in(browser, &demo).await;
        browser.press_and_leave("< Cancel").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");

        open_verification(browser, &demo, &EMAIL_USER).await;
        browser.press_and_leave("< Cancel").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");

        open_verification(browser, &demo, &EMAIL_USER).await;
        let old = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        browser.press_and_leave("< Cancel").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");

        // Nothing of it is left: Back does not bring the page again, and the code that came is worth nothing.
        browser.back().await.unwrap();
        assert!(!browser.has_control("Verify code").await);
        open_verification(browser, &demo, &EMAIL_USER).await;
        let new = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        assert_ne!(new, old, "once in a million runs");
        verify(browser, &old).await;
        browser.wait_for_text("That code is incorrect. Please try again.").await;
    })
    .await;
}

#[tokio::test]
async fn an_account_with_a_phone_is_sent_to_it_and_can_cancel() {
    let demo = Demo::start_default().await;
    Browser::journey("use-phone", &BrowserOptions::default(), async |browser| {
        open_sign_in(browser, &demo).await;
        sign_in(browser, &PHONE_USER).await;
        browser.wait_for_text("We have the following number on record for you.").await;
        browser.wait_for_text("XXX-XXX-3661").await;
        browser.press_and_leave("< Cancel").await;
        assert_eq!(read_refusal(browser, &demo).await, "access_denied");
    })
    .await;
    assert!(demo.inbox().list(PHONE_USER.email).await.is_empty());
}

#[tokio::test]
async fn wrong_password_and_unknown_address_look_the_same_until_the_lock_and_at_it() {
    let unknown = Person { email: "nobody.at.all.180@example.com", password: "granite-quiet-5541-moss", name: "" };
    let wrong = Person { password: unknown.password, ..EMAIL_USER };
    assert_eq!(unknown.email.len(), wrong.email.len() + 3);
    let demo = demo_with_clock().await;
    Browser::journey("wrong-password", &BrowserOptions::default(), async |browser| {
        let mut seen = Vec::new();
        for person in [&unknown, &wrong] {
            open_sign_in(browser, &demo).await;
            let mut pages = Vec::new();
            sign_in(browser, person).await;
            browser.wait_for_text(WRONG).await;
            pages.push(read_page(browser, person).await);
            for _ in 0..10 {
                sign_in(browser, person).await;
            }
            browser.wait_for_text(TRY_LATER).await;
            pages.push(read_page(browser, person).await);
            seen.push(pages);
        }
        assert_eq!(seen[0], seen[1]);

        // The lock is the address's: a new start does not lift it, and the right password does not either.
        browser.press_and_leave("LOGIN").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(TRY_LATER).await;
        // A minute later it is over.
        demo.move_clock(Duration::from_secs(61));
        browser.press_and_leave("LOGIN").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        verify(browser, &code).await;
        browser.press_and_leave("Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn after_too_many_wrong_codes_login_starts_again_with_another_code() {
    let demo = Demo::start_default().await;
    Browser::journey("wrong-codes", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        for _ in 0..5 {
            verify(browser, &another_code(&code)).await;
            browser.wait_for_text("That code is incorrect. Please try again.").await;
        }
        // Now the right one comes too late.
        verify(browser, &code).await;
        browser.wait_for_text(TRY_LATER).await;
        browser.press_and_leave("LOGIN").await;
        browser.wait_for_text("LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;
        let new = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        assert_ne!(new, code);
        assert_eq!(finish(browser, &demo, &new).await.name, EMAIL_USER.name);
    })
    .await;
}

/// The page's bytes, without what is this rendering's own: nonce, flow, and the address that was typed.
async fn read_page(browser: &Browser, person: &Person) -> String {
    let url = browser.url().await;
    let page = Wire::of(browser).await.get(&url).await;
    let flow = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let page = page.replace(flow, "FLOW").replace(person.email, "ADDRESS");
    let mut parts = page.split("name=\"nonce\" value=\"");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        plain.push_str("NONCE");
        plain.push_str(part.split_once('"').unwrap().1);
    }
    plain
}
