//! Tabs, reload, Back and double clicks.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::actions::{InputSource as _, MouseActions, PointerAction};

use crate::journey::{
    EMAIL_USER, Form, OUT_OF_DATE, SENT, SIGN_IN, UNSENT, VERIFIED, Wire, finish, open_login_options, open_sign_in,
    open_verification, read_home, send_code, sign_in, verify,
};

#[tokio::test]
async fn two_tabs_at_once_both_sign_in() {
    let demo = Demo::start_default().await;
    Browser::journey("tabs", &BrowserOptions::default(), async |browser| {
        let first = browser.window().await.unwrap();
        open_sign_in(browser, &demo).await;
        let second = browser.new_window(true).await.unwrap().handle;
        browser.switch_to_window(second.clone()).await.unwrap();
        open_verification(browser, &demo, &EMAIL_USER).await;

        browser.switch_to_window(first.clone()).await.unwrap();
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;
        let first_code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        browser.switch_to_window(second.clone()).await.unwrap();
        let second_code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;

        browser.switch_to_window(first).await.unwrap();
        assert_eq!(finish(browser, &demo, &first_code).await.name, EMAIL_USER.name);
        browser.switch_to_window(second).await.unwrap();
        assert_eq!(finish(browser, &demo, &second_code).await.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn one_sign_in_in_two_tabs_goes_on_in_the_faster_one() {
    let demo = Demo::start_default().await;
    Browser::journey("tabs-shared", &BrowserOptions::default(), async |browser| {
        let slow = browser.window().await.unwrap();
        open_sign_in(browser, &demo).await;
        let url = browser.url().await;
        let fast = browser.new_window(true).await.unwrap().handle;
        browser.switch_to_window(fast.clone()).await.unwrap();
        browser.open(&url).await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;

        // What the slow tab says is not looked at, right or wrong.
        browser.switch_to_window(slow).await.unwrap();
        browser.fill("Email Address", "somebody.else@example.com").await;
        browser.fill("Password", "not-the-password").await;
        browser.press_and_leave("Sign in").await;
        browser.wait_for_text(OUT_OF_DATE).await;
        browser.wait_for_text(UNSENT).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;

        // And the other way round: a second "Send verification code" sends nothing.
        browser.switch_to_window(fast).await.unwrap();
        browser.press_and_leave("Send verification code").await;
        browser.wait_for_text(OUT_OF_DATE).await;
        assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
        assert_eq!(finish(browser, &demo, &code).await.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn a_form_sent_twice_counts_once() {
    let demo = Demo::start_default().await;
    Browser::journey("double", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        let (wire, form, url) = (Wire::of(browser).await, Form::with(browser, "send").await, browser.url().await);
        let answers = futures_util::future::join_all((0..4).map(|_| wire.post(&form, "send", &[]))).await;
        assert!(url.ends_with(&answers[0].1) && answers[0].0 == 303, "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        browser.refresh().await.unwrap();
        browser.wait_for_text(SENT).await;
        let code = demo.inbox().code(EMAIL_USER.email).await;

        verify(browser, &code).await;
        browser.wait_for_text(VERIFIED).await;
        // The last one leaves with a code for the portal: the same to all, and it still works.
        let form = Form::with(browser, "continue").await;
        let answers = futures_util::future::join_all((0..4).map(|_| wire.post(&form, "continue", &[]))).await;
        assert!(answers[0].1.starts_with(&demo.portal) && answers[0].1.contains("code="), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        browser.press_and_leave("Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, EMAIL_USER.name);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
}

#[tokio::test]
async fn a_double_click_counts_once_with_and_without_the_guard_of_the_page() {
    let demo = Demo::start_default().await;
    Browser::journey("double-click", &BrowserOptions::default(), async |browser| {
        open_verification(browser, &demo, &EMAIL_USER).await;
        // Hears of the event before the page's own listener does, and keeps it from it.
        let unguard = "window.addEventListener('submit', (event) => event.stopImmediatePropagation(), true)";
        browser.execute(unguard, vec![]).await.unwrap();
        double_click(browser, "Send verification code").await;
        browser.wait_for_text(SENT).await;
        let code = demo.inbox().code(EMAIL_USER.email).await;
        browser.fill("Verification code", &code).await;
        double_click(browser, "Verify code").await;
        browser.wait_for_text(VERIFIED).await;
        double_click(browser, "Continue").await;
        assert_eq!(read_home(browser, &demo).await.name, EMAIL_USER.name);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
}

async fn double_click(browser: &Browser, name: &str) {
    let (x, y, width, height) = browser.control(name).await.rectangle().await.unwrap();
    let to = PointerAction::MoveTo { duration: None, x: x + width / 2.0, y: y + height / 2.0 };
    let mut clicks = MouseActions::new("mouse".to_owned()).then(to);
    for _ in 0..2 {
        clicks = clicks.then(PointerAction::Down { button: 0 }).then(PointerAction::Up { button: 0 });
    }
    browser.perform_actions(clicks).await.unwrap();
}

#[tokio::test]
async fn reload_and_back_show_the_current_step_and_an_old_form_is_not_used() {
    let demo = Demo::start_default().await;
    Browser::journey("back", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        reload(browser, "LOGIN OPTIONS").await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;
        // Not the very form that will be sent below: that one again would be a double submit.
        let old = Form::with(browser, "login").await;
        reload(browser, SIGN_IN).await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;
        reload(browser, UNSENT).await;

        // Back from here is the first page, a start of its own; forward again is the current step.
        go_back(browser).await;
        assert!(!browser.has_control("Sign in").await, "an old step came back");
        browser.forward().await.unwrap();
        browser.wait_for_text(UNSENT).await;
        let (status, to) =
            Wire::of(browser).await.post(&old, "login", &[("email", "x@example.com"), ("password", "x")]).await;
        assert!(status == 303 && to.contains("out_of_date"), "{status} {to}");
        reload(browser, UNSENT).await;

        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        reload(browser, SENT).await;
        assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1, "a reload sends nothing");
        go_back(browser).await;
        assert!(!browser.has_control("Send verification code").await, "an old step came back");
        browser.forward().await.unwrap();
        verify(browser, &code).await;
        browser.wait_for_text(VERIFIED).await;
        reload(browser, VERIFIED).await;
        browser.press_and_leave("Continue").await;
        let home = read_home(browser, &demo).await;

        // Nothing of it can be done again.
        go_back(browser).await;
        assert!(!browser.has_control("Continue").await && !browser.has_control("Verify code").await);
        browser.open(&demo.portal).await;
        assert_eq!(read_home(browser, &demo).await, home);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
}

async fn reload(browser: &Browser, text: &str) {
    browser.refresh().await.unwrap();
    browser.wait_for_text(text).await;
}

async fn go_back(browser: &Browser) {
    browser.back().await.unwrap();
    // From the browser's memory the page asks for its current state by itself: wait until it is the server's.
    let ready = "return document.readyState === 'complete'";
    let wait = async {
        while browser.execute(ready, vec![]).await.ok().and_then(|ready| ready.as_bool()) != Some(true) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("a page");
}
