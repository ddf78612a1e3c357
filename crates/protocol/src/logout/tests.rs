use countersign_model::{LogoutRules, SigningAlgorithm};

use super::*;
use crate::keys::PrivateKey;
use crate::testing::{NOW, client, issuer, key, other_client, params};

const AFTER: &str = "https://rp.example/after";

fn leaving() -> Client {
    let logout = LogoutRules {
        post_logout_redirect_uris: vec![AFTER.to_owned(), "https://rp.example/out?a=b".to_owned()],
        frontchannel_uri: Some("https://rp.example/front?tenant=a%20b".to_owned()),
        ..LogoutRules::default()
    };
    Client { logout, ..client() }
}

fn id_token(key: &PrivateKey, changes: &[(&str, Value)]) -> String {
    let mut claims = json!({"iss": "https://op.example", "aud": "rp", "sub": "alice", "sid": "s-1", "exp": 1});
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    key.sign("JWT", &claims).unwrap()
}

/// RP-Initiated Logout, 2: "the OP SHOULD accept ID Tokens when the RP identified by the ID Token's aud claim and/or sid
/// claim has a current session ... even when the exp time has passed".
#[test]
fn a_hint_names_client_and_session_long_after_its_end() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k");
    let token = id_token(&private, &[]);
    let asked = params(&[("id_token_hint", &token)]);
    let caller = caller(&asked, &[stored], &issuer()).unwrap();
    let request = check(&asked, caller, Some(&leaving())).unwrap();
    assert_eq!(request.client.as_ref().map(ClientId::as_str), Some("rp"));
    assert_eq!(decide(&request, &["s-0", "s-1"]), Step::End);
    assert_eq!(decide(&request, &["s-2"]), Step::Ask);
    assert_eq!(decide(&request, &[]), Step::Nothing);
}

#[test]
fn a_hint_that_is_no_id_token_of_ours_is_refused() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k");
    let (foreign, _) = key(SigningAlgorithm::ES256, "k");
    let good = id_token(&private, &[]);
    let payload = good.split('.').nth(1).unwrap();
    let bad = [
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        id_token(&foreign, &[]),
        id_token(&private, &[("iss", json!("https://other.example"))]),
        private.sign("at+jwt", &json!({"iss": "https://op.example", "aud": "rp", "sub": "alice"})).unwrap(),
        private.sign("logout+jwt", &json!({"iss": "https://op.example", "aud": "rp", "sub": "alice"})).unwrap(),
        "x".to_owned(),
    ];
    for token in bad {
        let asked = params(&[("id_token_hint", &token)]);
        assert!(caller(&asked, std::slice::from_ref(&stored), &issuer()).is_err(), "{token}");
    }
    let mixed = params(&[("id_token_hint", &good), ("client_id", "other")]);
    assert!(caller(&mixed, &[stored], &issuer()).is_err(), "client_id is not the audience");
}

#[test]
fn nobody_is_sent_where_no_client_registered() {
    let known = leaving();
    let asked = |changes: &[(&str, &str)], client: Option<&Client>| {
        let asked = params(changes);
        check(&asked, caller(&asked, &[], &issuer())?, client)
    };
    for uri in [
        "https://rp.example/after/",
        "https://rp.example/after?foo=bar",
        "https://RP.example/after",
        "https://evil.example/",
        "https://rp.example/callback",
    ] {
        let changes = [("client_id", "rp"), ("post_logout_redirect_uri", uri)];
        assert!(asked(&changes, Some(&known)).is_err(), "{uri}");
    }
    assert!(asked(&[("post_logout_redirect_uri", AFTER)], None).is_err(), "whose address is it?");
    assert!(asked(&[("client_id", "rp")], None).is_err(), "no such client");
    assert!(asked(&[("client_id", "other")], Some(&known)).is_err(), "another client than was asked for");
    let disabled = Client { disabled: true, ..known.clone() };
    assert!(asked(&[("client_id", "rp")], Some(&disabled)).is_err());

    let request = asked(&[("client_id", "rp"), ("post_logout_redirect_uri", AFTER), ("state", "a b&c")], Some(&known));
    let target = request.clone().unwrap().target.unwrap();
    assert_eq!(target.address(&known).as_deref(), Some("https://rp.example/after?state=a+b%26c"));
    assert_eq!(target.address(&other_client()), None, "what is kept is matched again");
    assert_eq!(decide(&request.unwrap(), &["s-1"]), Step::Ask, "without a hint the person is asked");

    let request =
        asked(&[("client_id", "rp"), ("post_logout_redirect_uri", "https://rp.example/out?a=b")], Some(&known));
    assert_eq!(request.unwrap().target.unwrap().address(&known).as_deref(), Some("https://rp.example/out?a=b"));
    for nothing in [&[][..], &[("state", "only")]] {
        let request = asked(nothing, None).unwrap();
        assert_eq!((&request.target, decide(&request, &["s-1"])), (&None, Step::Ask));
    }
}

/// Back-Channel Logout, 2.4.
#[test]
fn a_logout_token_says_who_and_which_session_and_nothing_else() {
    let claims = token_claims(&issuer(), &client().id, "alice", "s-1", "j-1", NOW);
    let expected = json!({
        "iss": "https://op.example", "aud": "rp", "iat": 1_800_000_000, "exp": 1_800_000_120, "jti": "j-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "sub": "alice", "sid": "s-1",
    });
    assert_eq!(claims, expected);
}

/// Front-Channel Logout, 2: the query that was registered stays.
#[test]
fn an_address_in_the_browser_names_issuer_and_session() {
    let address = frontchannel_address(&leaving(), &issuer(), "s 1");
    let expected = "https://rp.example/front?tenant=a%20b&iss=https%3A%2F%2Fop.example&sid=s+1";
    assert_eq!(address.as_deref(), Some(expected));
    assert_eq!(frontchannel_address(&client(), &issuer(), "s"), None);
}
