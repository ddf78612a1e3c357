//! OAuth Client ID Metadata Document (draft-ietf-oauth-client-id-metadata-document-01): a client that nobody registered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::client_key::SIGNER;
use crate::fixture::{ALICE, Ask, Provider, VERIFIER, assert_error, assert_error_page, peek, text};

/// A client's site: its address, what stands at `/client.json`, and how often that was read.
struct Site {
    address: String,
    document: Arc<Mutex<Value>>,
    read: Arc<AtomicUsize>,
}

impl Site {
    async fn open() -> Self {
        let (document, read) = (Arc::new(Mutex::new(Value::Null)), Arc::new(AtomicUsize::new(0)));
        let (served, count) = (Arc::clone(&document), Arc::clone(&read));
        let address = serve_json(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Some((200, served.lock().unwrap().to_string()))
        })
        .await;
        let site = Self { address, document, read };
        site.publish(&json!({}));
        site
    }

    fn id(&self) -> String {
        format!("{}/client.json", self.address)
    }

    fn redirect_uri(&self) -> String {
        format!("{}/cb", self.address)
    }

    fn publish(&self, changes: &Value) {
        let mut document = json!({
            "client_id": self.id(), "client_name": "Stranger <App>", "redirect_uris": [self.redirect_uri()],
        });
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        *self.document.lock().unwrap() = document;
    }

    fn ask(&self, provider: &Provider) -> Ask {
        provider.ask("basic").with("client_id", self.id()).with("redirect_uri", self.redirect_uri())
    }
}

/// Alice signs in for a request, and says yes.
async fn allowed(provider: &Provider, agent: &UserAgent, ask: &Ask) -> Answer {
    let page = provider.answer(agent, ask).await;
    let page = agent.follow(page).await;
    assert!(page.body.contains(r#"value="allow""#), "{} {}", page.status, page.body);
    assert!(page.body.contains("<strong class=\"id\">127.0.0.1</strong>"), "whose host it is: {}", page.body);
    assert!(page.body.contains("Stranger &lt;App&gt;"), "{}", page.body);
    assert!(page.body.contains("a program on this computer"), "where the answer goes: {}", page.body);
    let spanish = agent.get(&format!("{}?lang=es", page.url)).await;
    assert!(spanish.body.contains("un programa de esta computadora"), "{}", spanish.body);
    agent.press(&page, "allow", &[]).await
}

#[tokio::test]
async fn a_client_is_as_the_document_at_its_id_says() {
    let (provider, site) = (Provider::start().await, Site::open().await);
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);

    let agent = UserAgent::new();
    let answer = allowed(&provider, &agent, &site.ask(&provider)).await;
    let response = answer.response();
    assert!(answer.header("location").starts_with(&site.redirect_uri()), "{answer:?}");
    let (id, redirect_uri) = (site.id(), site.redirect_uri());
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &id),
        ("code", &response["code"]),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let tokens = Answer::to(provider.token_request(&form)).await.json();
    assert_eq!(peek(text(&tokens, "id_token"))["aud"], id);
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 200);

    // People are asked every time: what was allowed once was allowed to another document, maybe.
    allowed(&provider, &agent, &site.ask(&provider)).await;
    let silent = agent.get(&site.ask(&provider).with("prompt", "none").url()).await;
    assert_eq!(silent.response()["error"], "consent_required");
    assert_eq!(site.read.load(Ordering::SeqCst), 1, "kept");
    // A public client like any other: PKCE, and no other redirect URI.
    assert_eq!(agent.get(&site.ask(&provider).without_pkce().url()).await.response()["error"], "invalid_request");
    let elsewhere = site.ask(&provider).with("redirect_uri", "https://elsewhere.example.com/cb");
    assert_error_page(&agent.get(&elsewhere.url()).await, "another redirect URI");
}

#[tokio::test]
async fn a_document_that_does_not_hold_describes_nobody() {
    let provider = Provider::start().await;
    for changes in [
        json!({"client_id": "https://elsewhere.example.com/client.json"}),
        json!({"client_secret": "secret-secret-secret"}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"redirect_uris": ["https://elsewhere.example.com/cb"]}),
        json!({"scope": "openid users.read"}),
        json!({"grant_types": ["client_credentials"], "response_types": []}),
        json!({"countersign_first_party": true, "client_id": 7}),
    ] {
        let site = Site::open().await;
        site.publish(&changes);
        let agent = UserAgent::new();
        assert_error_page(&agent.get(&site.ask(&provider).url()).await, &changes.to_string());
        // Asked again at once it is not looked at again.
        assert_error_page(&agent.get(&site.ask(&provider).url()).await, &changes.to_string());
        assert_eq!(site.read.load(Ordering::SeqCst), 1);
    }
    for id in ["https://127.0.0.1:1/client.json", "http://app.example.com/client.json", "http://127.0.0.1:1/a?b=c"] {
        let ask = provider.ask("basic").with("client_id", id).with("redirect_uri", "https://app.example.com/cb");
        assert_error_page(&UserAgent::new().get(&ask.url()).await, id);
    }
    // Nobody is met at the token endpoint for the first time.
    let site = Site::open().await;
    let (id, code) = (site.id(), "abc");
    let form = [("grant_type", "authorization_code"), ("client_id", &id), ("code", code), ("redirect_uri", code)];
    assert_error(&Answer::to(provider.token_request(&form)).await, 401, "invalid_client");
    assert_eq!(site.read.load(Ordering::SeqCst), 0);
}

/// It may prove itself by a key of its own, and push its requests.
#[tokio::test]
async fn a_described_client_may_push_its_request() {
    let (provider, site) = (Provider::start().await, Site::open().await);
    site.publish(&json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": SIGNER.jwks}));
    let ask = site.ask(&provider);
    let pushed = Answer::to(provider.http.post(provider.url("/par")).form(ask.params())).await;
    assert_error(&pushed, 401, "invalid_client");
    assert_eq!(site.read.load(Ordering::SeqCst), 1, "but it was met");

    let public = Site::open().await;
    let ask = public.ask(&provider);
    let pushed = Answer::to(provider.http.post(provider.url("/par")).form(ask.params())).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let pushed =
        provider.ask("basic").with("client_id", public.id()).with("request_uri", text(&pushed.json(), "request_uri"));
    let agent = UserAgent::new();
    let page = agent.follow(agent.get(&pushed.url()).await).await;
    assert!(page.asks_for_password(), "{} {}", page.status, page.body);
    let page = agent.sign_in(&page, ALICE.0, ALICE.1).await;
    assert!(agent.follow(page).await.body.contains(r#"value="allow""#));
}
