use countersign_model::SigningAlgorithm;
use proptest::prelude::*;

use super::*;
use crate::access_token::Terms;
use crate::dpop::Proof;
use crate::features::{Features, ResourceServer};
use crate::resource::Resources;
use crate::testing::{NOW, authenticated, client, grant, issuer, later, other_client, params, public_client, scope};
use crate::token::{self, TokenRequest};
use crate::{Binding, Held};

const CASES: &str = "https://cases.example/api";

/// The gateway: a server that tokens are for, and a client that goes on with them.
fn gateway() -> Client {
    Client {
        id: CASES.parse().unwrap(),
        grant_types: vec![GRANT_TYPE.to_owned(), "client_credentials".to_owned()],
        ..client()
    }
}

fn exchanging(client: Client) -> Client {
    Client { grant_types: vec![GRANT_TYPE.to_owned()], ..client }
}

/// A token that `client` has of a person, for the gateway.
fn token(client: &Client, text: &str, change: impl FnOnce(&mut AccessTokenClaims)) -> Box<ShownToken> {
    shown(client, Some(grant(text)), text, change)
}

fn shown(
    client: &Client,
    grant: Option<Grant>,
    text: &str,
    change: impl FnOnce(&mut AccessTokenClaims),
) -> Box<ShownToken> {
    let (scope, audience) = (scope(text), vec![CASES.to_owned()]);
    let issue = Issue {
        client: client.id.clone(),
        grant: grant.clone(),
        scope,
        audience: audience.clone(),
        access_token_alg: None,
        id_token: false,
        nonce: None,
        refresh_token: false,
        exchanged: None,
    };
    let (jti, lifetime, binding) = ("subject-jti", Seconds::minutes(5), &Binding::default());
    let terms = Terms { jti, lifetime, audience: &audience, binding, client };
    let mut claims = AccessTokenClaims::new(&issuer(), &issue, &terms, NOW);
    change(&mut claims);
    Box::new(ShownToken { claims, grant })
}

const SUBJECT: [(&str, &str); 3] =
    [("grant_type", GRANT_TYPE), ("subject_token", "abc"), ("subject_token_type", ACCESS_TOKEN)];
const ACTOR: [(&str, &str); 2] = [("actor_token", "def"), ("actor_token_type", ACCESS_TOKEN)];

fn parse<'a>(client: &'a Client, more: &[(&str, &str)]) -> Result<TokenRequest<'a>, OAuthError> {
    TokenRequest::parse(authenticated(client), &params(&[&SUBJECT, more].concat()), &Features::ALL)
}

fn ask_bound(client: &Client, more: &[(&str, &str)], facts: TokenFacts, binding: Binding, now: Timestamp) -> Decision {
    let issuer = issuer();
    let server = |uri: &str, text: &str| ResourceServer {
        uri: uri.to_owned(),
        scopes: scope(text),
        access_token_alg: SigningAlgorithm::RS256,
    };
    let servers = [server(CASES, "cases.read cases.write"), server("https://orders.example", "orders.read")];
    let prepared = Prepared {
        refresh_token: [6; 32],
        refresh_lifetime: Seconds::hours(8),
        access_jti: "new-jti",
        access_lifetime: Seconds::minutes(10),
        grant: &grant("openid").id,
        resources: Resources { issuer: &issuer, servers: &servers },
    };
    token::decide(&parse(client, more).unwrap().bound_to(binding), facts, &prepared, now)
}

fn ask(client: &Client, more: &[(&str, &str)], subject: Box<ShownToken>, actor: Option<Box<ShownToken>>) -> Decision {
    let facts = TokenFacts::Exchange { subject: Some(subject), actor };
    ask_bound(client, more, facts, Binding::default(), NOW)
}

fn code_of(decision: &Decision) -> ErrorCode {
    assert!(matches!(decision.effects[..], [Effect::Audit { outcome: AuditOutcome::Failure, .. }]));
    decision.outcome.as_ref().unwrap_err().code
}

#[test]
fn a_form_is_judged_by_rfc8693_2_1_and_2_2_2() {
    let client = exchanging(client());
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    let refresh_token = "urn:ietf:params:oauth:token-type:refresh_token";
    let wrong: &[&[(&str, &str)]] = &[
        &[("actor_token", "def")],
        &[("actor_token_type", ACCESS_TOKEN)],
        &[("actor_token", "def"), ("actor_token_type", id_token)],
        &[("requested_token_type", refresh_token)],
        &[("requested_token_type", id_token)],
    ];
    for more in wrong {
        assert_eq!(parse(&client, more).unwrap_err().code, ErrorCode::InvalidRequest, "{more:?}");
    }
    for (left_out, instead) in [(1, ""), (2, ""), (2, id_token)] {
        let mut form = SUBJECT.to_vec();
        form[left_out].1 = instead;
        let parsed = TokenRequest::parse(authenticated(&client), &params(&form), &Features::ALL);
        assert_eq!(parsed.unwrap_err().code, ErrorCode::InvalidRequest, "{form:?}");
    }
    assert!(parse(&client, &[("requested_token_type", ACCESS_TOKEN)]).is_ok());
    let form = params(&SUBJECT);
    let off = TokenRequest::parse(authenticated(&client), &form, &Features::SAFE).unwrap_err();
    assert_eq!(off.code, ErrorCode::UnsupportedGrantType);
    let plain = crate::testing::client();
    let unregistered = TokenRequest::parse(authenticated(&plain), &form, &Features::ALL).unwrap_err();
    assert_eq!(unregistered.code, ErrorCode::UnauthorizedClient);
}

#[test]
fn a_server_goes_on_with_the_token_it_was_shown_and_is_named_as_who_acts_rfc8693_4_1() {
    let subject = token(&client(), "cases.read cases.write", |_| {});
    let decision = ask(&gateway(), &[("scope", "cases.read")], subject, None);
    let issue = decision.outcome.unwrap();
    assert_eq!((issue.client.as_str(), issue.scope, issue.audience), (CASES, scope("cases.read"), vec![CASES.into()]));
    assert_eq!(issue.grant.as_ref().map(|grant| &grant.id), Some(&grant("openid").id), "it dies with the same grant");
    assert!(!issue.id_token && !issue.refresh_token);
    let exchanged = issue.exchanged.unwrap();
    assert_eq!(exchanged.act, Some(Actor::of_client(&gateway().id)));
    let [Effect::Audit { kind: AuditKind::TokenExchanged, outcome: AuditOutcome::Success, reason, .. }] =
        &decision.effects[..]
    else {
        panic!("{:?}", decision.effects)
    };
    assert!(reason.contains("subject-jti") && reason.contains("client rp"), "{reason}");
}

#[test]
fn a_client_narrows_its_own_token_and_nobody_acts() {
    let client = exchanging(client());
    let decision = ask(&client, &[], token(&client, "cases.read offline_access", |_| {}), None);
    let issue = decision.outcome.unwrap();
    assert_eq!((issue.scope, issue.exchanged.unwrap().act), (scope("cases.read"), None));
}

#[test]
fn the_token_of_others_for_others_is_refused() {
    let stranger = exchanging(other_client());
    let subject = || token(&client(), "cases.read", |_| {});
    assert_eq!(code_of(&ask(&stranger, &[], subject(), None)), ErrorCode::InvalidRequest);
    let facts = |subject| TokenFacts::Exchange { subject, actor: None };
    let dead = ask_bound(&gateway(), &[], facts(None), Binding::default(), NOW);
    assert_eq!(code_of(&dead), ErrorCode::InvalidRequest);
    let own = shown(&gateway(), None, "cases.read", |_| {});
    assert_eq!(code_of(&ask(&gateway(), &[], own, None)), ErrorCode::InvalidRequest, "there is no person");
    let public = exchanging(public_client());
    assert_eq!(code_of(&ask(&public, &[], subject(), None)), ErrorCode::UnauthorizedClient);
}

#[test]
fn scope_and_audience_only_narrow() {
    let subject = || token(&client(), "cases.read", |_| {});
    for wider in ["cases.write", "cases.read cases.write", "openid", "cases.read offline_access", "\""] {
        assert_eq!(code_of(&ask(&gateway(), &[("scope", wider)], subject(), None)), ErrorCode::InvalidScope, "{wider}");
    }
    // What the client itself may not have, it does not get by another's token.
    let poor = Client { scope: scope("cases.write"), ..gateway() };
    assert_eq!(code_of(&ask(&poor, &[], subject(), None)), ErrorCode::InvalidScope);
    let issuer = issuer();
    for (name, value) in [
        ("resource", "https://orders.example"),
        ("audience", "https://orders.example"),
        ("audience", "orders"),
        ("resource", issuer.as_str()),
    ] {
        assert_eq!(code_of(&ask(&gateway(), &[(name, value)], subject(), None)), ErrorCode::InvalidTarget, "{value}");
    }
    for name in ["resource", "audience"] {
        assert!(ask(&gateway(), &[(name, CASES)], subject(), None).outcome.is_ok(), "{name}");
    }
    let many: Vec<String> = (0..9).map(|number| format!("server-{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| ("audience", name.as_str())).collect();
    assert_eq!(parse(&gateway(), &many).unwrap_err().code, ErrorCode::InvalidTarget);
    let elsewhere = Client { resources: vec!["https://orders.example".to_owned()], ..gateway() };
    assert_eq!(code_of(&ask(&elsewhere, &[], subject(), None)), ErrorCode::InvalidTarget);
}

#[test]
fn the_new_token_lives_no_longer_than_what_it_came_of() {
    let end = |more: &[(&str, &str)], actor: Option<Box<ShownToken>>, now| {
        let subject = Some(token(&client(), "cases.read", |_| {}));
        let decision = ask_bound(&gateway(), more, TokenFacts::Exchange { subject, actor }, Binding::default(), now);
        decision.outcome.unwrap().lifetime(Seconds::minutes(10)).get()
    };
    assert_eq!(end(&[], None, NOW), 300);
    assert_eq!(end(&[], None, later(299)), 1);
    let actor = |seconds| Some(shown(&gateway(), None, "cases.read", |claims| claims.exp = NOW.as_secs() + seconds));
    assert_eq!((end(&ACTOR, actor(60), NOW), end(&ACTOR, actor(900), NOW)), (60, 300));
}

#[test]
fn an_actor_token_says_who_acts_and_is_the_clients_own() {
    let subject = || token(&client(), "cases.read", |claims| claims.act = Some(actor("before")));
    let person = shown(&gateway(), Some(grant("openid")), "openid", |claims| claims.sub = "agent".to_owned());
    let issue = ask(&gateway(), &ACTOR, subject(), Some(person)).outcome.unwrap();
    let act = serde_json::to_value(issue.exchanged.unwrap().act).unwrap();
    assert_eq!(act, serde_json::json!({"sub": "agent", "act": {"sub": "before", "client_id": "before"}}));

    let wrong: [(&str, Option<Box<ShownToken>>); 3] = [
        ("dead", None),
        ("another client's", Some(shown(&client(), None, "cases.read", |_| {}))),
        ("acted with", Some(token(&gateway(), "cases.read", |claims| claims.act = Some(actor("somebody"))))),
    ];
    for (case, actor) in wrong {
        assert_eq!(code_of(&ask(&gateway(), &ACTOR, subject(), actor)), ErrorCode::InvalidRequest, "{case}");
    }
}

fn actor(client: &str) -> Actor {
    Actor::of_client(&client.parse().unwrap())
}

#[test]
fn may_act_lets_one_in_and_keeps_all_others_out_rfc8693_4_4() {
    let subject = |who: &str| token(&client(), "cases.read", |claims| claims.may_act = Some(actor(who)));
    let other = exchanging(other_client());
    let issue = ask(&other, &[], subject("other"), None).outcome.unwrap().exchanged.unwrap();
    assert_eq!((issue.act, issue.may_act), (Some(actor("other")), Some(actor("other"))), "and it goes on");
    assert_eq!(code_of(&ask(&gateway(), &[], subject("other"), None)), ErrorCode::InvalidRequest);
    let person = || shown(&other, Some(grant("openid")), "openid", |_| {});
    assert_eq!(code_of(&ask(&other, &ACTOR, subject("other"), Some(person()))), ErrorCode::InvalidRequest);
    // Its own client acts for nobody: it may narrow.
    let own = exchanging(client());
    assert!(ask(&own, &[], subject("other"), None).outcome.is_ok());
}

#[test]
fn a_chain_of_actors_has_an_end() {
    let mut chain = actor("one");
    for _ in 0..3 {
        chain = actor("next").after(Some(&chain)).unwrap();
    }
    let subject = token(&client(), "cases.read", |claims| claims.act = Some(chain));
    assert_eq!(code_of(&ask(&gateway(), &[], subject, None)), ErrorCode::InvalidRequest);
}

fn by(key: &str) -> Binding {
    let proof = Proof { thumbprint: key.to_owned(), jti: "1".to_owned(), expires_at: NOW };
    Binding::decide(&client(), Held { proof: Some(&proof), certificate: None }).unwrap()
}

#[test]
fn what_is_bound_to_a_key_stays_bound_rfc9449() {
    let bound = |client: &Client| {
        let subject = Some(token(client, "cases.read", |claims| claims.cnf = by("k").confirmation()));
        TokenFacts::Exchange { subject, actor: None }
    };
    let own = exchanging(client());
    for wrong in [Binding::default(), by("x")] {
        assert_eq!(code_of(&ask_bound(&own, &[], bound(&own), wrong, NOW)), ErrorCode::InvalidRequest);
    }
    assert!(ask_bound(&own, &[], bound(&own), by("k"), NOW).outcome.is_ok());
    // A server has no way to prove the key of who came to it; what it gets is bound to its own.
    let without = ask_bound(&gateway(), &[], bound(&own), Binding::default(), NOW);
    assert_eq!(code_of(&without), ErrorCode::InvalidRequest);
    assert!(ask_bound(&gateway(), &[], bound(&own), by("gateway"), NOW).outcome.is_ok());
    let actor = shown(&gateway(), None, "cases.read", |claims| claims.cnf = by("k").confirmation());
    let facts = TokenFacts::Exchange { subject: Some(token(&own, "cases.read", |_| {})), actor: Some(actor) };
    assert_eq!(code_of(&ask_bound(&gateway(), &ACTOR, facts, by("x"), NOW)), ErrorCode::InvalidRequest);
}

#[test]
fn the_answer_names_the_type_rfc8693_2_2_1() {
    let issue = ask(&gateway(), &[], token(&client(), "cases.read", |_| {}), None).outcome.unwrap();
    let expected = serde_json::json!({
        "access_token": "a", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300,
        "scope": "cases.read",
    });
    assert_eq!(token::response(&issue, ("Bearer", "a"), Seconds::minutes(10), None, None), expected);
}

const SOME: [&str; 5] = ["openid", "email", "cases.read", "cases.write", "orders.read"];

proptest! {
    #[test]
    fn nothing_grows(
        had in proptest::sample::subsequence(SOME.to_vec(), 1..5),
        asked in proptest::sample::subsequence(SOME.to_vec(), 0..5),
        may in proptest::sample::subsequence(SOME.to_vec(), 0..5),
    ) {
        let subject = token(&client(), &had.join(" "), |_| {});
        let registered = Client { scope: scope(&may.join(" ")), ..gateway() };
        if let Ok(issue) = ask(&registered, &[("scope", &asked.join(" "))], subject, None).outcome {
            prop_assert!(issue.scope.is_subset(&scope(&had.join(" "))) && issue.scope.is_subset(&registered.scope));
            prop_assert_eq!(issue.audience, vec![CASES.to_owned()]);
        }
    }
}
