//! Mail, SMS, voice, webhooks and upstream providers: the only crate that speaks SMTP or calls out over HTTP.

pub mod audit_sink;
pub mod documents;
pub mod error;
pub mod http;
pub mod legacy;
pub mod logout;
pub mod mail;
pub mod mask;
pub mod telephone;
pub mod upstream;
pub mod webhook;

pub use audit_sink::{AuditSink, SinkLine, Syslog, SyslogSettings};
pub use error::{CallError, SendError, SettingsError};
pub use http::{HttpClient, HttpSettings};
pub use legacy::{LegacyAccount, LegacyConnector, LegacySettings};
pub use mail::{DkimSettings, Mail, MailSettings, Mailer, Sender, Tls};
pub use telephone::{
    Call, Callback, Carriers, Courier, Receipt, Text, Twilio, TwilioSettings, WebhookCourier, WebhookCourierSettings,
};
pub use upstream::{CodeExchange, ProviderMetadata, Upstream, UpstreamSettings, UpstreamTokens};
pub use webhook::{Webhook, WebhookSettings};

#[cfg(test)]
mod test_servers;
