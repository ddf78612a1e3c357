use super::*;
use crate::error::ErrorCode;
use crate::testing::{CALLBACK, authorize, client, issuer, native_client};
use countersign_model::Client;

fn target(client: &Client, changes: &[(&str, &str)]) -> ResponseTarget {
    authorize(client, changes).unwrap().target(client).unwrap()
}

fn redirect(client: &Client, changes: &[(&str, &str)]) -> String {
    match AuthorizationResponse::success(target(client, changes), &issuer(), "c+d").render() {
        Rendered::Redirect(location) => location,
        Rendered::FormPost { .. } => panic!("a form"),
    }
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
    let rendered = AuthorizationResponse::success(target, &issuer(), "c").render();
    let fields = vec![("code", "c".into()), ("state", "\"><script>".into()), ("iss", "https://op.example".into())];
    assert!(rendered == Rendered::FormPost { action: CALLBACK.to_owned(), fields });
}

#[test]
fn an_error_holds_state_and_iss_too() {
    let error = OAuthError::new(ErrorCode::AccessDenied, "Cancelled\r\nSet-Cookie: a").with_detail("hidden");
    let response = AuthorizationResponse::error(target(&client(), &[]), &issuer(), &error).render();
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
