//! The demo's telephone: texts and calls into the sandbox's inbox, and who may call the addresses it is given.

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::json;

use crate::fixture::{DONALD, Provider, assert_not_cached};

const NUMBER: &str = "+12025553661";

/// Signs in with the password, up to the page that texts or calls.
async fn walk_to_phone(provider: &Provider, agent: &UserAgent) -> Answer {
    let page = agent.follow(agent.get(&provider.ask("phone").url()).await).await;
    let page = agent.press(&page, "login", &[("email", DONALD.0), ("password", DONALD.1)]).await;
    agent.follow(page).await
}

async fn state(agent: &UserAgent, page: &Answer) -> Answer {
    let mut url = page.url.clone();
    url.set_query(None);
    agent.get(&format!("{url}/state")).await
}

#[tokio::test]
async fn a_text_of_the_demo_signs_in() {
    let (provider, agent) = (Provider::start().await, UserAgent::new());
    let page = walk_to_phone(&provider, &agent).await;
    let sent = agent.follow(agent.press(&page, "send", &[]).await).await;
    let text = provider.demo.inbox().wait_for(NUMBER, 1).await.remove(0);
    let code = text.code();
    assert_eq!(
        (text.channel.as_str(), text.text.lines().last()),
        ("sms", Some(format!("@localhost #{code}").as_str()))
    );
    let answer = agent.follow(agent.press(&sent, "verify", &[("code", &code)]).await).await;
    assert!(answer.response().contains_key("code"), "{}", answer.location());
}

#[tokio::test]
async fn pressing_hash_in_a_call_of_the_demo_is_told_to_the_page() {
    let (provider, agent) = (Provider::start().await, UserAgent::new());
    let page = walk_to_phone(&provider, &agent).await;
    let calling = agent.follow(agent.press(&page, "call", &[]).await).await;
    let told = state(&agent, &calling).await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_not_cached(&told);
    let version = told.json()["version"].clone();
    assert_eq!(told.json(), json!({"version": version, "approved": false, "undeliverable": false}));
    let inbox = provider.demo.inbox();
    let call = inbox.wait_for(NUMBER, 1).await.remove(0);
    assert_eq!(call.channel, "voice");
    inbox.press(&call.id, "#").await;
    let call = inbox.wait_for(NUMBER, 1).await.remove(0);
    assert!(call.text.contains("press the # key to complete authentication"), "{}", call.text);
    assert!(call.text.contains("Authentication is complete"), "{}", call.text);
    assert_eq!(
        state(&agent, &calling).await.json(),
        json!({"version": version, "approved": true, "undeliverable": false})
    );
    let answer = agent.follow(agent.press(&calling, "continue", &[]).await).await;
    assert!(answer.response().contains_key("code"), "{}", answer.location());
    assert_eq!(state(&UserAgent::new(), &calling).await.status, 404, "another browser");
}

#[tokio::test]
async fn addresses_of_carriers_answer_nobody_without_their_signature() {
    let provider = Provider::start().await;
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    for path in ["/telephone/voice/x", "/telephone/voice/x/answer", "/telephone/status/x"] {
        let form = [("CallSid", "CA1"), ("Digits", "#"), ("MessageStatus", "failed")];
        for headers in [&[][..], &[("x-twilio-signature", signature)], &[("x-twilio-signature", "")]] {
            let request = provider.http.post(provider.url(path)).form(&form);
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let answer = Answer::to(request).await;
            assert_eq!((answer.status, answer.body.as_str()), (403, ""), "{path}");
            assert_not_cached(&answer);
        }
        assert_eq!(Answer::to(provider.http.get(provider.url(path))).await.status, 405, "{path}");
        let long = provider.http.post(provider.url(path)).body("a=".repeat(20_000));
        assert!(matches!(Answer::to(long).await.status, 403 | 413), "{path}");
    }
}

#[tokio::test]
async fn a_state_that_nobody_has_is_not_found() {
    let provider = Provider::start().await;
    for flow in ["x", "AAAAAAAAAAAAAAAAAAAAAA", &"a".repeat(3000)] {
        let answer = Answer::to(provider.http.get(provider.url(&format!("/flow/{flow}/state")))).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "{}"), "{flow}");
        assert_not_cached(&answer);
    }
}
