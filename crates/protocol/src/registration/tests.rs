use countersign_model::{SigningAlgorithm, SubjectType};

use super::*;
use crate::testing::{NOW, scope};

fn register(registrant: Registrant, allowed: &str, metadata: &Value) -> Result<Client, MetadataError> {
    let capabilities = Capabilities { features: crate::features::Features::ALL, ..Capabilities::default() };
    let rules = Rules { registrant, capabilities: &capabilities, scopes: &scope(allowed), loopback: false };
    check("client".parse().unwrap(), &serde_json::from_value(metadata.clone()).unwrap(), &rules, NOW)
}

fn service(scope: &str) -> Value {
    serde_json::json!({"grant_types": ["client_credentials"], "response_types": [], "scope": scope})
}

fn pairwise(uris: &[&str], grants: &[&str]) -> Value {
    serde_json::json!({"redirect_uris": uris, "subject_type": "pairwise", "application_type": "native",
        "grant_types": grants, "token_endpoint_auth_method": "none"})
}

#[test]
fn a_client_registers_no_scope_that_the_operator_did_not_open() {
    let own = |allowed, scope| register(Registrant::Client, allowed, &service(scope)).map(|client| client.scope);
    assert!(own("", "cases.write").unwrap_err().why.contains("cases.write"));
    assert!(own("", "openid").unwrap_err().why.contains("client_credentials"), "nothing on its own behalf");
    assert!(own("cases.read", "cases.read cases.write").is_err());
    assert_eq!(own("cases.read", "cases.read").unwrap(), scope("cases.read"));
    assert_eq!(register(Registrant::Operator, "", &service("cases.write")).unwrap().scope, scope("cases.write"));
    let person = serde_json::json!({"redirect_uris": ["https://rp.example/cb"]});
    assert_eq!(register(Registrant::Client, "", &person).unwrap().scope, scope(DEFAULT_SCOPE));
}

#[test]
fn who_speaks_for_others_is_an_operators_client_and_proves_itself() {
    for grant in ["urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let metadata = |method| serde_json::json!({"grant_types": [grant], "token_endpoint_auth_method": method});
        let refused = register(Registrant::Client, "", &metadata("client_secret_basic")).unwrap_err();
        assert!(refused.why.contains(grant), "{refused}");
        assert!(register(Registrant::Operator, "", &metadata("client_secret_basic")).unwrap().allows_grant(grant));
        assert!(register(Registrant::Operator, "", &metadata("none")).unwrap_err().why.contains("public"), "{grant}");
    }
}

#[test]
fn nobody_joins_a_sector_by_an_address_that_is_not_its_own_core_8_1() {
    let own = |uris: &[&str], grants: &[&str]| register(Registrant::Client, "", &pairwise(uris, grants));
    let code = ["authorization_code", "refresh_token"];
    let bank = own(&["https://bank.example/cb"], &code).unwrap();
    assert_eq!((bank.subject_type, bank.sector.as_deref()), (SubjectType::Pairwise, Some("bank.example")));
    for stranger in ["com.evil.app://bank.example/cb", "http://127.0.0.1/cb"] {
        assert!(own(&[stranger], &code).unwrap_err().why.contains("https"), "{stranger}");
        assert!(own(&["https://bank.example/cb", stranger], &code).is_err(), "{stranger}");
    }
    for grant in ["urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"] {
        let grants = ["authorization_code", grant];
        assert!(own(&["https://bank.example/cb"], &grants).unwrap_err().why.contains(grant), "{grant}");
        let metadata = pairwise(&["https://bank.example/cb"], &grants);
        assert!(!register(Registrant::Operator, "", &metadata).is_err_and(|error| error.why.contains("pairwise")));
    }
}

#[test]
fn only_an_operator_renames_policies() {
    let metadata = |claims: &[&str], name: &str| {
        serde_json::json!({"redirect_uris": ["https://rp.example/cb"], "countersign_policy_claims": claims,
            "countersign_policy_names": {"email": name}})
    };
    let naming = register(Registrant::Operator, "", &metadata(&["tfp"], "B2C_1_signin")).unwrap().policy_naming;
    assert_eq!((naming.tfp, naming.acr, naming.name_of("email")), (true, false, "B2C_1_signin"));
    for (claims, name) in [(&["sub"], "a"), (&["tfp"], ""), (&["tfp"], "a b"), (&["tfp"], "x".repeat(65).as_str())] {
        assert!(register(Registrant::Operator, "", &metadata(claims, name)).is_err(), "{claims:?} {name}");
    }
    let mut own = metadata(&["tfp"], "B2C_1_signin").as_object().unwrap().clone();
    let read = read(&mut own).unwrap();
    assert!(read.countersign_policy_claims.is_none() && read.countersign_policy_names.is_none());
}

/// Who may register a redirect URI: as a web client, as a native one, and as a web client of the operator's.
#[test]
fn redirect_uris_are_as_registration_2_and_rfc8252_want_them() {
    const EVERYBODY: [bool; 3] = [true, true, true];
    const NOBODY: [bool; 3] = [false, false, false];
    const NATIVE: [bool; 3] = [false, true, false];
    // A loopback address by its usual name (Registration, 2), and others for an operator who works on this machine.
    const LOOPBACK: [bool; 3] = [false, true, true];
    const OPERATOR: [bool; 3] = [false, false, true];
    for (uri, expected) in [
        ("https://rp.example/cb", EVERYBODY),
        ("https://rp.example:8443/cb?a=b%20c", EVERYBODY),
        ("HTTPS://RP.example/cb", EVERYBODY),
        ("https://xn--bcher-kva.example/cb", EVERYBODY),
        ("https://localhost/cb", EVERYBODY),
        // Loopback (RFC 8252, 7.3; RFC 9700, 2.6).
        ("http://127.0.0.1/cb", LOOPBACK),
        ("http://127.0.0.1:49152/cb?a=b", LOOPBACK),
        ("http://[::1]/cb", LOOPBACK),
        ("http://[::1]:49152/cb", LOOPBACK),
        ("http://localhost/cb", LOOPBACK),
        ("http://localhost:8080/cb", LOOPBACK),
        ("http://app.localhost/cb", OPERATOR),
        ("http://127.0.0.2/cb", OPERATOR),
        // Names that only look like it, and other spellings.
        ("http://127.0.0.1.rp.example/cb", NOBODY),
        ("http://localhost.rp.example/cb", NOBODY),
        ("http://127.1/cb", NOBODY),
        ("http://2130706433/cb", NOBODY),
        ("http://0x7f.0.0.1/cb", NOBODY),
        ("http://[::ffff:127.0.0.1]/cb", NOBODY),
        ("http://[0:0:0:0:0:0:0:1]/cb", NOBODY),
        ("http://0.0.0.0/cb", NOBODY),
        ("http://10.0.0.1/cb", NOBODY),
        ("http://rp.example/cb", NOBODY),
        ("https:rp.example/cb", NOBODY),
        ("https:///rp.example/cb", NOBODY),
        ("https://rp.example:/cb", EVERYBODY),
        ("https://rp.example:99999/cb", NOBODY),
        ("https:\\\\rp.example\\cb", NOBODY),
        ("https://rp%2eexample/cb", NOBODY),
        // Wildcards (RFC 9700, 2.1).
        ("https://*.rp.example/cb", NOBODY),
        ("https://rp.example/*", NOBODY),
        ("https://rp.example/cb?a=*", NOBODY),
        ("http://127.0.0.1:*/cb", NOBODY),
        ("com.example.app:/*", NOBODY),
        // Fragments (RFC 6749, 3.1.2), user information, what is no ASCII.
        ("https://rp.example/cb#a", NOBODY),
        ("https://rp.example/cb#", NOBODY),
        ("com.example.app:/cb#a", NOBODY),
        ("https://user@rp.example/cb", NOBODY),
        ("https://user:secret@rp.example/cb", NOBODY),
        ("https://@rp.example/cb", NOBODY),
        ("https://rp.example\u{fc}/cb", NOBODY),
        ("https://rp.example/\u{fc}", NOBODY),
        ("https://rp.example/c b", NOBODY),
        ("https://rp.example/c\nb", NOBODY),
        (" https://rp.example/cb", NOBODY),
        ("https://rp.example/\"<x>", NOBODY),
        // Schemes (RFC 8252, 7.1 and 8.4).
        ("com.example.app:/cb", NATIVE),
        ("com.example.app://cb", NATIVE),
        ("myapp:/cb", NOBODY),
        ("urn:ietf:wg:oauth:2.0:oob", NOBODY),
        ("javascript:alert(1)", NOBODY),
        ("data:text/html,x", NOBODY),
        ("file:///etc/passwd", NOBODY),
        ("blob:https://rp.example/x", NOBODY),
        ("ftp://rp.example/cb", NOBODY),
        ("ws://rp.example/cb", NOBODY),
        ("/cb", NOBODY),
        ("", NOBODY),
    ] {
        let as_what = [(Registrant::Client, "web"), (Registrant::Client, "native"), (Registrant::Operator, "web")];
        let answers = as_what.map(|(registrant, application)| {
            let metadata = serde_json::json!({"redirect_uris": [uri], "application_type": application});
            let answer = register(registrant, "", &metadata);
            assert!(
                answer.as_ref().err().is_none_or(|error| error.code == "invalid_redirect_uri"),
                "{uri}: {answer:?}"
            );
            answer.is_ok()
        });
        assert_eq!(answers, expected, "{uri:?}");
    }
}

#[test]
fn web_clients_of_the_implicit_grant_use_https_and_never_localhost_registration_2() {
    for (uri, application, expected) in [
        ("https://rp.example/cb", "web", true),
        ("https://localhost/cb", "web", false),
        ("https://127.0.0.1/cb", "web", false),
        ("http://127.0.0.1/cb", "web", false),
        ("http://127.0.0.1/cb", "native", true),
        ("com.example.app:/cb", "native", true),
    ] {
        for registrant in [Registrant::Client, Registrant::Operator] {
            let metadata = serde_json::json!({"redirect_uris": [uri], "application_type": application,
                "grant_types": ["implicit"], "response_types": ["id_token"]});
            assert_eq!(register(registrant, "", &metadata).is_ok(), expected, "{uri} {application}");
        }
    }
}

/// OpenID Connect Core, 2, and Registration, 2: nobody vouches for such a token but the connection it comes by.
#[test]
fn unsigned_id_tokens_are_for_the_code_flow_alone_and_registered_where_they_are_on_core_2() {
    let ask = |more: Value| {
        let mut metadata = serde_json::json!({
            "redirect_uris": ["https://rp.example/cb"], "id_token_signed_response_alg": "none",
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        metadata
    };
    let sound = ask(serde_json::json!({"grant_types": ["authorization_code", "refresh_token"]}));
    for registrant in [Registrant::Operator, Registrant::Client] {
        let client = register(registrant, "", &sound).unwrap();
        assert!(client.responses.unsigned_id_token && client.id_token_alg == SigningAlgorithm::RS256);
        assert_eq!(describe(&client, Map::new())["id_token_signed_response_alg"], "none");
    }
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let refusals = [
        (
            "code flow alone",
            serde_json::json!({"response_types": ["code id_token"], "grant_types": ["authorization_code", "implicit"]}),
        ),
        ("code flow alone", serde_json::json!({"response_types": ["id_token"], "grant_types": ["implicit"]})),
        (
            "code flow alone",
            serde_json::json!({
                "response_types": ["code", "id_token"], "grant_types": ["authorization_code", "implicit"],
            }),
        ),
        ("code flow alone", serde_json::json!({"grant_types": ["authorization_code", device]})),
        (
            "signed before it is encrypted",
            serde_json::json!({"jwks_uri": "https://rp.example/jwks", "id_token_encrypted_response_alg": "ECDH-ES"}),
        ),
        ("none is not supported here", serde_json::json!({"countersign_off": ["unsigned_id_tokens"]})),
        ("algorithm HS256", serde_json::json!({"userinfo_signed_response_alg": "HS256"})),
        ("algorithm none", serde_json::json!({"authorization_signed_response_alg": "none"})),
        ("algorithm none", serde_json::json!({"introspection_signed_response_alg": "none"})),
        ("algorithm none", serde_json::json!({"countersign_access_token_alg": "none"})),
        (
            "signed ID tokens",
            serde_json::json!({
                "countersign_profile": "fapi2_security", "token_endpoint_auth_method": "private_key_jwt",
                "jwks_uri": "https://rp.example/jwks", "dpop_bound_access_tokens": true,
                "countersign_access_token_alg": "PS256",
            }),
        ),
    ];
    for (why, refused) in refusals {
        let error = register(Registrant::Operator, "", &ask(refused.clone())).unwrap_err();
        assert_eq!(
            (error.code, error.why.contains(why)),
            ("invalid_client_metadata", true),
            "{refused}: {}",
            error.why
        );
    }
    let capabilities = Capabilities::default();
    let rules =
        Rules { registrant: Registrant::Client, capabilities: &capabilities, scopes: &scope(""), loopback: false };
    let error = check("client".parse().unwrap(), &serde_json::from_value(sound).unwrap(), &rules, NOW).unwrap_err();
    assert_eq!((error.code, error.why.contains("not supported")), ("invalid_client_metadata", true), "off by default");
}
