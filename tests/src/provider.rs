//! Providers for tests that drive the use cases in process: nodes over one pair of stores, a clock that is moved, a
//! relay that keeps what it is given, and people who walk through pages.
#![allow(clippy::expect_used, clippy::panic, reason = "a fixture that fails is a test that fails")]

mod authenticator;
mod clients;
mod corporate;
mod fault;
mod house;
mod person;
mod phones;
mod records;
mod relay;
pub mod web;

pub use authenticator::Authenticator;
pub use clients::{PORTAL_SECRET, PORTAL_URI, encode, own_token, redeem, redeem_as, refresh, register_client};
pub use corporate::{Corporate, UserInfo};
pub use fault::{Fault, Faulty};
pub use house::{CHEAP, House, NodePlan, Pair, run};
pub use person::{Person, Seen, code_in, form, parameter};
pub use phones::{GENUINE, Operator, Phones, Rung};
pub use relay::{Letter, Relay, Temper};
pub use web::{Asked, serve_as, serve_json};

/// A mail address and its password.
pub type Credentials = (&'static str, &'static str);

/// Signs in by mailed code.
pub const HOSPITAL: Credentials = ("demohospital18@example.com", "ward-seven-0918-lamp");
/// Signs in by mailed code too.
pub const CLINIC: Credentials = ("clinic@example.com", "river-stone-5512-moth");
/// Has a phone.
pub const DUCK: Credentials = ("dduck@example.com", "pond-lily-4471-quack");
/// Has a password alone, for `lab`.
pub const ALICE: Credentials = ("alice@example.com", "meadow-lark-2291-kite");
