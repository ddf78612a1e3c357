//! RFC 7662 and RFC 9701: what a token is good for, told to those whom it concerns.

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{CASES_API, OTHER_API, Provider, assert_error, assert_not_cached, basic, peek, secret_of, text};

const SIGNED: &str = "application/token-introspection+jwt";

impl Provider {
    /// What `client` is told of a token.
    pub async fn introspect(&self, client: &str, token: &str) -> Value {
        let answer = self.ask_about(client, &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_not_cached(&answer);
        answer.json()
    }

    async fn ask_about(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.url("/introspection")).form(form);
        Answer::to(request.header("authorization", basic(client, &secret_of(client)))).await
    }
}

#[tokio::test]
async fn a_client_is_told_of_its_own_tokens_and_nobody_elses() {
    let provider = Provider::start().await;
    let ask = provider.ask("basic").with("scope", "openid email offline_access");
    let granted = provider.grant(&UserAgent::new(), &ask).await;
    let tokens = provider.redeem(&granted).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));

    // Section 2.2: what the token says, and whose kind it is; the name of the grant is not for others.
    let mut expected = peek(access);
    expected.as_object_mut().unwrap().remove("gid").expect("a grant");
    expected["active"] = json!(true);
    expected["token_type"] = json!("Bearer");
    assert_eq!(provider.introspect("basic", access).await, expected);
    let told = provider.introspect("basic", refresh).await;
    assert_eq!((&told["active"], &told["client_id"], &told["sub"]), (&json!(true), &json!("basic"), &expected["sub"]));
    assert_eq!(told["scope"], "email offline_access openid");
    assert!(told.get("token_type").is_none());
    // A hint is a hint.
    let hinted = [("token", access), ("token_type_hint", "refresh_token")];
    assert_eq!(provider.ask_about("basic", &hinted).await.json()["active"], true);

    // Section 2.2 and 4: inactive, and not a word more.
    let code = provider.grant(&UserAgent::new(), &ask).await.code;
    for (case, client, token) in [
        ("another client", "es256", access),
        ("another client, refresh token", "es256", refresh),
        ("nonsense", "basic", "abc"),
        ("ID token", "basic", text(&tokens, "id_token")),
        ("code", "basic", &code),
    ] {
        assert_eq!(provider.introspect(client, token).await, json!({"active": false}), "{case}");
    }
    // Rotation ends a refresh token.
    provider.refresh("basic", refresh, "").await.json();
    assert_eq!(provider.introspect("basic", refresh).await, json!({"active": false}));
}

/// Section 4: a resource server, known by its `client_id`, is told of the tokens that are for it.
#[tokio::test]
async fn a_resource_server_is_told_of_tokens_for_it_alone() {
    let provider = Provider::start().await;
    let ask = provider.ask("cases").with("scope", "openid offline_access cases.read");
    let granted = provider.fresh_grant(&ask).await;
    let own = provider.redeem_with(&granted, &[("resource", CASES_API)]).await.json();
    let refresh = text(&own, "refresh_token").to_owned();
    let access = text(&own, "access_token");
    let told = provider.introspect(CASES_API, access).await;
    assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!([CASES_API])), "{told}");
    assert_eq!((&told["scope"], &told["client_id"]), (&json!("cases.read"), &json!("cases")));
    assert_eq!((&told["sub"], &told["gid"]), (&peek(access)["sub"], &Value::Null));

    let inactive = json!({"active": false});
    assert_eq!(provider.introspect(OTHER_API, access).await, inactive, "of another server");
    assert_eq!(provider.introspect(CASES_API, &refresh).await, inactive, "refresh tokens are the client's alone");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("resource", &provider.demo.issuer)];
    let for_us = provider.token("cases", &form).await.json();
    assert_eq!(provider.introspect(CASES_API, text(&for_us, "access_token")).await, inactive, "for UserInfo");
    assert_eq!(provider.introspect("cases", text(&for_us, "access_token")).await["active"], true);
    // Taken back, for the server too.
    let revoked = provider.http.post(provider.url("/revocation")).form(&[("token", text(&for_us, "refresh_token"))]);
    let revoked = Answer::to(revoked.header("authorization", basic("cases", &secret_of("cases")))).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(provider.introspect(CASES_API, access).await, inactive);
}

#[tokio::test]
async fn a_client_on_its_own_behalf_and_a_disabled_grant() {
    let provider = Provider::start().await;
    let tokens = provider.token("machine", &[("grant_type", "client_credentials")]).await.json();
    let told = provider.introspect("machine", text(&tokens, "access_token")).await;
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!("machine")));
    // A code shown twice takes its tokens with it.
    let granted = provider.fresh_grant(&provider.ask("basic")).await;
    let tokens = provider.redeem(&granted).await;
    provider.redeem_with(&granted, &[]).await;
    assert_eq!(provider.introspect("basic", text(&tokens, "access_token")).await, json!({"active": false}));
}

#[tokio::test]
async fn who_asks_must_prove_who_it_is() {
    let provider = Provider::start().await;
    let url = provider.url("/introspection");
    let post = |form: &[(&str, &str)]| provider.http.post(&url).form(form);
    // Section 2.1: some form of authorization, which the name of a public client is not.
    for form in [vec![("token", "abc")], vec![("token", "abc"), ("client_id", "spa")]] {
        assert_error(&Answer::to(post(&form)).await, 401, "invalid_client");
    }
    let wrong = post(&[("token", "abc")]).header("authorization", basic("basic", "wrong"));
    let refused = Answer::to(wrong).await;
    assert_error(&refused, 401, "invalid_client");
    assert!(refused.header("www-authenticate").starts_with("Basic "));
    assert_error(&provider.ask_about("basic", &[]).await, 400, "invalid_request");
    assert_error(&provider.ask_about("basic", &[("token", "a"), ("token", "b")]).await, 400, "invalid_request");
    let get = Answer::to(provider.http.get(&url)).await;
    assert_eq!((get.status, get.header("allow")), (405, "OPTIONS, POST"));
}

#[tokio::test]
async fn an_answer_is_signed_for_who_accepts_it_rfc9701() {
    let provider = Provider::start().await;
    let tokens = provider.redeem(&provider.fresh_grant(&provider.ask("signed")).await).await;
    let metadata = json!({
        "redirect_uris": ["https://told.example.com/cb"],
        "countersign_policy": "lab",
        "introspection_signed_response_alg": "ES256",
    });
    let registration = provider.http.post(provider.url("/register")).json(&metadata);
    let told = Answer::to(registration.bearer_auth("demo-initial-access-token")).await.json();
    let ask = async |client: &str, secret: &str, token: &str| {
        let request = provider.http.post(provider.url("/introspection")).form(&[("token", token)]);
        let request = request.header("authorization", basic(client, secret)).header("accept", SIGNED);
        let answer = Answer::to(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, SIGNED), "{}", answer.body);
        assert_not_cached(&answer);
        answer.body
    };
    let access = text(&tokens, "access_token");
    // Section 6: RS256 by default, else what was registered.
    let (other, secret) = (text(&told, "client_id"), text(&told, "client_secret"));
    let own = secret_of("signed");
    for (client, secret, algorithm, active) in
        [("signed", own.as_str(), Algorithm::RS256, true), (other, secret, Algorithm::ES256, false)]
    {
        let (header, claims) = provider.verify(&ask(client, secret, access).await, algorithm).await;
        assert_eq!(header.typ.as_deref(), Some("token-introspection+jwt"));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(provider.demo.issuer), &json!(client)));
        assert!(claims["iat"].is_i64());
        assert_eq!(claims["token_introspection"]["active"], active);
        // Section 5: it must not be mistaken for an access token.
        assert!(claims.get("sub").is_none() && claims.get("exp").is_none());
    }
}

#[tokio::test]
async fn where_it_is_off_it_is_neither_advertised_nor_answered() {
    let env = [("COUNTERSIGN__PROTOCOL__INTROSPECTION", "false"), ("COUNTERSIGN__PROTOCOL__REVOCATION", "false")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    for name in ["introspection", "revocation"] {
        assert!(metadata.get(format!("{name}_endpoint")).is_none());
        let request = provider.http.post(provider.url(&format!("/{name}"))).form(&[("token", "abc")]);
        assert_eq!(Answer::to(request).await.status, 404, "{name}");
    }
}
