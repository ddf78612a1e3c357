//! Durable nouns in PostgreSQL or SQLite, short-lived state in Redis or in process.
//!
//! [`Db`] runs closures over a [`Tx`]; the functions on `Tx` sit in a file per noun. [`ShortLived`] is the other half:
//! running instances and counters, where losing everything costs a restarted page.

mod administered_organizations;
mod answered_requests;
mod audit_events;
mod audit_retention;
mod audit_sinks;
mod audit_tree;
mod authorization_codes;
mod browser_sessions;
mod clients;
mod consents;
mod credentials;
mod db;
mod device_codes;
mod effects;
mod error;
mod factors;
mod federated_identities;
mod grants;
mod io;
mod known_devices;
mod links;
mod organizations;
mod outbox;
mod people;
mod purge;
mod pushed_requests;
mod recovery_codes;
mod refresh_tokens;
mod remembered_logins;
mod revoked_tokens;
mod row;
mod schema;
mod settings;
mod short_lived;
mod signing_keys;
mod spent_ids;
mod terms_acceptances;
mod unfinished;
mod users;

pub use answered_requests::AnsweredRequest;
pub use audit_events::AuditFilter;
pub use audit_retention::RemovalTold;
pub use audit_tree::{EntryHash, LogEntry, OutOfLog, StoredCheckpoint};
pub use authorization_codes::CodeWithGrant;
pub use db::{DatabaseSettings, Db, Tx, Work};
pub use error::StoreError;
pub use grants::{GrantWithAccount, TokenGrant};
pub use outbox::Lane;
pub use people::PeopleFilter;
pub use purge::Purged;
pub use refresh_tokens::{RefreshTokenWithGrant, Rotation};
pub use short_lived::in_process::{Clock, InProcess, InProcessBounds};
pub use short_lived::redis::{Redis, RedisMode, RedisSettings};
pub use short_lived::{
    Advanced, Charged, Claim, CounterLimit, CounterLock, InstancePage, InstanceRecord, NextInstance, ShortLived,
};
pub use users::UserFilter;
