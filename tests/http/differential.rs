//! The same odd requests to oidc-provider on Node (tests/node) and to us: what differs is listed with who is right, in
//! tests/differential/differences.toml, and nothing else does. docs/DIFFERENCES.md is made from that list.

mod report;
mod side;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use countersign_tests::servers::Running;
use countersign_tests::user_agent::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fixture::{Provider, redirect_uri_of, secret_of};
use side::Side;

/// A request as tests/differential/requests.toml writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    at: String,
    #[serde(default = "basic", rename = "as")]
    client: String,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    add: Vec<(String, String)>,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    method: String,
    body: Option<String>,
    #[serde(rename = "type")]
    media_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn basic() -> String {
    "basic".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    request: Vec<Request>,
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("differential").join(name)
}

fn requests() -> Vec<Request> {
    let text = std::fs::read_to_string(file("requests.toml")).unwrap();
    toml::from_str::<Requests>(&text).unwrap().request
}

/// The clients of both sides, as RFC 7591 writes them.
fn clients() -> Value {
    let every = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let client = |id: &str, more: Value| {
        let mut client = json!({
            "client_id": id, "client_secret": secret_of(id), "redirect_uris": [redirect_uri_of(id)],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let mut clients = json!([
        client("basic", json!({})),
        client("post", json!({"token_endpoint_auth_method": "client_secret_post"})),
        client("narrow", json!({"scope": "openid"})),
        client(
            "hybrid",
            json!({"response_types": every, "grant_types": ["authorization_code", "implicit", "refresh_token"]})
        ),
        client("machine", json!({"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []})),
        client("spa", json!({"token_endpoint_auth_method": "none"})),
        client(
            "tv",
            json!({
                "token_endpoint_auth_method": "none", "grant_types": [device, "refresh_token"], "redirect_uris": [],
                "response_types": [],
            })
        ),
    ]);
    for client in clients.as_array_mut().unwrap() {
        if client["token_endpoint_auth_method"] == "none" {
            client.as_object_mut().unwrap().remove("client_secret");
        }
    }
    clients
}

/// Starts oidc-provider; it runs as long as the first of what comes back.
async fn start_other() -> (Running, Side) {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let mut node = Command::new("node");
    node.arg(folder.join("oidc_provider.mjs")).env("DIFFERENTIAL", json!({"clients": clients()}).to_string());
    let mut process = Running::start("oidc-provider", &mut node);
    let line = process.wait_for_line(|line| line.starts_with("ready ")).await;
    let side = Side::open(line.trim_start_matches("ready ").trim()).await;
    (process, side)
}

#[tokio::test]
async fn what_differs_from_oidc_provider_is_listed_with_who_is_right() {
    let provider = Provider::start().await;
    let (_process, theirs) = start_other().await;
    let ours = Side::open(&provider.demo.issuer).await;
    let mut differing = BTreeMap::new();
    let requests = requests();
    assert!(requests.len() >= 60);
    for request in &requests {
        let told = [told(request, &ours.ask(request).await), told(request, &theirs.ask(request).await)];
        if told[0] != told[1] {
            let before = differing.insert(request.name.clone(), told);
            assert_eq!(before, None, "two requests are called {}", request.name);
        }
    }
    report::check(&differing);
}

/// What an answer says, in words that hold for both sides.
fn told(request: &Request, answer: &Answer) -> String {
    let mut parts = vec![answer.status.to_string()];
    let to_client = answer.headers.get("location").and_then(|location| location.to_str().ok());
    if let Some(location) = to_client {
        "redirect".clone_into(&mut parts[0]);
        parts.push(redirect(request, location));
    } else if answer.header("content-type").starts_with("text/html") {
        parts.push(page(request, answer));
    } else if let Ok(body) = serde_json::from_str::<Value>(&answer.body) {
        parts.push(document(request, &body));
    }
    parts.extend(headers(request, answer));
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn redirect(request: &Request, location: &str) -> String {
    let client = redirect_uri_of(&request.client);
    let Some(rest) = location.strip_prefix(&client) else { return "elsewhere".to_owned() };
    let (way, text) = if let Some(fragment) = rest.strip_prefix('#') {
        ("fragment", fragment)
    } else {
        ("query", rest.trim_start_matches('?').split('#').next().unwrap_or_default())
    };
    format!("in the {way}: {}", response(&url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
}

/// The error of an authorization response, or what is in it. `session_state` is Session Management's, which the other
/// side does not know.
fn response(pairs: &BTreeMap<String, String>) -> String {
    let names = pairs.keys().map(String::as_str);
    let names = names.filter(|name| !matches!(*name, "session_state" | "error_description" | "error"));
    let names = names.collect::<Vec<_>>().join(" ");
    pairs.get("error").map_or_else(|| names.clone(), |error| format!("{error} ({names})"))
}

fn page(request: &Request, answer: &Answer) -> String {
    let posts_to_client = format!(r#"action="{}""#, redirect_uri_of(&request.client));
    let page = match &answer.body {
        body if body.contains(&posts_to_client) => {
            return format!("a form: {}", response(&answer.form("").hidden.into_iter().collect()));
        }
        body if body.contains(r#"name="password""#) => "a page to sign in",
        body if body.contains(r#"value="allow""#) => "a page to consent",
        _ => "a page",
    };
    page.to_owned()
}

/// The error of a document, or what it is about.
fn document(request: &Request, body: &Value) -> String {
    let names = || body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    match (body.get("error").and_then(Value::as_str), request.at.as_str()) {
        (Some(error), _) => error.to_owned(),
        (None, "token" | "par" | "device") => names(),
        (None, "userinfo") => format!("sub: {}", body["sub"].is_string()),
        (None, "introspection") => format!("active: {}", body["active"]),
        _ => String::new(),
    }
}

fn headers(request: &Request, answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    let challenges = answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<String> = challenges.map(challenge).collect();
    if !challenges.is_empty() {
        said.push(format!("challenge {}", challenges.join(" and ")));
    }
    if !matches!(request.at.as_str(), "authorization" | "revocation" | "discovery" | "jwks") && answer.status < 404 {
        let kept = !answer.header("cache-control").contains("no-store");
        said.push(if kept { "may be cached".to_owned() } else { String::new() });
    }
    if matches!(request.at.as_str(), "discovery" | "jwks") && answer.status == 200 {
        let names = ["cache-control", "etag", "access-control-allow-origin"];
        said.extend(names.into_iter().filter(|name| !answer.header(name).is_empty()).map(str::to_owned));
        said.push(answer.header("content-type").split(';').next().unwrap_or_default().to_owned());
    }
    said
}

/// A challenge's scheme and error. That of Basic has none (RFC 7617, 2), whatever is written there.
fn challenge(text: &str) -> String {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let kept = words.filter(|word| matches!(*word, "Basic" | "Bearer" | "DPoP") || word.starts_with("error="));
    let kept: Vec<&str> = kept.take(if text.starts_with("Basic") { 1 } else { usize::MAX }).collect();
    kept.join(" ").replace('"', "")
}
