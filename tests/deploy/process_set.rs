//! The processes of the compose file, with its commands, configurations, secrets and health checks, without containers:
//! hosts are ports of this machine, and paths lie in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign_tests::provider::Relay;
use countersign_tests::servers::{Running, binary, free_port};
use countersign_tests::user_agent::{Answer, UserAgent, http, program};
use reqwest::{Certificate, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::alerts;
use crate::compose::{resolved, words};
use crate::tool::{deployed, run, succeed};

const HOST: &str = "login.example.com";
const GUEST: &str = "gail.guest@example.com";
const PASSWORD: &str = "heron-marsh-7730-violet";
const CALLBACK: &str = "https://portal.example.com/cb";
const MACHINE: (&str, &str) = ("machine", "machine-secret-0123456789");
const PORTAL: (&str, &str) = ("portal", "portal-secret-0123456789");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A node as the compose file starts it.
struct Node {
    origin: String,
    management: String,
    config: PathBuf,
    process: Running,
}

/// Everything of the compose file. Dropped from top to bottom: PostgreSQL last, which waits for its clients.
struct ProcessSet {
    issuer: String,
    http: reqwest::Client,
    nodes: Vec<Node>,
    relay: Relay,
    _proxy: Running,
    _redis: Running,
    _postgres: Running,
    places: Places,
}

/// Where the hosts and paths of the containers are on this machine.
struct Places {
    folder: TempDir,
    ports: BTreeMap<&'static str, u16>,
}

impl Places {
    fn new(mail: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Servers run as users of their own.
        succeed(Command::new("chmod").arg("711").arg(folder.path()));
        for name in ["tmp", "data", "node-1", "node-2"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let names = ["postgres", "redis", "node-1", "node-2", "management-1", "management-2", "https", "http"];
        let mut ports: BTreeMap<_, _> = names.map(|name| (name, free_port())).into();
        ports.insert("mail", mail);
        let places = Self { folder, ports };
        succeed(Command::new("sh").arg(deployed("compose/make-secrets.sh")).arg(HOST).arg(places.at("secrets")));
        for secret in ["database.url", "redis.urls"] {
            let file = places.at("secrets").join(secret);
            let text = places.here(&fs::read_to_string(&file).unwrap());
            fs::remove_file(&file).unwrap();
            fs::write(&file, text).unwrap();
        }
        places
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn port(&self, name: &str) -> u16 {
        self.ports[name]
    }

    fn authority(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.port(name))
    }

    /// `text` with hosts and paths of the containers as they are here.
    fn here(&self, text: &str) -> String {
        let folder = self.folder.path().display();
        let changes = [
            ("@postgres:5432".to_owned(), format!("@{}", self.authority("postgres"))),
            ("@redis:6379".to_owned(), format!("@{}", self.authority("redis"))),
            ("node-1:8080".to_owned(), self.authority("node-1")),
            ("node-2:8080".to_owned(), self.authority("node-2")),
            ("host = \"mail\"\nport = 587".to_owned(), format!("host = \"127.0.0.1\"\nport = {}", self.port("mail"))),
            ("listen 8443".to_owned(), format!("listen {}", self.authority("https"))),
            ("listen 8000".to_owned(), format!("listen {}", self.authority("http"))),
            ("172.30.7.0/24".to_owned(), "127.0.0.0/8".to_owned()),
            (format!("https://{HOST}$"), format!("https://{HOST}:{}$", self.port("https"))),
            (format!("https://{HOST}\""), format!("https://{HOST}:{}\"", self.port("https"))),
            ("/run/secrets/".to_owned(), format!("{folder}/secrets/")),
            ("/etc/nginx/".to_owned(), format!("{folder}/")),
            ("/tmp/".to_owned(), format!("{folder}/tmp/")),
        ];
        // The folder itself may be below /tmp: that change comes before those that write the folder's name.
        let (first, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(from, _)| from == "/tmp/");
        first.into_iter().chain(rest).fold(text.to_owned(), |text, (from, to)| text.replace(&from, &to))
    }

    /// A command of the compose file, as it is given here.
    fn command(&self, words: &[String], also: &[(&str, &str)]) -> Command {
        let change = |word: &String| {
            let word = also.iter().fold(word.clone(), |word, (from, to)| word.replace(from, to));
            match word.as_str() {
                // Redis' folder.
                "/data" => self.at("data").display().to_string(),
                made if made.starts_with(self.folder.path().to_str().unwrap()) => word,
                _ => self.here(&word),
            }
        };
        let words: Vec<String> = words.iter().map(change).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// The configuration of the nodes, for node `number`.
    fn configure(&self, number: usize) -> PathBuf {
        let text = fs::read_to_string(deployed("compose/countersign.toml")).unwrap();
        let own = self.at(&format!("node-{number}"));
        let text = self
            .here(&text)
            .replace("0.0.0.0:8080", &self.authority(&format!("node-{number}")))
            .replace("0.0.0.0:8081", &self.authority(&format!("management-{number}")))
            .replace("/var/lib/countersign/", &format!("{}/", own.display()));
        let file = own.join("countersign.toml");
        fs::write(&file, text).unwrap();
        file
    }
}

fn is_root() -> bool {
    succeed(Command::new("id").arg("-u")).trim() == "0"
}

/// PostgreSQL's programs are not in the path of Debian.
fn with_servers_in_path(command: &mut Command) -> &mut Command {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.push("/usr/sbin".into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap())
}

/// `command` by the user `postgres` where we are root, whom PostgreSQL refuses.
fn as_postgres(command: &Command) -> Command {
    let mut other = if is_root() {
        let mut other = Command::new("setpriv");
        other.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(command.get_program());
        other
    } else {
        Command::new(command.get_program())
    };
    other.args(command.get_args());
    with_servers_in_path(&mut other);
    other
}

async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(POLL);
    let waiting = async {
        while !is_so().await {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Waits until the health check of a service says that it is well.
async fn wait_until_healthy(places: &Places, service: &Value, also: &[(&str, &str)]) {
    let check = words(&service["healthcheck"]["test"]);
    let command =
        if check[0] == "CMD" { check[1..].to_vec() } else { vec!["sh".to_owned(), "-c".to_owned(), check[1].clone()] };
    wait_until(&format!("{check:?}"), async || {
        let mut command = places.command(&command, also);
        run(with_servers_in_path(command.env("PGPORT", places.port("postgres").to_string()))).status.success()
    })
    .await;
}

/// As the image's entry point does: a cluster, then its database.
async fn start_postgres(places: &Places, service: &Value) -> Running {
    let folder = places.at("postgres");
    fs::create_dir(&folder).unwrap();
    let environment = |name: &str| service["environment"][name].as_str().unwrap().to_owned();
    let password = fs::read_to_string(places.here(&environment("POSTGRES_PASSWORD_FILE"))).unwrap();
    fs::write(folder.join("password"), &password).unwrap();
    if is_root() {
        succeed(Command::new("chown").args(["-R", "postgres:"]).arg(&folder));
    }
    let user = environment("POSTGRES_USER");
    let mut make = Command::new("initdb");
    make.args(["-U", &user, "--no-sync", "--no-locale", "-E", "UTF8"]).arg("-D").arg(folder.join("data"));
    make.arg(format!("--pwfile={}", folder.join("password").display()));
    make.args(environment("POSTGRES_INITDB_ARGS").split(' '));
    succeed(as_postgres(&make).current_dir(&folder));

    let port = places.port("postgres");
    let mut serve = places.command(&words(&service["command"]), &[]);
    serve.arg("-D").arg(folder.join("data")).arg("-k").arg(&folder);
    serve.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    let process = Running::start("postgres", as_postgres(&serve).current_dir(&folder));
    let connection = ["-qX", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", &user, "-d", "postgres", "-c"];
    let create = format!("create database {}", environment("POSTGRES_DB"));
    wait_until("create database", async || {
        let mut psql = Command::new("psql");
        psql.args(connection).arg(&create).env("PGPASSWORD", password.trim());
        run(with_servers_in_path(&mut psql)).status.success()
    })
    .await;
    wait_until_healthy(places, service, &[]).await;
    process
}

async fn start_redis(places: &Places, service: &Value) -> Running {
    let port = places.port("redis");
    let mut serve = places.command(&words(&service["command"]), &[]);
    serve.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    let mut process = Running::start("redis-server", &mut serve);
    process.wait_for_line(|line| line.contains("Ready to accept connections")).await;
    let cli = format!("redis-cli -p {port}");
    wait_until_healthy(places, service, &[("redis-cli", &cli)]).await;
    // Who does not sign in may ask for a sign of life, and for nothing else.
    let refused = succeed(Command::new("redis-cli").args(["-p", &port.to_string(), "keys", "*"]));
    assert!(refused.contains("NOPERM"), "{refused}");
    process
}

/// `countersign` as the compose file runs it, with the configuration `config`.
fn countersign(places: &Places, service: &Value, config: &Path) -> Command {
    let mut all = vec![binary().display().to_string()];
    all.extend(words(&service["command"]));
    let mut command = places.command(&all, &[("/etc/countersign/countersign.toml", config.to_str().unwrap())]);
    // Few failures of clients are enough to see the limit.
    command.env("RUST_LOG", "warn").env("COUNTERSIGN__LIMITS__CLIENT_FAILURES", "3");
    command
}

async fn start_node(places: &Places, compose: &Value, number: usize) -> Node {
    let service = &compose["services"][format!("node-{number}")];
    let config = places.configure(number);
    let process = Running::start("countersign serve", &mut countersign(places, service, &config));
    let program = binary().display().to_string();
    let also =
        [("/etc/countersign/countersign.toml", config.to_str().unwrap()), ("/usr/local/bin/countersign", &*program)];
    wait_until_healthy(places, service, &also).await;
    let (origin, management) = (format!("node-{number}"), format!("management-{number}"));
    Node {
        origin: format!("http://{}", places.authority(&origin)),
        management: format!("http://{}", places.authority(&management)),
        config,
        process,
    }
}

async fn start_proxy(places: &Places, service: &Value) -> Running {
    let text = fs::read_to_string(deployed("compose/nginx.conf")).unwrap();
    fs::write(places.at("nginx.conf"), places.here(&text)).unwrap();
    let mut serve = places.command(&words(&service["entrypoint"]), &[]);
    let process = Running::start("nginx", with_servers_in_path(&mut serve));
    // There is no wget here: its question is asked by us.
    let question = words(&service["healthcheck"]["test"]).pop().unwrap();
    let question = question.replace("127.0.0.1:8000", &places.authority("http"));
    wait_until(&question, async || http().get(&question).send().await.is_ok_and(|it| it.status().is_success())).await;
    process
}

impl ProcessSet {
    /// In the order that `depends_on` says.
    async fn start() -> Self {
        let compose = resolved();
        let service = |name: &str| &compose["services"][name];
        let relay = Relay::open().await;
        let places = Places::new(relay.port);
        for (name, needs, condition) in [
            ("migrate", "postgres", "service_healthy"),
            ("node-1", "migrate", "service_completed_successfully"),
            ("node-2", "migrate", "service_completed_successfully"),
            ("node-1", "redis", "service_healthy"),
            ("proxy", "node-1", "service_healthy"),
            ("proxy", "node-2", "service_healthy"),
        ] {
            assert_eq!(service(name)["depends_on"][needs]["condition"], condition, "{name} needs {needs}");
        }
        let (postgres, redis) =
            tokio::join!(start_postgres(&places, service("postgres")), start_redis(&places, service("redis")));
        let migrated = succeed(&mut countersign(&places, service("migrate"), &places.configure(1)));
        assert!(migrated.contains("the schema is up to date"), "{migrated}");
        let (one, two) = tokio::join!(start_node(&places, &compose, 1), start_node(&places, &compose, 2));
        let proxy = start_proxy(&places, service("proxy")).await;

        let port = places.port("https");
        let certificate = Certificate::from_pem(&fs::read(places.at("secrets/tls.pem")).unwrap()).unwrap();
        let client = program().timeout(PATIENCE).tls_certs_only([certificate]);
        let client = client.resolve(HOST, ([127, 0, 0, 1], port).into());
        Self {
            issuer: format!("https://{HOST}:{port}"),
            http: client.build().unwrap(),
            nodes: vec![one, two],
            relay,
            _proxy: proxy,
            _redis: redis,
            _postgres: postgres,
            places,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// A command of the operator, beside the nodes.
    fn operate(&self, words: &[&str]) -> String {
        let mut command = Command::new(binary());
        command.args(words).arg("--config").arg(&self.nodes[0].config).env("RUST_LOG", "warn");
        succeed(&mut command)
    }

    /// A client program of PostgreSQL.
    fn postgres(&self, words: &[&str]) -> String {
        let password = fs::read_to_string(self.places.at("secrets/postgres.password")).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("PGPASSWORD", password.trim()).env("PGUSER", "countersign");
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.places.port("postgres").to_string());
        succeed(with_servers_in_path(&mut command))
    }

    fn register_clients(&self) {
        let clients = json!([
            {"client_id": MACHINE.0, "client_secret": MACHINE.1, "grant_types": ["client_credentials"],
             "redirect_uris": [], "scope": "jobs.read"},
            {"client_id": PORTAL.0, "client_secret": PORTAL.1, "redirect_uris": [CALLBACK],
             "countersign_policy": "email", "grant_types": ["authorization_code"]},
        ]);
        let file = self.places.at("clients.json");
        fs::write(&file, clients.to_string()).unwrap();
        self.operate(&["client", "add", file.to_str().unwrap()]);
    }

    fn token_request(&self, client: (&str, &str), form: &[(&str, &str)]) -> RequestBuilder {
        self.http.post(self.url("/token")).basic_auth(client.0, Some(client.1)).form(form)
    }

    /// The mail to the guest after the first `count`.
    async fn mail(&self, count: usize) -> String {
        wait_until("a mail", async || self.relay.letters().len() > count).await;
        let letter = self.relay.letters().swap_remove(count);
        assert_eq!(letter.to, GUEST);
        // Quoted-printable: long lines go on.
        letter.text.replace("=\n", "").replace("=3D", "=")
    }

    /// The link of the invitation is opened and the registration gone through, by the proxy.
    async fn register_guest(&self) {
        self.operate(&["user", "invite", "--email", GUEST, "--name", "Gail Guest", "--client", PORTAL.0]);
        let mail = self.mail(0).await;
        let link = mail.split_whitespace().find(|word| word.contains("/link/")).expect("a link").to_owned();
        assert!(link.starts_with(&self.issuer), "{link}");
        let agent = UserAgent::with(self.http.clone());
        let mut page = agent.follow(agent.get(&link).await).await;
        let password = [("new_password", PASSWORD), ("confirm_password", PASSWORD)];
        for (control, typed) in
            [("continue", &[][..]), ("email", &[]), ("set", &password), ("accept", &[("accept", "on")])]
        {
            page = agent.follow(agent.press(&page, control, typed).await).await;
        }
        assert!(page.status < 400, "{} {}", page.status, page.body);
    }

    /// Presses a button of `page`, which one node sent, at `node`.
    async fn press_at(
        &self,
        node: &Node,
        agent: &UserAgent,
        page: &Answer,
        control: &str,
        typed: &[(&str, &str)],
    ) -> Answer {
        let mut page = page.clone();
        page.url = Url::parse(&node.origin).unwrap().join(page.url.path()).unwrap();
        let answer = agent.press(&page, control, typed).await;
        agent.follow(answer).await
    }

    /// A sign-in that goes to the other node with every step; the code that the client gets.
    async fn sign_in_across(&self) -> String {
        let agent = UserAgent::new();
        let [one, two] = [&self.nodes[0], &self.nodes[1]];
        let query = [
            ("response_type", "code"),
            ("client_id", PORTAL.0),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
        ];
        let begin = Url::parse_with_params(&format!("{}/authorization", one.origin), query).unwrap();
        let page = agent.follow(agent.get(begin.as_str()).await).await;
        assert!(page.asks_for_password(), "{} {}", page.status, page.body);
        let sent = self.relay.letters().len();
        let page = self.press_at(two, &agent, &page, "login", &[("email", GUEST), ("password", PASSWORD)]).await;
        let page = self.press_at(one, &agent, &page, "send", &[]).await;
        self.mail(sent).await;
        let code = self.relay.letters()[sent].find_code().expect("a mail with a code");
        let page = self.press_at(two, &agent, &page, "verify", &[("code", &code)]).await;
        let end = self.press_at(one, &agent, &page, "continue", &[]).await;
        let response = end.response();
        response.get("code").unwrap_or_else(|| panic!("no code: {response:?}")).clone()
    }

    /// What both nodes export.
    async fn metrics(&self) -> alerts::Metrics {
        let mut all = alerts::Metrics::new();
        for node in &self.nodes {
            let text = Answer::to(http().get(format!("{}/metrics", node.management))).await.body;
            for (name, labels) in alerts::exported(&text) {
                all.entry(name).or_default().extend(labels);
            }
        }
        all
    }

    /// Requests that node `number` has answered with 200.
    async fn answered(&self, number: usize) -> f64 {
        let text = Answer::to(http().get(format!("{}/metrics", self.nodes[number].management))).await.body;
        let line = text.lines().find_map(|line| line.strip_prefix("countersign_requests_total{status=\"200\"} "));
        line.map_or(0.0, |number| number.parse().unwrap())
    }
}

#[tokio::test]
async fn the_processes_of_the_compose_file_sign_people_in_across_nodes() {
    let mut set = ProcessSet::start().await;
    set.operate(&["config", "report"]);
    set.register_clients();

    // By TLS of the proxy, under the name of the issuer.
    let discovery = Answer::to(set.http.get(set.url("/.well-known/openid-configuration"))).await;
    assert_eq!((discovery.status, &discovery.json()["issuer"]), (200, &set.issuer.clone().into()));
    assert!(discovery.headers.contains_key("strict-transport-security") || discovery.header("server") == "nginx");
    for host in [HOST, "evil.example.com"] {
        let plain = http().get(format!("http://{}/account?a=b", set.places.authority("http"))).header("host", host);
        let plain = Answer::to(plain).await;
        assert_eq!((plain.status, plain.header("location")), (308, &*set.url("/account?a=b")), "{host}");
    }
    let stranger = set.http.get(set.url("/jwks")).header("host", "evil.example.com").send().await;
    assert!(stranger.is_err(), "another name is answered: {stranger:?}");
    let form = [("grant_type", "client_credentials"), ("scope", "jobs.read")];
    let issued = Answer::to(set.token_request(MACHINE, &form)).await;
    assert_eq!(issued.status, 200, "{}", issued.body);

    set.register_guest().await;
    let code = set.sign_in_across().await;
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    let redeemed = Answer::to(set.token_request(PORTAL, &form)).await;
    assert_eq!(redeemed.status, 200, "{}", redeemed.body);

    // The proxy shares what comes between both.
    let before = [set.answered(0).await, set.answered(1).await];
    for _ in 0..20 {
        assert_eq!(Answer::to(set.http.get(set.url("/jwks"))).await.status, 200);
    }
    for (number, before) in before.into_iter().enumerate() {
        assert!(set.answered(number).await > before, "node {} was not asked", number + 1);
    }

    // Limits count by the address of the proxy's peer, on both nodes together.
    let mut refused = Vec::new();
    for _ in 0..6 {
        refused.push(Answer::to(set.token_request((MACHINE.0, "wrong"), &form)).await.status);
    }
    assert_eq!((refused.first(), refused.last()), (Some(&401), Some(&503)), "{refused:?}");

    every_metric_in_use_is_exported(&set).await;
    a_restored_dump_is_proven_by_the_checkpoint_that_was_kept(&set).await;

    // One node goes; nobody notices.
    set.nodes.remove(0).process.stop();
    for _ in 0..10 {
        assert_eq!(Answer::to(set.http.get(set.url("/jwks"))).await.status, 200);
    }
    // Redis keeps what it is told.
    assert!(set.places.at("data/appendonlydir").exists());
}

/// Alerts and dashboard name nothing that there is not; the operator's page names all there is.
async fn every_metric_in_use_is_exported(set: &ProcessSet) {
    let used = alerts::used();
    assert!(used.len() > 4, "{used:?}");
    wait_until("audit entries", async || set.metrics().await.contains_key("countersign_audit_entries_total")).await;
    let exported = set.metrics().await;
    for (name, labels) in &used {
        let known = exported.get(name).unwrap_or_else(|| panic!("{name} is not exported: {exported:?}"));
        assert!(labels.is_subset(known), "{name}: {labels:?} of {known:?}");
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let page = fs::read_to_string(page).unwrap();
    for name in exported.keys() {
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let written = format!("`{}", parts.unwrap_or(name));
        assert!(page.contains(&written), "{name} is not in OPERATIONS.md");
    }
}

/// The drill of OPERATIONS.md.
async fn a_restored_dump_is_proven_by_the_checkpoint_that_was_kept(set: &ProcessSet) {
    let keep = |name: &str| {
        let file = set.places.at(name);
        fs::write(&file, set.operate(&["audit", "checkpoint"])).unwrap();
        file
    };
    let dump = set.places.at("countersign.dump").display().to_string();
    let before = keep("before.txt");
    set.postgres(&["pg_dump", "--format=custom", &format!("--file={dump}"), "countersign"]);
    let form = [("grant_type", "client_credentials")];
    let later = Answer::to(
        http().post(format!("{}/token", set.nodes[0].origin)).form(&form).basic_auth(MACHINE.0, Some(MACHINE.1)),
    )
    .await;
    assert_eq!(later.status, 200, "{}", later.body);
    let after = keep("after.txt");
    set.postgres(&["createdb", "drill"]);
    set.postgres(&["pg_restore", "--dbname=drill", "--exit-on-error", "--single-transaction", &dump]);

    let url = fs::read_to_string(set.places.at("secrets/database.url")).unwrap();
    fs::write(set.places.at("drill.url"), url.replace("/countersign?", "/drill?")).unwrap();
    let verify = |checkpoint: &Path| {
        let mut command = Command::new(binary());
        command.args(["audit", "verify", "--config"]).arg(&set.nodes[0].config).arg("--checkpoint").arg(checkpoint);
        run(command.env("COUNTERSIGN__DATABASE__URL_FILE", set.places.at("drill.url")))
    };
    let whole = verify(&before);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let short = verify(&after);
    let why = String::from_utf8_lossy(&short.stderr).into_owned();
    assert!(short.status.code() == Some(1) && why.contains("missing"), "{why}");
}
