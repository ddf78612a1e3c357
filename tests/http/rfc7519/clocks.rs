//! RFC 7519, 4.1.4 and 4.1.5; RFC 9449, 11.1; FAPI 2.0 Security Profile, 5.3.2.1: one leeway for whatever JWT comes from
//! another clock.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_tests::prover::{Prover, now};
use countersign_tests::provider::serve_json;
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::client_key::SIGNER;
use crate::fixture::{ALICE, Provider, text};

const PARTNER: &str = "https://partner.example.com";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Who reads JWTs of others.
struct Reader {
    provider: Provider,
    /// Proves itself by `SIGNER`.
    client: String,
    browser: UserAgent,
}

impl Reader {
    async fn start() -> Self {
        let published = serve_json(|_| Some((200, SIGNER.jwks.to_string()))).await;
        let partner = format!(
            r#"[{{issuer="{PARTNER}", jwks_uri="{published}/jwks", clients=["gateway"], scopes=["cases.read"], subject="email", domains=["example.com"]}}]"#
        );
        let env = vec![("COUNTERSIGN__ASSERTION_ISSUERS".to_owned(), partner)];
        let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
        let metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "scope": "cases.read", "jwks": SIGNER.jwks,
            "token_endpoint_auth_method": "private_key_jwt",
        });
        let client = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await.json();
        let browser = UserAgent::new();
        provider.grant(&browser, &provider.ask("basic")).await;
        Self { provider, client: text(&client, "client_id").to_owned(), browser }
    }

    /// RFC 7523, 3.
    async fn takes_assertion(&self, times: &Value) -> bool {
        let mut claims = json!({
            "iss": self.client, "sub": self.client, "aud": self.provider.demo.issuer, "jti": fresh(),
            "exp": at(120),
        });
        extend(&mut claims, times);
        let assertion = SIGNER.sign("JWT", &claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &assertion),
        ];
        is_taken(&Answer::to(self.provider.token_request(&form)).await, "invalid_client")
    }

    /// RFC 7523, 2.1 and 3.
    async fn takes_bearer(&self, times: &Value) -> bool {
        let mut claims = json!({
            "iss": PARTNER, "sub": ALICE.0, "aud": self.provider.demo.issuer, "jti": fresh(), "exp": at(120),
        });
        extend(&mut claims, times);
        let assertion = SIGNER.sign("JWT", &claims);
        let form = [("grant_type", BEARER), ("assertion", assertion.as_str())];
        is_taken(&self.provider.token("gateway", &form).await, "invalid_grant")
    }

    /// RFC 9101, 4.
    async fn takes_request(&self, times: &Value) -> bool {
        let mut claims = json!({"iss": "signer", "aud": self.provider.demo.issuer, "exp": at(120)});
        for (name, value) in self.provider.ask("signer").with("prompt", "none").params() {
            claims[name] = json!(value);
        }
        extend(&mut claims, times);
        let object = SIGNER.sign("oauth-authz-req+jwt", &claims);
        let ask = self.provider.ask("signer").with("prompt", "none").with("request", object);
        let response = self.browser.get(&ask.url()).await.response();
        let error = response.get("error").map(String::as_str);
        assert!(matches!(error, None | Some("invalid_request_object")), "{response:?}");
        error.is_none()
    }

    /// RFC 9449, 4.3 and 11.1.
    async fn takes_proof(&self, times: &Value) -> bool {
        let proof = Prover::default().prove("POST", &self.provider.url("/token"), times);
        let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", "unknown")];
        let answer = Answer::to(self.provider.token_request(&form).header("dpop", proof)).await;
        let error = answer.json()["error"].clone();
        assert!(error == "invalid_grant" || error == "invalid_dpop_proof", "{}", answer.body);
        error == "invalid_grant"
    }
}

/// `ahead` seconds from now.
fn at(ahead: i64) -> i64 {
    i64::try_from(now()).unwrap() + ahead
}

/// An id that nothing else has.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("clock-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn extend(claims: &mut Value, times: &Value) {
    claims.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
}

fn is_taken(answer: &Answer, error: &str) -> bool {
    assert!(answer.status == 200 || answer.json()["error"] == error, "{}", answer.body);
    answer.status == 200
}

#[tokio::test]
async fn clocks_may_differ_by_seconds_and_not_by_a_minute_whatever_the_jwt_is_for() {
    let reader = Reader::start().await;
    for (name, ahead, taken) in [
        ("nbf", 8, true),
        ("nbf", 20, true),
        ("nbf", 62, false),
        ("iat", 8, true),
        ("iat", 62, false),
        // What ended is good for a moment longer.
        ("exp", -8, true),
        ("exp", -62, false),
    ] {
        let times = json!({name: at(ahead)});
        let taken_by = [
            ("assertion", reader.takes_assertion(&times).await),
            ("assertion of a person", reader.takes_bearer(&times).await),
            ("request object", reader.takes_request(&times).await),
        ];
        for (kind, is_taken) in taken_by {
            assert_eq!(is_taken, taken, "{kind}: {name} {ahead} s ahead");
        }
    }
    // A proof has no `exp`: its `iat` says how old it is.
    for (ahead, taken) in [(8, true), (20, true), (62, false), (-8, true), (-20, true), (-92, false)] {
        assert_eq!(reader.takes_proof(&json!({"iat": at(ahead)})).await, taken, "a proof {ahead} s ahead");
    }
}
