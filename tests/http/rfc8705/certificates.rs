//! RFC 8705: tokens that work in the hands of one certificate's owner alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent, program};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Identity};
use serde_json::Value;

use crate::fixture::{Provider, VERIFIER, assert_error, basic, peek, redirect_uri_of, secret_of, text};

/// A certificate that nobody but its owner signed.
fn self_signed() -> (Vec<u8>, Identity) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["client.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    (certificate.der().to_vec(), Identity::from_pem(pem.as_bytes()).unwrap())
}

fn http(ca: &Certificate, identity: Option<Identity>) -> Client {
    let builder = program();
    let builder = builder.tls_certs_only([ca.clone()]);
    identity.into_iter().fold(builder, reqwest::ClientBuilder::identity).build().unwrap()
}

async fn redeem(http: &Client, endpoint: &str, client: &str, code: &str) -> Answer {
    let uri = redirect_uri_of(client);
    let form =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &uri), ("code_verifier", VERIFIER)];
    let request = http.post(endpoint).form(&form);
    Answer::to(request.header("authorization", basic(client, &secret_of(client)))).await
}

async fn userinfo(http: &Client, endpoint: &str, token: &str) -> Answer {
    Answer::to(http.get(endpoint).bearer_auth(token)).await
}

#[tokio::test]
async fn bound_tokens_work_with_their_certificate_alone() {
    let flags = vec!["--tls".to_owned()];
    let provider = Provider::start_with(DemoOptions { flags, ..DemoOptions::default() }).await;
    let ca = Certificate::from_pem(&std::fs::read(provider.demo.ca_file.as_ref().unwrap()).unwrap()).unwrap();
    let (certificate, identity) = self_signed();
    let (plain, own, other) = (http(&ca, None), http(&ca, Some(identity)), http(&ca, Some(self_signed().1)));
    let metadata = Answer::to(plain.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let aliases = &metadata["mtls_endpoint_aliases"];
    let (token, info) = (text(aliases, "token_endpoint"), text(aliases, "userinfo_endpoint"));
    assert_ne!(token, text(&metadata, "token_endpoint"));

    let agent = UserAgent::with(plain.clone());
    let code = provider.grant(&agent, &provider.ask("bound")).await.code;
    // Section 3.4: without a certificate there is no token, on either port; the code is not spent by that.
    assert_error(&redeem(&plain, text(&metadata, "token_endpoint"), "bound", &code).await, 400, "invalid_request");
    assert_error(&redeem(&plain, token, "bound", &code).await, 400, "invalid_request");
    // The common port never asks for one.
    assert_error(&redeem(&own, text(&metadata, "token_endpoint"), "bound", &code).await, 400, "invalid_request");
    let tokens = redeem(&own, token, "bound", &code).await.json();
    let access = text(&tokens, "access_token");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    assert_eq!(peek(access)["cnf"]["x5t#S256"], URL_SAFE_NO_PAD.encode(digest));

    assert_eq!(userinfo(&own, info, access).await.status, 200);
    for (http, endpoint) in [(&other, info), (&plain, info), (&plain, text(&metadata, "userinfo_endpoint"))] {
        let refused = userinfo(http, endpoint, access).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
}

#[tokio::test]
async fn a_certificate_changes_nothing_for_clients_that_did_not_ask() {
    let flags = vec!["--tls".to_owned()];
    let provider = Provider::start_with(DemoOptions { flags, ..DemoOptions::default() }).await;
    let ca = Certificate::from_pem(&std::fs::read(provider.demo.ca_file.as_ref().unwrap()).unwrap()).unwrap();
    let (plain, own) = (http(&ca, None), http(&ca, Some(self_signed().1)));
    let metadata = Answer::to(plain.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let token = text(&metadata["mtls_endpoint_aliases"], "token_endpoint").to_owned();
    let code = provider.grant(&UserAgent::with(plain.clone()), &provider.ask("basic")).await.code;
    let tokens: Value = redeem(&own, &token, "basic", &code).await.json();
    let access = text(&tokens, "access_token");
    assert!(peek(access).get("cnf").is_none());
    assert_eq!(userinfo(&plain, &provider.url("/userinfo"), access).await.status, 200);
}

/// A client on its own behalf, and the status of its request at `token` over `http`.
async fn register_and_ask(plain: &Client, http: &Client, issuer: &Provider, token: &str, metadata: &Value) -> u16 {
    let answer = Answer::to(plain.post(issuer.url("/register")).json(metadata)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let client = answer.json();
    let form = [("grant_type", "client_credentials"), ("client_id", text(&client, "client_id"))];
    Answer::to(http.post(token).form(&form)).await.status
}

#[tokio::test]
async fn a_certificate_proves_its_client_section_2() {
    let folder = tempfile::tempdir().unwrap();
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let file = folder.path().join("clients-ca.pem");
    std::fs::write(&file, authority_certificate.pem()).unwrap();
    let env = vec![("COUNTERSIGN__SERVER__MTLS_CA_FILE".to_owned(), file.display().to_string())];
    let flags = vec!["--tls".to_owned()];
    let provider = Provider::start_with(DemoOptions { flags, env, ..DemoOptions::default() }).await;
    let ca = Certificate::from_pem(&std::fs::read(provider.demo.ca_file.as_ref().unwrap()).unwrap()).unwrap();

    let (own, own_identity) = self_signed();
    let key = KeyPair::generate().unwrap();
    let named = CertificateParams::new(["client.example.com".to_owned()]).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let issued = named.signed_by(&key, &issuer).unwrap();
    let issued = Identity::from_pem(format!("{}{}", issued.pem(), key.serialize_pem()).as_bytes()).unwrap();
    let plain = http(&ca, None);
    let (own_http, named_http) = (http(&ca, Some(own_identity)), http(&ca, Some(issued)));
    let stranger = http(&ca, Some(self_signed().1));
    let discovered = Answer::to(plain.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let methods = discovered["token_endpoint_auth_methods_supported"].to_string();
    assert!(methods.contains("\"tls_client_auth\"") && methods.contains("self_signed_tls_client_auth"));
    let token = text(&discovered["mtls_endpoint_aliases"], "token_endpoint").to_owned();

    let base = |more: Value| {
        let mut base =
            serde_json::json!({"grant_types": ["client_credentials"], "response_types": [], "scope": "cases.read"});
        base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        base
    };
    // 2.2: the very certificate that was registered, whoever signed it.
    let x5c = base64::engine::general_purpose::STANDARD.encode(&own);
    let by_itself = base(serde_json::json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [{"kty": "EC", "x5c": [x5c]}]},
    }));
    // 2.1: a certificate that names the client, by somebody trusted.
    let by_name = base(serde_json::json!({
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "client.example.com",
    }));
    for (metadata, right, wrong) in [
        (&by_itself, &own_http, [&named_http, &stranger, &plain]),
        (&by_name, &named_http, [&own_http, &stranger, &plain]),
    ] {
        assert_eq!(register_and_ask(&plain, right, &provider, &token, metadata).await, 200);
        for http in wrong {
            assert_eq!(register_and_ask(&plain, http, &provider, &token, metadata).await, 401);
        }
    }
}

#[tokio::test]
async fn without_tls_no_alias_is_published() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert!(metadata.get("mtls_endpoint_aliases").is_none());
    assert!(metadata.get("tls_client_certificate_bound_access_tokens").is_none());
}
