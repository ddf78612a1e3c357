//! Endpoints: each is where the document says, and does what its name says.

use countersign_tests::user_agent::Answer;
use serde_json::json;

use super::world::{CALLBACK, World};
use crate::fixture::{CHALLENGE, peek, text};

pub const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Discovery, 4.3: it is the address of the document, and the `iss` of ID tokens.
pub async fn issuer(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    assert_eq!(peek(text(&tokens, "id_token"))["iss"], world.metadata["issuer"]);
    assert_eq!(world.metadata["issuer"], world.provider.demo.issuer);
}

pub async fn authorization(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    assert!(world.ask(&rp).url().starts_with(world.endpoint("authorization_endpoint")));
    world.code(&world.ask(&rp)).await;
}

pub async fn token(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    assert!(world.tokens(&rp, &world.ask(&rp)).await["access_token"].is_string());
}

pub async fn userinfo(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    let request = world.provider.http.get(world.endpoint("userinfo_endpoint"));
    let answer = Answer::to(request.bearer_auth(text(&tokens, "access_token"))).await;
    assert_eq!(answer.json()["sub"], peek(text(&tokens, "id_token"))["sub"]);
}

/// It holds the key that signs, and one for each algorithm that may.
pub async fn jwks(world: &World, _: &str) {
    let answer = Answer::to(world.provider.http.get(world.endpoint("jwks_uri"))).await.json();
    let keys = answer["keys"].as_array().unwrap();
    let algorithms = world.metadata["id_token_signing_alg_values_supported"].as_array().unwrap();
    for algorithm in algorithms.iter().filter(|algorithm| **algorithm != "none") {
        assert!(keys.iter().any(|key| key["alg"] == *algorithm), "{algorithm}");
    }
}

pub async fn registration(world: &World, _: &str) {
    let body = json!({"redirect_uris": [CALLBACK]});
    let answer = Answer::to(world.provider.http.post(world.endpoint("registration_endpoint")).json(&body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let own = text(&answer.json(), "registration_client_uri").to_owned();
    let read = world.provider.http.get(own).bearer_auth(text(&answer.json(), "registration_access_token"));
    assert_eq!(Answer::to(read).await.status, 200);
}

pub async fn device(world: &World, _: &str) {
    let rp = world.client_of("none", None, json!({"grant_types": [DEVICE], "redirect_uris": []})).await;
    let answer = world.post(&rp, "device_authorization_endpoint", &[("scope", "openid")]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = world.stranger().get(text(&answer.json(), "verification_uri_complete")).await;
    assert!(page.body.contains(text(&answer.json(), "user_code")));
}

pub async fn pushed(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let ask = world.ask(&rp);
    let form: Vec<(&str, &str)> = ask.params().iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = world.post(&rp, "pushed_authorization_request_endpoint", &form).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let names: Vec<&str> = form.iter().map(|(name, _)| *name).filter(|name| *name != "client_id").collect();
    let bare = names.into_iter().fold(ask.clone(), super::super::fixture::Ask::without);
    world.code(&bare.with("request_uri", text(&answer.json(), "request_uri"))).await;
}

pub async fn introspection(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    let form = [("token", text(&tokens, "access_token"))];
    assert_eq!(world.post(&rp, "introspection_endpoint", &form).await.json()["active"], true);
}

pub async fn revocation(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    let access = text(&tokens, "access_token");
    assert_eq!(world.post(&rp, "revocation_endpoint", &[("token", access)]).await.status, 200);
    assert!(!world.works(access).await);
}

/// RFC 8705, 5: with a certificate the alias knows the client; the common address never asks for one.
pub async fn alias(world: &World, address: &str) {
    let path = address.trim_start_matches("{mtls}");
    if path == "/userinfo" {
        return super::tokens::certificate_bound(world, "true").await;
    }
    let grants = json!({
        "grant_types": ["client_credentials", DEVICE], "redirect_uris": [], "response_types": [],
        "scope": "openid cases.read",
    });
    let more = if path == "/par" { json!({}) } else { grants };
    let rp = world.client_of("tls_client_auth", None, more).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("token", "unknown"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", if path == "/token" { "cases.read" } else { "openid" }),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("client_id", rp.id()),
    ];
    let mtls = world.endpoint("mtls_endpoint_aliases.token_endpoint").trim_end_matches("/token");
    let ask = async |http: &reqwest::Client, url: String| Answer::to(http.post(url).form(&form)).await;
    let known = ask(&world.named, format!("{mtls}{path}")).await;
    assert!(matches!(known.status, 200 | 201), "{path}: {} {}", known.status, known.body);
    for refused in
        [ask(&world.self_signed, format!("{mtls}{path}")).await, ask(&world.named, world.provider.url(path)).await]
    {
        assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")), "{path}");
    }
}

pub async fn absent(world: &World, path: &str) {
    let url = world.provider.url(path);
    for request in [world.provider.http.get(&url), world.provider.http.post(&url)] {
        assert_eq!(Answer::to(request).await.status, 404, "{path}");
    }
}
