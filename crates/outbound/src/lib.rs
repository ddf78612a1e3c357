//! Mail, SMS and voice: the only crate that speaks SMTP or calls out over HTTP.

pub mod error;
pub mod http;
pub mod mail;
pub mod mask;
pub mod telephone;

pub use error::{SendError, SettingsError};
pub use http::{HttpClient, HttpSettings};
pub use mail::{Mail, MailSettings, Mailer, Sender, Tls};
pub use telephone::{Call, Carrier, CarrierSettings, Receipt, Text};

#[cfg(test)]
mod test_servers;
