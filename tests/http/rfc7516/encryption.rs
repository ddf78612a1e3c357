//! RFC 7516: ID tokens and UserInfo that their client alone can read, as jose on Node reads them (tests/node).

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{Granted, Provider, VERIFIER, basic, text};

/// A private key in PEM, and its public half.
struct Recipient {
    pem: String,
    jwk: Value,
}

fn recipient(alg: &str) -> Recipient {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (der, mut jwk) = if alg == "RSA-OAEP-256" {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = pair.as_der().unwrap();
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let members = [n, e].map(|number| text(number.big_endian_without_leading_zero()));
        (der.as_ref().to_vec(), json!({"kty": "RSA", "n": members[0], "e": members[1]}))
    } else {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])});
        (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), jwk)
    };
    jwk["use"] = json!("enc");
    jwk["kid"] = json!("k1");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    Recipient { pem, jwk }
}

/// Header and content, as a library that is not ours reads them.
async fn decrypt(jwe: &str, recipient: &Recipient, alg: &str) -> (Value, String) {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let settings = json!({"jwe": jwe, "pkcs8": recipient.pem, "alg": alg});
    let mut node = tokio::process::Command::new("node");
    node.arg(folder.join("decrypt.mjs")).env("DECRYPT", settings.to_string());
    let output = node.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("node");
    assert!(output.status.success(), "{alg}: {}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    (said["header"].clone(), text(&said, "plain").to_owned())
}

const CALLBACK: &str = "https://sealed.example.com/cb";

async fn register(provider: &Provider, more: &Value) -> Answer {
    let mut metadata = json!({"redirect_uris": [CALLBACK], "countersign_policy": "lab"});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = provider.http.post(provider.url("/register")).json(&metadata);
    Answer::to(request.bearer_auth("demo-initial-access-token")).await
}

#[tokio::test]
async fn id_tokens_and_userinfo_are_sealed_for_the_key_that_was_registered() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let list = |name: &str| metadata[name].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
    for alg in list("id_token_encryption_alg_values_supported") {
        for enc in list("userinfo_encryption_enc_values_supported") {
            let recipient = recipient(&alg);
            let registered = register(
                &provider,
                &json!({
                    "jwks": {"keys": [recipient.jwk]},
                    "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc,
                    "userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc,
                    "userinfo_signed_response_alg": if enc == "A256GCM" { "ES256" } else { "none" },
                }),
            )
            .await;
            assert_eq!(registered.status, 201, "{}", registered.body);
            let registered = registered.json();
            let (client, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
            let ask = provider.ask(client).with("redirect_uri", CALLBACK).with("scope", "openid email");
            let granted = provider.grant(&UserAgent::new(), &ask).await;
            let tokens = redeem(&provider, &granted, secret).await;
            assert_eq!(tokens.status, 200, "{}", tokens.body);
            let tokens = tokens.json();

            let (header, inner) = decrypt(text(&tokens, "id_token"), &recipient, &alg).await;
            assert_eq!((&header["alg"], &header["enc"]), (&json!(alg), &json!(enc)));
            assert_eq!((&header["kid"], &header["cty"]), (&json!("k1"), &json!("JWT")));
            let (_, claims) = provider.verify(&inner, Algorithm::RS256).await;
            assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(client), &json!("nonce-1")));

            let answer = provider.userinfo(text(&tokens, "access_token")).await;
            assert_eq!(answer.header("content-type"), "application/jwt", "{}", answer.body);
            let (_, inner) = decrypt(&answer.body, &recipient, &alg).await;
            let released = if enc == "A256GCM" {
                provider.verify(&inner, Algorithm::ES256).await.1
            } else {
                serde_json::from_str(&inner).unwrap()
            };
            assert_eq!((&released["sub"], &released["email"]), (&claims["sub"], &json!("alice@example.com")));
        }
    }
}

/// The exchange of a code by a client that registered itself.
async fn redeem(provider: &Provider, granted: &Granted, secret: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &granted.code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    Answer::to(provider.token_request(&form).header("authorization", basic(&granted.client, secret))).await
}

/// OpenID Connect Core, 10.2: for the keys that are at the client's own address now.
#[tokio::test]
async fn answers_are_sealed_for_keys_at_the_clients_own_address() {
    const ALG: &str = "ECDH-ES+A128KW";
    let provider = Provider::start().await;
    let recipient = recipient(ALG);
    let published = Arc::new(Mutex::new(json!({"keys": []})));
    let served = Arc::clone(&published);
    let address = serve_json(move |_| Some((200, served.lock().unwrap().to_string()))).await;
    let metadata = json!({
        "jwks_uri": format!("{address}/jwks"),
        "response_types": ["code", "code id_token"], "grant_types": ["authorization_code", "implicit"],
        "id_token_encrypted_response_alg": ALG, "userinfo_encrypted_response_alg": ALG,
    });
    let registered = register(&provider, &metadata).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let registered = registered.json();
    let (client, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
    let ask = || provider.ask(client).with("redirect_uri", CALLBACK).with("scope", "openid email");
    let agent = UserAgent::new();
    let granted = provider.grant(&agent, &ask()).await;

    // There is no key yet: nothing is spent, nothing is sent in clear, and the client may come again.
    let early = redeem(&provider, &granted, secret).await;
    assert_eq!(
        (early.status, early.json()["error"].as_str()),
        (503, Some("temporarily_unavailable")),
        "{}",
        early.body
    );
    assert_eq!(early.header("retry-after"), "10");
    let both = ask().with("response_type", "code id_token");
    assert_eq!(agent.get(&both.url()).await.status, 503);

    *published.lock().unwrap() = json!({"keys": [recipient.jwk]});
    let tokens = until_keys_are_asked_again(|| redeem(&provider, &granted, secret)).await.json();
    let (header, inner) = decrypt(text(&tokens, "id_token"), &recipient, ALG).await;
    assert_eq!((&header["kid"], &header["cty"]), (&json!("k1"), &json!("JWT")));
    let (_, claims) = provider.verify(&inner, Algorithm::RS256).await;
    assert_eq!(claims["aud"], client);
    let answer = provider.userinfo(text(&tokens, "access_token")).await;
    let (_, inner) = decrypt(&answer.body, &recipient, ALG).await;
    assert_eq!(serde_json::from_str::<Value>(&inner).unwrap()["email"], "alice@example.com");
    let answered = agent.get(&both.url()).await.location();
    let fragment = answered.fragment().unwrap().to_owned();
    let sealed = fragment.split('&').find_map(|pair| pair.strip_prefix("id_token=")).unwrap();
    let (_, inner) = decrypt(sealed, &recipient, ALG).await;
    assert!(provider.verify(&inner, Algorithm::RS256).await.1["c_hash"].is_string());
}

/// Asks until a key set that was looked at in vain just now is looked at again.
async fn until_keys_are_asked_again(ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..200 {
        let answer = ask().await;
        if answer.status == 200 {
            return answer;
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the keys were not asked for again");
}

#[tokio::test]
async fn who_has_no_key_for_it_is_not_registered() {
    let provider = Provider::start().await;
    let rsa = recipient("RSA-OAEP-256").jwk;
    let refused = [
        json!({"id_token_encrypted_response_alg": "RSA-OAEP-256"}),
        json!({"id_token_encrypted_response_alg": "ECDH-ES", "jwks": {"keys": [rsa]}}),
        json!({"userinfo_encrypted_response_enc": "A256GCM", "jwks": {"keys": [rsa]}}),
        json!({"userinfo_encrypted_response_alg": "RSA1_5", "jwks": {"keys": [rsa]}}),
        json!({"userinfo_encrypted_response_alg": "dir", "jwks": {"keys": [rsa]}}),
    ];
    for more in refused {
        let answer = register(&provider, &more).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_client_metadata")), "{more}");
    }
}
