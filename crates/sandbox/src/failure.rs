//! Why a listener of the sandbox could not start or had to stop.

use std::path::PathBuf;

/// What keeps the carrier or the portal from running.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port is taken or may not be bound.
    #[error("cannot listen on port {port}: {source}")]
    Bind {
        /// The port asked for; 0 means any.
        port: u16,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A certificate, key or CA file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    File {
        /// The file named in the settings.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// Certificate and key do not make a TLS server.
    #[error("cannot serve TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client for outgoing requests cannot be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// A setting makes no sense.
    #[error("setting {name}: {reason}")]
    Setting {
        /// Field of the settings struct.
        name: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// The server stopped on its own.
    #[error("the server stopped: {0}")]
    Io(#[from] std::io::Error),
}
