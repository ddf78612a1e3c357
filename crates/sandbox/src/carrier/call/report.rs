//! Telling the customer how a call is going.

use super::super::exchange::Exchange;
use super::super::inbox::Status;
use super::super::rest::API_VERSION;
use super::super::webhook::Target;
use super::Dial;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Twilio's `StatusCallbackEvent`; `Completed` is any end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEvent {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

impl CallEvent {
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "initiated" => Some(Self::Initiated),
            "ringing" => Some(Self::Ringing),
            "answered" => Some(Self::Answered),
            "completed" => Some(Self::Completed),
            _ => None,
        }
    }
}

/// Whom to tell, and of what.
#[derive(Clone, Debug)]
pub struct StatusCallback {
    pub target: Target,
    pub events: Vec<CallEvent>,
}

/// What every request about a call carries.
pub fn call_parameters(dial: &Dial, account: &str, status: Status) -> Vec<(String, String)> {
    [
        ("AccountSid", account),
        ("ApiVersion", API_VERSION),
        ("CallSid", &dial.sid),
        ("CallStatus", status.as_str()),
        ("Called", &dial.to),
        ("Caller", &dial.from),
        ("Direction", "outbound-api"),
        ("From", &dial.from),
        ("To", &dial.to),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Sends reports one after the other without holding up the call.
pub struct Reporter {
    events: Vec<CallEvent>,
    dial: Dial,
    account: String,
    sequence: u32,
    reports: mpsc::Sender<Vec<(String, String)>>,
}

impl Reporter {
    pub fn start(exchange: &Exchange, dial: &Dial) -> Self {
        let (reports, mut pending) = mpsc::channel::<Vec<(String, String)>>(8);
        let mut events = Vec::new();
        if let Some(callback) = dial.status_callback.clone() {
            events = callback.events;
            let webhooks = Arc::clone(&exchange.webhooks);
            exchange.runtime.spawn(async move {
                while let Some(form) = pending.recv().await {
                    if let Err(error) = webhooks.call(&callback.target, &form).await {
                        tracing::warn!(target = %callback.target, %error, "a status callback failed");
                    }
                }
            });
        }
        let account = exchange.settings.account_sid.clone();
        Self { events, dial: dial.clone(), account, sequence: 0, reports }
    }

    pub fn tell(&mut self, event: CallEvent, status: Status) {
        if !self.events.contains(&event) {
            return;
        }
        let mut form = call_parameters(&self.dial, &self.account, status);
        form.push(("CallbackSource".into(), "call-progress-events".into()));
        form.push(("SequenceNumber".into(), self.sequence.to_string()));
        self.sequence += 1;
        // Four events fit; a full queue would mean a bug, and a lost report says so in the customer's tests.
        let _ = self.reports.try_send(form);
    }
}
