use countersign_model::{Fact, Seconds};

use super::*;
use crate::policy_choice::{Choices, choose_policy};
use crate::testing::{NOW, authorize, client, later, login_policies, user_id};

fn session(facts: &[Fact]) -> SessionFacts {
    SessionFacts {
        subject: user_id().to_string(),
        auth_time: later(-100),
        acr: "urn:acr:email".to_owned(),
        facts: facts.iter().copied().collect(),
        may_answer: true,
    }
}

fn email_session() -> SessionFacts {
    session(&[Fact::Password, Fact::Mailbox])
}

fn with_demand<T>(client: &Client, changes: &[(&str, &str)], then: impl FnOnce(&Demand<'_>) -> T) -> T {
    let login_policies = login_policies();
    let request = authorize(client, changes).unwrap();
    let policy = choose_policy(&request, client, Choices { login: &login_policies, create: &[] }).unwrap();
    then(&Demand { request: &request, client, policy: &policy, login_policies: &login_policies })
}

fn decide(client: &Client, changes: &[(&str, &str)], session: Option<&SessionFacts>) -> SessionDecision {
    with_demand(client, changes, |demand| decide_session(demand, session, NOW))
}

/// What the request comes to as it is, and the error code it comes to under `prompt=none`.
fn both_ways(
    client: &Client,
    changes: &[(&str, &str)],
    session: Option<&SessionFacts>,
) -> (SessionDecision, Option<ErrorCode>) {
    let silent = [changes, &[("prompt", "none")]].concat();
    let silent = match decide(client, &silent, session) {
        SessionDecision::Refuse(error) => Some(error.code),
        SessionDecision::Answer => None,
        interact @ SessionDecision::Interact { .. } => panic!("{interact:?} under none"),
    };
    (decide(client, changes, session), silent)
}

const STALE: (SessionDecision, Option<ErrorCode>) =
    (SessionDecision::Interact { fresh: true }, Some(ErrorCode::LoginRequired));
const WEAK: (SessionDecision, Option<ErrorCode>) =
    (SessionDecision::Interact { fresh: false }, Some(ErrorCode::LoginRequired));
const ENOUGH: (SessionDecision, Option<ErrorCode>) = (SessionDecision::Answer, None);

#[test]
fn without_a_session_the_person_acts_and_none_is_login_required_core_3_1_2_6() {
    assert_eq!(both_ways(&client(), &[], None), WEAK);
    let mute = SessionFacts { may_answer: false, ..email_session() };
    assert_eq!(both_ways(&client(), &[], Some(&mute)), WEAK);
}

#[test]
fn a_session_that_may_answer_does() {
    assert_eq!(both_ways(&client(), &[], Some(&email_session())), ENOUGH);
    assert_eq!(both_ways(&client(), &[("max_age", "10000")], Some(&email_session())), ENOUGH);
    assert_eq!(both_ways(&client(), &[("p", "email")], Some(&email_session())), ENOUGH);
}

#[test]
fn prompt_login_and_select_account_and_max_age_zero_ask_again() {
    for changes in [[("prompt", "login")], [("prompt", "select_account")], [("max_age", "0")]] {
        let decision = decide(&client(), &changes, Some(&email_session()));
        assert_eq!(decision, SessionDecision::Interact { fresh: true }, "{changes:?}");
    }
    assert_eq!(both_ways(&client(), &[("max_age", "0")], Some(&email_session())), STALE);
}

#[test]
fn a_session_past_max_age_asks_again_core_3_1_2_1() {
    assert_eq!(both_ways(&client(), &[("max_age", "100")], Some(&email_session())), ENOUGH);
    assert_eq!(both_ways(&client(), &[("max_age", "99")], Some(&email_session())), STALE);
    let strict = Client { default_max_age: Some(Seconds::new(60)), ..client() };
    assert_eq!(both_ways(&strict, &[], Some(&email_session())), STALE);
    assert_eq!(both_ways(&strict, &[("max_age", "1000")], Some(&email_session())), ENOUGH);
}

#[test]
fn a_session_of_somebody_else_asks_again() {
    let claims = r#"{"id_token":{"sub":{"value":"somebody"}}}"#;
    assert_eq!(both_ways(&client(), &[("claims", claims)], Some(&email_session())), STALE);
    let own = format!(r#"{{"id_token":{{"sub":{{"value":"{}"}}}}}}"#, user_id());
    assert_eq!(both_ways(&client(), &[("claims", &own)], Some(&email_session())), ENOUGH);
    let mut request = authorize(&client(), &[("prompt", "none")]).unwrap();
    request.hint = Some("somebody".to_owned());
    let (client, policies) = (client(), login_policies());
    let demand = Demand { request: &request, client: &client, policy: "login-options", login_policies: &policies };
    let decision = decide_session(&demand, Some(&email_session()), NOW);
    assert!(matches!(decision, SessionDecision::Refuse(error) if error.code == ErrorCode::LoginRequired));
}

#[test]
fn a_weaker_session_never_satisfies_a_stronger_request() {
    let lab = session(&[Fact::Password]);
    // Of a policy this client may not use at all.
    assert_eq!(both_ways(&client(), &[], Some(&lab)), WEAK);
    assert_eq!(both_ways(&client(), &[("p", "email")], Some(&lab)), WEAK);
    assert_eq!(both_ways(&client(), &[("acr_values", "urn:acr:phone")], Some(&email_session())), WEAK);
    assert_eq!(both_ways(&client(), &[("p", "phone")], Some(&email_session())), WEAK);
    let strict = Client { required_acr: vec!["urn:acr:phone".to_owned()], ..client() };
    assert_eq!(both_ways(&strict, &[], Some(&email_session())), WEAK);
    let strong = session(&[Fact::Password, Fact::Mailbox, Fact::Phone]);
    assert_eq!(both_ways(&strict, &[("p", "email")], Some(&strong)), ENOUGH);
}

#[test]
fn an_essential_acr_unmet_is_unmet_authentication_requirements_under_none() {
    let essential = |acr| format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":["{acr}"]}}}}}}"#);
    let unmet = Some(ErrorCode::UnmetAuthenticationRequirements);
    let expected = (SessionDecision::Interact { fresh: false }, unmet);
    assert_eq!(both_ways(&client(), &[("claims", &essential("urn:acr:phone"))], Some(&email_session())), expected);
    assert_eq!(both_ways(&client(), &[("claims", &essential("urn:acr:email"))], Some(&email_session())), ENOUGH);
    // Nothing here can ever meet it: there is no point in asking.
    let decision = decide(&client(), &[("claims", &essential("urn:unknown"))], Some(&email_session()));
    assert!(matches!(decision, SessionDecision::Refuse(error) if Some(error.code) == unmet));
}

#[test]
fn client_and_request_demand_together() {
    let strict = Client { required_acr: vec!["urn:acr:phone".to_owned()], ..client() };
    let claims = r#"{"id_token":{"acr":{"essential":true,"value":"urn:acr:email"}}}"#;
    let demanded = with_demand(&strict, &[("claims", claims)], |demand| demanded_facts(demand).unwrap());
    assert_eq!(demanded, [[Fact::Password, Fact::Mailbox, Fact::Phone].into_iter().collect()]);
    assert_eq!(with_demand(&client(), &[], |demand| demanded_facts(demand).unwrap()), []);
}

#[test]
fn a_login_is_checked_again_when_it_issues() {
    let code = |client: &Client, changes: &[(&str, &str)], login: &SessionFacts| {
        with_demand(client, changes, |demand| check_login(demand, login, NOW)).map_err(|error| error.code)
    };
    let fresh = SessionFacts { auth_time: later(5), ..email_session() };
    let login_required = Err(ErrorCode::LoginRequired);
    assert_eq!(code(&client(), &[("prompt", "login")], &fresh), Ok(()));
    // A login made before this request, say by replaying it without its prompt, does not pass.
    assert_eq!(code(&client(), &[("prompt", "login")], &email_session()), login_required);
    assert_eq!(code(&client(), &[("max_age", "99")], &email_session()), login_required);
    assert_eq!(code(&client(), &[("max_age", "100")], &email_session()), Ok(()));
    let claims = r#"{"userinfo":{"sub":{"value":"somebody"}}}"#;
    assert_eq!(code(&client(), &[("claims", claims)], &fresh), login_required);
    let strict = Client { required_acr: vec!["urn:acr:phone".to_owned()], ..client() };
    assert_eq!(code(&strict, &[("p", "email")], &fresh), Err(ErrorCode::UnmetAuthenticationRequirements));
}

#[test]
fn the_acr_released_is_one_that_was_asked_for_and_done() {
    let released = |changes: &[(&str, &str)], login: &SessionFacts| {
        decide_acr(&authorize(&client(), changes).unwrap(), login, &login_policies())
    };
    let strong =
        SessionFacts { acr: "urn:acr:both".to_owned(), ..session(&[Fact::Password, Fact::Mailbox, Fact::Phone]) };
    assert_eq!(released(&[], &strong), "urn:acr:both");
    assert_eq!(released(&[("acr_values", "urn:unknown urn:acr:phone")], &strong), "urn:acr:phone");
    assert_eq!(released(&[("acr_values", "urn:acr:phone urn:acr:both")], &strong), "urn:acr:both");
    // Never one for a factor that was not shown.
    assert_eq!(released(&[("acr_values", "urn:acr:phone")], &email_session()), "urn:acr:email");
}
