use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;
use crate::testing::{params, scope};

fn find(header: Option<&str>, query: &[(&str, &str)], form: &[(&str, &str)]) -> Result<String, Refusal> {
    find_token(header, &params(query), &params(form)).map(|token| token.expose_secret().to_owned())
}

const IN_PARAMS: [(&str, &str); 1] = [("access_token", "abc")];

#[test]
fn a_token_comes_in_the_header_or_the_form_rfc6750_2() {
    assert_eq!(find(Some("Bearer abc"), &[], &[]).as_deref(), Ok("abc"));
    assert_eq!(find(Some("bEARER  abc.-_~+/=="), &[], &[]).as_deref(), Ok("abc.-_~+/=="));
    assert_eq!(find(None, &[], &IN_PARAMS).as_deref(), Ok("abc"));
}

#[test]
fn two_tokens_or_one_in_the_query_are_400_invalid_request() {
    for refused in [
        find(Some("Bearer abc"), &[], &IN_PARAMS),
        find(None, &IN_PARAMS, &[]),
        find(Some("Bearer abc"), &IN_PARAMS, &[]),
        find(Some("Bearer a b"), &[], &[]),
        find(Some("Bearer"), &[], &[]),
        find(Some("Bearer ="), &[], &[]),
    ] {
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.status(), 400);
        assert!(refusal.challenge().starts_with("Bearer error=\"invalid_request\""));
    }
}

#[test]
fn no_token_is_401_with_a_bare_challenge_rfc6750_3_1() {
    for header in [None, Some("Basic cnA6cw=="), Some("")] {
        let refusal = find(header, &[], &[]).unwrap_err();
        assert_eq!((refusal.status(), refusal.challenge().as_str(), refusal.body()), (401, "Bearer", None));
    }
}

#[test]
fn a_bad_token_is_401_invalid_token_rfc6750_3_1() {
    let refusal = Refusal::from(OAuthError::new(ErrorCode::InvalidToken, "Expired").with_detail("hidden"));
    assert_eq!(refusal.status(), 401);
    assert_eq!(refusal.challenge(), r#"Bearer error="invalid_token", error_description="Expired""#);
}

#[test]
fn a_narrow_token_is_403_insufficient_scope_and_names_what_is_needed_rfc6750_3_1() {
    assert_eq!(check_scope(&scope("openid email"), "openid"), Ok(()));
    let refusal = check_scope(&scope("email"), "openid").unwrap_err();
    assert_eq!(refusal.status(), 403);
    assert!(refusal.challenge().contains(r#"error="insufficient_scope""#));
    assert!(refusal.challenge().ends_with(r#"scope="openid""#));
}

#[test]
fn a_weak_or_old_login_is_401_and_the_challenge_says_what_is_enough_rfc9470_3() {
    let refused = |acr_values: &[&str], max_age: Option<u32>| Refusal::InsufficientAuthentication {
        acr_values: acr_values.iter().map(|acr| (*acr).to_owned()).collect(),
        max_age: max_age.map(Seconds::new),
    };
    let words = r#"error="insufficient_user_authentication", error_description="This takes a stronger or a more recent authentication of the person""#;
    for (refusal, told) in [
        (refused(&["urn:a", "urn:b"], None), format!(r#"{words}, acr_values="urn:a urn:b""#)),
        (refused(&[], Some(60)), format!(r#"{words}, max_age="60""#)),
        (refused(&["urn:a"], Some(60)), format!(r#"{words}, acr_values="urn:a", max_age="60""#)),
        (refused(&[], None), words.to_owned()),
    ] {
        assert_eq!((refusal.status(), refusal.challenge()), (401, format!("Bearer {told}")));
        assert!(refusal.challenges(Scheme::Dpop)[0].starts_with(&format!("DPoP {told}, algs=")));
        assert_eq!(refusal.body().unwrap()["error"], "insufficient_user_authentication");
    }
}

#[test]
fn both_schemes_are_listed_and_the_one_in_use_says_what_is_wrong_rfc9449_7_1() {
    assert_eq!(find(Some("DPoP abc"), &[], &[]).as_deref(), Ok("abc"));
    assert_eq!((scheme_of(Some("dpop abc")), scheme_of(Some("Bearer abc"))), (Scheme::Dpop, Scheme::Bearer));
    let algorithms = r#"algs="RS256 PS256 ES256 EdDSA""#;
    assert_eq!(Refusal::Missing.challenges(Scheme::Bearer), ["Bearer".to_owned(), format!("DPoP {algorithms}")]);
    let refusal = Refusal::from(OAuthError::new(ErrorCode::UseDpopNonce, "Nonce"));
    assert_eq!(refusal.status(), 401);
    let told = format!(r#"DPoP error="use_dpop_nonce", error_description="Nonce", {algorithms}"#);
    assert_eq!(refusal.challenges(Scheme::Dpop), [told, "Bearer".to_owned()]);
}

proptest! {
    #[test]
    fn an_arbitrary_header_never_panics(header in "\\PC{0,60}") {
        let _ = find(Some(&header), &[], &[]);
        let _ = find(Some(&format!("Bearer {header}")), &[], &[]);
    }
}
