//! Logs never hold a password, code, token, cookie or secret (CVE-2026-55221 and its like), however much is logged.

use std::fs::File;

use countersign_tests::client_key::ClientKey;
use countersign_tests::prover::{Prover, now};
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::client_key::{SIGNER, STRANGER};
use crate::fixture::{ALICE, CHALLENGE, Granted, Provider, VERIFIER, basic, redirect_uri_of, secret_of, text};
use crate::rfc9126::pushed_requests::by_name;

const MAIL_USER: (&str, &str) = ("demohospital18@example.com", "ward-seven-0918-lamp");
const OURS: [&str; 7] = ["flow", "model", "outbound", "protocol", "server", "service", "store"];

#[tokio::test]
async fn log_of_a_whole_journey_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let levels = OURS.map(|name| format!("countersign_{name}=trace")).join(",");
    let options = DemoOptions {
        log: Some(File::create(&file).unwrap()),
        env: vec![("RUST_LOG".to_owned(), format!("debug,{levels}")), ("NO_COLOR".to_owned(), "1".to_owned())],
        ..DemoOptions::default()
    };
    let provider = Provider::start_with(options).await;
    let agent = UserAgent::new();
    let mut secrets =
        vec![MAIL_USER.1.to_owned(), ALICE.1.to_owned(), VERIFIER.to_owned(), "state-of-the-request".to_owned()];

    let ask = provider.ask("mail").with("scope", "openid offline_access").with("state", "state-of-the-request");
    let page = agent.follow(agent.get(&ask.url()).await).await;
    agent.sign_in(&page, MAIL_USER.0, "a wrong password").await;
    secrets.push("a wrong password".to_owned());
    let page = agent.sign_in(&page_of(&provider, &agent, &ask.url()).await, MAIL_USER.0, MAIL_USER.1).await;
    let page = agent.follow(agent.press(&page, "send", &[]).await).await;
    let code = provider.demo.inbox().code(MAIL_USER.0).await;
    let wrong = if code == "000001" { "000002" } else { "000001" };
    let page = agent.follow(agent.press(&page, "verify", &[("code", wrong)]).await).await;
    let page = agent.follow(agent.press(&page, "verify", &[("code", &code)]).await).await;
    let answer = agent.follow(agent.press(&page, "continue", &[]).await).await;
    let granted = Granted {
        client: "mail".to_owned(),
        code: answer.response()["code"].clone(),
        redirect_uri: redirect_uri_of("mail"),
    };
    let tokens = provider.redeem(&granted).await;
    let more = provider.refresh("mail", text(&tokens, "refresh_token"), "").await.json();
    for token in ["access_token", "refresh_token", "id_token"] {
        secrets.push(text(&tokens, token).to_owned());
        secrets.push(text(&more, token).to_owned());
    }
    provider.userinfo(text(&more, "access_token")).await;
    provider.userinfo("never-a-token-but-secret").await;
    let wrong = basic("mail", "a-wrong-client-secret");
    Answer::to(provider.token_request(&[("grant_type", "x")]).header("authorization", wrong)).await;
    provider.redeem_with(&granted, &[]).await;
    agent.get(&provider.ask("basic").with("id_token_hint", text(&more, "id_token")).url()).await;
    provider.redeem(&provider.fresh_grant(&provider.ask("post")).await).await;
    secrets.extend(["never-a-token-but-secret".to_owned(), "a-wrong-client-secret".to_owned(), granted.code]);
    secrets.extend([secret_of("mail"), secret_of("post"), provider.demo.portal_secret.clone()]);
    secrets.extend(agent.cookies().into_values());
    assert!(provider.demo.stop().success());

    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.contains("countersign_") && log.contains("request_id") && log.lines().count() > 30, "{log}");
    assert!(!log.contains(MAIL_USER.0), "a full mail address is in the log");
    assert_holds_none(&log, &secrets);
    // Six digits by themselves, which times and ports are not.
    let words = |line: &str| -> Vec<String> {
        let rest = line.split_once(' ').map_or("", |(_time, rest)| rest);
        rest.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect()
    };
    assert_eq!(log.lines().find(|line| words(line).contains(&code)), None, "the mail's code is in the log");
}

/// None of `secrets` is in `text`, nor is a part of one: the signature of a token, the second half of a code.
#[track_caller]
fn assert_holds_none(text: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(secret.len() > 7, "{secret}");
        let line = text.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a secret is told");
        let tail = &secret[secret.len() - secret.len().min(24)..];
        assert!(tail.len() < 16 || !text.contains(tail), "part of a secret is told: {tail}");
    }
}

/// What programs show, in the right place and in wrong ones: neither the log nor the metrics tell of it.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of what programs show")]
async fn neither_log_nor_metrics_hold_what_programs_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let levels = OURS.map(|name| format!("countersign_{name}=trace")).join(",");
    let options = DemoOptions {
        log: Some(File::create(&file).unwrap()),
        env: vec![("RUST_LOG".to_owned(), format!("debug,{levels}")), ("NO_COLOR".to_owned(), "1".to_owned())],
        ..DemoOptions::default()
    };
    let provider = Provider::start_with(options).await;
    let mut secrets = Vec::new();
    let mut shown = |secret: &str| {
        secrets.push(secret.to_owned());
        secret.to_owned()
    };

    // Assertions of clients: one that holds, one shown again, one that does not hold.
    let issuer = provider.demo.issuer.clone();
    let signed = |key: &ClientKey, typ: &str, more: Value| {
        let mut claims = json!({"iss": "jwt-client", "sub": "jwt-client", "aud": issuer, "exp": now() + 60});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key.sign(typ, &claims)
    };
    let registered = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": SIGNER.jwks, "response_types": [],
        "grant_types": ["client_credentials"], "scope": "cases.read"});
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&registered)).await.json();
    let id = text(&registered, "client_id");
    let access_to_it = shown(text(&registered, "registration_access_token"));
    Answer::to(provider.http.get(text(&registered, "registration_client_uri")).bearer_auth(&access_to_it)).await;
    for (key, jti, times) in [(&*SIGNER, "one", 2), (&*STRANGER, "two", 1)] {
        let assertion = shown(&signed(key, "JWT", json!({"iss": id, "sub": id, "jti": jti})));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        for _ in 0..times {
            let answer = Answer::to(provider.token_request(&form)).await;
            if let Some(token) = answer.json()["access_token"].as_str() {
                shown(token);
            }
        }
        // In the wrong place: an assertion as a token, as a code, in the query.
        provider.userinfo(&assertion).await;
        let query = provider.url(&format!("/token?client_assertion={assertion}"));
        Answer::to(provider.http.post(query).form(&form)).await;
    }
    // A vouching JWT of nobody who is heard.
    let vouching = shown(&signed(&STRANGER, "JWT", json!({"jti": "three"})));
    provider
        .token("gateway", &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &vouching)])
        .await;

    // Proofs of possession, bound tokens and refresh tokens: used, used up, and reused.
    let own = Prover::default();
    let ask = provider.ask("spa").with("scope", "openid offline_access");
    let granted = provider.fresh_grant(&ask).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", granted.code.as_str()),
        ("redirect_uri", granted.redirect_uri.as_str()),
        ("code_verifier", VERIFIER),
    ];
    shown(&granted.code);
    let prove = |shown: &mut dyn FnMut(&str) -> String| shown(&own.prove("POST", &provider.url("/token"), &json!({})));
    let proof = prove(&mut shown);
    let tokens = Answer::to(provider.token_request(&redeem).header("dpop", &proof)).await.json();
    Answer::to(provider.token_request(&redeem).header("dpop", &proof)).await;
    let refresh = shown(text(&tokens, "refresh_token"));
    shown(text(&tokens, "access_token"));
    shown(text(&tokens, "id_token"));
    let renewal = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", refresh.as_str())];
    for _ in 0..2 {
        let renewed = Answer::to(provider.token_request(&renewal).header("dpop", prove(&mut shown))).await.json();
        for name in ["access_token", "refresh_token"] {
            if let Some(token) = renewed[name].as_str() {
                shown(token);
            }
        }
    }
    let wrong = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", "never-a-refresh-token")];
    shown(wrong[2].1);
    Answer::to(provider.token_request(&wrong)).await;
    provider.introspect("basic", &refresh).await;
    provider.revoke("basic", &[("token", &refresh)]).await;
    let userinfo = provider.url("/userinfo");
    let bound = shown(&own.prove_token(&userinfo, text(&tokens, "access_token"), &json!({})));
    let header = format!("DPoP {}", text(&tokens, "access_token"));
    Answer::to(provider.http.get(&userinfo).header("authorization", header).header("dpop", bound)).await;

    // Request objects and the names of pushed requests: right, wrong, and twice.
    let agent = UserAgent::new();
    let object = |state: &str| {
        json!({"iss": "signer", "client_id": "signer", "response_type": "code", "scope": "openid", "state": state,
            "redirect_uri": redirect_uri_of("signer"), "code_challenge": CHALLENGE, "code_challenge_method": "S256"})
    };
    for key in [&*SIGNER, &*STRANGER] {
        let object = shown(&signed(key, "oauth-authz-req+jwt", object("state-in-an-object")));
        let ask = provider.ask("signer").with("request", &object);
        agent.get(&ask.url()).await;
        agent.get(&provider.ask("signer").with("request_uri", &object).url()).await;
    }
    shown("state-in-an-object");
    let pushed = Answer::to(
        provider.http.post(provider.url("/par")).form(provider.ask("spa").with("state", "a-pushed-state").params()),
    )
    .await
    .json();
    shown("a-pushed-state");
    let name = text(&pushed, "request_uri").to_owned();
    shown(name.rsplit(':').next().unwrap());
    for _ in 0..2 {
        provider.answer(&agent, &by_name(&provider, "spa", &name)).await;
    }

    // The codes of a device, and of its person.
    let form = [("client_id", "tv"), ("scope", "openid")];
    let codes = Answer::to(provider.http.post(provider.url("/device_authorization")).form(&form)).await.json();
    let (device, user) = (shown(text(&codes, "device_code")), shown(text(&codes, "user_code")));
    shown(&user.replace('-', ""));
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "tv"),
        ("device_code", device.as_str()),
    ];
    Answer::to(provider.token_request(&poll)).await;
    let page = agent.get(&provider.url("/device")).await;
    agent.follow(agent.press(&page, "continue", &[("user_code", &user)]).await).await;
    agent.follow(agent.press(&page, "continue", &[("user_code", "BCDF-BCDF")]).await).await;
    agent.get(text(&codes, "verification_uri_complete")).await;
    provider.revoke("spa", &[("token", &device)]).await;

    let metrics = Answer::to(provider.http.get(format!("{}/metrics", provider.demo.management))).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("countersign_tokens_issued_total"), "{}", metrics.body);
    assert_holds_none(&metrics.body, &secrets);
    assert!(provider.demo.stop().success());
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.contains("client authentication failed") && log.contains("token request refused"), "{log}");
    assert_holds_none(&log, &secrets);
}

async fn page_of(provider: &Provider, agent: &UserAgent, url: &str) -> Answer {
    assert!(url.starts_with(&provider.demo.issuer));
    agent.follow(agent.get(url).await).await
}
