use super::*;

#[test]
fn an_issuer_is_a_plain_web_address_discovery_3() {
    for good in ["http://localhost:8080", "https://op.example", "https://op.example/tenant/a", "http://[::1]:8080"] {
        assert!(good.parse::<Issuer>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "op.example",
        "https://op.example/",
        "https://op.example/a/",
        "https://op.example?a",
        "https://op.example#a",
        "https://OP.example",
        "https://op.example:443",
        "https://u:p@op.example",
        "https://op.example/a/../b",
        "ftp://op.example",
        " https://op.example",
    ] {
        assert!(bad.parse::<Issuer>().is_err(), "{bad:?}");
    }
}

#[test]
fn endpoints_stand_under_the_issuer() {
    let issuer: Issuer = "https://op.example/a".parse().unwrap();
    assert_eq!(issuer.endpoint("/token"), "https://op.example/a/token");
    assert!(issuer.is_secure());
}
