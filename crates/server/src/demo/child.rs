//! The three processes of the demo.

use std::process::ExitCode;

use countersign_sandbox::{CarrierSettings, CorporateSettings, PortalSettings, TlsFiles, run_carrier, run_portal};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::{DemoSettings, Part, SETTINGS, data};
use crate::config::{Config, LogFormat};
use crate::{say, serve, telemetry};

/// The sandbox's account with itself.
const CARRIER_ACCOUNT: &str = "ACdemo0000000000000000000000000000";
/// The provider as a client of the sandbox's corporate provider.
const CORPORATE_CLIENT: &str = "countersign";

/// Runs one part until standard input closes or a signal comes.
pub async fn run(part: Part) -> Result<ExitCode, String> {
    telemetry::start_log(LogFormat::Text);
    let text = std::env::var(SETTINGS).map_err(|_| "this command is for `countersign demo` itself".to_owned())?;
    let settings: DemoSettings = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    match part {
        Part::Sandbox => run_sandbox(&settings).await,
        Part::Provider => run_provider(&settings).await,
        Part::Portal => run_case_portal(&settings).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn run_sandbox(demo: &DemoSettings) -> Result<(), String> {
    let mut settings = CarrierSettings::new(CARRIER_ACCOUNT, SecretString::from(demo.carrier_token.as_str()));
    settings.http_port = demo.sandbox_port;
    settings.smtp_port = demo.smtp_port;
    settings.tls = tls_files(demo);
    settings.ca_file = demo.certificates.as_ref().map(|files| files.ca.clone());
    settings.stop_when_stdin_closes = true;
    let redirect_uri = format!("{}/federation/corporate/callback", demo.issuer());
    settings.corporate = Some(CorporateSettings {
        client_id: CORPORATE_CLIENT.to_owned(),
        client_secret: SecretString::from(demo.corporate_secret.as_str()),
        redirect_uri: redirect_uri.parse().map_err(|error| format!("{redirect_uri}: {error}"))?,
    });
    run_carrier(settings, |_| say("ready")).await.map_err(|error| error.to_string())
}

async fn run_case_portal(demo: &DemoSettings) -> Result<(), String> {
    let mut settings = PortalSettings::new(demo.issuer(), SecretString::from(demo.portal_secret.as_str()));
    settings.port = demo.portal_port;
    settings.tls = tls_files(demo);
    settings.ca_file = demo.certificates.as_ref().map(|files| files.ca.clone());
    settings.stop_when_stdin_closes = true;
    run_portal(settings, |_| say("ready")).await.map_err(|error| error.to_string())
}

fn tls_files(demo: &DemoSettings) -> Option<TlsFiles> {
    let files = demo.certificates.as_ref()?;
    Some(TlsFiles { certificate: files.certificate.clone(), key: files.key.clone() })
}

async fn run_provider(demo: &DemoSettings) -> Result<(), String> {
    let config = Config::load(None, overrides(demo)).map_err(|error| error.to_string())?;
    let database = serve::open_database(&config)?;
    database.migrate().await.map_err(|error| error.to_string())?;
    let provider = serve::build_provider(&config).await?;
    let (name, npi, code) = data::CLINIC;
    let clinic = provider.create_organization(name, npi, &SecretString::from(code)).await;
    for account in data::accounts(&clinic.map_err(|error| error.to_string())?) {
        provider.create_account(&account).await.map_err(|error| error.to_string())?;
    }
    for client in data::clients(&demo.portal(), &demo.portal_secret)? {
        provider.register_client(&client).await.map_err(|error| error.to_string())?;
    }
    serve::register_clients(&config, &provider).await?;
    serve::run_node(&config, provider, || say("ready"), async {
        tokio::select! {
            () = crate::stop_signal() => {}
            () = end_of_input() => {}
        }
    })
    .await
}

/// The demo holds the other end of standard input: when it ends, however it ends, so does this process.
async fn end_of_input() {
    let mut input = tokio::io::stdin();
    let mut byte = [0];
    while matches!(input.read(&mut byte).await, Ok(1)) {}
}

/// Both addresses that `localhost` may stand for, as far as this machine has them.
fn loopback(port: u16) -> Vec<String> {
    let mut addresses = vec![format!("127.0.0.1:{port}")];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addresses.push(format!("[::1]:{port}"));
    }
    addresses
}

/// The sandbox as the carrier: texts and calls end in its inbox.
fn telephone(demo: &DemoSettings) -> Value {
    json!({
        "countries": ["US"],
        // The demo's numbers are of one range, and its visitors try things again and again.
        "prefix_sends": 10_000,
        "ca_file": demo.certificates.as_ref().map(|files| files.ca.clone()),
        "carriers": [{
            "name": "sandbox",
            "base_url": demo.sandbox(),
            "account_sid": CARRIER_ACCOUNT,
            "auth_token": demo.carrier_token,
            "from": "+12025550100",
        }],
    })
}

/// The sandbox as the employees' own provider.
fn corporate(demo: &DemoSettings) -> Value {
    json!({
        "id": "corporate",
        "issuer": format!("{}/corporate", demo.sandbox()),
        "client_id": CORPORATE_CLIENT,
        "client_secret": demo.corporate_secret,
        "domains": ["corp.example.com"],
        "link": "create",
        "allow_private": true,
        "ca_file": demo.certificates.as_ref().map(|files| files.ca.clone()),
    })
}

/// What the demo sets on top of the defaults; everything else is as in production.
fn overrides(demo: &DemoSettings) -> Value {
    let database = demo.database_url.clone();
    let database = database.unwrap_or_else(|| format!("sqlite:{}", demo.data_dir.join("countersign.db").display()));
    let mut value = json!({
        "server": {
            "issuer": demo.issuer(),
            "listen": loopback(demo.idp_port),
            "management_listen": format!("127.0.0.1:{}", demo.management_port),
            "allow_http": true,
        },
        "secrets": {"master_key": demo.master_key},
        "database": {"url": database},
        // `lab` is added to the policies built in alone.
        "policies": {"demo": demo.policies.is_none(), "directory": demo.policies},
        // A suite registers many clients a minute from one address.
        "limits": {"registrations": 600},
        "protocol": {
            "implicit": true, "hybrid": true, "request_uris": true, "device": true, "token_exchange": true,
            "jwt_bearer": true, "client_documents": true, "unsigned_id_tokens": true, "frontchannel_logout": true,
            "session_management": true,
        },
        "resources": [
            {"uri": "https://cases.example.com/api", "scopes": ["cases.read", "cases.write", "api"]},
        ],
        "registration": {
            "by": "everybody",
            "initial_access_token": "demo-initial-access-token",
            "policies": [],
            "scopes": ["cases.read", "cases.write", "api"],
            "first_party": true,
        },
        "outgoing": {
            "allow_private": true,
            "ca_file": demo.certificates.as_ref().map(|files| files.ca.clone()),
        },
        "pages": {"brand": "acentra"},
        "mail": {
            "host": "localhost",
            "port": demo.smtp_port,
            "tls": "none",
            "from": "atrezzo_donotreply@acentra.example",
            "from_name": "Atrezzo",
            "company": "Acentra Health",
            "product": "Atrezzo",
        },
        "telephone": telephone(demo),
        "federation": [corporate(demo)],
        "log": {"format": "text"},
    });
    if let Some(url) = &demo.redis_url {
        value["short_lived"] = json!({"store": "redis", "urls": [url]});
    }
    if let Some(clients) = &demo.clients {
        value["clients_file"] = json!(clients);
    }
    if let Some(files) = &demo.certificates {
        value["server"]["tls_cert_file"] = json!(files.certificate);
        value["server"]["tls_key_file"] = json!(files.key);
        value["server"]["mtls_listen"] = json!(loopback(demo.mtls_port));
        value["server"]["mtls_origin"] = json!(demo.mtls_origin());
    }
    value
}
