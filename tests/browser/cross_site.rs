//! An application in a browser, on another site than the provider (`app.example.net`, `localhost`), by a library that is
//! not ours: what browsers that keep third parties apart leave of the protocol, and what they do not.

use countersign_tests::servers::{Browser, BrowserOptions, Demo, DemoOptions, Page, Site, Visit};
use countersign_tests::user_agent::Answer;
use reqwest::Certificate;
use serde_json::{Value, json};
use url::Url;

use crate::journey::Person;
use crate::relying_party::parameter;

const HOST: &str = "app.example.net";
const ALICE: Person = Person { email: "alice@example.com", password: "meadow-lark-2291-kite", name: "Alice Meadow" };
/// The application's own session, in both ways a cookie can be set.
const COOKIES: [&str; 2] = ["lax=1; Secure; SameSite=Lax; Path=/", "none=1; Secure; SameSite=None; Path=/"];

struct Stage {
    demo: Demo,
    site: Site,
}

impl Stage {
    async fn set_up() -> Self {
        let demo = Demo::start(DemoOptions { flags: vec!["--tls".to_owned()], ..DemoOptions::default() }).await;
        let library = library();
        let issuer = demo.issuer.clone();
        // The client's id is not known before its address is.
        let client = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
        let id = std::sync::Arc::clone(&client);
        let site =
            Site::open(HOST, move |visit| page(visit, &library, &issuer, id.get().map_or("", String::as_str))).await;
        client.set(register(&demo, &site.origin).await).unwrap();
        Self { demo, site }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.site.origin)
    }

    /// From the provider's page to the application, which learns who signed in.
    async fn sign_in(&self, browser: &Browser) -> Value {
        browser.open(&self.at("/app")).await;
        go(browser, "signIn").await;
        browser.wait_for_url(&self.demo.issuer).await;
        browser.type_into("email", ALICE.email).await;
        browser.type_into("password", ALICE.password).await;
        browser.post_and_leave("login").await;
        self.finish(browser).await
    }

    async fn finish(&self, browser: &Browser) -> Value {
        browser.wait_for_url(&self.at("/cb")).await;
        call(browser, "finish", &[]).await.unwrap()
    }

    /// What the provider's frame says within a page of the application.
    async fn watch(&self, browser: &Browser, user: &Value) -> Value {
        browser.open(&self.at("/app")).await;
        call(browser, "watch", &[user["session_state"].clone()]).await.unwrap()
    }
}

fn library() -> String {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").expect("run ./tests/run");
    let path = std::path::Path::new(&folder).join("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(visit: &Visit, library: &str, issuer: &str, client: &str) -> Option<Page> {
    let script = |name: &str| format!(r#"<!doctype html><title>App</title><script src="/{name}"></script>"#);
    match visit.path.split('?').next()? {
        "/oidc.js" => Some(Page::script(library)),
        "/app.js" => Some(Page::script(include_str!("cross_site/app.js"))),
        "/silent.js" => Some(Page::script(include_str!("cross_site/silent.js"))),
        "/app" | "/cb" | "/after" => {
            let settings = json!({
                "issuer": issuer, "client_id": client, "check_session_iframe": format!("{issuer}/check_session"),
            });
            let settings = format!("<script>window.settings = {settings}</script>");
            let html = format!(r#"{}{settings}<script src="/app.js"></script><p>The application"#, script("oidc.js"));
            Some(Page { cookies: COOKIES.map(str::to_owned).to_vec(), ..Page::html(html) })
        }
        "/silent" => Some(Page::html(format!(r#"{}<script src="/silent.js"></script>"#, script("oidc.js")))),
        // The frame's page waits for its image, and the provider's page for the frame.
        "/front" => Some(Page::html(
            "<!doctype html><title>Out</title><script>\
             document.write(`<img src='/seen?stored=${localStorage.length > 0}'>`)</script>",
        )),
        "/seen" => Some(Page::default()),
        // As applications of the old kind begin: a form posted to the provider.
        "/post" => Some(Page::html(format!(
            r#"<!doctype html><title>Post</title><form id="f" method="post" action="{issuer}/authorization">{}</form>
               <script>document.getElementById("f").submit()</script>"#,
            hidden(visit, client)
        ))),
        _ => None,
    }
}

/// The fields of an authorization request with the challenge of RFC 7636, appendix B.
fn hidden(visit: &Visit, client: &str) -> String {
    let callback = parameter(&format!("https://{HOST}{}", visit.path), "back").unwrap_or_default();
    let fields = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", &callback),
        ("scope", "openid"),
        ("state", "posted"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    fields.map(|(name, value)| format!(r#"<input type="hidden" name="{name}" value="{value}">"#)).concat()
}

async fn register(demo: &Demo, origin: &str) -> String {
    let ca = Certificate::from_pem(&std::fs::read(demo.ca_file.as_ref().unwrap()).unwrap()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let metadata = json!({
        "client_name": "Cross-site",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{origin}/cb"), format!("{origin}/silent")],
        "post_logout_redirect_uris": [format!("{origin}/after")],
        "frontchannel_logout_uri": format!("{origin}/front"),
        "frontchannel_logout_session_required": true,
    });
    let answer = Answer::to(http.post(format!("{}/register", demo.issuer)).json(&metadata)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

/// What a function of the application gave, or why it failed.
async fn call(browser: &Browser, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let script = "const [name, given, done] = arguments;\
        app[name](...given).then((value) => done({ value: value ?? null }), (error) => done({ error: `${error.error}: ${error}` }))";
    let said = browser.execute_async(script, vec![json!(name), json!(arguments)]).await.unwrap();
    match said.get("error") {
        Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
        None => Ok(said["value"].clone()),
    }
}

/// Calls a function that leads away from the page.
async fn go(browser: &Browser, name: &str) {
    browser.execute(&format!("app.{name}()"), Vec::new()).await.unwrap();
}

fn options(third_party_cookies: bool) -> BrowserOptions {
    BrowserOptions { any_certificate: true, hosts: vec![HOST], third_party_cookies, ..BrowserOptions::default() }
}

/// Sign-in, UserInfo, refresh, single sign-on, revocation, logout: none of it needs a third party's cookie.
async fn works_on_another_site(stage: &Stage, browser: &Browser) {
    let user = stage.sign_in(browser).await;
    // UserInfo, read by the application's own script.
    assert_eq!(user["email"], ALICE.email, "{user}");
    let token = user["access_token"].clone();
    assert_eq!(call(browser, "userinfo", std::slice::from_ref(&token)).await.unwrap(), 200);
    assert_eq!(call(browser, "userinfo", &[json!("wrong")]).await.unwrap(), 401, "errors can be read too");
    let refreshed = call(browser, "refresh", &[]).await.unwrap();
    assert_eq!(refreshed["sub"], user["sub"]);
    assert!(refreshed["access_token"] != token && refreshed["refresh_token"] != user["refresh_token"]);
    // The provider's session is found again from another site: by a link, as `SameSite=Lax` allows.
    browser.open(&stage.at("/app")).await;
    go(browser, "signIn").await;
    let again = stage.finish(browser).await;
    assert_eq!(again["sub"], user["sub"]);
    // And by a posted request: the provider takes it on as a GET, which has the session's cookie.
    let post = Url::parse_with_params(&stage.at("/post"), [("back", stage.at("/cb"))]).unwrap();
    browser.open(post.as_str()).await;
    let back = browser.wait_for_url(&stage.at("/cb")).await;
    assert!(parameter(&back, "code").is_some() && parameter(&back, "state").as_deref() == Some("posted"), "{back}");
    call(browser, "revoke", &[]).await.unwrap();
    assert_eq!(call(browser, "userinfo", &[again["access_token"].clone()]).await.unwrap(), 401);
}

/// Logs out; answers what the application saw in its frame on the provider's page.
async fn sign_out(stage: &Stage, browser: &Browser) -> Visit {
    browser.open(&stage.at("/app")).await;
    go(browser, "signOut").await;
    browser.wait_for_url(&stage.at("/after")).await;
    assert_eq!(call(browser, "signedOut", &[]).await.unwrap(), "was here");
    let fronts = stage.site.visits("/front");
    assert_eq!(fronts.len(), 1, "{fronts:?}");
    let front = fronts[0].clone();
    let told = stage.at(&front.path);
    assert_eq!(parameter(&told, "iss").as_deref(), Some(stage.demo.issuer.as_str()));
    assert!(parameter(&told, "sid").is_some_and(|sid| !sid.is_empty()));
    assert_eq!(front.destination, "iframe");
    // Nobody is signed in any more.
    browser.open(&stage.at("/app")).await;
    browser.execute("app.signIn({ prompt: 'none' })", Vec::new()).await.unwrap();
    let back = browser.wait_for_url(&stage.at("/cb")).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"), "{back}");
    front
}

#[tokio::test]
async fn an_application_on_another_site_signs_in_refreshes_and_signs_out() {
    let stage = Stage::set_up().await;
    Browser::journey("cross-site", &options(true), async |browser| {
        works_on_another_site(&stage, browser).await;
        // Session Management: the provider's frame sees its cookie, which is `SameSite=None`.
        let user = silent(&stage, browser).await;
        assert_eq!(stage.watch(browser, &user).await, "unchanged");
        let front = sign_out(&stage, browser).await;
        // Of the application's cookies its frame on the provider's page has those that are `SameSite=None`.
        assert_eq!(front.cookies, "none=1");
        assert_eq!(stage.watch(browser, &user).await, "changed");
    })
    .await;
}

#[tokio::test]
async fn it_does_so_too_where_third_parties_have_no_cookies() {
    let stage = Stage::set_up().await;
    Browser::journey("cross-site-blocked", &options(false), async |browser| {
        works_on_another_site(&stage, browser).await;
        let user = silent(&stage, browser).await;
        // The provider's frame cannot see whether the session changed, and says so: no client may sign anybody out for it.
        assert_eq!(stage.watch(browser, &user).await, "error");
        let front = sign_out(&stage, browser).await;
        assert_eq!(front.cookies, "", "what is left is the session's name in the address");
        assert_eq!(stage.watch(browser, &user).await, "error");
    })
    .await;
}

/// Signed in once more, by the session that is there.
async fn silent(stage: &Stage, browser: &Browser) -> Value {
    browser.open(&stage.at("/app")).await;
    go(browser, "signIn").await;
    stage.finish(browser).await
}

#[tokio::test]
async fn a_frame_has_neither_the_session_nor_the_storage_of_its_own_site() {
    let stage = Stage::set_up().await;
    Browser::journey("cross-site-frame", &options(true), async |browser| {
        stage.sign_in(browser).await;
        // `prompt=none` in a frame: the session's cookie is `SameSite=Lax` and stays away, whatever the browser allows.
        let refused = call(browser, "renewInFrame", &[]).await.unwrap_err();
        assert!(refused.starts_with("login_required"), "{refused}");
        // A frame on the provider's page has storage of its own: the application's script there finds nothing.
        sign_out(&stage, browser).await;
        assert_eq!(stage.site.visits("/seen")[0].path, "/seen?stored=false");
    })
    .await;
}
