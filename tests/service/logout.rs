//! The end of sessions, and how the clients of each hear of it (OpenID Connect Back-Channel Logout).

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_model::{AuditKind, ClientId, LogoutRules, OutboxMessage, OutboxState, Seconds};
use countersign_protocol::Params;
use countersign_service::{LogoutAnswer, LogoutCall, Provider};
use countersign_store::Lane;
use countersign_tests::provider::{ALICE, Asked, HOSPITAL, House, Person, Seen, encode, redeem, refresh, serve_json};
use serde_json::{Value, json};

use crate::claims::id_claims;
use crate::remembered::{begin_change, forget_password};

on_both_stores![
    a_client_is_told_once_by_a_token_that_names_the_session,
    what_was_granted_for_the_session_ends_with_it_and_offline_access_does_not,
    whatever_ends_a_session_is_told,
    a_session_that_nobody_uses_or_that_lasted_too_long_is_told,
    a_remembered_login_keeps_a_session_that_nobody_uses,
    a_client_that_fails_for_now_is_told_later_and_one_that_refuses_is_not,
    a_client_that_fails_three_times_is_left_alone_for_an_hour,
    a_client_that_never_answers_holds_up_no_mail,
    a_message_of_a_node_that_died_is_sent_again,
    a_new_sign_in_of_the_same_person_is_no_logout,
    only_the_session_that_was_asked_answers_the_question,
    a_forgotten_password_set_anew_signs_out_everywhere_and_is_told,
    a_changed_password_signs_out_everywhere_and_is_told,
];

/// A client that listens.
struct Ear {
    heard: Arc<Mutex<Vec<Asked>>>,
    status: Arc<AtomicU16>,
}

impl Ear {
    /// Lets `client` of `house` be told here.
    async fn of(house: &House, client: &str) -> Self {
        let (heard, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(200)));
        let (into, says) = (Arc::clone(&heard), Arc::clone(&status));
        let address = serve_json(move |asked| {
            into.lock().unwrap().push(asked.clone());
            Some((says.load(Ordering::Relaxed), String::new()))
        });
        let uri = format!("{}/told", address.await);
        set_rules(house, client, LogoutRules { backchannel_uri: Some(uri), ..LogoutRules::default() }).await;
        Self { heard, status }
    }

    /// The claims of the tokens heard so far.
    fn claims(&self) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        let token = |asked: &Asked| asked.body.strip_prefix("logout_token=").expect("one field").to_owned();
        heard.iter().map(|asked| claims_of(&token(asked))).collect()
    }
}

async fn set_rules(house: &House, client: &str, logout: LogoutRules) {
    let id: ClientId = client.parse().unwrap();
    let set = house.database.db.write(async |tx| {
        let mut client = tx.find_client(&id).await?.expect("a client");
        client.logout = logout.clone();
        tx.upsert_client(&client).await
    });
    set.await.unwrap();
}

fn claims_of(token: &str) -> Value {
    id_claims(&json!({"id_token": token}))
}

async fn sign_in_at_lab(node: &Provider, person: &mut Person, more: &str) -> Value {
    let page = person.arrive(node, &format!("p=lab&{more}")).await.page();
    let code = person.give_password(node, &page, ALICE).await.code();
    redeem(node, &code).await.unwrap().unwrap()
}

async fn log_out(node: &Provider, person: &Person, query: &str) -> LogoutAnswer {
    let params = Params::parse_query(query).unwrap();
    let call = LogoutCall { params: &params, cookies: &person.cookies, context: &person.context };
    node.log_out(call).await.unwrap()
}

/// A sign-in in a new browser is mailed to the person: there are other messages.
async fn newest_logout(house: &House) -> OutboxMessage {
    let messages = house.outbox().await.into_iter().filter(|message| message.channel == "logout");
    messages.max_by_key(|message| message.created_at).expect("a message")
}

fn hint(tokens: &Value) -> String {
    format!("id_token_hint={}", encode(tokens["id_token"].as_str().unwrap()))
}

async fn a_client_is_told_once_by_a_token_that_names_the_session(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let mut person = Person::new();
    let tokens = sign_in_at_lab(&node, &mut person, "").await;
    person.arrive(&node, "p=lab").await.code();
    let identity = id_claims(&tokens);
    assert!(matches!(log_out(&node, &person, &hint(&tokens)).await, LogoutAnswer::Done(_)));
    house.deliver(&node).await;
    assert_eq!(house.deliver(&node).await, 0);

    let asked = ear.heard.lock().unwrap()[0].clone();
    assert_eq!(asked.path, "/told");
    let token = asked.body.strip_prefix("logout_token=").expect("no other field");
    assert!(!token.contains('&'));
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
    let told = ear.claims();
    assert_eq!(told.len(), 1, "two grants, one session");
    let claims = &told[0];
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://id.example"), &json!("case-portal")));
    assert_eq!((&claims["sub"], &claims["sid"]), (&identity["sub"], &identity["sid"]));
    assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert_eq!(claims["iat"], house.clock.now().as_secs());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
    assert!(claims["jti"].is_string() && claims.get("nonce").is_none());

    let queued = house.events(Some(AuditKind::SendQueued)).await;
    assert_eq!((queued.len(), queued[0].detail["channel"].as_str()), (1, Some("logout")));
    assert_eq!(house.events(Some(AuditKind::SendDelivered)).await.len(), 1);
    assert_eq!(house.events(Some(AuditKind::SessionEnded)).await.len(), 1);
    assert_eq!(person.arrive(&node, "p=lab&prompt=none").await.error(), "login_required");
}

async fn what_was_granted_for_the_session_ends_with_it_and_offline_access_does_not(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let lasting = sign_in_at_lab(&node, &mut person, "scope=openid%20offline_access").await;
    let code = person.arrive(&node, "p=lab").await.code();
    redeem(&node, &code).await.unwrap().unwrap();
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 2);
    assert!(matches!(log_out(&node, &person, &hint(&lasting)).await, LogoutAnswer::Done(_)));
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1);
    let refreshed = refresh(&node, lasting["refresh_token"].as_str().unwrap()).await.unwrap();
    assert!(refreshed.is_ok(), "{refreshed:?}");
}

async fn whatever_ends_a_session_is_told(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let mut told = 0;
    for end in ["disabled", "reset", "another person", "closed"] {
        let mut person = Person::new();
        let page = person.arrive(&node, "p=lab").await.page();
        let who = if end == "reset" { HOSPITAL } else { ALICE };
        let code = person.give_password(&node, &page, who).await.code();
        redeem(&node, &code).await.unwrap().unwrap();
        match end {
            "disabled" => {
                node.disable_person(ALICE.0, "left", &person.context).await.unwrap().unwrap();
                node.enable_person(ALICE.0, "back", &person.context).await.unwrap().unwrap();
            }
            "reset" => {
                let reset = countersign_service::RegistrationReset { who: HOSPITAL.0, reason: "lost", force: false };
                node.reset_registration(reset, &person.context).await.unwrap().unwrap();
            }
            "another person" => {
                let page = person.arrive(&node, "p=lab&prompt=login").await.page();
                person.give_password(&node, &page, countersign_tests::provider::CLINIC).await.code();
            }
            _ => {
                let (user, now) = (house.user(ALICE.0).await, house.clock.now());
                house.database.db.write(async |tx| tx.close_user(&user, now).await).await.unwrap();
            }
        }
        house.deliver(&node).await;
        told += 1;
        assert_eq!(ear.claims().len(), told, "{end}");
    }
}

async fn a_session_that_nobody_uses_or_that_lasted_too_long_is_told(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let (mut idle, mut busy) = (Person::new(), Person::new());
    let tokens = sign_in_at_lab(&node, &mut idle, "").await;
    sign_in_at_lab(&node, &mut busy, "").await;
    for _ in 0..2 {
        house.clock.pass(Seconds::minutes(31));
        busy.arrive(&node, "p=lab").await.code();
    }
    node.purge_expired().await.unwrap();
    house.deliver(&node).await;
    let told = ear.claims();
    assert_eq!((told.len(), &told[0]["sid"]), (1, &id_claims(&tokens)["sid"]), "the other one is in use");
    for _ in 0..23 {
        house.clock.pass(Seconds::minutes(30));
        let _ = busy.arrive(&node, "p=lab").await;
    }
    node.purge_expired().await.unwrap();
    house.deliver(&node).await;
    assert_eq!(ear.claims().len(), 2, "twelve hours are over");
    let ends = house.events(Some(AuditKind::SessionEnded)).await;
    let why: Vec<_> = ends.iter().map(|event| event.detail["what"].as_str().unwrap()).collect();
    assert_eq!(why, ["it was not used", "its time was over"]);
}

/// R45: what is remembered answers for four hours, used or not.
async fn a_remembered_login_keeps_a_session_that_nobody_uses(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    house.clock.pass(Seconds::hours(2));
    node.purge_expired().await.unwrap();
    person.arrive(&node, "prompt=none").await.code();
    house.clock.pass(Seconds::hours(2));
    assert_eq!(house.count("browser_sessions", "ended_at IS NULL").await, 1);
    node.purge_expired().await.unwrap();
    assert_eq!(house.count("browser_sessions", "ended_at IS NULL").await, 0, "nothing is remembered any more");
}

async fn a_client_that_fails_for_now_is_told_later_and_one_that_refuses_is_not(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    for (status, tries, state) in [(503, 2, OutboxState::Delivered), (400, 1, OutboxState::Failed)] {
        let mut person = Person::new();
        let tokens = sign_in_at_lab(&node, &mut person, "").await;
        let before = ear.claims().len();
        ear.status.store(status, Ordering::Relaxed);
        log_out(&node, &person, &hint(&tokens)).await;
        house.deliver(&node).await;
        assert_eq!(house.deliver(&node).await, 0, "not at once");
        house.clock.pass(Seconds::new(2));
        if status == 503 {
            ear.status.store(200, Ordering::Relaxed);
        }
        house.deliver(&node).await;
        let claims = ear.claims().split_off(before);
        assert_eq!(claims.len(), tries, "{status}");
        assert!(claims.iter().all(|other| other["jti"] == claims[0]["jti"]), "every try is the same token");
        assert_eq!(newest_logout(&house).await.state, state, "{status}");
    }
}

async fn a_client_that_fails_three_times_is_left_alone_for_an_hour(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let worker = house.worker(&node);
    let heard = || ear.heard.lock().unwrap().len();
    let end_one = async || {
        let mut person = Person::new();
        let tokens = sign_in_at_lab(&node, &mut person, "").await;
        log_out(&node, &person, &hint(&tokens)).await;
    };
    ear.status.store(503, Ordering::Relaxed);
    end_one().await;
    for tries in 1..=3 {
        worker.deliver_due().await.unwrap();
        assert_eq!(heard(), tries);
        house.clock.pass(Seconds::new(10));
    }
    // What waited, and what is new: nothing is posted to it, though it would answer again.
    ear.status.store(200, Ordering::Relaxed);
    end_one().await;
    for _ in 0..5 {
        house.clock.pass(Seconds::minutes(10));
        worker.deliver_due().await.unwrap();
        assert_eq!(heard(), 3);
    }
    house.clock.pass(Seconds::minutes(10));
    worker.deliver_due().await.unwrap();
    assert_eq!(heard(), 5, "both are told in the end");
    assert_eq!(newest_logout(&house).await.state, OutboxState::Delivered);
}

/// A stranger's client may be as slow as it likes: codes are mailed meanwhile.
async fn a_client_that_never_answers_holds_up_no_mail(house: House) {
    const SESSIONS: usize = 60;
    let waiting = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&waiting);
    let address = serve_json(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        None
    });
    let uri = Some(address.await);
    set_rules(&house, "case-portal", LogoutRules { backchannel_uri: uri, ..LogoutRules::default() }).await;
    let node = house.node().await;
    for _ in 0..SESSIONS {
        sign_in_at_lab(&node, &mut Person::new(), "").await;
    }
    // Notices of new devices are on their way.
    while house.deliver(&node).await > 0 {}
    node.disable_person(ALICE.0, "left", &Person::new().context).await.unwrap().unwrap();
    // All of them are due before the code is.
    house.clock.pass(Seconds::new(1));
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let worker = house.worker(&node);
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    until(|| waiting.load(Ordering::Relaxed) > 0).await;
    let before = house.relay.letters().len();
    person.press(&node, &page, "send", &[]).await.page();
    until(|| house.relay.letters().len() > before).await;
    assert!(waiting.load(Ordering::Relaxed) <= 16, "the first of them are waited for still");
    running.abort();
}

/// Looks again until it is so, for as long as a busy machine may take.
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never was so");
}

async fn a_message_of_a_node_that_died_is_sent_again(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let mut person = Person::new();
    let tokens = sign_in_at_lab(&node, &mut person, "").await;
    ear.status.store(503, Ordering::Relaxed);
    log_out(&node, &person, &hint(&tokens)).await;
    house.deliver(&node).await;
    house.clock.pass(Seconds::new(2));
    let now = house.clock.now();
    let claimed = house
        .database
        .db
        .write(async |tx| tx.claim_due_messages(now, Lane::Of("logout"), 16, Seconds::new(20)).await)
        .await;
    assert_eq!(claimed.unwrap().len(), 1);
    ear.status.store(200, Ordering::Relaxed);
    house.clock.pass(Seconds::new(20));
    assert_eq!(house.deliver(&house.node().await).await, 1);
    assert_eq!(newest_logout(&house).await.state, OutboxState::Delivered);
}

async fn a_new_sign_in_of_the_same_person_is_no_logout(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let mut person = Person::new();
    let first = sign_in_at_lab(&node, &mut person, "").await;
    sign_in_at_lab(&node, &mut person, "prompt=login").await;
    house.deliver(&node).await;
    assert!(ear.claims().is_empty());
    // The client that was there before the second sign-in knows the first session still, and may end this one.
    assert!(matches!(log_out(&node, &person, &hint(&first)).await, LogoutAnswer::Done(_)));
    house.deliver(&node).await;
    let told: Vec<Value> = ear.claims().into_iter().map(|claims| claims["sid"].clone()).collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&id_claims(&first)["sid"]));
}

async fn only_the_session_that_was_asked_answers_the_question(house: House) {
    let node = house.node().await;
    let (mut mallory, mut alice) = (Person::new(), Person::new());
    sign_in_at_lab(&node, &mut mallory, "").await;
    sign_in_at_lab(&node, &mut alice, "").await;
    let LogoutAnswer::Ask(question) = log_out(&node, &mallory, "").await else { panic!("not asked") };
    let confirm = async |sealed: &str, person: &Person| {
        node.confirm_logout(sealed, &person.cookies, &person.context).await.unwrap()
    };
    for sealed in [question.sealed.as_str(), "", "AAAA"] {
        assert!(matches!(confirm(sealed, &alice).await, LogoutAnswer::Stale), "{sealed}");
    }
    let stranger = Person::new();
    assert!(matches!(confirm(&question.sealed, &stranger).await, LogoutAnswer::Stale), "a POST without cookies");
    let LogoutAnswer::Done(done) = log_out(&node, &stranger, "").await else { panic!("asked") };
    assert!(!done.cookies.signed_out, "nobody was signed in");
    alice.arrive(&node, "p=lab").await.code();
    assert!(matches!(confirm(&question.sealed, &mallory).await, LogoutAnswer::Done(_)));
    assert_eq!(mallory.arrive(&node, "p=lab&prompt=none").await.error(), "login_required");

    let LogoutAnswer::Ask(old) = log_out(&node, &alice, "state=only").await else { panic!("not asked") };
    house.clock.pass(Seconds::minutes(30));
    assert!(matches!(confirm(&old.sealed, &alice).await, LogoutAnswer::Stale), "half an hour later");
}

/// Somebody signed in by mail on another browser, and their refresh token.
async fn sign_in_elsewhere(house: &House, node: &Arc<Provider>) -> (Person, String) {
    let mut elsewhere = Person::new();
    let page = elsewhere.arrive(node, "p=email&scope=openid%20offline_access").await.page();
    let page = elsewhere.give_password(node, &page, HOSPITAL).await.page();
    let verified = elsewhere.prove_mailbox(house, node, &page, HOSPITAL).await;
    let code = elsewhere.press(node, &verified, "continue", &[]).await.code();
    let tokens = redeem(node, &code).await.unwrap().unwrap();
    let renewed = refresh(node, tokens["refresh_token"].as_str().unwrap()).await.unwrap().unwrap();
    assert!(matches!(elsewhere.arrive(node, "p=email&prompt=none").await, Seen::Client(_)));
    // A code may be sent again.
    house.clock.pass(Seconds::new(31));
    (elsewhere, renewed["refresh_token"].as_str().unwrap().to_owned())
}

/// Neither session nor refresh token works there any more, and the client heard of it.
async fn assert_signed_out(house: &House, node: &Arc<Provider>, ear: &Ear, (mut elsewhere, token): (Person, String)) {
    assert_eq!(elsewhere.arrive(node, "p=email&prompt=none").await.error(), "login_required");
    assert_eq!(refresh(node, &token).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    while house.deliver(node).await > 0 {}
    assert!(!ear.claims().is_empty(), "nobody was told");
}

const NEW_PASSWORD: [(&str, &str); 2] =
    [("new_password", "seven quiet herons over the weir"), ("confirm_password", "seven quiet herons over the weir")];

async fn a_forgotten_password_set_anew_signs_out_everywhere_and_is_told(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let elsewhere = sign_in_elsewhere(&house, &node).await;
    let mut person = Person::new();
    let password = forget_password(&house, &node, &mut person).await;
    assert!(ear.claims().is_empty(), "nothing is changed yet");
    person.press(&node, &password, "set", &NEW_PASSWORD).await.code();
    assert_signed_out(&house, &node, &ear, elsewhere).await;
}

async fn a_changed_password_signs_out_everywhere_and_is_told(house: House) {
    let ear = Ear::of(&house, "case-portal").await;
    let node = house.node().await;
    let elsewhere = sign_in_elsewhere(&house, &node).await;
    let mut person = Person::new();
    let password = begin_change(&house, &node, &mut person, "change-password").await;
    assert!(ear.claims().is_empty(), "nothing is changed yet");
    person.press(&node, &password, "set", &NEW_PASSWORD).await.response();
    assert_signed_out(&house, &node, &ear, elsewhere).await;
}
