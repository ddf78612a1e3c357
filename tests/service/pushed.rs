//! Pushed requests, over two nodes: one answer, however many browsers come.

use countersign_model::AuditKind;
use countersign_protocol::Params;
use countersign_service::{Answer, AuthorizeCall, NewAccount, Provider, PushCall, RequestContext};
use countersign_tests::provider::{ALICE, House, PORTAL_URI, Person, Seen, encode, form, parameter};
use countersign_tests::stores::race;
use secrecy::SecretString;

on_both_stores![of_sixty_four_browsers_with_one_pushed_request_one_is_answered, a_used_up_request_is_purged];

const MANY: usize = 64;
const SECRET: &str = "portal-secret-of-the-tests-0123456789abcdef";

/// Pushes a request of `lab-suite`; its name.
pub async fn push(node: &Provider) -> String {
    let text = format!(
        "client_id=lab-suite&client_secret={SECRET}&response_type=code&scope=openid&state=st&redirect_uri={}",
        encode(PORTAL_URI)
    );
    let form = Params::parse_form(text.as_bytes()).unwrap();
    let context = RequestContext::default();
    let call = PushCall { authorization: None, query: &Params::default(), form: &form, dpop: None, context: &context };
    let body = node.push_request(call).await.unwrap().unwrap();
    body["request_uri"].as_str().unwrap().to_owned()
}

async fn arrive(person: &mut Person, node: &Provider, name: &str) -> Seen {
    let params = Params::parse_query(&format!("client_id=lab-suite&request_uri={}", encode(name))).unwrap();
    let (cookies, context) = (&person.cookies, &person.context);
    let call = AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context };
    let answered = node.authorize(call).await.unwrap();
    person.follow(node, answered).await
}

/// An account for each of many people, so that none of them waits for another's tries.
async fn crowd(node: &Provider) -> Vec<String> {
    let mut addresses = Vec::with_capacity(MANY);
    for index in 0..MANY {
        let email = format!("person{index}@example.com");
        let password = Some(SecretString::from(ALICE.1));
        let account = NewAccount { email: email.clone(), password, ..NewAccount::default() };
        node.create_account(&account).await.unwrap().unwrap();
        addresses.push(email);
    }
    addresses
}

async fn of_sixty_four_browsers_with_one_pushed_request_one_is_answered(house: House) {
    let nodes = [house.node().await, house.node().await];
    let people = crowd(&nodes[0]).await;
    let name = push(&nodes[0]).await;
    let mut visits = Vec::new();
    for index in 0..MANY {
        let mut person = Person::new();
        let page = arrive(&mut person, &nodes[index % 2], &name).await.page();
        visits.push((person, page));
    }
    let answers = race(MANY, |index| {
        let (person, page) = &visits[index];
        let sent = form(page, "login", &[("email", &people[index]), ("password", ALICE.1)]);
        let post = person.post(&nodes[index % 2], page.flow, sent);
        async move { post.await.unwrap() }
    });
    let (mut codes, mut late) = (0, 0);
    for answered in &answers {
        let Answer::Respond(response) = &answered.answer else { panic!("{:?}", answered.answer) };
        match parameter(response, "error") {
            None => codes += usize::from(parameter(response, "code").is_some()),
            Some(error) => {
                assert_eq!(error, "invalid_request_uri");
                assert!(answered.cookies.session.is_none(), "nobody is signed in");
                late += 1;
            }
        }
    }
    assert_eq!((codes, late), (1, MANY - 1));
    assert_eq!(house.count("authorization_codes", "1 = 1").await, 1);
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1, "the others are not signed in");
    assert!(matches!(arrive(&mut Person::new(), &nodes[1], &name).await, Seen::Refused));
}

async fn a_used_up_request_is_purged(house: House) {
    let node = house.node().await;
    push(&node).await;
    house.clock.pass(countersign_model::Seconds::hours(26));
    let now = node.clock().now();
    let purged = house.database.db.write(async |tx| tx.purge_expired(now, 10).await).await;
    assert_eq!(purged.unwrap().pushed, 1);
}
