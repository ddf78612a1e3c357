//! Unknown, wrong and disabled look the same, byte for byte; so do a name that is locked and one nobody has.
//!
//! What differs between any two answers is masked: nonces and sealed starts, the flow's id, cookies, date, request id;
//! and the typed name, which is echoed.

use countersign_tests::servers::DemoOptions;
use countersign_tests::stores::{Backend, TestDatabase};
use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{ALICE, DONALD, Provider};

/// Disabled here.
const HOSPITAL: (&str, &str) = ("demohospital18@example.com", "ward-seven-0918-lamp");
/// A portal user whose registration is unfinished.
const LEGACY: (&str, &str) = ("legacy.provider", "Atrezzo-2021!");
/// As long as the longest of the others, so that an echoed name could not tell by its length.
const NOBODY: &str = "nobody.is.here@example.com";

struct House {
    provider: Provider,
    _database: TestDatabase,
}

async fn open() -> House {
    let database = TestDatabase::empty(Backend::Sqlite).await;
    let options = DemoOptions { database_url: Some(database.url.clone()), ..DemoOptions::default() };
    let provider = Provider::start_with(options).await;
    for sql in [
        format!("UPDATE users SET status = 'disabled' WHERE email = '{}'", HOSPITAL.0),
        format!("UPDATE users SET username = 'disabled.user' WHERE email = '{}'", HOSPITAL.0),
        format!("UPDATE users SET username = 'finished.user' WHERE email = '{}'", DONALD.0),
    ] {
        database.raw(&sql).await.unwrap();
    }
    House { provider, _database: database }
}

/// Replaces the value after `before`, up to `end`, everywhere.
fn mask(text: &str, before: &str, end: char) -> String {
    let mut parts = text.split(before);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(before);
        masked.push('*');
        masked.push_str(part.find(end).map_or("", |at| part.split_at(at).1));
    }
    masked
}

/// An answer without what is random.
fn bare(answer: &Answer, typed: &str) -> String {
    let mut lines = vec![answer.status.to_string()];
    for (name, value) in &answer.headers {
        let value = value.to_str().unwrap();
        lines.push(match name.as_str() {
            // The length is that of a body with the typed name in it; the bodies are compared with the name masked.
            "date" | "x-request-id" | "content-length" => format!("{name}: *"),
            "set-cookie" => format!("{name}: {}", mask(value, "=", ';')),
            _ => format!("{name}: {}", mask(&mask(value, "/flow/", '?'), "nonce-", '\'')),
        });
    }
    lines.sort();
    let mut body = answer.body.replace(typed, "TYPED").replace(&typed.replace('@', "&#64;"), "TYPED");
    body = mask(&body, "/flow/", '"');
    for hidden in ["nonce", "start"] {
        body = mask(&body, &format!(r#"name="{hidden}" value=""#), '"');
    }
    lines.push(body);
    lines.join("\n")
}

/// The answer to a press, and the page it leads to.
async fn press(agent: &UserAgent, page: &Answer, control: &str, typed: &[(&str, &str)]) -> (String, Answer) {
    let name = typed.first().map_or("no name", |(_, value)| value);
    let first = agent.press(page, control, typed).await;
    let told = bare(&first, name);
    let last = agent.follow(first).await;
    (format!("{told}\n--\n{}", bare(&last, name)), last)
}

async fn arrive(house: &House, agent: &UserAgent, policy: &str) -> Answer {
    agent.follow(agent.get(&house.provider.ask("anything").with("p", policy).url()).await).await
}

/// Whatever is pressed with each of these looks the same.
async fn compare(house: &House, policy: &str, control: &str, cases: &[(&str, &[(&str, &str)])]) -> Vec<Answer> {
    let mut seen: Vec<(String, Answer)> = Vec::new();
    for (case, typed) in cases {
        let agent = UserAgent::new();
        let page = arrive(house, &agent, policy).await;
        assert_eq!(page.status, 200, "{policy}");
        let told = press(&agent, &page, control, typed).await;
        assert_eq!(told.1.status, 200, "{policy}, {case}: {}", told.1.body);
        if let Some((first, _)) = seen.first() {
            assert_same(&format!("{policy}: {} and {case}", cases[0].0), first, &told.0);
        }
        seen.push(told);
    }
    seen.into_iter().map(|(_, page)| page).collect()
}

#[track_caller]
fn assert_same(case: &str, one: &str, other: &str) {
    for (left, right) in one.lines().zip(other.lines()) {
        assert_eq!(left, right, "{case}");
    }
    assert_eq!(one.len(), other.len(), "{case}");
}

#[tokio::test]
async fn a_wrong_password_an_unknown_address_and_a_disabled_account_look_the_same() {
    let house = open().await;
    let wrong = "not-this-password";
    let pages = compare(
        &house,
        "phone",
        "login",
        &[
            ("unknown", &[("email", NOBODY), ("password", wrong)]),
            ("wrong", &[("email", DONALD.0), ("password", wrong)]),
            ("disabled, wrong", &[("email", HOSPITAL.0), ("password", wrong)]),
            ("disabled, right", &[("email", HOSPITAL.0), ("password", HOSPITAL.1)]),
        ],
    )
    .await;
    assert!(pages.iter().all(Answer::asks_for_password));
    // The masks hide no difference that there is.
    let agent = UserAgent::new();
    let page = arrive(&house, &agent, "phone").await;
    let (right, _) = press(&agent, &page, "login", &[("email", DONALD.0), ("password", DONALD.1)]).await;
    let agent = UserAgent::new();
    let page = arrive(&house, &agent, "phone").await;
    let (refused, _) = press(&agent, &page, "login", &[("email", DONALD.0), ("password", wrong)]).await;
    assert_ne!(right, refused);
}

#[tokio::test]
async fn a_locked_name_looks_like_a_locked_name_that_nobody_has() {
    let house = open().await;
    let mut all = Vec::new();
    for (name, password) in [(NOBODY, DONALD.1), DONALD, HOSPITAL] {
        let agent = UserAgent::new();
        let mut page = arrive(&house, &agent, "phone").await;
        let mut told = Vec::new();
        for attempt in 0..11 {
            // The right one comes too late.
            let given = if attempt == 10 { password } else { "not-this-password" };
            let (text, next) = press(&agent, &page, "login", &[("email", name), ("password", given)]).await;
            told.push(text);
            page = next;
        }
        assert!(!page.asks_for_password(), "{name} is locked: {}", page.body);
        let again = UserAgent::new();
        let page = arrive(&house, &again, "phone").await;
        told.push(press(&again, &page, "login", &[("email", name), ("password", password)]).await.0);
        all.push(told);
    }
    for (attempt, first) in all[0].iter().enumerate() {
        for other in &all[1..] {
            assert_same(&format!("try {attempt}"), first, &other[attempt]);
        }
    }
}

#[tokio::test]
async fn forgot_password_says_the_same_whoever_is_named() {
    let house = open().await;
    let names = [("known", DONALD.0), ("unknown", NOBODY), ("disabled", HOSPITAL.0), ("without a mailbox", ALICE.0)];
    let cases: Vec<(&str, [(&str, &str); 1])> = names.map(|(case, name)| (case, [("email", name)])).to_vec();
    let cases: Vec<(&str, &[(&str, &str)])> = cases.iter().map(|(case, typed)| (*case, typed.as_slice())).collect();
    let mut told: Vec<String> = Vec::new();
    for (case, typed) in &cases {
        let agent = UserAgent::new();
        let page = arrive(&house, &agent, "forgot-password").await;
        let (sent, page) = press(&agent, &page, "send", typed).await;
        let mut all = sent;
        let mut page = page;
        // Five wrong codes, and the one past the limit.
        for _ in 0..6 {
            let name = typed[0].1;
            let first = agent.press(&page, "verify", &[("code", "000000")]).await;
            all.push_str(&bare(&first, name));
            page = agent.follow(first).await;
            all.push_str(&bare(&page, name));
        }
        if let Some(first) = told.first() {
            assert_same(&format!("known and {case}"), first, &all);
        }
        told.push(all);
    }
}

#[tokio::test]
async fn registration_reset_says_the_same_whoever_is_named() {
    let house = open().await;
    compare(
        &house,
        "registration-reset",
        "next",
        &[
            ("unfinished", &[("username", LEGACY.0)]),
            ("finished", &[("username", "finished.user")]),
            ("disabled", &[("username", "disabled.user")]),
            ("unknown", &[("username", "nobody.is.here")]),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_portals_login_says_the_same_of_a_wrong_password_and_an_unknown_name() {
    let house = open().await;
    compare(
        &house,
        "registration",
        "login",
        &[
            ("wrong", &[("username", LEGACY.0), ("password", "not-this-password")]),
            ("unknown", &[("username", "nobody.is.here"), ("password", "not-this-password")]),
            ("no portal password", &[("username", "finished.user"), ("password", DONALD.1)]),
            ("disabled", &[("username", "disabled.user"), ("password", HOSPITAL.1)]),
        ],
    )
    .await;
}
