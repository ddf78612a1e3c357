//! The policy language, its proofs, and the machine that runs an instance.
//!
//! A policy is a TOML file that declares one user flow as a finite state machine. `parse` reads it, `check` proves a
//! set of them, and `begin`, `needs`, `advance` and `view` run one instance. Everything is pure: no I/O, no clock, no
//! randomness, so the same functions serve the provider, the tests and the dry run. The price is that the service has
//! to ask `needs` first and bring what it names: charged counters, one account, a verified password, a derived code.
//!
//! The vocabulary is closed. A proof about a policy is worth something only because no file can bring code of its own.
//!
//! # What a file may write where POLICIES.md leaves the notation open
//! - **Targets**: `"step"`, `"@policy"`, or `{ to = "@policy", optional = true, carry = ["password"], else = "step" }`.
//!   An optional target needs `else` unless a control stands for it that can be hidden: `forgot`, `change`, an option or
//!   link of a `choice`. A policy that is switched to names `switch` in its `entry`.
//! - **`choice`**: `options` and `links`, arrays of `{ id, to, optional, carry, else, remember }`; `id` is the control,
//!   `remember = "customers"` reads the box `remember_customers` and hands it on.
//! - **Guards with a value**: `client.is:<id>`, `request.acr:<value>`, `locale:<tag>`, `webhook:<name>`; a webhook is
//!   declared under `[webhook]` as `name = { within = "2s", fail = true }`.
//! - **`stop`**: `links`, an array of `{ id, to, optional, carry, else }`, pressed like buttons of a `choice`.
//! - **`claims_acr_of`**: one policy or a list; the first whose requirements were met is claimed.
//! - **`effect`**: one word or a list: `create_account`, `send:<template>`, `send_link:<policy>/<template>`,
//!   `revoke:<what>`, `unbind_<phone|email|totp|passkey>`, `replace_recovery_codes`, `close_account`, `webhook:<name>`,
//!   `audit:<event>`. What changes an account needs a proof of it in hand.
//! - **`form`**: in a policy that creates accounts its fields are data; elsewhere `username` or `email` names an account,
//!   of which nothing is proven. A wrong registration code stays on the page unless the policy asks `org.code_valid`.
//! - **`session.fresh`**: what the browser's session proved counts, with its times; a password is not asked for again.
//! - **`require`**: all entries that apply hold together. A waived entry accepts less than usual until its day; then
//!   nothing may rest on it alone (E40).
//! - **`limits`** of a step: `attempts`, `sends`, `resend_after` (30 s unless given), `lock` (a table or several),
//!   `budget = { sends, per }` for one mailbox or number over all instances (20 an hour unless given).
//! - **`otp`**: `template` (`verification_code` unless given), `code` (6 digits; 10 minutes by mail, 5 by phone unless
//!   given). `page` is the step's name unless given.

pub mod language;

mod advance;
mod check;
pub mod diff;
pub mod draw;
pub mod dry_run;
mod facts;
mod finding;
pub mod fmt;
mod form;
mod input;
mod instance;
mod machine;
mod needs;
mod notice;
mod parse;
pub mod password;
pub mod paths;
pub mod phone;
mod set;
mod strength;
pub mod totp;
mod view;

pub use advance::{Advance, BeginError, Binding, Call, Effect, FlowError, Issued, Next, Remembering};
pub use check::{
    Catalogue, ClientDemand, LeastSet, PageParts, Surroundings, Texts, check, check_within, list_least_sets,
};
pub use facts::{
    AccountFacts, ChargeVerdict, Facts, Federated, LinkState, Manner, PasskeyProof, RememberedFacts, Verdict, fact_set,
    list_amr,
};
pub use finding::{Finding, Position, Severity};
pub use form::parse_npi;
pub use input::{Input, MAX_CODE, MAX_EMAIL, MAX_PASSWORD, MAX_USERNAME};
pub use instance::Instance;
pub use language::{Channel, CountScope, Policy};
pub use machine::{advance, begin, begin_needs, needs};
pub use needs::{AccountKey, Charge, Limit, Lock, Needs, OrganizationKey, PasskeyUse};
pub use notice::{NoticeKey, Tone};
pub use parse::{MAX_FILE, parse};
pub use set::PolicySet;
pub use view::{Asks, BoxView, ControlView, FieldView, Notice, OptionView, PageView, mask_email, view};
