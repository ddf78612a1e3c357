//! Discovery tells the truth: every value of every member is used over HTTP as it says it can be, and what stands
//! beside each of them unsaid is refused with its registered error. A value without a line in the table fails the test.

mod authorization;
mod clients;
mod endpoints;
mod keys;
mod logout;
mod off;
mod tokens;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use countersign_tests::user_agent::Answer;
use futures_util::FutureExt as _;
use serde_json::Value;

use world::World;

type Deed = for<'a> fn(&'a World, &'a str) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What the document says of one member.
struct Line {
    /// Its name; a member of a member after a dot.
    member: &'static str,
    /// Its values, each a text; addresses with `{issuer}` and `{mtls}` instead of where this demo happens to be.
    values: &'static [&'static str],
    /// Uses a value as it says it can be.
    exercise: Deed,
    /// Values of the same kind that the document does not name.
    siblings: &'static [&'static str],
    /// Sees that such a value is refused.
    refuse: Deed,
}

macro_rules! deed {
    ($($name:tt)+) => { |world, value| Box::pin($($name)+(world, value)) };
}

macro_rules! table {
    ($($member:literal: $values:expr, $exercise:path; $siblings:expr, $refuse:path;)+) => {
        [$(Line {
            member: $member,
            values: &$values,
            exercise: deed!($exercise),
            siblings: &$siblings,
            refuse: deed!($refuse),
        }),+]
    };
}

const KEYS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
/// Registered signature algorithms that are none of ours (RFC 7518, 3.1).
const NOT_KEYS: [&str; 5] = ["none", "HS256", "ES384", "RS512", "bogus"];
/// The same, each with a key that signs by it where there are such keys (RFC 7518, 3.1; RFC 8812, 3.2).
const NOT_PROOFS: [&str; 10] =
    ["none", "HS256", "ES384", "ES512", "ES256K", "RS384", "RS512", "PS384", "PS512", "bogus"];
const ASSERTIONS: [&str; 5] = ["RS256", "PS256", "ES256", "EdDSA", "HS256"];
const NOT_ASSERTIONS: [&str; 5] = ["none", "HS384", "ES384", "RS512", "bogus"];
const METHODS: [&str; 7] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
    "self_signed_tls_client_auth",
    "tls_client_auth",
];
const NOT_METHODS: [&str; 3] = ["client_secret_magic", "attest_jwt_client_auth", "client_secret_Basic"];
const PROVEN: [&str; 6] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "self_signed_tls_client_auth",
    "tls_client_auth",
];
const JWE_ALGS: [&str; 3] = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW"];
const NOT_JWE_ALGS: [&str; 5] = ["RSA1_5", "RSA-OAEP", "dir", "A256KW", "bogus"];
const JWE_ENCS: [&str; 2] = ["A128CBC-HS256", "A256GCM"];
const NOT_JWE_ENCS: [&str; 3] = ["A128GCM", "A256CBC-HS512", "bogus"];
const YES: [&str; 1] = ["true"];
const NONE: [&str; 0] = [];

const TABLE: &[Line] = &table! {
    "issuer": ["{issuer}"], endpoints::issuer; NONE, nothing;
    "authorization_endpoint": ["{issuer}/authorization"], endpoints::authorization;
        ["/authorize", "/auth"], endpoints::absent;
    "token_endpoint": ["{issuer}/token"], endpoints::token; ["/oauth/token", "/token/"], endpoints::absent;
    "userinfo_endpoint": ["{issuer}/userinfo"], endpoints::userinfo; ["/me"], endpoints::absent;
    "jwks_uri": ["{issuer}/jwks"], endpoints::jwks; ["/jwks.json", "/certs"], endpoints::absent;
    "client_id_metadata_document_supported": YES, clients::document; NONE, nothing;
    "registration_endpoint": ["{issuer}/register"], endpoints::registration;
        ["/registration", "/reg"], endpoints::absent;
    "device_authorization_endpoint": ["{issuer}/device_authorization"], endpoints::device;
        ["/device/auth"], endpoints::absent;
    "pushed_authorization_request_endpoint": ["{issuer}/par"], endpoints::pushed; ["/request"], endpoints::absent;
    "introspection_endpoint": ["{issuer}/introspection"], endpoints::introspection;
        ["/introspect"], endpoints::absent;
    "revocation_endpoint": ["{issuer}/revocation"], endpoints::revocation; ["/revoke"], endpoints::absent;
    "end_session_endpoint": ["{issuer}/end_session"], logout::end_session; ["/logout"], endpoints::absent;
    "check_session_iframe": ["{issuer}/check_session"], logout::check_session; ["/session/check"], endpoints::absent;
    "mtls_endpoint_aliases.token_endpoint": ["{mtls}/token"], endpoints::alias; NONE, nothing;
    "mtls_endpoint_aliases.userinfo_endpoint": ["{mtls}/userinfo"], endpoints::alias; NONE, nothing;
    "mtls_endpoint_aliases.pushed_authorization_request_endpoint": ["{mtls}/par"], endpoints::alias; NONE, nothing;
    "mtls_endpoint_aliases.introspection_endpoint": ["{mtls}/introspection"], endpoints::alias; NONE, nothing;
    "mtls_endpoint_aliases.revocation_endpoint": ["{mtls}/revocation"], endpoints::alias; NONE, nothing;
    "mtls_endpoint_aliases.device_authorization_endpoint": ["{mtls}/device_authorization"], endpoints::alias;
        NONE, nothing;

    "scopes_supported": ["openid", "profile", "email", "address", "phone", "offline_access"], authorization::scope;
        ["bogus", "OpenID", "users.read", "groups"], authorization::no_scope;
    "response_types_supported":
        ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
        authorization::response_type;
        ["token", "none", "bogus", "code bogus", "code code"], authorization::no_response_type;
    "response_modes_supported":
        ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"],
        authorization::response_mode;
        ["bogus", "web_message", "cookie", "Query", "bogus.jwt"], authorization::no_response_mode;
    "code_challenge_methods_supported": ["S256"], authorization::challenge_method;
        ["plain", "S512", "s256", ""], authorization::no_challenge_method;
    "prompt_values_supported": ["none", "login", "consent", "select_account", "create"], authorization::prompt;
        ["Create", "bogus", "Login", "login bogus"], authorization::no_prompt;
    "claim_types_supported": ["normal"], authorization::claim_type; NONE, nothing;
    "claims_supported": [
        "iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
        "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "address",
        "phone_number", "phone_number_verified",
    ], authorization::claim; ["groups", "shoe_size", "roles"], authorization::no_claim;
    "claims_parameter_supported": YES, authorization::claims_parameter; NONE, nothing;
    "request_parameter_supported": YES, authorization::request_parameter; NONE, nothing;
    "request_uri_parameter_supported": YES, authorization::request_uri_parameter; NONE, nothing;
    "require_request_uri_registration": YES, authorization::unregistered_request_uri; NONE, nothing;
    "request_object_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA", "none"],
        authorization::request_object; ["HS256", "ES384", "RS512", "bogus"], authorization::no_request_object;
    "authorization_signing_alg_values_supported": KEYS, authorization::signed_response;
        NOT_KEYS, authorization::no_signed_response;
    "require_pushed_authorization_requests": ["false"], authorization::unpushed; NONE, nothing;
    "authorization_response_iss_parameter_supported": YES, authorization::iss; NONE, nothing;
    "acr_values_supported": [
        "urn:countersign:acr:federated", "urn:countersign:acr:federated-totp", "urn:countersign:acr:passkey",
        "urn:countersign:acr:password", "urn:countersign:acr:password-email", "urn:countersign:acr:password-phone",
        "urn:countersign:acr:password-recovery", "urn:countersign:acr:password-totp",
        "urn:countersign:acr:step-up-totp",
    ], authorization::acr; ["urn:countersign:acr:magic", "0", "phr"], authorization::no_acr;
    "ui_locales_supported": ["en", "es"], authorization::locale; ["fr", "tlh"], authorization::no_locale;

    "grant_types_supported": [
        "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit",
    ], tokens::grant; [
        "password", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:uma-ticket", "Authorization_Code", "bogus",
    ], tokens::no_grant;
    "dpop_signing_alg_values_supported": KEYS, tokens::dpop; NOT_PROOFS, tokens::no_dpop;
    "tls_client_certificate_bound_access_tokens": YES, tokens::certificate_bound; NONE, nothing;
    "token_endpoint_auth_methods_supported": METHODS, clients::token_auth; NOT_METHODS, clients::no_auth_method;
    "token_endpoint_auth_signing_alg_values_supported": ASSERTIONS, clients::token_assertion;
        NOT_ASSERTIONS, clients::no_token_assertion;
    "introspection_endpoint_auth_methods_supported": PROVEN, clients::introspection_auth;
        ["none"], clients::no_introspection_auth;
    "introspection_endpoint_auth_signing_alg_values_supported": ASSERTIONS, clients::introspection_assertion;
        NOT_ASSERTIONS, clients::no_introspection_assertion;
    "introspection_signing_alg_values_supported": KEYS, clients::signed_introspection;
        NOT_KEYS, clients::no_signed_introspection;
    "revocation_endpoint_auth_methods_supported": METHODS, clients::revocation_auth; NONE, nothing;
    "revocation_endpoint_auth_signing_alg_values_supported": ASSERTIONS, clients::revocation_assertion;
        NOT_ASSERTIONS, clients::no_revocation_assertion;
    "subject_types_supported": ["public", "pairwise"], clients::subject_type;
        ["ephemeral", "bogus"], clients::no_subject_type;
    "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA", "none"], clients::id_token_alg;
        ["HS256", "ES384", "RS512", "bogus"], clients::no_id_token_alg;
    "userinfo_signing_alg_values_supported": KEYS, clients::userinfo_alg;
        ["HS256", "ES384", "RS512", "bogus"], clients::no_userinfo_alg;
    "id_token_encryption_alg_values_supported": JWE_ALGS, clients::id_token_jwe_alg;
        NOT_JWE_ALGS, clients::no_id_token_jwe_alg;
    "id_token_encryption_enc_values_supported": JWE_ENCS, clients::id_token_jwe_enc;
        NOT_JWE_ENCS, clients::no_id_token_jwe_enc;
    "userinfo_encryption_alg_values_supported": JWE_ALGS, clients::userinfo_jwe_alg;
        NOT_JWE_ALGS, clients::no_userinfo_jwe_alg;
    "userinfo_encryption_enc_values_supported": JWE_ENCS, clients::userinfo_jwe_enc;
        NOT_JWE_ENCS, clients::no_userinfo_jwe_enc;

    "backchannel_logout_supported": YES, logout::back_channel; NONE, nothing;
    "backchannel_logout_session_supported": YES, logout::back_channel; NONE, nothing;
    "frontchannel_logout_supported": YES, logout::front_channel; NONE, nothing;
    "frontchannel_logout_session_supported": YES, logout::front_channel; NONE, nothing;
};

async fn nothing(_: &World, _: &str) {}

type Said = BTreeMap<String, BTreeSet<String>>;

/// What a document says, as the table writes it.
fn said(world: &World) -> Said {
    let mut said = Said::new();
    for (name, value) in world.metadata.as_object().unwrap() {
        note(world, name, value, &mut said);
    }
    said
}

fn note(world: &World, name: &str, value: &Value, said: &mut Said) {
    match value {
        Value::Object(members) => {
            for (inner, value) in members {
                note(world, &format!("{name}.{inner}"), value, said);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| note(world, name, value, said)),
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mtls = world.endpoint("mtls_endpoint_aliases.token_endpoint").trim_end_matches("/token");
            let text = text.replace(mtls, "{mtls}").replace(&world.provider.demo.issuer, "{issuer}");
            assert!(said.entry(name.to_owned()).or_default().insert(text.clone()), "{name}: {text} twice");
        }
    }
}

fn expected() -> Said {
    let owned = |line: &Line| line.values.iter().map(|value| (*value).to_owned()).collect();
    let said: Said = TABLE.iter().map(|line| (line.member.to_owned(), owned(line))).collect();
    assert_eq!(said.len(), TABLE.len(), "a member stands twice in the table");
    said
}

#[tokio::test]
async fn every_value_that_is_advertised_works() {
    let world = World::start().await;
    let second = world.provider.url("/.well-known/oauth-authorization-server");
    assert_eq!(Answer::to(world.provider.http.get(second)).await.json(), world.metadata, "both documents");
    // Whatever discovery gains needs a line here, and whatever it loses has none.
    assert_eq!(said(&world), expected());
    let mut lies = Vec::new();
    for line in TABLE {
        for value in line.values {
            if AssertUnwindSafe((line.exercise)(&world, value)).catch_unwind().await.is_err() {
                lies.push(format!("{}: {value}", line.member));
            }
        }
    }
    assert!(lies.is_empty(), "advertised, and not done: {lies:#?}");
}

#[tokio::test]
async fn what_stands_beside_it_unsaid_is_refused() {
    let world = World::start().await;
    let said = said(&world);
    let mut done = Vec::new();
    for line in TABLE {
        for sibling in line.siblings {
            assert!(!said[line.member].contains(*sibling), "{}: {sibling} is advertised", line.member);
            if AssertUnwindSafe((line.refuse)(&world, sibling)).catch_unwind().await.is_err() {
                done.push(format!("{}: {sibling}", line.member));
            }
        }
    }
    assert!(done.is_empty(), "not advertised, and not refused: {done:#?}");
}
