//! Clients that register themselves: who may, and how long an unused one stays.

use std::sync::Arc;

use countersign_model::{ClientId, Seconds};
use countersign_protocol::Params;
use countersign_service::{
    AddressLimits, Provider, RegistrationAccess, RegistrationCall, RegistrationRefusal, RegistrationSettings,
    RequestContext, ServiceError,
};
use countersign_tests::provider::{HOSPITAL, House, NodePlan, Person};
use countersign_tests::stores::race;
use secrecy::SecretString;

on_both_stores![
    a_closed_endpoint_registers_nobody,
    where_a_token_is_demanded_it_must_be_the_right_one,
    a_client_that_is_not_used_is_removed_and_one_in_use_stays,
    names_that_could_mislead_are_refused,
    a_client_chooses_among_the_ways_to_sign_in_alone,
    what_is_gone_is_not_brought_back_by_a_replacement,
    no_mail_names_a_client_as_it_calls_itself,
    of_many_that_register_at_once_no_more_than_there_is_room_for_do,
    a_replacement_costs_what_a_registration_costs,
    what_a_client_does_without_comes_back_by_nothing_that_it_says,
];

const TOKEN: &str = "an-initial-access-token";
const METADATA: &[u8] = br#"{"redirect_uris": ["https://rp.example/cb"], "grant_types": ["client_credentials"],
    "response_types": [], "scope": "jobs.read", "countersign_policy": "lab"}"#;

async fn node(house: &House, access: RegistrationAccess) -> Arc<Provider> {
    let registration = RegistrationSettings {
        access,
        initial_access_tokens: vec![SecretString::from(TOKEN)],
        first_party: true,
        scopes: "jobs.read".parse().unwrap(),
        ..RegistrationSettings::default()
    };
    house.node_with(NodePlan { registration, ..house.plan() }).await
}

async fn register(node: &Provider, token: Option<&str>) -> Result<serde_json::Value, RegistrationRefusal> {
    register_as(node, token, METADATA).await
}

async fn register_as(
    node: &Provider,
    token: Option<&str>,
    metadata: &[u8],
) -> Result<serde_json::Value, RegistrationRefusal> {
    let header = token.map(|token| format!("Bearer {token}"));
    let (query, context) = (Params::default(), RequestContext::default());
    let call = RegistrationCall { authorization: header.as_deref(), query: &query, context: &context };
    node.register(call, metadata).await.unwrap()
}

async fn what_a_client_does_without_comes_back_by_nothing_that_it_says(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    let metadata = |off: &[&str]| {
        serde_json::json!({
            "redirect_uris": ["https://rp.example/cb"], "countersign_policy": "lab", "countersign_off": off,
        })
    };
    let own = register_as(&node, None, metadata(&["pushed_requests"]).to_string().as_bytes()).await.unwrap();
    assert_eq!(own["countersign_off"], serde_json::json!(["pushed_requests"]));
    let id = own["client_id"].as_str().unwrap();
    let header = format!("Bearer {}", own["registration_access_token"].as_str().unwrap());
    let (query, context) = (Params::default(), RequestContext::default());
    let call = RegistrationCall { authorization: Some(&header), query: &query, context: &context };
    let replace = async |off: &[&str]| {
        let mut body = metadata(off);
        body["client_id"] = id.into();
        node.replace_registration(call, id, body.to_string().as_bytes()).await.unwrap()
    };
    for fewer in [&[][..], &["claims_parameter"]] {
        let Err(RegistrationRefusal::Metadata(error)) = replace(fewer).await else { panic!("{fewer:?} was taken") };
        assert!(error.why.contains("pushed_requests stays off"), "{error}");
    }
    let more = replace(&["claims_parameter", "pushed_requests"]).await.unwrap();
    assert_eq!(more["countersign_off"], serde_json::json!(["claims_parameter", "pushed_requests"]));
    let Err(RegistrationRefusal::Metadata(error)) = replace(&["pushed_requests", "unheard_of"]).await else { panic!() };
    assert_eq!(error.code, "invalid_client_metadata");
}

async fn no_mail_names_a_client_as_it_calls_itself(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    for (name, is_told) in [("Call 555 now", false), ("Case Portal", true)] {
        let id = if is_told {
            "case-portal".to_owned()
        } else {
            let metadata = serde_json::json!({
                "client_name": name, "redirect_uris": ["https://portal.example/callback"], "scope": "openid",
                "countersign_policy": "email",
            });
            let answer = register_as(&node, None, &serde_json::to_vec(&metadata).unwrap()).await.unwrap();
            answer["client_id"].as_str().unwrap().to_owned()
        };
        let mut person = Person::new();
        let page = person.arrive_from(&node, &id, "p=email").await.page();
        let page = person.give_password(&node, &page, HOSPITAL).await.page();
        person.press(&node, &page, "send", &[]).await.page();
        house.mailed_code(&node, HOSPITAL.0).await;
        let letter = house.relay.letters().pop().unwrap();
        assert_eq!(letter.text.contains(name), is_told, "{}", letter.text);
        assert!(is_told || letter.text.contains("Atrezzo"), "{}", letter.text);
    }
}

async fn of_many_that_register_at_once_no_more_than_there_is_room_for_do(house: House) {
    let plan = || NodePlan {
        registration: RegistrationSettings {
            access: RegistrationAccess::Open,
            most_clients: 3,
            scopes: "jobs.read".parse().unwrap(),
            ..RegistrationSettings::default()
        },
        ..house.plan()
    };
    let nodes = [house.node_with(plan()).await, house.node_with(plan()).await];
    let answers = race(24, |index| register(&nodes[index % 2], None));
    let full = |answer: &Result<_, RegistrationRefusal>| matches!(answer, Err(RegistrationRefusal::Full));
    assert_eq!(answers.iter().filter(|answer| full(answer)).count(), 21);
    assert_eq!(house.count("clients", "registered_at IS NOT NULL").await, 3);
}

/// Each may have us fetch documents of addresses that are new each time.
async fn a_replacement_costs_what_a_registration_costs(house: House) {
    let registration = RegistrationSettings {
        access: RegistrationAccess::Open,
        scopes: "jobs.read".parse().unwrap(),
        ..RegistrationSettings::default()
    };
    let address_limits = AddressLimits { registrations: 3, ..house.plan().address_limits };
    let node = house.node_with(NodePlan { registration, address_limits, ..house.plan() }).await;
    let (query, context) = (Params::default(), Person::new().context);
    let call = RegistrationCall { authorization: None, query: &query, context: &context };
    let client = node.register(call, METADATA).await.unwrap().unwrap();
    let id = client["client_id"].as_str().unwrap();
    let header = format!("Bearer {}", client["registration_access_token"].as_str().unwrap());
    let replace = async |name: &str, context: &RequestContext| {
        let mut metadata: serde_json::Value = serde_json::from_slice(METADATA).unwrap();
        metadata["client_id"] = id.into();
        metadata["client_name"] = name.into();
        let call = RegistrationCall { authorization: Some(&header), query: &query, context };
        node.replace_registration(call, id, &serde_json::to_vec(&metadata).unwrap()).await
    };
    for name in ["Second", "Third"] {
        assert_eq!(replace(name, &context).await.unwrap().unwrap()["client_name"], name);
    }
    let refused = replace("Fourth", &context).await;
    assert!(matches!(refused, Err(ServiceError::Busy(_))), "{refused:?}");
    let call = RegistrationCall { authorization: Some(&header), query: &query, context: &context };
    let known = node.read_registration(call, id).await.unwrap().unwrap();
    assert_eq!(known["client_name"], "Third", "nothing was changed, and to read costs nothing");
    assert_eq!(replace("Fourth", &Person::new().context).await.unwrap().unwrap()["client_name"], "Fourth");
}

async fn a_closed_endpoint_registers_nobody(house: House) {
    let node = house.node().await;
    assert!(matches!(register(&node, Some(TOKEN)).await, Err(RegistrationRefusal::Closed)));
    assert!(node.metadata().get("registration_endpoint").is_none());
}

async fn where_a_token_is_demanded_it_must_be_the_right_one(house: House) {
    let node = node(&house, RegistrationAccess::WithToken).await;
    let clients = house.count("clients", "1 = 1").await;
    for wrong in [None, Some("wrong"), Some("")] {
        assert!(matches!(register(&node, wrong).await, Err(RegistrationRefusal::Token(_))), "{wrong:?}");
    }
    assert_eq!(house.count("clients", "1 = 1").await, clients);
    register(&node, Some(TOKEN)).await.unwrap();
}

async fn a_client_that_is_not_used_is_removed_and_one_in_use_stays(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    let [idle, busy] = [register(&node, None).await.unwrap(), register(&node, None).await.unwrap()];
    house.clock.pass(Seconds::hours(24 * 20));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", busy["client_id"].as_str().unwrap()),
        ("client_secret", busy["client_secret"].as_str().unwrap()),
    ];
    let basic = format!("{}:{}", form[1].1, form[2].1);
    let header = format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, basic));
    let body = Params::parse_query("grant_type=client_credentials").unwrap();
    let call = countersign_service::TokenCall {
        authorization: Some(&header),
        query: &Params::default(),
        form: &body,
        dpop: None,
        certificate: None,
        context: &RequestContext::default(),
    };
    node.token(call).await.unwrap().unwrap();
    house.clock.pass(Seconds::hours(24 * 20));
    node.purge_expired().await.unwrap();
    let db = house.database.another_node();
    for (client, stays) in [(&idle, false), (&busy, true)] {
        let id: ClientId = client["client_id"].as_str().unwrap().parse().unwrap();
        let found = db.read(async |tx| tx.find_client(&id).await).await.unwrap();
        assert_eq!(found.is_some(), stays);
    }
}

fn with(member: &str, value: &str) -> Vec<u8> {
    let mut metadata: serde_json::Value = serde_json::from_slice(METADATA).unwrap();
    metadata[member] = value.into();
    serde_json::to_vec(&metadata).unwrap()
}

async fn names_that_could_mislead_are_refused(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    register_as(&node, None, &with("client_name", "Sant\u{e9} Suite")).await.unwrap();
    let long = "x".repeat(61);
    for name in [
        "",
        "Suite\nCall us",
        "a\u{202e}b",
        "\u{200b}",
        "see https://evil.example",
        "www.evil.example",
        "me@evil.example",
        &long,
    ] {
        let refused = register_as(&node, None, &with("client_name", name)).await;
        assert!(matches!(refused, Err(RegistrationRefusal::Metadata(_))), "{name:?}");
    }
    let refused = register_as(&node, None, &with("client_name#es", "Suite\nCall us")).await;
    assert!(matches!(refused, Err(RegistrationRefusal::Metadata(_))));
}

async fn a_client_chooses_among_the_ways_to_sign_in_alone(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    register_as(&node, None, &with("countersign_policy", "phone")).await.unwrap();
    for policy in ["close-account", "change-email", "invitation", "forgot-password", "new-provider", "nobody"] {
        let refused = register_as(&node, None, &with("countersign_policy", policy)).await;
        assert!(matches!(refused, Err(RegistrationRefusal::Metadata(_))), "{policy}");
    }
}

async fn what_is_gone_is_not_brought_back_by_a_replacement(house: House) {
    let node = node(&house, RegistrationAccess::Open).await;
    let id: ClientId = register(&node, None).await.unwrap()["client_id"].as_str().unwrap().parse().unwrap();
    let db = house.database.another_node();
    let find = async || db.read(async |tx| tx.find_client(&id).await).await.unwrap();
    // What a PUT read before somebody else changed it.
    let known = find().await.unwrap();
    let mut new = known.clone();
    new.name = "Renamed".to_owned();
    let replace = async || db.write(async |tx| tx.replace_registered_client(&known, &new).await).await.unwrap();
    assert!(replace().await);
    assert_eq!(find().await.unwrap().name, "Renamed");
    house.database.raw(&format!("UPDATE clients SET disabled = TRUE WHERE id = '{id}'")).await.unwrap();
    assert!(!replace().await, "disabled");
    assert!(find().await.unwrap().disabled);
    house.database.raw(&format!("DELETE FROM clients WHERE id = '{id}'")).await.unwrap();
    assert!(!replace().await, "removed");
    assert!(find().await.is_none());
}
