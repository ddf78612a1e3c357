//! Grants, and what tokens are bound to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::Answer;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, from_value, json};

use super::endpoints::DEVICE;
use super::keys::{ForeignKey, forge, key, now, random};
use super::world::{PARTNER, World};
use crate::fixture::{ALICE, assert_error, peek, text};
use crate::rfc8693::exchange::CASES;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Each grant type brings a token to a client that registered it.
pub async fn grant(world: &World, grant: &str) {
    match grant {
        "authorization_code" => {
            let rp = world.client(json!({"grant_types": [grant]})).await;
            world.tokens(&rp, &world.ask(&rp)).await;
        }
        "refresh_token" => refresh(world).await,
        "client_credentials" => {
            let own = json!({"grant_types": [grant], "redirect_uris": [], "response_types": [], "scope": "cases.read"});
            let rp = world.client(own).await;
            let answer = world.post(&rp, "token_endpoint", &[("grant_type", grant)]).await;
            assert_eq!(peek(text(&answer.json(), "access_token"))["sub"], rp.id());
        }
        DEVICE => device(world).await,
        EXCHANGE => exchange(world).await,
        JWT_BEARER => vouch(world).await,
        "implicit" => {
            let rp = world.client(json!({"grant_types": [grant], "response_types": ["id_token token"]})).await;
            let answer = world.answer(&world.ask(&rp).with("response_type", "id_token token")).await;
            assert!(world.works(&answer["access_token"]).await);
        }
        other => panic!("nothing exercises the grant type {other}"),
    }
}

async fn refresh(world: &World) {
    let rp = world.client(json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp).with("scope", "openid offline_access")).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    let answer = world.post(&rp, "token_endpoint", &form).await;
    assert!(world.works(text(&answer.json(), "access_token")).await);
}

async fn device(world: &World) {
    let rp = world.client_of("none", None, json!({"grant_types": [DEVICE], "redirect_uris": []})).await;
    let codes = world.post(&rp, "device_authorization_endpoint", &[("scope", "openid")]).await.json();
    let page = world.alice.get(text(&codes, "verification_uri")).await;
    let next = world.alice.press(&page, "continue", &[("user_code", text(&codes, "user_code"))]).await;
    let page = world.alice.follow(next).await;
    let question = if page.asks_for_password() { world.alice.sign_in(&page, ALICE.0, ALICE.1).await } else { page };
    world.alice.press(&question, "allow", &[]).await;
    let form = [("grant_type", DEVICE), ("device_code", text(&codes, "device_code"))];
    let answer = world.post(&rp, "token_endpoint", &form).await;
    assert!(world.works(text(&answer.json(), "access_token")).await);
}

/// RFC 8693, 2: the API goes on with the token it was shown.
async fn exchange(world: &World) {
    let ask = world.provider.ask("cases").with("scope", "openid cases.read").with("resource", CASES);
    let tokens = world.provider.redeem(&world.provider.grant(&world.alice, &ask).await).await;
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", text(&tokens, "access_token")),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let answer = world.provider.token(CASES, &form).await;
    assert_eq!(peek(text(&answer.json(), "access_token"))["act"]["sub"], CASES);
}

/// RFC 7523, 2.1: somebody declared speaks for a person.
async fn vouch(world: &World) {
    let claims = json!({
        "iss": PARTNER, "sub": ALICE.0, "aud": world.provider.demo.issuer, "jti": random(), "iat": now(),
        "exp": now() + 60,
    });
    let assertion = key("ES256").sign("JWT", &claims);
    let answer = world.provider.token("gateway", &[("grant_type", JWT_BEARER), ("assertion", &assertion)]).await;
    assert_eq!(peek(text(&answer.json(), "access_token"))["client_id"], "gateway");
}

/// RFC 6749, 5.2; RFC 7591, 3.2.2.
pub async fn no_grant(world: &World, grant: &str) {
    let rp = world.client(json!({})).await;
    let form = [("grant_type", grant), ("username", "alice"), ("password", "secret"), ("assertion", "a.b.c")];
    assert_error(&world.post(&rp, "token_endpoint", &form).await, 400, "unsupported_grant_type");
    assert_eq!(world.registration_error(json!({"grant_types": [grant]})).await, "invalid_client_metadata");
}

/// RFC 9449, 5 and 7: bound to the key, and worth nothing without it.
pub async fn dpop(world: &World, algorithm: &str) {
    let (rp, key) = (world.client(json!({})).await, key(algorithm));
    let code = world.code(&world.ask(&rp)).await;
    let proof = key.prove("POST", world.endpoint("token_endpoint"), None);
    let request = world.request(&rp, "token_endpoint", &World::redemption(&code)).header("dpop", proof);
    let tokens = Answer::to(request).await.json();
    let access = text(&tokens, "access_token");
    assert_eq!((&tokens["token_type"], &peek(access)["cnf"]["jkt"]), (&json!("DPoP"), &json!(key.thumbprint())));
    let url = world.endpoint("userinfo_endpoint");
    let request = world.provider.http.get(url).header("authorization", format!("DPoP {access}"));
    let answer = Answer::to(request.header("dpop", key.prove("GET", url, Some(access)))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!world.works(access).await, "as a bearer token");
}

/// RFC 9449, 4.3.
pub async fn no_dpop(world: &World, algorithm: &str) {
    let rp = world.client(json!({})).await;
    let code = world.code(&world.ask(&rp)).await;
    let url = world.endpoint("token_endpoint");
    let mut proofs = Vec::new();
    if let Some(foreign) = ForeignKey::new(algorithm) {
        proofs.push(foreign.prove(url, foreign.name()));
        // As it is, and as one that is advertised: the signature is of the first.
        proofs.push(foreign.prove(url, if algorithm.starts_with("ES") { "ES256" } else { "RS256" }));
    } else {
        let claims = json!({"jti": random(), "htm": "POST", "htu": url, "iat": now()});
        // A key of ours, and the shared secret of who knows its public half.
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": key("ES256").public()});
        let message = forge(&header, &claims);
        let public = key("ES256").public()["x"].as_str().unwrap().to_owned();
        let mut hashed = Header::new(Algorithm::HS256);
        (hashed.typ, hashed.jwk) = (Some("dpop+jwt".to_owned()), Some(from_value(key("ES256").public()).unwrap()));
        let shared = jsonwebtoken::encode(&hashed, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
        proofs.extend([message, shared]);
    }
    for proof in proofs {
        let request = world.request(&rp, "token_endpoint", &World::redemption(&code)).header("dpop", proof);
        assert_error(&Answer::to(request).await, 400, "invalid_dpop_proof");
    }
    // None of them spent the code.
    let right = key("ES256").prove("POST", url, None);
    let request = world.request(&rp, "token_endpoint", &World::redemption(&code)).header("dpop", right);
    assert_eq!(Answer::to(request).await.status, 200);
}

/// RFC 8705, 3: bound to the certificate, and worth nothing without it.
pub async fn certificate_bound(world: &World, _: &str) {
    let bound = json!({"tls_client_certificate_bound_access_tokens": true});
    let rp = world.client_of("self_signed_tls_client_auth", None, bound).await;
    let tokens: Value = world.tokens(&rp, &world.ask(&rp)).await;
    let access = text(&tokens, "access_token");
    let thumbprint = peek(access)["cnf"]["x5t#S256"].clone();
    assert_eq!(URL_SAFE_NO_PAD.decode(thumbprint.as_str().unwrap()).unwrap().len(), 32);
    let alias = world.endpoint("mtls_endpoint_aliases.userinfo_endpoint");
    let get = async |http: &reqwest::Client| Answer::to(http.get(alias).bearer_auth(access)).await.status;
    assert_eq!((get(&world.self_signed).await, get(&world.named).await), (200, 401));
    assert!(!world.works(access).await, "where no certificate is asked for");
}
