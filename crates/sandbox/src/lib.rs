//! For development and tests: a carrier with an inbox page and a corporate OpenID Provider, and the sample case portal.
//!
//! Both are servers of their own: they talk to the provider through sockets and name no product crate.

pub mod carrier;
mod clock;
mod corporate;
mod expiring;
mod failure;
mod form;
mod lifetime;
mod listener;
mod origin;
mod outgoing;
mod page;
pub mod portal;
mod random;
mod web;

pub use carrier::{CarrierAddresses, CarrierSettings, run_carrier};
pub use corporate::CorporateSettings;
pub use failure::SandboxError;
pub use listener::TlsFiles;
pub use portal::{PortalSettings, run_portal};
