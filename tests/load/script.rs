//! The operations as scripts of a connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use async_trait::async_trait;
use countersign_tests::user_agent::Answer;
use serde_json::Value;
use url::Url;

use crate::generator::Script;
use crate::link::{Link, Reply, get, post};
use crate::site::{MAILED, Site, VERIFIER, WEB, basic, cookie_header, redirect_uri};

/// Requests that are good once, made in advance.
pub type Stock = Rc<RefCell<Vec<Vec<u8>>>>;

/// The same request again and again; the answer has `status` and says `words`.
pub struct Repeat {
    /// The request.
    pub request: Vec<u8>,
    /// Status of the answer.
    pub status: u16,
    /// What is somewhere in the answer's body.
    pub words: &'static str,
}

#[async_trait(?Send)]
impl Script for Repeat {
    async fn once(&mut self, link: &mut Link) {
        expect(&link.ask(&self.request).await, self.status, self.words);
    }
}

/// Uses up the stock.
pub struct Spend {
    /// The requests.
    pub stock: Stock,
    /// Status of each answer.
    pub status: u16,
    /// What is somewhere in its body.
    pub words: &'static str,
}

#[async_trait(?Send)]
impl Script for Spend {
    async fn once(&mut self, link: &mut Link) {
        let request = self.stock.borrow_mut().pop().expect("enough was made in advance");
        expect(&link.ask(&request).await, self.status, self.words);
    }
}

/// A session answers an authorization request; the code is laid in stock, or dropped.
pub struct Authorize {
    /// Where.
    pub site: Rc<Site>,
    /// The requests of the token endpoint that redeem the codes.
    pub stock: Option<Stock>,
    request: Vec<u8>,
}

impl Authorize {
    /// For the client of people.
    pub fn new(site: &Rc<Site>, stock: Option<Stock>) -> Self {
        let request = get(&site.host, &site.authorization(WEB), &[("cookie", &site.cookies)]);
        Self { site: Rc::clone(site), stock, request }
    }
}

#[async_trait(?Send)]
impl Script for Authorize {
    async fn once(&mut self, link: &mut Link) {
        let code = code_in(&link.ask(&self.request).await);
        if let Some(stock) = &self.stock {
            stock.borrow_mut().push(redemption(&self.site, &code));
        }
    }
}

/// Uses a refresh token, and the next time the one that came for it.
pub struct Refresh {
    site: Rc<Site>,
    token: String,
}

impl Refresh {
    /// From a login of its own.
    pub async fn new(site: &Rc<Site>) -> Self {
        let token = tokens(site).await["refresh_token"].as_str().expect("a refresh token").to_owned();
        Self { site: Rc::clone(site), token }
    }
}

#[async_trait(?Send)]
impl Script for Refresh {
    async fn once(&mut self, link: &mut Link) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", self.token.as_str())];
        let reply = link.ask(&token_request(&self.site, WEB, &form)).await;
        expect(&reply, 200, "\"id_token\"");
        let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let next = answer["refresh_token"].as_str().expect("another refresh token");
        assert_ne!(next, self.token, "it is replaced at every use");
        next.clone_into(&mut self.token);
    }
}

/// Opens the first page of a flow in a browser of its own and lays the answer to it in stock.
pub struct OpenPage {
    /// Where.
    pub site: Rc<Site>,
    /// The answers.
    pub stock: Stock,
}

#[async_trait(?Send)]
impl Script for OpenPage {
    async fn once(&mut self, link: &mut Link) {
        let mut browser = Browser::new(&self.site);
        let page = browser.get(link, &self.site.authorization("options")).await;
        self.stock.borrow_mut().push(browser.pressed(&page, "email", &[]));
    }
}

/// Signs in with a password alone.
pub struct PasswordLogin {
    /// Where.
    pub site: Rc<Site>,
    /// Who.
    pub person: (&'static str, &'static str),
}

#[async_trait(?Send)]
impl Script for PasswordLogin {
    async fn once(&mut self, link: &mut Link) {
        let mut browser = Browser::new(&self.site);
        let page = browser.get(link, &self.site.authorization(WEB)).await;
        let end = browser.press(link, &page, "login", &credentials(self.person)).await;
        assert!(end.response().contains_key("code"), "no code: {}", end.body);
    }
}

/// Signs in with a password and the code that is mailed.
pub struct MailedCodeLogin {
    /// Where.
    pub site: Rc<Site>,
    /// Who.
    pub person: (&'static str, &'static str),
}

#[async_trait(?Send)]
impl Script for MailedCodeLogin {
    async fn once(&mut self, link: &mut Link) {
        let inbox = self.site.inbox.as_ref().expect("mails go somewhere");
        let old = inbox.ids(self.person.0).await;
        let mut browser = Browser::new(&self.site);
        let page = browser.get(link, &self.site.authorization("mail")).await;
        let unsent = browser.press(link, &page, "login", &credentials(self.person)).await;
        let sent = browser.press(link, &unsent, "send", &[]).await;
        let code = inbox.new_code(self.person.0, &old).await;
        let verified = browser.press(link, &sent, "verify", &[("code", &code)]).await;
        let end = browser.press(link, &verified, "continue", &[]).await;
        assert!(end.response().contains_key("code"), "no code: {}", end.body);
    }
}

fn credentials(person: (&'static str, &'static str)) -> [(&'static str, &'static str); 2] {
    [("email", person.0), ("password", person.1)]
}

/// Who signs in on the connection `number`.
pub fn mailed(number: usize) -> (&'static str, &'static str) {
    MAILED[number % MAILED.len()]
}

/// Cookies of a browser, and its way through pages.
pub struct Browser {
    host: String,
    origin: Url,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// One without cookies.
    pub fn new(site: &Site) -> Self {
        Self { host: site.host.clone(), origin: site.origin.clone(), cookies: BTreeMap::new() }
    }

    /// The request that loads a page.
    pub fn asks(&self, path: &str) -> Vec<u8> {
        get(&self.host, path, &[("cookie", &cookie_header(self.cookies.clone()))])
    }

    /// Loads a page, and goes on from redirects within the server.
    pub async fn get(&mut self, link: &mut Link, path: &str) -> Answer {
        let answer = self.send(link, &self.asks(path), path).await;
        self.follow(link, answer).await
    }

    /// Presses the button `control` of `page`, and goes on in the same way.
    pub async fn press(&mut self, link: &mut Link, page: &Answer, control: &str, typed: &[(&str, &str)]) -> Answer {
        let request = self.pressed(page, control, typed);
        let answer = self.send(link, &request, page.form(control).action.path()).await;
        self.follow(link, answer).await
    }

    /// What pressing it sends.
    pub fn pressed(&self, page: &Answer, control: &str, typed: &[(&str, &str)]) -> Vec<u8> {
        let form = page.form(control);
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> = hidden.chain([("do", control)]).chain(typed.iter().copied()).collect();
        post(&self.host, form.action.path(), &[("cookie", &cookie_header(self.cookies.clone()))], &fields)
    }

    async fn follow(&mut self, link: &mut Link, answer: Answer) -> Answer {
        let mut answer = answer;
        while answer.status == 303 && answer.location().origin() == self.origin.origin() {
            let next = answer.location();
            let path = next.query().map_or_else(|| next.path().to_owned(), |query| format!("{}?{query}", next.path()));
            answer = self.send(link, &self.asks(&path), &path).await;
        }
        answer
    }

    async fn send(&mut self, link: &mut Link, request: &[u8], path: &str) -> Answer {
        let answer = link.ask(request).await.answer(self.origin.join(path).expect("an address"));
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// Tokens of a login that a session answers.
pub async fn tokens(site: &Site) -> Value {
    let mut link = Link::open(site.address).await;
    let request = get(&site.host, &site.authorization(WEB), &[("cookie", &site.cookies)]);
    let code = code_in(&link.ask(&request).await);
    let reply = link.ask(&redemption(site, &code)).await;
    expect(&reply, 200, "\"refresh_token\"");
    serde_json::from_slice(&reply.body).expect("JSON")
}

/// A request of the token endpoint by `client`.
pub fn token_request(site: &Site, client: &str, form: &[(&str, &str)]) -> Vec<u8> {
    post(&site.host, &site.path("token_endpoint"), &[("authorization", &basic(client))], form)
}

fn redemption(site: &Site, code: &str) -> Vec<u8> {
    let redirect_uri = redirect_uri(WEB);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", VERIFIER),
    ];
    token_request(site, WEB, &form)
}

fn code_in(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{}\n{}", reply.head, reply.text());
    let location: Url = reply.header("location").and_then(|location| location.parse().ok()).expect("an address");
    let code = location.query_pairs().find(|(name, _)| name == "code");
    code.unwrap_or_else(|| panic!("no code: {location}")).1.into_owned()
}

fn expect(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{}\n{}", reply.head, reply.text());
    assert!(reply.text().contains(words), "no {words} in {}", reply.text());
}
