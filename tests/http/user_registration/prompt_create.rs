//! Initiating User Registration via OpenID Connect 1.0: `prompt=create` leads to the client's policy by which people
//! register.

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::json;

use crate::fixture::Provider;

/// The first page of the policy `registration`, which the client `anything` may use.
pub const REGISTRATION: &str = "If you have not already registered for multi-factor authentication";

#[tokio::test]
async fn create_leads_to_the_registration_of_the_client_whatever_session_there_is() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert!(metadata["prompt_values_supported"].as_array().unwrap().contains(&json!("create")));

    let agent = UserAgent::new();
    let show = async |agent: &UserAgent, more: &[(&str, &str)]| {
        let ask = more
            .iter()
            .fold(provider.ask("anything").with("prompt", "create"), |ask, (name, value)| ask.with(name, value));
        agent.follow(agent.get(&ask.url()).await).await
    };
    let page = show(&agent, &[]).await;
    assert!(page.status == 200 && page.body.contains(REGISTRATION), "{} {}", page.status, page.body);
    // Of several it is the one that `p` names, if that registers.
    assert!(show(&agent, &[("p", "registration")]).await.body.contains(REGISTRATION));
    let wrong = show(&agent, &[("p", "phone")]).await;
    assert_eq!(wrong.response()["error"], "invalid_request");

    let signed_in = UserAgent::new();
    provider.grant(&signed_in, &provider.ask("basic")).await;
    assert!(show(&signed_in, &[]).await.body.contains(REGISTRATION));
    assert!(show(&signed_in, &[("prompt", "create select_account")]).await.body.contains(REGISTRATION));

    // Section 4.1: what is not supported, or contradicts itself, is refused.
    for prompt in ["none create", "create none", "Create", "creates"] {
        let refused = show(&signed_in, &[("prompt", prompt)]).await;
        assert_eq!(refused.response()["error"], "invalid_request", "{prompt}");
    }
    // `basic` has no policy by which people register.
    let refused = signed_in.get(&provider.ask("basic").with("prompt", "create").url()).await;
    assert_eq!(refused.response()["error"], "invalid_request");
}
