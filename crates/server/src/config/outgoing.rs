//! Calls to addresses that clients registered.

use std::path::PathBuf;

use serde::Deserialize;

/// Where those calls may go. They are `https`, but for loopback where private addresses are allowed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Whether clients may live on this host and in private networks.
    pub allow_private: bool,
    /// CA certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}
