use countersign_model::{
    AuthMethod, Client, Encryption, Feature, RefreshRule, ResponseRules, Seconds, SecurityProfile, SigningAlgorithm,
    SubjectType,
};

use super::Weight::{Must, Should};
use super::Yardstick::{Fapi2, OAuth21, Protocol, Rfc9700};
use super::{Configuration, Deviation, Weight, Yardstick, judge, rules};
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

/// What a deviation is known by: yardstick, section, weight.
type Found = (Yardstick, &'static str, Weight);

fn found(configuration: &Configuration, clients: &[Client]) -> Vec<Found> {
    let all = judge(configuration, clients).into_iter();
    all.map(|deviation| (deviation.yardstick, deviation.section, deviation.weight)).collect()
}

fn loosened_configurations() -> Vec<(Configuration, Vec<Found>)> {
    let features = |features: Features| Configuration { features, ..SAFE };
    let safe = Features::SAFE;
    vec![
        (
            Configuration { is_https: false, ..SAFE },
            vec![(OAuth21, "1.5", Must), (Rfc9700, "2.6", Should), (Fapi2, "5.2.1", Must)],
        ),
        (features(Features { implicit: true, ..safe }), vec![(OAuth21, "10.1", Must), (Rfc9700, "2.1.2", Should)]),
        (features(Features { hybrid: true, ..safe }), vec![(Rfc9700, "2.1.2", Should)]),
        (features(Features { pushed_requests: false, ..safe }), vec![(Fapi2, "5.3.2.2", Must)]),
        (
            Configuration { mutual_tls: false, ..features(Features { dpop: false, ..safe }) },
            vec![(Rfc9700, "2.2.1", Should), (Fapi2, "5.3.2.1", Must)],
        ),
        (features(Features { unsigned_id_tokens: true, ..safe }), vec![(Fapi2, "5.4.1", Must)]),
        (Configuration { code: Seconds::new(61), ..SAFE }, vec![(Fapi2, "5.3.2.2", Must)]),
        (Configuration { access_token: Seconds::new(3601), ..SAFE }, vec![(Fapi2, "6.1", Should)]),
        // One way to bind a token is enough; spans that are just right are.
        (features(Features { dpop: false, ..safe }), vec![]),
        (Configuration { mutual_tls: false, ..SAFE }, vec![]),
        (Configuration { code: Seconds::new(60), access_token: Seconds::hours(1), ..SAFE }, vec![]),
    ]
}

/// Every loosened client, and what is wrong with it alone: two switches are only loosened together where one of them
/// takes the profile away, which stands for much.
fn loosened_clients() -> Vec<(&'static str, Client, Vec<Found>)> {
    let fapi = fapi_client;
    let plain = || {
        let mut client = Client { profile: None, ..fapi() };
        client.requests.require_pushed = true;
        client
    };
    let types = |name: &str| vec!["code".to_owned(), name.to_owned()];
    let exchange = || vec![crate::token::token_exchange::GRANT_TYPE.to_owned()];
    let bearer = || vec![crate::token::jwt_bearer::GRANT_TYPE.to_owned()];
    let some = || vec!["https://cases.example/api".to_owned()];
    let public = || Client { auth_methods: vec![AuthMethod::None], ..fapi() };
    let unsigned = ResponseRules { unsigned_id_token: true, ..ResponseRules::default() };
    let is_public = [(Fapi2, "5.3.2.1", Must), (Fapi2, "5.3.2.1", Must)];
    vec![
        ("no profile, but all of it", plain(), vec![]),
        (
            "a shared secret",
            Client { auth_methods: vec![AuthMethod::ClientSecretBasic], ..fapi() },
            vec![(Rfc9700, "2.5", Should), (Fapi2, "5.3.2.1", Must)],
        ),
        ("requests in clear", Client { profile: None, ..fapi() }, vec![(Fapi2, "5.3.2.2", Must)]),
        (
            "no PKCE",
            Client { require_pkce: false, ..plain() },
            vec![(OAuth21, "4.1.1", Should), (Rfc9700, "2.1.1", Should), (Fapi2, "5.3.2.2", Must)],
        ),
        (
            "unbound tokens",
            Client { dpop_bound_tokens: false, ..plain() },
            vec![(Rfc9700, "2.2.1", Should), (Fapi2, "5.3.2.1", Must)],
        ),
        (
            "bound to a certificate",
            Client { dpop_bound_tokens: false, certificate_bound_tokens: true, ..plain() },
            vec![],
        ),
        (
            "tokens in the front channel",
            Client { response_types: types("id_token token"), ..fapi() },
            vec![(OAuth21, "10.1", Must), (Rfc9700, "2.1.2", Should), (Fapi2, "5.3.2.2", Must)],
        ),
        (
            "hybrid without a token",
            Client { response_types: types("code id_token"), ..fapi() },
            vec![(Fapi2, "5.3.2.2", Must)],
        ),
        (
            "RS256 for ID tokens",
            Client { id_token_alg: SigningAlgorithm::RS256, ..fapi() },
            vec![(Fapi2, "5.4.1", Must)],
        ),
        (
            "RS256 for access tokens",
            Client { access_token_alg: SigningAlgorithm::RS256, ..fapi() },
            vec![(Fapi2, "5.4.1", Must)],
        ),
        ("unsigned ID tokens", Client { responses: unsigned, ..fapi() }, vec![(Fapi2, "5.4.1", Must)]),
        (
            "localhost",
            Client { redirect_uris: vec!["http://localhost/cb".to_owned()], ..fapi() },
            vec![(OAuth21, "8.4.2", Should)],
        ),
        ("127.0.0.1", Client { redirect_uris: vec!["http://127.0.0.1/cb".to_owned()], ..fapi() }, vec![]),
        ("exchange", Client { grant_types: exchange(), ..fapi() }, vec![(Rfc9700, "2.3", Should)]),
        ("exchange at one", Client { grant_types: exchange(), resources: some(), ..fapi() }, vec![]),
        ("assertions", Client { grant_types: bearer(), ..fapi() }, vec![(Rfc9700, "2.3", Should)]),
        ("assertions at one", Client { grant_types: bearer(), resources: some(), ..fapi() }, vec![]),
        ("rotation", Client { refresh: RefreshRule::Rotate, ..plain() }, vec![(Fapi2, "5.3.2.1", Should)]),
        ("public", public(), is_public.to_vec()),
        (
            "public, and keeps an unbound refresh token",
            Client { dpop_bound_tokens: false, ..public() },
            [&[(OAuth21, "4.3.1", Must), (Rfc9700, "2.2.2", Must)][..], &is_public].concat(),
        ),
        ("disabled", Client { disabled: true, ..public() }, vec![]),
    ]
}

#[test]
fn each_loosened_switch_is_found_and_nothing_else() {
    for (configuration, expected) in loosened_configurations() {
        assert_eq!(found(&configuration, &[fapi_client()]), expected, "{configuration:?}");
        assert!(judge(&configuration, &[]).iter().all(|deviation| deviation.client.is_none()));
    }
}

#[test]
fn each_loosened_client_is_found_and_named_and_nothing_else() {
    for (case, client, mut expected) in loosened_clients() {
        let client = Client { id: "loose".parse().unwrap(), ..client };
        let mut told = found(&SAFE, &[fapi_client(), client.clone()]);
        let order = |found: &Found| format!("{found:?}");
        told.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(told, expected, "{case}");
        let named = |deviation: &Deviation| deviation.client.as_deref() == Some("loose");
        assert!(judge(&SAFE, &[fapi_client(), client]).iter().all(named), "{case}");
    }
}

/// Clients that registered something before it was switched off.
fn keepers() -> Vec<(Feature, Client)> {
    let plain = || Client { profile: None, ..fapi_client() };
    let responses = |responses: ResponseRules| Client { responses, ..plain() };
    let none = ResponseRules::default;
    let encryption = || Some(Encryption { alg: "ECDH-ES".to_owned(), enc: "A256GCM".to_owned() });
    vec![
        (Feature::SecurityProfiles, fapi_client()),
        (Feature::SignedUserinfo, responses(ResponseRules { userinfo_alg: Some(SigningAlgorithm::ES256), ..none() })),
        (Feature::Encryption, responses(ResponseRules { id_token_encryption: encryption(), ..none() })),
        (Feature::Encryption, responses(ResponseRules { userinfo_encryption: encryption(), ..none() })),
        (Feature::Pairwise, Client { subject_type: SubjectType::Pairwise, ..plain() }),
    ]
}

#[test]
fn whoever_keeps_what_was_switched_off_is_named_and_nobody_else() {
    let keepers = keepers();
    for feature in Feature::ALL {
        let mut features = Features::ALL;
        *features.switch(*feature) = false;
        let off = Configuration { features, ..SAFE };
        for (kept, keeper) in &keepers {
            let told = |configuration: &Configuration| {
                let all =
                    judge(configuration, &[Client { id: "keeper".parse().unwrap(), ..keeper.clone() }]).into_iter();
                let own = all.filter(|deviation| deviation.yardstick == Protocol);
                own.map(|told| (told.section, told.weight, told.client)).collect::<Vec<_>>()
            };
            let named = (kept.as_str(), Must, Some("keeper".to_owned()));
            assert_eq!(told(&off), if kept == feature { vec![named] } else { vec![] }, "{feature:?} {kept:?}");
            assert!(told(&Configuration { features: Features::ALL, ..SAFE }).is_empty(), "{kept:?} is on");
        }
    }
    assert!(rules::KEPT_BY_A_CLIENT.iter().all(|(feature, _)| keepers.iter().any(|(kept, _)| kept == feature)));
}

/// A rule that no case breaks is one that nobody knows to work.
#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let configurations = loosened_configurations().into_iter().flat_map(|(loosened, _)| judge(&loosened, &[]));
    let clients = loosened_clients().into_iter().flat_map(|(_, loosened, _)| judge(&SAFE, &[loosened]));
    let texts = |told: &mut dyn Iterator<Item = Deviation>| -> std::collections::BTreeSet<_> {
        told.map(|deviation| (deviation.yardstick, deviation.section, deviation.text)).collect()
    };
    assert_eq!(texts(&mut configurations.into_iter()).len(), rules::OF_THE_PROVIDER.len());
    assert_eq!(texts(&mut clients.into_iter()).len(), rules::OF_A_CLIENT.len());
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
