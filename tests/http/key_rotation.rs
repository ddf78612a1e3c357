//! Keys rotate under load, over HTTP: `countersign keys rotate` runs while tokens of all four algorithms are issued, and
//! verifiers that fetch `jwks_uri` no sooner than its `Cache-Control` lets them know the key of every token.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use countersign_tests::servers::{DemoOptions, FakeClock, binary};
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Provider, VERIFIER, basic, text};

const CALLBACK: &str = "https://rp.example.com/cb";
const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
/// An hour of max-age, and what a node may be late by: a day is the default.
const ANNOUNCEMENT: (&str, &str) = ("COUNTERSIGN__LIFETIMES__KEY_ANNOUNCEMENT", "4200");
/// Between two rounds of tokens.
const STEP: Duration = Duration::from_mins(4);
/// For so long a token is shown again.
const TOKEN_LIFE: Duration = Duration::from_mins(10);

/// A relying party that verifies ID tokens.
#[derive(Default)]
struct Verifier {
    keys: Option<JwkSet>,
    fresh_until: Duration,
    fetches: usize,
}

impl Verifier {
    async fn verify(&mut self, provider: &Provider, token: &str, now: Duration) {
        if self.keys.is_none() || self.fresh_until <= now {
            let answer = Answer::to(provider.http.get(provider.url("/jwks"))).await;
            let said = answer.header("cache-control").to_owned();
            let age = said.split(',').find_map(|word| word.trim().strip_prefix("max-age="));
            let age = age.unwrap_or_else(|| panic!("no max-age in {said}")).parse().unwrap();
            self.fresh_until = now + Duration::from_secs(age);
            self.keys = Some(serde_json::from_str(&answer.body).unwrap());
            self.fetches += 1;
        }
        let header = jsonwebtoken::decode_header(token).unwrap();
        let kid = header.kid.unwrap();
        let key = self.keys.as_ref().unwrap().find(&kid).unwrap_or_else(|| panic!("{kid} is not in the cache"));
        let mut rules = Validation::new(header.alg);
        // Its end is by the moved clock.
        rules.validate_exp = false;
        rules.validate_aud = false;
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &rules).expect("a signature");
    }
}

/// Who issues, who verifies, and what was issued.
struct Load {
    provider: Provider,
    clock: FakeClock,
    folder: TempDir,
    alice: UserAgent,
    clients: Vec<Value>,
    verifiers: Vec<Verifier>,
    live: Vec<(Duration, String)>,
    /// By algorithm, the keys that signed.
    signed_by: BTreeMap<String, BTreeSet<String>>,
    rounds: usize,
}

impl Load {
    async fn start() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), FakeClock::new());
        let flags = vec!["--data-dir".to_owned(), folder.path().display().to_string()];
        let env = [ANNOUNCEMENT].into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let options = DemoOptions { flags, env, clock: Some(clock.clone()), ..DemoOptions::default() };
        let provider = Provider::start_with(options).await;
        let mut clients = Vec::new();
        for algorithm in ALGORITHMS {
            let metadata = json!({
                "redirect_uris": [CALLBACK], "countersign_policy": "lab", "id_token_signed_response_alg": algorithm,
            });
            let answer = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            clients.push(answer.json());
        }
        Self {
            provider,
            clock,
            folder,
            alice: UserAgent::new(),
            clients,
            verifiers: (0..3).map(|_| Verifier::default()).collect(),
            live: Vec::new(),
            signed_by: BTreeMap::new(),
            rounds: 0,
        }
    }

    /// A token of each algorithm; then every living one is verified, by relying parties that began at other times.
    async fn round(&mut self) {
        let now = self.clock.ahead();
        self.live.retain(|(issued, _)| now < *issued + TOKEN_LIFE);
        for client in &self.clients {
            let token = id_token(&self.provider, &self.alice, client).await;
            let header = jsonwebtoken::decode_header(&token).unwrap();
            self.signed_by.entry(format!("{:?}", header.alg)).or_default().insert(header.kid.unwrap());
            self.live.push((now, token));
        }
        // Enough of each: a waiting round shows the same ones again and again.
        let surplus = self.live.len().saturating_sub(16);
        self.live.drain(..surplus);
        for (index, verifier) in self.verifiers.iter_mut().enumerate() {
            if self.rounds < index * 2 {
                continue;
            }
            for (_, token) in &self.live {
                verifier.verify(&self.provider, token, now).await;
            }
        }
        self.rounds += 1;
    }

    fn rotate(&self) -> Command {
        let database = format!("sqlite:{}", self.folder.path().join("countersign.db").display());
        let mut command = Command::new(binary());
        command
            .args(["keys", "rotate"])
            .env(ANNOUNCEMENT.0, ANNOUNCEMENT.1)
            .env("COUNTERSIGN__SERVER__ISSUER", &self.provider.demo.issuer)
            .env("COUNTERSIGN__SERVER__ALLOW_HTTP", "true")
            .env("COUNTERSIGN__DATABASE__URL", database)
            .env("COUNTERSIGN__SECRETS__MASTER_KEY_FILE", self.folder.path().join("master.key"));
        self.clock.apply(&mut command);
        command
    }

    async fn published(&self) -> usize {
        self.provider.jwks().await.keys.len()
    }
}

async fn id_token(provider: &Provider, alice: &UserAgent, client: &Value) -> String {
    let (id, secret) = (text(client, "client_id"), text(client, "client_secret"));
    let granted = provider.grant(alice, &provider.ask(id).with("redirect_uri", CALLBACK)).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", granted.code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let answer = Answer::to(provider.token_request(&form).header("authorization", basic(id, secret))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    text(&answer.json(), "id_token").to_owned()
}

#[tokio::test]
async fn no_verification_fails_while_keys_of_all_four_algorithms_rotate_under_load() {
    let mut load = Load::start().await;
    for _ in 0..5 {
        load.round().await;
        load.clock.pass(STEP);
    }
    assert_eq!(load.published().await, 4);
    let mut command = load.rotate();
    let rotating = tokio::task::spawn_blocking(move || command.status().unwrap());
    load.round().await;
    assert!(rotating.await.unwrap().success());
    // Another process made them; this node sees it within ten seconds. Meanwhile it issues.
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..100 {
        ticks.tick().await;
        load.round().await;
        if load.published().await == 8 {
            break;
        }
    }
    assert_eq!(load.published().await, 8, "the new keys are announced beside the old ones");
    assert!(load.signed_by.values().all(|kids| kids.len() == 1), "announced, not used: {:?}", load.signed_by);
    for _ in 0..60 {
        load.clock.pass(STEP);
        load.round().await;
        if load.signed_by.values().all(|kids| kids.len() == 2) {
            break;
        }
    }
    // Those that were signed last by the old keys, and what the caches of all are renewed to.
    for _ in 0..20 {
        load.clock.pass(STEP);
        load.round().await;
    }
    let algorithms: Vec<&str> = load.signed_by.keys().map(String::as_str).collect();
    assert_eq!(algorithms, ["ES256", "EdDSA", "PS256", "RS256"]);
    assert!(load.signed_by.values().all(|kids| kids.len() == 2), "{:?}", load.signed_by);
    for verifier in &load.verifiers {
        assert!((2..=6).contains(&verifier.fetches), "an hour between two fetches: {}", verifier.fetches);
    }
}
