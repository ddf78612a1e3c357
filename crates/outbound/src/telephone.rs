//! Texts and calls, by one of several carriers.

mod carriers;
pub mod signature;
mod twilio;
mod webhook_courier;

use std::fmt;

use async_trait::async_trait;
use countersign_model::{OutboxId, Timestamp};
use url::Url;

use crate::http::is_refused_address;
use crate::{SendError, mask};
pub use carriers::Carriers;
pub use twilio::{Twilio, TwilioSettings};
pub use webhook_courier::{WebhookCourier, WebhookCourierSettings};

/// The longest text, in characters: what Twilio's Messages resource takes.
const MAX_TEXT: usize = 1600;

/// A text to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// Our id.
    pub id: OutboxId,
    /// Recipient's number (E.164).
    pub to: String,
    /// What it says.
    pub body: String,
    /// Where the carrier reports what became of it.
    pub status_callback: Option<Url>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("id", &self.id).field("to", &mask::number(&self.to)).finish_non_exhaustive()
    }
}

/// A call to place.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Our id.
    pub id: OutboxId,
    /// Number to ring (E.164).
    pub to: String,
    /// Where the carrier asks what to say once somebody answers; the answer is TwiML.
    pub twiml_url: Url,
    /// Where the carrier reports what became of it.
    pub status_callback: Option<Url>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("to", &mask::number(&self.to)).finish_non_exhaustive()
    }
}

/// A carrier took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Name of the carrier in the configuration.
    pub carrier: String,
    /// The carrier's id of the text or call, when its answer could be read.
    pub reference: Option<String>,
}

/// A request to one of our addresses that says it comes from a carrier.
#[derive(Clone)]
pub struct Callback {
    /// The address as the carrier called it, with its query: the public one, whatever a proxy made of it.
    pub url: String,
    /// The POST's form, in order.
    pub params: Vec<(String, String)>,
    /// The same, as it came.
    pub body: Vec<u8>,
    /// `X-Twilio-Signature`.
    pub twilio_signature: Option<String>,
    /// `Countersign-Signature`.
    pub countersign_signature: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// Somebody who takes texts and calls from us. `now` dates the signatures of those who sign.
#[async_trait]
pub trait Courier: Send + Sync + fmt::Debug {
    /// Hands over a text; gives the carrier's id of it, when the answer could be read.
    async fn send_text(&self, text: &Text, now: Timestamp) -> Result<Option<String>, SendError>;

    /// Has a number rung and whoever answers told what `twiml_url` says.
    async fn place_call(&self, call: &Call, now: Timestamp) -> Result<Option<String>, SendError>;

    /// Whether this carrier signed `callback`.
    fn is_genuine(&self, callback: &Callback, now: Timestamp) -> bool;
}

/// Refuses a text that no carrier would take.
fn check_text(text: &Text) -> Result<(), SendError> {
    if text.body.is_empty() || text.body.chars().count() > MAX_TEXT {
        return Err(SendError::Permanent("the text is empty or too long".to_owned()));
    }
    check_number(&text.to)
}

fn check_number(number: &str) -> Result<(), SendError> {
    if is_number(number) { Ok(()) } else { Err(SendError::Permanent("the recipient is no E.164 number".to_owned())) }
}

/// Whether `text` is a number in E.164 with its plus.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A carrier's id of a text or call, unless it is longer or stranger than ids are.
fn keep_reference(reference: Option<String>) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    reference.filter(|reference| (1..=64).contains(&reference.len()) && reference.bytes().all(is_plain))
}

/// Whether a request that failed may have been taken.
fn classify_failure(error: &reqwest::Error) -> SendError {
    if is_refused_address(error) {
        refused_address()
    } else if error.is_connect() {
        SendError::Temporary("no connection to the carrier".to_owned())
    } else if error.is_builder() {
        SendError::Permanent("the request cannot be built".to_owned())
    } else if error.is_timeout() {
        SendError::Uncertain("time limit reached".to_owned())
    } else {
        SendError::Uncertain("the carrier broke off".to_owned())
    }
}

fn refused_address() -> SendError {
    SendError::Permanent("the carrier's address is not public".to_owned())
}

#[cfg(test)]
mod tests;
