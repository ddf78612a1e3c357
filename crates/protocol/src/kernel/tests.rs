use super::*;
use crate::testing::{CALLBACK, CHALLENGE, VERIFIER, authorization_params, scope};

fn redeem_with(change: impl FnOnce(&mut Redeem<'_>)) -> Result<Scope> {
    let granted = scope("openid email");
    let stored = Stored { owner: "someone", client: "rp", scope: &granted };
    let mut request = Redeem {
        client: "rp",
        code: "code",
        redirect_uri: CALLBACK,
        verifier: Some(VERIFIER),
        pkce_required: true,
        stored,
        stored_redirect_uri: CALLBACK,
        challenge: Some(CHALLENGE),
    };
    change(&mut request);
    redeem(&request)
}

#[test]
fn the_vector_of_rfc7636_appendix_b_is_redeemed() {
    assert_eq!(redeem_with(|_| {}), Ok(scope("openid email")));
}

#[test]
fn the_machine_holds_code_to_client_redirect_uri_and_challenge() {
    let code = |change: fn(&mut Redeem<'_>)| redeem_with(change).unwrap_err().code;
    assert_eq!(code(|request| request.client = "other"), ErrorCode::InvalidGrant);
    assert_eq!(code(|request| request.redirect_uri = "https://rp.example/elsewhere"), ErrorCode::InvalidGrant);
    assert_eq!(code(|request| request.verifier = Some("wrong")), ErrorCode::InvalidGrant);
    assert_eq!(code(|request| request.verifier = None), ErrorCode::InvalidGrant);
}

#[test]
fn a_verifier_without_a_challenge_is_a_downgrade_rfc9700_4_8_2() {
    for pkce_required in [true, false] {
        let refused = redeem_with(|request| (request.challenge, request.pkce_required) = (None, pkce_required));
        assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidGrant);
    }
    let neither = |pkce_required| {
        redeem_with(|request| {
            (request.challenge, request.verifier, request.pkce_required) = (None, None, pkce_required);
        })
    };
    assert!(neither(false).is_ok());
    assert_eq!(neither(true).unwrap_err().code, ErrorCode::InvalidGrant);
}

#[test]
fn the_refresh_machine_honours_a_token_for_its_own_client_only() {
    let granted = scope("openid email");
    let refresh_as = |client| {
        refresh(&Refresh {
            client,
            token: "token",
            scope: Some("email"),
            stored: Stored { owner: "someone", client: "rp", scope: &granted },
        })
    };
    assert_eq!(refresh_as("rp"), Ok(scope("email")));
    assert_eq!(refresh_as("other").unwrap_err().code, ErrorCode::InvalidGrant);
}

#[test]
fn the_authorization_machine_makes_its_own_checks() {
    let run = |changes: &[(&str, &str)], allowed: &str, pkce_required| {
        let (params, allowed) = (authorization_params(changes), scope(allowed));
        authorize(&Authorize { params: &params, redirect_uri: CALLBACK, allowed: &allowed, pkce_required })
    };
    let code = |changes, allowed| run(changes, allowed, true).unwrap_err().code;
    assert_eq!(run(&[], "openid email", true), Ok(scope("openid")));
    assert_eq!(code(&[("response_type", "token")], "openid"), ErrorCode::UnsupportedResponseType);
    assert_eq!(code(&[("scope", "openid email")], "openid"), ErrorCode::InvalidScope);
    assert_eq!(code(&[("code_challenge_method", "plain")], "openid"), ErrorCode::InvalidRequest);
    assert_eq!(code(&[("code_challenge", "")], "openid"), ErrorCode::InvalidRequest);
    assert!(run(&[("code_challenge", "")], "openid", false).is_ok());
}

#[test]
fn a_client_on_its_own_behalf_gets_no_more_than_it_may() {
    let allowed = scope("cases.read cases.write");
    let ask = |scope| on_own_behalf(&OwnBehalf { client: "rp", scope, allowed: &allowed });
    assert_eq!(ask(None), Ok(allowed.clone()));
    assert_eq!(ask(Some("cases.read")), Ok(scope("cases.read")));
    assert_eq!(ask(Some("cases.read openid")).unwrap_err().code, ErrorCode::InvalidScope);
}
