use countersign_model::RequestedClaims;

use super::*;
use crate::testing::{NOW, PLAIN, account, client, grant, issuer, key, other_client};
use crate::{access_token, jws};

fn terms(issuer: &Issuer) -> Terms<'_> {
    let algorithm = Some(SigningAlgorithm::RS256);
    let tied = Tied { access_token: Some("at"), ..Tied::default() };
    Terms { issuer, lifetime: Seconds::minutes(5), nonce: Some("n-0S6_WzA2Mj"), tied, algorithm, naming: &PLAIN }
}

#[test]
fn the_claims_are_those_of_core_2() {
    let (issuer, grant) = (issuer(), grant("openid email profile"));
    let expected = json!({
        "iss": "https://op.example", "sub": grant.authentication.user, "aud": "rp", "azp": "rp",
        "exp": 1_800_000_300, "iat": 1_800_000_000, "auth_time": 1_799_999_900, "nonce": "n-0S6_WzA2Mj",
        "acr": "urn:acr:email", "amr": ["pwd", "otp"], "sid": grant.authentication.session,
        "at_hash": left_half_hash(SigningAlgorithm::RS256, "at"),
    });
    assert_eq!(Value::Object(claims(&account(), &grant, &terms(&issuer), NOW)), expected);
}

#[test]
fn a_refreshed_token_has_no_nonce_and_the_same_auth_time_core_12_2() {
    let issuer = issuer();
    let refreshed = claims(&account(), &grant("openid"), &Terms { nonce: None, ..terms(&issuer) }, NOW);
    assert!(!refreshed.contains_key("nonce"));
    assert_eq!(refreshed["auth_time"], 1_799_999_900);
}

#[test]
fn claims_asked_for_by_name_are_in_it_and_never_replace_its_own_core_5_5() {
    let mut grant = grant("openid");
    let id_token = ["email", "name", "sub", "iss", "picture"].map(str::to_owned).to_vec();
    grant.claims = RequestedClaims { userinfo: vec!["given_name".to_owned()], id_token };
    let issuer = issuer();
    let claims = claims(&account(), &grant, &terms(&issuer), NOW);
    assert_eq!((&claims["email"], &claims["name"]), (&json!("alice@example.com"), &json!("Alice Archer")));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("https://op.example"), &json!(account().user.id.as_str())));
    assert!(!claims.contains_key("picture") && !claims.contains_key("given_name"));
}

#[test]
fn at_hash_is_the_left_half_of_the_hash_of_its_algorithm_core_3_1_3_6() {
    // Core, appendix A.3: the access token of the example and its at_hash.
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(left_half_hash(SigningAlgorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(left_half_hash(SigningAlgorithm::ES256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(left_half_hash(SigningAlgorithm::EdDSA, token).len(), 43);
}

#[test]
fn what_travels_with_it_is_tied_to_it_core_3_3_2_11() {
    let (issuer, grant) = (issuer(), grant("openid email"));
    let tied = Tied { access_token: Some("at"), code: Some("c"), state: Some("s") };
    let all = claims(&account(), &grant, &Terms { tied, ..terms(&issuer) }, NOW);
    let hash = |text| json!(left_half_hash(SigningAlgorithm::RS256, text));
    assert_eq!((&all["at_hash"], &all["c_hash"], &all["s_hash"]), (&hash("at"), &hash("c"), &hash("s")));
    assert!(!all.contains_key("email"), "there is a token for UserInfo");
    let tied = Tied { code: Some("c"), ..Tied::default() };
    let with_code = claims(&account(), &grant, &Terms { tied, ..terms(&issuer) }, NOW);
    assert!(!with_code.contains_key("email"), "there will be one");
}

#[test]
fn without_an_access_token_the_claims_of_the_scopes_are_in_it_core_5_4() {
    let (issuer, grant) = (issuer(), grant("openid email"));
    let alone = claims(&account(), &grant, &Terms { tied: Tied::default(), ..terms(&issuer) }, NOW);
    assert_eq!(alone["email"], "alice@example.com");
    assert!(!alone.contains_key("name") && !alone.contains_key("at_hash") && !alone.contains_key("c_hash"));
}

#[test]
fn a_hint_must_be_an_id_token_of_ours_for_this_client() {
    let (issuer, client) = (issuer(), client());
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let (stranger, _) = key(SigningAlgorithm::ES256, "k1");
    let keys = [stored];
    let claims = claims(&account(), &grant("openid"), &terms(&issuer), NOW);
    let hint = private.sign(TYPE, &claims).unwrap();
    let identity = verify_id_token_hint(&hint, &keys, &issuer, &client.id).unwrap();
    assert_eq!(identity.subject, account().user.id.as_str());
    assert!(identity.session.is_some());
    let refused = |token: &str, issuer: &Issuer, client: &ClientId| {
        verify_id_token_hint(token, &keys, issuer, client).unwrap_err().code == ErrorCode::InvalidRequest
    };
    assert!(refused(&hint, &issuer, &other_client().id));
    assert!(refused(&hint, &"https://other.example".parse().unwrap(), &client.id));
    assert!(refused(&stranger.sign(TYPE, &claims).unwrap(), &issuer, &client.id));
    assert!(refused(&private.sign(access_token::TYPE, &claims).unwrap(), &issuer, &client.id));
    assert!(refused("", &issuer, &client.id));
}

#[test]
fn a_client_from_b2c_is_told_which_policy_ran() {
    let names = [("email".to_owned(), "B2C_1_signin".to_owned())].into();
    let told = |naming: &PolicyNaming| {
        let issuer = issuer();
        claims(&account(), &grant("openid"), &Terms { naming, ..terms(&issuer) }, NOW)
    };
    let plain = told(&PLAIN);
    assert_eq!((plain.get("tfp"), &plain["acr"]), (None, &json!("urn:acr:email")));
    let by_id = told(&PolicyNaming { tfp: true, ..PolicyNaming::default() });
    assert_eq!((&by_id["tfp"], &by_id["acr"]), (&json!("email"), &json!("urn:acr:email")));
    let renamed = told(&PolicyNaming { tfp: true, acr: true, names });
    assert_eq!((&renamed["tfp"], &renamed["acr"]), (&json!("B2C_1_signin"), &json!("B2C_1_signin")));
}

#[test]
fn clients_of_two_sectors_can_not_compare_sessions_core_8_1() {
    let told = |subject: Option<&str>| {
        let subject = subject.map(str::to_owned);
        told_session(&countersign_model::Authentication { subject, ..grant("openid").authentication })
    };
    let (one, other) = (told(Some("one")), told(Some("other")));
    assert!(one != other && one != told(None) && other != told(None));
    assert_eq!((one, told(None).as_str()), (told(Some("one")), grant("openid").authentication.session.as_str()));
}

#[test]
fn an_unsigned_token_ties_nothing_and_is_for_clients_that_asked_while_it_is_on_core_2() {
    let issuer = issuer();
    let said = claims(&account(), &grant("openid"), &Terms { algorithm: None, ..terms(&issuer) }, NOW);
    assert!(!said.contains_key("at_hash"), "a hash of which algorithm?");
    let token = jws::write_unsigned(TYPE, &said);
    let read = jws::read_unsigned(&token).unwrap();
    assert_eq!((read.typ.as_deref(), read.algorithm, &read.claims), (Some(TYPE), None, &said));
    let (_, signing) = key(SigningAlgorithm::RS256, "k1");
    assert!(verify_id_token_hint(&token, &[signing], &issuer, &client().id).is_err(), "no hint either");

    let mut asks = client();
    asks.responses.unsigned_id_token = true;
    assert_eq!(algorithm(&asks, Features::ALL), None);
    assert_eq!(algorithm(&asks, Features::SAFE), Some(SigningAlgorithm::RS256), "off by default");
    let off = Client { off: vec![countersign_model::Feature::UnsignedIdTokens], ..asks };
    assert_eq!(algorithm(&off, Features::ALL), Some(SigningAlgorithm::RS256));
    assert_eq!(algorithm(&client(), Features::ALL), Some(SigningAlgorithm::RS256));
}
