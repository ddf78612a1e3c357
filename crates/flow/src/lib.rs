//! The policy language, its proofs, and the machine that runs an instance.

pub mod language;

mod advance;
mod check;
mod facts;
mod finding;
mod input;
mod instance;
mod machine;
mod needs;
mod parse;
pub mod password;
mod set;
pub mod totp;
mod view;

pub use advance::{Advance, BeginError, Effect, FlowError, Issued, Next, Remembering};
pub use check::check;
pub use facts::{AccountFacts, ChargeVerdict, Facts, RememberedFacts, Verdict, fact_set, list_amr};
pub use finding::{Finding, Position, Severity};
pub use input::{Input, MAX_CODE, MAX_EMAIL, MAX_PASSWORD, MAX_USERNAME};
pub use instance::{Instance, NoticeKey};
pub use language::{Channel, CountScope, Policy};
pub use machine::{advance, begin, needs};
pub use needs::{AccountKey, Charge, Limit, Lock, Needs};
pub use parse::parse;
pub use set::PolicySet;
pub use view::{BoxView, ControlView, FieldView, Notice, OptionView, PageView, Tone, mask_email, view};
