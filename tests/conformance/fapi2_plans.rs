//! The FAPI 2.0 plans for OpenID Providers, plain FAPI with OpenID Connect and private_key_jwt: which modules, in which
//! variants. The plan of Message Signing runs those of the Security Profile again, with signed requests and answers.

use std::collections::BTreeSet;

use crate::suite::{Binding, Module, Part, Variant, modules, run_plan};
use crate::{fapi2 as f, fapi2_dpop as p, fapi2_objects as o};

/// What every variant is held to.
const SHARED: &[Module] = modules![
    "fapi2-security-profile-final-discovery-end-point-verification" => f::discovery_end_point_verification,
    "fapi2-security-profile-final-happy-flow" => f::happy_flow,
    "fapi2-security-profile-final-user-rejects-authentication" => f::user_rejects_authentication,
    "fapi2-security-profile-final-ensure-authorization-request-without-state-success"
        => f::ensure_authorization_request_without_state_success,
    "fapi2-security-profile-final-ensure-authorization-request-without-nonce-success"
        => f::ensure_authorization_request_without_nonce_success,
    "fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success"
        => f::ensure_authorization_request_with_64_char_nonce_success,
    "fapi2-security-profile-final-ensure-other-scope-order-succeeds" => f::ensure_other_scope_order_succeeds,
    "fapi2-security-profile-final-test-claims-parameter-identity-claims" => f::test_claims_parameter_identity_claims,
    "fapi2-security-profile-final-access-token-type-header-case-sensitivity"
        => f::access_token_type_header_case_sensitivity,
    "fapi2-security-profile-final-ensure-different-nonce-inside-and-outside-request-object"
        => f::ensure_different_nonce_inside_and_outside_request_object,
    "fapi2-security-profile-final-ensure-different-state-inside-and-outside-request-object"
        => f::ensure_different_state_inside_and_outside_request_object,
    "fapi2-security-profile-final-ensure-authorization-request-with-long-nonce"
        => f::ensure_authorization_request_with_long_nonce,
    "fapi2-security-profile-final-ensure-authorization-request-with-long-state"
        => f::ensure_authorization_request_with_long_state,
    "fapi2-security-profile-final-state-only-outside-request-object-not-used"
        => f::state_only_outside_request_object_not_used,
    "fapi2-security-profile-final-ensure-request-object-without-redirect-uri-fails"
        => f::ensure_request_object_without_redirect_uri_fails,
    "fapi2-security-profile-final-plain-fapi-tolerate-unregistered-redirect-uri"
        => f::plain_fapi_tolerate_unregistered_redirect_uri,
    "fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails"
        => f::ensure_unsigned_authorization_request_without_using_par_fails,
    "fapi2-security-profile-final-ensure-redirect-uri-in-authorization-request"
        => f::ensure_redirect_uri_in_authorization_request,
    "fapi2-security-profile-final-ensure-response-type-code-idtoken-fails" => f::ensure_response_type_code_idtoken_fails,
    "fapi2-security-profile-final-ensure-response-type-token-fails" => f::ensure_response_type_token_fails,
    "fapi2-security-profile-final-ensure-client-id-in-token-endpoint" => f::ensure_client_id_in_token_endpoint,
    "fapi2-security-profile-final-ensure-holder-of-key-required" => f::ensure_holder_of_key_required,
    "fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client"
        => f::ensure_authorization_code_is_bound_to_client,
    "fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second"
        => [alone] f::attempt_reuse_authorization_code_after_one_second,
    "fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code"
        => [alone] f::ensure_token_endpoint_fails_with_expired_auth_code,
    "fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails"
        => f::ensure_signed_client_assertion_with_rs256_fails,
    "fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint"
        => f::ensure_client_assertion_in_token_endpoint,
    "fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails"
        => f::ensure_client_assertion_with_exp_is_5_minutes_in_past_fails,
    "fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails"
        => f::ensure_client_assertion_with_wrong_aud_fails,
    "fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails"
        => f::ensure_client_assertion_with_no_sub_fails,
    "fapi2-security-profile-final-refresh-token" => f::refresh_token,
    "fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds"
        => f::par_ensure_reused_request_uri_prior_to_auth_completion_succeeds,
    "fapi2-security-profile-final-par-attempt-reuse-request_uri" => f::par_attempt_reuse_request_uri,
    "fapi2-security-profile-final-par-attempt-to-use-expired-request_uri"
        => [alone] f::par_attempt_to_use_expired_request_uri,
    "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted"
        => f::par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted,
    "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails"
        => f::par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails,
    "fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client"
        => f::par_attempt_to_use_request_uri_for_different_client,
    "fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param"
        => f::par_authorization_request_containing_request_uri_form_param,
    "fapi2-security-profile-final-par-attempt-invalid-http-method" => f::par_attempt_invalid_http_method,
    "fapi2-security-profile-final-par-ensure-pkce-required" => f::par_ensure_pkce_required,
    "fapi2-security-profile-final-ensure-pkce-code-verifier-required" => f::ensure_pkce_code_verifier_required,
    "fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected" => f::incorrect_pkce_code_verifier_rejected,
    "fapi2-security-profile-final-par-plain-pkce-rejected" => f::par_plain_pkce_rejected,
    "fapi2-security-profile-final-par-without-duplicate-parameters" => f::par_without_duplicate_parameters,
    "fapi2-security-profile-final-par-test-array-as-audience-fails" => f::par_test_array_as_audience_fails,
    "fapi2-security-profile-final-par-test-par-endpoint-url-as-audience-fails"
        => f::par_test_par_endpoint_url_as_audience_fails,
    "fapi2-security-profile-final-par-test-token-endpoint-url-as-audience-fails"
        => f::par_test_token_endpoint_url_as_audience_fails,
];

/// Of tokens bound to the key of a proof.
const PROOFS: &[Module] = modules![
    "fapi2-security-profile-final-check-dpop-proof-nbf-exp" => p::check_dpop_proof_nbf_exp,
    "fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-before-succeeds"
        => p::ensure_dpopproof_with_iat_10seconds_before_succeeds,
    "fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-after-succeeds"
        => p::ensure_dpopproof_with_iat_10seconds_after_succeeds,
    "fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails" => p::ensure_mismatched_dpop_jkt_fails,
    "fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt"
        => p::ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt,
    "fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt"
        => p::ensure_token_endpoint_fails_with_mismatched_dpop_jkt,
    "fapi2-security-profile-final-ensure-dpopproof-at-par-endpoint-binding-success"
        => p::ensure_dpopproof_at_par_endpoint_binding_success,
    "fapi2-security-profile-final-ensure-dpop-auth-code-binding-success" => p::ensure_dpop_auth_code_binding_success,
    "fapi2-security-profile-final-dpop-negative-tests" => p::dpop_negative_tests,
];

/// Of the profiles that countries made of it.
const ELSEWHERE: [(&str, &str); 6] = [
    (
        "fapi2-security-profile-final-ensure-registered-redirect-uri",
        "it has plain-fapi-tolerate-unregistered-redirect-uri instead",
    ),
    ("fapi2-security-profile-final-australia-connectid-ensure-invalid-purpose-fails", CONNECT_ID),
    ("fapi2-security-profile-final-australia-connectid-test-claims-parameter-idtoken-identity-claims", CONNECT_ID),
    ("fapi2-security-profile-final-ensure-server-handles-non-matching-intent-id", "of Open Banking UK alone"),
    ("fapi2-security-profile-final-test-essential-acr-sca-claim", "of Open Banking UK alone"),
    ("fapi2-security-profile-final-brazil-ensure-bad-payment-signature-fails", "of Open Finance Brazil alone"),
];

/// Of the same, about signed requests.
const OBJECTS_ELSEWHERE: [(&str, &str); 2] = [
    ("fapi2-security-profile-final-australia-connectid-ensure-request-object-with-exp-over-10-fails", CONNECT_ID),
    ("fapi2-security-profile-final-australia-connectid-ensure-request-object-with-nbf-over-15-fails", CONNECT_ID),
];

const CONNECT_ID: &str = "of ConnectID Australia alone";

/// What the suite's lists have and its variants do not run (`@VariantNotApplicable`): the module, where, and why.
pub fn left_out() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let elsewhere = ELSEWHERE.into_iter().chain(OBJECTS_ELSEWHERE).map(|(name, why)| (name, "of plain FAPI", why));
    elsewhere.chain(PROOFS.iter().map(|module| (module.name, "of mTLS", "tokens are bound to a certificate there")))
}

/// Of signed requests.
const OBJECTS: &[Module] = modules![
    "fapi2-security-profile-final-ensure-request-object-with-multiple-aud-succeeds"
        => o::ensure_request_object_with_multiple_aud_succeeds,
    "fapi2-security-profile-final-ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted"
        => o::ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted,
    "fapi2-security-profile-final-ensure-request-object-without-exp-fails" => o::ensure_request_object_without_exp_fails,
    "fapi2-security-profile-final-ensure-request-object-without-nbf-fails" => o::ensure_request_object_without_nbf_fails,
    "fapi2-security-profile-final-ensure-expired-request-object-fails" => o::ensure_expired_request_object_fails,
    "fapi2-security-profile-final-ensure-request-object-with-bad-aud-fails"
        => o::ensure_request_object_with_bad_aud_fails,
    "fapi2-security-profile-final-ensure-request-object-with-exp-over-60-fails"
        => o::ensure_request_object_with_exp_over_60_fails,
    "fapi2-security-profile-final-ensure-request-object-with-nbf-over-60-fails"
        => o::ensure_request_object_with_nbf_over_60_fails,
    "fapi2-security-profile-final-ensure-signed-request-object-with-RS256-fails"
        => o::ensure_signed_request_object_with_rs256_fails,
    "fapi2-security-profile-final-ensure-request-object-signature-algorithm-is-not-none"
        => o::ensure_request_object_signature_algorithm_is_not_none,
    "fapi2-security-profile-final-ensure-request-object-with-invalid-signature-fails"
        => o::ensure_request_object_with_invalid_signature_fails,
    "fapi2-security-profile-final-ensure-matching-key-in-authorization-request"
        => o::ensure_matching_key_in_authorization_request,
    "fapi2-security-profile-final-ensure-unsigned-request-at-par-endpoint-fails"
        => o::ensure_unsigned_request_at_par_endpoint_fails,
    "fapi2-security-profile-final-par-authorization-request-containing-request_uri"
        => o::par_authorization_request_containing_request_uri,
];

fn security_profile(change: fn(Variant) -> Variant) -> Vec<Part> {
    let (dpop, mtls) = (change(Variant::fapi(Binding::Dpop)), change(Variant::fapi(Binding::Mtls)));
    vec![(dpop, SHARED), (dpop, PROOFS), (mtls, SHARED)]
}

/// The suite lists 62 modules in the one plan and 78 in the other: each is run, or left out as the suite does.
fn assert_whole(parts: &[Part], elsewhere: &[(&str, &str)], count: usize) {
    let run = parts.iter().flat_map(|(_, modules)| modules.iter().map(|module| module.name));
    let names: BTreeSet<&str> = run.chain(elsewhere.iter().map(|(name, _)| *name)).collect();
    assert_eq!(names.len(), count);
    assert!(elsewhere.iter().all(|(name, _)| left_out().any(|(known, ..)| known == *name)), "told");
}

#[tokio::test(flavor = "multi_thread")]
async fn fapi2_security_profile() {
    let parts = security_profile(|variant| variant);
    assert_whole(&parts, &ELSEWHERE, 62);
    run_plan("fapi2-security-profile-final-test-plan", &parts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fapi2_message_signing() {
    let mut parts = security_profile(Variant::signed);
    for binding in [Binding::Dpop, Binding::Mtls] {
        parts.push((Variant::fapi(binding).signed(), OBJECTS));
    }
    assert_whole(&parts, &[&ELSEWHERE[..], &OBJECTS_ELSEWHERE].concat(), 78);
    run_plan("fapi2-message-signing-final-test-plan", &parts).await;
}
