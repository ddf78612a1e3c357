//! RFC 9470: a token whose person proved too little, or too long ago, and the way to one that is enough.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::Value;

use crate::fixture::{Ask, Granted, Provider, assert_not_cached, peek, redirect_uri_of, text};
use crate::setup::app_code;

const HELPDESK: (&str, &str) = ("helpdesk@example.com", "copper-kettle-5160-fern");
/// The seed of their app (CONTRACT.md).
const SEED: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";
const CLIENT: &str = "desk-app";
const STRONGER: [&str; 2] = ["urn:countersign:acr:password-totp", "urn:countersign:acr:step-up-totp"];

async fn redeem(provider: &Provider, answer: &Answer) -> Value {
    let code = answer.response().remove("code").unwrap_or_else(|| panic!("no code: {:?}", answer.headers));
    let granted = Granted { client: CLIENT.to_owned(), code, redirect_uri: redirect_uri_of(CLIENT) };
    provider.redeem(&granted).await
}

async fn read(provider: &Provider, tokens: &Value) -> Answer {
    let url = provider.url("/admin/api/v1/users/alice@example.com/timeline");
    Answer::to(provider.http.get(url).bearer_auth(text(tokens, "access_token"))).await
}

/// A parameter of the challenge for bearer tokens.
fn told<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let (_, rest) = answer.header("www-authenticate").split_once(&format!(r#"{name}=""#))?;
    rest.split('"').next()
}

/// Section 3: 401, and what would be enough.
fn assert_insufficient(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{:?}", answer.headers);
    assert_eq!(told(answer, "error"), Some("insufficient_user_authentication"));
    assert_eq!(answer.json()["error"], "insufficient_user_authentication");
    assert_not_cached(answer);
}

#[tokio::test]
async fn whoever_steps_up_as_the_challenge_says_is_answered() {
    let provider = Provider::start_with_clock().await;
    let agent = UserAgent::new();
    let ask = || -> Ask { provider.ask(CLIENT).with("scope", "openid offline_access users.read") };
    let page = agent.get(&ask().url()).await;
    let weak = redeem(&provider, &agent.sign_in(&page, HELPDESK.0, HELPDESK.1).await).await;
    let refused = read(&provider, &weak).await;
    assert_insufficient(&refused);
    // Section 3: of those that this client may ask for; a minute ago is young enough.
    let acr_values = told(&refused, "acr_values").expect("acr_values").to_owned();
    assert_eq!((acr_values.split(' ').collect(), told(&refused, "max_age")), (BTreeSet::from(STRONGER), None));

    // Section 4: the client asks as it was told, and the person proves what is missing, and nothing again.
    let stronger = ask().with("acr_values", STRONGER[1]);
    let page = agent.follow(agent.get(&stronger.url()).await).await;
    assert!(!page.asks_for_password() && page.body.contains(r#"name="code""#), "{}", page.body);
    let strong = redeem(&provider, &agent.press(&page, "verify", &[("code", &app_code(SEED))]).await).await;
    assert_eq!(peek(text(&strong, "access_token"))["acr"], STRONGER[1]);
    let answer = read(&provider, &strong).await;
    assert_eq!((answer.status, answer.json()["person"]["email"].as_str()), (200, Some("a*****@example.com")));
    // The weak token is no better for it.
    assert_insufficient(&read(&provider, &weak).await);
    // A refresh token outlives the sign-in it came of: longer than a browser's session nobody is taken at their word.
    provider.demo.move_clock(Duration::from_hours(13));
    let later = provider.refresh(CLIENT, text(&strong, "refresh_token"), "").await.json();
    let refused = read(&provider, &later).await;
    assert_insufficient(&refused);
    assert_eq!((told(&refused, "acr_values"), told(&refused, "max_age")), (None, Some("43200")));
    // With max_age as told the session, were there one, would not do: the person signs in.
    let page = agent.follow(agent.get(&ask().with("max_age", 43200).url()).await).await;
    assert!(page.asks_for_password(), "{}", page.body);
}
