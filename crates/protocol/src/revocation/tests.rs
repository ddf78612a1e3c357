use super::*;
use crate::access_token::{AccessTokenClaims, Terms};
use crate::binding::Binding;
use crate::testing::{NOW, client, grant, issuer, other_client, params, refresh_token, scope};
use crate::token::Issue;
use countersign_model::Seconds;

pub(crate) fn claims() -> AccessTokenClaims {
    let grant = grant("openid email");
    let issue = Issue {
        client: client().id,
        grant: Some(grant),
        scope: scope("openid"),
        audience: vec![issuer().to_string()],
        access_token_alg: None,
        id_token: false,
        nonce: None,
        refresh_token: false,
        exchanged: None,
    };
    let binding = Binding::default();
    let terms =
        Terms { jti: "token-1", lifetime: Seconds::minutes(5), audience: &[], binding: &binding, client: &client() };
    AccessTokenClaims::new(&issuer(), &issue, &terms, NOW)
}

#[test]
fn an_access_token_dies_alone_a_refresh_token_with_its_grant_rfc7009_2_1() {
    let (claims, token) = (claims(), refresh_token("openid"));
    let expires_at = Timestamp::from_secs(claims.exp);
    let revoked = Effect::RevokeToken { jti: "token-1".to_owned(), expires_at };
    assert_eq!(decide(&client(), &Facts::AccessToken(&claims)), Ok(revoked));
    assert_eq!(decide(&client(), &Facts::RefreshToken(&token)), Ok(Effect::RevokeGrant(token.grant.clone())));
}

#[test]
fn the_token_of_another_client_stands_rfc7009_2_1() {
    let (claims, token) = (claims(), refresh_token("openid"));
    for facts in [Facts::AccessToken(&claims), Facts::RefreshToken(&token)] {
        assert_eq!(decide(&other_client(), &facts).unwrap_err().code, ErrorCode::InvalidGrant);
    }
}

#[test]
fn what_is_unknown_is_done_rfc7009_2_2() {
    assert_eq!(decide(&client(), &Facts::Nothing), Ok(Effect::Nothing));
    assert_eq!(token_of(&params(&[("token", "abc"), ("token_type_hint", "no_such_type")])), Ok("abc"));
    assert_eq!(token_of(&params(&[])).unwrap_err().code, ErrorCode::InvalidRequest);
}
