//! Remember Me (R45 to R48).

use std::time::Duration;

use fantoccini::Locator;
use fantoccini::elements::Element;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::journey::{
    EMAIL_USER, PHONE_USER, SIGN_IN, demo_with_clock, open_login_options, open_sign_in, read_home, sign_in,
    sign_in_to_home,
};

/// The box of the customers' column; the employees' has the same label.
async fn own_box(browser: &Browser) -> Element {
    browser.find(Locator::Css("input[name=remember_customers]")).await.unwrap()
}

async fn is_ticked(browser: &Browser) -> bool {
    own_box(browser).await.is_selected().await.unwrap()
}

async fn tick(browser: &Browser, wanted: bool) {
    if is_ticked(browser).await != wanted {
        own_box(browser).await.click().await.unwrap();
    }
}

#[tokio::test]
async fn a_remembered_login_needs_nothing_for_four_hours_in_this_browser() {
    let demo = demo_with_clock().await;
    Browser::journey("remember", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        assert!(!is_ticked(browser).await, "nobody asked for it yet");
        tick(browser, true).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        let first = sign_in_to_home(browser, &demo, &EMAIL_USER).await;

        // By the same option again: no page in between, and still the login of then.
        demo.move_clock(Duration::from_hours(2));
        open_login_options(browser, &demo).await;
        assert!(is_ticked(browser).await);
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        assert_eq!(read_home(browser, &demo).await, first);

        // The portal may insist.
        browser.open(&format!("{}/login?prompt=login", demo.portal)).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;

        // Another browser knows nothing of it.
        Browser::journey("remember-other", &BrowserOptions::default(), async |other| {
            open_login_options(other, &demo).await;
            assert!(!is_ticked(other).await);
            tick(other, true).await;
            other.press_and_leave("LOGIN WITH EMAIL").await;
            other.wait_for_text(SIGN_IN).await;
        })
        .await;

        // Silent logins did not make it last longer.
        demo.move_clock(Duration::from_hours(2));
        open_login_options(browser, &demo).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;
    })
    .await;
}

#[tokio::test]
async fn an_unticked_login_is_not_remembered_and_unticking_forgets() {
    let demo = Demo::start_default().await;
    Browser::journey("remember-not", &BrowserOptions::default(), async |browser| {
        // Not ticked: a session there is, but it does not answer for the person.
        open_sign_in(browser, &demo).await;
        sign_in_to_home(browser, &demo, &EMAIL_USER).await;
        open_login_options(browser, &demo).await;
        tick(browser, true).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in_to_home(browser, &demo, &EMAIL_USER).await;

        // Ticked, then unticked (R47): forgotten at once, and for good.
        open_login_options(browser, &demo).await;
        assert!(is_ticked(browser).await);
        tick(browser, false).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;
        open_login_options(browser, &demo).await;
        assert!(!is_ticked(browser).await);
        tick(browser, true).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        browser.wait_for_text(SIGN_IN).await;
    })
    .await;
}

#[tokio::test]
async fn another_login_option_asks_for_credentials_and_a_code_all_the_same() {
    let demo = Demo::start_default().await;
    Browser::journey("remember-option", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        tick(browser, true).await;
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        sign_in_to_home(browser, &demo, &EMAIL_USER).await;

        // R46: the box is ticked, and the other option knows nothing of the login that is remembered.
        open_login_options(browser, &demo).await;
        assert!(is_ticked(browser).await);
        browser.press_and_leave("LOGIN WITH PHONE").await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in(browser, &PHONE_USER).await;
        browser.wait_for_text("XXX-XXX-3661").await;
    })
    .await;
}
