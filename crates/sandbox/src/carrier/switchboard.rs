//! The lines that are ringing or being spoken on.

use super::call::{Call, Dial};
use super::exchange::Exchange;
use super::inbox::{Channel, Message, Status};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Orders waiting on one line.
const QUEUE: usize = 16;
const MAX_LINES: usize = 200;

/// What somebody does to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Answer,
    /// Answers first if it still rings.
    Press(String),
    /// By the called person.
    HangUp,
    /// By the caller.
    Cancel,
}

/// An order and whom to tell once the call has dealt with it.
pub struct Instruction {
    pub order: Order,
    pub done: oneshot::Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("no such call is ringing or being spoken on")]
    NoCall,
    #[error("too much at once")]
    Busy,
}

#[derive(Default)]
pub struct Switchboard(Mutex<HashMap<String, mpsc::Sender<Instruction>>>);

impl Switchboard {
    fn lines(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Instruction>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the call has done what follows from the order, for instance fetched the next TwiML.
    pub async fn order(&self, sid: &str, order: Order) -> Result<(), LineError> {
        let line = self.lines().get(sid).cloned().ok_or(LineError::NoCall)?;
        let (done, finished) = oneshot::channel();
        line.try_send(Instruction { order, done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LineError::Busy,
            mpsc::error::TrySendError::Closed(_) => LineError::NoCall,
        })?;
        // A call that ends first drops the order unseen.
        finished.await.map_err(|_| LineError::NoCall)
    }

    /// Does not wait.
    pub fn hang_up_all(&self) {
        for line in self.lines().values() {
            let (done, _) = oneshot::channel();
            let _ = line.try_send(Instruction { order: Order::HangUp, done });
        }
    }
}

/// Starts a call and puts it into the inbox; it runs beside the request that asked for it.
pub fn dial(exchange: &Arc<Exchange>, dial: Dial) -> Result<Message, LineError> {
    let (orders, received) = mpsc::channel(QUEUE);
    {
        let mut lines = exchange.switchboard.lines();
        if lines.len() >= MAX_LINES {
            return Err(LineError::Busy);
        }
        lines.insert(dial.sid.clone(), orders);
    }
    let queued = Message::new(dial.sid.clone(), Channel::Voice, dial.to.clone(), dial.from.clone(), Status::Queued);
    // Whoever looks after the answer finds it ringing.
    exchange.inbox.insert(Message { status: Status::Ringing, ..queued.clone() });
    let held = Arc::clone(exchange);
    exchange.runtime.spawn(async move {
        let sid = dial.sid.clone();
        Call::new(&held, dial, received).run().await;
        held.switchboard.lines().remove(&sid);
    });
    Ok(queued)
}
