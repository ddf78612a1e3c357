//! A browser without scripts, by hand: cookies, forms read from the HTML, redirects that are looked at, not followed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a step that fails is a test that fails"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a connection is kept for another request: well under `server.request_timeout`, after which the provider closes
/// one that never had any. A test that was busy meanwhile (with a key, with a wait) would send into the closing.
const KEPT: Duration = Duration::from_secs(3);

/// A client that follows no redirect, without cookies.
pub fn http() -> reqwest::Client {
    program().timeout(PATIENCE).build().expect("client")
}

/// What every client of the tests begins with: no proxy, no redirect followed, no old connection used again.
pub fn program() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).pool_idle_timeout(KEPT)
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who answered.
    pub url: Url,
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub body: String,
}

/// A form of a page.
#[derive(Clone, Debug)]
pub struct Form {
    /// Where it posts to.
    pub action: Url,
    /// Its hidden fields.
    pub hidden: Vec<(String, String)>,
}

impl Answer {
    /// Sends `request` and reads the answer.
    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (url, status, headers) = (response.url().clone(), response.status().as_u16(), response.headers().clone());
        Self { url, status, headers, body: response.text().await.expect("text") }
    }

    /// A header's text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// Where a 303 leads.
    pub fn location(&self) -> Url {
        assert_eq!(self.status, 303, "no redirect from {}: {}", self.url, self.body);
        self.url.join(self.headers[LOCATION].to_str().expect("ASCII")).expect("a URL")
    }

    /// The parameters of an authorization response in the query of a 303, each of them once.
    pub fn response(&self) -> BTreeMap<String, String> {
        once(self.location().query_pairs().into_owned())
    }

    /// The form that has the button `control`, or any form when `control` is empty.
    pub fn form(&self, control: &str) -> Form {
        let forms = self.body.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default());
        let button = format!(r#"name="do" value="{control}""#);
        let html = forms.into_iter().find(|html| control.is_empty() || html.contains(&button));
        let html = html.unwrap_or_else(|| panic!("no form with {control:?} at {}: {}", self.url, self.body));
        let action = attribute(html, "action").expect("an action");
        let inputs = html.split("<input ").skip(1).filter(|input| input.starts_with(r#"type="hidden""#));
        let hidden = inputs
            .map(|input| (attribute(input, "name").expect("a name"), attribute(input, "value").expect("a value")));
        Form { action: self.url.join(&action).expect("a URL"), hidden: hidden.collect() }
    }

    /// Whether it is a page with a form to sign in.
    pub fn asks_for_password(&self) -> bool {
        self.status == 200 && self.body.contains(r#"name="password""#)
    }
}

/// Pairs as a map.
pub fn once(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        assert!(map.insert(name.clone(), value).is_none(), "{name} twice");
    }
    map
}

fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let (_, rest) = tag.split_once(&format!(r#"{name}=""#))?;
    Some(unescape(rest.split('"').next()?))
}

/// What stands in the HTML as `text`.
pub fn unescape(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
    ];
    let plain = entities.into_iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    plain.replace("&amp;", "&")
}

/// A person's browser.
pub struct UserAgent {
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Default for UserAgent {
    fn default() -> Self {
        Self::new()
    }
}

impl UserAgent {
    /// One without cookies.
    pub fn new() -> Self {
        Self::with(http())
    }

    /// A browser that speaks through `http`, which must not follow redirects.
    pub fn with(http: reqwest::Client) -> Self {
        Self { http, cookies: Mutex::default() }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("cookies").get(name).cloned()
    }

    /// Every cookie.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().expect("cookies").clone()
    }

    /// Puts a cookie there.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().expect("cookies").insert(name.to_owned(), value.to_owned());
    }

    /// Loads an address.
    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.http.get(url)).await
    }

    /// Posts a form to an address.
    pub async fn post(&self, url: &str, fields: &[(String, String)]) -> Answer {
        self.send(self.http.post(url).form(fields)).await
    }

    /// Presses the button `control` of `page`, with what was typed.
    pub async fn press(&self, page: &Answer, control: &str, typed: &[(&str, &str)]) -> Answer {
        let form = page.form(control);
        let mut fields = form.hidden;
        fields.push(("do".to_owned(), control.to_owned()));
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post(form.action.as_str(), &fields).await
    }

    /// Goes on from a redirect within the server of `answer` until it leads elsewhere or to a page.
    pub async fn follow(&self, answer: Answer) -> Answer {
        let mut answer = answer;
        while answer.status == 303 && answer.location().origin() == answer.url.origin() {
            answer = self.get(answer.location().as_str()).await;
        }
        answer
    }

    /// Signs in at a page of the policy `lab`; answers what comes last.
    pub async fn sign_in(&self, page: &Answer, email: &str, password: &str) -> Answer {
        assert!(page.asks_for_password(), "no page to sign in: {} {}", page.status, page.body);
        let answer = self.press(page, "login", &[("email", email), ("password", password)]).await;
        self.follow(answer).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let cookies = self.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let answer = Answer::to(request).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.set_cookie(name, value);
        }
        answer
    }
}
