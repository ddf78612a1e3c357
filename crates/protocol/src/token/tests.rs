use countersign_model::Client;
use proptest::prelude::*;

use super::*;
use crate::features::{Features, ResourceServer};
use crate::testing::{
    CALLBACK, NOW, VERIFIER, authenticated, client, code, grant, issuer, later, other_client, params, public_client,
    refresh_token, scope,
};

/// The values of a decision, and no resource server.
fn decide_prepared(request: &TokenRequest<'_>, facts: TokenFacts, now: Timestamp) -> Decision {
    let issuer = issuer();
    let servers = [ResourceServer {
        uri: "https://cases.example/api".to_owned(),
        scopes: scope("cases.read cases.write"),
        access_token_alg: SigningAlgorithm::RS256,
    }];
    let resources = Resources { issuer: &issuer, servers: &servers };
    let prepared = Prepared {
        refresh_token: [6; 32],
        refresh_lifetime: Seconds::hours(8),
        access_jti: "new-jti",
        access_lifetime: Seconds::minutes(10),
        grant: &grant("openid").id,
        resources,
    };
    decide(request, facts, &prepared, now)
}

const EXCHANGE: [(&str, &str); 4] =
    [("grant_type", "authorization_code"), ("code", "abc"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];

fn form(base: &[(&'static str, &'static str)], changes: &[(&'static str, &'static str)]) -> Params {
    let mut pairs: Vec<_> = base.iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name)).collect();
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    params(&pairs.into_iter().copied().collect::<Vec<_>>())
}

fn ask(client: &Client, form: &Params, facts: TokenFacts, now: Timestamp) -> Decision {
    decide_prepared(&TokenRequest::parse(authenticated(client), form, &Features::ALL).unwrap(), facts, now)
}

fn code_facts(scope_text: &str, change: impl FnOnce(&mut AuthorizationCode, &mut Grant, &mut bool)) -> TokenFacts {
    let (mut code, mut grant, mut user_active) = (code(), grant(scope_text), true);
    change(&mut code, &mut grant, &mut user_active);
    TokenFacts::Code { code, grant: Box::new(grant), user_active }
}

fn refresh_facts(scope_text: &str, change: impl FnOnce(&mut RefreshToken, &mut Grant, &mut bool)) -> TokenFacts {
    let (mut token, mut grant, mut user_active) = (refresh_token(scope_text), grant(scope_text), true);
    change(&mut token, &mut grant, &mut user_active);
    let (token, grant) = (Box::new(token), Box::new(grant));
    TokenFacts::RefreshToken { token, successor: None, grant, user_active, parallel: false }
}

fn exchange(changes: &[(&'static str, &'static str)], facts: TokenFacts) -> Decision {
    ask(&client(), &form(&EXCHANGE, changes), facts, NOW)
}

fn refresh(changes: &[(&'static str, &'static str)], facts: TokenFacts) -> Decision {
    let base = [("grant_type", "refresh_token"), ("refresh_token", "abc")];
    ask(&client(), &form(&base, changes), facts, NOW)
}

/// A refusal with this code that changes nothing but the audit.
fn assert_refused(decision: &Decision, code: ErrorCode, context: &str) {
    assert_eq!(decision.outcome.as_ref().unwrap_err().code, code, "{context}");
    assert!(matches!(decision.effects[..], [Effect::Audit { outcome: AuditOutcome::Failure, .. }]), "{context}");
}

fn assert_revoked(decision: &Decision) {
    assert_eq!(decision.outcome.as_ref().unwrap_err().code, ErrorCode::InvalidGrant);
    assert_eq!(decision.effects[0], Effect::RevokeGrant(grant("openid").id));
    assert!(matches!(&decision.effects[1], Effect::Audit { kind: AuditKind::ReplayDetected, .. }));
}

#[test]
fn a_form_is_judged_by_rfc6749_5_2() {
    use ErrorCode::*;
    let parse = |client: &Client, form: &Params| {
        TokenRequest::parse(authenticated(client), form, &Features::SAFE).unwrap_err().code
    };
    let cases: &[(&[(&'static str, &'static str)], ErrorCode)] = &[
        (&[("grant_type", "")], InvalidRequest),
        (&[("grant_type", "password")], UnsupportedGrantType),
        (&[("grant_type", "urn:ietf:params:oauth:grant-type:device_code")], UnsupportedGrantType), // switched off
        (&[("code", "")], InvalidRequest),
        (&[("redirect_uri", "")], InvalidRequest),
        (&[("grant_type", "refresh_token")], InvalidRequest),
    ];
    for (changes, code) in cases {
        assert_eq!(parse(&client(), &form(&EXCHANGE, changes)), *code, "{changes:?}");
    }
    let limited = Client { grant_types: vec!["client_credentials".to_owned()], ..client() };
    assert_eq!(parse(&limited, &form(&EXCHANGE, &[])), UnauthorizedClient);
}

#[test]
fn a_code_is_exchanged_and_spent() {
    let decision = exchange(&[], code_facts("openid email", |_, _, _| {}));
    let issue = decision.outcome.unwrap();
    assert_eq!((issue.scope, issue.id_token, issue.refresh_token), (scope("openid email"), true, false));
    assert_eq!(issue.nonce.as_deref(), Some("n-0S6_WzA2Mj"));
    assert_eq!(decision.effects[0], Effect::ConsumeCode([4; 32]));
    assert!(matches!(&decision.effects[1], Effect::Audit { kind: AuditKind::TokenIssued, .. }));
    assert_eq!(decision.effects.len(), 2);
}

#[test]
fn a_code_without_openid_gives_no_id_token() {
    let issue = exchange(&[], code_facts("cases.read", |_, _, _| {})).outcome.unwrap();
    assert!(!issue.id_token);
}

#[test]
fn offline_access_gives_a_refresh_token_to_a_client_that_may_use_it_core_11() {
    let decision = exchange(&[], code_facts("openid offline_access", |_, _, _| {}));
    assert!(decision.outcome.unwrap().refresh_token);
    let Effect::InsertRefreshToken(token) = &decision.effects[1] else { panic!("{:?}", decision.effects) };
    assert_eq!((token.hash, &token.scope), ([6; 32], &scope("openid offline_access")));
    assert_eq!(token.expires_at, NOW.plus(Seconds::hours(8)));
    let once = Client { grant_types: vec!["authorization_code".to_owned()], ..client() };
    let decision = ask(&once, &form(&EXCHANGE, &[]), code_facts("openid offline_access", |_, _, _| {}), NOW);
    assert!(!decision.outcome.unwrap().refresh_token);
}

#[test]
fn everything_wrong_with_a_code_is_invalid_grant_and_spends_nothing_rfc6749_5_2() {
    type Change = fn(&mut AuthorizationCode, &mut Grant, &mut bool);
    let facts: &[(&str, Change)] = &[
        ("another client's code", |code, _, _| code.client = other_client().id),
        ("another client's grant", |_, grant, _| grant.client = other_client().id),
        ("expired", |code, _, _| code.expires_at = NOW),
        ("revoked", |_, grant, _| grant.revoked_at = Some(NOW)),
        ("disabled person", |_, _, user_active| *user_active = false),
        ("other redirect_uri", |code, _, _| code.redirect_uri = "https://rp.example/callback/".to_owned()),
        ("redirect_uri alike but for its bytes", |code, _, _| {
            code.redirect_uri = "https://rp.example:443/callback".to_owned();
        }),
        ("verifier without challenge", |code, _, _| code.code_challenge = None),
        ("other challenge", |code, _, _| code.code_challenge = Some("A".repeat(43))),
    ];
    for (context, change) in facts {
        assert_refused(&exchange(&[], code_facts("openid", change)), ErrorCode::InvalidGrant, context);
    }
    for verifier in
        ["", "short", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX!", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX"]
    {
        let decision = exchange(&[("code_verifier", verifier)], code_facts("openid", |_, _, _| {}));
        assert_refused(&decision, ErrorCode::InvalidGrant, verifier);
    }
    assert_refused(&exchange(&[], TokenFacts::Nothing), ErrorCode::InvalidGrant, "unknown");
}

#[test]
fn a_public_client_cannot_redeem_without_pkce_whatever_was_stored_rfc9700_2_1_1() {
    let facts = code_facts("openid", |code, _, _| code.code_challenge = None);
    let decision = ask(&public_client(), &form(&EXCHANGE, &[("code_verifier", "")]), facts, NOW);
    assert_refused(&decision, ErrorCode::InvalidGrant, "no challenge");
    let facts = code_facts("openid", |code, _, _| code.code_challenge = None);
    assert!(exchange(&[("code_verifier", "")], facts).outcome.is_ok(), "a confidential one may leave PKCE out");
}

#[test]
fn a_code_lives_until_its_end_and_no_longer() {
    let at = |now| ask(&client(), &form(&EXCHANGE, &[]), code_facts("openid", |_, _, _| {}), now).outcome.is_ok();
    assert!(at(later(59)) && !at(later(60)));
}

#[test]
fn a_spent_code_revokes_everything_issued_for_it_rfc6749_4_1_2() {
    assert_revoked(&exchange(&[], code_facts("openid", |code, _, _| code.consumed_at = Some(NOW))));
    // Whatever else is wrong with the request, and whoever makes it: the code has leaked.
    let spent = || code_facts("openid", |code, _, _| code.consumed_at = Some(NOW));
    assert_revoked(&exchange(&[("code_verifier", "short")], spent()));
    assert_revoked(&ask(&other_client(), &form(&EXCHANGE, &[]), spent(), later(1000)));
}

#[test]
fn a_refresh_token_is_exchanged_for_its_successor_rfc9700_4_14_2() {
    let decision = refresh(&[], refresh_facts("openid offline_access", |_, _, _| {}));
    let issue = decision.outcome.unwrap();
    assert!(issue.id_token && issue.refresh_token && issue.nonce.is_none());
    assert_eq!(decision.effects[0], Effect::ConsumeRefreshToken([5; 32]));
    let Effect::InsertRefreshToken(successor) = &decision.effects[1] else { panic!("{:?}", decision.effects) };
    let old = refresh_token("openid offline_access");
    assert_eq!((successor.hash, successor.expires_at, successor.consumed_at), ([6; 32], old.expires_at, None));
    assert!(matches!(&decision.effects[2], Effect::Audit { kind: AuditKind::TokenRefreshed, .. }));
}

#[test]
fn narrowing_shrinks_the_access_token_and_not_the_refresh_token_rfc6749_6() {
    let decision = refresh(&[("scope", "email")], refresh_facts("openid email offline_access", |_, _, _| {}));
    let issue = decision.outcome.unwrap();
    assert_eq!((issue.scope, issue.id_token), (scope("email"), false));
    let Effect::InsertRefreshToken(successor) = &decision.effects[1] else { panic!("{:?}", decision.effects) };
    assert_eq!(successor.scope, scope("openid email offline_access"));
}

#[test]
fn widening_is_invalid_scope_and_spends_nothing_rfc6749_6() {
    for wider in ["openid cases.write", "cases.write", "openid \u{fc}"] {
        let decision = refresh(&[("scope", wider)], refresh_facts("openid", |_, _, _| {}));
        assert_refused(&decision, ErrorCode::InvalidScope, wider);
    }
}

#[test]
fn a_scope_the_client_lost_is_not_refreshed() {
    let poorer = Client { scope: scope("openid offline_access"), ..client() };
    let form = params(&[("grant_type", "refresh_token"), ("refresh_token", "abc")]);
    let decision = ask(&poorer, &form, refresh_facts("openid email offline_access", |_, _, _| {}), NOW);
    assert_eq!(decision.outcome.unwrap().scope, scope("openid offline_access"));
}

#[test]
fn everything_wrong_with_a_refresh_token_is_invalid_grant_rfc6749_5_2() {
    type Change = fn(&mut RefreshToken, &mut Grant, &mut bool);
    let facts: &[(&str, Change)] = &[
        ("another client's", |token, _, _| token.client = other_client().id),
        ("expired", |token, _, _| token.expires_at = NOW),
        ("revoked", |_, grant, _| grant.revoked_at = Some(NOW)),
        ("disabled person", |_, _, user_active| *user_active = false),
    ];
    for (context, change) in facts {
        assert_refused(&refresh(&[], refresh_facts("openid", change)), ErrorCode::InvalidGrant, context);
    }
    assert_refused(&refresh(&[], TokenFacts::Nothing), ErrorCode::InvalidGrant, "unknown");
    assert_refused(&refresh(&[], code_facts("openid", |_, _, _| {})), ErrorCode::InvalidGrant, "a code is no token");
}

#[test]
fn a_spent_refresh_token_revokes_its_family_rfc9700_4_14_2() {
    assert_revoked(&refresh(&[], refresh_facts("openid", |token, _, _| token.consumed_at = Some(NOW))));
}

const CASES: &str = "https://cases.example/api";

#[test]
fn a_code_gives_a_token_for_the_resource_that_is_named_rfc8707_2_2() {
    let facts =
        || code_facts("openid offline_access cases.read", |_, grant, _| grant.resources = vec![CASES.to_owned()]);
    for changes in [&[][..], &[("resource", CASES)]] {
        let decision = exchange(changes, facts());
        let issue = decision.outcome.unwrap();
        assert_eq!((issue.audience, issue.scope), (vec![CASES.to_owned()], scope("cases.read")));
        assert_eq!(issue.access_token_alg, Some(SigningAlgorithm::RS256));
        assert!(issue.id_token && issue.refresh_token, "neither is the access token's business");
        let Effect::InsertRefreshToken(token) = &decision.effects[1] else { panic!("{:?}", decision.effects) };
        assert_eq!(token.scope, scope("openid offline_access cases.read"), "the next token may be another's");
    }
    for wrong in ["https://op.example", "https://orders.example", "cases"] {
        let base = [EXCHANGE.as_slice(), &[("resource", wrong)]].concat();
        let form = params(&base);
        let client = client();
        let error = match TokenRequest::parse(authenticated(&client), &form, &Features::ALL) {
            Ok(request) => {
                let decision = decide_prepared(&request, facts(), NOW);
                assert_refused(&decision, ErrorCode::InvalidTarget, wrong);
                continue;
            }
            Err(error) => error,
        };
        assert_eq!((wrong, error.code), ("cases", ErrorCode::InvalidTarget));
    }
}

#[test]
fn refreshing_names_another_granted_resource_and_never_a_wider_one_rfc8707_2_2() {
    let facts = || {
        refresh_facts("openid cases.read", |_, grant, _| {
            grant.resources = vec![CASES.to_owned(), "https://op.example".to_owned()];
        })
    };
    let issue = refresh(&[("resource", "https://op.example")], facts()).outcome.unwrap();
    assert_eq!((issue.scope, issue.id_token), (scope("openid"), true));
    let issue = refresh(&[("resource", CASES), ("scope", "cases.read")], facts()).outcome.unwrap();
    assert_eq!((issue.scope, issue.id_token), (scope("cases.read"), false));
    assert_refused(&refresh(&[("resource", "https://orders.example")], facts()), ErrorCode::InvalidTarget, "wider");
}

fn on_own_behalf(client: &Client, scope: &str) -> Decision {
    ask(client, &params(&[("grant_type", "client_credentials"), ("scope", scope)]), TokenFacts::Nothing, NOW)
}

#[test]
fn a_client_on_its_own_behalf_gets_an_access_token_alone_rfc6749_4_4_3() {
    let decision = on_own_behalf(&client(), "cases.read");
    let issue = decision.outcome.unwrap();
    assert_eq!((issue.grant, issue.scope), (None, scope("cases.read")));
    assert!(!issue.id_token && !issue.refresh_token);
    assert_eq!(on_own_behalf(&client(), "").outcome.unwrap().scope, scope("cases.read cases.write"));
    assert_eq!(on_own_behalf(&client(), "").outcome.unwrap().audience, [CASES], "RFC 9068, 3");
}

#[test]
fn a_client_on_its_own_behalf_asks_for_what_it_may_and_for_no_person() {
    for wrong in ["cases.delete", "openid", "offline_access cases.read", "\""] {
        assert_refused(&on_own_behalf(&client(), wrong), ErrorCode::InvalidScope, wrong);
    }
    assert_refused(&on_own_behalf(&public_client(), "cases.read"), ErrorCode::UnauthorizedClient, "public");
}

#[test]
fn the_answer_names_type_life_and_scope_rfc6749_5_1() {
    let issue = exchange(&[], code_facts("openid email", |_, _, _| {})).outcome.unwrap();
    let expected = json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 300, "scope": "email openid", "id_token": "i",
    });
    assert_eq!(response(&issue, ("Bearer", "a"), Seconds::minutes(5), None, Some("i")), expected);
}

#[test]
fn debug_of_a_request_shows_no_secret() {
    let client = client();
    let request =
        TokenRequest::parse(authenticated(&client), &form(&EXCHANGE, &[("code", "c0de")]), &Features::ALL).unwrap();
    let shown = format!("{request:?}");
    assert!(!shown.contains("c0de") && !shown.contains(VERIFIER));
}

const SOME_SCOPES: [&str; 6] = ["openid", "email", "profile", "offline_access", "cases.read", "cases.write"];

proptest! {
    #[test]
    fn a_refreshed_scope_is_never_wider_than_the_granted_one(
        granted in proptest::sample::subsequence(SOME_SCOPES.to_vec(), 1..6),
        asked in proptest::sample::subsequence(SOME_SCOPES.to_vec(), 1..6),
    ) {
        let (granted_text, asked_text) = (granted.join(" "), asked.join(" "));
        let form = params(&[("grant_type", "refresh_token"), ("refresh_token", "abc"), ("scope", &asked_text)]);
        let decision = ask(&client(), &form, refresh_facts(&granted_text, |_, _, _| {}), NOW);
        let narrower = scope(&asked_text).is_subset(&scope(&granted_text));
        prop_assert_eq!(decision.outcome.is_ok(), narrower);
        if let Ok(issue) = decision.outcome {
            prop_assert_eq!(issue.scope, scope(&asked_text));
        }
    }

    #[test]
    fn arbitrary_forms_never_panic(code in "\\PC{1,20}", verifier in "\\PC{1,60}", uri in "\\PC{1,40}", scope in "\\PC{1,20}") {
        for grant_type in grant_types(&Features::SAFE) {
            let form = params(&[
                ("grant_type", grant_type), ("code", &code), ("code_verifier", &verifier), ("redirect_uri", &uri),
                ("refresh_token", &code), ("scope", &scope),
            ]);
            let facts = code_facts("openid", |stored, _, _| stored.redirect_uri.clone_from(&uri));
            let _ = ask(&client(), &form, facts, NOW);
            let _ = ask(&client(), &form, refresh_facts("openid", |_, _, _| {}), NOW);
        }
    }
}
