use super::*;
use crate::testing::{authorize, client, issuer};

fn capabilities() -> Capabilities {
    Capabilities {
        acr_values: vec!["urn:acr:email".to_owned()],
        ui_locales: vec!["en".to_owned(), "es".to_owned()],
        resource_scopes: vec!["cases.read".to_owned()],
        ..Capabilities::default()
    }
}

#[test]
fn what_discovery_3_and_rfc8414_2_require_is_there() {
    let metadata = metadata(&issuer(), &capabilities());
    for name in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(!metadata[name].is_null(), "{name}");
    }
    assert_eq!(metadata["issuer"], "https://op.example");
    assert_eq!(metadata["token_endpoint"], "https://op.example/token");
    assert_eq!(metadata["scopes_supported"][0], "openid");
    assert!(metadata["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("RS256")));
    assert_eq!(metadata["acr_values_supported"], json!(["urn:acr:email"]));
    assert_eq!(metadata["ui_locales_supported"], json!(["en", "es"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
}

#[test]
fn what_is_off_or_empty_is_said_or_left_out() {
    let features =
        Features { request_objects: false, pushed_requests: false, signed_responses: false, ..Features::SAFE };
    let metadata = metadata(&issuer(), &Capabilities { features, ..Capabilities::default() });
    for name in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(metadata[name], false, "{name}");
    }
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["response_modes_supported"], json!(["query", "fragment", "form_post"]));
    for name in [
        "request_object_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "pushed_authorization_request_endpoint",
        "require_request_uri_registration",
    ] {
        assert!(metadata.get(name).is_none(), "{name}");
    }
    for name in ["registration_endpoint", "acr_values_supported", "service_documentation"] {
        assert!(metadata.get(name).is_none(), "{name}");
    }
    for (name, value) in metadata.as_object().unwrap() {
        assert!(value.as_array().is_none_or(|values| !values.is_empty()), "{name} is empty");
    }
}

#[test]
fn every_advertised_mode_and_prompt_is_accepted() {
    let all = Capabilities { consent: true, ..capabilities() };
    let metadata = metadata(&issuer(), &all);
    for (name, parameter) in [("response_modes_supported", "response_mode"), ("prompt_values_supported", "prompt")] {
        for value in metadata[name].as_array().unwrap() {
            assert!(authorize(&client(), &[(parameter, value.as_str().unwrap())]).is_ok(), "{parameter}={value}");
        }
    }
}

#[test]
fn consent_is_advertised_only_where_there_is_a_page_for_it() {
    let prompts = |consent| {
        let metadata = metadata(&issuer(), &Capabilities { consent, ..capabilities() });
        metadata["prompt_values_supported"].as_array().unwrap().contains(&json!("consent"))
    };
    assert!(prompts(true) && !prompts(false));
}

#[test]
fn grants_are_advertised_as_far_as_they_are_on() {
    let said =
        |features| metadata(&issuer(), &Capabilities { features, ..capabilities() })["grant_types_supported"].clone();
    let always = ["authorization_code", "refresh_token", "client_credentials"];
    assert_eq!(said(Features::SAFE), serde_json::json!(always));
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let on = said(Features { token_exchange: true, ..Features::SAFE });
    assert_eq!(on, serde_json::json!([always.as_slice(), &[exchange]].concat()));
}

#[test]
fn documents_of_clients_are_advertised_where_they_are_read() {
    let said = |features| metadata(&issuer(), &Capabilities { features, ..capabilities() });
    assert_eq!(said(Features::SAFE).get("client_id_metadata_document_supported"), None);
    assert_eq!(said(Features::ALL)["client_id_metadata_document_supported"], true);
}

#[test]
fn logout_is_advertised_as_far_as_it_is_on() {
    let said = |features| metadata(&issuer(), &Capabilities { features, ..capabilities() });
    let on = said(Features::ALL);
    assert_eq!(on["end_session_endpoint"], "https://op.example/end_session");
    assert_eq!(on["check_session_iframe"], "https://op.example/check_session");
    let kinds = ["backchannel_logout", "frontchannel_logout"];
    for name in kinds.iter().flat_map(|kind| [format!("{kind}_supported"), format!("{kind}_session_supported")]) {
        assert_eq!(on[&name], true, "{name}");
    }
    let off = said(Features {
        logout: false,
        backchannel_logout: false,
        frontchannel_logout: false,
        session_management: false,
        ..Features::SAFE
    });
    for (name, _) in off.as_object().unwrap() {
        assert!(!name.contains("session") && !name.contains("logout"), "{name}");
    }
}
