//! RFC 7009: a client takes back what it was given.

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::json;

use crate::fixture::{Provider, assert_error, assert_not_cached, basic, secret_of, text};

impl Provider {
    /// `client` takes a token back.
    pub async fn revoke(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let request = if client == "spa" {
            self.http.post(self.url("/revocation")).form(&[form, &[("client_id", client)]].concat())
        } else {
            let request = self.http.post(self.url("/revocation")).form(form);
            request.header("authorization", basic(client, &secret_of(client)))
        };
        Answer::to(request).await
    }
}

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_not_cached(answer);
}

#[tokio::test]
async fn an_access_token_dies_alone_and_a_refresh_token_takes_its_family_along() {
    let provider = Provider::start().await;
    for client in ["basic", "spa"] {
        let ask = provider.ask(client).with("scope", "openid offline_access");
        let tokens = provider.redeem(&provider.grant(&UserAgent::new(), &ask).await).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        assert_done(&provider.revoke(client, &[("token", access)]).await);
        let dead = provider.userinfo(access).await;
        assert_eq!(dead.status, 401);
        assert!(dead.header("www-authenticate").contains("invalid_token"));
        assert_done(&provider.revoke(client, &[("token", access)]).await);

        // The grant stands.
        let next = provider.refresh(client, refresh, "").await.json();
        let (access, refresh) = (text(&next, "access_token"), text(&next, "refresh_token"));
        assert_eq!(provider.userinfo(access).await.status, 200);
        // Section 2.1: a wrong hint hides nothing; the access tokens of the grant die too.
        let hinted = [("token", refresh), ("token_type_hint", "access_token")];
        assert_done(&provider.revoke(client, &hinted).await);
        assert_eq!(provider.userinfo(access).await.status, 401);
        assert_error(&provider.refresh(client, refresh, "").await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn the_tokens_of_others_stand_and_the_unknown_is_gone_already() {
    let provider = Provider::start().await;
    let ask = provider.ask("basic").with("scope", "openid offline_access");
    let tokens = provider.redeem(&provider.grant(&UserAgent::new(), &ask).await).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    for token in [access, refresh] {
        assert_error(&provider.revoke("es256", &[("token", token)]).await, 400, "invalid_grant");
    }
    // Section 2.2: nothing to do is done; so is what a hint nobody knows says.
    for token in ["abc", "a.b.c", text(&tokens, "id_token")] {
        assert_done(&provider.revoke("basic", &[("token", token), ("token_type_hint", "saml")]).await);
    }
    assert_eq!(provider.userinfo(access).await.status, 200);
    assert_eq!(provider.refresh("basic", refresh, "").await.status, 200);

    assert_error(&provider.revoke("basic", &[]).await, 400, "invalid_request");
    let nobody = provider.http.post(provider.url("/revocation")).form(&[("token", access)]);
    assert_error(&Answer::to(nobody).await, 401, "invalid_client");
    let get = Answer::to(provider.http.get(provider.url("/revocation"))).await;
    assert_eq!((get.status, get.header("allow")), (405, "OPTIONS, POST"));
}

#[tokio::test]
async fn a_token_without_a_grant_can_be_taken_back_too() {
    let provider = Provider::start().await;
    let tokens = provider.token("help-desk", &[("grant_type", "client_credentials")]).await.json();
    let token = text(&tokens, "access_token");
    let read = || provider.http.get(provider.url("/admin/api/v1/users/alice@example.com/timeline")).bearer_auth(token);
    assert_eq!(Answer::to(read()).await.status, 200);
    assert_done(&provider.revoke("help-desk", &[("token", token)]).await);
    assert_eq!(provider.introspect("help-desk", token).await, json!({"active": false}));
    assert_eq!(Answer::to(read()).await.status, 401);
}

/// Section 2.2.1: what cannot be done now is 503, with when to come again; the token stands, and is taken back then.
#[tokio::test]
async fn a_revocation_that_cannot_be_done_now_says_when_to_come_again() {
    let env = vec![("COUNTERSIGN__LIMITS__CLIENT_FAILURES".to_owned(), "2".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let tokens = provider.redeem(&provider.fresh_grant(&provider.ask("basic")).await).await;
    let access = text(&tokens, "access_token");
    let wrong = async || {
        let request = provider.http.post(provider.url("/revocation")).form(&[("token", access)]);
        Answer::to(request.header("authorization", basic("basic", "wrong"))).await
    };
    for _ in 0..2 {
        assert_error(&wrong().await, 401, "invalid_client");
    }
    let busy = wrong().await;
    assert_error(&busy, 503, "temporarily_unavailable");
    assert!((1..=60).contains(&busy.header("retry-after").parse::<u32>().unwrap()), "{:?}", busy.headers);
    assert_eq!(provider.userinfo(access).await.status, 200, "it stands");
    assert_done(&provider.revoke("basic", &[("token", access)]).await);
    assert_eq!(provider.userinfo(access).await.status, 401);
}
