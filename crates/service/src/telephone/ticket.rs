//! What the addresses that carriers call back hold: sealed, so that nobody else makes one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::Voice;
use countersign_model::{FlowId, KeyedHash, OutboxId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::vault::{Purpose, Vault};

/// Longest ticket that is looked at, in characters.
const MAX_TICKET: usize = 1024;

/// A call that was placed: what it asks for, and what it approves.
#[derive(Serialize, Deserialize)]
pub(crate) struct CallTicket {
    pub(crate) message: OutboxId,
    pub(crate) flow: FlowId,
    /// Which run of the flow: LOGIN begins it anew under the same id.
    pub(crate) run: KeyedHash,
    pub(crate) challenge: u32,
    pub(crate) voice: Voice,
    /// The digits on the page, or the code to read; empty where `#` is all.
    pub(crate) code: String,
    pub(crate) locale: String,
    pub(crate) company: String,
    pub(crate) expires_at: Timestamp,
}

/// A text or call whose fate the carrier reports.
#[derive(Serialize, Deserialize)]
pub(crate) struct StatusTicket {
    pub(crate) message: OutboxId,
}

impl CallTicket {
    pub(crate) fn seal(&self, vault: &Vault) -> Result<String, ServiceError> {
        seal(vault, b"call", self)
    }

    pub(crate) fn open(vault: &Vault, text: &str) -> Option<Self> {
        open(vault, b"call", text)
    }
}

impl StatusTicket {
    pub(crate) fn seal(&self, vault: &Vault) -> Result<String, ServiceError> {
        seal(vault, b"status", self)
    }

    pub(crate) fn open(vault: &Vault, text: &str) -> Option<Self> {
        open(vault, b"status", text)
    }
}

fn seal(vault: &Vault, context: &[u8], ticket: &impl Serialize) -> Result<String, ServiceError> {
    let plain = postcard::to_stdvec(ticket).map_err(|_| ServiceError::Internal("a ticket did not serialize"))?;
    Ok(URL_SAFE_NO_PAD.encode(vault.seal(Purpose::Telephone, context, &plain)?))
}

fn open<T: DeserializeOwned>(vault: &Vault, context: &[u8], text: &str) -> Option<T> {
    if text.len() > MAX_TICKET {
        return None;
    }
    let plain = vault.open(Purpose::Telephone, context, &URL_SAFE_NO_PAD.decode(text).ok()?)?;
    postcard::from_bytes(&plain).ok()
}
