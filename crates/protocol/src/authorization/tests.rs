use countersign_model::{ApplicationType, RequestedClaims, Seconds};
use proptest::prelude::*;

use super::*;
use crate::id_token;
use crate::testing::{
    CALLBACK, CHALLENGE, NOW, account, authorization_params, authorize, authorize_all_on, authorize_with, client,
    grant, issuer, key, native_client, other_client, params, public_client, scope,
};

fn redirected(client: &Client, changes: &[(&str, &str)]) -> (ResponseTarget, OAuthError) {
    match authorize(client, changes) {
        Err(Refusal::Redirect(target, error)) => (*target, error),
        other => panic!("{changes:?}: {other:?}"),
    }
}

fn error_code(client: &Client, changes: &[(&str, &str)]) -> ErrorCode {
    redirected(client, changes).1.code
}

fn is_page(client: &Client, changes: &[(&str, &str)]) -> bool {
    matches!(authorize(client, changes), Err(Refusal::Page(_)))
}

#[test]
fn nothing_is_redirected_before_client_and_uri_are_proven_rfc6749_4_1_2_1() {
    // With every other parameter wrong as well: the page comes first.
    let wrong = [("response_type", "nonsense"), ("prompt", "nonsense"), ("request", "x")];
    let with = |changes: &[(&'static str, &'static str)]| [changes, &wrong[..]].concat();
    assert!(is_page(&client(), &with(&[("client_id", "")])));
    assert!(is_page(&client(), &with(&[("client_id", "another")])));
    assert!(is_page(&client(), &with(&[("redirect_uri", "")])));
    assert!(is_page(&client(), &with(&[("redirect_uri", "https://evil.example/callback")])));
    assert!(is_page(&Client { disabled: true, ..client() }, &wrong));
    let (issuer, capabilities) = (issuer(), Capabilities::default());
    let provider = Provider { issuer: &issuer, capabilities: &capabilities, keys: &[] };
    let answer = check(&authorization_params(&[]), None, &provider, Arrival::default());
    assert!(matches!(answer, Err(Refusal::Page(_))));
}

#[test]
fn two_uris_registered_and_none_sent_is_a_page() {
    let uris = vec![CALLBACK.to_owned(), "https://rp.example/second".to_owned()];
    assert!(is_page(&Client { redirect_uris: uris, ..client() }, &[("redirect_uri", "")]));
}

#[test]
fn a_redirect_uri_is_compared_byte_for_byte_rfc9700_2_1() {
    for asked in [
        "https://rp.example/callback/",
        "https://rp.example/Callback",
        "https://RP.example/callback",
        "https://rp.example:443/callback",
        "https://rp.example/callback?",
        "https://rp.example/callback?a=1",
        "https://rp.example/callback#",
        "https://rp.example/callback#_",
        "https://rp.example/%63allback",
        "https://rp.example/x/../callback",
        "https://rp.example@evil.example/callback",
        "http://rp.example/callback",
        " https://rp.example/callback",
        "https://rp.example/callback\n",
    ] {
        assert!(is_page(&client(), &[("redirect_uri", asked)]), "{asked:?}");
    }
}

#[test]
fn only_the_port_of_a_native_loopback_may_differ_rfc8252_7_3() {
    let native = native_client(&["http://127.0.0.1/cb?x=1", "http://[::1]:4000/cb", "http://localhost/cb"]);
    let found = |uri: &str| ValidRedirectUri::find(&native, uri).is_some();
    for good in [
        "http://127.0.0.1/cb?x=1",
        "http://127.0.0.1:1/cb?x=1",
        "http://127.0.0.1:65535/cb?x=1",
        "http://[::1]/cb",
        "http://[::1]:9/cb",
        "http://localhost/cb",
    ] {
        assert!(found(good), "{good}");
    }
    for bad in [
        "http://127.0.0.1:1/cb",
        "http://127.0.0.1:1/cb?x=2",
        "http://127.0.0.1:1/other?x=1",
        "https://127.0.0.1:1/cb?x=1",
        "http://127.0.0.1:65536/cb?x=1",
        "http://127.0.0.1:/cb?x=1",
        "http://127.0.0.1:+1/cb?x=1",
        "http://127.0.0.1:1@evil.example/cb?x=1",
        "http://127.0.0.1.evil.example/cb?x=1",
        "http://127.0.0.2:1/cb?x=1",
        "http://[::1]:9/cb#f",
        "http://localhost:1/cb",
        "HTTP://127.0.0.1:1/cb?x=1",
    ] {
        assert!(!found(bad), "{bad}");
    }
    let web = Client { application_type: ApplicationType::Web, ..native };
    assert!(ValidRedirectUri::find(&web, "http://127.0.0.1:1/cb?x=1").is_none());
    assert!(ValidRedirectUri::find(&web, "http://127.0.0.1/cb?x=1").is_some());
}

#[test]
fn what_must_never_be_redirected_to_is_refused_even_if_registered() {
    for uri in
        ["https://rp.example/cb#f", "javascript:alert(1)", "data:text/html,x", "/callback", "https://rp.example/a b"]
    {
        let careless = Client { redirect_uris: vec![uri.to_owned()], ..client() };
        assert!(ValidRedirectUri::find(&careless, uri).is_none(), "{uri}");
    }
}

#[test]
fn a_stored_uri_is_matched_again_before_use() {
    let request = authorize(&client(), &[]).unwrap();
    assert!(request.target(&client()).is_some());
    let moved = Client { redirect_uris: vec!["https://rp.example/new".to_owned()], ..client() };
    assert!(request.target(&moved).is_none());
    assert!(request.target(&other_client()).is_none());
}

#[test]
fn what_is_wrong_is_told_with_the_right_code() {
    use ErrorCode::*;
    let cases: &[(&[(&str, &str)], ErrorCode)] = &[
        (&[("response_type", "")], InvalidRequest),
        (&[("response_type", "nonsense")], UnsupportedResponseType),
        (&[("response_type", "token")], UnsupportedResponseType),
        (&[("response_type", "code id_token")], UnsupportedResponseType),
        (&[("response_type", "code code")], UnsupportedResponseType),
        (&[("response_mode", "web_message")], InvalidRequest),
        (&[("request", "e30.e30.")], InvalidRequest),
        (&[("request_uri", "urn:x")], RequestUriNotSupported),
        (&[("registration", "{}")], RegistrationNotSupported),
        (&[("request", "e30.e30."), ("request_uri", "urn:x")], InvalidRequest),
        (&[("scope", "")], InvalidScope),
        (&[("scope", " ")], InvalidScope),
        (&[("scope", "openid \"")], InvalidScope),
        (&[("scope", "openid unregistered")], InvalidScope),
        (&[("prompt", "none login")], InvalidRequest),
        (&[("prompt", "create")], InvalidRequest),
        (&[("prompt", "Login")], InvalidRequest),
        (&[("max_age", "-1")], InvalidRequest),
        (&[("max_age", "NaN")], InvalidRequest),
        (&[("max_age", "1.5")], InvalidRequest),
        (&[("max_age", "+1")], InvalidRequest),
        (&[("max_age", "111111111111111111111")], InvalidRequest),
        (&[("claims", "{")], InvalidRequest),
        (&[("claims", "[]")], InvalidRequest),
        (&[("claims", "{\"userinfo\":[]}")], InvalidRequest),
        (&[("claims", "{\"userinfo\":{\"email\":1}}")], InvalidRequest),
        (&[("id_token_hint", "nonsense")], InvalidRequest),
    ];
    for (changes, code) in cases {
        assert_eq!(error_code(&client(), changes), *code, "{changes:?}");
    }
    let without_code = Client { response_types: vec!["none".to_owned()], ..client() };
    assert_eq!(error_code(&without_code, &[]), UnauthorizedClient);
    let without_grant = Client { grant_types: vec!["client_credentials".to_owned()], ..client() };
    assert_eq!(error_code(&without_grant, &[]), UnauthorizedClient);
}

#[test]
fn pkce_is_s256_or_nothing_rfc7636_4_3() {
    let cases: &[&[(&str, &str)]] = &[
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "s256")],
        &[("code_challenge", "")],
        &[("code_challenge", "short")],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cMx")],
    ];
    for changes in cases {
        assert_eq!(error_code(&client(), changes), ErrorCode::InvalidRequest, "{changes:?}");
    }
    assert_eq!(authorize(&client(), &[]).unwrap().code_challenge.as_deref(), Some(CHALLENGE));
}

#[test]
fn public_and_strict_clients_must_use_pkce_rfc9700_2_1_1() {
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    assert!(authorize(&client(), &without).unwrap().code_challenge.is_none());
    assert_eq!(error_code(&public_client(), &without), ErrorCode::InvalidRequest);
    assert_eq!(error_code(&Client { require_pkce: true, ..client() }, &without), ErrorCode::InvalidRequest);
    assert!(authorize(&public_client(), &[]).is_ok());
}

#[test]
fn errors_travel_in_the_mode_asked_for_with_the_state() {
    let mode = |changes: &[(&str, &str)]| redirected(&client(), changes).0.mode;
    let bad = ("prompt", "nonsense");
    assert_eq!(mode(&[bad]), ResponseMode::Query);
    assert_eq!(mode(&[bad, ("response_mode", "fragment")]), ResponseMode::Fragment);
    assert_eq!(mode(&[bad, ("response_mode", "form_post")]), ResponseMode::FormPost);
    assert_eq!(mode(&[("response_mode", "nonsense")]), ResponseMode::Query);
    // Core 3.3.2.6: hybrid and implicit errors default to the fragment.
    assert_eq!(mode(&[("response_type", "code id_token")]), ResponseMode::Fragment);
    assert_eq!(redirected(&client(), &[bad]).0.state.as_deref(), Some("s t&a=te"));
}

/// A client with every response type, at a provider where they are on.
fn ask_front_channel(changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Refusal> {
    let types = ResponseType::ALL.map(|kind| kind.as_str().to_owned()).to_vec();
    authorize_all_on(&Client { response_types: types, ..client() }, changes)
}

fn refused(result: Result<AuthorizationRequest, Refusal>) -> (ErrorCode, ResponseMode) {
    match result {
        Err(Refusal::Redirect(target, error)) => (error.code, target.mode),
        other => panic!("{other:?}"),
    }
}

#[test]
fn response_types_are_sets_multiple_response_types_3() {
    for kind in ResponseType::ALL {
        let mut words: Vec<&str> = kind.as_str().split(' ').collect();
        words.reverse();
        assert_eq!(ResponseType::parse(&words.join(" ")), Some(kind));
        let request = ask_front_channel(&[("response_type", &words.join(" ")), ("nonce", "n")]).unwrap();
        assert_eq!(request.response_type, kind);
        let mode = if kind == ResponseType::CODE { ResponseMode::Query } else { ResponseMode::Fragment };
        assert_eq!(request.response_mode, mode, "{kind:?}");
    }
    for bad in ["token", "none", "", "code  token", "token token"] {
        assert_eq!(ResponseType::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn a_response_type_must_be_on_and_registered() {
    use ErrorCode::*;
    for kind in ResponseType::ALL.into_iter().skip(1) {
        let asked = [("response_type", kind.as_str()), ("nonce", "n")];
        let all = Client { response_types: vec![kind.as_str().to_owned()], ..client() };
        assert_eq!(refused(authorize(&all, &asked)), (UnsupportedResponseType, ResponseMode::Fragment), "off");
        assert_eq!(refused(authorize_all_on(&client(), &asked)).0, UnauthorizedClient, "not registered");
        let bound = Client { dpop_bound_tokens: true, ..all.clone() };
        assert_eq!(authorize_all_on(&bound, &asked).is_err(), kind.has_token(), "nothing would be bound");
        assert!(authorize_all_on(&all, &asked).is_ok());
    }
}

#[test]
fn tokens_do_not_travel_in_a_query_multiple_response_types_5() {
    for mode in ["query", "query.jwt"] {
        let asked = [("response_type", "code id_token"), ("nonce", "n"), ("response_mode", mode)];
        let (code, answered) = refused(ask_front_channel(&asked));
        assert_eq!(code, ErrorCode::InvalidRequest);
        assert!(matches!(answered, ResponseMode::Fragment | ResponseMode::FragmentJwt), "{answered:?}");
    }
    let posted = [("response_type", "id_token"), ("nonce", "n"), ("response_mode", "form_post")];
    assert_eq!(ask_front_channel(&posted).unwrap().response_mode, ResponseMode::FormPost);
}

#[test]
fn id_tokens_of_the_front_channel_need_a_nonce_and_every_token_openid_core_3_2_2_1() {
    let without = [("response_type", "code id_token")];
    assert_eq!(refused(ask_front_channel(&without)), (ErrorCode::InvalidRequest, ResponseMode::Fragment));
    // An access token has no place for a nonce.
    assert!(ask_front_channel(&[("response_type", "code token")]).is_ok());
    let plain = [("response_type", "code token"), ("scope", "email")];
    assert_eq!(refused(ask_front_channel(&plain)).0, ErrorCode::InvalidScope);
}

#[test]
fn without_a_code_there_is_neither_a_challenge_nor_offline_access_core_11() {
    let asked = [
        ("response_type", "id_token"),
        ("nonce", "n"),
        ("scope", "openid offline_access"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let strict = Client { require_pkce: true, response_types: vec!["id_token".to_owned()], ..client() };
    let request = authorize_all_on(&strict, &asked).unwrap();
    assert_eq!((request.scope, request.code_challenge), (scope("openid"), None));
}

#[test]
fn signed_answers_are_asked_for_by_mode_jarm_2_3() {
    let mode = |word: &str, kind: &str| {
        ask_front_channel(&[("response_mode", word), ("response_type", kind), ("nonce", "n")]).map(|r| r.response_mode)
    };
    assert_eq!(mode("jwt", "code").unwrap(), ResponseMode::QueryJwt);
    assert_eq!(mode("jwt", "id_token").unwrap(), ResponseMode::FragmentJwt);
    assert_eq!(mode("form_post.jwt", "code").unwrap(), ResponseMode::FormPostJwt);
    let off = Features { signed_responses: false, ..Features::ALL };
    let capabilities = Capabilities { features: off, ..Capabilities::default() };
    let provider = Provider { issuer: &issuer(), capabilities: &capabilities, keys: &[] };
    let asked = authorization_params(&[("response_mode", "jwt")]);
    let answer = check(&asked, Some(&client()), &provider, Arrival::default());
    assert_eq!(refused(answer), (ErrorCode::InvalidRequest, ResponseMode::Query));
}

#[test]
fn resources_are_known_and_allowed_rfc8707_2_1() {
    let server = |uri: &str| crate::features::ResourceServer {
        uri: uri.to_owned(),
        scopes: scope("cases.read"),
        access_token_alg: countersign_model::SigningAlgorithm::RS256,
    };
    let servers = vec![server("https://api.example/cases"), server("https://api.example/orders")];
    let capabilities = Capabilities { resources: servers, ..Capabilities::default() };
    let provider = Provider { issuer: &issuer(), capabilities: &capabilities, keys: &[] };
    let ask = |client: &Client, resources: &[&str]| {
        let asked = authorization_params(&[]).with("scope", "openid cases.read");
        let params = resources.iter().fold(asked, |params, one| params.and("resource", one));
        check(&params, Some(client), &provider, Arrival::default())
    };
    let both = ["https://api.example/cases", "https://api.example/orders"];
    assert_eq!(ask(&client(), &both).unwrap().resources, both);
    let narrow = Client { resources: vec![both[0].to_owned()], ..client() };
    assert!(ask(&narrow, &both[..1]).is_ok());
    let cases = [ask(&narrow, &both), ask(&client(), &["https://other.example"]), ask(&client(), &["/cases"])];
    let fragment = ask(&client(), &["https://api.example/cases#a"]);
    for answer in cases.into_iter().chain([fragment]) {
        assert_eq!(refused(answer).0, ErrorCode::InvalidTarget);
    }
}

#[test]
fn requests_are_pushed_or_signed_where_that_is_demanded_rfc9126_5() {
    let ask = |client: &Client, features: Features, arrival: Arrival| {
        let capabilities = Capabilities { features, ..Capabilities::default() };
        let provider = Provider { issuer: &issuer(), capabilities: &capabilities, keys: &[] };
        check(&authorization_params(&[]), Some(client), &provider, arrival).is_ok()
    };
    let (direct, pushed) = (Arrival::default(), Arrival { pushed: true, signed: false });
    let everybody = Features { require_pushed_requests: true, ..Features::ALL };
    assert!(!ask(&client(), everybody, direct) && ask(&client(), everybody, pushed));
    let mut own = client();
    own.requests.require_pushed = true;
    assert!(!ask(&own, Features::ALL, direct) && ask(&own, Features::ALL, pushed));
    let mut signs = client();
    signs.requests.require_signed = true;
    assert!(!ask(&signs, Features::ALL, pushed) && ask(&signs, Features::ALL, Arrival { pushed: false, signed: true }));
}

#[test]
fn what_carries_a_request_is_on_or_refused_core_3_1_2_6() {
    let find = |changes: &[(&str, &str)], features| match find_carriage(&params(changes), &features) {
        Ok(carriage) => Ok(format!("{carriage:?}")),
        Err(error) => Err(error.code),
    };
    let off = Features { request_objects: false, pushed_requests: false, ..Features::SAFE };
    let pushed = [("request_uri", "urn:ietf:params:oauth:request_uri:abc")];
    let address = [("request_uri", "https://rp.example/r")];
    assert_eq!(find(&pushed, Features::ALL).unwrap(), r#"Pushed("abc")"#);
    assert_eq!(find(&address, Features::ALL).unwrap(), r#"Reference("https://rp.example/r")"#);
    assert_eq!(find(&[("request", "x")], Features::ALL).unwrap(), r#"Object("x")"#);
    assert_eq!(find(&pushed, off), Err(ErrorCode::RequestUriNotSupported));
    assert_eq!(find(&address, off), Err(ErrorCode::RequestUriNotSupported));
    assert_eq!(find(&[("request", "x")], off), Err(ErrorCode::RequestNotSupported));
    assert_eq!(find(&[("request", "x"), address[0]], Features::ALL), Err(ErrorCode::InvalidRequest));
}

#[test]
fn a_good_request_is_noted_in_full() {
    let nonce = "n".repeat(384);
    let changes = [
        ("scope", "profile  openid"),
        ("nonce", nonce.as_str()),
        ("prompt", "consent login"),
        ("max_age", "010"),
        ("acr_values", "urn:a urn:b"),
        ("p", "email"),
        ("login_hint", "alice@example.com"),
        ("ui_locales", "es-MX en \u{fc}"),
        ("claims_locales", "xx"),
        ("display", "nonsense"),
        ("unknown", "ignored"),
    ];
    let request = authorize(&client(), &changes).unwrap();
    assert_eq!(request.scope, scope("openid profile"));
    assert_eq!(request.nonce, Some(nonce));
    assert!(request.prompt.contains(Prompt::Login) && request.demands_consent() && !request.is_silent());
    assert_eq!(request.max_age, Some(Seconds::new(10)));
    assert_eq!(request.acr_values, ["urn:a", "urn:b"]);
    assert_eq!(request.policy.as_deref(), Some("email"));
    assert_eq!(request.login_hint.as_deref(), Some("alice@example.com"));
    assert_eq!(request.ui_locales, ["es-MX", "en"]);
    let spoken = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(request.language(&spoken(&["en", "ES"])), Some("ES"), "the first that is spoken, by its language");
    assert_eq!(request.language(&spoken(&["de", "en"])), Some("en"));
    assert_eq!(request.language(&spoken(&["e", "mx"])), None);
}

#[test]
fn a_request_without_openid_is_plain_oauth() {
    assert_eq!(authorize(&client(), &[("scope", "cases.read")]).unwrap().scope, scope("cases.read"));
}

#[test]
fn offline_access_means_nothing_to_a_client_that_may_not_refresh() {
    let asked = [("scope", "openid offline_access")];
    assert!(authorize(&client(), &asked).unwrap().scope.contains("offline_access"));
    let once = Client { grant_types: vec!["authorization_code".to_owned()], ..client() };
    assert_eq!(authorize(&once, &asked).unwrap().scope, scope("openid"));
}

#[test]
fn state_and_nonce_have_an_end() {
    let long = "x".repeat(5000);
    assert_eq!(error_code(&client(), &[("state", &long)]), ErrorCode::InvalidRequest);
    assert_eq!(error_code(&client(), &[("nonce", &long)]), ErrorCode::InvalidRequest);
}

#[test]
fn claims_are_kept_by_name_as_far_as_the_client_may_see_them_core_5_5() {
    let shy = Client { scope: scope("openid profile"), ..client() };
    let claims = r#"{"userinfo":{"name":{"essential":true},"email":null,"unknown":null,"sub":{"value":"u1"}},
        "id_token":{"given_name":null,"acr":{"values":["urn:a","urn:b"]},"auth_time":{"essential":true}},"other":{}}"#;
    let request = authorize(&shy, &[("claims", claims), ("acr_values", "urn:b")]).unwrap();
    let (userinfo, id_token) = (vec!["name".to_owned()], vec!["given_name".to_owned()]);
    assert_eq!(request.claims, RequestedClaims { userinfo, id_token });
    assert_eq!(request.subject.as_deref(), Some("u1"));
    assert_eq!(request.acr_values, ["urn:b", "urn:a"]);
    assert!(request.essential_acr.is_empty());
}

#[test]
fn acr_may_be_asked_of_userinfo_which_demands_nothing_core_5_5() {
    let claims = r#"{"userinfo":{"acr":{"essential":true,"values":["urn:a"]}},"id_token":{"acr":null}}"#;
    let request = authorize(&client(), &[("claims", claims)]).unwrap();
    assert_eq!(request.claims, RequestedClaims { userinfo: vec!["acr".to_owned()], id_token: vec![] });
    assert!(request.essential_acr.is_empty() && request.acr_values.is_empty(), "5.5.1.1 speaks of the ID token");
}

#[test]
fn an_essential_acr_is_told_from_a_voluntary_one_core_5_5_1_1() {
    let claims = r#"{"id_token":{"acr":{"essential":true,"value":"urn:a"}}}"#;
    let request = authorize(&client(), &[("claims", claims)]).unwrap();
    assert_eq!((request.essential_acr, request.acr_values), (vec!["urn:a".to_owned()], vec![]));
}

#[test]
fn subjects_that_contradict_each_other_are_malformed() {
    let claims = r#"{"userinfo":{"sub":{"value":"a"}},"id_token":{"sub":{"value":"b"}}}"#;
    assert_eq!(error_code(&client(), &[("claims", claims)]), ErrorCode::InvalidRequest);
}

#[test]
fn a_hint_is_verified_and_its_expiry_ignored_core_3_1_2_1() {
    let (private, stored) = key(countersign_model::SigningAlgorithm::ES256, "k1");
    let terms = id_token::Terms {
        issuer: &issuer(),
        lifetime: Seconds::new(0),
        nonce: None,
        tied: id_token::Tied { access_token: Some("at"), ..id_token::Tied::default() },
        algorithm: Some(private.algorithm()),
        naming: &crate::testing::PLAIN,
    };
    let claims = id_token::claims(&account(), &grant("openid"), &terms, NOW);
    let hint = private.sign(id_token::TYPE, &claims).unwrap();
    let request = authorize_with(&client(), &[("id_token_hint", &hint)], std::slice::from_ref(&stored)).unwrap();
    assert_eq!(request.hint.as_deref(), Some(account().user.id.as_str()));
    assert!(matches!(authorize(&client(), &[("id_token_hint", &hint)]), Err(Refusal::Redirect(..))));
}

#[test]
fn a_request_survives_postcard_and_is_small() {
    let changes = [("nonce", "0123456789abcdef0123456789abcdef"), ("max_age", "3600"), ("ui_locales", "en")];
    let request = authorize(&client(), &changes).unwrap();
    let bytes = postcard::to_stdvec(&request).unwrap();
    assert!(bytes.len() < 200, "{} bytes", bytes.len());
    assert_eq!(postcard::from_bytes::<AuthorizationRequest>(&bytes).unwrap(), request);
}

#[test]
fn the_client_to_look_up_is_read_from_the_request() {
    assert_eq!(client_id(&params(&[("client_id", "rp")])).unwrap().as_str(), "rp");
    assert_eq!(client_id(&params(&[("client_id", "r p")])), None);
    assert_eq!(client_id(&params(&[])), None);
}

/// Near misses of registered URIs, and anything at all.
fn some_uri() -> impl Strategy<Value = String> {
    let host =
        prop_oneof![Just("127.0.0.1"), Just("[::1]"), Just("localhost"), Just("rp.example"), Just("127.0.0.1.x")];
    let port = prop_oneof![Just(String::new()), "[:@.][0-9a-z@/]{0,6}".boxed()];
    let near = ("https?", host, port, "(/cb|/callback|/|)", "[?#&a-z=]{0,5}")
        .prop_map(|(scheme, host, port, path, rest)| format!("{scheme}://{host}{port}{path}{rest}"));
    prop_oneof![4 => near, 1 => "\\PC{0,40}"]
}

proptest! {
    #[test]
    fn a_uri_nobody_registered_is_never_accepted(asked in some_uri()) {
        let registered = ["https://rp.example/callback", "http://127.0.0.1/cb", "http://[::1]:9/cb?a"];
        let native = native_client(&registered);
        if ValidRedirectUri::find(&native, &asked).is_some() && !registered.contains(&asked.as_str()) {
            // Then it is a loopback address, and nothing but its port differs, by the url crate's own account.
            let mut url = url::Url::parse(&asked).unwrap();
            prop_assert!(matches!(url.host_str(), Some("127.0.0.1" | "[::1]")));
            prop_assert_eq!((url.scheme(), url.username(), url.password(), url.fragment()), ("http", "", None, None));
            url.set_port(None).unwrap();
            let same = |known: &&str| {
                let mut known = url::Url::parse(known).unwrap();
                known.set_port(None).unwrap();
                known == url
            };
            prop_assert!(registered.iter().any(same), "{}", asked);
        }
    }

    #[test]
    fn arbitrary_parameters_never_panic(
        claims in "\\PC{0,60}",
        prompt in "\\PC{0,20}",
        max_age in "\\PC{0,24}",
        hint in "[a-zA-Z0-9._-]{0,60}",
        scope in "\\PC{0,20}",
    ) {
        let changes = [
            ("claims", claims.as_str()), ("prompt", &prompt), ("max_age", &max_age), ("id_token_hint", &hint), ("scope", &scope),
        ];
        let _ = authorize(&client(), &changes);
    }
}
