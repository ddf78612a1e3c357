use super::*;
use crate::testing::{NOW, client};

fn proof(key: &str) -> Proof {
    Proof { thumbprint: key.to_owned(), jti: "1".to_owned(), expires_at: NOW }
}

#[test]
fn a_proof_binds_whoever_sends_it_and_who_registered_must_send_one_rfc9449_5_2() {
    let (plain, proof) = (client(), proof("k"));
    let registered = Client { dpop_bound_tokens: true, ..client() };
    let held = Held { proof: Some(&proof), certificate: None };
    for client in [&plain, &registered] {
        let binding = Binding::decide(client, held).unwrap();
        assert_eq!((binding.key(), binding.confirmation().unwrap().key.as_deref()), (Some("k"), Some("k")));
    }
    assert_eq!(Binding::decide(&plain, Held::default()).unwrap().confirmation(), None);
    let refused = Binding::decide(&registered, Held::default()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidDpopProof);
}

#[test]
fn a_token_can_be_bound_to_certificate_and_key() {
    let (client, proof) = (Client { certificate_bound_tokens: true, ..client() }, proof("k"));
    let certificate = CertificateThumbprint::of(b"own");
    let held = Held { proof: Some(&proof), certificate: Some(&certificate) };
    let confirmation = Binding::decide(&client, held).unwrap().confirmation().unwrap();
    assert_eq!(confirmation.certificate.as_deref(), Some(certificate.as_str()));
    assert!(check(Some(&confirmation), Scheme::Dpop, held).is_ok());
    let without = Held { proof: Some(&proof), certificate: None };
    assert_eq!(check(Some(&confirmation), Scheme::Dpop, without).unwrap_err().code, ErrorCode::InvalidToken);
}

#[test]
fn refresh_tokens_of_public_clients_are_bound_rfc9449_5_and_rfc8705_4() {
    let (own, other) = (proof("k"), proof("x"));
    let binding = |proof| Binding::decide(&client(), Held { proof: Some(proof), certificate: None }).unwrap();
    let known = binding(&own).of_refresh_token(true);
    assert_eq!(known, Some(TokenBinding::Dpop("k".to_owned())));
    assert_eq!(binding(&own).of_refresh_token(false), None);
    assert!(binding(&own).fits(known.as_ref()) && binding(&other).fits(None));
    assert!(!binding(&other).fits(known.as_ref()) && !Binding::default().fits(known.as_ref()));

    let bound = Client { certificate_bound_tokens: true, ..client() };
    let (shown, foreign) = (CertificateThumbprint::of(b"own"), CertificateThumbprint::of(b"other"));
    let binding = |shown| Binding::decide(&bound, Held { certificate: Some(shown), proof: None }).unwrap();
    let known = binding(&shown).of_refresh_token(true);
    assert_eq!(known, Some(TokenBinding::Certificate(shown.as_str().to_owned())));
    assert!(binding(&shown).fits(known.as_ref()) && !binding(&foreign).fits(known.as_ref()));
}

#[test]
fn a_token_works_under_the_scheme_of_its_kind_alone_rfc9449_7() {
    let (own, other) = (proof("k"), proof("x"));
    let bound = Confirmation { certificate: None, key: Some("k".to_owned()) };
    let with = |proof| Held { proof: Some(proof), certificate: None };
    assert!(check(Some(&bound), Scheme::Dpop, with(&own)).is_ok());
    assert!(check(None, Scheme::Bearer, Held::default()).is_ok());
    let refused = [
        (check(Some(&bound), Scheme::Bearer, with(&own)), ErrorCode::InvalidToken),
        (check(Some(&bound), Scheme::Dpop, with(&other)), ErrorCode::InvalidToken),
        (check(Some(&bound), Scheme::Dpop, Held::default()), ErrorCode::InvalidDpopProof),
        (check(None, Scheme::Dpop, with(&own)), ErrorCode::InvalidToken),
    ];
    for (outcome, code) in refused {
        assert_eq!(outcome.unwrap_err().code, code);
    }
}
