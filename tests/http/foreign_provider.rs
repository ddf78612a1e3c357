//! A company's own provider that is not ours: oidc-provider on Node (tests/node), RS256, with claims of other names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_tests::servers::{Running, binary, free_port};
use countersign_tests::user_agent::{Answer, UserAgent, http};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::fixture::{CHALLENGE, VERIFIER};

const CLIENT: (&str, &str) = ("portal", "portal-secret-of-the-tests-0123456789abcdef");
const CALLBACK: &str = "https://portal.example.com/callback";
const FOREIGN_SECRET: &str = "what the two providers share, 0123456789";

/// A node of `serve` whose employees are known to oidc-provider.
struct World {
    issuer: String,
    foreign: String,
    _folder: TempDir,
    _processes: [Running; 2],
}

impl World {
    async fn open() -> Self {
        Self::open_with("id_token").await
    }

    /// Opens it with a provider that tells its claims there.
    async fn open_with(claims: &str) -> Self {
        let (port, management) = (free_port(), free_port());
        let issuer = format!("http://127.0.0.1:{port}");
        let (foreign_process, foreign) =
            start_foreign(&format!("{issuer}/federation/corporate/callback"), claims).await;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        fs::write(folder.path().join("clients.json"), clients().to_string()).unwrap();
        let text = format!(
            "clients_file = \"clients.json\"\n\
             [server]\nissuer = \"{issuer}\"\nlisten = [\"127.0.0.1:{port}\"]\nallow_http = true\n\
             management_listen = \"127.0.0.1:{management}\"\n[secrets]\nmaster_key_file = \"master.key\"\n\
             [database]\nurl = \"sqlite:node.db\"\n\
             [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
             account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n\
             [[federation]]\nid = \"corporate\"\nissuer = \"{foreign}\"\nclient_id = \"countersign\"\n\
             client_secret = \"{FOREIGN_SECRET}\"\ndomains = [\"corp.example.com\"]\nallow_private = true\n\
             claims = {{ email = \"upn\", given_name = \"first_name\", family_name = \"last_name\" }}\n"
        );
        fs::write(folder.path().join("countersign.toml"), text).unwrap();
        let command = |word: &str| {
            let mut command = Command::new(binary());
            command.current_dir(folder.path()).args([word, "--config", "countersign.toml"]).env("RUST_LOG", "warn");
            command
        };
        let migrated = command("migrate").output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let process = Running::start("countersign serve", &mut command("serve"));
        let world = Self { issuer, foreign, _folder: folder, _processes: [foreign_process, process] };
        world.wait(&format!("http://127.0.0.1:{management}/readyz")).await;
        world
    }

    async fn wait(&self, ready: &str) {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
        for _ in 0..600 {
            ticks.tick().await;
            if let Ok(answer) = http().get(ready).send().await
                && answer.status().is_success()
            {
                return;
            }
        }
        panic!("the node is not ready");
    }

    /// The page of `policy` to sign in at.
    async fn arrive(&self, agent: &UserAgent) -> Answer {
        let parameters = [
            ("response_type", "code"),
            ("client_id", CLIENT.0),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email profile"),
            ("state", "st"),
            ("nonce", "our nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&format!("{}/authorization", self.issuer), parameters).unwrap();
        agent.follow(agent.get(url.as_str()).await).await
    }

    /// Types an address, and goes wherever it leads until a page of either provider shows.
    async fn type_address(&self, agent: &UserAgent, address: &str) -> Answer {
        let page = self.arrive(agent).await;
        let typed = [("email", address), ("password", "none of this provider's business")];
        go_on(agent, agent.press(&page, "login", &typed).await).await
    }

    /// What the client is told of the person.
    async fn redeem(&self, code: &str) -> Value {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let request = http().post(format!("{}/token", self.issuer)).basic_auth(CLIENT.0, Some(CLIENT.1)).form(&form);
        let tokens = Answer::to(request).await.json();
        let bearer =
            http().get(format!("{}/userinfo", self.issuer)).bearer_auth(tokens["access_token"].as_str().unwrap());
        let payload = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        claims.as_object_mut().unwrap().extend(Answer::to(bearer).await.json().as_object().unwrap().clone());
        claims
    }
}

fn clients() -> Value {
    json!([{
        "client_id": CLIENT.0,
        "client_secret": CLIENT.1,
        "redirect_uris": [CALLBACK],
        "countersign_policy": "email",
        "countersign_policies": ["email", "employees"],
        "scope": "openid email profile",
    }])
}

/// Starts oidc-provider; it runs as long as the first of what comes back.
async fn start_foreign(callback: &str, claims: &str) -> (Running, String) {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let client = json!({"client_id": "countersign", "client_secret": FOREIGN_SECRET, "redirect_uris": [callback]});
    let mut node = Command::new("node");
    node.arg(folder.join("foreign_provider.mjs")).env("FOREIGN", client.to_string()).env("FOREIGN_CLAIMS", claims);
    let mut process = Running::start("oidc-provider", &mut node);
    let line = process.wait_for_line(|line| line.starts_with("ready ")).await;
    (process, line.trim_start_matches("ready ").trim().to_owned())
}

/// Follows every redirect until a page shows, or the client would.
async fn go_on(agent: &UserAgent, answer: Answer) -> Answer {
    let mut answer = answer;
    while matches!(answer.status, 302 | 303) {
        let to = answer.url.join(answer.header("location")).unwrap();
        if to.as_str().starts_with(CALLBACK) {
            return answer;
        }
        answer = agent.get(to.as_str()).await;
    }
    answer
}

#[tokio::test]
async fn an_employee_of_another_makers_provider_is_led_there_by_the_address_and_known_by_its_claims() {
    sign_fran_in(&World::open().await).await;
}

#[tokio::test]
async fn what_another_makers_provider_tells_at_userinfo_alone_is_known_too() {
    sign_fran_in(&World::open_with("userinfo").await).await;
}

async fn sign_fran_in(world: &World) {
    let agent = UserAgent::new();
    let page = world.type_address(&agent, "Fran@Corp.example.com").await;
    assert!(page.url.as_str().starts_with(&world.foreign), "{}", page.url);
    let answer = go_on(&agent, agent.press(&page, "login", &[("password", "theirs")]).await).await;
    let told = answer.response();
    assert_eq!(told["iss"], world.issuer);
    let claims = world.redeem(&told["code"]).await;
    assert_eq!(claims["nonce"], json!("our nonce"));
    assert_eq!(claims["acr"], json!("urn:countersign:acr:federated"));
    assert_eq!(
        (&claims["email"], &claims["given_name"], &claims["family_name"]),
        (&json!("fran@corp.example.com"), &json!("Fran"), &json!("Foreign"))
    );
}

#[tokio::test]
async fn whose_address_another_makers_provider_does_not_vouch_for_is_refused() {
    let world = World::open().await;
    let agent = UserAgent::new();
    let page = world.type_address(&agent, "unverified@corp.example.com").await;
    let refused = go_on(&agent, agent.press(&page, "login", &[("password", "theirs")]).await).await;
    assert!(
        refused.url.as_str().starts_with(&world.issuer) && refused.body.contains("YOUR DOMAIN LOGIN WAS NOT ACCEPTED"),
        "{}",
        refused.body
    );
    // Everybody else's password is asked for here, whether there is such a person or not.
    let page = world.type_address(&UserAgent::new(), "somebody@elsewhere.example").await;
    assert!(page.url.as_str().starts_with(&world.issuer) && page.asks_for_password());
}
