//! The use cases of the provider: load facts, ask a pure crate, apply the effects in one transaction.
//!
//! No HTTP types and no SQL here. A use case that touches a flow goes: load the instance, claim its version, find out
//! the facts that `countersign-flow` needs, let it decide, write the effects, compare-and-set the instance.

mod audit;
mod authorization;
mod browser;
mod clients;
mod clock;
mod discovery;
mod effects;
mod error;
mod flow;
mod hash_pool;
mod housekeeping;
mod issue;
mod key_ring;
mod limits;
mod mail_text;
mod outbox;
mod page_nonce;
mod policies;
mod provider;
mod session;
mod settings;
mod token;
mod userinfo;
mod users;
mod vault;

pub use audit::{RequestContext, flow_tag};
pub use authorization::AuthorizeCall;
pub use browser::{BrowserCookies, CookieChanges};
pub use clients::{ClientRegistration, RegistrationError};
pub use clock::{Clock, fresh_secret};
pub use error::ServiceError;
pub use flow::{Answer, Answered, ClientView, FlowCall, FlowForm, FlowPage, Response};
pub use hash_pool::{HashPool, HashSettings};
pub use outbox::OutboxWorker;
pub use policies::{CheckedPolicies, PolicySource, load_policies};
pub use provider::{Provider, Stores};
pub use settings::{AddressLimits, Lifetimes, MailIdentity, Settings};
pub use token::TokenCall;
pub use userinfo::UserInfoCall;
pub use users::NewAccount;
pub use vault::{MasterKey, Vault};

pub use countersign_flow as policy;
pub use countersign_outbound as outbound;
pub use countersign_store as store;
