use countersign_model::{GrantId, Seconds, SessionId, SigningAlgorithm};

use super::*;
use crate::access_token::{AccessTokenClaims, Terms};
use crate::binding::Binding;
use crate::client_assertion::AssertionError;
use crate::features::ResourceServer;
use crate::resource::Resources;
use crate::testing::{NOW, authenticated, client, issuer, later, public_client, scope, user_id};

const CASES: &str = "https://cases.example/api";

fn new_grant() -> GrantId {
    GrantId::new(NOW, [9; 10])
}

fn spoken(scopes: &str) -> SpokenFor {
    SpokenFor {
        issuer: "https://partner.example".to_owned(),
        subject: "alice@example.com".to_owned(),
        jti: "one".to_owned(),
        expires_at: later(60),
        scopes: scope(scopes),
    }
}

fn hearsay() -> Authentication {
    Authentication::hearsay(user_id(), SessionId::new(NOW, [8; 10]), NOW)
}

fn facts(scopes: &str) -> TokenFacts {
    let person = Some(Box::new(hearsay()));
    TokenFacts::Assertion { spoken: Ok(spoken(scopes)), person, user_active: true, standing: None, spent: false }
}

fn ask(client: &Client, asked: Option<&str>, resources: &[&str], facts: TokenFacts) -> Decision {
    let issuer = issuer();
    let servers = [ResourceServer {
        uri: CASES.to_owned(),
        scopes: scope("cases.read cases.write"),
        access_token_alg: SigningAlgorithm::RS256,
    }];
    let prepared = Prepared {
        refresh_token: [6; 32],
        refresh_lifetime: Seconds::hours(8),
        access_jti: "new-jti",
        access_lifetime: Seconds::minutes(10),
        grant: &new_grant(),
        resources: Resources { issuer: &issuer, servers: &servers },
    };
    let resources: Vec<String> = resources.iter().map(|uri| (*uri).to_owned()).collect();
    decide(authenticated(client), asked, &resources, facts, &prepared, NOW)
}

#[test]
fn an_assertion_gives_an_access_token_under_a_grant_of_its_own() {
    let decision = ask(&client(), None, &[], facts("cases.read"));
    let issue = decision.outcome.unwrap();
    assert_eq!((&issue.scope, &issue.audience), (&scope("cases.read"), &vec![CASES.to_owned()]));
    assert!(!issue.id_token && !issue.refresh_token);
    let [Effect::SpendAssertion { issuer: by, jti, expires_at }, Effect::InsertGrant(grant), Effect::Audit { .. }] =
        &decision.effects[..]
    else {
        panic!("{:?}", decision.effects)
    };
    assert_eq!((by.as_str(), jti.as_str(), *expires_at), ("https://partner.example", "one", later(60)));
    assert_eq!((&grant.id, &grant.client, &grant.authentication.user), (&new_grant(), &client().id, &user_id()));

    // Nobody proved anything here, so nothing is said of how (RFC 9068, 2.2.1).
    let (binding, client, audience) = (Binding::default(), client(), [CASES.to_owned()]);
    let terms =
        Terms { jti: "j", lifetime: Seconds::minutes(5), audience: &audience, binding: &binding, client: &client };
    let claims = AccessTokenClaims::new(&issuer(), &issue, &terms, NOW);
    assert_eq!(claims.sub, user_id().to_string());
    assert!(claims.acr.is_none() && claims.amr.is_empty() && claims.auth_time.is_none() && claims.gid.is_some());
}

#[test]
fn everything_wrong_with_an_assertion_is_invalid_grant_rfc7523_3_1() {
    let with = |change: fn(&mut TokenFacts)| {
        let mut facts = facts("cases.read");
        change(&mut facts);
        facts
    };
    let wrong = [
        ("nobody who is heard", TokenFacts::Nothing),
        (
            "does not hold",
            with(|facts| {
                if let TokenFacts::Assertion { spoken, .. } = facts {
                    *spoken = Err(AssertionError::Expired);
                }
            }),
        ),
        (
            "shown before",
            with(|facts| {
                if let TokenFacts::Assertion { spent, .. } = facts {
                    *spent = true;
                }
            }),
        ),
        (
            "nobody here",
            with(|facts| {
                if let TokenFacts::Assertion { person, .. } = facts {
                    *person = None;
                }
            }),
        ),
        (
            "may not sign in",
            with(|facts| {
                if let TokenFacts::Assertion { user_active, .. } = facts {
                    *user_active = false;
                }
            }),
        ),
    ];
    for (case, facts) in wrong {
        let decision = ask(&client(), None, &[], facts);
        assert_eq!(decision.outcome.unwrap_err().code, ErrorCode::InvalidGrant, "{case}");
        assert!(matches!(decision.effects[..], [Effect::Audit { outcome: AuditOutcome::Failure, .. }]), "{case}");
    }
    let public = ask(&public_client(), None, &[], facts("cases.read"));
    assert_eq!(public.outcome.unwrap_err().code, ErrorCode::UnauthorizedClient);
}

#[test]
fn scope_and_audience_are_within_what_issuer_and_client_may_have() {
    for (asked, scopes) in [
        (Some("cases.write"), "cases.read"),
        (Some("openid"), "openid cases.read"),
        (Some("cases.read offline_access"), "cases.read"),
        (Some("\""), "cases.read"),
        (None, "orders.read"),
        (None, "openid email"),
    ] {
        let error = ask(&client(), asked, &[], facts(scopes)).outcome.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidScope, "{asked:?} {scopes}");
    }
    let both = ask(&client(), Some("cases.read"), &[CASES], facts("cases.read cases.write")).outcome.unwrap();
    assert_eq!(both.scope, scope("cases.read"));
    for other in ["https://op.example", "https://orders.example"] {
        let error = ask(&client(), None, &[other], facts("cases.read")).outcome.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidTarget, "{other}");
    }
}

#[test]
fn a_second_assertion_goes_on_with_the_grant_of_the_first() {
    let again = |granted: &str| {
        let standing = crate::testing::grant(granted);
        let mut facts = facts("cases.read");
        if let TokenFacts::Assertion { standing: known, .. } = &mut facts {
            *known = Some(Box::new(standing));
        }
        ask(&client(), None, &[], facts)
    };
    let known = again("cases.read cases.write");
    assert_eq!(known.outcome.unwrap().grant.unwrap().id, crate::testing::grant("").id);
    assert!(matches!(known.effects[..], [Effect::SpendAssertion { .. }, Effect::Audit { .. }]));
    let wider = again("cases.write");
    assert_eq!(wider.outcome.unwrap().grant.unwrap().id, new_grant());
    assert!(matches!(wider.effects[..], [Effect::SpendAssertion { .. }, Effect::InsertGrant(_), Effect::Audit { .. }]));
}

/// UserInfo and the admin API are for who signed in here: nobody's word makes a token for them.
#[test]
fn no_assertion_makes_a_token_for_the_provider_itself() {
    let client = Client { scope: scope("openid cases.read users.read"), ..client() };
    for (asked, resources) in [
        (Some("users.read"), vec![]),
        (Some("cases.read users.read"), vec![]),
        (None, vec![]),
        (Some("users.read"), vec!["https://op.example"]),
        (Some("openid"), vec![]),
        (Some("openid"), vec!["https://op.example"]),
    ] {
        let decision = ask(&client, asked, &resources, facts("openid cases.read users.read"));
        let code = decision.outcome.unwrap_err().code;
        assert!([ErrorCode::InvalidScope, ErrorCode::InvalidTarget].contains(&code), "{asked:?} {resources:?}");
        assert!(!decision.effects.iter().any(|effect| matches!(effect, Effect::InsertGrant(_))), "{asked:?}");
    }
    let issue = ask(&client, Some("cases.read"), &[], facts("cases.read users.read")).outcome.unwrap();
    assert_eq!(issue.audience, [CASES]);
}
