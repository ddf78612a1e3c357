//! RFC 7636: PKCE, S256 alone (RFC 9700, 2.1.1), demanded of public clients.

use countersign_tests::user_agent::UserAgent;

use crate::fixture::{CHALLENGE, Provider, VERIFIER, assert_error};

/// 4.3 and 4.4.1.
#[tokio::test]
async fn challenge_is_s256_and_public_clients_must_send_one() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let basic = || provider.ask("basic");
    let refused = [
        ("public client", provider.ask("spa").without_pkce()),
        ("native client", provider.ask("native").without_pkce()),
        ("client registered for it", provider.ask("pkce").without_pkce()),
        ("plain", basic().with("code_challenge_method", "plain")),
        ("method missing, so plain", basic().without("code_challenge_method")),
        ("unknown method", basic().with("code_challenge_method", "S512")),
        ("case of the method", basic().with("code_challenge_method", "s256")),
        ("method alone", basic().without("code_challenge")),
        ("short", basic().with("code_challenge", &CHALLENGE[1..])),
        ("long", basic().with("code_challenge", format!("{CHALLENGE}A"))),
        ("padded", basic().with("code_challenge", format!("{}=", &CHALLENGE[1..]))),
        ("no base64url", basic().with("code_challenge", format!("{}+", &CHALLENGE[1..]))),
    ];
    for (case, ask) in refused {
        let response = agent.get(&ask.url()).await.response();
        assert_eq!(response["error"], "invalid_request", "{case}: {response:?}");
        assert_eq!(response["state"], "state-1", "{case}");
    }
    let confidential = provider.grant(&agent, &basic().without_pkce()).await;
    assert_eq!(provider.redeem_with(&confidential, &[("code_verifier", "")]).await.status, 200);
}

/// 4.5 and 4.6; a refused exchange spends no code.
#[tokio::test]
async fn verifier_proves_who_asked() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    for client in ["basic", "spa"] {
        let granted = provider.grant(&agent, &provider.ask(client)).await;
        let other = "x".repeat(43);
        let long = "x".repeat(129);
        for verifier in [
            "",
            CHALLENGE,
            other.as_str(),
            &VERIFIER[1..],
            long.as_str(),
            "short",
            "spaces are not unreserved characters, so no",
        ] {
            let answer = provider.redeem_with(&granted, &[("code_verifier", verifier)]).await;
            assert_error(&answer, 400, "invalid_grant");
        }
        provider.redeem(&granted).await;
    }
    // RFC 9700, 4.8.2: a verifier without a challenge is the mark of a downgrade.
    let granted = provider.grant(&agent, &provider.ask("basic").without_pkce()).await;
    assert_error(&provider.redeem_with(&granted, &[]).await, 400, "invalid_grant");
    assert_eq!(provider.redeem_with(&granted, &[("code_verifier", "")]).await.status, 200);
}
