use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::user_agent::program;

/// How long a mail may take through the outbox.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A mail, text or call that the sandbox took.
#[derive(Clone, Debug, Deserialize)]
pub struct InboxMessage {
    /// Its id.
    pub id: String,
    /// `email`, `sms` or `voice`.
    pub channel: String,
    /// Recipient.
    pub to: String,
    /// Sender.
    pub from: String,
    /// Subject of a mail.
    pub subject: Option<String>,
    /// Plain text; what is said in a call.
    pub text: String,
    /// HTML of a mail.
    pub html: Option<String>,
    /// What became of it.
    pub status: String,
    /// When it came, RFC 3339.
    pub at: String,
}

impl InboxMessage {
    /// The first run of exactly six digits in its text.
    pub fn code(&self) -> String {
        let runs = self.text.split(|c: char| !c.is_ascii_digit());
        let code = runs.into_iter().find(|run| run.len() == 6);
        code.unwrap_or_else(|| panic!("no six digits in {:?}", self.text)).to_owned()
    }
}

impl InboxMessage {
    /// The first address of a mailed link in its text.
    pub fn link(&self) -> String {
        let link = self.text.split_whitespace().find(|word| word.contains("/link/"));
        link.unwrap_or_else(|| panic!("no link in {:?}", self.text)).to_owned()
    }

    fn is_code(&self) -> bool {
        let subject = self.subject.as_deref().unwrap_or_default().to_lowercase();
        self.channel == "sms" || subject.contains("verification code") || subject.contains("código de verificación")
    }
}

/// A client of the sandbox's API (CONTRACT.md).
pub struct Inbox {
    base: String,
    http: reqwest::Client,
}

impl Inbox {
    /// For the sandbox at `base`, which may have a certificate of the CA in `ca_file`.
    pub fn new(base: &str, ca_file: Option<&Path>) -> Self {
        let mut builder = program().timeout(PATIENCE);
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).expect("the CA's certificate");
            builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("a certificate")]);
        }
        Self { base: base.trim_end_matches('/').to_owned(), http: builder.build().expect("client") }
    }

    /// What came for an address or number, newest first.
    pub async fn list(&self, to: &str) -> Vec<InboxMessage> {
        let url = url::Url::parse_with_params(&format!("{}/api/messages", self.base), [("to", to)]).expect("a URL");
        self.http.get(url).send().await.expect("the sandbox").json().await.expect("messages")
    }

    /// Waits until at least `count` have come for `to`; newest first. A text says nothing of mails still to come: ask
    /// for one more than before.
    pub async fn wait_for(&self, to: &str, count: usize) -> Vec<InboxMessage> {
        self.wait_for_those(to, count, |_| true).await
    }

    async fn wait_for_those(&self, to: &str, count: usize, is_it: impl Fn(&InboxMessage) -> bool) -> Vec<InboxMessage> {
        let mut ticks = tokio::time::interval(POLL);
        let wait = async {
            loop {
                ticks.tick().await;
                let mut messages = self.list(to).await;
                messages.retain(&is_it);
                if messages.len() >= count {
                    return messages;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("fewer than {count} messages for {to} in {} s", PATIENCE.as_secs()))
    }

    /// The newest code sent to `to`, once there is one.
    pub async fn code(&self, to: &str) -> String {
        self.nth_code(to, 1).await
    }

    /// The newest code sent to `to`, once there are `count`, whatever else comes beside them.
    pub async fn nth_code(&self, to: &str, count: usize) -> String {
        self.wait_for_those(to, count, InboxMessage::is_code).await[0].code()
    }

    /// Ids of what came for an address or number: to tell what is new later.
    pub async fn ids(&self, to: &str) -> Vec<String> {
        self.list(to).await.into_iter().map(|message| message.id).collect()
    }

    /// Waits for a message to `to` that is not one of `old` and that `is_it` accepts.
    pub async fn wait_for_new(&self, to: &str, old: &[String], is_it: impl Fn(&InboxMessage) -> bool) -> InboxMessage {
        let mut ticks = tokio::time::interval(POLL);
        let wait = async {
            loop {
                ticks.tick().await;
                let mut messages = self.list(to).await.into_iter();
                if let Some(found) = messages.find(|message| !old.contains(&message.id) && is_it(message)) {
                    return found;
                }
            }
        };
        let Ok(message) = tokio::time::timeout(PATIENCE, wait).await else {
            panic!("not what was waited for: {:#?}", self.list(to).await)
        };
        message
    }

    /// The code of a message to `to` that is not one of `old`, whatever else comes beside it.
    pub async fn new_code(&self, to: &str, old: &[String]) -> String {
        self.wait_for_new(to, old, InboxMessage::is_code).await.code()
    }

    /// Waits for a mail to `to` whose subject ends with `subject`.
    pub async fn mail(&self, to: &str, subject: &str) -> InboxMessage {
        let is_it = |message: &InboxMessage| message.subject.as_deref().is_some_and(|line| line.ends_with(subject));
        self.wait_for_new(to, &[], is_it).await
    }

    /// Waits for a call to `to` that is not one of `old` and rings.
    pub async fn ringing(&self, to: &str, old: &[String]) -> InboxMessage {
        self.wait_for_new(to, old, |message| message.channel == "voice" && message.status == "ringing").await
    }

    /// Refuses a call that rings, or ends one.
    pub async fn hang_up(&self, call: &str) {
        self.post(&format!("/api/calls/{call}/hangup"), &json!({})).await;
    }

    /// Empties it.
    pub async fn clear(&self) {
        let answer = self.http.delete(format!("{}/api/messages", self.base)).send().await.expect("the sandbox");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Presses keys of the telephone in a call.
    pub async fn press(&self, call: &str, digits: &str) {
        self.post(&format!("/api/calls/{call}/press"), &json!({ "digits": digits })).await;
    }

    /// Makes a carrier (`smtp`, `sms` or `voice`) `refuse`, be `slow`, or be `ok` again.
    pub async fn fault(&self, carrier: &str, fault: &str) {
        self.post("/api/faults", &json!({ carrier: fault })).await;
    }

    async fn post(&self, path: &str, body: &serde_json::Value) {
        let answer = self.http.post(format!("{}{path}", self.base)).json(body).send().await.expect("the sandbox");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
}
