//! Keys of clients, made once for all tests.

use std::sync::LazyLock;

use countersign_tests::client_key::ClientKey;

/// The key of the client `signer`.
pub static SIGNER: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::new("signer-1"));
/// A key of the same name that nobody registered.
pub static STRANGER: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::new("signer-1"));
