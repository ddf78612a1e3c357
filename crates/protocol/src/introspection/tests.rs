use countersign_model::{Seconds, TokenBinding};

use super::*;
use crate::access_token::Confirmation;
use crate::error::ErrorCode;
use crate::revocation::tests::claims;
use crate::testing::{
    NOW, authenticated, client, grant, issuer, later, other_client, params, public_client, refresh_token,
};

fn inactive() -> Map<String, Value> {
    Map::from_iter([("active".to_owned(), json!(false))])
}

#[test]
fn an_access_token_is_told_whole_to_its_client_rfc7662_2_2() {
    let claims =
        AccessTokenClaims { cnf: Some(Confirmation { certificate: None, key: Some("thumb".to_owned()) }), ..claims() };
    let told = answer(&client(), &Facts::AccessToken { claims: &claims, standing: true }, &issuer(), NOW);
    let expected = json!({
        "active": true, "iss": "https://op.example", "sub": claims.sub, "aud": ["https://op.example"],
        "client_id": "rp", "iat": claims.iat, "exp": claims.exp, "jti": "token-1", "scope": "openid",
        "auth_time": claims.auth_time, "acr": claims.acr, "amr": claims.amr, "cnf": {"jkt": "thumb"},
        "token_type": "DPoP",
    });
    assert_eq!(Value::Object(told), expected);
}

#[test]
fn a_server_in_the_audience_is_told_and_nobody_else_rfc7662_4() {
    let claims = AccessTokenClaims { aud: vec!["https://api.example".to_owned()], ..claims() };
    let facts = Facts::AccessToken { claims: &claims, standing: true };
    let server = Client { id: "https://api.example".parse().unwrap(), ..client() };
    assert_eq!(answer(&server, &facts, &issuer(), NOW)["active"], true);
    assert_eq!(answer(&server, &facts, &issuer(), NOW)["token_type"], "Bearer");
    assert_eq!(answer(&other_client(), &facts, &issuer(), NOW), inactive());
}

#[test]
fn what_has_ended_or_never_was_is_inactive_and_nothing_more_rfc7662_2_2() {
    let (claims, token, grant) = (claims(), refresh_token("openid"), grant("openid"));
    let spent = RefreshToken { consumed_at: Some(NOW), ..token.clone() };
    let revoked = Grant { revoked_at: Some(NOW), ..grant.clone() };
    let facts = |token, grant, standing| Facts::RefreshToken { token, grant, subject: "somebody", standing };
    let dead = [
        Facts::Nothing,
        Facts::AccessToken { claims: &claims, standing: false },
        facts(&token, &grant, false),
        facts(&spent, &grant, true),
        facts(&token, &revoked, true),
    ];
    for facts in dead {
        assert_eq!(answer(&client(), &facts, &issuer(), NOW), inactive(), "{facts:?}");
    }
    assert_eq!(answer(&client(), &facts(&token, &grant, true), &issuer(), later(3600)), inactive(), "expired");
}

#[test]
fn a_refresh_token_is_its_clients_alone() {
    let token = RefreshToken { binding: Some(TokenBinding::Dpop("thumb".to_owned())), ..refresh_token("openid") };
    let grant = grant("openid");
    let facts = Facts::RefreshToken { token: &token, grant: &grant, subject: "somebody", standing: true };
    let expected = json!({
        "active": true, "iss": "https://op.example", "sub": "somebody", "client_id": "rp", "scope": "openid",
        "iat": NOW.as_secs(), "exp": NOW.plus(Seconds::hours(1)).as_secs(), "cnf": {"jkt": "thumb"},
    });
    assert_eq!(Value::Object(answer(&client(), &facts, &issuer(), NOW)), expected);
    assert_eq!(answer(&other_client(), &facts, &issuer(), NOW), inactive());
}

#[test]
fn who_asks_must_prove_who_it_is_rfc7662_2_1() {
    let (confidential, public) = (client(), public_client());
    let form = params(&[("token", "abc")]);
    assert_eq!(parse(authenticated(&confidential), &form), Ok("abc"));
    assert_eq!(parse(authenticated(&confidential), &params(&[])).unwrap_err().code, ErrorCode::InvalidRequest);
    let refused = parse(authenticated(&public), &form).unwrap_err();
    assert_eq!((refused.code, refused.token_status().status), (ErrorCode::InvalidClient, 401));
}

#[test]
fn a_signed_answer_is_no_token_rfc9701_5() {
    let claims = signed_claims(&issuer(), &client(), &inactive(), NOW);
    let expected = json!({
        "iss": "https://op.example", "aud": "rp", "iat": NOW.as_secs(), "token_introspection": {"active": false},
    });
    assert_eq!(claims, expected);
    assert!(wants_signed(Some("application/token-introspection+jwt")));
    assert!(wants_signed(Some("text/html, Application/Token-Introspection+JWT;q=0.5")));
    assert!(!wants_signed(Some("application/json")) && !wants_signed(None));
}
