//! Mail by SMTP (RFC 5321), through lettre.

mod connection;
mod dkim;
mod message;

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use countersign_model::OutboxId;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use crate::{SendError, SettingsError, mask};
use connection::{Failure, Relay};
pub use dkim::DkimSettings;
use dkim::Signers;
use message::Composed;

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Not at all: for a relay on the same host only.
    None,
    /// STARTTLS (RFC 3207), required.
    #[default]
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

/// Who a mail is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Mail address.
    pub address: String,
    /// Name shown beside it.
    pub name: Option<String>,
}

/// The relay that takes our mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Host name of the relay; its certificate must bear it.
    pub host: String,
    /// Port of the relay.
    pub port: u16,
    /// Protection of the connection.
    pub tls: Tls,
    /// Name to authenticate with; none: no authentication.
    pub username: Option<String>,
    /// Password to authenticate with.
    pub password: Option<SecretString>,
    /// Connections at most.
    pub pool_size: usize,
    /// Limit of one delivery, waiting for a connection included.
    pub timeout: Duration,
    /// Sender of mails that name none.
    pub from: Sender,
    /// PEM file of CA certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Keys that sign mails, each for its domain; mails of other domains go out unsigned.
    pub dkim: Vec<DkimSettings>,
}

/// A mail to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Left part of its Message-ID: the same at every try.
    pub id: OutboxId,
    /// Sender; none: the one of the settings.
    pub from: Option<Sender>,
    /// Where answers go; none: to the sender.
    pub reply_to: Option<String>,
    /// Address of the recipient.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Language of both (BCP 47).
    pub locale: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).field("to", &mask::address(&self.to)).finish_non_exhaustive()
    }
}

/// Sends mail over a pool of connections. Needs a tokio runtime to send, none to be made.
pub struct Mailer {
    relay: Relay,
    from: Sender,
    signers: Signers,
    timeout: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl Mailer {
    /// Checks the settings; connects only when something is sent.
    pub fn new(settings: MailSettings) -> Result<Self, SettingsError> {
        message::check_sender(&settings.from)?;
        if settings.pool_size == 0 {
            return Err(SettingsError::Value { key: "pool_size", reason: "must be at least 1" });
        }
        Ok(Self {
            relay: Relay::new(&settings)?,
            signers: Signers::new(&settings.dkim)?,
            from: settings.from,
            timeout: settings.timeout,
            permits: Semaphore::new(settings.pool_size),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Hands `mail` to the relay. What happens to it behind the relay is not known here.
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let message = message::compose(mail, &self.from, &self.signers).map_err(SendError::Permanent)?;
        let mut handed_over = false;
        // With its feature "tracing", which any crate of a build may switch on, lettre logs whole mails and passwords.
        let silent = self.deliver(&message, &mut handed_over).with_subscriber(NoSubscriber::default());
        let outcome = tokio::time::timeout(self.timeout, silent).await;
        let result = outcome.unwrap_or(Err(Failure::Lost("time limit reached")));
        let result = result.map_err(|failure| failure.into_error(handed_over));
        tracing::debug!(id = %mail.id, to = mask::address(&mail.to), ?result, "relay answered");
        result
    }

    /// One SMTP transaction. Sets `handed_over` before the byte that makes the relay responsible may leave.
    async fn deliver(&self, message: &Composed, handed_over: &mut bool) -> Result<(), Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Failure::Lost("shut down"))?;
        let mut connection = match self.find_idle().await {
            Some(connection) => connection,
            None => self.relay.connect().await?,
        };
        let result = connection::transact(&mut connection, message, handed_over).await;
        if result.as_ref().err().is_none_or(Failure::leaves_connection_usable) {
            self.park(connection);
        }
        result
    }

    /// An idle connection that still answers, reset for a new transaction.
    async fn find_idle(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let mut connection = self.idle.lock().ok()?.pop()?;
            if connection::is_alive(&mut connection).await {
                return Some(connection);
            }
        }
    }

    fn park(&self, connection: AsyncSmtpConnection) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(connection);
        }
    }
}

#[cfg(test)]
mod tests;
