//! The console over HTTP: every one of its routes as every role, the table generated from the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_server::SETUP_ROUTES;
use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{DONALD, Provider};

const ADMIN: (&str, &str) = ("admin@example.com", "harbour-light-3305-oak");
const ROOT: (&str, &str) = ("root@example.com", "granite-steps-8841-moss");
/// The seed of root's app in base32 (CONTRACT.md).
const ROOTS_SEED: &str = "KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF";
const HELPDESK: (&str, &str) = ("helpdesk@example.com", "copper-kettle-5160-fern");
const AUDITOR: (&str, &str) = ("auditor@example.com", "ledger-stone-7720-fern");

/// Somebody of no organization, and nobody at all.
const ELSEWHERE: &str = "demohospital18@example.com";
const NOBODY: &str = "01890000-0000-7000-8000-00000000ffff";

/// What a route answers: to who is not signed in, signed in without a role, the help desk and the auditor, a provider
/// administrator and an administrator of whom they look after, and of others and of nobody.
struct Row {
    method: &'static str,
    path: &'static str,
    /// Of who may: the status; a POST that is done leads to a page with a notice.
    done: &'static str,
}

const TABLE: [Row; 6] = [
    Row { method: "GET", path: "/setup", done: "200" },
    Row { method: "GET", path: "/setup/users", done: "200" },
    Row { method: "GET", path: "/setup/users/{user}", done: "200" },
    Row { method: "GET", path: "/setup/users/{user}/reset", done: "200" },
    Row { method: "POST", path: "/setup/users/{user}/reset", done: "303 notice=reset" },
    Row { method: "POST", path: "/setup/users/{user}/invite", done: "303 notice=invited" },
];

/// Where the code of who has a phone goes; everybody else's is mailed.
const PHONES: [(&str, &str); 2] = [(ADMIN.0, "+12025559885"), (DONALD.0, "+12025553661")];

/// Signs in where the console asks for it.
async fn enter(provider: &Provider, who: (&str, &str)) -> UserAgent {
    let agent = UserAgent::new();
    let options = agent.get(&provider.url("/setup")).await;
    assert!(options.status == 200 && options.body.contains("LOGIN OPTIONS"), "{}", options.body);
    let sign_in = agent.press(&options, "email", &[]).await;
    let sign_in = agent.follow(sign_in).await;
    let typed = agent.press(&sign_in, "login", &[("email", who.0), ("password", who.1)]).await;
    let unsent = agent.follow(typed).await;
    let inbox = provider.demo.inbox();
    let phone = PHONES.iter().find(|(email, _)| *email == who.0).map(|(_, number)| *number);
    let to = phone.unwrap_or(who.0);
    let before = inbox.ids(to).await;
    let sent = agent.press(&unsent, "send", &[]).await;
    let sent = agent.follow(sent).await;
    let code = inbox.new_code(to, &before).await;
    let verified = agent.press(&sent, "verify", &[("code", &code)]).await;
    if phone.is_some() {
        assert_eq!(verified.location().path(), "/setup", "{}", verified.body);
        return agent;
    }
    let verified = agent.follow(verified).await;
    let end = agent.press(&verified, "continue", &[]).await;
    assert_eq!(end.location().path(), "/setup", "{}", end.body);
    agent
}

/// Signs in by mail, which is not enough for who has an app: then by the app.
async fn enter_by_app(provider: &Provider) -> UserAgent {
    let agent = enter(provider, ROOT).await;
    let page = agent.get(&provider.url("/setup")).await;
    assert!(page.asks_for_password(), "{} {}", page.status, page.body);
    let typed = agent.press(&page, "login", &[("email", ROOT.0), ("password", ROOT.1)]).await;
    let asked = agent.follow(typed).await;
    let end = agent.press(&asked, "verify", &[("code", &app_code(ROOTS_SEED))]).await;
    assert_eq!(end.location().path(), "/setup", "{}", end.body);
    agent
}

/// What an authenticator app with this seed shows now.
pub fn app_code(base32: &str) -> String {
    code_of_step(base32, 0)
}

/// What it shows next, which is good already: where the code of now is spent.
pub fn next_app_code(base32: &str) -> String {
    code_of_step(base32, 1)
}

fn code_of_step(base32: &str, ahead: i64) -> String {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    countersign_flow::totp::code_at(&seed(base32), now / 30 + ahead).unwrap()
}

/// The bytes of a base32 seed (RFC 4648, 6).
fn seed(text: &str) -> Vec<u8> {
    let value = |letter: u8| u32::from(if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' });
    let bits: Vec<u32> = text.bytes().flat_map(|letter| (0..5).rev().map(move |at| value(letter) >> at & 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |n, bit| n << 1 | u8::try_from(*bit).unwrap())).collect()
}

async fn try_route(provider: &Provider, agent: &UserAgent, row: &Row, user: &str, nonce: &str) -> Answer {
    let url = provider.url(&row.path.replace("{user}", user));
    if row.method == "GET" {
        return agent.get(&url).await;
    }
    let fields = [("nonce", nonce), ("reason", "lost the phone"), ("do", "x")];
    agent.post(&url, &fields.map(|(name, value)| (name.to_owned(), value.to_owned()))).await
}

/// Status, and of a redirect its query.
fn outcome(answer: &Answer) -> String {
    match answer.status {
        303 => format!("303 {}", answer.location().query().unwrap_or_default()),
        status => status.to_string(),
    }
}

/// The id of who has this mail address, from the list.
async fn find_id(provider: &Provider, root: &UserAgent, email: &str) -> String {
    let list = root.get(&provider.url(&format!("/setup/users?search={}", email.replace('@', "%40")))).await;
    let (_, rest) = list.body.split_once("href=\"/setup/users/").expect("a row");
    rest.chars().take(36).collect()
}

async fn find_nonce(provider: &Provider, agent: &UserAgent, user: &str) -> String {
    let page = agent.get(&provider.url(&format!("/setup/users/{user}/reset"))).await;
    let hidden = page.form("reset").hidden;
    hidden.into_iter().find(|(name, _)| name == "nonce").expect("a nonce").1
}

/// The body without what differs from one request or address to the next.
fn alike(answer: &Answer, user: &str) -> String {
    let body = answer.body.replace(user, "USER");
    let lines = body.lines().filter(|line| !line.contains("class=\"id\""));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_route_of_the_console_is_in_the_table_and_every_one_is_routed_from_it() {
    let routed: BTreeSet<_> = SETUP_ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let tried: BTreeSet<_> = TABLE.iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(routed, tried, "a route without a row, or a row without a route");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/server/src");
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&entry).unwrap();
                assert!(!text.contains("resource(\"/setup"), "{}: routed past the table", entry.display());
            }
        }
    }
}

#[tokio::test]
async fn every_route_of_the_console_answers_every_role_as_it_should() {
    let provider = Provider::start().await;
    let root = enter_by_app(&provider).await;
    let admin = enter(&provider, ADMIN).await;
    let own = find_id(&provider, &root, DONALD.0).await;
    let other = find_id(&provider, &root, ELSEWHERE).await;
    let list = admin.get(&provider.url("/setup/users")).await;
    assert!(list.body.contains(DONALD.0) && list.body.contains("XXX-XXX-3661"), "{}", list.body);
    assert!(!list.body.contains(ELSEWHERE) && !list.body.contains("+1202555"), "{}", list.body);

    let mut without = BTreeMap::new();
    for who in [DONALD, HELPDESK, AUDITOR] {
        without.insert(who.0, enter(&provider, who).await);
    }
    provider.demo.inbox().clear().await;
    for row in &TABLE {
        let case = format!("{} {}", row.method, row.path);
        for user in [own.as_str(), other.as_str(), NOBODY, "no-id"] {
            let asked = try_route(&provider, &UserAgent::new(), row, user, "x").await;
            assert!(asked.status == 200 && asked.body.contains("LOGIN OPTIONS"), "{case}: nobody: {}", asked.status);
            for (who, agent) in &without {
                let answer = try_route(&provider, agent, row, user, "x").await;
                assert_eq!(answer.status, 403, "{case}: {who}");
            }
        }
        if row.path.contains("{user}") {
            let nonce = find_nonce(&provider, &admin, &own).await;
            let unknown = try_route(&provider, &admin, row, NOBODY, &nonce).await;
            for user in [other.as_str(), NOBODY, "no-id"] {
                let answer = try_route(&provider, &admin, row, user, &nonce).await;
                assert_eq!(answer.status, 404, "{case}: {user}");
                assert_eq!(alike(&answer, user), alike(&unknown, NOBODY), "{case}: {user}");
            }
        }
    }
    assert!(provider.demo.inbox().list("+12025553661").await.is_empty(), "nothing was changed");

    for agent in [&admin, &root] {
        for row in &TABLE {
            let case = format!("{} {}", row.method, row.path);
            let nonce = find_nonce(&provider, agent, &own).await;
            if row.method == "POST" {
                let forged = try_route(&provider, agent, row, &own, "forged").await;
                assert_eq!(outcome(&forged), "303 notice=out_of_date", "{case}");
            }
            let answer = try_route(&provider, agent, row, &own, &nonce).await;
            assert_eq!(outcome(&answer), row.done, "{case}: {}", answer.body);
            if answer.status == 200 {
                assert_eq!(answer.header("cache-control"), "no-store", "{case}");
                let policy = answer.header("content-security-policy");
                assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{case}: {policy}");
            }
            let other_method = Answer::to(provider.http.put(provider.url(&row.path.replace("{user}", &own)))).await;
            assert_eq!(other_method.status, 405, "{case}");
        }
    }
    let nonce = find_nonce(&provider, &root, &other).await;
    let reset = try_route(&provider, &root, &TABLE[4], &other, &nonce).await;
    assert_eq!(outcome(&reset), TABLE[4].done, "an administrator looks after everybody");
    let unsaid =
        root.post(&provider.url(&format!("/setup/users/{own}/reset")), &[("nonce".to_owned(), nonce.clone())]).await;
    assert_eq!(outcome(&unsaid), "303 notice=reason");
    let page = root.get(unsaid.location().as_str()).await;
    assert!(page.body.contains("aria-invalid=\"true\"") && page.body.contains("Please say why"), "{}", page.body);
}

/// Fetch Metadata, 2.4: a form of another site comes without cookies and would begin a sign-in, which ends those that are
/// under way in this browser.
#[tokio::test]
async fn a_form_of_another_site_begins_no_sign_in() {
    let provider = Provider::start().await;
    let post = |path: &str, site: Option<&str>| {
        let request = provider.http.post(provider.url(path)).form(&[("reason", "mine"), ("do", "export")]);
        site.into_iter().fold(request, |request, site| request.header("sec-fetch-site", site))
    };
    let own = [format!("/setup/users/{NOBODY}/reset"), format!("/setup/users/{NOBODY}/invite"), "/account".to_owned()];
    for path in own {
        for site in ["cross-site", "same-site"] {
            let answer = Answer::to(post(&path, Some(site))).await;
            let led_to = if path == "/account" { "/account" } else { "/setup/users" };
            assert_eq!(answer.location().path(), led_to, "{path} {site}");
            assert!(
                answer.headers.get_all("set-cookie").iter().next().is_none(),
                "{path} {site}: {:?}",
                answer.headers
            );
        }
        for site in [Some("same-origin"), Some("none"), None] {
            let answer = Answer::to(post(&path, site)).await;
            assert!(answer.headers.get_all("set-cookie").iter().next().is_some(), "{path} {site:?}: {}", answer.body);
        }
    }
}
