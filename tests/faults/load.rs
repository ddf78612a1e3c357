//! Clients that ask both nodes for tokens, one request after the other each, and keep what they got.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::program;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::house::{House, MACHINE, PATIENCE};

const CLIENTS: usize = 12;
/// Longer than an answer may take while a store is away.
const TIMEOUT: Duration = Duration::from_secs(20);
/// What a client waits that was refused.
const PAUSE: Duration = Duration::from_millis(20);

/// What the clients saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Ids of the tokens they were given.
    pub tokens: Vec<String>,
    /// Answers without a token, by status; 0: none came.
    pub refused: BTreeMap<u16, usize>,
    /// The first answer of each status that is neither a token nor 503.
    pub strange: BTreeMap<u16, String>,
}

pub struct Load {
    seen: Arc<Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    pub fn start(house: &House) -> Self {
        let (seen, is_over) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let origins = house.nodes.each_ref().map(|node| node.origin.clone());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(ask(number, origins.clone(), Arc::clone(&seen), Arc::clone(&is_over)));
        }
        Self { seen, is_over, clients }
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().tokens.len()
    }

    /// Waits until they got `more` tokens than now.
    pub async fn wait_for(&self, more: usize) {
        let wanted = self.count() + more;
        let mut ticks = tokio::time::interval(PAUSE);
        let waiting = async {
            while self.count() < wanted {
                ticks.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "no more tokens: {:?}", self.seen.lock().unwrap().refused);
    }

    pub async fn stop(mut self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// One client: it goes to the other node with every request.
async fn ask(number: usize, origins: [String; 2], seen: Arc<Mutex<Seen>>, is_over: Arc<AtomicBool>) {
    let http = program().timeout(TIMEOUT).build().unwrap();
    let form = [("grant_type", "client_credentials"), ("scope", "jobs.read")];
    for turn in number.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let request = http.post(format!("{}/token", origins[turn % 2])).basic_auth(MACHINE.0, Some(MACHINE.1));
        let request = request.header("x-forwarded-for", format!("192.0.2.{number}")).form(&form);
        let Ok(answer) = request.send().await else {
            note_refused(&seen, 0, String::new());
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (status, body) = (answer.status().as_u16(), answer.text().await);
        // An answer that breaks off may have been a token: nobody holds it.
        match body.ok().as_deref().and_then(token_id) {
            Some(id) if status == 200 => seen.lock().unwrap().tokens.push(id),
            _ => {
                note_refused(&seen, status, format!("{status}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn note_refused(seen: &Mutex<Seen>, status: u16, told: String) {
    let mut seen = seen.lock().unwrap();
    *seen.refused.entry(status).or_default() += 1;
    if ![0, 503].contains(&status) {
        seen.strange.entry(status).or_insert(told);
    }
}

/// The `jti` of the access token of a token response.
fn token_id(body: &str) -> Option<String> {
    let response: Value = serde_json::from_str(body).ok()?;
    let claims = response["access_token"].as_str()?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(claims["jti"].as_str()?.to_owned())
}
