use super::*;
use crate::HttpSettings;
use crate::test_servers::{Answer as Reply, Transcript, capture_log, http_by_path, identity};
use serde_json::json;

fn client() -> HttpClient {
    HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap()
}

fn settings(issuer: &str) -> UpstreamSettings {
    UpstreamSettings {
        issuer: issuer.to_owned(),
        client_id: "counter:sign".to_owned(),
        client_secret: "king fisher+".into(),
        timeout: Duration::from_secs(20),
    }
}

fn published(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "unknown": { "ignored": true },
    })
}

fn exchanged() -> CodeExchange {
    CodeExchange {
        code: "c0de/1".into(),
        code_verifier: "verifier-of-the-flow".into(),
        redirect_uri: "https://login.test/federation/corporate/callback".to_owned(),
    }
}

/// A provider that publishes its metadata, as changed by `change`, and answers the rest with `reply`.
async fn provider(change: fn(&mut Value), reply: Reply) -> (Upstream, Transcript) {
    let answers = |port: u16| {
        let mut metadata = published(&format!("http://127.0.0.1:{port}/corporate"));
        change(&mut metadata);
        move |path: &str| match path {
            "/corporate/.well-known/openid-configuration" => Reply::Status(200, metadata.to_string()),
            _ => reply.clone(),
        }
    };
    let (port, transcript) = http_by_path(answers, None).await;
    (Upstream::new(settings(&format!("http://127.0.0.1:{port}/corporate")), client()).unwrap(), transcript)
}

async fn exchange_with(change: fn(&mut Value), reply: Reply) -> (Result<UpstreamTokens, CallError>, Transcript) {
    let (upstream, transcript) = provider(change, reply).await;
    let metadata = upstream.fetch_metadata().await.unwrap();
    (upstream.exchange_code(&metadata, &exchanged()).await, transcript)
}

fn tokens() -> Reply {
    Reply::Status(200, r#"{"id_token":"a.b.c","access_token":"at","token_type":"Bearer","expires_in":60}"#.to_owned())
}

#[tokio::test]
async fn metadata_is_read_and_can_be_kept() {
    let (upstream, _) = provider(|_| (), tokens()).await;
    let metadata = upstream.fetch_metadata().await.unwrap();
    assert_eq!(metadata.issuer, upstream.issuer());
    assert_eq!(metadata.authorization_endpoint.as_str(), format!("{}/authorize?tenant=1", upstream.issuer()));
    assert_eq!(metadata.token_endpoint_auth_methods_supported, ["client_secret_basic"]);
    let kept = serde_json::to_string(&metadata).unwrap();
    assert_eq!(serde_json::from_str::<ProviderMetadata>(&kept).unwrap(), metadata);
}

#[tokio::test]
async fn metadata_that_cannot_be_trusted_is_refused() {
    let changes: [fn(&mut Value); 8] = [
        |it| it["issuer"] = json!("https://other.test"),
        |it| it["issuer"] = json!(format!("{}/", it["issuer"].as_str().unwrap())),
        |it| it["token_endpoint"] = json!("http://provider.test/token"),
        |it| it["jwks_uri"] = json!("file:///etc/passwd"),
        |it| it["jwks_uri"] = json!("https://169.254.169.254/jwks"),
        |it| it["authorization_endpoint"] = json!("javascript:alert(1)"),
        |it| it["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]),
        |it| drop(it.as_object_mut().unwrap().remove("jwks_uri")),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let (upstream, _) = provider(change, tokens()).await;
        let result = upstream.fetch_metadata().await;
        assert!(matches!(result, Err(CallError::Permanent(_))), "{index}: {result:?}");
    }
}

#[tokio::test]
async fn keys_are_a_jwk_set_of_bounded_size() {
    let fetch = async |body: &str| {
        let (upstream, _) = provider(|_| (), Reply::Status(200, body.to_owned())).await;
        let metadata = upstream.fetch_metadata().await.unwrap();
        upstream.fetch_keys(&metadata).await
    };
    assert_eq!(fetch(r#"{"keys":[{"kty":"EC"}]}"#).await.unwrap(), r#"{"keys":[{"kty":"EC"}]}"#);
    for body in [r#"{"keys":{}}"#, "[]", "<html>", ""] {
        assert!(matches!(fetch(body).await, Err(CallError::Permanent(_))), "{body}");
    }
    let endless = format!(r#"{{"keys":["{}"]}}"#, "x".repeat(crate::http::MAX_RESPONSE));
    assert_eq!(fetch(&endless).await, Err(CallError::Temporary("the answer is too long or broke off".to_owned())));
}

#[tokio::test]
async fn a_code_is_exchanged_with_the_secret_in_the_header() {
    let (result, transcript) = exchange_with(|_| (), tokens()).await;
    let tokens = result.unwrap();
    assert_eq!(tokens.id_token.expose_secret(), "a.b.c");
    assert_eq!(tokens.access_token.unwrap().expose_secret(), "at");
    let lines = transcript.lines();
    assert!(lines.contains(&"POST /corporate/token HTTP/1.1".to_owned()), "{lines:?}");
    // counter%3Asign:king+fisher%2B
    let header = "authorization: Basic Y291bnRlciUzQXNpZ246a2luZytmaXNoZXIlMkI=";
    assert!(lines.contains(&header.to_owned()), "{lines:?}");
    assert_eq!(
        lines.last().unwrap(),
        "grant_type=authorization_code&code=c0de%2F1\
         &redirect_uri=https%3A%2F%2Flogin.test%2Ffederation%2Fcorporate%2Fcallback&code_verifier=verifier-of-the-flow"
    );
}

#[tokio::test]
async fn a_provider_that_wants_the_secret_in_the_body_gets_it_there() {
    let post: fn(&mut Value) =
        |it| it["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "client_secret_post"]);
    let (result, transcript) = exchange_with(post, tokens()).await;
    assert!(result.is_ok());
    let lines = transcript.lines();
    assert!(lines.last().unwrap().ends_with("&client_id=counter%3Asign&client_secret=king+fisher%2B"), "{lines:?}");
    assert!(!transcript.text().contains("authorization: "));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let after = async |status, body: &str| {
        exchange_with(|_| (), Reply::Status(status, body.to_owned())).await.0.map(drop).unwrap_err()
    };
    let permanent = |text: &str| CallError::Permanent(text.to_owned());
    assert_eq!(after(400, r#"{"error":"invalid_grant"}"#).await, permanent("HTTP 400, invalid_grant"));
    assert_eq!(after(401, r#"{"error":"king fisher+"}"#).await, permanent("HTTP 401"));
    assert_eq!(after(307, "").await, permanent("HTTP 307"));
    assert_eq!(after(200, r#"{"access_token":"at"}"#).await, permanent("the answer is not the JSON expected"));
    for status in [429, 500, 503] {
        assert_eq!(after(status, "").await, CallError::Temporary(format!("HTTP {status}")));
    }
}

#[tokio::test]
async fn silence_is_cut_off() {
    let (mut upstream, _) = provider(|_| (), Reply::Hang).await;
    let metadata = upstream.fetch_metadata().await.unwrap();
    upstream.settings.timeout = Duration::from_millis(200);
    let error = upstream.fetch_keys(&metadata).await.unwrap_err();
    assert_eq!(error, CallError::Temporary("time limit reached".to_owned()));
}

#[tokio::test]
async fn a_provider_in_a_private_network_is_not_asked_unless_allowed() {
    let identity = identity();
    let (port, transcript) = http_by_path(|_| |_: &str| tokens(), Some(&identity)).await;
    let ca_file = Some(identity.ca_file.clone());
    let guarded = HttpClient::new(&HttpSettings { ca_file, ..HttpSettings::default() }).unwrap();
    let upstream = Upstream::new(settings(&format!("https://localhost:{port}")), guarded).unwrap();
    let error = upstream.fetch_metadata().await.unwrap_err();
    assert_eq!(error, CallError::Permanent("the address is not public".to_owned()));
    assert_eq!(transcript.text(), "");
}

#[tokio::test]
async fn neither_log_nor_debug_nor_error_holds_a_secret() {
    let (_guard, log) = capture_log();
    let (good, _) = exchange_with(|_| (), tokens()).await;
    let body = r#"{"error":"c0de/1","error_description":"king fisher+"}"#;
    let (bad, _) = exchange_with(|_| (), Reply::Status(400, body.to_owned())).await;
    let (upstream, _) = provider(|_| (), tokens()).await;
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {good:?} {bad:?} {upstream:?} {:?} {:?}", exchanged(), upstream.settings);
    assert!(log.contains("token endpoint answered"), "{all}");
    for secret in ["king", "c0de", "verifier-of", "a.b.c", "Y291"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let strict = HttpClient::new(&HttpSettings::default()).unwrap();
    assert!(Upstream::new(settings("https://corp.test/tenant"), strict.clone()).is_ok());
    for issuer in [
        "corp.test",
        "http://corp.test",
        "http://localhost:8025/corporate",
        "https://127.0.0.1",
        "https://corp.test/?tenant=1",
        "https://corp.test/#x",
        "https://user:pass@corp.test",
    ] {
        assert!(Upstream::new(settings(issuer), strict.clone()).is_err(), "{issuer}");
    }
    assert!(Upstream::new(settings("http://localhost:8025/corporate"), client()).is_ok());
    assert!(Upstream::new(settings("http://corp.test"), client()).is_err());
    let nameless = UpstreamSettings { client_id: String::new(), ..settings("https://corp.test") };
    assert!(Upstream::new(nameless, strict).is_err());
}

async fn tell(endpoint: Option<&str>, reply: Reply) -> (Result<Option<Map<String, Value>>, CallError>, Transcript) {
    let (upstream, transcript) = provider(|_| (), reply).await;
    let mut metadata = upstream.fetch_metadata().await.unwrap();
    let own = format!("{}/userinfo", upstream.issuer());
    metadata.userinfo_endpoint = endpoint.map(|url| if url.is_empty() { &own } else { url }.parse().unwrap());
    (upstream.fetch_userinfo(&metadata, &"at".into()).await, transcript)
}

#[tokio::test]
async fn userinfo_is_asked_with_the_access_token() {
    let (told, transcript) = tell(Some(""), Reply::Status(200, r#"{"sub":"s","email":"e"}"#.to_owned())).await;
    assert_eq!(Value::from(told.unwrap().unwrap()), json!({ "sub": "s", "email": "e" }));
    let lines = transcript.lines();
    assert!(lines.contains(&"GET /corporate/userinfo HTTP/1.1".to_owned()), "{lines:?}");
    assert!(lines.contains(&"authorization: Bearer at".to_owned()), "{lines:?}");
    assert_eq!(tell(None, Reply::Status(500, String::new())).await.0, Ok(None), "there is no such endpoint");
}

#[tokio::test]
async fn userinfo_that_cannot_be_trusted_or_read_is_none() {
    for endpoint in ["http://provider.test/userinfo", "https://169.254.169.254/userinfo", "file:///etc/passwd"] {
        let (told, transcript) = tell(Some(endpoint), tokens()).await;
        assert!(matches!(told, Err(CallError::Permanent(_))), "{endpoint}: {told:?}");
        assert!(!transcript.text().contains("Bearer"), "{endpoint}");
    }
    for (status, body) in [(200, "[]"), (200, "a.signed.one"), (401, "{}"), (302, "{}")] {
        let (told, _) = tell(Some(""), Reply::Status(status, body.to_owned())).await;
        assert!(matches!(told, Err(CallError::Permanent(_))), "{status} {body}: {told:?}");
    }
    let endless = format!(r#"{{"sub":"{}"}}"#, "x".repeat(crate::http::MAX_RESPONSE));
    assert!(matches!(tell(Some(""), Reply::Status(200, endless)).await.0, Err(CallError::Temporary(_))));
}
