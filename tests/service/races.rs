//! Many posts at once, over two nodes.

use std::sync::Arc;

use countersign_model::AuditKind;
use countersign_service::{Answer, Answered, FlowPage, Provider, Response};
use countersign_tests::provider::{ALICE, HOSPITAL, House, Person, Seen, form, redeem};
use countersign_tests::stores::race;
use secrecy::ExposeSecret as _;

on_both_stores![
    of_sixty_four_pages_of_one_version_one_advances,
    sixty_four_posts_of_one_page_send_one_mail,
    sixty_four_posts_of_one_wrong_code_cost_one_try,
    sixty_four_posts_of_the_first_page_begin_one_flow,
    sixty_four_posts_of_the_last_step_issue_one_code,
    of_two_inputs_that_race_one_has_effects,
];

const MANY: usize = 64;

struct Seat {
    nodes: [Arc<Provider>; 2],
    person: Person,
}

impl Seat {
    async fn take(house: &House) -> Self {
        Self { nodes: [house.node().await, house.node().await], person: Person::new() }
    }

    /// Posts each of `pages` at once, every other one to the second node.
    fn post_all(&self, pages: &[FlowPage], control: &str, fields: &[(&str, &str)]) -> Vec<Answered> {
        race(pages.len(), |index| {
            let post =
                self.person.post(&self.nodes[index % 2], pages[index].flow, form(&pages[index], control, fields));
            async move { post.await.unwrap() }
        })
    }

    async fn reload_often(&mut self, page: &FlowPage) -> Vec<FlowPage> {
        let mut pages = Vec::new();
        for _ in 0..MANY {
            pages.push(self.person.reload(&self.nodes[0], page.flow).await.page());
        }
        pages
    }
}

fn repeated(page: &FlowPage) -> Vec<FlowPage> {
    vec![page.clone(); MANY]
}

fn count_up_to_date(answers: &[Answered]) -> usize {
    let up_to_date = |answered: &&Answered| match answered.answer {
        Answer::SeeFlow { out_of_date, .. } => !out_of_date,
        ref other => panic!("{other:?}"),
    };
    answers.iter().filter(up_to_date).count()
}

async fn of_sixty_four_pages_of_one_version_one_advances(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let page = seat.person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let pages = seat.reload_often(&page).await;
    let answers = seat.post_all(&pages, "send", &[]);
    assert_eq!(count_up_to_date(&answers), 1, "the others see that their page was out of date");
    assert_eq!(house.outbox().await.len(), 1);
    assert_eq!(house.events(Some(AuditKind::SendQueued)).await.len(), 1);
}

async fn sixty_four_posts_of_one_page_send_one_mail(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let page = seat.person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let answers = seat.post_all(&repeated(&page), "send", &[]);
    assert_eq!(count_up_to_date(&answers), MANY, "all get the same answer");
    assert_eq!(house.outbox().await.len(), 1);
    assert_eq!(house.events(Some(AuditKind::SendQueued)).await.len(), 1);
    assert_eq!(seat.person.reload(&node, page.flow).await.page().view.state, "sent");
}

async fn sixty_four_posts_of_one_wrong_code_cost_one_try(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let page = seat.person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let mut page = seat.person.press(&node, &page, "send", &[]).await.page();
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let answers = seat.post_all(&repeated(&page), "verify", &[("code", wrong)]);
    assert_eq!(count_up_to_date(&answers), MANY);
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1, "one wrong try");
    page = seat.person.reload(&node, page.flow).await.page();
    for _ in 0..3 {
        page = seat.person.press(&node, &page, "verify", &[("code", wrong)]).await.page();
    }
    let verified = seat.person.press(&node, &page, "verify", &[("code", &code)]).await.page();
    assert_eq!(verified.view.state, "verified", "the fifth try is still there");
}

async fn sixty_four_posts_of_the_first_page_begin_one_flow(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let options = seat.person.arrive(&node, "").await.page();
    let answers = seat.post_all(&repeated(&options), "email", &[]);
    assert_eq!(count_up_to_date(&answers), MANY);
    assert_eq!(house.events(Some(AuditKind::FlowStarted)).await.len(), 1);
    assert_eq!(seat.person.reload(&node, options.flow).await.page().view.page, "sign_in");
}

async fn sixty_four_posts_of_the_last_step_issue_one_code(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let page = seat.person.walk_to_mailbox(&node, HOSPITAL, true).await;
    let verified = seat.person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    let answers = seat.post_all(&repeated(&verified), "continue", &[]);
    check_one_login(&house, &answers).await;

    // The same where the first page is the last one.
    let sign_in = seat.person.arrive_from(&node, "lab-suite", "").await.page();
    let fields = [("email", ALICE.0), ("password", ALICE.1)];
    let answers = seat.post_all(&repeated(&sign_in), "login", &fields);
    let first = &answers[0];
    assert!(answers.iter().all(|answered| same(answered, first)));
    assert_eq!(house.count("authorization_codes", "1 = 1").await, 2);

    seat.person.keep(first);
    let Answer::Respond(response) = &first.answer else { panic!("no answer to the client") };
    assert!(matches!(seat.person.arrive_from(&node, "lab-suite", "").await, Seen::Client(_)), "the cookie holds");
    assert!(countersign_tests::provider::parameter(response, "code").is_some());
}

async fn check_one_login(house: &House, answers: &[Answered]) {
    assert!(answers.iter().all(|answered| same(answered, &answers[0])), "one redirect, one code, one cookie");
    for (table, rows) in [("authorization_codes", 1), ("grants", 1), ("browser_sessions", 1), ("remembered_logins", 1)]
    {
        assert_eq!(house.count(table, "1 = 1").await, rows, "{table}");
    }
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1);
    assert_eq!(house.events(Some(AuditKind::CodeIssued)).await.len(), 1);
    let Answer::Respond(response) = &answers[0].answer else { panic!("no answer to the client") };
    let code = countersign_tests::provider::code_in(response);
    assert!(redeem(&*house.node().await, &code).await.unwrap().is_ok());
}

fn same(one: &Answered, other: &Answered) -> bool {
    let secret = |answered: &Answered| answered.cookies.session.as_ref().unwrap().expose_secret().to_owned();
    let response = |answered: &Answered| -> Response {
        match &answered.answer {
            Answer::Respond(response) => response.clone(),
            other => panic!("{other:?}"),
        }
    };
    response(one) == response(other) && secret(one) == secret(other)
}

async fn of_two_inputs_that_race_one_has_effects(house: House) {
    let mut seat = Seat::take(&house).await;
    let node = Arc::clone(&seat.nodes[0]);
    let mut mails = 0;
    for _ in 0..8 {
        let page = seat.person.walk_to_mailbox(&node, HOSPITAL, false).await;
        let other = seat.person.reload(&node, page.flow).await.page();
        let pages = [(&page, "send"), (&other, "cancel")];
        let mut answers = race(2, |index| {
            let (page, control) = pages[index];
            let post = seat.person.post(&seat.nodes[index], page.flow, form(page, control, &[]));
            async move { (index, post.await.unwrap().answer) }
        });
        answers.sort_by_key(|(index, _)| *index);
        let send_won = matches!(answers[0].1, Answer::SeeFlow { out_of_date: false, .. });
        let cancel_won = matches!(answers[1].1, Answer::Respond(_));
        assert!(send_won != cancel_won, "{answers:?}");
        mails += usize::from(send_won);
        assert_eq!(house.outbox().await.len(), mails, "the loser sends nothing");
    }
}
