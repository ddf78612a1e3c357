//! Sign-ins that succeed.

use std::time::{Duration, UNIX_EPOCH};

use countersign_tests::servers::{Browser, BrowserOptions, Demo, DemoOptions, RedisServer};
use countersign_tests::stores::{Backend, TestDatabase};

use crate::journey::{
    ADMINISTRATOR, EMAIL_USER, Home, SENT, SIGN_IN, UNSENT, VERIFIED, finish, open_login_options, open_sign_in,
    read_home, send_code, sign_in, sign_in_to_home, verify,
};
use crate::steps::totp;

/// What a person sees on the way, word by word (REQUIREMENTS.md).
async fn sign_in_reading_every_page(browser: &Browser, demo: &Demo) -> Home {
    browser.open(&demo.portal).await;
    browser.wait_for_text("LOGIN OPTIONS").await; // R1
    assert!(browser.url().await.starts_with(&demo.issuer));
    for text in ["Customer/Provider", "Use this login button if you are a customer or provider user.", "Remember Me"] {
        browser.wait_for_text(text).await; // R3
    }
    assert!(browser.has_control("LOGIN WITH PHONE").await && browser.has_control("LOGIN").await);
    browser.press_and_leave("LOGIN WITH EMAIL").await;

    browser.wait_for_text(SIGN_IN).await; // R34
    sign_in(browser, &EMAIL_USER).await;

    browser.wait_for_text(UNSENT).await; // R41
    let masked = browser.field("Email Address").await.prop("value").await.unwrap().unwrap();
    assert!(masked.starts_with("d*") && masked.ends_with("@example.com") && !masked.contains("hospital"), "{masked}");
    browser.wait_for_text("The verification code will expire within 30 seconds").await; // R42
    assert!(!browser.control("Continue").await.is_enabled().await.unwrap());
    assert!(browser.has_control("< Cancel").await);
    let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;

    assert!(browser.text().await.contains(SENT)); // R43
    assert!(!browser.control("Continue").await.is_enabled().await.unwrap());
    assert!(browser.has_control("Send new code").await);
    verify(browser, &code).await;

    browser.wait_for_text(VERIFIED).await; // R44
    browser.press_and_leave("Continue").await;
    read_home(browser, demo).await
}

fn check_home(home: &Home, started: i64) {
    assert_eq!((home.name.as_str(), home.email.as_str()), (EMAIL_USER.name, EMAIL_USER.email));
    assert_eq!(home.acr, "urn:countersign:acr:password-email");
    assert_eq!(home.amr, ["pwd"], "a mailed code is no factor of RFC 8176, and never mfa");
    assert!((started..=seconds_now()).contains(&home.auth_seconds), "{home:?} {started}");
}

fn seconds_now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

#[tokio::test]
async fn a_person_signs_in_to_the_portal_with_password_and_mailed_code() {
    let (demo, started) = (Demo::start_default().await, seconds_now());
    Browser::journey("sign-in", &BrowserOptions::default(), async |browser| {
        check_home(&sign_in_reading_every_page(browser, &demo).await, started);
    })
    .await;
    assert_eq!(demo.inbox().list(EMAIL_USER.email).await.len(), 1);
    assert!(demo.stop().success());
}

#[tokio::test]
async fn a_person_signs_in_on_postgresql_and_redis() {
    let database = TestDatabase::empty(Backend::Postgres).await;
    let redis = RedisServer::start(None).await;
    let options = DemoOptions {
        database_url: Some(database.url.clone()),
        redis_url: Some(redis.url.clone()),
        ..DemoOptions::default()
    };
    let (demo, started) = (Demo::start(options).await, seconds_now());
    Browser::journey("sign-in-servers", &BrowserOptions::default(), async |browser| {
        check_home(&sign_in_reading_every_page(browser, &demo).await, started);
    })
    .await;
    assert!(demo.stop().success());
}

#[tokio::test]
async fn a_person_signs_in_without_javascript() {
    let demo = Demo::start_default().await;
    let options = BrowserOptions { javascript: false, ..BrowserOptions::default() };
    Browser::journey("sign-in-plain", &options, async |browser| {
        open_sign_in(browser, &demo).await;
        sign_in(browser, &EMAIL_USER).await;
        browser.wait_for_text(UNSENT).await;
        let code = send_code(browser, &demo.inbox(), &EMAIL_USER).await;
        // Without a countdown the page says how long the code lives.
        browser.wait_for_text("The verification code will expire within").await;
        assert!(!browser.text().await.contains("Time left"), "no script should have run");
        let home = finish(browser, &demo, &code).await;
        assert_eq!(home.name, EMAIL_USER.name);
    })
    .await;
}

#[tokio::test]
async fn over_https_every_cookie_of_the_provider_is_secure_and_bound_to_its_host() {
    let demo = Demo::start(DemoOptions { flags: vec!["--tls".to_owned()], ..DemoOptions::default() }).await;
    assert!(demo.issuer.starts_with("https://") && demo.portal.starts_with("https://") && demo.ca_file.is_some());
    let options = BrowserOptions { any_certificate: true, ..BrowserOptions::default() };
    Browser::journey("sign-in-tls", &options, async |browser| {
        open_sign_in(browser, &demo).await;
        check_cookies(browser).await;
        let home = sign_in_to_home(browser, &demo, &EMAIL_USER).await;
        assert_eq!(home.name, EMAIL_USER.name);
        open_login_options(browser, &demo).await;
        let names = check_cookies(browser).await;
        assert!(names.contains(&"__Host-cs_session".to_owned()), "{names:?}");
    })
    .await;
}

/// Names of the cookies at localhost; those of the portal, which shares it, are its own affair.
async fn check_cookies(browser: &Browser) -> Vec<String> {
    let cookies = browser.get_all_cookies().await.unwrap();
    let ours: Vec<_> = cookies.iter().filter(|cookie| !cookie.name().starts_with("portal_")).collect();
    assert!(!ours.is_empty());
    for cookie in &ours {
        assert!(cookie.name().starts_with("__Host-"), "{}", cookie.name());
        assert_eq!((cookie.secure(), cookie.path()), (Some(true), Some("/")));
        // The frame of Session Management reads its own; there is no secret in it.
        assert_eq!(cookie.http_only(), Some(cookie.name() != "__Host-cs_state"), "{}", cookie.name());
        // The device is known again next year: it signs nobody in, it only spares them the mail about a new one.
        let outlives = cookie.name() == "__Host-cs_device";
        assert_eq!(cookie.expires().is_some(), outlives, "{} (R48)", cookie.name());
    }
    ours.iter().map(|cookie| cookie.name().to_owned()).collect()
}

#[tokio::test]
async fn an_administrator_signs_in_with_an_authenticator_app() {
    let demo = Demo::start_default().await;
    Browser::journey("sign-in-totp", &BrowserOptions::default(), async |browser| {
        browser.open(&format!("{}/login?p=totp", demo.portal)).await;
        browser.wait_for_text(SIGN_IN).await;
        sign_in(browser, &ADMINISTRATOR).await;
        browser.wait_for_text("Open your authenticator app and enter the code it shows").await;
        browser.fill("Authenticator code", "12345").await;
        browser.press_and_leave("Verify code").await;
        browser.wait_for_text("Please enter the six digits of the verification code.").await;
        browser.fill("Authenticator code", &totp("KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF", Duration::ZERO)).await;
        browser.press_and_leave("Verify code").await;
        let home = read_home(browser, &demo).await;
        assert_eq!((home.name.as_str(), home.acr.as_str()), (ADMINISTRATOR.name, "urn:countersign:acr:password-totp"));
        let mut amr = home.amr;
        amr.sort_unstable();
        assert_eq!(amr, ["mfa", "otp", "pwd"]);
    })
    .await;
}
