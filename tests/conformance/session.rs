//! Modules of the Session Management plan: the script of the provider's frame runs in Chromium, within a page of another
//! site.

use countersign_tests::servers::{Browser, BrowserOptions, Page, Site};
use countersign_tests::user_agent::once;
use serde_json::json;
use tokio::runtime::Handle;
use url::Url;

use crate::rp::{ALICE, Rp, random};
use crate::suite::Run;

const HOST: &str = "rp.example.com";

pub async fn session_management_discovery_endpoint_verification(run: Run) {
    for name in ["check_session_iframe", "end_session_endpoint"] {
        assert!(run.op.endpoint(name).starts_with("https://"), "{name}");
    }
}

/// The client's pages; `/session` asks the provider's frame what stands in its own address (Session Management, 3.1).
async fn open_site(frame: &str) -> Site {
    let origin = Url::parse(frame).expect("an address").origin().ascii_serialization();
    let watch = format!(
        r#"<!doctype html><title>Session</title><p id="said">asked</p><iframe id="op" src="{frame}"></iframe>
<script>
const frame = document.getElementById("op");
addEventListener("message", (event) => {{
  if (event.origin === "{origin}") document.getElementById("said").textContent = `said ${{event.data}}`;
}});
frame.onload = () => frame.contentWindow.postMessage(decodeURIComponent(location.hash.slice(1)), "{origin}");
</script>"#
    );
    let answer = move |path: &str| match path {
        "/session" => Some(Page::html(watch.clone())),
        "/cb" | "/after" => Some(Page::html("Back at the application")),
        _ => None,
    };
    Site::open(HOST, move |visit| answer(visit.path.split('?').next().unwrap_or_default())).await
}

/// The frame says that nothing changed, and after a logout that it did.
pub async fn session_management_rp_initiated_logout(run: Run) {
    // A journey stays on its thread.
    let runtime = Handle::current();
    let journey = tokio::task::spawn_blocking(move || runtime.block_on(log_out_under_watch(run)));
    if let Err(error) = journey.await {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn log_out_under_watch(run: Run) {
    let site = open_site(run.op.endpoint("check_session_iframe")).await;
    let (callback, after) = (format!("{}/cb", site.origin), format!("{}/after", site.origin));
    let more = json!({"redirect_uris": [callback], "post_logout_redirect_uris": [after]});
    let rp = Rp::register_with(&run, more).await;
    let options = BrowserOptions { any_certificate: true, hosts: vec![HOST], ..BrowserOptions::default() };
    Browser::journey("conformance-session", &options, async |browser| {
        let ask = rp.ask().with("redirect_uri", &callback);
        browser.open(&rp.url(&ask)).await;
        browser.type_into("email", ALICE.0).await;
        browser.type_into("password", ALICE.1).await;
        browser.post_and_leave("login").await;
        let response = query(&browser.wait_for_url(&callback).await);
        rp.check_response(&ask, &response);
        let form =
            [("grant_type", "authorization_code"), ("code", response["code"].as_str()), ("redirect_uri", &callback)];
        let tokens = rp.token(&form).await.json();
        let asked = format!("{} {}", rp.id(), response["session_state"]);
        let session = Url::parse(&format!("{}/session#{asked}", site.origin)).expect("an address");
        browser.open(session.as_str()).await;
        browser.wait_for_text("said unchanged").await;

        let state = random(20);
        let hint = tokens["id_token"].as_str().expect("an ID token");
        let params = [("id_token_hint", hint), ("post_logout_redirect_uri", &after), ("state", &state)];
        let logout = Url::parse_with_params(run.op.endpoint("end_session_endpoint"), params).expect("an address");
        browser.open(logout.as_str()).await;
        let arrived = query(&browser.wait_for_url(&after).await);
        assert_eq!((arrived.len(), arrived["state"].as_str()), (1, state.as_str()));
        browser.open(session.as_str()).await;
        browser.wait_for_text("said changed").await;
    })
    .await;
}

fn query(address: &str) -> std::collections::BTreeMap<String, String> {
    once(Url::parse(address).expect("an address").query_pairs().into_owned())
}
