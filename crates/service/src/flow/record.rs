//! A flow at rest: sealed under the master key, bound to its id, compact.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::Instance;
use countersign_model::{FlowId, KeyedHash, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{FlowCall, Origin, StoredAnswer};
use crate::ServiceError;
use crate::vault::{Purpose, Vault};

/// Longest start that is looked at, in characters: a request of 8 KiB, sealed and encoded, fits.
const MAX_START: usize = 16 * 1024;

/// A flow at rest.
#[derive(Serialize, Deserialize)]
pub(super) enum FlowRecord {
    /// It waits at a page.
    Running(Box<Running>),
    /// It was answered to the client; only the answer is kept, for a double submit.
    Done,
}

/// A flow that waits at a page.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Running {
    /// Browser it is bound to.
    pub(super) browser: KeyedHash,
    /// Random: what codes and secrets of this flow are derived from.
    pub(super) seed: [u8; 16],
    /// Language of its first page, for as long as the person chooses no other.
    pub(super) locale: String,
    /// What it was begun for.
    pub(super) origin: Origin,
    /// Keyed hash of the mailed link it began with.
    pub(super) link: Option<KeyedHash>,
    /// Where the policy stands.
    pub(super) instance: Instance,
}

impl Running {
    /// The language to speak: what the person chose, else that of the flow.
    pub(super) fn locale_of<'a>(&'a self, call: FlowCall<'a>) -> &'a str {
        call.locale.unwrap_or(&self.locale)
    }
}

pub(super) fn seal(vault: &Vault, flow: FlowId, record: &FlowRecord) -> Result<Vec<u8>, ServiceError> {
    seal_as(vault, b"record", flow, record)
}

pub(super) fn open(vault: &Vault, flow: FlowId, sealed: &[u8]) -> Option<FlowRecord> {
    open_as(vault, b"record", flow, sealed)
}

/// Which version of which policy a flow at rest waits in; none when it is over.
pub(crate) fn open_digest(vault: &Vault, flow: FlowId, sealed: &[u8]) -> Option<[u8; 16]> {
    match open(vault, flow, sealed)? {
        FlowRecord::Running(running) => Some(*running.instance.policy_digest()),
        FlowRecord::Done => None,
    }
}

pub(super) fn seal_answer(vault: &Vault, flow: FlowId, answer: &StoredAnswer) -> Result<Vec<u8>, ServiceError> {
    seal_as(vault, b"answer", flow, answer)
}

pub(super) fn open_answer(vault: &Vault, flow: FlowId, sealed: &[u8]) -> Option<StoredAnswer> {
    open_as(vault, b"answer", flow, sealed)
}

/// The start of a flow that nothing is stored of yet: rides in the first page's form.
pub(super) fn seal_start(
    vault: &Vault,
    flow: FlowId,
    running: &Running,
    end: Timestamp,
) -> Result<String, ServiceError> {
    Ok(URL_SAFE_NO_PAD.encode(seal_as(vault, b"start", flow, &(running, end))?))
}

pub(super) fn open_start(vault: &Vault, flow: FlowId, text: &str) -> Option<(Running, Timestamp)> {
    if text.len() > MAX_START {
        return None;
    }
    open_as(vault, b"start", flow, &URL_SAFE_NO_PAD.decode(text).ok()?)
}

fn context(kind: &[u8], flow: FlowId) -> Vec<u8> {
    [kind, b":", flow.as_bytes()].concat()
}

fn seal_as(vault: &Vault, kind: &[u8], flow: FlowId, value: &impl Serialize) -> Result<Vec<u8>, ServiceError> {
    let plain = postcard::to_stdvec(value).map_err(|_| ServiceError::Internal("a flow did not serialize"))?;
    vault.seal(Purpose::Flow, &context(kind, flow), &plain)
}

fn open_as<T: DeserializeOwned>(vault: &Vault, kind: &[u8], flow: FlowId, sealed: &[u8]) -> Option<T> {
    let plain = vault.open(Purpose::Flow, &context(kind, flow), sealed)?;
    postcard::from_bytes(&plain).ok()
}
