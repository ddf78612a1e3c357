use super::*;
use crate::error::ErrorCode;
use crate::testing::{CALLBACK, NOW, authorize_all_on, client, issuer, native_client};
use countersign_model::Client;

fn target(client: &Client, changes: &[(&str, &str)]) -> ResponseTarget {
    authorize_all_on(client, changes).unwrap().target(client).unwrap()
}

fn redirect(client: &Client, changes: &[(&str, &str)]) -> String {
    match render(AuthorizationResponse::success(target(client, changes), &issuer(), &code("c+d"))) {
        Rendered::Redirect(location) => location,
        Rendered::FormPost { .. } => panic!("a form"),
    }
}

fn code(code: &str) -> Granted<'_> {
    Granted { code: Some(code), ..Granted::default() }
}

/// Signed answers are their claims in clear.
fn render(response: AuthorizationResponse) -> Rendered {
    let sign = |claims: &Map<String, Value>| Ok::<_, ()>(Value::Object(claims.clone()).to_string());
    response.render(&client().id, NOW, sign).unwrap()
}

#[test]
fn a_success_holds_code_state_and_iss_rfc9207_2() {
    let expected = format!("{CALLBACK}?code=c%2Bd&state=s+t%26a%3Dte&iss=https%3A%2F%2Fop.example#_");
    assert_eq!(redirect(&client(), &[]), expected);
    assert!(!redirect(&client(), &[("state", "")]).contains("state"));
}

#[test]
fn a_registered_query_is_kept_byte_for_byte_rfc6749_3_1_2() {
    for (uri, start) in [
        ("https://rp.example/cb?a=%7e&b", "https://rp.example/cb?a=%7e&b&code="),
        ("https://rp.example/cb?", "https://rp.example/cb?code="),
        ("https://rp.example/cb?a=1&", "https://rp.example/cb?a=1&code="),
    ] {
        let client = Client { redirect_uris: vec![uri.to_owned()], ..client() };
        assert!(redirect(&client, &[("redirect_uri", uri)]).starts_with(start), "{uri}");
    }
}

#[test]
fn the_fragment_mode_leaves_the_query_alone() {
    let location = redirect(&client(), &[("response_mode", "fragment")]);
    assert!(location.starts_with(&format!("{CALLBACK}#code=c%2Bd&state=")), "{location}");
}

#[test]
fn the_form_post_mode_gives_fields_to_be_escaped() {
    let target = target(&client(), &[("response_mode", "form_post"), ("state", "\"><script>")]);
    let rendered = render(AuthorizationResponse::success(target, &issuer(), &code("c")));
    let fields = vec![("code", "c".into()), ("state", "\"><script>".into()), ("iss", "https://op.example".into())];
    assert!(rendered == Rendered::FormPost { action: CALLBACK.to_owned(), fields });
}

#[test]
fn an_error_holds_state_and_iss_too() {
    let error = OAuthError::new(ErrorCode::AccessDenied, "Cancelled\r\nSet-Cookie: a").with_detail("hidden");
    let response = render(AuthorizationResponse::error(target(&client(), &[]), &issuer(), &error));
    let expected = format!(
        "{CALLBACK}?error=access_denied&error_description=CancelledSet-Cookie%3A+a&state=s+t%26a%3Dte&iss=https%3A%2F%2Fop.example#_"
    );
    assert!(response == Rendered::Redirect(expected));
}

#[test]
fn a_private_scheme_and_a_long_state_survive_rfc8252_7_1() {
    let client = native_client(&["com.example.app:/cb"]);
    let state = "x".repeat(2000);
    let location = redirect(&client, &[("redirect_uri", "com.example.app:/cb"), ("state", &state)]);
    assert!(location.starts_with("com.example.app:/cb?code=") && location.contains(&state));
}

#[test]
fn tokens_of_the_front_channel_travel_in_the_fragment_core_3_3_2_5() {
    let hybrid = Client { response_types: vec!["code id_token token".to_owned()], ..client() };
    let target = target(&hybrid, &[("response_type", "token code id_token"), ("nonce", "n")]);
    let scope = "openid email".parse().unwrap();
    let granted =
        Granted { code: Some("c"), access_token: Some(("at", Seconds::minutes(1), &scope)), id_token: Some("it") };
    let expected = format!(
        "{CALLBACK}#code=c&access_token=at&token_type=Bearer&expires_in=60&scope=email+openid&id_token=it\
         &state=s+t%26a%3Dte&iss=https%3A%2F%2Fop.example"
    );
    assert!(render(AuthorizationResponse::success(target, &issuer(), &granted)) == Rendered::Redirect(expected));
}

#[test]
fn a_signed_answer_is_one_parameter_jarm_2_3() {
    let expected = json!({
        "code": "c", "state": "s t&a=te", "iss": "https://op.example", "aud": "rp",
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 300,
    });
    for (mode, start) in [("jwt", "?response="), ("query.jwt", "?response="), ("fragment.jwt", "#response=")] {
        let response =
            AuthorizationResponse::success(target(&client(), &[("response_mode", mode)]), &issuer(), &code("c"));
        let Rendered::Redirect(location) = render(response) else { panic!("a form") };
        let rest = location.strip_prefix(&format!("{CALLBACK}{start}")).unwrap_or_else(|| panic!("{location}"));
        let pair = format!("response={}", rest.trim_end_matches("#_"));
        let jwt = form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
        assert_eq!(serde_json::from_str::<Value>(&jwt).unwrap(), expected, "{mode}");
    }
    let response =
        AuthorizationResponse::success(target(&client(), &[("response_mode", "form_post.jwt")]), &issuer(), &code("c"));
    let Rendered::FormPost { fields, .. } = render(response) else { panic!("a redirect") };
    assert_eq!(fields.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["response"]);
}
