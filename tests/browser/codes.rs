//! The mailed code: wrong, late, sent again, not sent at all.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{EMAIL_USER, SENT, another_code, demo_with_clock, finish, open_verification, send_code, verify};

const AGAIN: &str = "Verification code has been sent again to your inbox.";
const WRONG: &str = "That code is incorrect. Please try again.";
const EXPIRED: &str = "That code is expired. Please request a new code.";

#[tokio::test]
async fn a_wrong_code_stays_on_the_page_and_the_right_one_still_works() {
    let demo = Demo::start_default().await;
    Browser::journey("code-wrong", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        verify(browser, &another_code(&code)).await;
        browser.wait_for_text(WRONG).await;
        // The cursor is where the problem is told.
        let focused = browser.active_element().await.unwrap();
        assert!(focused.text().await.unwrap().contains(WRONG));
        let field = browser.field("Verification code").await;
        assert_eq!(field.attr("aria-invalid").await.unwrap().as_deref(), Some("true"));
        assert!(!browser.control("Continue").await.is_enabled().await.unwrap());
        verify(browser, "12 34").await;
        browser.wait_for_text("Please enter the six digits of the verification code.").await;
        assert_eq!(finish(browser, &demo, &code).await.name, EMAIL_USER.name);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
}

#[tokio::test]
async fn a_code_expires_after_thirty_seconds_and_a_new_one_works() {
    let demo = demo_with_clock().await;
    Browser::journey("code-expired", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        let old = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        demo.move_clock(Duration::from_secs(31));
        verify(browser, &old).await;
        browser.wait_for_text(EXPIRED).await;
        // The page says so after a reload, too.
        browser.refresh().await.unwrap();
        browser.wait_for_text(EXPIRED).await;
        browser.press_and_leave("Send new code").await;
        browser.wait_for_text(AGAIN).await;
        let new = demo.inbox().nth_code(EMAIL_USER.email, 2).await;
        assert_ne!(old, new);
        verify(browser, &old).await;
        browser.wait_for_text(WRONG).await;
        assert_eq!(finish(browser, &demo, &new).await.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn a_new_code_is_sent_only_after_a_while() {
    let demo = demo_with_clock().await;
    Browser::journey("code-again", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        let first = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        browser.press_and_leave("Send new code").await;
        browser.wait_for_text("before you request a new code.").await;
        assert!(browser.text().await.contains("Please wait "), "{}", browser.text().await);
        demo.move_clock(Duration::from_secs(30));
        browser.press_and_leave("Send new code").await;
        browser.wait_for_text(AGAIN).await;
        let second = demo.inbox().nth_code(EMAIL_USER.email, 2).await;
        assert_ne!(first, second, "the first one was over");
        assert_eq!(finish(browser, &demo, &second).await.name, EMAIL_USER.name);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 2, "the early one was not sent");
}

#[tokio::test]
async fn while_no_mail_gets_through_the_page_stays_usable() {
    let demo = demo_with_clock().await;
    let inbox = demo.inbox();
    Browser::journey("code-refused", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        inbox.fault("smtp", "refuse").await;
        browser.press_and_leave("Send verification code").await;
        browser.wait_for_text(SENT).await;
        verify(browser, "000000").await;
        browser.wait_for_text(WRONG).await;
        demo.move_clock(Duration::from_secs(31));
        inbox.fault("smtp", "ok").await;
        browser.press_and_leave("Send new code").await;
        browser.wait_for_text(AGAIN).await;
        let code = inbox.code(EMAIL_USER.email).await;
        assert_eq!(finish(browser, &demo, &code).await.name, EMAIL_USER.name);
    })
    .await;
}
