//! Logs never hold a password, code, token, cookie or secret (CVE-2026-55221 and its like), however much is logged.

use std::fs::File;

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{ALICE, Granted, Provider, VERIFIER, basic, redirect_uri_of, secret_of, text};

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
    for secret in &secrets {
        assert!(secret.len() > 8);
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a secret is in the log");
        // A part of it is too much already: the signature of a token, the second half of a code.
        let tail = &secret[secret.len() - secret.len().min(24)..];
        assert!(tail.len() < 16 || !log.contains(tail), "part of a secret is in the log: {tail}");
    }
    // Six digits by themselves, which times and ports are not.
    let words = |line: &str| -> Vec<String> {
        let rest = line.split_once(' ').map_or("", |(_time, rest)| rest);
        rest.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect()
    };
    assert_eq!(log.lines().find(|line| words(line).contains(&code)), None, "the mail's code is in the log");
}

async fn page_of(provider: &Provider, agent: &UserAgent, url: &str) -> Answer {
    assert!(url.starts_with(&provider.demo.issuer));
    agent.follow(agent.get(url).await).await
}
