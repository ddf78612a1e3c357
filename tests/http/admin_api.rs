//! The admin API over HTTP: every route as every role, the table generated from the routes; the document; what a program
//! relies on: versions, keys of requests, pages, problems.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::Role;
use countersign_protocol::delegation::Permission;
use countersign_server::{ADMIN_ROOT, ADMIN_ROUTES, AdminRoute};
use countersign_tests::user_agent::{Answer, UserAgent};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{ALICE, DONALD, Granted, Provider, assert_not_cached, redirect_uri_of, text};
use crate::setup::app_code;

/// The people of CONTRACT.md, with the seeds of their apps.
const ROOT: (&str, &str, &str) = ("root@example.com", "granite-steps-8841-moss", "KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF");
const HELPDESK: (&str, &str, &str) =
    ("helpdesk@example.com", "copper-kettle-5160-fern", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U");
const AUDITOR: (&str, &str, &str) =
    ("auditor@example.com", "ledger-stone-7720-fern", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
const ADMIN: (&str, &str) = ("admin@example.com", "harbour-light-3305-oak");

/// Every scope value of the API.
pub const EVERYTHING: &str = "openid offline_access users.read users.write roles.write audit.read clients.read \
    clients.write organizations.read organizations.write keys.read keys.write policies.read";
const NOBODY: &str = "01890000-0000-7000-8000-00000000ffff";

/// What each role may: administrator, provider administrator, help desk, security auditor, a program by itself.
const TABLE: [(&str, &str, [bool; 5]); 31] = [
    ("GET", "/users", [true, true, true, false, true]),
    ("POST", "/users", [true, true, false, false, true]),
    ("GET", "/users/{user}", [true, true, true, false, true]),
    ("POST", "/users/{user}/disable", [true, true, false, false, true]),
    ("POST", "/users/{user}/enable", [true, true, false, false, true]),
    ("POST", "/users/{user}/reset-registration", [true, true, false, false, false]),
    ("POST", "/users/{user}/invitation", [true, true, false, false, true]),
    ("POST", "/users/{user}/unlock", [true, true, false, false, true]),
    ("GET", "/users/{user}/roles", [true, true, true, false, true]),
    ("POST", "/users/{user}/roles", [true, false, false, false, false]),
    ("POST", "/users/{user}/roles/revoke", [true, false, false, false, false]),
    ("GET", "/users/{user}/sessions", [true, true, true, false, true]),
    ("DELETE", "/users/{user}/sessions/{session}", [true, true, false, false, true]),
    ("GET", "/users/{who}/timeline", [true, true, true, false, true]),
    ("GET", "/audit/events", [true, false, false, true, true]),
    ("GET", "/audit/tokens/{jti}/proofs", [true, false, false, true, true]),
    ("GET", "/clients", [true, false, false, true, true]),
    ("POST", "/clients", [true, false, false, false, true]),
    ("GET", "/clients/{client}", [true, false, false, true, true]),
    ("PUT", "/clients/{client}", [true, false, false, false, true]),
    ("POST", "/clients/{client}/disable", [true, false, false, false, true]),
    ("POST", "/clients/{client}/enable", [true, false, false, false, true]),
    ("POST", "/clients/{client}/secret", [true, false, false, false, true]),
    ("POST", "/clients/{client}/remove", [true, false, false, false, true]),
    ("GET", "/organizations", [true, true, false, false, true]),
    ("POST", "/organizations", [true, false, false, false, true]),
    ("GET", "/organizations/{organization}", [true, true, false, false, true]),
    ("PUT", "/organizations/{organization}", [true, false, false, false, true]),
    ("GET", "/keys", [true, false, false, true, true]),
    ("POST", "/keys/rotate", [true, false, false, false, false]),
    ("GET", "/policies", [true, false, false, true, true]),
];

async fn token_of(provider: &Provider, email: &str, password: &str, seed: Option<&str>) -> String {
    text(&tokens_of(provider, email, password, seed).await, "access_token").to_owned()
}

/// Those of a person who signed in at `console-app` by password and a second factor: the app's code, or one by text.
async fn tokens_of(provider: &Provider, email: &str, password: &str, seed: Option<&str>) -> Value {
    let policy = if seed.is_some() { "totp" } else { "phone" };
    let ask = provider.ask("console-app").with("scope", EVERYTHING).with("p", policy);
    let agent = UserAgent::new();
    let page = agent.follow(agent.get(&ask.url()).await).await;
    let typed = agent.press(&page, "login", &[("email", email), ("password", password)]).await;
    let asked = agent.follow(typed).await;
    let (page, code) = if let Some(seed) = seed {
        (asked, app_code(seed))
    } else {
        let (inbox, phone) = (provider.demo.inbox(), "+12025559885");
        let before = inbox.ids(phone).await;
        let sent = agent.press(&asked, "send", &[]).await;
        (agent.follow(sent).await, inbox.new_code(phone, &before).await)
    };
    let answer = agent.press(&page, "verify", &[("code", &code)]).await;
    let code = answer.response().remove("code").unwrap_or_else(|| panic!("{}", answer.body));
    let granted = Granted { client: "console-app".to_owned(), code, redirect_uri: redirect_uri_of("console-app") };
    provider.redeem(&granted).await
}

async fn own_token(provider: &Provider) -> String {
    let scope = EVERYTHING.trim_start_matches("openid offline_access ");
    let answer = provider.token("robot", &[("grant_type", "client_credentials"), ("scope", scope)]).await;
    text(&answer.json(), "access_token").to_owned()
}

fn request(provider: &Provider, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
    let url = provider.url(&format!("{ADMIN_ROOT}{path}"));
    provider.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(token)
}

async fn get(provider: &Provider, path: &str, token: &str) -> Answer {
    Answer::to(request(provider, "GET", path, token)).await
}

async fn post(provider: &Provider, path: &str, token: &str, body: &Value) -> Answer {
    Answer::to(request(provider, "POST", path, token).json(body)).await
}

/// The account of who has this mail address.
async fn find(provider: &Provider, token: &str, email: &str) -> Value {
    let found = get(provider, &format!("/users?search={}", email.replace('@', "%40")), token).await;
    let users = found.json()["users"].clone();
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{email}: {}", found.body);
    users[0].clone()
}

/// A request that changes nothing: what it names is not there, or its body says nothing.
async fn try_route(provider: &Provider, route: (&str, &str), token: &str, user: &str) -> Answer {
    let path = route.1.replace("{user}", user).replace("{who}", user).replace("{client}", "basic");
    let path = path.replace("{session}", NOBODY).replace("{jti}", "no-such-token").replace("{organization}", NOBODY);
    let body = match route.1 {
        "/users" => json!({"email": "", "name": ""}),
        "/users/{user}/roles" | "/users/{user}/roles/revoke" => json!({"role": "help_desk", "reason": ""}),
        "/clients" => json!({"client_id": "new", "metadata": {}, "reason": ""}),
        "/clients/{client}" => json!({"metadata": {}, "reason": ""}),
        "/organizations" => json!({"name": "New", "npi": "1", "registration_code": "c", "reason": ""}),
        "/organizations/{organization}" => json!({"name": "New", "npi": "1", "validator": "npi", "reason": ""}),
        _ => json!({"reason": ""}),
    };
    let asked = request(provider, route.0, &path, token);
    Answer::to(if ["POST", "PUT"].contains(&route.0) { asked.json(&body) } else { asked }).await
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()), "{problem}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    assert_not_cached(answer);
}

#[test]
fn every_route_of_the_admin_api_is_in_the_table() {
    let with_token = |route: &&AdminRoute| route.permission.is_some();
    let routed: BTreeSet<_> = ADMIN_ROUTES.iter().filter(with_token).map(|route| (route.method, route.path)).collect();
    let tried: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(routed, tried, "a route without a row, or a row without a route");
    for (method, path, row) in TABLE {
        assert!(method == "GET" || !row[2] && !row[3], "who only reads changes nothing: {path}");
    }
}

#[tokio::test]
async fn every_route_of_the_admin_api_answers_every_role_as_it_should() {
    let provider = Provider::start().await;
    let root = token_of(&provider, ROOT.0, ROOT.1, Some(ROOT.2)).await;
    let roles = [
        root.clone(),
        token_of(&provider, ADMIN.0, ADMIN.1, None).await,
        token_of(&provider, HELPDESK.0, HELPDESK.1, Some(HELPDESK.2)).await,
        token_of(&provider, AUDITOR.0, AUDITOR.1, Some(AUDITOR.2)).await,
        own_token(&provider).await,
    ];
    let own = text(&find(&provider, &root, DONALD.0).await, "id").to_owned();
    let other = text(&find(&provider, &root, "demohospital18@example.com").await, "id").to_owned();
    for (method, path, row) in TABLE {
        for (role, (token, may)) in roles.iter().zip(row).enumerate() {
            let case = format!("{method} {path} as {role}");
            let answer = try_route(&provider, (method, path), token, &own).await;
            if may {
                assert!(![401, 403, 405].contains(&answer.status), "{case}: {} {}", answer.status, answer.body);
                let unknown = try_route(&provider, (method, path), token, NOBODY).await;
                if path.contains("{user}") {
                    assert_eq!(unknown.status, 404, "{case}: nobody");
                }
                let elsewhere = try_route(&provider, (method, path), token, &other).await;
                if role == 1 && path.contains("{user}") {
                    assert_eq!((elsewhere.status, &elsewhere.body), (404, &unknown.body), "{case}: out of reach");
                }
            } else if role == 4 {
                assert_eq!(answer.status, 401, "{case}: a program has no second factor");
                assert!(answer.header("www-authenticate").contains("insufficient_user_authentication"), "{case}");
            } else {
                assert_eq!(answer.status, 403, "{case}: {}", answer.body);
                assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{case}");
            }
        }
        let nobody = provider
            .http
            .request(Method::from_bytes(method.as_bytes()).unwrap(), provider.url(&format!("{ADMIN_ROOT}{path}")));
        let nobody = Answer::to(nobody).await;
        assert_eq!((nobody.status, nobody.header("www-authenticate").starts_with("Bearer")), (401, true), "{path}");
        let forged = try_route(&provider, (method, path), "no.such.token", &own).await;
        assert_eq!(forged.status, 401, "{method} {path}: {}", forged.body);
        assert!(forged.header("www-authenticate").contains("invalid_token"), "{method} {path}");
        let unread = request(&provider, method, path, "no.such.token").header("content-encoding", "gzip").body("x");
        assert_eq!(Answer::to(unread).await.status, 401, "{method} {path}: before the body");
        let wrong = Answer::to(request(&provider, "PATCH", path, &root)).await;
        assert_eq!(wrong.status, 405, "{path}");
    }
    assert_eq!(find(&provider, &root, DONALD.0).await["status"], "active", "nothing was changed");
}

#[tokio::test]
async fn the_document_tells_of_every_route_and_nothing_else() {
    let provider = Provider::start().await;
    let document = Answer::to(provider.http.get(provider.url(&format!("{ADMIN_ROOT}/openapi.json")))).await;
    assert_eq!(document.status, 200);
    let document = document.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut told = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation["security"][0]["token"][0].as_str().map(str::to_owned);
            told.insert((method.to_uppercase(), path.trim_start_matches(ADMIN_ROOT).to_owned()), scope);
        }
    }
    let scope = |route: &AdminRoute| route.permission.map(Permission::scope).map(str::to_owned);
    let routed: BTreeMap<_, _> =
        ADMIN_ROUTES.iter().map(|route| ((route.method.to_owned(), route.path.to_owned()), scope(route))).collect();
    assert_eq!(told, routed);
    // Every reference leads somewhere, and an answer has the members that its schema demands.
    let words = document.to_string();
    for reference in words.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let own = own_token(&provider).await;
    let page = get(&provider, "/users?limit=1", &own).await.json();
    let schema = &document["components"]["schemas"]["UserView"];
    for name in schema["required"].as_array().expect("required members") {
        assert!(!page["users"][0][name.as_str().unwrap()].is_null(), "{name}");
    }
    for name in page["users"][0].as_object().unwrap().keys() {
        assert!(schema["properties"][name].is_object(), "{name} is not described");
    }
}

#[tokio::test]
async fn an_account_is_made_once_however_often_it_is_asked_for() {
    const MANY: usize = 32;
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let new = json!({"email": "new.nurse@example.com", "name": "New Nurse", "organization_npi": "1234567893"});
    let ask = || request(&provider, "POST", "/users", &token).header("idempotency-key", "first").json(&new);
    let answers = join_all((0..MANY).map(|_| Answer::to(ask()))).await;
    let ids: BTreeSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert!(answer.header("etag").starts_with('"'), "{:?}", answer.headers);
            text(&answer.json(), "id").to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1);
    let inbox = provider.demo.inbox();
    inbox.wait_for("new.nurse@example.com", 1).await;
    let made = get(&provider, "/audit/events?kind=account.created&limit=5", &token).await.json();
    let own = |event: &&Value| event["subject"].as_str().is_some_and(|subject| ids.contains(subject));
    assert_eq!(made["events"].as_array().unwrap().iter().filter(own).count(), 1, "{made}");
    assert_eq!(made["events"][0]["detail"]["by"], "client");
    assert_eq!(made["events"][0]["client"], "robot");

    let other = json!({"email": "other.nurse@example.com", "name": "Other Nurse"});
    let reused = request(&provider, "POST", "/users", &token).header("idempotency-key", "first").json(&other);
    assert_problem(&Answer::to(reused).await, 422);
    assert_problem(&post(&provider, "/users", &token, &new).await, 409);
    // What was refused is not what the key stands for.
    let bad = json!({"email": "no address", "name": "Other Nurse"});
    let second =
        |body: &Value| request(&provider, "POST", "/users", &token).header("idempotency-key", "second").json(body);
    assert_problem(&Answer::to(second(&bad)).await, 422);
    assert_eq!(Answer::to(second(&other)).await.status, 201);
    for (body, status) in [
        (json!({"email": "a@example.com", "name": "A", "surprise": 1}), 400),
        (json!({"email": "a@example.com", "name": "A", "locale": "xx"}), 422),
        (json!({"email": "a@example.com", "name": "A", "organization_npi": "0000000000"}), 422),
        (json!({"email": "a@example.com", "name": "A", "client": "none"}), 422),
        (json!([]), 400),
    ] {
        assert_problem(&post(&provider, "/users", &token, &body).await, status);
    }
    let plain = request(&provider, "POST", "/users", &token).header("content-type", "text/plain").body("x");
    assert_problem(&Answer::to(plain).await, 415);
    let long = request(&provider, "POST", "/users", &token).header("idempotency-key", "x".repeat(201)).json(&other);
    assert_problem(&Answer::to(long).await, 400);
    assert!(inbox.list("a@example.com").await.is_empty());
    assert_eq!(inbox.list("new.nurse@example.com").await.len(), 1, "one mail");
}

#[tokio::test]
async fn an_account_is_changed_as_it_was_seen_with_a_reason_and_its_person_is_told() {
    let provider = Provider::start().await;
    let token = token_of(&provider, ADMIN.0, ADMIN.1, None).await;
    let user = text(&find(&provider, &token, DONALD.0).await, "id").to_owned();
    let path = |what: &str| format!("/users/{user}{what}");
    let seen = get(&provider, &path(""), &token).await;
    let (etag, body) = (seen.header("etag").to_owned(), seen.json());
    assert!(body["factors"].as_array().unwrap().iter().any(|factor| factor["masked"] == "XXX-XXX-3661"), "{body}");
    assert!(!seen.body.contains("2025553661"), "{}", seen.body);
    let change = |what: &str, etag: &str, reason: &str| {
        request(&provider, "POST", &path(what), &token).header("if-match", etag).json(&json!({"reason": reason}))
    };
    assert_problem(&Answer::to(change("/disable", "\"another\"", "left")).await, 412);
    assert_problem(&Answer::to(change("/disable", &format!("W/{etag}"), "left")).await, 412);
    assert_problem(&Answer::to(change("/disable", "no tag", "left")).await, 400);
    assert_problem(&Answer::to(change("/disable", &etag, " ")).await, 422);
    assert_eq!(get(&provider, &path(""), &token).await.header("etag"), etag, "nothing was changed");
    let done = Answer::to(change("/disable", &etag, "left the ward")).await;
    assert_eq!((done.status, &done.json()["status"]), (200, &"disabled".into()), "{}", done.body);
    assert_ne!(done.header("etag"), etag);
    assert_problem(&Answer::to(change("/disable", &etag, "left")).await, 412);
    assert_problem(&Answer::to(change("/disable", done.header("etag"), "left")).await, 409);
    let told = provider.demo.inbox().mail(DONALD.0, "Atrezzo - Account Disabled").await;
    assert!(told.text.contains("disabled by an administrator"), "{}", told.text);
    let done = Answer::to(change("/enable", "*", "came back")).await;
    assert_eq!(done.json()["status"], "active");
    assert_problem(&post(&provider, &path("/invitation"), &token, &json!({})).await, 409);
    let reset = Answer::to(change("/reset-registration", done.header("etag"), "lost the phone")).await;
    assert_eq!((reset.status, &reset.json()["registered_at"]), (200, &Value::Null), "{}", reset.body);
    provider.demo.inbox().wait_for("+12025553661", 1).await;
    assert_eq!(post(&provider, &path("/invitation"), &token, &json!({})).await.status, 200);

    let auditor = token_of(&provider, AUDITOR.0, AUDITOR.1, Some(AUDITOR.2)).await;
    let events =
        get(&provider, &format!("/audit/events?subject={user}&kind=user.changed&limit=2"), &auditor).await.json();
    let next = text(&events, "next");
    let rest = get(&provider, &format!("/audit/events?subject={user}&kind=user.changed&after={next}"), &auditor).await;
    let mut all = events["events"].as_array().unwrap().clone();
    all.extend(rest.json()["events"].as_array().unwrap().clone());
    let changes: Vec<_> = all.iter().map(|event| event["detail"]["change"].as_str().unwrap_or_default()).collect();
    // What the demo itself entered stands before.
    assert_eq!(changes[..4], ["invited again", "registration reset", "enabled", "disabled"], "{all:?}");
    assert!(
        all[..4]
            .iter()
            .all(|event| event["detail"]["by"] == "provider administrator" && event["client"] == "console-app")
    );
    assert_eq!(all[3]["detail"]["reason"], "left the ward");
    for bad in ["kind=nothing", "since=yesterday", "limit=0", "limit=201", "after=x", "subject=x"] {
        assert_problem(&get(&provider, &format!("/audit/events?{bad}"), &auditor).await, 400);
    }
}

#[tokio::test]
async fn what_is_dangerous_takes_a_second_factor_of_the_last_quarter_of_an_hour_rfc9470() {
    let provider = Provider::start_with_clock().await;
    let people =
        [(Role::ProviderAdministrator, ADMIN.0, ADMIN.1, None), (Role::Administrator, ROOT.0, ROOT.1, Some(ROOT.2))];
    let mut signed_in = Vec::new();
    for (role, email, password, seed) in people {
        signed_in.push((role, tokens_of(&provider, email, password, seed).await));
    }
    let user = text(&find(&provider, text(&signed_in[0].1, "access_token"), DONALD.0).await, "id").to_owned();
    provider.demo.move_clock(std::time::Duration::from_mins(16));
    let mut token = String::new();
    for (role, tokens) in signed_in {
        let later = provider.refresh("console-app", text(&tokens, "refresh_token"), EVERYTHING).await;
        token = text(&later.json(), "access_token").to_owned();
        let may = |permission: Permission| permission.changes() && permission.is_of(role);
        let changing: Vec<_> = ADMIN_ROUTES.iter().filter(|route| route.permission.is_some_and(may)).collect();
        assert!(changing.len() >= 6, "{role:?}");
        for route in changing {
            let answer = try_route(&provider, (route.method, route.path), &token, &user).await;
            assert_eq!(answer.status, 401, "{}: {}", route.path, answer.body);
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"900\""),
                "{challenge}"
            );
        }
    }
    let own = own_token(&provider).await;
    let disabled = post(&provider, &format!("/users/{NOBODY}/disable"), &own, &json!({"reason": "left"})).await;
    assert_eq!(disabled.status, 404, "a program has no sign-in: {}", disabled.body);
    assert!(!find(&provider, &token, DONALD.0).await["registered_at"].is_null(), "nothing was changed");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_and_people_come_in_pages() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let agent = UserAgent::new();
    provider.grant(&agent, &provider.ask("basic")).await;
    let alice = text(&find(&provider, &token, "alice@example.com").await, "id").to_owned();
    let sessions = get(&provider, &format!("/users/{alice}/sessions"), &token).await.json();
    let session = text(&sessions["sessions"][0], "id").to_owned();
    let end = || request(&provider, "DELETE", &format!("/users/{alice}/sessions/{session}"), &token);
    let admin = token_of(&provider, ADMIN.0, ADMIN.1, None).await;
    let donald = text(&find(&provider, &token, DONALD.0).await, "id").to_owned();
    for (path, by) in [
        (format!("/users/{alice}/sessions/{session}"), &admin),
        (format!("/users/{donald}/sessions/{session}"), &admin),
        (format!("/users/{donald}/sessions/{session}"), &token),
    ] {
        assert_problem(&Answer::to(request(&provider, "DELETE", &path, by)).await, 404);
        let live = get(&provider, &format!("/users/{alice}/sessions"), &token).await.json();
        assert_eq!(live["sessions"][0]["id"], session.as_str(), "it lives: {path}");
    }
    assert_eq!(Answer::to(end()).await.status, 204);
    assert_problem(&Answer::to(end()).await, 404);
    let left = get(&provider, &format!("/users/{alice}/sessions"), &token).await.json();
    assert_eq!(left["sessions"], json!([]));

    let whole = get(&provider, "/users", &token).await.json();
    let names = |page: &Value| -> Vec<String> {
        page["users"].as_array().unwrap().iter().map(|user| text(user, "id").to_owned()).collect()
    };
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&provider, &format!("/users?limit=3&after={after}"), &token).await.json();
        paged.extend(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(paged, names(&whole));
    assert!(names(&get(&provider, "/users?status=disabled", &token).await.json()).is_empty());
    let organizations = get(&provider, "/organizations", &token).await.json();
    let clinic = text(&organizations["organizations"][0], "id").to_owned();
    let of_clinic = get(&provider, &format!("/users?organization={clinic}"), &token).await.json();
    assert!(of_clinic["users"].as_array().unwrap().iter().all(|user| user["organization"] == clinic.as_str()));
    let keys = get(&provider, "/keys", &token).await;
    assert!(keys.json()["keys"].as_array().unwrap().len() >= 4 && !keys.body.contains("\"d\""), "{}", keys.body);
    let client = get(&provider, "/clients/basic", &token).await;
    assert!(client.json()["redirect_uris"].is_array() && !client.body.contains("hash"), "{}", client.body);
    assert!(!get(&provider, "/policies", &token).await.json()["policies"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_read_and_what_is_refused_is_audited_with_its_caller() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let alice = text(&find(&provider, &token, "alice@example.com").await, "id").to_owned();
    let reads = || TABLE.iter().filter(|(method, ..)| *method == "GET");
    for (method, path, _) in reads() {
        try_route(&provider, (method, path), &token, &alice).await;
        try_route(&provider, (method, path), "no.such.token", &alice).await;
    }
    let read = get(&provider, "/audit/events?kind=admin.read&limit=200", &token).await;
    assert!(!read.body.contains("alice@example.com"), "{}", read.body);
    let events = read.json()["events"].as_array().unwrap().clone();
    let what = |event: &Value| text(&event["detail"], "what").to_owned();
    let told: BTreeSet<String> = events.iter().map(what).collect();
    let whats = "audit client clients keys organization organizations policies proofs roles sessions user users";
    assert_eq!(told.into_iter().collect::<Vec<_>>().join(" "), whats);
    // The search for Alice, the routes but for the timeline's, and this very reading.
    assert_eq!(events.len(), reads().count() + 1, "{events:#?}");
    for event in &events {
        assert_eq!((&event["client"], &event["detail"]["by"]), (&"robot".into(), &"client".into()), "{event}");
        let is_hers = ["user", "roles", "sessions"].contains(&what(event).as_str());
        assert_eq!(event["subject"] == alice.as_str(), is_hers, "{event}");
    }
    assert_eq!(events[0]["detail"]["filter"], json!({"kind": "admin.read"}));
    assert!(events.iter().any(|event| event["detail"]["filter"] == json!({"search": "given"})), "{events:#?}");

    let taken = json!({"email": "alice@example.com", "name": "Alice"});
    assert_problem(&post(&provider, "/users", &token, &taken).await, 409);
    let refused = get(&provider, "/audit/events?kind=account.created&limit=1", &token).await.json();
    let refused = &refused["events"][0];
    assert_eq!((&refused["outcome"], &refused["client"]), (&"failure".into(), &"robot".into()), "{refused}");
    assert!(refused["detail"]["reason"].is_string() && refused["subject"].is_null(), "{refused}");
}

#[tokio::test]
async fn a_caller_changes_no_more_than_its_budget_of_an_hour() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let (path, body) = (format!("/users/{NOBODY}/disable"), json!({"reason": "left"}));
    for _ in 0..120 {
        assert_problem(&post(&provider, &path, &token, &body).await, 404);
    }
    let spent = post(&provider, &path, &token, &body).await;
    assert_problem(&spent, 429);
    assert!(spent.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", spent.headers);
    assert_eq!(get(&provider, "/users", &token).await.status, 200, "it may look");
}

#[tokio::test]
async fn an_account_is_made_for_clients_of_the_operator_and_its_key_lives_a_day() {
    let provider = Provider::start_with_clock().await;
    let metadata = json!({"redirect_uris": ["https://guest.example.net/cb"], "countersign_policy": "lab"});
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
    let own = text(&registered.json(), "client_id").to_owned();
    let token = own_token(&provider).await;
    let new = json!({"email": "day.nurse@example.com", "name": "Day Nurse", "client": own});
    assert_problem(&post(&provider, "/users", &token, &new).await, 422);
    let ask = |token: &str, email: &str| {
        let body = json!({"email": email, "name": "Day Nurse"});
        request(&provider, "POST", "/users", token).header("idempotency-key", "day").json(&body)
    };
    assert_eq!(Answer::to(ask(&token, "day.nurse@example.com")).await.status, 201);
    assert_problem(&Answer::to(ask(&token, "night.nurse@example.com")).await, 422);
    provider.demo.move_clock(std::time::Duration::from_hours(25));
    let token = own_token(&provider).await;
    assert_eq!(Answer::to(ask(&token, "night.nurse@example.com")).await.status, 201);
}

/// The newest events of a kind, newest first.
async fn events(provider: &Provider, token: &str, kind: &str, limit: usize) -> Vec<Value> {
    let found = get(provider, &format!("/audit/events?kind={kind}&limit={limit}"), token).await;
    found.json()["events"].as_array().unwrap_or_else(|| panic!("{}", found.body)).clone()
}

#[tokio::test]
async fn a_role_is_granted_by_an_administrator_with_a_reason_and_its_person_is_told() {
    let provider = Provider::start().await;
    let (root, own) = (token_of(&provider, ROOT.0, ROOT.1, Some(ROOT.2)).await, own_token(&provider).await);
    let account = find(&provider, &root, DONALD.0).await;
    let path = |what: &str| format!("/users/{}/roles{what}", text(&account, "id"));
    let etag = get(&provider, &format!("/users/{}", text(&account, "id")), &root).await.header("etag").to_owned();
    let grant =
        |etag: &str, body: Value| request(&provider, "POST", &path(""), &root).header("if-match", etag).json(&body);
    let asked = json!({"role": "provider_administrator", "organization_npi": "1234567893", "reason": "heads the desk"});
    let with = |name: &str, value: Value| {
        let mut body = asked.clone();
        body[name] = value;
        body
    };
    for (etag, body, status) in [
        ("\"another\"", asked.clone(), 412),
        (&*etag, with("reason", " ".into()), 422),
        (&*etag, with("role", "owner".into()), 422),
        (&*etag, with("role", "help_desk".into()), 422),
        (&*etag, with("organization_npi", Value::Null), 422),
        (&*etag, with("organization_npi", "1".into()), 422),
        (&*etag, with("surprise", 1.into()), 400),
    ] {
        assert_problem(&Answer::to(grant(etag, body)).await, status);
    }
    assert_problem(&post(&provider, &path("/revoke"), &root, &with("organization_npi", Value::Null)).await, 409);
    let rooted = text(&find(&provider, &root, ROOT.0).await, "id").to_owned();
    let herself = json!({"role": "help_desk", "reason": "to see"});
    assert_problem(&post(&provider, &format!("/users/{rooted}/roles"), &root, &herself).await, 403);
    assert_eq!(get(&provider, &path(""), &own).await.json(), json!({"roles": []}), "nothing was changed");
    assert!(!events(&provider, &own, "user.changed", 50).await.iter().any(|event| event["client"] == "console-app"));

    let granted = Answer::to(grant(&etag, asked.clone())).await;
    assert_eq!(
        (granted.status, &granted.json()["roles"]),
        (200, &json!(["provider_administrator"])),
        "{}",
        granted.body
    );
    assert_ne!(granted.header("etag"), etag);
    let roles = get(&provider, &path(""), &own).await.json();
    assert_eq!(roles["roles"][0]["organizations"][0]["npi"], "1234567893", "{roles}");
    let told = provider.demo.inbox().mail(DONALD.0, "Atrezzo - Administration Granted").await;
    assert!(told.text.contains("granted you a role"), "{}", told.text);
    assert_problem(&post(&provider, &path(""), &root, &asked).await, 409);
    let revoked = post(&provider, &path("/revoke"), &root, &with("organization_npi", Value::Null)).await;
    assert_eq!((revoked.status, &revoked.json()["roles"]), (200, &json!([])), "{}", revoked.body);
    provider.demo.inbox().mail(DONALD.0, "Atrezzo - Administration Withdrawn").await;

    let changes = events(&provider, &own, "user.changed", 2).await;
    for (event, change) in changes.iter().zip(["role revoked", "role granted"]) {
        let detail = &event["detail"];
        assert_eq!((&detail["change"], &detail["by"]), (&change.into(), &"administrator".into()), "{event}");
        assert_eq!((&detail["actor"], &detail["role"]), (&rooted.clone().into(), &asked["role"]), "{event}");
        assert_eq!((&detail["reason"], &event["client"]), (&asked["reason"], &"console-app".into()), "{event}");
    }
}

#[tokio::test]
async fn an_organization_is_entered_once_and_changed_as_it_was_seen() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let new = json!({
        "name": "Ward 9", "npi": "1245319599", "validator": "npi", "registration_code": "nine-lives", "reason": "opened",
    });
    let with = |name: &str, value: Value| {
        let mut body = new.clone();
        body[name] = value;
        body
    };
    let before = get(&provider, "/organizations", &token).await.body;
    for (body, status) in [
        (with("name", " ".into()), 422),
        (with("name", "two\nlines".into()), 422),
        (with("npi", "1245319590".into()), 422),
        (with("validator", "any".into()), 422),
        (with("registration_code", " ".into()), 422),
        (with("reason", "".into()), 422),
        (with("surprise", 1.into()), 400),
    ] {
        assert_problem(&post(&provider, "/organizations", &token, &body).await, status);
    }
    assert_eq!(get(&provider, "/organizations", &token).await.body, before, "nothing was entered");
    let ask =
        |body: &Value| request(&provider, "POST", "/organizations", &token).header("idempotency-key", "w").json(body);
    let made = Answer::to(ask(&new)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = text(&made.json(), "id").to_owned();
    let again = Answer::to(ask(&new)).await;
    assert_eq!((again.status, &again.json()["id"]), (201, &id.clone().into()), "{}", again.body);
    assert_problem(&Answer::to(ask(&with("name", "Ward 10".into()))).await, 422);
    assert_problem(&post(&provider, "/organizations", &token, &new).await, 409);

    let path = format!("/organizations/{id}");
    let seen = get(&provider, &path, &token).await;
    let etag = seen.header("etag").to_owned();
    let change =
        |etag: &str, body: &Value| request(&provider, "PUT", &path, &token).header("if-match", etag).json(body);
    let other = json!({"name": "Ward 9a", "npi": "W-9", "validator": "npi_or_other", "reason": "moved"});
    assert_problem(&Answer::to(change("\"x\"", &other)).await, 412);
    let mut short = other.clone();
    short["validator"] = "npi".into();
    assert_problem(&Answer::to(change(&etag, &short)).await, 422);
    assert_eq!(get(&provider, &path, &token).await.body, seen.body, "nothing was changed");
    let done = Answer::to(change(&etag, &other)).await;
    assert_eq!((done.status, &done.json()["npi"]), (200, &"W-9".into()), "{}", done.body);
    let renamed = done.header("etag").to_owned();
    assert_ne!(renamed, etag);
    // Another code alone is another version, and what nobody is told.
    let mut coded = other.clone();
    coded["registration_code"] = "ten-lives".into();
    let done = Answer::to(change(&renamed, &coded)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_ne!(done.header("etag"), renamed);
    assert!(!done.body.contains("lives"), "{}", done.body);
    let told = events(&provider, &token, "organization.changed", 3).await;
    let fields: Vec<_> = told.iter().map(|event| event["detail"]["fields"].clone()).collect();
    assert_eq!(fields, [json!(["registration_code"]), json!(["name", "npi", "validator"]), Value::Null], "{told:?}");
    assert!(told.iter().all(|event| event["detail"]["by"] == "client" && event["client"] == "robot"), "{told:?}");
    assert!(told.iter().all(|event| !event.to_string().contains("lives")), "{told:?}");

    // Another group's NPI and code are taken.
    let third = post(&provider, "/organizations", &token, &with("name", "Ward 11".into())).await;
    assert_eq!(third.status, 201, "{}", third.body);
    let mut taken = coded.clone();
    taken["registration_code"] = "nine-lives".into();
    taken["npi"] = "1245319599".into();
    assert_problem(&Answer::to(change("*", &taken)).await, 409);
    let admin = token_of(&provider, ADMIN.0, ADMIN.1, None).await;
    assert_problem(&get(&provider, &path, &admin).await, 404);
}

#[tokio::test]
async fn a_client_is_registered_changed_and_removed_and_its_secret_is_told_once() {
    let provider = Provider::start().await;
    let root = token_of(&provider, ROOT.0, ROOT.1, Some(ROOT.2)).await;
    let metadata = json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": "cases.read"});
    let new = json!({"client_id": "night-job", "metadata": metadata, "reason": "runs at night"});
    let with = |name: &str, value: Value| {
        let mut body = new.clone();
        body["metadata"][name] = value;
        body
    };
    for (body, status) in [
        (json!({"client_id": "night-job", "metadata": metadata, "reason": ""}), 422),
        (json!({"client_id": "a b", "metadata": metadata, "reason": "r"}), 422),
        (json!({"client_id": "basic", "metadata": metadata, "reason": "r"}), 409),
        (with("client_secret", "chosen-by-hand-0000".into()), 422),
        (with("redirect_uri", "https://example.com/cb".into()), 422),
        (with("grant_types", json!(["magic"])), 422),
        (with("countersign_policy", "nothing".into()), 422),
        (json!([]), 400),
    ] {
        assert_problem(&post(&provider, "/clients", &root, &body).await, status);
    }
    assert_problem(&get(&provider, "/clients/night-job", &root).await, 404);
    let ask = || request(&provider, "POST", "/clients", &root).header("idempotency-key", "job").json(&new);
    let made = Answer::to(ask()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let first = text(&made.json(), "client_secret").to_owned();
    let again = Answer::to(ask()).await;
    assert_eq!((again.status, &again.json()["client_secret"]), (201, &Value::Null), "told once: {}", again.body);
    let token = async |secret: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", "cases.read")];
        let asked = provider.http.post(provider.url("/token")).basic_auth("night-job", Some(secret)).form(&form);
        Answer::to(asked).await.status
    };
    assert_eq!(token(&first).await, 200);

    let etag = made.header("etag").to_owned();
    let send = |method: &str, what: &str, etag: &str, body: &Value| {
        request(&provider, method, &format!("/clients/night-job{what}"), &root).header("if-match", etag).json(body)
    };
    let rotate = json!({"reason": "leaked", "keep_hours": 1});
    assert_problem(&Answer::to(send("POST", "/secret", "\"x\"", &rotate)).await, 412);
    assert_problem(&Answer::to(send("POST", "/secret", &etag, &json!({"reason": "r", "keep_hours": 9000}))).await, 422);
    let rotated = Answer::to(send("POST", "/secret", &etag, &rotate)).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let second = text(&rotated.json(), "client_secret").to_owned();
    assert_eq!((token(&first).await, token(&second).await), (200, 200), "both work");
    let secrets = rotated.json()["client"]["secrets"].clone();
    assert!(secrets[0]["expires_at"].is_null() && secrets[1]["expires_at"].is_number(), "{secrets}");

    assert_problem(&Answer::to(send("PUT", "", &etag, &json!({"metadata": metadata, "reason": "r"}))).await, 412);
    let mut wider = metadata.clone();
    wider["scope"] = "cases.read cases.write".into();
    let replaced = send("PUT", "", rotated.header("etag"), &json!({"metadata": wider, "reason": "writes, too"}));
    let replaced = Answer::to(replaced).await;
    assert_eq!((replaced.status, &replaced.json()["scope"]), (200, &wider["scope"]), "{}", replaced.body);
    assert_eq!((token(&first).await, token(&second).await), (200, 200), "secrets stay");
    let reason = json!({"reason": "not needed"});
    let off = Answer::to(send("POST", "/disable", replaced.header("etag"), &reason)).await;
    assert_eq!((off.status, &off.json()["disabled"]), (200, &true.into()), "{}", off.body);
    assert_eq!(token(&second).await, 401);
    assert_problem(&Answer::to(send("POST", "/disable", "*", &reason)).await, 409);
    let replaced = Answer::to(send("PUT", "", "*", &json!({"metadata": metadata, "reason": "r"}))).await;
    assert_eq!(replaced.json()["disabled"], true, "{}", replaced.body);
    assert_eq!(Answer::to(send("POST", "/enable", "*", &reason)).await.status, 200);
    assert_eq!(token(&second).await, 200);
    assert_problem(&Answer::to(send("POST", "/remove", "*", &json!({"reason": ""}))).await, 422);
    assert_eq!(Answer::to(send("POST", "/remove", "*", &reason)).await.status, 204);
    assert_eq!(token(&second).await, 401);
    assert_problem(&get(&provider, "/clients/night-job", &root).await, 404);

    let told = events(&provider, &own_token(&provider).await, "client.changed", 7).await;
    let changes: Vec<_> = told.iter().map(|event| text(&event["detail"], "change")).collect();
    assert_eq!(changes, ["removed", "enabled", "replaced", "disabled", "replaced", "secret", "registered"]);
    for event in &told {
        let detail = &event["detail"];
        assert_eq!((&event["client"], &detail["by"]), (&"night-job".into(), &"administrator".into()), "{event}");
        assert_eq!(detail["through"], "console-app", "{event}");
        assert!(detail["reason"].is_string() && detail["actor"].is_string(), "{event}");
        assert!(!event.to_string().contains(&first) && !event.to_string().contains(&second), "{event}");
    }
}

#[tokio::test]
async fn a_program_by_itself_gives_no_client_what_the_admin_api_asks_for() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let robot = get(&provider, "/clients/robot", &token).await.body;
    let metadata = |scope: &str| json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": scope});
    for permission in Permission::ALL {
        let scope = format!("cases.read {}", permission.scope());
        let new = json!({"client_id": "ladder", "metadata": metadata(&scope), "reason": "up"});
        assert_problem(&post(&provider, "/clients", &token, &new).await, 403);
    }
    for (method, what) in [("PUT", ""), ("POST", "/secret"), ("POST", "/disable"), ("POST", "/remove")] {
        let body = match what {
            "" => json!({"metadata": metadata("cases.read"), "reason": "down"}),
            _ => json!({"reason": "down"}),
        };
        let path = format!("/clients/robot{what}");
        assert_problem(&Answer::to(request(&provider, method, &path, &token).json(&body)).await, 403);
    }
    assert_eq!(get(&provider, "/clients/robot", &token).await.body, robot, "nothing was changed");
    let plain = json!({"client_id": "plain", "metadata": metadata("cases.read"), "reason": "of use"});
    assert_eq!(post(&provider, "/clients", &token, &plain).await.status, 201);
    let up = json!({"metadata": metadata("users.write"), "reason": "up"});
    assert_problem(&Answer::to(request(&provider, "PUT", "/clients/plain", &token).json(&up)).await, 403);
    // What registered itself changes itself; it can be refused and removed.
    let own = json!({"redirect_uris": ["https://guest.example.net/cb"], "countersign_policy": "lab"});
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&own)).await;
    let path = format!("/clients/{}", text(&registered.json(), "client_id"));
    let down = json!({"metadata": metadata("cases.read"), "reason": "down"});
    assert_problem(&Answer::to(request(&provider, "PUT", &path, &token).json(&down)).await, 409);
    assert_eq!(post(&provider, &format!("{path}/remove"), &token, &json!({"reason": "unused"})).await.status, 204);
}

#[tokio::test]
async fn other_keys_are_announced_once_until_they_sign() {
    let provider = Provider::start_with_clock().await;
    let root = token_of(&provider, ROOT.0, ROOT.1, Some(ROOT.2)).await;
    let before = get(&provider, "/keys", &root).await.json();
    let states = |list: &Value| -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for key in list["keys"].as_array().unwrap() {
            *states.entry(text(key, "state").to_owned()).or_default() += 1;
        }
        states
    };
    assert_eq!(states(&before), BTreeMap::from([("signs".to_owned(), 4)]), "{before}");
    assert_problem(&post(&provider, "/keys/rotate", &root, &json!({"reason": " "})).await, 422);
    assert_eq!(get(&provider, "/keys", &root).await.json(), before, "nothing was made");
    let rotated = post(&provider, "/keys/rotate", &root, &json!({"reason": "as every year"})).await;
    let expected = BTreeMap::from([("announced".to_owned(), 4), ("signs".to_owned(), 4)]);
    assert_eq!((rotated.status, states(&rotated.json())), (200, expected), "{}", rotated.body);
    assert_problem(&post(&provider, "/keys/rotate", &root, &json!({"reason": "again"})).await, 409);
    let told = events(&provider, &own_token(&provider).await, "key.created", 4).await;
    for event in &told {
        let detail = &event["detail"];
        assert_eq!((&detail["by"], &detail["reason"]), (&"administrator".into(), &"as every year".into()), "{event}");
        assert!(detail["kid"].is_string() && event["client"] == "console-app", "{event}");
    }
}

#[tokio::test]
async fn who_typed_too_many_wrong_passwords_is_let_try_again() {
    let provider = Provider::start().await;
    let token = own_token(&provider).await;
    let alice = text(&find(&provider, &token, ALICE.0).await, "id").to_owned();
    let unlock = |reason: &str| {
        request(&provider, "POST", &format!("/users/{alice}/unlock"), &token).json(&json!({"reason": reason}))
    };
    assert_problem(&Answer::to(unlock("asked by telephone")).await, 409);
    let type_in = async |password: &str| {
        let agent = UserAgent::new();
        let page = agent.follow(agent.get(&provider.ask("basic").url()).await).await;
        agent.press(&page, "login", &[("email", ALICE.0), ("password", password)]).await
    };
    for _ in 0..10 {
        type_in("wrong").await;
    }
    assert!(!type_in(ALICE.1).await.response().contains_key("code"), "locked");
    assert_problem(&Answer::to(unlock(" ")).await, 422);
    assert!(!type_in(ALICE.1).await.response().contains_key("code"), "nothing was changed");
    let unlocked = Answer::to(unlock("asked by telephone")).await;
    assert_eq!(unlocked.status, 200, "{}", unlocked.body);
    assert!(type_in(ALICE.1).await.response().contains_key("code"), "the lock is gone");
    let told = &events(&provider, &token, "user.changed", 1).await[0];
    assert_eq!((&told["detail"]["change"], &told["subject"]), (&"unlocked".into(), &alice.clone().into()), "{told}");
    assert_eq!(told["detail"]["reason"], "asked by telephone");
}
