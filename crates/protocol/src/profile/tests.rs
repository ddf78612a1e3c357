use super::*;
use crate::testing::{authorize, client};

const PUSHED: Arrival = Arrival { pushed: true, signed: false };
const SIGNED: Arrival = Arrival { pushed: true, signed: true };

fn held(profile: SecurityProfile) -> Client {
    Client { profile: Some(profile), ..client() }
}

fn request() -> AuthorizationRequest {
    authorize(&client(), &[]).unwrap()
}

#[test]
fn requests_are_pushed_for_a_code_with_a_challenge_fapi2_5_3_2_2() {
    let client = held(SecurityProfile::Fapi2Security);
    assert!(check_request(&client, &request(), PUSHED).is_ok());
    assert!(check_request(&client, &request(), Arrival::default()).is_err());
    let implicit = AuthorizationRequest { response_type: crate::ResponseType::ALL[1], ..request() };
    assert_eq!(check_request(&client, &implicit, PUSHED).unwrap_err().code, ErrorCode::UnauthorizedClient);
    let open = AuthorizationRequest { code_challenge: None, ..request() };
    assert!(check_request(&client, &open, PUSHED).is_err());
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    assert!(authorize(&client, &without).is_err());
    let uris = vec!["http://localhost/cb".to_owned()];
    let local = Client { redirect_uris: uris, ..client.clone() };
    let plain = authorize(&Client { profile: None, ..local.clone() }, &[("redirect_uri", "http://localhost/cb")]);
    assert!(check_request(&local, &plain.unwrap(), PUSHED).is_err());
    assert!(check_request(&super::Client { profile: None, ..client }, &request(), Arrival::default()).is_ok());
}

#[test]
fn message_signing_needs_signed_requests_and_answers_as_registered() {
    let client = held(SecurityProfile::Fapi2MessageSigning);
    assert!(check_request(&client, &request(), PUSHED).is_err());
    assert!(check_request(&client, &request(), SIGNED).is_ok());
    let mut signed = client;
    signed.responses.authorization_alg = Some(SigningAlgorithm::ES256);
    assert!(check_request(&signed, &request(), SIGNED).is_err());
    let jwt = AuthorizationRequest { response_mode: crate::ResponseMode::QueryJwt, ..request() };
    assert!(check_request(&signed, &jwt, SIGNED).is_ok());
}

#[test]
fn keys_prove_the_client_and_bind_its_tokens_fapi2_5_3_2_1() {
    let client = held(SecurityProfile::Fapi2Security);
    for method in AuthMethod::ALL {
        let strong = matches!(
            method,
            AuthMethod::PrivateKeyJwt | AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth
        );
        assert_eq!(check_method(&client, method).is_ok(), strong, "{method:?}");
        assert!(check_method(&super::Client { profile: None, ..client.clone() }, method).is_ok());
    }
    assert!(check_binding(&client, false).is_err() && check_binding(&client, true).is_ok());
    assert_eq!(code_lifetime(&client, Seconds::minutes(5)), Seconds::new(60));
    assert_eq!(code_lifetime(&client, Seconds::new(30)), Seconds::new(30));
    assert!(!allows_algorithm(&client, SigningAlgorithm::RS256) && allows_algorithm(&client, SigningAlgorithm::PS256));
    assert_eq!(response_algorithm(&client), SigningAlgorithm::PS256);
}
