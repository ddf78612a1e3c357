//! Where everything that can be off is off: nothing of it is said, and nothing of it is done.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_protocol::discovery::metadata;
use countersign_protocol::{Capabilities, Features};
use countersign_tests::servers::{Running, binary, free_port};
use countersign_tests::user_agent::{Answer, UserAgent, http};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::keys::{forge, jwks, key};
use crate::fixture::{CHALLENGE, assert_error, basic, peek, text};

const CALLBACK: &str = "https://rp.example.com/cb";
const SECRET: &str = "rp-secret-0123456789";

type Switch = (fn(&mut Features), &'static [&'static str]);

const METHODS_SAID: &[&str] = &[
    "token_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported",
];
const SIGNED_METHODS_SAID: &[&str] = &[
    "token_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
];

/// Each switch, and the members whose words change with it alone.
const SWITCHES: [Switch; 36] = [
    (|f| f.form_post = false, &["response_modes_supported"]),
    (|f| f.claims_parameter = false, &["claims_parameter_supported"]),
    (|f| f.prompt_create = false, &["prompt_values_supported"]),
    (|f| f.security_profiles = false, &[]),
    (|f| f.client_secret_basic = false, METHODS_SAID),
    (|f| f.client_secret_post = false, METHODS_SAID),
    (|f| f.client_secret_jwt = false, SIGNED_METHODS_SAID),
    (|f| f.private_key_jwt = false, SIGNED_METHODS_SAID),
    (
        |f| f.public_clients = false,
        &["token_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"],
    ),
    (|f| f.refresh_tokens = false, &["grant_types_supported"]),
    (|f| f.client_credentials = false, &["grant_types_supported"]),
    (|f| f.resource_indicators = false, &[]),
    (|f| f.signed_introspection = false, &["introspection_signing_alg_values_supported"]),
    (|f| f.signed_userinfo = false, &["userinfo_signing_alg_values_supported"]),
    (
        |f| f.encryption = false,
        &[
            "id_token_encryption_alg_values_supported",
            "id_token_encryption_enc_values_supported",
            "userinfo_encryption_alg_values_supported",
            "userinfo_encryption_enc_values_supported",
        ],
    ),
    (|f| f.implicit = false, &["response_types_supported"]),
    (|f| f.hybrid = false, &["response_types_supported"]),
    (
        |f| f.pushed_requests = false,
        &["pushed_authorization_request_endpoint", "require_pushed_authorization_requests", "mtls_endpoint_aliases"],
    ),
    (|f| f.require_pushed_requests = true, &["require_pushed_authorization_requests"]),
    (|f| f.request_objects = false, &["request_parameter_supported"]),
    (|f| f.request_uris = false, &["request_uri_parameter_supported", "require_request_uri_registration"]),
    (|f| f.signed_responses = false, &["response_modes_supported", "authorization_signing_alg_values_supported"]),
    (|f| f.dpop = false, &["dpop_signing_alg_values_supported"]),
    (|f| f.dpop_nonce = true, &[]),
    (
        |f| f.introspection = false,
        &[
            "introspection_endpoint",
            "introspection_endpoint_auth_methods_supported",
            "introspection_endpoint_auth_signing_alg_values_supported",
            "introspection_signing_alg_values_supported",
            "mtls_endpoint_aliases",
        ],
    ),
    (
        |f| f.revocation = false,
        &[
            "revocation_endpoint",
            "revocation_endpoint_auth_methods_supported",
            "revocation_endpoint_auth_signing_alg_values_supported",
            "mtls_endpoint_aliases",
        ],
    ),
    (|f| f.device = false, &["device_authorization_endpoint", "grant_types_supported", "mtls_endpoint_aliases"]),
    (|f| f.client_documents = false, &["client_id_metadata_document_supported"]),
    (|f| f.token_exchange = false, &["grant_types_supported"]),
    (|f| f.jwt_bearer = false, &["grant_types_supported"]),
    (|f| f.unsigned_id_tokens = false, &["id_token_signing_alg_values_supported"]),
    (|f| f.pairwise = false, &["subject_types_supported"]),
    (|f| f.logout = false, &["end_session_endpoint"]),
    (|f| f.backchannel_logout = false, &["backchannel_logout_supported", "backchannel_logout_session_supported"]),
    (|f| f.frontchannel_logout = false, &["frontchannel_logout_supported", "frontchannel_logout_session_supported"]),
    (|f| f.session_management = false, &["check_session_iframe"]),
];

fn said(change: fn(&mut Features)) -> Value {
    let mut features = Features::ALL;
    change(&mut features);
    let mtls_origin = Some("https://op.example:8443".to_owned());
    let capabilities =
        Capabilities { features, mtls_origin, registration: true, create: true, ..Capabilities::default() };
    metadata(&"https://op.example".parse().unwrap(), &capabilities)
}

#[test]
fn each_switch_changes_its_own_members_and_no_others() {
    let all = said(|_| {});
    for (index, (change, members)) in SWITCHES.into_iter().enumerate() {
        let changed = said(change);
        let names = all.as_object().unwrap().keys().chain(changed.as_object().unwrap().keys());
        let mut differing: Vec<&str> =
            names.map(String::as_str).filter(|name| all.get(name) != changed.get(name)).collect();
        differing.sort_unstable();
        differing.dedup();
        let mut expected = members.to_vec();
        expected.sort_unstable();
        assert_eq!(differing, expected, "switch {index}");
    }
}

/// A node of `serve` with everything off that can be, but for what its one client needs to be served at all.
struct Bare {
    issuer: String,
    http: reqwest::Client,
    _process: Running,
    _folder: TempDir,
}

const OFF: [&str; 30] = [
    "form_post",
    "claims_parameter",
    "prompt_create",
    "security_profiles",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "public_clients",
    "resource_indicators",
    "signed_introspection",
    "signed_userinfo",
    "encryption",
    "implicit",
    "hybrid",
    "pushed_requests",
    "request_objects",
    "request_uris",
    "signed_responses",
    "dpop",
    "introspection",
    "revocation",
    "device",
    "token_exchange",
    "jwt_bearer",
    "client_documents",
    "unsigned_id_tokens",
    "pairwise",
    "logout",
    "frontchannel_logout",
    "session_management",
];

fn configure(folder: &Path, clients: &Value) -> (String, u16) {
    let (port, management) = (free_port(), free_port());
    let issuer = format!("http://localhost:{port}");
    let off = OFF.map(|name| format!("{name} = false\n")).concat();
    std::fs::write(folder.join("master.key"), STANDARD.encode([7; 32])).unwrap();
    std::fs::write(folder.join("clients.json"), clients.to_string()).unwrap();
    let text = format!(
        "clients_file = \"clients.json\"\n[server]\nissuer = \"{issuer}\"\nlisten = [\"127.0.0.1:{port}\"]\n\
         management_listen = \"127.0.0.1:{management}\"\nallow_http = true\n\
         [secrets]\nmaster_key_file = \"master.key\"\n[database]\nurl = \"sqlite:node.db\"\n\
         [policies]\ndemo = true\n[protocol]\nbackchannel_logout = false\n{off}\
         [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
         account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n"
    );
    std::fs::write(folder.join("countersign.toml"), text).unwrap();
    (issuer, port)
}

fn command(folder: &Path, word: &str) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).args([word, "--config", "countersign.toml"]).env("RUST_LOG", "warn");
    command
}

fn client(more: &Value) -> Value {
    let mut client = json!({
        "client_id": "rp", "client_secret": SECRET, "redirect_uris": [CALLBACK], "countersign_policy": "lab",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"], "scope": "openid email jobs.read",
    });
    client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client
}

impl Bare {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (issuer, _) = configure(folder.path(), &json!([client(&json!({}))]));
        let migrated = command(folder.path(), "migrate").output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let process = Running::start("countersign serve", &mut command(folder.path(), "serve"));
        let node = Self { issuer, http: http(), _process: process, _folder: folder };
        node.wait().await;
        node
    }

    /// It says nothing when it is ready: it answers.
    async fn wait(&self) {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        let wait = async {
            while self.http.get(self.url("/jwks")).send().await.is_err() {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), wait).await.expect("no node came up");
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    async fn token(&self, form: &[(&str, &str)], proof: Option<String>) -> Answer {
        let request = self.http.post(self.url("/token")).form(form).header("authorization", basic("rp", SECRET));
        Answer::to(proof.into_iter().fold(request, |request, proof| request.header("dpop", proof))).await
    }

    /// The error that a request with these parameters meets.
    async fn refusal(&self, more: &[(&str, &str)]) -> String {
        let sound = [
            ("response_type", "code"),
            ("client_id", "rp"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let kept = sound.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        let params: Vec<_> = kept.chain(more.iter().copied()).collect();
        let url = url::Url::parse_with_params(&self.url("/authorization"), params).unwrap();
        let answer = UserAgent::new().get(url.as_str()).await;
        let mut answer = super::world::delivered(&answer).1;
        answer.remove("error").unwrap_or_else(|| panic!("no error: {answer:?}"))
    }
}

#[tokio::test]
async fn what_is_off_is_neither_said_nor_done() {
    let node = Bare::start().await;
    let metadata = Answer::to(node.http.get(node.url("/.well-known/openid-configuration"))).await.json();
    for name in metadata.as_object().unwrap().keys() {
        let optional = [
            "pushed",
            "client_id",
            "introspection",
            "revocation",
            "device",
            "registration",
            "dpop",
            "session",
            "logout",
            "request_object",
            "authorization_signing",
            "mtls",
            "tls_",
            "require_",
            "token_endpoint_auth_signing",
            "userinfo_signing",
            "userinfo_encryption",
            "id_token_encryption",
        ];
        assert!(!optional.iter().any(|word| name.starts_with(word) || name.contains("logout")), "{name}");
    }
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["response_modes_supported"], json!(["query", "fragment"]));
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["client_secret_basic"]));
    assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA"]));
    assert_eq!(metadata["claims_parameter_supported"], json!(false));
    assert!(!metadata["prompt_values_supported"].as_array().unwrap().contains(&json!("create")));
    assert_eq!(metadata["subject_types_supported"], json!(["public"]));
    assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", "refresh_token", "client_credentials"]));
    assert_eq!(
        (&metadata["request_parameter_supported"], &metadata["request_uri_parameter_supported"]),
        (&json!(false), &json!(false))
    );

    for path in
        ["/par", "/introspection", "/revocation", "/device_authorization", "/device", "/end_session", "/check_session"]
    {
        for request in [node.http.get(node.url(path)), node.http.post(node.url(path)).form(&[("token", "a")])] {
            assert_eq!(Answer::to(request).await.status, 404, "{path}");
        }
    }
    let metadata = json!({"redirect_uris": [CALLBACK]});
    let closed = Answer::to(node.http.post(node.url("/register")).json(&metadata)).await;
    assert!(matches!(closed.status, 403 | 404), "{} {}", closed.status, closed.body);

    let object = forge(&json!({"alg": "none"}), &json!({"client_id": "rp"}));
    for (parameter, value, error) in [
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "id_token token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "form_post", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("resource", "https://cases.example.com/api", "invalid_target"),
        ("response_mode", "jwt", "invalid_request"),
        ("response_mode", "query.jwt", "invalid_request"),
        ("request", &object, "request_not_supported"),
        ("request_uri", "https://rp.example.com/object", "request_uri_not_supported"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:abc", "request_uri_not_supported"),
    ] {
        assert_eq!(node.refusal(&[(parameter, value)]).await, error, "{parameter}={value}");
    }
    for grant in [
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "implicit",
        "password",
    ] {
        assert_error(&node.token(&[("grant_type", grant)], None).await, 400, "unsupported_grant_type");
    }
    // A proof is a header like any other: nothing is bound to it.
    let proof = key("ES256").prove("POST", &node.url("/token"), None);
    let tokens = node.token(&[("grant_type", "client_credentials"), ("scope", "jobs.read")], Some(proof)).await.json();
    assert_eq!((&tokens["token_type"], peek(text(&tokens, "access_token")).get("cnf")), (&json!("Bearer"), None));
}

/// A client that asks for what is off is not taken: to ignore it would be to promise it.
#[test]
fn no_client_is_promised_what_is_off() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &json!([]));
    assert!(command(folder.path(), "migrate").output().unwrap().status.success());
    for member in [
        json!({"subject_type": "pairwise"}),
        json!({"request_object_signing_alg": "ES256", "jwks": jwks()}),
        json!({"request_uris": ["https://rp.example.com/object"]}),
        json!({"require_pushed_authorization_requests": true}),
        json!({"authorization_signed_response_alg": "ES256"}),
        json!({"introspection_signed_response_alg": "ES256"}),
        json!({"countersign_profile": "fapi2_security"}),
        json!({"userinfo_signed_response_alg": "ES256"}),
        json!({"id_token_encrypted_response_alg": "ECDH-ES", "jwks_uri": "https://rp.example.com/jwks"}),
        json!({"id_token_signed_response_alg": "none"}),
        json!({"token_endpoint_auth_method": "client_secret_post"}),
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks()}),
        json!({"token_endpoint_auth_method": "none", "client_secret": null}),
        json!({"dpop_bound_access_tokens": true}),
        json!({"post_logout_redirect_uris": ["https://rp.example.com/after"]}),
        json!({"backchannel_logout_uri": "https://rp.example.com/out"}),
        json!({"frontchannel_logout_uri": "https://rp.example.com/out"}),
        json!({"tls_client_certificate_bound_access_tokens": true}),
        json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "rp.example.com"}),
        json!({"response_types": ["code id_token"], "grant_types": ["authorization_code", "implicit"]}),
        json!({"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]}),
        json!({"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}),
        json!({"grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"]}),
    ] {
        std::fs::write(folder.path().join("clients.json"), json!([client(&member)]).to_string()).unwrap();
        let output = command(folder.path(), "serve").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{member}: {said}");
        assert!(said.contains("not supported"), "{member}: {said}");
    }
}
