use countersign_model::SubjectType;

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
