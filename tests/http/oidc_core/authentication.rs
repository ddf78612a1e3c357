//! OpenID Connect Core 1.0: ID tokens (2), authentication requests (3.1.2), claims (5).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{ALICE, Ask, DONALD, EVERYTHING, LAB_ACR, Provider, peek, text};

impl Provider {
    async fn id_token(&self, agent: &UserAgent, ask: &Ask) -> String {
        text(&self.redeem(&self.grant(agent, ask).await).await, "id_token").to_owned()
    }
}

/// 2, 3.1.3.6: what an ID token says; 10.1: signed by a published key.
#[tokio::test]
async fn id_token_is_signed_as_registered_and_says_what_happened() {
    let provider = Provider::start().await;
    let before = now();
    for (client, algorithm) in [("basic", Algorithm::RS256), ("es256", Algorithm::ES256), ("eddsa", Algorithm::EdDSA)] {
        let granted = provider.fresh_grant(&provider.ask(client).with("scope", EVERYTHING)).await;
        let tokens = provider.redeem(&granted).await;
        let (header, claims) = provider.verify(text(&tokens, "id_token"), algorithm).await;
        assert_eq!(header.alg, algorithm);
        let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["acr", "amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "iss", "nonce", "sid", "sub"];
        // 5.4: the scopes' claims are UserInfo's.
        assert_eq!(names, expected);
        assert_eq!((&claims["aud"], &claims["azp"]), (&json!(client), &json!(client)));
        assert_eq!((&claims["iss"], &claims["nonce"]), (&json!(provider.demo.issuer), &json!("nonce-1")));
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!(LAB_ACR), &json!(["pwd"])));
        let time = |name: &str| claims[name].as_i64().unwrap();
        assert!(before <= time("auth_time") && time("auth_time") <= time("iat") && time("iat") <= now());
        assert_eq!(time("exp") - time("iat"), 600);
        assert!(text(&claims, "sub").is_ascii() && text(&claims, "sub").len() <= 255);
        let hash = if algorithm == Algorithm::EdDSA { &SHA512 } else { &SHA256 };
        let hash = digest(hash, text(&tokens, "access_token").as_bytes());
        let half = &hash.as_ref()[..hash.as_ref().len() / 2];
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(half));
    }
    let without = provider.fresh_grant(&provider.ask("basic").without("nonce")).await;
    assert!(peek(text(&provider.redeem(&without).await, "id_token")).get("nonce").is_none());
    // 3.1.2.1: without openid it is OAuth alone.
    let oauth = provider.redeem(&provider.fresh_grant(&provider.ask("basic").with("scope", "email")).await).await;
    assert!(oauth.get("id_token").is_none());
}

#[expect(clippy::disallowed_methods, reason = "the claims of another process are held to the real time")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// 3.1.2.1: prompt and max_age; the time of authentication is the login's.
#[tokio::test]
async fn auth_time_stays_across_silent_answers_and_is_later_after_a_login() {
    let provider = Provider::start_with_clock().await;
    let agent = UserAgent::new();
    let ask = || provider.ask("basic");
    let first = peek(&provider.id_token(&agent, &ask()).await);
    let auth_time = |claims: &Value| claims["auth_time"].as_i64().unwrap();
    provider.demo.move_clock(Duration::from_secs(100));
    let silent = [
        ask(),
        ask().with("prompt", "none"),
        ask().with("max_age", 10_000),
        ask().with("max_age", "99999999999999999999").with("prompt", "none"),
        provider.ask("spa"),
    ];
    for ask in silent {
        let answer = agent.get(&ask.url()).await;
        assert!(answer.response().contains_key("code"), "{ask:?}");
        let again = peek(&provider.id_token(&agent, &ask).await);
        assert_eq!((&again["auth_time"], &again["sub"]), (&first["auth_time"], &first["sub"]), "{ask:?}");
        assert!(again["iat"].as_i64() >= Some(auth_time(&first) + 100));
    }
    for (case, stale) in [
        ("max_age", ask().with("max_age", 1)),
        ("max_age=0", ask().with("max_age", 0)),
        ("default_max_age", provider.ask("aged")),
    ] {
        let refused = agent.get(&stale.clone().with("prompt", "none").url()).await.response();
        assert_eq!(refused["error"], "login_required", "{case}");
        assert!(agent.get(&stale.url()).await.asks_for_password(), "{case}");
    }
    let mut last = auth_time(&first);
    for again in
        [ask().with("prompt", "login"), ask().with("max_age", 0), ask().with("max_age", 5), provider.ask("aged")]
    {
        provider.demo.move_clock(Duration::from_secs(10));
        let page = agent.get(&again.url()).await;
        assert!(page.asks_for_password(), "{again:?}");
        let claims = peek(&provider.id_token(&agent, &again).await);
        assert!(auth_time(&claims) > last, "{again:?}");
        assert_eq!(claims["sub"], first["sub"]);
        last = auth_time(&claims);
    }
    let silent = peek(&provider.id_token(&agent, &ask().with("prompt", "none")).await);
    assert_eq!(auth_time(&silent), last);
}

/// A login demanded by prompt=login is bound to that very request: what another request did does not answer it.
#[tokio::test]
async fn demanded_login_is_not_answered_by_another_request() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    provider.grant(&agent, &provider.ask("basic")).await;
    let demanded = agent
        .follow(agent.get(&provider.ask("basic").with("prompt", "login").with("state", "demanded").url()).await)
        .await;
    assert!(demanded.asks_for_password());
    let silent = agent.get(&provider.ask("basic").url()).await.response();
    assert_eq!(silent["state"], "state-1");
    // Cancelled, it stays unanswered; the older session is no way around.
    let cancelled = agent.follow(agent.press(&demanded, "cancel", &[]).await).await.response();
    assert_eq!((cancelled["error"].as_str(), cancelled["state"].as_str()), ("access_denied", "demanded"));
    let wrong = agent.get(&provider.ask("basic").with("prompt", "login").url()).await;
    let wrong = agent.sign_in(&wrong, ALICE.0, "not the password").await;
    assert!(wrong.asks_for_password(), "{}", wrong.status);
}

/// 3.1.2.1: id_token_hint; 5.5.1: the subject that is demanded.
#[tokio::test]
async fn hint_must_be_of_the_person_who_is_signed_in() {
    let provider = Provider::start().await;
    let (alice, donald) = (UserAgent::new(), UserAgent::new());
    let ask = || provider.ask("basic");
    let page = donald.get(&ask().url()).await;
    let code = donald.sign_in(&page, DONALD.0, DONALD.1).await.response()["code"].clone();
    let granted = crate::fixture::Granted {
        client: "basic".to_owned(),
        code,
        redirect_uri: crate::fixture::redirect_uri_of("basic"),
    };
    let his = text(&provider.redeem(&granted).await, "id_token").to_owned();
    let hers = provider.id_token(&alice, &ask()).await;
    let silent = |hint: &str| ask().with("prompt", "none").with("id_token_hint", hint);
    assert!(alice.get(&silent(&hers).url()).await.response().contains_key("code"));
    assert_eq!(alice.get(&silent(&his).url()).await.response()["error"], "login_required");
    assert!(alice.get(&ask().with("id_token_hint", &his).url()).await.asks_for_password());
    // Alice signing in for it does not help.
    let page = alice.get(&ask().with("id_token_hint", &his).url()).await;
    let answer = alice.sign_in(&page, ALICE.0, ALICE.1).await;
    assert_eq!(answer.response()["error"], "login_required");
    // Another client's ID token, another kind of token, a forged one.
    let foreign = provider.id_token(&alice, &provider.ask("spa")).await;
    let access = text(&provider.redeem(&provider.grant(&alice, &ask()).await).await, "access_token").to_owned();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", hers.split('.').nth(1).unwrap());
    for hint in [foreign, access, unsigned] {
        assert_eq!(alice.get(&silent(&hint).url()).await.response()["error"], "invalid_request");
    }
    let subject = |token: &str| json!({"id_token": {"sub": {"value": peek(token)["sub"]}}}).to_string();
    let demand = |token: &str| ask().with("prompt", "none").with("claims", subject(token));
    assert!(alice.get(&demand(&hers).url()).await.response().contains_key("code"));
    assert_eq!(alice.get(&demand(&his).url()).await.response()["error"], "login_required");
}

/// 5.5.1.1: voluntary acr values never fail, essential ones do; a client's own demand is met or the request fails.
#[tokio::test]
async fn acr_is_what_was_done_and_essential_values_are_met_or_refused() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = || provider.ask("basic");
    let strong = "urn:countersign:acr:password-email";
    let claims = |acr: &str, essential: bool| {
        json!({"id_token": {"acr": {"values": [acr], "essential": essential}}}).to_string()
    };
    provider.grant(&agent, &ask()).await;
    let voluntary = [
        ask().with("acr_values", LAB_ACR),
        ask().with("acr_values", format!("urn:unknown {LAB_ACR}")),
        ask().with("acr_values", "urn:unknown"),
        ask().with("claims", claims("urn:unknown", false)),
        ask().with("claims", claims(LAB_ACR, true)),
    ];
    for ask in voluntary {
        assert_eq!(peek(&provider.id_token(&agent, &ask).await)["acr"], LAB_ACR, "{ask:?}");
    }
    let unmet = agent.get(&ask().with("claims", claims("urn:unknown", true)).url()).await.response();
    assert_eq!(unmet["error"], "unmet_authentication_requirements");
    // Step-up is not met by an older, weaker session, and naming a policy does not lower what is required.
    for ask in
        [ask().with("claims", claims(strong, true)), provider.ask("strict"), provider.ask("strict").with("p", "lab")]
    {
        let silent = agent.get(&ask.clone().with("prompt", "none").url()).await.response();
        let error = silent["error"].as_str();
        assert!(matches!(error, "login_required" | "unmet_authentication_requirements"), "{error}");
        let mut answer = agent.follow(agent.get(&ask.url()).await).await;
        if answer.asks_for_password() {
            answer = agent.sign_in(&answer, ALICE.0, ALICE.1).await;
        }
        if answer.status == 303 {
            assert_eq!(answer.response()["error"], "unmet_authentication_requirements", "{ask:?}");
        } else {
            // The policy goes on to what is still missing.
            assert!(!answer.body.contains("code="), "{ask:?}");
        }
    }
}

/// 3.1.2.6: `interaction_required` is for a policy to say, where the person has to do something else first.
#[tokio::test]
async fn a_policy_ends_with_the_error_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    for entry in [shipped.clone(), shipped.join("demo")].iter().flat_map(|path| std::fs::read_dir(path).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            let own = r#"page = "none", error = "interaction_required""#;
            let text = text.replace(r#"page = "none", error = "access_denied""#, own);
            std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
        }
    }
    let flags = vec!["--policies".to_owned(), folder.path().display().to_string()];
    let provider = Provider::start_with(DemoOptions { flags, ..DemoOptions::default() }).await;
    let agent = UserAgent::new();
    let page = agent.get(&provider.ask("mail").url()).await;
    let response = agent.follow(agent.press(&page, "cancel", &[]).await).await.response();
    assert_eq!((response["error"].as_str(), response["state"].as_str()), ("interaction_required", "state-1"));
    assert_eq!(response["iss"], provider.demo.issuer);
}

/// 5.3, 5.4, 5.5: claims by scope and by name.
#[tokio::test]
async fn claims_are_those_of_the_scope_or_asked_for_by_name() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let scopes: [(&str, &[&str]); 5] = [
        ("openid", &[]),
        ("openid email", &["email", "email_verified"]),
        ("openid phone", &["phone_number", "phone_number_verified"]),
        ("openid address", &["address"]),
        (
            "openid profile",
            &[
                "birthdate",
                "family_name",
                "gender",
                "given_name",
                "locale",
                "middle_name",
                "name",
                "nickname",
                "picture",
                "preferred_username",
                "profile",
                "updated_at",
                "website",
                "zoneinfo",
            ],
        ),
    ];
    for (scope, expected) in scopes {
        let tokens = provider.redeem(&provider.grant(&agent, &provider.ask("basic").with("scope", scope)).await).await;
        let answer = provider.userinfo(text(&tokens, "access_token")).await.json();
        let names: Vec<_> =
            answer.as_object().unwrap().keys().map(String::as_str).filter(|name| *name != "sub").collect();
        assert_eq!(names, expected, "{scope}");
        assert_eq!(answer["sub"], peek(text(&tokens, "id_token"))["sub"]);
    }
    let asked = json!({
        "userinfo": {"name": {"essential": true}, "email": null, "shoe_size": null},
        "id_token": {"email": null, "given_name": {"essential": true}, "auth_time": {"essential": true}},
        "surprise": {"x": 1},
    });
    let ask = |client: &str| provider.ask(client).with("claims", asked.to_string());
    let tokens = provider.redeem(&provider.grant(&agent, &ask("basic")).await).await;
    let answer = provider.userinfo(text(&tokens, "access_token")).await.json();
    let names: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["email", "name", "sub"]);
    let identity = peek(text(&tokens, "id_token"));
    assert_eq!(identity["email"], ALICE.0);
    assert!(identity["given_name"].is_string() && identity["auth_time"].is_i64());
    // By name no client hears what it may not ask for by scope.
    let tokens = provider.redeem(&provider.grant(&agent, &ask("narrow")).await).await;
    assert!(peek(text(&tokens, "id_token")).get("email").is_none());
    let answer: Answer = provider.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(answer.json().as_object().unwrap().len(), 1, "{}", answer.body);
}
