//! How clients authenticate, and in what they are answered.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::Answer;
use serde_json::{Value, json};

use super::keys::{forge, jwks};
use super::world::{Rp, World};
use crate::fixture::{assert_error, peek, read_unsigned, text};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is asked of an endpoint that answers 200 to whoever it knows.
async fn ask(world: &World, rp: &Rp, endpoint: &str) -> Answer {
    if endpoint != "token_endpoint" {
        return world.post(rp, endpoint, &[("token", "unknown")]).await;
    }
    let code = world.code(&world.ask(rp)).await;
    world.post(rp, endpoint, &World::redemption(&code)).await
}

/// Who authenticates as it registered to is known; as nobody, it is not, unless that is what it registered.
async fn auth(world: &World, method: &str, algorithm: Option<&str>, endpoint: &str) {
    let rp = world.client_of(method, algorithm, json!({})).await;
    let answer = ask(world, &rp, endpoint).await;
    assert_eq!(answer.status, 200, "{endpoint} {method} {algorithm:?}: {}", answer.body);
    if method != "none" {
        let form = [("client_id", rp.id()), ("token", "unknown"), ("grant_type", "refresh_token")];
        let nobody = world.provider.http.post(world.endpoint(endpoint)).form(&form);
        assert_error(&Answer::to(nobody).await, 401, "invalid_client");
    }
}

pub async fn token_auth(world: &World, method: &str) {
    auth(world, method, None, "token_endpoint").await;
}

pub async fn introspection_auth(world: &World, method: &str) {
    auth(world, method, None, "introspection_endpoint").await;
}

pub async fn revocation_auth(world: &World, method: &str) {
    auth(world, method, None, "revocation_endpoint").await;
}

/// RFC 7591, 3.2.2.
pub async fn no_auth_method(world: &World, method: &str) {
    let error = world.registration_error(json!({"token_endpoint_auth_method": method})).await;
    assert_eq!(error, "invalid_client_metadata");
}

/// RFC 7662, 2.1: the name of a public client proves nothing.
pub async fn no_introspection_auth(world: &World, method: &str) {
    let rp = world.client_of(method, None, json!({})).await;
    let answer = world.post(&rp, "introspection_endpoint", &[("token", "unknown")]).await;
    assert_error(&answer, 401, "invalid_client");
}

fn method_of(algorithm: &str) -> &'static str {
    if algorithm.starts_with("HS") { "client_secret_jwt" } else { "private_key_jwt" }
}

pub async fn token_assertion(world: &World, algorithm: &str) {
    auth(world, method_of(algorithm), Some(algorithm), "token_endpoint").await;
}

pub async fn introspection_assertion(world: &World, algorithm: &str) {
    auth(world, method_of(algorithm), Some(algorithm), "introspection_endpoint").await;
}

pub async fn revocation_assertion(world: &World, algorithm: &str) {
    auth(world, method_of(algorithm), Some(algorithm), "revocation_endpoint").await;
}

/// RFC 7523, 3.2: an assertion of such an algorithm proves nothing, nor may it be registered.
async fn no_assertion(world: &World, algorithm: &str, endpoint: &str) {
    let rp = world.client_of("private_key_jwt", None, json!({})).await;
    let forged = forge(&json!({"alg": algorithm}), &world.assertion_claims(&rp));
    let form = [
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", forged.as_str()),
        ("token", "unknown"),
        ("grant_type", "refresh_token"),
    ];
    let answer = Answer::to(world.provider.http.post(world.endpoint(endpoint)).form(&form)).await;
    assert_error(&answer, 401, "invalid_client");
    let registered = json!({
        "token_endpoint_auth_method": method_of(algorithm), "jwks": jwks(),
        "token_endpoint_auth_signing_alg": algorithm,
    });
    assert_eq!(world.registration_error(registered).await, "invalid_client_metadata");
}

pub async fn no_token_assertion(world: &World, algorithm: &str) {
    no_assertion(world, algorithm, "token_endpoint").await;
}

pub async fn no_introspection_assertion(world: &World, algorithm: &str) {
    no_assertion(world, algorithm, "introspection_endpoint").await;
}

pub async fn no_revocation_assertion(world: &World, algorithm: &str) {
    no_assertion(world, algorithm, "revocation_endpoint").await;
}

/// RFC 9701, 5 and 6.
pub async fn signed_introspection(world: &World, algorithm: &str) {
    let rp = world.client(json!({"introspection_signed_response_alg": algorithm})).await;
    let request = world.request(&rp, "introspection_endpoint", &[("token", "unknown")]);
    let answer = Answer::to(request.header("accept", "application/token-introspection+jwt")).await;
    let (_, claims) = world.provider.verify(&answer.body, algorithm.parse().unwrap()).await;
    assert_eq!(claims["token_introspection"]["active"], false);
}

async fn refuse_member(world: &World, member: &str, value: &str) {
    let error = world.registration_error(json!({member: value, "jwks": encryption_keys()})).await;
    assert_eq!(error, "invalid_client_metadata", "{member}: {value}");
}

pub async fn no_signed_introspection(world: &World, algorithm: &str) {
    refuse_member(world, "introspection_signed_response_alg", algorithm).await;
}

/// Core, 8: a pairwise client knows people by names that no other sector knows.
pub async fn subject_type(world: &World, kind: &str) {
    let subject = async |kind: &str, host: &str| {
        let callback = format!("https://{host}.example.com/cb");
        let rp = world.client(json!({"subject_type": kind, "redirect_uris": [callback]})).await;
        let answer = world.provider.answer(&world.alice, &world.ask(&rp).with("redirect_uri", &callback)).await;
        let code = answer.response()["code"].clone();
        let mut form = World::redemption(&code);
        form[2].1 = &callback;
        let tokens = world.post(&rp, "token_endpoint", &form).await.json();
        let info = world.provider.userinfo(text(&tokens, "access_token")).await.json();
        let identity = peek(text(&tokens, "id_token"));
        assert_eq!(info["sub"], identity["sub"]);
        identity["sub"].clone()
    };
    let (own, same, other) = (subject(kind, "rp").await, subject(kind, "rp").await, subject(kind, "elsewhere").await);
    assert_eq!(own, same, "one sector, one name");
    assert_eq!(own == other, kind == "public", "{kind}");
    assert_eq!(own == subject("public", "rp").await, kind == "public", "{kind}");
}

pub async fn no_subject_type(world: &World, kind: &str) {
    refuse_member(world, "subject_type", kind).await;
}

/// Core, 10.1.
pub async fn id_token_alg(world: &World, algorithm: &str) {
    let rp = world.client(json!({"id_token_signed_response_alg": algorithm})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    if algorithm == "none" {
        assert_eq!(read_unsigned(text(&tokens, "id_token"))["aud"], rp.id());
    } else {
        world.provider.verify(text(&tokens, "id_token"), algorithm.parse().unwrap()).await;
    }
}

pub async fn no_id_token_alg(world: &World, algorithm: &str) {
    refuse_member(world, "id_token_signed_response_alg", algorithm).await;
}

/// Core, 5.3.2.
pub async fn userinfo_alg(world: &World, algorithm: &str) {
    let rp = world.client(json!({"userinfo_signed_response_alg": algorithm})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    let answer = world.provider.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(answer.header("content-type"), "application/jwt");
    let (_, claims) = world.provider.verify(&answer.body, algorithm.parse().unwrap()).await;
    assert_eq!(claims["aud"], rp.id());
}

pub async fn no_userinfo_alg(world: &World, algorithm: &str) {
    refuse_member(world, "userinfo_signed_response_alg", algorithm).await;
}

/// Public keys that answers may be encrypted for.
fn encryption_keys() -> Value {
    let mut keys = jwks();
    for key in keys["keys"].as_array_mut().unwrap() {
        key["use"] = json!("enc");
        let members = key.as_object_mut().unwrap();
        members.remove("alg");
    }
    keys
}

/// A client whose answers of this kind are encrypted: the header of such an answer. What stands inside, a library that
/// is not ours reads in rfc7516.
async fn sealed(world: &World, answer: &str, alg: &str, enc: &str) {
    let rp = world
        .client(json!({
            "jwks": encryption_keys(),
            format!("{answer}_encrypted_response_alg"): alg, format!("{answer}_encrypted_response_enc"): enc,
        }))
        .await;
    let tokens = world.tokens(&rp, &world.ask(&rp)).await;
    let token = match answer {
        "id_token" => text(&tokens, "id_token").to_owned(),
        _ => world.provider.userinfo(text(&tokens, "access_token")).await.body,
    };
    assert_eq!(token.split('.').count(), 5, "{answer} {alg} {enc}: {token}");
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["alg"], &header["enc"]), (&json!(alg), &json!(enc)));
}

pub async fn id_token_jwe_alg(world: &World, alg: &str) {
    sealed(world, "id_token", alg, "A128CBC-HS256").await;
}

pub async fn id_token_jwe_enc(world: &World, enc: &str) {
    sealed(world, "id_token", "ECDH-ES", enc).await;
}

pub async fn userinfo_jwe_alg(world: &World, alg: &str) {
    sealed(world, "userinfo", alg, "A256GCM").await;
}

pub async fn userinfo_jwe_enc(world: &World, enc: &str) {
    sealed(world, "userinfo", "RSA-OAEP-256", enc).await;
}

pub async fn no_id_token_jwe_alg(world: &World, alg: &str) {
    refuse_member(world, "id_token_encrypted_response_alg", alg).await;
}

pub async fn no_userinfo_jwe_alg(world: &World, alg: &str) {
    refuse_member(world, "userinfo_encrypted_response_alg", alg).await;
}

async fn no_enc(world: &World, answer: &str, enc: &str) {
    let members = json!({
        "jwks": encryption_keys(),
        format!("{answer}_encrypted_response_alg"): "ECDH-ES", format!("{answer}_encrypted_response_enc"): enc,
    });
    assert_eq!(world.registration_error(members).await, "invalid_client_metadata", "{enc}");
}

pub async fn no_id_token_jwe_enc(world: &World, enc: &str) {
    no_enc(world, "id_token", enc).await;
}

pub async fn no_userinfo_jwe_enc(world: &World, enc: &str) {
    no_enc(world, "userinfo", enc).await;
}

/// OAuth Client ID Metadata Document: nobody registered the client, a document at its id says what it is.
pub async fn document(world: &World, _: &str) {
    let served = Arc::new(Mutex::new(String::new()));
    let shown = Arc::clone(&served);
    let site = serve_json(move |_| Some((200, shown.lock().unwrap().clone()))).await;
    let (id, callback) = (format!("{site}/client.json"), format!("{site}/cb"));
    let document = json!({"client_id": id, "client_name": "Stranger", "redirect_uris": [callback]});
    *served.lock().unwrap() = document.to_string();
    let ask = world.provider.ask("basic").with("client_id", &id).with("redirect_uri", &callback);
    let page = world.alice.follow(world.provider.answer(&world.alice, &ask).await).await;
    let code = world.alice.press(&page, "allow", &[]).await.response()["code"].clone();
    let mut form = World::redemption(&code).to_vec();
    form[2].1 = &callback;
    form.push(("client_id", &id));
    let tokens = Answer::to(world.provider.token_request(&form)).await.json();
    assert_eq!(peek(text(&tokens, "id_token"))["aud"], id);
}
