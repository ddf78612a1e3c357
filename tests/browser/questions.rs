//! What people are asked outside of flows: consent, which account, whether to log out; and what a page of an
//! application sees of the session meanwhile.

use countersign_tests::servers::{Browser, BrowserOptions, Demo};

use crate::relying_party::{NAME, RelyingParty, parameter, texts};

const ALICE: (&str, &str) = ("alice@example.com", "meadow-lark-2291-kite");

async fn sign_in(browser: &Browser) {
    browser.type_into("email", ALICE.0).await;
    browser.type_into("password", ALICE.1).await;
    browser.post_and_leave("login").await;
}

/// The application's page, in which the answer of the authorization endpoint arrives.
async fn arrive(browser: &Browser, app: &RelyingParty) -> String {
    browser.wait_for_url(&format!("{}/cb?", app.origin)).await
}

/// Asks the page of `check_session_iframe`, framed in the page that is shown, what it says of `state`.
async fn check_session(browser: &Browser, demo: &Demo, app: &RelyingParty, state: &str) -> String {
    let script = "const [source, message, done] = arguments; const frame = document.createElement('iframe');\
        window.addEventListener('message', (event) => done(event.data), { once: true });\
        frame.onload = () => frame.contentWindow.postMessage(message, new URL(source).origin);\
        frame.src = source; document.body.append(frame)";
    let arguments = texts(&[&format!("{}/check_session", demo.issuer), &format!("{} {state}", app.id)]);
    let answer = browser.execute_async(script, arguments).await.unwrap();
    answer.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn consent_is_given_remembered_seen_and_withdrawn() {
    let demo = Demo::start_default().await;
    let app = RelyingParty::register(&demo).await;
    Browser::journey("consent", &BrowserOptions::default(), async |browser| {
        browser.open(&app.request(&[])).await;
        sign_in(browser).await;
        browser.wait_for_text(&format!("{NAME} asks for your permission to:")).await;
        browser.wait_for_text("see your email address").await;
        browser.press_and_leave("Deny").await;
        assert_eq!(parameter(&arrive(browser, &app).await, "error").as_deref(), Some("access_denied"));
        browser.open(&app.request(&[])).await;
        browser.press_and_leave("Allow").await;
        assert!(parameter(&arrive(browser, &app).await, "code").is_some());
        assert!(!app.asked_for("/logo.png").is_empty(), "the logo was loaded");
        browser.open(&app.request(&[("state", "again")])).await;
        assert_eq!(parameter(&arrive(browser, &app).await, "state").as_deref(), Some("again"), "asked once");

        browser.open(&format!("{}/account", demo.issuer)).await;
        browser.wait_for_text("Allowed applications").await;
        browser.press_and_leave(&format!("Withdraw permission {NAME}")).await;
        browser.wait_for_text("The access was withdrawn.").await;
        browser.open(&app.request(&[])).await;
        browser.wait_for_text(&format!("{NAME} asks for your permission to:")).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_is_chosen_and_a_logout_is_seen_by_the_application() {
    let demo = Demo::start_default().await;
    let app = RelyingParty::register(&demo).await;
    Browser::journey("logout", &BrowserOptions::default(), async |browser| {
        browser.open(&app.request(&[])).await;
        sign_in(browser).await;
        browser.press_and_leave("Allow").await;
        let arrived = arrive(browser, &app).await;
        let state = parameter(&arrived, "session_state").expect("session_state");
        assert_eq!(check_session(browser, &demo, &app, &state).await, "unchanged");
        assert_eq!(check_session(browser, &demo, &app, "nonsense").await, "error");

        browser.open(&app.request(&[("prompt", "select_account")])).await;
        browser.wait_for_text("Choose an account").await;
        browser.press_and_leave(&format!("Alice Meadow ({})", ALICE.0)).await;
        assert!(parameter(&arrive(browser, &app).await, "code").is_some());

        let after = format!("{}/after", app.origin);
        let query = [("client_id", app.id.as_str()), ("post_logout_redirect_uri", &after), ("state", "bye")];
        let logout = url::Url::parse_with_params(&format!("{}/end_session", demo.issuer), query).unwrap();
        browser.open(logout.as_str()).await;
        browser.wait_for_text(&format!("{NAME} asks to log you out.")).await;
        browser.press_and_leave("Log out").await;
        let last = browser.wait_for_url(&after).await;
        assert_eq!(parameter(&last, "state").as_deref(), Some("bye"));
        let front = app.asked_for("/front");
        assert_eq!(front.len(), 1, "told in a frame before the browser went on");
        assert_eq!(parameter(&format!("{}{}", app.origin, front[0]), "iss").as_deref(), Some(demo.issuer.as_str()));
        assert_eq!(check_session(browser, &demo, &app, &state).await, "changed");
        browser.open(&app.request(&[("prompt", "none")])).await;
        assert_eq!(parameter(&arrive(browser, &app).await, "error").as_deref(), Some("login_required"));
    })
    .await;
}
