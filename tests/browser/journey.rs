//! The steps that journeys share.

use std::time::Duration;

use countersign_tests::servers::{Browser, Demo, DemoOptions, FakeClock, Inbox};
use countersign_tests::user_agent::program;
use fantoccini::Locator;
use serde_json::json;

/// Somebody of the demo (CONTRACT.md, "Demo data").
pub struct Person {
    pub email: &'static str,
    pub password: &'static str,
    pub name: &'static str,
}

pub const EMAIL_USER: Person =
    Person { email: "demohospital18@example.com", password: "ward-seven-0918-lamp", name: "Demo Hospital" };
pub const PHONE_USER: Person =
    Person { email: "dduck@example.com", password: "pond-lily-4471-quack", name: "Daisy Duck" };
pub const ADMINISTRATOR: Person =
    Person { email: "root@example.com", password: "granite-steps-8841-moss", name: "Robin Root" };

pub const UNSENT: &str = "Verification is necessary. Please click Send button.";
pub const SENT: &str = "Verification code has been sent to your inbox. Please copy it to the input box below.";
pub const VERIFIED: &str = "E-mail address verified. You can now continue.";
pub const OUT_OF_DATE: &str = "This page was out of date. Nothing of what you entered was used.";
pub const SIGN_IN: &str = "Sign in with your email address";

/// A demo whose clock the test moves.
pub async fn demo_with_clock() -> Demo {
    Demo::start(DemoOptions { clock: Some(FakeClock::new()), ..DemoOptions::default() }).await
}

/// From the portal to LOGIN OPTIONS.
pub async fn open_login_options(browser: &Browser, demo: &Demo) {
    browser.open(&format!("{}/login", demo.portal)).await;
    browser.wait_for_text("LOGIN OPTIONS").await;
}

/// From the portal to the sign-in page of LOGIN WITH EMAIL.
pub async fn open_sign_in(browser: &Browser, demo: &Demo) {
    open_login_options(browser, demo).await;
    browser.press_and_leave("LOGIN WITH EMAIL").await;
    browser.wait_for_text(SIGN_IN).await;
}

/// Types mail address and password, and presses the button.
pub async fn sign_in(browser: &Browser, person: &Person) {
    browser.fill("Email Address", person.email).await;
    browser.fill("Password", person.password).await;
    browser.press_and_leave("Sign in").await;
}

/// From the portal to the page that offers to mail a code.
pub async fn open_verification(browser: &Browser, demo: &Demo, person: &Person) {
    open_sign_in(browser, demo).await;
    sign_in(browser, person).await;
    browser.wait_for_text(UNSENT).await;
}

/// Lets a code be mailed and answers it.
pub async fn send_code(browser: &Browser, inbox: &Inbox, person: &Person) -> String {
    let old = inbox.ids(person.email).await;
    browser.press_and_leave("Send verification code").await;
    browser.wait_for_text(SENT).await;
    inbox.new_code(person.email, &old).await
}

/// Types a code and presses the button.
pub async fn verify(browser: &Browser, code: &str) {
    browser.fill("Verification code", code).await;
    browser.press_and_leave("Verify code").await;
}

/// From the right code to the portal's home page.
pub async fn finish(browser: &Browser, demo: &Demo, code: &str) -> Home {
    verify(browser, code).await;
    browser.wait_for_text(VERIFIED).await;
    browser.press_and_leave("Continue").await;
    read_home(browser, demo).await
}

/// The whole of it, from the sign-in page on.
pub async fn sign_in_to_home(browser: &Browser, demo: &Demo, person: &Person) -> Home {
    sign_in(browser, person).await;
    browser.wait_for_text(UNSENT).await;
    let code = send_code(browser, &demo.inbox(), person).await;
    finish(browser, demo, &code).await
}

/// Who the portal says is signed in.
#[derive(Debug, PartialEq, Eq)]
pub struct Home {
    pub name: String,
    pub email: String,
    pub acr: String,
    pub amr: Vec<String>,
    /// RFC 3339.
    pub auth_time: String,
    /// The same in seconds since 1970.
    pub auth_seconds: i64,
}

/// Waits for the portal's home page and reads it.
pub async fn read_home(browser: &Browser, demo: &Demo) -> Home {
    browser.wait_for_text("You are signed in").await;
    let url = browser.url().await;
    assert!(url.starts_with(&demo.portal), "signed in at {url}");
    let text = async |id: &str| {
        let element = browser.find(Locator::Id(id)).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        element.text().await.unwrap().trim().to_owned()
    };
    let time = browser.find(Locator::Css("#claim-auth-time time")).await.expect("auth_time");
    let seconds = text("claim-auth-time").await;
    let seconds = seconds.rsplit(['(', ' ']).next().unwrap().trim_end_matches(')');
    Home {
        name: text("signed-in-name").await,
        email: text("claim-email").await,
        acr: text("claim-acr").await,
        amr: text("claim-amr").await.split_whitespace().map(str::to_owned).collect(),
        auth_time: time.attr("datetime").await.unwrap().unwrap(),
        auth_seconds: seconds.parse().unwrap_or_else(|_| panic!("no number: {seconds}")),
    }
}

/// The portal's page for a sign-in that failed, and its OAuth error.
pub async fn read_refusal(browser: &Browser, demo: &Demo) -> String {
    let url = browser.wait_for_url(&demo.portal).await;
    let found = browser.wait().at_most(Duration::from_secs(20)).for_element(Locator::Id("error-code")).await;
    let element = found.unwrap_or_else(|error| panic!("no error at {url}: {error}"));
    element.text().await.unwrap()
}

/// A code that is not `code`.
pub fn another_code(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

/// By how many pixels the page is wider than `width`: nobody likes to scroll sideways (WCAG 2.2, 1.4.10). On a telephone
/// `innerWidth` grows with the page, so the page is held against the width that the window was given.
pub async fn overflow(browser: &Browser, width: u32) -> i64 {
    let script = "return document.scrollingElement.scrollWidth";
    browser.execute(script, vec![]).await.unwrap().as_i64().unwrap() - i64::from(width)
}

/// A POST or GET past the browser, with its cookies.
pub struct Wire {
    http: reqwest::Client,
    cookies: String,
}

impl Wire {
    pub async fn of(browser: &Browser) -> Self {
        let cookies = browser.get_all_cookies().await.unwrap();
        let cookies: Vec<String> = cookies.iter().map(|c| format!("{}={}", c.name(), c.value())).collect();
        Self { http: program().build().unwrap(), cookies: cookies.join("; ") }
    }

    /// The page's bytes.
    pub async fn get(&self, url: &str) -> String {
        let request = self.http.get(url).header("cookie", &self.cookies).header("accept-language", "en");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Sends a form; answers the status and where to.
    pub async fn post(&self, form: &Form, control: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &form.hidden {
            body.append_pair(name, value);
        }
        body.extend_pairs(fields).append_pair("do", control);
        let request = self.http.post(&form.action).header("cookie", &self.cookies);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location.unwrap_or_default())
    }
}

/// A form of the page.
pub struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Form {
    /// The form with the button `control`.
    pub async fn with(browser: &Browser, control: &str) -> Self {
        let script = "const form = document.querySelector(`button[value='${arguments[0]}']`).form;\
            return [form.action, [...form.querySelectorAll('input[type=hidden]')].map((i) => [i.name, i.value])]";
        let found = browser.execute(script, vec![json!(control)]).await.unwrap();
        let (action, hidden) = serde_json::from_value(found).unwrap();
        Self { action, hidden }
    }
}
