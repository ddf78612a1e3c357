//! Questions outside of flows: what is kept while one waits has a budget, and the audit says all that was allowed.

use countersign_model::AuditKind;
use countersign_protocol::Params;
use countersign_service::{
    AddressLimits, Answer, Answered, AuthorizeCall, PendingCall, Provider, Response, ServiceError,
};
use countersign_tests::provider::{ALICE, House, NodePlan, PORTAL_URI, Person, Seen, encode, register_client};
use serde_json::json;

on_both_stores![requests_that_wait_for_an_answer_have_a_budget, the_audit_says_all_that_was_allowed,];

async fn ask(node: &Provider, person: &Person, client: &str, more: &str) -> Result<Answered, ServiceError> {
    let redirect = encode(PORTAL_URI);
    let query = format!("client_id={client}&response_type=code&redirect_uri={redirect}&scope=openid&{more}");
    let params = Params::parse_query(&query).unwrap();
    let (cookies, context) = (&person.cookies, &person.context);
    node.authorize(AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context }).await
}

/// Where the browser is sent, without a page.
fn sent_to(answered: &Answered) -> &str {
    match &answered.answer {
        Answer::Respond(Response::Redirect(uri)) => uri,
        other => panic!("no redirect: {other:?}"),
    }
}

/// Each keeps a sealed request for ten minutes: whoever is signed in may not fill the store by asking.
async fn requests_that_wait_for_an_answer_have_a_budget(house: House) {
    const STARTS: u32 = 4;
    let address_limits = AddressLimits { starts: STARTS, ..house.plan().address_limits };
    let node = house.node_with(NodePlan { address_limits, ..house.plan() }).await;
    for (prompt, path) in [("consent", "/consent/"), ("select_account", "/select_account/")] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "lab-suite", "").await.page();
        person.give_password(&node, &page, ALICE).await.code();
        // The sign-in was one.
        for _ in 1..STARTS {
            let answered = ask(&node, &person, "lab-suite", &format!("prompt={prompt}")).await.unwrap();
            assert!(sent_to(&answered).starts_with(path), "{answered:?}");
        }
        let refused = ask(&node, &person, "lab-suite", &format!("prompt={prompt}")).await;
        assert!(matches!(refused, Err(ServiceError::Busy(_))), "{prompt}: {refused:?}");
        // What nobody must be asked about keeps nothing, and somebody elsewhere has a budget of their own.
        assert!(sent_to(&ask(&node, &person, "lab-suite", "").await.unwrap()).starts_with(PORTAL_URI));
        let elsewhere = Person { cookies: person.cookies.clone(), ..Person::new() };
        let answered = ask(&node, &elsewhere, "lab-suite", &format!("prompt={prompt}")).await.unwrap();
        assert!(sent_to(&answered).starts_with(path), "{prompt}");
    }
}

async fn the_audit_says_all_that_was_allowed(house: House) {
    let node = house.node().await;
    let client = json!({
        "client_id": "foreign", "countersign_first_party": false, "countersign_policy": "lab",
        "scope": "openid email cases.read",
    });
    register_client(&node, client).await;
    let mut person = Person::new();
    let claims = encode(r#"{"userinfo":{"email":null}}"#);
    let api = encode("https://cases.example.com/api");
    let more = format!("scope=openid+cases.read&claims={claims}&resource={api}");
    let page = person.arrive_from(&node, "foreign", &more).await.page();
    let Seen::Client(Response::Redirect(question)) = person.give_password(&node, &page, ALICE).await else {
        panic!("nobody was asked")
    };
    let id = question.strip_prefix("/consent/").expect("the question").parse().unwrap();
    let call = PendingCall { id, cookies: &person.cookies, locale: "en", chosen: false, context: &person.context };
    let page = node.show_consent(call).await.unwrap().unwrap();
    let all = ["cases.read", "openid", "email", "https://cases.example.com/api"];
    assert_eq!(page.asked, all);
    node.answer_consent(call, &page.nonce, true).await.unwrap();
    let given = house.events(Some(AuditKind::ConsentGiven)).await;
    assert_eq!(given[0].detail["scope"], all.join(" "));
}
