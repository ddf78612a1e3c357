//! The portal's own part of single sign-on: Sign out ends the session at the provider too (RP-Initiated Logout), and its
//! tokens are renewed before they end (RFC 6749, 6), for as long as the person lets it have access.

use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, Demo};
use fantoccini::Locator;
use url::Url;

use crate::journey::{
    EMAIL_USER, SIGN_IN, demo_with_clock, open_login_options, open_sign_in, read_home, read_refusal, sign_in_to_home,
};

/// When the access token ends, in seconds since 1970.
async fn access_until(browser: &Browser, demo: &Demo) -> i64 {
    browser.open(&format!("{}/", demo.portal)).await;
    read_home(browser, demo).await;
    let text = browser.find(Locator::Css("#access-until .soft")).await.unwrap().text().await.unwrap();
    text.trim_matches(['(', ')']).parse().unwrap()
}

#[tokio::test]
async fn sign_out_ends_the_session_of_the_provider_and_what_it_remembered() {
    let demo = Demo::start_default().await;
    Browser::journey("sign-out", &BrowserOptions::default(), async |browser| {
        open_login_options(browser, &demo).await;
        browser.find(Locator::Css("input[name=remember_customers]")).await.unwrap().click().await.unwrap();
        browser.press_and_leave("LOGIN WITH EMAIL").await;
        let first = sign_in_to_home(browser, &demo, &EMAIL_USER).await;
        browser.open(&format!("{}/login?p=email", demo.portal)).await;
        assert_eq!(read_home(browser, &demo).await, first, "signed in at the provider, and remembered");

        browser.press_and_leave("Sign out").await;
        browser.wait_for_text("You are signed out").await;
        let back = Url::parse(&browser.url().await).unwrap();
        assert_eq!(back.as_str().split('?').next(), Some(format!("{}/signed-out", demo.portal).as_str()));
        assert!(back.query_pairs().any(|(name, value)| name == "state" && value.len() >= 16), "{back}");
        // The answer is to that sign-out: no other is taken, and it no second time.
        browser.open(back.as_str()).await;
        assert_eq!(read_refusal(browser, &demo).await, "unknown_state");

        // At the portal, and at the provider, silently or by a page.
        browser.open(&format!("{}/login?prompt=none", demo.portal)).await;
        assert_eq!(read_refusal(browser, &demo).await, "login_required");
        open_sign_in(browser, &demo).await;
        browser.wait_for_text(SIGN_IN).await;
    })
    .await;
}

#[tokio::test]
async fn the_portals_access_is_renewed_and_lasts_while_the_person_lets_it() {
    let demo = demo_with_clock().await;
    Browser::journey("renewed", &BrowserOptions::default(), async |browser| {
        open_sign_in(browser, &demo).await;
        let home = sign_in_to_home(browser, &demo, &EMAIL_USER).await;
        let first = access_until(browser, &demo).await;
        demo.move_clock(Duration::from_mins(5));
        assert_eq!(access_until(browser, &demo).await, first, "half of its life is left");
        demo.move_clock(Duration::from_mins(5));
        let second = access_until(browser, &demo).await;
        assert!((second - first - 600).abs() < 120, "{first} {second}");
        assert_eq!(read_home(browser, &demo).await, home, "the same sign-in, at the same time");

        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.wait_for_text("Applications with access").await;
        browser.press_and_leave("Withdraw Case Portal").await;
        browser.wait_for_text("The access was withdrawn.").await;
        demo.move_clock(Duration::from_mins(10));
        browser.open(&format!("{}/", demo.portal)).await;
        browser.wait_for_text("LOGIN OPTIONS").await;
    })
    .await;
}
