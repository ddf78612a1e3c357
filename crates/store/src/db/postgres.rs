//! PostgreSQL: a pool whose connections live on the store's runtime, over rustls when the URL asks for TLS.

use std::path::Path;
use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::DatabaseSettings;
use crate::StoreError;
use crate::io::run_on;

pub type Connection = AsyncPgConnection;

/// Makes connections.
pub struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Connector {
    pub fn new(url: &str, settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let (url, demands) = take_tls_parameters(url)?;
        // The parser's error does not repeat the URL, which may hold a password.
        let mut config: Config = url.parse().map_err(|error| StoreError::Settings(format!("URL: {error}")))?;
        let timeout = settings.statement_timeout.as_millis();
        let options = config.get_options().unwrap_or_default();
        let options =
            format!("{options} -c statement_timeout={timeout} -c idle_in_transaction_session_timeout={timeout}");
        config.options(options.trim()).application_name("countersign");
        config.connect_timeout(settings.connect_timeout);
        config.keepalives_idle(std::time::Duration::from_secs(30)).tcp_user_timeout(settings.statement_timeout * 2);
        config.ssl_mode(if demands.tls { SslMode::Require } else { SslMode::Disable });
        let roots = settings.root_certificates.as_deref().or(demands.roots.as_deref().map(Path::new));
        let tls = demands.tls.then(|| make_tls(roots)).transpose()?;
        Ok(Self { config, tls })
    }

    pub async fn establish(&self) -> ConnectionResult<Connection> {
        if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(|error| refused(&error))?;
            Connection::try_from_client_and_connection(client, connection).await
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(|error| refused(&error))?;
            Connection::try_from_client_and_connection(client, connection).await
        }
    }
}

fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    ConnectionError::BadConnection(format!("{error}{cause}"))
}

pub fn open(
    connector: &Arc<Connector>,
    settings: &DatabaseSettings,
    handle: Handle,
) -> Result<Pool<Connection>, StoreError> {
    let connector = Arc::clone(connector);
    let mut config = ManagerConfig::default();
    // `Verified` would ask `SELECT 1` at every checkout; `Db` replaces a closed connection instead.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let (connector, handle) = (Arc::clone(&connector), handle.clone());
        async move {
            let established = run_on(&handle, async move { connector.establish().await }).await;
            established.map_err(|error| ConnectionError::BadConnection(error.to_string()))?
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    let pool = Pool::builder(manager).max_size(settings.max_connections.max(1)).build();
    pool.map_err(|error| StoreError::Settings(error.to_string()))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct TlsDemands {
    tls: bool,
    roots: Option<String>,
}

/// `sslmode` and `sslrootcert` are ours: tokio-postgres knows neither verify-full nor files. TLS always verifies the name.
fn take_tls_parameters(url: &str) -> Result<(String, TlsDemands), StoreError> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), TlsDemands::default()));
    };
    let mut demands = TlsDemands::default();
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "disable" | "allow" | "prefer")) => demands.tls = false,
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => demands.tls = true,
            Some(("sslmode", _)) => return Err(StoreError::Settings("unknown sslmode".to_owned())),
            Some(("sslrootcert", path)) => demands.roots = Some(path.replace("%2F", "/").replace("%2f", "/")),
            _ => rest.push(pair),
        }
    }
    let rest = rest.join("&");
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") };
    Ok((url, demands))
}

fn make_tls(roots: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    let unusable = |what: String| StoreError::Settings(format!("root certificates: {what}"));
    let Some(path) = roots else {
        install_provider();
        let native = MakeRustlsConnect::with_native_certs();
        return native.map(|(tls, _)| tls).map_err(|errors| unusable(format!("{errors:?}")));
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| unusable(error.to_string()))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(store).with_no_client_auth()))
}

/// The native-roots constructor takes the process's provider; main has installed it already, a tool may not have.
fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_parameters_are_taken_out_of_the_url() {
        let (url, demands) =
            take_tls_parameters("postgres://u@h/d?sslmode=verify-full&a=b&sslrootcert=/ca.pem").unwrap();
        assert_eq!(url, "postgres://u@h/d?a=b");
        assert_eq!(demands, TlsDemands { tls: true, roots: Some("/ca.pem".to_owned()) });
    }

    #[test]
    fn without_parameters_the_connection_is_plain() {
        let (url, demands) = take_tls_parameters("postgres://u@h/d?sslmode=prefer").unwrap();
        assert_eq!((url.as_str(), demands.tls), ("postgres://u@h/d", false));
    }

    #[test]
    fn an_unknown_sslmode_is_refused() {
        assert!(take_tls_parameters("postgres://u@h/d?sslmode=verfiy-full").is_err());
    }
}
