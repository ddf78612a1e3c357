//! One SMTP connection and one transaction on it. lettre's own pool cannot tell whether the relay may have taken a
//! mail when the connection breaks, and reuses a connection whose caller gave up half way.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::ExposeSecret as _;

use super::message::Composed;
use super::{MailSettings, Tls};
use crate::{SendError, SettingsError};

const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
const PROBE: Duration = Duration::from_secs(2);

/// Where and how to connect.
pub(super) struct Relay {
    host: String,
    port: u16,
    tls: Tls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    timeout: Duration,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(settings: &MailSettings) -> Result<Self, SettingsError> {
        let credentials = match (&settings.username, &settings.password) {
            (None, None) => None,
            (Some(name), Some(password)) => Some(Credentials::new(name.clone(), password.expose_secret().to_owned())),
            _ => return Err(SettingsError::Value { key: "username", reason: "needs a password, and the reverse" }),
        };
        let parameters = match settings.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Tls => Some(tls_parameters(&settings.host, settings.ca_file.as_deref())?),
        };
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            tls: settings.tls,
            parameters,
            credentials,
            timeout: settings.timeout,
        })
    }

    /// A connection that is encrypted and authenticated as the settings demand.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let hello = ClientId::default();
        let wrapper = if self.tls == Tls::Tls { self.parameters.clone() } else { None };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, wrapper, None).await?;
        if let (Tls::StartTls, Some(parameters)) = (self.tls, &self.parameters) {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn tls_parameters(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, SettingsError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca_file {
        let unusable = |reason: String| SettingsError::CaFile { path: path.to_owned(), reason };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| SettingsError::Tls(error.to_string()))
}

/// Whether `connection` still answers; forgets what is left of an earlier transaction.
pub(super) async fn is_alive(connection: &mut AsyncSmtpConnection) -> bool {
    matches!(tokio::time::timeout(PROBE, connection.command(Rset)).await, Ok(Ok(_)))
}

/// MAIL, RCPT, DATA (RFC 5321, 3.3). The relay is responsible from its answer to the final dot.
pub(super) async fn transact(
    connection: &mut AsyncSmtpConnection,
    message: &Composed,
    handed_over: &mut bool,
) -> Result<(), Failure> {
    let envelope = &message.envelope;
    let mut parameters = Vec::new();
    let addresses = envelope.from().into_iter().chain(envelope.to());
    if !addresses.map(AsRef::<str>::as_ref).all(str::is_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Refused("the relay does not support SMTPUTF8".to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    *handed_over = true;
    connection.message(&message.bytes).await?;
    Ok(())
}

/// How a delivery failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The relay answered with a 4xx or 5xx code.
    Answered { permanent: bool, code: u16, enhanced: Option<String> },
    /// No later try will do.
    Refused(String),
    /// No connection, no answer, or none that is SMTP.
    Lost(&'static str),
}

impl Failure {
    /// After an answer the dialogue is in step again, unless the relay said that it hangs up (421).
    pub(super) fn leaves_connection_usable(&self) -> bool {
        match self {
            Self::Answered { code, .. } => *code != 421,
            Self::Refused(_) => true,
            Self::Lost(_) => false,
        }
    }

    pub(super) fn into_error(self, handed_over: bool) -> SendError {
        match self {
            Self::Answered { permanent, code, enhanced } => {
                let detail = format!("SMTP {code}{}", enhanced.map(|code| format!(" {code}")).unwrap_or_default());
                if permanent { SendError::Permanent(detail) } else { SendError::Temporary(detail) }
            }
            Self::Refused(detail) => SendError::Permanent(detail),
            Self::Lost(detail) if handed_over => SendError::Uncertain(detail.to_owned()),
            Self::Lost(detail) => SendError::Temporary(detail.to_owned()),
        }
    }
}

impl From<Error> for Failure {
    /// Keeps codes alone: relays quote whole addresses in their texts.
    fn from(error: Error) -> Self {
        if let Some(status) = error.status() {
            let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            return Self::Answered {
                permanent: error.is_permanent(),
                code: status.into(),
                enhanced: find_enhanced_code(&text),
            };
        }
        Self::Lost(match () {
            () if error.is_timeout() => "time limit reached",
            () if error.is_tls() => "TLS failed",
            () if error.is_client() => "the relay lacks a demanded extension",
            () if error.is_response() => "the relay broke off or does not speak SMTP",
            () => "no connection to the relay",
        })
    }
}

/// The enhanced status code (RFC 3463) that `text` begins with.
fn find_enhanced_code(text: &str) -> Option<String> {
    let word = text.split_ascii_whitespace().next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_enhanced_code_is_kept_of_a_relays_text() {
        assert_eq!(find_enhanced_code("5.1.1 <dduck@example.com>: unknown").as_deref(), Some("5.1.1"));
        for text in ["", "dduck@example.com", "5.1", "5.1.1.1", "5..1", "12345.1.1 x", "a.b.c"] {
            assert_eq!(find_enhanced_code(text), None, "{text:?}");
        }
    }
}
