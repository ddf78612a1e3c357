use proptest::prelude::*;

use super::*;
use crate::testing::{NOW, SECRET_HASH, basic, client, later, params, public_client};

const WRONG_HASH: KeyedHash = [9; 32];

fn none() -> Params {
    Params::default()
}

fn parse(header: Option<&str>, form: &[(&str, &str)]) -> Result<Presented, OAuthError> {
    Presented::parse(header, &none(), &params(form))
}

#[test]
fn basic_is_decoded_as_rfc6749_2_3_1_says() {
    let encoded = basic("a%3Ab", "s+e%2Bcret%25");
    let presented = parse(Some(&encoded), &[]).unwrap();
    assert_eq!(presented.client().unwrap().as_str(), "a:b");
    assert_eq!(secrecy::ExposeSecret::expose_secret(presented.secret().unwrap()), "s e+cret%");
    assert!(parse(Some(&encoded.replace("Basic", "bAsIc")), &[]).is_ok());
}

#[test]
fn a_broken_or_foreign_header_is_invalid_client_with_a_challenge() {
    let unpadded = basic("rp", "secrets").trim_end_matches('=').to_owned();
    let long = basic("rp", &"s".repeat(5000));
    for header in ["", "Basic", "Basic !!!", "Basic cnA=", "Bearer abc", "Basic cnA6%", &unpadded, &long] {
        let error = parse(Some(header), &[]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidClient, "{header}");
        assert!(error.token_status().www_authenticate.is_some(), "{header}");
    }
}

#[test]
fn more_than_one_mechanism_is_invalid_request_rfc6749_2_3() {
    let header = basic("rp", "secret");
    let assertion = ("client_assertion", "x.y.z");
    for (header, form) in [
        (Some(header.as_str()), vec![("client_id", "rp"), ("client_secret", "secret")]),
        (Some(header.as_str()), vec![("client_secret", "secret")]),
        (Some(header.as_str()), vec![assertion]),
        (None, vec![("client_id", "rp"), ("client_secret", "secret"), assertion]),
    ] {
        assert_eq!(parse(header, &form).unwrap_err().code, ErrorCode::InvalidRequest, "{form:?}");
    }
}

#[test]
fn basic_with_the_same_client_id_in_the_body_is_one_mechanism() {
    let header = basic("rp", "secret");
    assert!(parse(Some(&header), &[("client_id", "rp")]).is_ok());
    let error = parse(Some(&header), &[("client_id", "other")]).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
}

#[test]
fn a_secret_in_the_query_is_refused_rfc6749_2_3_1() {
    let query = params(&[("client_secret", "secret"), ("client_id", "rp")]);
    assert_eq!(Presented::parse(None, &query, &none()).unwrap_err().code, ErrorCode::InvalidRequest);
}

#[test]
fn no_credentials_and_assertions_are_invalid_client_without_a_challenge() {
    for form in [vec![], vec![("client_secret", "secret")], vec![("client_assertion", "x.y.z"), ("client_id", "rp")]] {
        let error = parse(None, &form).unwrap_err();
        assert_eq!(error.token_status(), crate::TokenErrorStatus { status: 401, www_authenticate: None }, "{form:?}");
    }
}

fn check_form(client: Option<&Client>, form: &[(&str, &str)], hash: Option<&KeyedHash>) -> Result<(), OAuthError> {
    check(client, &parse(None, form).unwrap(), hash, NOW).map(|_| ())
}

#[test]
fn every_failure_looks_the_same() {
    let known = client();
    let disabled = Client { disabled: true, ..client() };
    let basic_only = Client { auth_methods: vec![AuthMethod::ClientSecretBasic], ..client() };
    let form = [("client_id", "rp"), ("client_secret", "secret")];
    let alone = [("client_id", "rp")];
    let cases = [
        check_form(None, &form, Some(&SECRET_HASH)),
        check_form(Some(&known), &form, Some(&WRONG_HASH)),
        check_form(Some(&known), &form, None),
        check_form(Some(&known), &alone, None),
        check_form(Some(&disabled), &form, Some(&SECRET_HASH)),
        check_form(Some(&basic_only), &form, Some(&SECRET_HASH)),
        check_form(Some(&public_client()), &form, Some(&SECRET_HASH)),
        check_form(Some(&known), &[("client_id", "another"), ("client_secret", "secret")], Some(&SECRET_HASH)),
        check_form(Some(&known), &[("client_id", "a b"), ("client_secret", "secret")], Some(&SECRET_HASH)),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let error = case.unwrap_err();
        assert_eq!(error.body(), failed("", false).body(), "case {index}");
        assert_eq!(error.token_status().status, 401, "case {index}");
    }
}

#[test]
fn each_registered_method_proves_its_client() {
    let (confidential, public) = (client(), public_client());
    let presented = parse(Some(&basic("rp", "secret")), &[]).unwrap();
    let proven = check(Some(&confidential), &presented, Some(&SECRET_HASH), NOW).unwrap();
    assert!(proven.is_confidential() && proven.client().id == confidential.id);
    assert!(
        check_form(Some(&confidential), &[("client_id", "rp"), ("client_secret", "s")], Some(&SECRET_HASH)).is_ok()
    );
    let presented = parse(None, &[("client_id", "rp")]).unwrap();
    assert!(!check(Some(&public), &presented, None, NOW).unwrap().is_confidential());
}

#[test]
fn a_public_client_that_sends_a_secret_is_refused() {
    let public = public_client();
    let form = [("client_id", "rp"), ("client_secret", "anything")];
    assert_eq!(check_form(Some(&public), &form, Some(&SECRET_HASH)).unwrap_err().code, ErrorCode::InvalidClient);
    let presented = parse(Some(&basic("rp", "")), &[]).unwrap();
    assert!(check(Some(&public), &presented, Some(&SECRET_HASH), NOW).is_err());
}

#[test]
fn two_secrets_may_live_at_once_and_an_expired_one_is_dead() {
    let mut rotating = client();
    let mut old = rotating.secrets[0].clone();
    (old.hash, old.expires_at) = ([8; 32], Some(later(10)));
    rotating.secrets.push(old);
    let presented = parse(Some(&basic("rp", "secret")), &[]).unwrap();
    let at = |hash: &KeyedHash, now| check(Some(&rotating), &presented, Some(hash), now).is_ok();
    assert!(at(&SECRET_HASH, NOW) && at(&[8; 32], NOW));
    assert!(at(&SECRET_HASH, later(10)) && !at(&[8; 32], later(10)));
}

proptest! {
    #[test]
    fn an_arbitrary_header_never_panics(header in "\\PC{0,80}", credentials in "[A-Za-z0-9+/=%]{0,80}") {
        let _ = parse(Some(&header), &[]);
        let _ = parse(Some(&format!("Basic {credentials}")), &[]);
    }
}
