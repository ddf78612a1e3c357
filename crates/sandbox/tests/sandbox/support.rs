//! Starting carrier and portal on free ports.

use countersign_sandbox::{CarrierAddresses, CarrierSettings, PortalSettings, run_carrier, run_portal};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::Duration;

pub const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub const TOKEN: &str = "sandbox-test-token";
pub const FROM: &str = "+12025550100";
pub const TO: &str = "+12025553661";

pub fn settings() -> CarrierSettings {
    CarrierSettings { http_port: 0, smtp_port: 0, ..CarrierSettings::new(ACCOUNT, TOKEN.into()) }
}

/// Runs a server on a thread of its own, as its process would; it ends with the test.
fn start<Address, Run>(run: impl FnOnce(mpsc::Sender<Address>) -> Run + Send + 'static) -> Address
where
    Address: Send + 'static,
    Run: Future<Output = ()>,
{
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async { run(sender).await });
    });
    receiver.recv().expect("the server did not start")
}

pub struct Carrier {
    pub addresses: CarrierAddresses,
    pub base: String,
    pub http: Client,
}

pub fn start_carrier(settings: CarrierSettings) -> Carrier {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let addresses = start(|sender| async move {
        run_carrier(settings, |addresses| sender.send(addresses).unwrap()).await.unwrap();
    });
    let base = format!("{scheme}://localhost:{}", addresses.http_port);
    Carrier { addresses, base, http: client() }
}

pub fn start_portal(settings: PortalSettings) -> u16 {
    start(|sender| async move { run_portal(settings, |port| sender.send(port).unwrap()).await.unwrap() })
}

pub fn client() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl Carrier {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn rest(&self, path: &str) -> RequestBuilder {
        let url = self.url(&format!("/2010-04-01/Accounts/{ACCOUNT}/{path}"));
        self.http.post(url).basic_auth(ACCOUNT, Some(TOKEN))
    }

    pub async fn messages(&self, query: &str) -> Vec<Value> {
        self.http.get(self.url(&format!("/api/messages{query}"))).send().await.unwrap().json().await.unwrap()
    }

    pub async fn only_message(&self) -> Value {
        let [message] = self.messages("").await.try_into().unwrap();
        message
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.http.post(self.url(path)).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn text(&self, body: &str) -> Value {
        let form = [("To", TO), ("From", FROM), ("Body", body)];
        let answer = self.rest("Messages.json").form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    /// Places a call and gives its sid.
    pub async fn call(&self, parameters: &[(&str, &str)]) -> String {
        let form: Vec<_> = [("To", TO), ("From", FROM)].into_iter().chain(parameters.iter().copied()).collect();
        let answer = self.rest("Calls.json").form(&form).send().await.unwrap();
        let status = answer.status();
        let call: Value = answer.json().await.unwrap();
        assert_eq!(status, 201, "{call}");
        call["sid"].as_str().unwrap().to_owned()
    }

    pub async fn press(&self, sid: &str, digits: &str) -> (u16, Value) {
        self.post(&format!("/api/calls/{sid}/press"), &json!({ "digits": digits })).await
    }
}
