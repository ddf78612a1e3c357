//! RFC 8693: an access token for a narrower one, of whoever acts for the person.

use countersign_tests::prover::Prover;
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{Provider, assert_error, assert_not_cached, basic, peek, secret_of, text};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The resource server of CONTRACT.md, and the client that it is.
pub const CASES: &str = "https://cases.example.com/api";

impl Provider {
    /// `client` asks for what comes of `subject`.
    async fn trade(&self, client: &str, subject: &str, more: &[(&str, &str)]) -> Answer {
        self.token(client, &form(subject, more)).await
    }

    /// The tokens of a person at the client `cases`, the access token for the API.
    async fn tokens_for_cases(&self, client: &str, scope: &str) -> Value {
        let ask = self.ask(client).with("scope", scope).with("resource", CASES);
        self.redeem(&self.grant(&UserAgent::new(), &ask).await).await
    }
}

fn form<'a>(subject: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("grant_type", GRANT), ("subject_token", subject), ("subject_token_type", ACCESS_TOKEN)], more].concat()
}

#[tokio::test]
async fn an_api_goes_on_with_the_token_it_was_shown_and_says_that_it_acts() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));

    let tokens = provider.tokens_for_cases("cases", "openid offline_access cases.read cases.write").await;
    let subject = text(&tokens, "access_token");
    let answer = provider.trade(CASES, subject, &[("scope", "cases.read"), ("audience", CASES)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_not_cached(&answer);
    let issued = answer.json();
    assert_eq!((&issued["issued_token_type"], &issued["token_type"]), (&json!(ACCESS_TOKEN), &json!("Bearer")));
    assert_eq!(issued["scope"], "cases.read");
    assert!(issued.get("refresh_token").is_none() && issued.get("id_token").is_none());
    let (header, claims) = provider.verify(text(&issued, "access_token"), Algorithm::RS256).await;
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let before = peek(subject);
    for name in ["iss", "sub", "aud", "auth_time", "acr", "amr"] {
        assert_eq!(claims[name], before[name], "{name}");
    }
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!(CASES), &json!("cases.read")));
    assert_eq!(claims["act"], json!({"sub": CASES, "client_id": CASES}));
    assert!(claims["exp"].as_i64() <= before["exp"].as_i64() && claims["jti"] != before["jti"]);

    // Whoever asks about it is told who acts.
    let token = text(&issued, "access_token");
    let told = provider.introspect(CASES, token).await;
    assert_eq!((&told["active"], &told["act"]), (&json!(true), &claims["act"]));

    // It dies with the family it came of.
    assert_eq!(provider.revoke("cases", &[("token", text(&tokens, "refresh_token"))]).await.status, 200);
    assert_eq!(provider.introspect(CASES, token).await, json!({"active": false}));
    assert_error(&provider.trade(CASES, subject, &[]).await, 400, "invalid_request");
    assert_error(&provider.trade(CASES, token, &[]).await, 400, "invalid_request");
}

#[tokio::test]
async fn nothing_grows_and_strangers_get_nothing() {
    let provider = Provider::start().await;
    let tokens = provider.tokens_for_cases("cases", "openid cases.read").await;
    let subject = text(&tokens, "access_token");
    for (name, value, error) in [
        ("scope", "cases.read cases.write", "invalid_scope"),
        ("scope", "openid", "invalid_scope"),
        ("resource", "https://unknown.example.com", "invalid_target"),
        ("audience", "unknown", "invalid_target"),
        ("resource", &provider.demo.issuer, "invalid_target"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"),
        ("actor_token", subject, "invalid_request"),
        ("actor_token_type", ACCESS_TOKEN, "invalid_request"),
    ] {
        assert_error(&provider.trade(CASES, subject, &[(name, value)]).await, 400, error);
    }
    // RFC 8693, 2.2.2: whatever is wrong with a token is invalid_request.
    let identity = text(&tokens, "id_token");
    for wrong in ["abc", "a.b.c", identity, &format!("{subject}x")] {
        assert_error(&provider.trade(CASES, wrong, &[]).await, 400, "invalid_request");
    }
    let kind = "urn:ietf:params:oauth:token-type:id_token";
    let as_id_token = [("grant_type", GRANT), ("subject_token", identity), ("subject_token_type", kind)];
    assert_error(&provider.token(CASES, &as_id_token).await, 400, "invalid_request");
    let missing = [("grant_type", GRANT), ("subject_token_type", ACCESS_TOKEN)];
    assert_error(&provider.token(CASES, &missing).await, 400, "invalid_request");
    assert_error(&provider.trade("exchanger", subject, &[]).await, 400, "invalid_request");
    assert_error(&provider.trade("basic", subject, &[]).await, 400, "unauthorized_client");
    // A token of nobody: the API's own.
    let own = provider.token(CASES, &[("grant_type", "client_credentials"), ("scope", "cases.read")]).await.json();
    assert_error(&provider.trade(CASES, text(&own, "access_token"), &[]).await, 400, "invalid_request");
    // Taken back alone, it is worth nothing here either.
    assert_eq!(provider.trade(CASES, subject, &[]).await.status, 200);
    assert_eq!(provider.revoke("cases", &[("token", subject)]).await.status, 200);
    assert_error(&provider.trade(CASES, subject, &[]).await, 400, "invalid_request");
}

#[tokio::test]
async fn those_who_act_stand_in_a_chain_and_may_act_says_who() {
    let provider = Provider::start().await;
    // `exchanger` says in its tokens that `deputy` alone may act with them.
    let tokens = provider.tokens_for_cases("exchanger", "openid cases.read").await;
    let subject = text(&tokens, "access_token");
    assert_eq!(peek(subject)["may_act"], json!({"sub": "deputy", "client_id": "deputy"}));
    assert_error(&provider.trade(CASES, subject, &[]).await, 400, "invalid_request");
    let acting = provider.trade("deputy", subject, &[]).await.json();
    let acting = peek(text(&acting, "access_token"));
    assert_eq!(acting["act"], json!({"sub": "deputy", "client_id": "deputy"}));
    assert_eq!(acting["may_act"], peek(subject)["may_act"], "it goes on");

    // A person of the help desk acts for another: both have tokens of the same client.
    let customer = provider.tokens_for_cases("desk", "openid cases.read").await;
    let agent = provider.tokens_for_cases("desk", "openid cases.read").await;
    let more = [("actor_token", text(&agent, "access_token")), ("actor_token_type", ACCESS_TOKEN)];
    let answer = provider.trade("desk", text(&customer, "access_token"), &more).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let first = text(&answer.json(), "access_token").to_owned();
    let person = peek(text(&agent, "access_token"))["sub"].clone();
    assert_eq!(peek(&first)["act"], json!({"sub": person}));
    let second = provider.trade(CASES, &first, &[]).await.json();
    let expected = json!({"sub": CASES, "client_id": CASES, "act": {"sub": person}});
    assert_eq!(peek(text(&second, "access_token"))["act"], expected);
    // Somebody else's actor token proves nothing.
    let foreign = [("actor_token", subject), ("actor_token_type", ACCESS_TOKEN)];
    assert_error(&provider.trade("desk", text(&customer, "access_token"), &foreign).await, 400, "invalid_request");
}

/// RFC 9449: the new token is bound to the key of who asks for it, and what was bound never becomes a bearer token.
#[tokio::test]
async fn a_bound_token_stays_bound() {
    let provider = Provider::start().await;
    let url = provider.url("/token");
    let (person, api) = (Prover::default(), Prover::default());
    let ask = provider.ask("cases").with("scope", "openid cases.read").with("resource", CASES);
    let granted = provider.grant(&UserAgent::new(), &ask).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &granted.code),
        ("redirect_uri", &granted.redirect_uri),
        ("code_verifier", crate::fixture::VERIFIER),
    ];
    let send = async |client: &str, form: &[(&str, &str)], prover: &Prover| {
        let request = provider.token_request(form).header("authorization", basic(client, &secret_of(client)));
        Answer::to(request.header("dpop", prover.prove("POST", &url, &json!({})))).await
    };
    let tokens = send("cases", &redeem, &person).await.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let subject = text(&tokens, "access_token");
    assert_error(&provider.trade(CASES, subject, &[]).await, 400, "invalid_request");
    let bound = send(CASES, &form(subject, &[]), &api).await.json();
    assert_eq!(bound["token_type"], "DPoP");
    assert_eq!(peek(text(&bound, "access_token"))["cnf"], json!({"jkt": api.thumbprint()}));
}

/// OpenID Connect Core, 5.5: claims asked for by name are for the client that asked, not for who acts with its token.
#[tokio::test]
async fn claims_by_name_are_for_the_client_that_asked_for_them() {
    let provider = Provider::start().await;
    let claims = r#"{"userinfo":{"email":null,"phone_number":null}}"#;
    let ask = provider.ask("exchanger").with("claims", claims);
    let tokens = provider.redeem(&provider.grant(&UserAgent::new(), &ask).await).await;
    let subject = text(&tokens, "access_token");
    let traded = provider.trade("deputy", subject, &[]).await;
    assert_eq!(traded.status, 200, "{}", traded.body);
    let acting = traded.json();
    let (own, others) =
        (provider.userinfo(subject).await.json(), provider.userinfo(text(&acting, "access_token")).await.json());
    assert!(own["email"].is_string() && own["phone_number"].is_string(), "{own}");
    assert_eq!(others, json!({"sub": own["sub"]}));
}
