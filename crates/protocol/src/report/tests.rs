use countersign_model::{AuthMethod, Client, RefreshRule, Seconds, SecurityProfile, SigningAlgorithm};

use super::{Configuration, Deviation, Weight, Yardstick, judge};
use crate::features::Features;
use crate::testing::{client, public_client};

const SAFE: Configuration = Configuration {
    is_https: true,
    features: Features::SAFE,
    code: Seconds::new(60),
    access_token: Seconds::minutes(10),
    mutual_tls: true,
};

fn fapi_client() -> Client {
    Client {
        auth_methods: vec![AuthMethod::PrivateKeyJwt],
        secrets: Vec::new(),
        require_pkce: true,
        id_token_alg: SigningAlgorithm::PS256,
        access_token_alg: SigningAlgorithm::ES256,
        dpop_bound_tokens: true,
        refresh: RefreshRule::Keep,
        profile: Some(SecurityProfile::Fapi2Security),
        ..client()
    }
}

fn weighty(configuration: &Configuration, clients: &[Client]) -> Vec<(Yardstick, &'static str)> {
    let must = |deviation: &Deviation| deviation.weight == Weight::Must;
    let all = judge(configuration, clients);
    all.into_iter().filter(must).map(|deviation| (deviation.yardstick, deviation.section)).collect()
}

#[test]
fn what_is_safe_by_default_and_a_fapi_client_deviate_from_nothing() {
    assert_eq!(judge(&SAFE, &[fapi_client()]), []);
}

#[test]
fn each_loosened_switch_is_found() {
    let loosened = [
        Configuration { is_https: false, ..SAFE },
        Configuration { features: Features { implicit: true, ..Features::SAFE }, ..SAFE },
        Configuration { features: Features { hybrid: true, ..Features::SAFE }, ..SAFE },
        Configuration { features: Features { pushed_requests: false, ..Features::SAFE }, ..SAFE },
        Configuration { features: Features { dpop: false, ..Features::SAFE }, mutual_tls: false, ..SAFE },
        Configuration { code: Seconds::new(61), ..SAFE },
        Configuration { access_token: Seconds::hours(2), ..SAFE },
    ];
    for configuration in loosened {
        let deviations = judge(&configuration, &[]);
        assert!(!deviations.is_empty(), "{configuration:?}");
        assert!(deviations.iter().all(|deviation| deviation.client.is_none()));
    }
}

#[test]
fn each_loosened_client_is_found_and_named() {
    let fapi = fapi_client;
    let loosened = [
        Client { auth_methods: vec![AuthMethod::ClientSecretBasic], ..fapi() },
        Client { require_pkce: false, profile: None, ..fapi() },
        Client { dpop_bound_tokens: false, profile: None, ..fapi() },
        Client { response_types: vec!["code".to_owned(), "id_token token".to_owned()], ..fapi() },
        Client { id_token_alg: SigningAlgorithm::RS256, ..fapi() },
        Client { redirect_uris: vec!["http://localhost/cb".to_owned()], ..fapi() },
        Client { grant_types: vec![crate::token::token_exchange::GRANT_TYPE.to_owned()], ..fapi() },
        Client { grant_types: vec![crate::token::jwt_bearer::GRANT_TYPE.to_owned()], ..fapi() },
        public_client(),
    ];
    for client in loosened {
        let deviations = judge(&SAFE, std::slice::from_ref(&client));
        assert!(!deviations.is_empty(), "{client:?}");
        assert!(deviations.iter().all(|deviation| deviation.client.as_deref() == Some(client.id.as_str())));
    }
    assert_eq!(judge(&SAFE, &[Client { disabled: true, ..public_client() }]), []);
}

#[test]
fn a_public_client_that_keeps_its_refresh_token_breaks_what_must_be() {
    let keeps = Client { refresh: RefreshRule::Keep, ..public_client() };
    let found = weighty(&SAFE, std::slice::from_ref(&keeps));
    assert!(found.contains(&(Yardstick::Rfc9700, "2.2.2")) && found.contains(&(Yardstick::OAuth21, "4.3.1")));
    let bound = Client { dpop_bound_tokens: true, ..keeps };
    assert!(!weighty(&SAFE, &[bound]).contains(&(Yardstick::Rfc9700, "2.2.2")));
}

#[test]
fn names_of_yardsticks_are_read_back() {
    for yardstick in Yardstick::ALL {
        assert_eq!(Yardstick::from_name(yardstick.as_str()), Some(yardstick));
        assert_eq!(serde_json::to_value(yardstick).unwrap(), yardstick.as_str());
    }
    assert_eq!(Yardstick::from_name("fapi1"), None);
}
