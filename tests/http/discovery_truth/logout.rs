//! Ways to end a session, and to hear of its end. Each has a browser of its own: Alice's stays signed in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use super::world::{AFTER, Rp, World, delivered};
use crate::fixture::{peek, text};

/// Somebody who signed in at a client of these members: the browser and the ID token.
async fn signed_in(world: &World, more: Value) -> (Rp, UserAgent, String) {
    let (rp, agent) = (world.client(more).await, world.stranger());
    let answer = world.provider.answer(&agent, &world.ask(&rp)).await;
    let form = &answer.response()["code"];
    let tokens = world.post(&rp, "token_endpoint", &World::redemption(form)).await.json();
    (rp, agent, text(&tokens, "id_token").to_owned())
}

async fn log_out(world: &World, agent: &UserAgent, hint: &str, more: &[(&str, &str)]) -> Answer {
    let parameters = [&[("id_token_hint", hint)], more].concat();
    let url = url::Url::parse_with_params(world.endpoint("end_session_endpoint"), parameters).unwrap();
    agent.get(url.as_str()).await
}

/// RP-Initiated Logout, 2 and 3.
pub async fn end_session(world: &World, _: &str) {
    let (rp, agent, hint) = signed_in(world, json!({})).await;
    let answer = log_out(world, &agent, &hint, &[("post_logout_redirect_uri", AFTER), ("state", "s")]).await;
    assert_eq!(answer.location().as_str(), format!("{AFTER}?state=s"));
    let silent = agent.get(&world.ask(&rp).with("prompt", "none").url()).await;
    assert_eq!(delivered(&silent).1["error"], "login_required");
}

/// Session Management, 2 and 3.3: the page is there, and answers say what it is asked about.
pub async fn check_session(world: &World, _: &str) {
    let page = Answer::to(world.provider.http.get(world.endpoint("check_session_iframe"))).await;
    assert!(page.status == 200 && page.body.contains("<script"), "{}", page.body);
    let rp = world.client(json!({})).await;
    assert!(world.answer(&world.ask(&rp)).await["session_state"].contains('.'));
}

/// Back-Channel Logout, 2.4 and 2.5: a token is posted, which names the session.
pub async fn back_channel(world: &World, _: &str) {
    let posted = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&posted);
    let host = serve_json(move |asked| {
        heard.lock().unwrap().push(asked.body.clone());
        Some((200, "{}".to_owned()))
    })
    .await;
    let more = json!({
        "backchannel_logout_uri": format!("{host}/out"), "backchannel_logout_session_required": true,
        "redirect_uris": [super::world::CALLBACK],
    });
    let (_, agent, hint) = signed_in(world, more).await;
    log_out(world, &agent, &hint, &[]).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        loop {
            ticks.tick().await;
            if let Some(body) = posted.lock().unwrap().first().cloned() {
                return body;
            }
        }
    };
    let body = tokio::time::timeout(Duration::from_mins(1), wait).await.expect("no logout token came");
    let token = body.strip_prefix("logout_token=").expect("a logout token");
    assert_eq!(peek(token)["sid"], peek(&hint)["sid"]);
    assert!(peek(token)["sid"].is_string());
}

/// Front-Channel Logout, 2 and 3: a frame of the page names issuer and session.
pub async fn front_channel(world: &World, _: &str) {
    let more = json!({
        "frontchannel_logout_uri": "https://rp.example.com/out", "frontchannel_logout_session_required": true,
    });
    let (_, agent, hint) = signed_in(world, more).await;
    let page = log_out(world, &agent, &hint, &[]).await;
    let frame = page.body.split("<iframe src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a frame");
    let frame = url::Url::parse(&frame.replace("&amp;", "&")).unwrap();
    let pairs: Vec<_> = frame.query_pairs().into_owned().collect();
    let sid = peek(&hint)["sid"].as_str().unwrap().to_owned();
    assert!(pairs.contains(&("iss".to_owned(), world.provider.demo.issuer.clone())), "{frame}");
    assert!(pairs.contains(&("sid".to_owned(), sid)), "{frame}");
}
