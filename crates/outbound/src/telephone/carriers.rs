//! Several carriers in order: what one does not take goes to the next, and nothing goes out twice.

use countersign_model::{OutboxId, Timestamp};

use super::{Call, Callback, Courier, Receipt, Text};
use crate::SendError;

/// The carriers of a deployment, the preferred one first.
#[derive(Debug, Default)]
pub struct Carriers(Vec<(String, Box<dyn Courier>)>);

impl Carriers {
    /// Carriers with their names in the configuration, in the order they are tried in.
    pub fn new(carriers: Vec<(String, Box<dyn Courier>)>) -> Self {
        Self(carriers)
    }

    /// Whether nothing can be sent at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hands a text to the first carrier that takes it. May take the time limits of all carriers together.
    pub async fn send_text(&self, text: &Text, now: Timestamp) -> Result<Receipt, SendError> {
        let mut refusals = Refusals::default();
        for (name, carrier) in &self.0 {
            match carrier.send_text(text, now).await {
                Ok(reference) => return Ok(Receipt { carrier: name.clone(), reference }),
                Err(error) => refusals.add(&text.id, name, error)?,
            }
        }
        Err(refusals.into_error())
    }

    /// Hands a call to the first carrier that takes it. May take the time limits of all carriers together.
    pub async fn place_call(&self, call: &Call, now: Timestamp) -> Result<Receipt, SendError> {
        let mut refusals = Refusals::default();
        for (name, carrier) in &self.0 {
            match carrier.place_call(call, now).await {
                Ok(reference) => return Ok(Receipt { carrier: name.clone(), reference }),
                Err(error) => refusals.add(&call.id, name, error)?,
            }
        }
        Err(refusals.into_error())
    }

    /// Whether one of the carriers signed `callback`.
    pub fn is_genuine(&self, callback: &Callback, now: Timestamp) -> bool {
        self.0.iter().any(|(_, carrier)| carrier.is_genuine(callback, now))
    }
}

/// Why the carriers so far did not take something.
#[derive(Default)]
struct Refusals {
    details: Vec<String>,
    is_retryable: bool,
}

impl Refusals {
    /// An uncertain outcome ends it: the next carrier could deliver a second time.
    fn add(&mut self, id: &OutboxId, carrier: &str, error: SendError) -> Result<(), SendError> {
        tracing::warn!(%id, carrier, %error, "a carrier failed");
        self.is_retryable |= error.is_retryable();
        match error {
            SendError::Temporary(detail) | SendError::Permanent(detail) => {
                self.details.push(format!("{carrier}: {detail}"));
                Ok(())
            }
            SendError::Uncertain(detail) => Err(SendError::Uncertain(format!("{carrier}: {detail}"))),
        }
    }

    /// Worth another try if one of the carriers is.
    fn into_error(self) -> SendError {
        let detail = if self.details.is_empty() { "no carrier".to_owned() } else { self.details.join("; ") };
        if self.is_retryable { SendError::Temporary(detail) } else { SendError::Permanent(detail) }
    }
}
