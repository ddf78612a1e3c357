//! The plans: which modules, in which variants.

use crate::suite::{Module, Part, Variant, modules, run_plan};
use crate::{common as c, dynamic as d, logout as l, session as s};

const CODE: Variant = Variant::of("code");
const ID_TOKEN: Variant = Variant::of("id_token");
const ID_TOKEN_TOKEN: Variant = Variant::of("id_token token");
const CODE_ID_TOKEN: Variant = Variant::of("code id_token");
const CODE_TOKEN: Variant = Variant::of("code token");
const CODE_ID_TOKEN_TOKEN: Variant = Variant::of("code id_token token");

/// What every response type is held to.
const EVERYWHERE: &[Module] = modules![
    "oidcc-server" => c::server,
    "oidcc-idtoken-signature" => c::idtoken_signature,
    "oidcc-scope-profile" => c::scope_profile,
    "oidcc-scope-email" => c::scope_email,
    "oidcc-scope-address" => c::scope_address,
    "oidcc-scope-phone" => c::scope_phone,
    "oidcc-scope-all" => c::scope_all,
    "oidcc-alternate-happy-flow" => c::alternate_happy_flow,
    "oidcc-display-page" => c::display_page,
    "oidcc-display-popup" => c::display_popup,
    "oidcc-prompt-login" => [alone] c::prompt_login,
    "oidcc-prompt-none-not-logged-in" => c::prompt_none_not_logged_in,
    "oidcc-prompt-none-logged-in" => [alone] c::prompt_none_logged_in,
    "oidcc-max-age-1" => [alone] c::max_age_1,
    "oidcc-max-age-10000" => [alone] c::max_age_10000,
    "oidcc-ensure-request-with-unknown-parameter-succeeds" => c::ensure_request_with_unknown_parameter_succeeds,
    "oidcc-id-token-hint" => [alone] c::id_token_hint,
    "oidcc-login-hint" => c::login_hint,
    "oidcc-ui-locales" => c::ui_locales,
    "oidcc-claims-locales" => c::claims_locales,
    "oidcc-ensure-request-with-acr-values-succeeds" => c::ensure_request_with_acr_values_succeeds,
    "oidcc-ensure-registered-redirect-uri" => c::ensure_registered_redirect_uri,
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"
        => c::request_uri_unsigned_supported_correctly_or_rejected_as_unsupported,
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported"
        => c::unsigned_request_object_supported_correctly_or_rejected_as_unsupported,
    "oidcc-claims-essential" => c::claims_essential,
    "oidcc-ensure-request-object-with-redirect-uri" => c::ensure_request_object_with_redirect_uri,
];

const WITH_ACCESS_TOKEN: &[Module] = modules![
    "oidcc-userinfo-get" => c::userinfo_get,
    "oidcc-userinfo-post-header" => c::userinfo_post_header,
    "oidcc-userinfo-post-body" => c::userinfo_post_body,
];

const WITH_CODE: &[Module] = modules![
    "oidcc-codereuse" => c::codereuse,
    "oidcc-codereuse-30seconds" => [alone] c::codereuse_30seconds,
    "oidcc-server-client-secret-post" => c::server_client_secret_post,
    "oidcc-refresh-token" => c::refresh_token,
];

/// Asked once a plan: the same for every response type.
const ONCE: &[Module] = modules!["oidcc-response-type-missing" => c::response_type_missing];

const NONCE_OPTIONAL: &[Module] = modules![
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow" => c::ensure_request_without_nonce_succeeds_for_code_flow,
];

const NONCE_REQUIRED: &[Module] = modules![
    "oidcc-ensure-request-without-nonce-fails" => c::ensure_request_without_nonce_fails,
];

const PKCE: &[Module] = modules![
    "oidcc-ensure-request-with-valid-pkce-succeeds" => c::ensure_request_with_valid_pkce_succeeds,
];

const BASIC_ALONE: &[Module] = modules![
    "oidcc-idtoken-unsigned" => c::idtoken_unsigned,
    "oidcc-ensure-post-request-succeeds" => c::ensure_post_request_succeeds,
];

fn basic(code: Variant) -> Vec<Part> {
    [EVERYWHERE, WITH_ACCESS_TOKEN, WITH_CODE, ONCE, NONCE_OPTIONAL, PKCE, BASIC_ALONE]
        .map(|part| (code, part))
        .to_vec()
}

fn implicit(change: fn(Variant) -> Variant) -> Vec<Part> {
    let (alone, both) = (change(ID_TOKEN), change(ID_TOKEN_TOKEN));
    vec![
        (alone, EVERYWHERE),
        (alone, NONCE_REQUIRED),
        (both, EVERYWHERE),
        (both, NONCE_REQUIRED),
        (both, WITH_ACCESS_TOKEN),
        (both, ONCE),
    ]
}

fn hybrid(change: fn(Variant) -> Variant) -> Vec<Part> {
    let types = [CODE_ID_TOKEN, CODE_TOKEN, CODE_ID_TOKEN_TOKEN].map(change);
    let mut parts: Vec<Part> =
        types.into_iter().flat_map(|kind| [(kind, EVERYWHERE), (kind, WITH_ACCESS_TOKEN), (kind, WITH_CODE)]).collect();
    parts.extend([(types[0], NONCE_REQUIRED), (types[1], NONCE_OPTIONAL), (types[2], NONCE_REQUIRED)]);
    parts.extend([(types[0], ONCE), (types[0], PKCE)]);
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn config() {
    let modules = modules!["oidcc-discovery-endpoint-verification" => c::discovery_endpoint_verification];
    run_plan("oidcc-config-certification-test-plan", &[(CODE, modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_op() {
    run_plan("oidcc-basic-certification-test-plan", &basic(CODE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn implicit_op() {
    run_plan("oidcc-implicit-certification-test-plan", &implicit(|kind| kind)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hybrid_op() {
    run_plan("oidcc-hybrid-certification-test-plan", &hybrid(|kind| kind)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form_post_basic_op() {
    run_plan("oidcc-formpost-basic-certification-test-plan", &basic(CODE.form_post())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form_post_implicit_op() {
    run_plan("oidcc-formpost-implicit-certification-test-plan", &implicit(Variant::form_post)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form_post_hybrid_op() {
    run_plan("oidcc-formpost-hybrid-certification-test-plan", &hybrid(Variant::form_post)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_op() {
    let modules = modules![
        "oidcc-idtoken-rs256" => d::idtoken_rs256,
        "oidcc-idtoken-unsigned" => c::idtoken_unsigned,
        "oidcc-userinfo-rs256" => d::userinfo_rs256,
        "oidcc-ensure-redirect-uri-in-authorization-request" => d::ensure_redirect_uri_in_authorization_request,
        "oidcc-redirect-uri-query-OK" => d::redirect_uri_query_ok,
        "oidcc-redirect-uri-query-mismatch" => d::redirect_uri_query_mismatch,
        "oidcc-redirect-uri-query-added" => d::redirect_uri_query_added,
        "oidcc-redirect-uri-regfrag" => d::redirect_uri_regfrag,
        "oidcc-discovery-endpoint-verification" => c::discovery_endpoint_verification,
        "oidcc-server" => c::server,
        "oidcc-registration-logo-uri" => d::registration_logo_uri,
        "oidcc-registration-policy-uri" => d::registration_policy_uri,
        "oidcc-registration-tos-uri" => d::registration_tos_uri,
        "oidcc-registration-jwks-uri" => d::registration_jwks_uri,
        "oidcc-registration-sector-uri" => d::registration_sector_uri,
        "oidcc-registration-sector-bad" => d::registration_sector_bad,
        "oidcc-server-rotate-keys" => d::server_rotate_keys,
        "oidcc-refresh-token-rp-key-rotation" => [alone] d::refresh_token_rp_key_rotation,
        "oidcc-request-uri-unsigned" => d::request_uri_unsigned,
        "oidcc-request-uri-signed-rs256" => d::request_uri_signed_rs256,
        "oidcc-ensure-request-object-with-redirect-uri" => c::ensure_request_object_with_redirect_uri,
        "oidcc-refresh-token" => c::refresh_token,
        "oidcc-ensure-client-assertion-with-iss-aud-succeeds" => d::ensure_client_assertion_with_iss_aud_succeeds,
    ];
    run_plan("oidcc-dynamic-certification-test-plan", &[(CODE.auth("private_key_jwt"), modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn third_party_initiated_login() {
    let modules = modules![
        "oidcc-3rd_party-init-login" => d::third_party_init_login,
        "oidcc-3rd_party-init-login-nohttps" => d::third_party_init_login_nohttps,
    ];
    run_plan("oidcc-3rdparty-init-login-certification-test-plan", &[(CODE, modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rp_initiated_logout() {
    let modules = modules![
        "oidcc-rp-initiated-logout-discovery-endpoint-verification"
            => l::rp_initiated_logout_discovery_endpoint_verification,
        "oidcc-rp-initiated-logout" => l::rp_initiated_logout,
        "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri" => l::rp_initiated_logout_bad_post_logout_redirect_uri,
        "oidcc-rp-initiated-logout-modified-id-token-hint" => l::rp_initiated_logout_modified_id_token_hint,
        "oidcc-rp-initiated-logout-no-id-token-hint" => l::rp_initiated_logout_no_id_token_hint,
        "oidcc-rp-initiated-logout-no-params" => l::rp_initiated_logout_no_params,
        "oidcc-rp-initiated-logout-no-post-logout-redirect-uri" => l::rp_initiated_logout_no_post_logout_redirect_uri,
        "oidcc-rp-initiated-logout-no-state" => l::rp_initiated_logout_no_state,
        "oidcc-rp-initiated-logout-only-state" => l::rp_initiated_logout_only_state,
        "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri"
            => l::rp_initiated_logout_query_added_to_post_logout_redirect_uri,
        "oidcc-rp-initiated-logout-bad-id-token-hint" => l::rp_initiated_logout_bad_id_token_hint,
    ];
    run_plan("oidcc-rp-initiated-logout-certification-test-plan", &[(CODE, modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backchannel_logout() {
    let modules = modules![
        "oidcc-backchannel-logout-discovery-endpoint-verification"
            => l::backchannel_logout_discovery_endpoint_verification,
        "oidcc-backchannel-rp-initiated-logout" => l::backchannel_rp_initiated_logout,
    ];
    run_plan("oidcc-backchannel-rp-initiated-logout-certification-test-plan", &[(CODE, modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frontchannel_logout() {
    let modules = modules![
        "oidcc-frontchannel-logout-discovery-endpoint-verification"
            => l::frontchannel_logout_discovery_endpoint_verification,
        "oidcc-frontchannel-rp-initiated-logout" => l::frontchannel_rp_initiated_logout,
    ];
    run_plan("oidcc-frontchannel-rp-initiated-logout-certification-test-plan", &[(CODE, modules)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_management() {
    let modules = modules![
        "oidcc-session-management-discovery-endpoint-verification"
            => s::session_management_discovery_endpoint_verification,
        "oidcc-session-management-rp-initiated-logout" => s::session_management_rp_initiated_logout,
    ];
    run_plan("oidcc-session-management-certification-test-plan", &[(CODE, modules)]).await;
}
