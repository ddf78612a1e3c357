//! The portal as a relying party.

use crate::provider::{SECRET, TestProvider, basic, make_key, make_provider, now, start_provider};
use crate::support::{client, start_portal};
use countersign_sandbox::PortalSettings;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use url::Url;

/// A browser: cookies, no redirects of its own.
struct Browser {
    base: String,
    http: Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    fn new(port: u16) -> Self {
        Self { base: format!("http://localhost:{port}"), http: client(), cookies: Mutex::default() }
    }

    fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies(&self, answer: &Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let text = cookie.to_str().unwrap();
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax") && text.contains("Path=/"), "{text}");
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if value.is_empty() {
                cookies.remove(name)
            } else {
                cookies.insert(name.to_owned(), value.to_owned())
            };
        }
    }

    async fn get(&self, address: &str) -> Response {
        let url = if address.starts_with('/') { format!("{}{address}", self.base) } else { address.to_owned() };
        let answer = self.http.get(url).header("Cookie", self.cookie_header()).send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }

    /// The authorization request.
    async fn log_in(&self, path: &str) -> Url {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 303);
        Url::parse(location(&answer)).unwrap()
    }
}

fn location(answer: &Response) -> &str {
    answer.headers()["location"].to_str().unwrap()
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn start(provider: &TestProvider) -> Browser {
    let settings = PortalSettings::new(&provider.issuer, SECRET.to_owned().into());
    Browser::new(start_portal(PortalSettings { port: 0, ..settings }))
}

/// The provider's answer to an authorization request.
fn approve(provider: &TestProvider, request: &Url, code: &str) -> String {
    provider.change(|behaviour| drop(behaviour.nonces.insert(code.into(), parameter(request, "nonce"))));
    let mut answer = Url::parse(&parameter(request, "redirect_uri")).unwrap();
    answer
        .query_pairs_mut()
        .append_pair("code", code)
        .append_pair("state", &parameter(request, "state"))
        .append_pair("iss", &provider.issuer);
    answer.into()
}

/// Status and `#error-code` of a page.
async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let page = answer.text().await.unwrap();
    assert!(page.contains("<a class=\"button\" href=\"/login\">Try again</a>"), "{page}");
    let code = page.split("id=\"error-code\">").nth(1).unwrap().split('<').next().unwrap();
    (status, code.to_owned())
}

#[tokio::test]
async fn who_signs_in_sees_the_home_page_with_the_claims() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = browser.get("/").await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/login"));
    let request = browser.log_in("/login").await;
    assert_eq!(request.path(), "/authorize");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "case-portal"),
        ("scope", "openid profile email offline_access"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", &format!("{}/callback", browser.base)),
    ] {
        assert_eq!(parameter(&request, name), value, "{name}");
    }
    let answer = browser.get(&approve(&provider, &request, "c1")).await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/"));
    let page = browser.get("/").await.text().await.unwrap();
    for (id, text) in [
        ("signed-in-name", "Daisy Duck &lt;b&gt;</dd>"),
        ("claim-email", "dduck@example.com</dd>"),
        ("claim-acr", "urn:countersign:acr:password-email</dd>"),
        ("claim-amr", "<ul class=\"chips\"><li>pwd</li><li>mfa</li></ul></dd>"),
        ("claim-sub", "user-1</dd>"),
    ] {
        assert!(page.contains(&format!("<dd id=\"{id}\">{text}")), "{id}: {page}");
    }
    let time = page.split("id=\"claim-auth-time\">").nth(1).unwrap().split("</dd>").next().unwrap();
    let iso = time.split("datetime=\"").nth(1).unwrap().split('"').next().unwrap();
    let epoch = chrono::DateTime::parse_from_rfc3339(iso).unwrap().timestamp();
    assert!(time.contains(&format!("({epoch})")), "{time}");
    let (form, authorization) = provider.behaviour.lock().unwrap().token_requests.pop().unwrap();
    assert_eq!(authorization, basic());
    assert!(form["code_verifier"].len() >= 43 && !form.contains_key("client_secret"));
    assert_eq!(browser.cookies.lock().unwrap().keys().collect::<Vec<_>>(), ["portal_session"]);
}

#[tokio::test]
async fn an_answer_is_taken_once() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    let cookies = browser.cookies.lock().unwrap().clone();
    assert_eq!(browser.get(&answer).await.status(), 303);
    assert_eq!(problem(browser.get(&answer).await).await, (400, "unknown_state".into()));
    *browser.cookies.lock().unwrap() = cookies;
    assert_eq!(problem(browser.get(&answer).await).await, (400, "unknown_state".into()));
    assert_eq!(provider.behaviour.lock().unwrap().token_requests.len(), 1);
}

#[tokio::test]
async fn an_unknown_state_is_refused() {
    let provider = start_provider();
    let browser = start(&provider);
    browser.log_in("/login").await;
    for query in ["", "?state=", "?code=c1", "?code=c1&state=made-up", "?error=access_denied&state=made-up"] {
        let outcome = problem(browser.get(&format!("/callback{query}")).await).await;
        assert_eq!(outcome, (400, "unknown_state".into()), "{query}");
    }
}

#[tokio::test]
async fn a_sign_in_belongs_to_the_browser_that_began_it() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    let other = Browser::new(Url::parse(&browser.base).unwrap().port().unwrap());
    other.log_in("/login").await;
    assert_eq!(problem(other.get(&answer).await).await, (400, "unknown_state".into()));
    assert_eq!(browser.get(&answer).await.status(), 303);
}

#[tokio::test]
async fn two_tabs_sign_in_at_once() {
    let provider = start_provider();
    let browser = start(&provider);
    // Both leave before either has a cookie.
    let (first, second) = tokio::join!(browser.log_in("/login?next=/cases"), browser.log_in("/login"));
    let second = browser.get(&approve(&provider, &second, "c2")).await;
    let first = browser.get(&approve(&provider, &first, "c1")).await;
    assert_eq!((second.status().as_u16(), location(&second)), (303, "/"));
    assert_eq!((first.status().as_u16(), location(&first)), (303, "/cases"));
    assert!(browser.get("/cases").await.text().await.unwrap().contains("SAMPLE-1005"));
}

#[tokio::test]
async fn abandoned_sign_ins_do_not_fill_the_browser() {
    let provider = start_provider();
    let browser = start(&provider);
    for _ in 0..30 {
        browser.log_in("/login").await;
    }
    assert_eq!(browser.cookies.lock().unwrap().len(), 10);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let provider = start_provider();
    let browser = start(&provider);
    for replaced in [Some("http://evil.example"), None] {
        let mut answer = Url::parse(&approve(&provider, &browser.log_in("/login").await, "c1")).unwrap();
        let kept: Vec<_> = answer.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
        answer.query_pairs_mut().clear().extend_pairs(kept);
        if let Some(issuer) = replaced {
            answer.query_pairs_mut().append_pair("iss", issuer);
        }
        assert_eq!(problem(browser.get(answer.as_str()).await).await, (400, "issuer_mismatch".into()), "{replaced:?}");
    }
    assert!(provider.behaviour.lock().unwrap().token_requests.is_empty());
}

#[tokio::test]
async fn an_issuer_that_was_never_promised_may_be_missing() {
    let provider = start_provider();
    provider.change(|behaviour| behaviour.promises_issuer = false);
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    let answer = answer.split("&iss=").next().unwrap();
    assert_eq!(browser.get(answer).await.status(), 303);
}

#[tokio::test]
async fn an_error_of_the_provider_is_shown_with_its_code() {
    let provider = start_provider();
    let browser = start(&provider);
    let request = browser.log_in("/login").await;
    let query = format!(
        "/callback?error=access_denied&error_description=No%20<script>&state={}&iss={}",
        parameter(&request, "state"),
        provider.issuer
    );
    let answer = browser.get(&query).await;
    let page = answer.text().await.unwrap();
    assert!(page.contains("<code id=\"error-code\">access_denied</code>"), "{page}");
    assert!(page.contains("No &lt;script&gt;"), "{page}");
    assert_eq!(browser.get("/").await.status(), 303);
    assert_eq!(problem(browser.get(&query).await).await, (400, "unknown_state".into()));
}

#[tokio::test]
async fn a_doubled_parameter_is_refused() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    let outcome = problem(browser.get(&format!("{answer}&code=c2")).await).await;
    assert_eq!(outcome, (400, "invalid_request".into()));
    assert_eq!(browser.get(&answer).await.status(), 303);
}

#[tokio::test]
async fn id_tokens_that_do_not_fit_are_refused() {
    let provider = start_provider();
    let browser = start(&provider);
    for lie in [
        json!({ "nonce": "other" }),
        json!({ "nonce": null }),
        json!({ "iss": "http://evil.example" }),
        json!({ "aud": "other-client" }),
        json!({ "exp": 1_000_000_000 }),
        json!({ "sub": "somebody-else" }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        provider.change(|behaviour| behaviour.claims = lie.clone());
        let answer = approve(&provider, &browser.log_in("/login").await, "c1");
        assert_eq!(problem(browser.get(&answer).await).await, (502, "invalid_answer".into()), "{lie}");
    }
    assert_eq!(browser.get("/").await.status(), 303);
}

#[tokio::test]
async fn a_forged_signature_is_refused_and_new_keys_are_fetched() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    assert_eq!(browser.get(&answer).await.status(), 303);
    let old = provider.behaviour.lock().unwrap().key_id;
    // The same key id over another key: the portal knows "one" already and does not ask again.
    provider.change(|behaviour| behaviour.key = make_key());
    let answer = approve(&provider, &browser.log_in("/login").await, "c2");
    assert_eq!(problem(browser.get(&answer).await).await, (502, "invalid_answer".into()), "{old}");
    provider.change(|behaviour| behaviour.key_id = "two");
    let answer = approve(&provider, &browser.log_in("/login").await, "c3");
    assert_eq!(browser.get(&answer).await.status(), 303);
}

#[tokio::test]
async fn max_age_is_held_against_auth_time() {
    let provider = start_provider();
    let browser = start(&provider);
    for (age, wanted) in [(json!(now() - 30), 303), (json!(now() - 500), 502), (Value::Null, 502)] {
        provider.change(|behaviour| behaviour.claims = json!({ "auth_time": age }));
        let request = browser.log_in("/login?max_age=100").await;
        let answer = browser.get(&approve(&provider, &request, "c1")).await;
        assert_eq!(answer.status(), wanted, "{age}");
    }
}

#[tokio::test]
async fn parameters_are_passed_on_by_name() {
    let provider = start_provider();
    let browser = start(&provider);
    let request = browser
        .log_in(
            "/login?p=email&acr_values=a+b&prompt=login&max_age=0&ui_locales=es&login_hint=x%40y&scope=admin&state=s",
        )
        .await;
    for (name, value) in [
        ("p", "email"),
        ("acr_values", "a b"),
        ("prompt", "login"),
        ("max_age", "0"),
        ("ui_locales", "es"),
        ("login_hint", "x@y"),
        ("scope", "openid profile email offline_access"),
    ] {
        assert_eq!(parameter(&request, name), value, "{name}");
    }
    assert_eq!(request.query_pairs().filter(|(name, _)| name == "state").count(), 1);
    assert_eq!(problem(browser.get("/login?p=a&p=b").await).await, (400, "invalid_request".into()));
}

#[tokio::test]
async fn the_provider_may_start_later() {
    let (provider, listener) = make_provider();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let browser = start(&provider);
    assert_eq!(problem(browser.get("/login").await).await, (503, "provider_unavailable".into()));
    provider.serve(std::net::TcpListener::bind(address).unwrap());
    assert_eq!(browser.log_in("/login").await.path(), "/authorize");
}

impl Browser {
    /// Signs in with a code of that name.
    async fn sign_in(&self, provider: &TestProvider, code: &str) {
        let answer = approve(provider, &self.log_in("/login").await, code);
        assert_eq!(self.get(&answer).await.status(), 303);
    }

    async fn log_out(&self, origin: &str) -> Response {
        let request = self.http.post(format!("{}/logout", self.base)).header("Cookie", self.cookie_header());
        let answer = request.header("Origin", origin.to_owned()).send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_provider() {
    let provider = start_provider();
    let browser = start(&provider);
    browser.sign_in(&provider, "c1").await;
    let cookies = browser.cookies.lock().unwrap().clone();
    assert_eq!(browser.log_out("http://evil.example").await.status(), 403);
    let home = browser.get("/").await;
    let policy = home.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains(&format!("form-action 'self' {};", provider.issuer)), "{policy}");

    let answer = browser.log_out(&browser.base).await;
    let address = Url::parse(location(&answer)).unwrap();
    assert_eq!(address.as_str().split('?').next().unwrap(), format!("{}/end", provider.issuer));
    assert_eq!(parameter(&address, "post_logout_redirect_uri"), format!("{}/signed-out", browser.base));
    assert_eq!(parameter(&address, "id_token_hint").split('.').count(), 3);
    assert_eq!(provider.behaviour.lock().unwrap().revoked, ["rt-1"], "nobody uses it any more");
    *browser.cookies.lock().unwrap() = cookies;
    assert_eq!(browser.get("/").await.status(), 303, "over at once");
}

#[tokio::test]
async fn the_browser_comes_back_to_the_page_of_its_own_sign_out() {
    let provider = start_provider();
    let browser = start(&provider);
    browser.sign_in(&provider, "c1").await;
    let answer = browser.log_out(&browser.base).await;
    let state = parameter(&Url::parse(location(&answer)).unwrap(), "state");
    let back = |state: &str| format!("/signed-out?state={state}");
    let stranger = Browser::new(Url::parse(&browser.base).unwrap().port().unwrap());
    assert_eq!(problem(stranger.get(&back(&state)).await).await, (400, "unknown_state".into()));
    for wrong in ["made-up".to_owned(), format!("{state}&state={state}"), String::new()] {
        assert_eq!(problem(browser.get(&back(&wrong)).await).await, (400, "unknown_state".into()), "{wrong}");
    }
    let page = browser.get(&back(&state)).await;
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("You are signed out") && text.contains("and of its sign-in service"), "{text}");
    assert_eq!(problem(browser.get(&back(&state)).await).await, (400, "unknown_state".into()), "once");
}

#[tokio::test]
async fn a_provider_without_logout_leaves_the_portals_own() {
    let provider = start_provider();
    provider.change(|behaviour| behaviour.ends_sessions = false);
    let browser = start(&provider);
    browser.sign_in(&provider, "c1").await;
    for _ in 0..2 {
        let answer = browser.log_out(&browser.base).await;
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/signed-out"));
        assert!(browser.cookies.lock().unwrap().is_empty());
    }
    let page = browser.get("/signed-out").await.text().await.unwrap();
    assert!(page.contains("href=\"/login\">Sign in") && page.contains("may still know you"), "{page}");
    assert!(!page.contains("and of its sign-in service"), "nobody asked the provider: {page}");
}

#[tokio::test]
async fn tokens_are_renewed_once_before_they_end_whatever_tabs_there_are() {
    let provider = start_provider();
    provider.change(|behaviour| behaviour.expires_in = 59);
    let browser = start(&provider);
    browser.sign_in(&provider, "c1").await;
    provider.change(|behaviour| {
        behaviour.expires_in = 300;
        behaviour.userinfo["name"] = json!("Daisy Married");
    });
    let pages = tokio::join!(browser.get("/"), browser.get("/"), browser.get("/cases"));
    for page in [pages.0, pages.1, pages.2] {
        assert!(page.text().await.unwrap().contains("Daisy Married"), "as the provider has it now");
    }
    let requests = provider.behaviour.lock().unwrap().token_requests.clone();
    let grants: Vec<_> = requests.iter().map(|(form, _)| form["grant_type"].as_str()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    assert_eq!((requests[1].0["refresh_token"].as_str(), requests[1].1.as_str()), ("rt-1", basic().as_str()));
    browser.log_out(&browser.base).await;
    assert_eq!(provider.behaviour.lock().unwrap().revoked, ["rt-2"], "the newest");
}

#[tokio::test]
async fn a_session_ends_when_its_grant_does_and_waits_while_nobody_can_say() {
    let provider = start_provider();
    provider.change(|behaviour| behaviour.expires_in = 59);
    let browser = start(&provider);
    for (status, error) in [(503, "temporarily_unavailable"), (401, "invalid_client")] {
        browser.sign_in(&provider, "c1").await;
        provider.change(|behaviour| behaviour.refusal = Some((status, error)));
        assert_eq!(browser.get("/").await.status(), 200, "{error}");
    }
    provider.change(|behaviour| behaviour.refusal = Some((400, "invalid_grant")));
    assert_eq!(location(&browser.get("/").await), "/login");
    provider.change(|behaviour| behaviour.refusal = None);
    assert_eq!(location(&browser.get("/").await), "/login", "and stays so");
    for lie in [json!({ "sub": "somebody-else" }), json!({ "auth_time": now() + 9 }), json!({ "nonce": "again" })] {
        provider.change(|behaviour| behaviour.claims = json!({}));
        browser.sign_in(&provider, "c1").await;
        provider.change(|behaviour| behaviour.claims = lie.clone());
        assert_eq!(location(&browser.get("/").await), "/login", "{lie}");
    }
}

#[tokio::test]
async fn every_page_has_its_own_content_and_a_strict_policy() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = approve(&provider, &browser.log_in("/login").await, "c1");
    browser.get(&answer).await;
    for (path, text) in [
        ("/", "Request saved but not submitted"),
        ("/cases", "SAMPLE-1006"),
        ("/work-in-progress", "Attach the plan of care"),
        ("/message-center", "More information wanted"),
    ] {
        let answer = browser.get(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let page = answer.text().await.unwrap();
        assert!(page.contains(text), "{path}");
        assert!(
            page.contains(&format!("<a href=\"{path}\" aria-current=\"page\">").replace('/', "&#x2f;"))
                || page.contains(&format!("<a href=\"{path}\" aria-current=\"page\">")),
            "{path}"
        );
    }
    assert_eq!(browser.get("/nowhere").await.status(), 404);
    let answer = browser.http.get(format!("{}/message-center", browser.base)).send().await.unwrap();
    assert_eq!(location(&answer), "/login?next=/message-center");
}

#[tokio::test]
async fn the_provider_may_start_a_sign_in() {
    let provider = start_provider();
    let browser = start(&provider);
    let initiated = |more: &str| {
        let issuer: String = url::form_urlencoded::byte_serialize(provider.issuer.as_bytes()).collect();
        format!("/login?iss={issuer}{more}")
    };
    let target: String = url::form_urlencoded::byte_serialize(format!("{}/cases", browser.base).as_bytes()).collect();
    let path = initiated(&format!("&login_hint=dduck%40example.com&target_link_uri={target}"));
    let request = browser.log_in(&path).await;
    assert_eq!(parameter(&request, "login_hint"), "dduck@example.com");
    assert_eq!((parameter(&request, "iss"), parameter(&request, "target_link_uri")), Default::default());
    let answer = browser.get(&approve(&provider, &request, "initiated")).await;
    assert_eq!(location(&answer), "/cases");
}

#[tokio::test]
async fn nobody_else_may_start_a_sign_in() {
    let provider = start_provider();
    let browser = start(&provider);
    let answer = browser.get("/login?iss=https%3A%2F%2Fevil.example").await;
    assert_eq!(problem(answer).await, (400, "issuer_mismatch".to_owned()));
}
