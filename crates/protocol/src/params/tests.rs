use proptest::prelude::*;

use super::*;

fn code_of(result: Result<Params, OAuthError>) -> ErrorCode {
    result.unwrap_err().code
}

#[test]
fn values_are_form_decoded() {
    let params = Params::parse_query("a=1+2%2B3&b=%C3%BC&c=x=y").unwrap();
    assert_eq!(params.get("a"), Some("1 2+3"));
    assert_eq!(params.get("b"), Some("\u{fc}"));
    assert_eq!(params.get("c"), Some("x=y"));
}

#[test]
fn an_empty_value_is_an_absent_parameter_rfc6749_3_1() {
    let params = Params::parse_query("a=&b&&c=1").unwrap();
    assert_eq!((params.get("a"), params.get("b"), params.get("c")), (None, None, Some("1")));
}

#[test]
fn a_parameter_sent_twice_is_invalid_request_rfc6749_3_1() {
    for query in ["a=1&a=2", "a=1&a=1", "a=&a=1", "a=1&%61=2"] {
        assert_eq!(code_of(Params::parse_query(query)), ErrorCode::InvalidRequest, "{query}");
    }
}

#[test]
fn what_was_sent_once_can_still_be_read_rfc6749_4_1_2_1() {
    let once = Params::parse_once(b"a=1&b=2&a=3&c=&%64=4&d=5").unwrap();
    assert_eq!(once.iter().collect::<Vec<_>>(), [("b", "2")]);
    assert_eq!(Params::parse_once(b"a=1&a=2&b=%zz"), None);
    assert_eq!(Params::parse_once("a=1&".repeat(MAX_COUNT + 1).as_bytes()), None);
    assert_eq!(Params::parse_once("a".repeat(MAX_BYTES + 1).as_bytes()), None);
}

#[test]
fn a_resource_may_be_sent_twice_rfc8707_2() {
    let params = Params::parse_query("resource=a&x=1&resource=b&resource=").unwrap();
    assert_eq!(params.all("resource").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(params.all("x").collect::<Vec<_>>(), ["1"]);
}

#[test]
fn broken_encoding_is_invalid_request() {
    for body in [&b"a=%"[..], b"a=%2", b"a=%zz", b"%=1", b"a=%FF", b"a=\xff", b"a=%+1"] {
        assert_eq!(code_of(Params::parse_form(body)), ErrorCode::InvalidRequest, "{body:?}");
    }
}

#[test]
fn size_and_number_are_bounded() {
    let at_limit = format!("a={}", "x".repeat(MAX_BYTES - 2));
    assert!(Params::parse_query(&at_limit).is_ok());
    assert_eq!(code_of(Params::parse_query(&format!("{at_limit}x"))), ErrorCode::InvalidRequest);
    let many = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    assert!(Params::parse_query(&many(MAX_COUNT)).is_ok());
    assert_eq!(code_of(Params::parse_query(&many(MAX_COUNT + 1))), ErrorCode::InvalidRequest);
}

#[test]
fn debug_shows_no_value() {
    let shown = format!("{:?}", Params::parse_query("client_secret=hush").unwrap());
    assert!(shown.contains("client_secret") && !shown.contains("hush"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Params::parse_form(&body);
    }

    #[test]
    fn what_a_browser_encodes_comes_back(name in "\\PC{1,20}", value in "\\PC{1,40}") {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
        let params = Params::parse_form(form.as_bytes()).unwrap();
        prop_assert_eq!(params.get(&name), Some(value.as_str()));
    }
}
