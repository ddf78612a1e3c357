use proptest::prelude::*;

use super::*;
use crate::testing::{client, issuer, params, scope};

const CASES: &str = "https://cases.example/api";
const ORDERS: &str = "https://orders.example/";
const FILES: &str = "urn:example:files";

fn servers() -> Vec<ResourceServer> {
    let server = |uri: &str, scopes: &str, access_token_alg| ResourceServer {
        uri: uri.to_owned(),
        scopes: scope(scopes),
        access_token_alg,
    };
    vec![
        server(CASES, "cases.read cases.write", SigningAlgorithm::RS256),
        server(ORDERS, "orders.read", SigningAlgorithm::RS256),
        server(FILES, "files.read cases.read", SigningAlgorithm::ES256),
    ]
}

fn texts(uris: &[&str]) -> Vec<String> {
    uris.iter().map(|uri| (*uri).to_owned()).collect()
}

fn ask(asked: &[&str], granted: &[&str], scope_text: &str) -> Result<Target, ErrorCode> {
    ask_as(&client(), asked, granted, scope_text)
}

fn ask_as(client: &Client, asked: &[&str], granted: &[&str], scope_text: &str) -> Result<Target, ErrorCode> {
    let (issuer, servers) = (issuer(), servers());
    let resources = Resources { issuer: &issuer, servers: &servers };
    decide(&texts(asked), &texts(granted), &scope(scope_text), client, &resources).map_err(|error| error.code)
}

#[test]
fn a_resource_is_an_absolute_uri_without_fragment_rfc8707_2() {
    let read =
        |values: &[&str]| asked(&params(&values.iter().map(|v| ("resource", *v)).collect::<Vec<_>>()), &Features::ALL);
    assert_eq!(read(&[CASES, FILES, CASES, ""]).unwrap(), [CASES, FILES]);
    for bad in ["cases", "/api", "https://cases.example/api#x", "//cases.example"] {
        assert_eq!(read(&[CASES, bad]).unwrap_err().code, ErrorCode::InvalidTarget, "{bad}");
    }
    let many: Vec<String> = (0..9).map(|n| format!("https://{n}.example")).collect();
    assert_eq!(read(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err().code, ErrorCode::InvalidTarget);
}

#[test]
fn a_named_resource_is_the_audience_and_narrows_the_scope() {
    let target = ask(&[CASES], &[], "openid email offline_access cases.read orders.read").unwrap();
    assert_eq!((target.audience, target.scope), (texts(&[CASES]), scope("cases.read")));
    assert_eq!(target.algorithm, Some(SigningAlgorithm::RS256));
    let own = ask(&["https://op.example"], &[], "openid email offline_access cases.read").unwrap();
    assert_eq!((own.scope, own.algorithm), (scope("email openid"), None));
}

#[test]
fn what_was_not_authorized_is_invalid_target_rfc8707_2_2() {
    assert_eq!(ask(&[ORDERS], &[CASES], "cases.read orders.read"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask(&["https://unknown.example"], &[], "openid"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask(&[&format!("{CASES}/")], &[], "cases.read"), Err(ErrorCode::InvalidTarget), "byte for byte");
    let limited = Client { resources: texts(&[ORDERS]), ..client() };
    assert_eq!(ask_as(&limited, &[CASES], &[], "cases.read"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask_as(&limited, &[], &[CASES], "cases.read"), Err(ErrorCode::InvalidTarget), "lost since");
    assert_eq!(ask(&[], &[CASES], "openid cases.write").unwrap().audience, [CASES], "all that was authorized");
}

#[test]
fn a_named_server_knows_a_value_of_the_scope() {
    assert_eq!(ask(&[CASES], &[], "openid orders.read"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask(&[CASES, ORDERS], &[], "orders.read"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask(&[], &[CASES], "openid"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask(&[], &[CASES, ORDERS], "orders.read").unwrap().audience, [ORDERS], "after a narrower refresh");
    let (issuer, servers) = (issuer(), servers());
    let resources = Resources { issuer: &issuer, servers: &servers };
    let asked = |scope_text| check(&texts(&[CASES]), &scope(scope_text), &client(), &resources).is_ok();
    assert!(asked("openid cases.read") && !asked("openid") && !asked(""));
}

#[test]
fn a_client_that_registered_itself_reaches_the_servers_of_its_own_scope() {
    let registration = Some(countersign_model::SelfRegistration {
        access_token: countersign_model::KeyedHash::default(),
        metadata: serde_json::Map::new(),
    });
    let own = Client { registration, scope: scope("openid cases.write"), ..client() };
    assert_eq!(ask_as(&own, &[CASES], &[], "cases.write").unwrap().audience, [CASES]);
    assert_eq!(ask_as(&own, &[ORDERS], &[], "orders.read"), Err(ErrorCode::InvalidTarget));
    assert_eq!(ask_as(&own, &[], &[], "orders.read").unwrap().audience, ["https://op.example"]);
}

#[test]
fn several_resources_share_a_token_unless_its_scope_is_ambiguous_rfc9068_5() {
    let both = ask(&[CASES, ORDERS], &[], "cases.write orders.read").unwrap();
    assert_eq!((both.audience, both.scope), (texts(&[CASES, ORDERS]), scope("cases.write orders.read")));
    assert_eq!(ask(&[CASES, FILES], &[], "cases.read"), Err(ErrorCode::InvalidTarget), "known at both");
    assert_eq!(ask(&[ORDERS, FILES], &[], "orders.read"), Err(ErrorCode::InvalidTarget), "two algorithms");
}

#[test]
fn where_nothing_is_named_the_scope_tells_rfc9068_3() {
    let op = "https://op.example";
    for (asked, audience) in [
        ("", vec![op]),
        ("openid email", vec![op]),
        ("jobs.read", vec![op]),
        ("orders.read", vec![ORDERS]),
        ("orders.read offline_access", vec![ORDERS]),
        ("openid orders.read", vec![op, ORDERS]),
    ] {
        let target = ask(&[], &[], asked).unwrap();
        assert_eq!((target.audience, target.scope), (texts(&audience), scope(asked)), "{asked}");
    }
    assert_eq!(ask(&[], &[], "orders.read cases.write"), Err(ErrorCode::InvalidScope));
    let limited = Client { resources: texts(&[CASES]), ..client() };
    assert_eq!(ask_as(&limited, &[], &[], "orders.read").unwrap().audience, [op], "not allowed there");
}

proptest! {
    #[test]
    fn a_token_is_never_for_more_than_was_granted(
        asked in proptest::sample::subsequence(vec![CASES, ORDERS, FILES], 0..3),
        granted in proptest::sample::subsequence(vec![CASES, ORDERS, FILES], 1..3),
        scopes in proptest::sample::subsequence(vec!["openid", "cases.read", "cases.write", "orders.read", "files.read"], 0..5),
    ) {
        let scope_text = scopes.join(" ");
        if let Ok(target) = ask(&asked, &granted, &scope_text) {
            prop_assert!(target.audience.iter().all(|uri| granted.contains(&uri.as_str())));
            prop_assert!(target.scope.is_subset(&scope(&scope_text)));
            prop_assert!(!target.audience.is_empty());
        }
    }
}
