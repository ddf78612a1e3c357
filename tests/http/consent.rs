//! OpenID Connect Core 1.0: consent (3.1.2.4, 3.1.2.1 `prompt=consent`), the choice of an account (`prompt=select_account`);
//! OpenID Connect Registration 1.0, 2: what a client shows of itself.

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::fixture::{ALICE, Ask, CASES_API, DONALD, Granted, Provider, peek, redirect_uri_of, text};

impl Provider {
    /// Alice signs in, if she must; what comes then.
    pub async fn arrive(&self, agent: &UserAgent, ask: &Ask) -> Answer {
        agent.follow(self.answer(agent, ask).await).await
    }

    /// Alice signs in and allows what is asked for.
    pub async fn allowed(&self, agent: &UserAgent, ask: &Ask) -> Granted {
        let page = self.arrive(agent, ask).await;
        let answer = agent.press(&page, "allow", &[]).await;
        granted(ask, &answer)
    }
}

fn granted(ask: &Ask, answer: &Answer) -> Granted {
    let code = answer.response()["code"].clone();
    Granted { client: ask.client.clone(), code, redirect_uri: redirect_uri_of(&ask.client) }
}

/// Whether the page asks for consent.
pub fn asks(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains(r#"value="allow""#)
}

#[tokio::test]
async fn a_client_of_others_is_asked_for_once_per_set_of_scopes() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = |scope: &str| provider.ask("foreign").with("scope", scope);
    let silent = |scope: &str| ask(scope).with("prompt", "none");
    let page = provider.arrive(&agent, &ask("openid email")).await;
    assert!(asks(&page), "{}", page.body);
    assert!(page.body.contains("see your email address") && !page.body.contains("see your phone number"));
    assert!(page.body.contains(ALICE.0), "whose they are");
    assert_eq!(agent.get(&silent("openid email").url()).await.response()["error"], "consent_required");
    // 3.1.2.6: denied.
    let denied = agent.press(&page, "deny", &[]).await.response();
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "state-1"));
    assert_eq!(denied["iss"], provider.demo.issuer);
    assert_eq!(agent.get(&silent("openid email").url()).await.response()["error"], "consent_required");

    let tokens = provider.redeem(&provider.allowed(&agent, &ask("openid email")).await).await;
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.json()["email"], ALICE.0);
    for scope in ["openid email", "openid"] {
        assert!(agent.get(&ask(scope).url()).await.response().contains_key("code"), "{scope}");
        assert!(agent.get(&silent(scope).url()).await.response().contains_key("code"), "{scope}");
    }
    assert_eq!(agent.get(&silent("openid phone").url()).await.response()["error"], "consent_required");
    provider.allowed(&agent, &ask("openid phone")).await;
    assert!(agent.get(&silent("openid email phone").url()).await.response().contains_key("code"), "both together");
    let by_name = silent("openid").with("claims", r#"{"userinfo":{"birthdate":null}}"#);
    assert_eq!(agent.get(&by_name.url()).await.response()["error"], "consent_required");
}

#[tokio::test]
async fn prompt_consent_asks_for_every_client() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    for client in ["basic", "foreign"] {
        let ask = provider.ask(client).with("prompt", "consent");
        provider.allowed(&agent, &ask).await;
        assert!(asks(&provider.arrive(&agent, &ask).await), "{client}");
    }
}

/// 3.1.2.1: a login that was demanded was made before the question, and is not demanded again after it.
#[tokio::test]
async fn a_fresh_login_and_consent_go_together() {
    let provider = Provider::start_with_clock().await;
    let agent = UserAgent::new();
    for (name, value) in [("prompt", "login consent"), ("max_age", "0")] {
        let ask = provider.ask("foreign").with("scope", "openid profile").with(name, value);
        let page = provider.arrive(&agent, &ask).await;
        if name == "max_age" {
            assert_eq!(page.status, 303, "it was allowed before");
            continue;
        }
        assert!(asks(&page));
        provider.demo.move_clock(std::time::Duration::from_mins(2));
        let tokens = provider.redeem(&granted(&ask, &agent.press(&page, "allow", &[]).await)).await;
        let claims = peek(text(&tokens, "id_token"));
        assert!(claims["iat"].as_i64().unwrap() - claims["auth_time"].as_i64().unwrap() >= 120);
    }
}

#[tokio::test]
async fn the_question_is_this_browsers_alone_and_its_answer_is_one() {
    let provider = Provider::start().await;
    let (alice, donald) = (UserAgent::new(), UserAgent::new());
    let ask = provider.ask("foreign");
    let page = provider.arrive(&alice, &ask).await;
    let signed_in = donald.sign_in(&donald.get(&provider.ask("basic").url()).await, DONALD.0, DONALD.1).await;
    assert_eq!(signed_in.status, 303);
    for agent in [&donald, &UserAgent::new()] {
        assert_eq!(agent.get(page.url.as_str()).await.status, 410);
        assert_eq!(agent.press(&page, "allow", &[]).await.status, 410);
    }
    let forged = [("do".to_owned(), "allow".to_owned()), ("nonce".to_owned(), "AAAA".to_owned())];
    assert_eq!(alice.post(page.url.as_str(), &forged).await.status, 410);
    let (first, second) = (alice.press(&page, "allow", &[]).await, alice.press(&page, "allow", &[]).await);
    assert_eq!(first.response()["code"], second.response()["code"], "one code, however often it is pressed");
    provider.redeem(&granted(&ask, &first)).await;
}

/// Registration, 2: name, logo, policy and terms; escaped, and no other picture may be loaded.
#[tokio::test]
async fn the_page_shows_what_the_client_registered() {
    let provider = Provider::start().await;
    let page = provider.arrive(&UserAgent::new(), &provider.ask("foreign")).await;
    assert!(page.body.contains("Foreign &lt;App&gt; asks for your permission") && !page.body.contains("<App>"));
    assert!(!page.body.contains("a program on this computer"), "it goes to a site: {}", page.body);
    for shown in [
        r#"src="https://foreign.example.com/logo.svg?x=1""#,
        r#"href="https://foreign.example.com/privacy""#,
        r#"href="https://foreign.example.com/terms""#,
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src 'self' data: https://foreign.example.com/logo.svg;"), "{policy}");
    assert!(policy.contains("form-action 'self' https://foreign.example.com"), "{policy}");
    let spanish = provider.ask("foreign").with("ui_locales", "es");
    let agent = UserAgent::new();
    let first = agent.get(&spanish.url()).await;
    let page = agent.sign_in(&first, ALICE.0, ALICE.1).await;
    assert!(page.body.contains("solicita su permiso"), "{}", page.body);
    let page = agent.get(&format!("{}?lang=en", page.url)).await;
    assert!(page.body.contains("asks for your permission"), "what the person chose: {}", page.body);
    let page = agent.get(&format!("{}?lang=es", page.url)).await;
    assert!(page.body.contains("solicita su permiso"), "{}", page.body);
}

/// 5.5 and RFC 8707: what is asked for by another name than a scope is asked of the person too.
#[tokio::test]
async fn the_page_says_all_that_is_asked_for() {
    let provider = Provider::start().await;
    let claims = r#"{"userinfo":{"email":null,"phone_number":null,"address":null,"birthdate":null}}"#;
    let ask = provider.ask("foreign-cases").with("scope", "openid cases.read").with("resource", CASES_API);
    let page = provider.arrive(&UserAgent::new(), &ask).await;
    for (shown, is_shown) in [(CASES_API, true), ("see your cases", true), ("see your email address", false)] {
        assert_eq!(page.body.contains(&format!("<span>{shown}")), is_shown, "{shown}: {}", page.body);
    }
    let page = provider.arrive(&UserAgent::new(), &provider.ask("foreign").with("claims", claims)).await;
    for shown in [
        "know that it is you",
        "see your email address",
        "see your phone number",
        "see your postal address",
        "see your name and profile",
    ] {
        assert!(page.body.contains(&format!("<span>{shown}")), "{shown}: {}", page.body);
    }
}

/// Registration, 9.1; RFC 7591, 5: nobody vouches for what a client says of itself but the address it is answered at.
#[tokio::test]
async fn a_client_that_registered_itself_can_show_no_others_logo_and_says_where_it_is() {
    let provider = Provider::start().await;
    let other = "https://portal.example.com";
    let (web, native) = ("https://evil.example.net/cb", "com.evil.app:/cb");
    for (redirect_uri, place, own) in
        [(web, "evil.example.net", "https://evil.example.net"), (native, "com.evil.app:", "")]
    {
        let mut metadata = json!({
            "client_name": "Case Portal", "redirect_uris": [redirect_uri], "countersign_policy": "lab",
            "logo_uri": format!("{other}/logo.svg"), "client_uri": other, "tos_uri": format!("{other}/terms"),
            "policy_uri": format!("{other}/privacy"), "countersign_ask_consent": true,
            "token_endpoint_auth_method": "none",
            "application_type": if redirect_uri == web { "web" } else { "native" },
        });
        let show = async |metadata: &Value| {
            let registration = provider.http.post(provider.url("/register")).json(metadata);
            let answer = Answer::to(registration.bearer_auth("demo-initial-access-token")).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            let client = text(&answer.json(), "client_id").to_owned();
            provider.arrive(&UserAgent::new(), &provider.ask(&client).with("redirect_uri", redirect_uri)).await
        };
        let page = show(&metadata).await;
        assert!(page.body.contains(&format!(r#"<strong class="id">{place}</strong>"#)), "{}", page.body);
        assert!(!page.body.contains(other), "{}", page.body);
        if own.is_empty() {
            continue;
        }
        metadata["logo_uri"] = json!(format!("{own}/logo.svg"));
        metadata["policy_uri"] = json!(format!("{own}/privacy"));
        let page = show(&metadata).await;
        for shown in [format!(r#"src="{own}/logo.svg""#), format!(r#"href="{own}/privacy""#)] {
            assert!(page.body.contains(&shown), "{shown}: {}", page.body);
        }
        assert!(!page.body.contains(other), "{}", page.body);
    }
}

#[tokio::test]
async fn what_was_allowed_is_withdrawn_on_the_account_page() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("foreign").with("scope", "openid offline_access");
    let tokens = provider.redeem(&provider.allowed(&agent, &ask).await).await;
    let page = agent.get(&provider.url("/account")).await;
    assert!(page.body.contains("Foreign &lt;App&gt;"));
    let done = agent.press(&page, "withdraw_consent", &[]).await;
    assert_eq!(done.location().query(), Some("notice=withdrawn"));
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 401);
    let refreshed = provider.refresh("foreign", text(&tokens, "refresh_token"), "").await;
    assert_eq!(refreshed.json()["error"], "invalid_grant");
    assert!(asks(&provider.arrive(&agent, &ask).await), "asked anew");
    let page = agent.get(&provider.url("/account")).await;
    assert!(!page.body.contains("withdraw_consent"));
}

/// 3.1.2.1, `select_account`: the browser's accounts are shown; another one signs in.
#[tokio::test]
async fn an_account_is_chosen_or_another_signs_in() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("basic").with("prompt", "select_account");
    assert!(
        provider.answer(&agent, &ask).await.response().contains_key("code"),
        "nobody was signed in: nothing to choose"
    );
    let choice = agent.follow(agent.get(&ask.url()).await).await;
    assert!(choice.body.contains(ALICE.0) && choice.body.contains("Use another account"), "{}", choice.body);
    let user = choice.body.split(r#"name="account" value=""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let chosen = agent.press(&choice, "", &[("account", &user)]).await;
    assert!(chosen.response().contains_key("code"));

    let strange = agent.press(&choice, "", &[("account", "01890000-0000-7000-8000-000000000001")]).await;
    assert_eq!(strange.status, 410);
    assert_eq!(UserAgent::new().get(choice.url.as_str()).await.status, 410);

    let other = agent.press(&choice, "other", &[]).await;
    assert!(other.asks_for_password(), "{}", other.body);
    let code = agent.sign_in(&other, DONALD.0, DONALD.1).await.response()["code"].clone();
    let granted = Granted { client: "basic".to_owned(), code, redirect_uri: redirect_uri_of("basic") };
    let tokens = provider.redeem(&granted).await;
    let again = agent.follow(agent.get(&ask.url()).await).await;
    assert!(again.body.contains(DONALD.0) && !again.body.contains(ALICE.0));
    assert!(peek(text(&tokens, "id_token"))["sub"].is_string());
    let silent = provider.ask("basic").with("prompt", "none select_account");
    assert_eq!(agent.get(&silent.url()).await.response()["error"], "invalid_request");
}

/// 3.1.2.6: whoever signs in takes the place of who was remembered in this browser, so that where nothing may be shown
/// (`prompt=none`) there is one account, and no `account_selection_required`.
#[tokio::test]
async fn a_browser_knows_one_account_and_none_needs_no_choice() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    // One is remembered at LOGIN OPTIONS ("the same login option"), the other signs in at `lab`.
    let options = agent.follow(agent.get(&provider.ask("options").url()).await).await;
    let sign_in = agent.follow(agent.press(&options, "email", &[("remember_customers", "on")]).await).await;
    let (email, password) = ("demohospital18@example.com", "ward-seven-0918-lamp");
    let unsent = agent.sign_in(&sign_in, email, password).await;
    let sent = agent.follow(agent.press(&unsent, "send", &[]).await).await;
    let code = provider.demo.inbox().code(email).await;
    let verified = agent.follow(agent.press(&sent, "verify", &[("code", &code)]).await).await;
    assert!(agent.press(&verified, "continue", &[]).await.response().contains_key("code"));
    let silent = |client: &str| provider.ask(client).with("prompt", "none").with("scope", "openid email");
    let whose = async |client: &str| {
        let granted = provider.grant(&agent, &silent(client)).await;
        provider.userinfo(text(&provider.redeem(&granted).await, "access_token")).await.json()["email"].clone()
    };
    assert_eq!(whose("options").await, email);
    let page = agent.follow(agent.get(&provider.ask("basic").with("prompt", "login").url()).await).await;
    assert!(agent.sign_in(&page, ALICE.0, ALICE.1).await.response().contains_key("code"));

    assert_eq!(whose("basic").await, ALICE.0);
    let refused = agent.get(&silent("options").url()).await.response();
    assert_eq!(refused["error"], "login_required", "who was remembered there is forgotten");
    assert_eq!((refused["state"].as_str(), refused["iss"].as_str()), ("state-1", provider.demo.issuer.as_str()));
    let choice = agent.follow(agent.get(&provider.ask("basic").with("prompt", "select_account").url()).await).await;
    assert!(choice.body.contains(ALICE.0) && !choice.body.contains(email), "{}", choice.body);
}
