//! How large a running instance is in Redis.

use countersign_tests::provider::{HOSPITAL, House, Pair, Person, run};

/// Most bytes of an instance, its request's own `state`, `nonce` and `claims` not counted (POLICIES, section 5).
const MOST: usize = 700;

#[test]
fn an_instance_of_the_email_policy_takes_at_most_seven_hundred_bytes() {
    run(Pair::Servers, measure);
}

async fn measure(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let own = "st".len() + "no".len();
    let mut measured = Vec::new();
    let more = "scope=openid+profile+email+phone+offline_access\
                &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let options = person.arrive(&node, more).await.page();
    assert_eq!(house.stored_size(options.flow).await, 0, "the first page is stateless");
    let sign_in = person.press(&node, &options, "email", &[("remember_customers", "on")]).await.page();
    measured.push(("sign-in", house.stored_size(sign_in.flow).await - own));
    let wrong = person.give_password(&node, &sign_in, (HOSPITAL.0, "wrong-password")).await.page();
    measured.push(("wrong password", house.stored_size(wrong.flow).await - own));
    let page = person.give_password(&node, &wrong, HOSPITAL).await.page();
    measured.push(("before the code", house.stored_size(page.flow).await - own));
    let sent = person.press(&node, &page, "send", &[]).await.page();
    measured.push(("code sent", house.stored_size(page.flow).await - own));
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    let verified = person.press(&node, &sent, "verify", &[("code", &code)]).await.page();
    measured.push(("code right", house.stored_size(page.flow).await - own));
    person.press(&node, &verified, "continue", &[]).await.code();
    measured.push(("done", house.stored_size(page.flow).await - own));
    assert!(measured.iter().all(|(_, size)| (60..=MOST).contains(size)), "{measured:?}");
    let largest = measured.iter().map(|(_, size)| *size).max().unwrap();
    assert!(documented().abs_diff(largest) <= 16, "docs/POLICIES.md tells another size: {measured:?}");
}

/// The largest size that the documentation tells of.
fn documented() -> usize {
    let text = include_str!("../../docs/POLICIES.md");
    let line = text.lines().find(|line| line.starts_with("<!-- measured -->")).unwrap();
    line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).max().unwrap()
}
