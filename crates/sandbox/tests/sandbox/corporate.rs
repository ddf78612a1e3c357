//! The corporate OpenID Provider, as its client sees it.

use crate::provider::now;
use crate::support::{Carrier, settings, start_carrier};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_sandbox::{CarrierSettings, CorporateSettings};
use reqwest::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

const SECRET: &str = "corporate:secret+/";
const REDIRECT: &str = "http://localhost:8080/federation/corporate/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

fn start() -> Carrier {
    let corporate = CorporateSettings {
        client_id: "countersign".to_owned(),
        client_secret: SECRET.into(),
        redirect_uri: REDIRECT.parse().unwrap(),
    };
    start_carrier(CarrierSettings { corporate: Some(corporate), ..settings() })
}

/// The authorization request, as changed by `change`; null removes a parameter.
fn request(change: &Value) -> Vec<(String, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let mut request = json!({
        "client_id": "countersign", "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid email profile",
        "state": "s1", "nonce": "n1", "code_challenge": challenge, "code_challenge_method": "S256",
    });
    for (name, value) in change.as_object().unwrap() {
        request[name] = value.clone();
    }
    let fields = request.as_object().unwrap().iter();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

impl Carrier {
    async fn show(&self, change: &Value) -> Response {
        let url = Url::parse_with_params(&self.url("/corporate/authorize"), request(change)).unwrap();
        self.http.get(url).send().await.unwrap()
    }

    /// Posts the page with what a person adds.
    async fn decide(&self, added: &Value) -> Response {
        self.http.post(self.url("/corporate/authorize")).form(&request(added)).send().await.unwrap()
    }

    /// Signs somebody in and gives the code.
    async fn sign_in(&self, email: &str, fault: &str) -> String {
        let answer = self.decide(&json!({ "do": "sign_in", "email": email, "fault": fault })).await;
        let answer = answer_of(&answer);
        assert_eq!((answer["state"].as_str(), answer["iss"].clone()), ("s1", self.url("/corporate")));
        answer["code"].clone()
    }

    async fn redeem(&self, code: &str, change: &Value) -> (u16, Value) {
        let mut form = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
        });
        for (name, value) in change.as_object().unwrap() {
            form[name] = value.clone();
        }
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let post = self.http.post(self.url("/corporate/token")).basic_auth("countersign", Some(encode(SECRET)));
        let answer = post.form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The claims of a fresh ID token, and whether the published key signed it.
    async fn claims(&self, email: &str, fault: &str) -> (Value, bool) {
        let code = self.sign_in(email, fault).await;
        let (status, tokens) = self.redeem(&code, &json!({})).await;
        assert_eq!(status, 200, "{tokens}");
        let jwks: Value = self.http.get(self.url("/corporate/jwks")).send().await.unwrap().json().await.unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let coordinate = |name: &str| decode(jwks["keys"][0][name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let token = tokens["id_token"].as_str().unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        assert_eq!((&header["kid"], &header["alg"]), (&jwks["keys"][0]["kid"], &json!("ES256")));
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let genuine = key.verify(signed.as_bytes(), &decode(signature)).is_ok();
        (serde_json::from_slice(&decode(claims)).unwrap(), genuine)
    }
}

/// The query of the redirect to the client.
fn answer_of(answer: &Response) -> BTreeMap<String, String> {
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{REDIRECT}?")), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

#[tokio::test]
async fn metadata_name_the_endpoints_below_the_issuer() {
    let carrier = start();
    let url = carrier.url("/corporate/.well-known/openid-configuration");
    let metadata: Value = carrier.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata["issuer"], carrier.url("/corporate"));
    assert_eq!(metadata["token_endpoint"], carrier.url("/corporate/token"));
    let without = start_carrier(settings());
    let url = without.url("/corporate/.well-known/openid-configuration");
    assert_eq!(without.http.get(url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_employee_signs_in() {
    let carrier = start();
    let page = carrier.show(&json!({ "login_hint": "nurse@corp.example.com" })).await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' http: https:;") && !policy.contains("script-src"), "{policy}");
    let page = page.text().await.unwrap();
    assert!(page.contains("Duck Pond Corp sign-in") && page.contains("value=\"nurse@corp.example.com\""), "{page}");
    assert!(page.contains("name=\"nonce\" value=\"n1\""), "{page}");
    let (claims, genuine) = carrier.claims("nurse@corp.example.com", "ok").await;
    assert!(genuine);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(carrier.url("/corporate")), &json!("countersign")));
    assert_eq!((&claims["nonce"], &claims["email_verified"]), (&json!("n1"), &json!(true)));
    assert_eq!((&claims["email"], &claims["name"]), (&json!("nurse@corp.example.com"), &json!("Nora Nurse")));
    assert!((claims["exp"].as_i64().unwrap() - now() - 300).abs() < 60, "{claims}");
}

#[tokio::test]
async fn others_have_an_unverified_or_a_foreign_mail() {
    let carrier = start();
    let (visitor, _) = carrier.claims("visitor@corp.example.com", "ok").await;
    assert_eq!(visitor["email_verified"], false);
    let (contractor, _) = carrier.claims("contractor@elsewhere.example.net", "ok").await;
    assert_eq!(contractor["email_verified"], true);
    assert_ne!(visitor["sub"], contractor["sub"]);
}

#[tokio::test]
async fn the_provider_lies_on_demand() {
    let carrier = start();
    let nurse = "nurse@corp.example.com";
    let (claims, genuine) = carrier.claims(nurse, "nonce").await;
    assert!(genuine && claims["nonce"] != "n1");
    let (claims, genuine) = carrier.claims(nurse, "audience").await;
    assert!(genuine && claims["aud"] != "countersign");
    let (claims, genuine) = carrier.claims(nurse, "expired").await;
    assert!(genuine && claims["exp"].as_i64().unwrap() < now() - 600, "{claims}");
    assert!(!carrier.claims(nurse, "signature").await.1);
    carrier.post("/api/faults", &json!({ "corporate": "audience" })).await;
    assert_ne!(carrier.claims(nurse, "ok").await.0["aud"], "countersign", "of all sign-ins");
}

#[tokio::test]
async fn a_sign_in_can_be_declined() {
    let carrier = start();
    for added in [json!({ "do": "decline" }), json!({ "do": "sign_in", "fault": "declined", "email": "a@b" })] {
        let answer = answer_of(&carrier.decide(&added).await);
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "s1"));
        assert!(!answer.contains_key("code"));
    }
}

#[tokio::test]
async fn a_wrong_password_or_address_shows_the_page_again() {
    let carrier = start();
    let nurse = "nurse@corp.example.com";
    for (added, problem) in [
        (json!({ "do": "sign_in", "email": nurse, "password": "guess" }), "The password is wrong."),
        (json!({ "do": "sign_in", "email": "nobody" }), "That is no mail address."),
        (json!({ "do": "sign_in" }), "That is no mail address."),
        (json!({ "do": "sign_in", "email": nurse, "fault": "all" }), "No such fault."),
    ] {
        let page = carrier.decide(&added).await.text().await.unwrap();
        assert!(page.contains(problem), "{page}");
    }
    let right = json!({ "do": "sign_in", "email": nurse, "password": "corporate-demo" });
    assert!(answer_of(&carrier.decide(&right).await).contains_key("code"));
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let carrier = start();
    for change in [
        json!({ "redirect_uri": "http://localhost:8080/federation/corporate/callback/" }),
        json!({ "redirect_uri": "https://evil.example/" }),
        json!({ "redirect_uri": null }),
        json!({ "client_id": "other" }),
    ] {
        assert_eq!(carrier.show(&change).await.status(), 400, "{change}");
        assert_eq!(carrier.decide(&change).await.status(), 400, "{change}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_answered_with_its_error() {
    let carrier = start();
    for (change, error) in [
        (json!({ "response_type": "token" }), "unsupported_response_type"),
        (json!({ "scope": "email" }), "invalid_scope"),
        (json!({ "code_challenge": null }), "invalid_request"),
        (json!({ "code_challenge_method": "plain" }), "invalid_request"),
        (json!({ "prompt": "none" }), "login_required"),
    ] {
        assert_eq!(answer_of(&carrier.show(&change).await)["error"], error, "{change}");
    }
}

#[tokio::test]
async fn a_code_is_redeemed_once_and_by_whom_it_was_given_to() {
    let carrier = start();
    let nurse = "nurse@corp.example.com";
    let code = carrier.sign_in(nurse, "ok").await;
    assert_eq!(carrier.redeem(&code, &json!({})).await.0, 200);
    let refused = (400, json!({ "error": "invalid_grant" }));
    assert_eq!(carrier.redeem(&code, &json!({})).await, refused);
    for change in [
        json!({ "code_verifier": "another-verifier-of-at-least-forty-three-char" }),
        json!({ "redirect_uri": "http://localhost:8080/" }),
        json!({ "code": "unknown" }),
    ] {
        let code = carrier.sign_in(nurse, "ok").await;
        assert_eq!(carrier.redeem(&code, &change).await, refused, "{change}");
    }
    let code = carrier.sign_in(nurse, "ok").await;
    let wrong = carrier.http.post(carrier.url("/corporate/token")).basic_auth("countersign", Some("wrong"));
    let answer = wrong.form(&[("grant_type", "authorization_code"), ("code", &code)]).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}
