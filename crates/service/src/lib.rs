//! The use cases of the provider: load facts, ask a pure crate, apply the effects in one transaction.
//!
//! No HTTP types and no SQL here. A use case that touches a flow goes: load the instance, claim its version, find out
//! the facts that `countersign-flow` needs, let it decide, write the effects, compare-and-set the instance.

mod account_page;
mod accounts;
mod admin;
mod asked_questions;
mod assertion_grants;
mod audit;
mod audit_log;
mod authorization;
mod browser;
mod client_authentication;
mod client_documents;
mod client_keys;
mod clients;
mod clock;
mod consent;
mod cors;
mod deed;
mod device;
mod device_authorization;
mod discovery;
mod dpop;
mod effects;
mod encryption;
mod error;
mod evidence;
mod export;
mod federation;
mod flow;
mod front_channel;
mod hash_pool;
mod housekeeping;
mod introspection;
mod issue;
mod key_ring;
mod legacy;
mod limits;
mod links;
mod logout;
mod mail_text;
mod messages;
mod notices;
mod once;
mod organizations;
mod outbox;
mod page_nonce;
mod passkeys;
mod pending;
mod people;
mod policies;
mod policy_versions;
mod presented_token;
mod provider;
mod pushed_requests;
mod refresh_uses;
mod registration;
mod resource_access;
mod revocation;
mod running;
mod secrets;
mod select_account;
mod session;
mod session_end;
mod settings;
mod setup;
mod subjects;
mod telephone;
mod timeline;
mod token;
mod token_exchange;
mod unreachable;
mod userinfo;
mod users;
mod vault;
mod webhooks;

pub use account_page::{AccountAnswer, AccountCall, AccountDeed, OwnAccount};
pub use admin::{
    AdminRefusal, AuditPage, AuditQuery, Caller as AdminCaller, ChangeOrganization, ChangeRole, ClientChange,
    ClientList, ClientMade, CreateClient, CreateOrganization, CreateUser, EventView, FactorView, KeyList, KeyView,
    OrganizationList, OrganizationView, PolicyList, PolicyView, ProofList, ProofView, RegisteredClient, ReplaceClient,
    RoleList, RoleView, RotateSecret, SecretView, SessionList, SessionView, UserChange, UserPage, UserQuery, UserView,
};
pub use audit::{RequestContext, flow_tag};
pub use audit_log::{AuditFeed, AuditLogSettings, EntryForm, Fed, LogFault, LogReport, ProvenEntry, SignedCheckpoint};
pub use authorization::AuthorizeCall;
pub use browser::{BrowserCall, BrowserCookies, CookieChanges};
pub use client_authentication::ClientCall;
pub use clients::{ClientRegistration, demand_of, list_demands};
pub use clock::{Clock, fresh_secret};
pub use consent::ConsentPage;
pub use deed::RecordRefusal;
pub use device_authorization::{DeviceAnswer, DeviceCall, DeviceQuestion};
pub use effects::mask_phone;
pub use error::ServiceError;
pub use federation::{ClaimNames, FederationSettings, LinkRule, UpstreamAnswer};
pub use flow::{Answer, Answered, ClientView, DeadLink, FlowCall, FlowForm, FlowPage, FlowState, Response};
pub use hash_pool::{HashPool, HashSettings};
pub use introspection::Introspection;
pub use links::NewLink;
pub use logout::{LoggedOut, LogoutAnswer, LogoutCall, LogoutQuestion};
pub use mail_text::list_mail_templates;
pub use outbox::{Couriers, OutboxWorker};
pub use pending::PendingCall;
pub use people::{
    AdministratorMade, ImportFormat, ImportReport, Imported, Invitation, Invited, NewAdministrator, PersonRefusal,
    RegistrationReset, Rejected, ResetDone, RoleChange,
};
pub use policies::{CheckedPolicies, PolicySource, date_of, load_policies, read_policy_files};
pub use policy_versions::with_retired;
pub use provider::{Provider, Stores};
pub use pushed_requests::PushCall;
pub use registration::{RegistrationAccess, RegistrationCall, RegistrationRefusal, RegistrationSettings};
pub use resource_access::ResourceCall;
pub use running::{RunningFlows, Version};
pub use select_account::{AccountChoice, ChosenAccount};
pub use settings::{AddressLimits, Lifetimes, MailIdentity, Settings, Telephone};
pub use setup::{ListedPerson, PeopleAsked, PeoplePage, PersonPage, ResetPage, SetupHome, SetupRefusal, SetupTold};
pub use telephone::{CarrierCall, Switchboard};
pub use timeline::{Attempt, AttemptResult, Happening, Sending, Timeline, TimelinePerson, moment};
pub use token::TokenCall;
pub use userinfo::UserInfo;
pub use users::NewAccount;
pub use vault::{MasterKey, Vault};

pub use countersign_flow as policy;
pub use countersign_outbound as outbound;
pub use countersign_store as store;
