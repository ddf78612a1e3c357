//! One call from ringing to its end.

mod report;

use super::exchange::Exchange;
use super::inbox::{Inbox, Status};
use super::switchboard::{Instruction, Order};
use super::twiml::{Gather, Verb, is_key, read_twiml};
use super::webhook::{Target, Webhooks};
use report::Reporter;
pub use report::{CallEvent, StatusCallback};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use url::Url;

/// Documents of one call: Redirect may not go round for ever.
const MAX_DOCUMENTS: usize = 20;
/// Keys pressed ahead.
const MAX_KEYS: usize = 64;

/// Where a call's first instructions come from.
#[derive(Clone, Debug)]
pub enum Script {
    Fetch(Target),
    Inline(String),
}

/// A call that was asked for.
#[derive(Clone, Debug)]
pub struct Dial {
    pub sid: String,
    pub to: String,
    pub from: String,
    pub script: Script,
    pub status_callback: Option<StatusCallback>,
    pub ring: Duration,
}

/// How ringing ended.
enum Pickup {
    Answered,
    Unanswered(Status),
}

/// Why playing ended.
enum End {
    HungUp,
    /// Words for the inbox.
    Failed(String),
}

/// What follows a document.
enum Next {
    Document(Script, Vec<(String, String)>),
    End(End),
}

/// What a Gather got.
enum Input {
    Digits(String),
    Silence,
    HungUp,
}

pub struct Call {
    dial: Dial,
    account: String,
    patience: Duration,
    inbox: Arc<Inbox>,
    webhooks: Arc<Webhooks>,
    reporter: Reporter,
    orders: mpsc::Receiver<Instruction>,
    /// Who waits for the keys in `keys` to be dealt with.
    waiting: Vec<oneshot::Sender<()>>,
    keys: VecDeque<char>,
}

impl Call {
    pub fn new(exchange: &Exchange, dial: Dial, orders: mpsc::Receiver<Instruction>) -> Self {
        let account = exchange.settings.account_sid.clone();
        let reporter = Reporter::start(exchange, &dial);
        Self {
            account,
            patience: exchange.settings.patience,
            inbox: Arc::clone(&exchange.inbox),
            webhooks: Arc::clone(&exchange.webhooks),
            reporter,
            orders,
            waiting: Vec::new(),
            keys: VecDeque::new(),
            dial,
        }
    }

    pub async fn run(mut self) {
        self.reporter.tell(CallEvent::Initiated, Status::Queued);
        self.reporter.tell(CallEvent::Ringing, Status::Ringing);
        let last = match self.ring().await {
            Pickup::Unanswered(status) => status,
            Pickup::Answered => {
                self.enter(CallEvent::Answered, Status::InProgress);
                match self.talk().await {
                    End::HungUp => Status::Completed,
                    End::Failed(reason) => {
                        tracing::warn!(sid = self.dial.sid, reason, "a call failed");
                        self.write(&format!("[The call failed: {reason}]"));
                        Status::Failed
                    }
                }
            }
        };
        self.enter(CallEvent::Completed, last);
        self.release();
    }

    fn release(&mut self) {
        for done in self.waiting.drain(..) {
            // Who asked may have gone away.
            let _ = done.send(());
        }
    }

    fn enter(&mut self, event: CallEvent, status: Status) {
        self.inbox.change(&self.dial.sid, |message| message.status = status);
        self.reporter.tell(event, status);
    }

    /// Adds a line to what is shown.
    fn write(&self, line: &str) {
        self.inbox.change(&self.dial.sid, |message| {
            if !message.text.is_empty() {
                message.text.push('\n');
            }
            message.text.push_str(line);
        });
    }

    async fn ring(&mut self) -> Pickup {
        let Ok(instruction) = tokio::time::timeout(self.dial.ring, self.orders.recv()).await else {
            return Pickup::Unanswered(Status::NoAnswer);
        };
        let Some(Instruction { order, done }) = instruction else { return Pickup::Unanswered(Status::Canceled) };
        self.waiting.push(done);
        match order {
            Order::Answer => Pickup::Answered,
            Order::Press(keys) => {
                self.take_keys(&keys);
                Pickup::Answered
            }
            Order::HangUp => Pickup::Unanswered(Status::Busy),
            Order::Cancel => Pickup::Unanswered(Status::Canceled),
        }
    }

    fn take_keys(&mut self, keys: &str) {
        let free = MAX_KEYS.saturating_sub(self.keys.len());
        self.keys.extend(keys.chars().filter(|key| is_key(*key)).take(free));
    }

    async fn talk(&mut self) -> End {
        let mut script = self.dial.script.clone();
        let mut form = Vec::new();
        for _ in 0..MAX_DOCUMENTS {
            let (document, base) = match self.fetch(&script, form).await {
                Ok(found) => found,
                Err(reason) => return End::Failed(reason),
            };
            let verbs = match read_twiml(&document) {
                Ok(verbs) => verbs,
                Err(error) => return End::Failed(format!("TwiML: {error}")),
            };
            match self.play(verbs, base.as_ref()).await {
                Next::End(end) => return end,
                Next::Document(next, parameters) => (script, form) = (next, parameters),
            }
        }
        End::Failed(format!("more than {MAX_DOCUMENTS} documents"))
    }

    /// The document and the address that relative ones in it refer to.
    async fn fetch(&self, script: &Script, form: Vec<(String, String)>) -> Result<(String, Option<Url>), String> {
        let target = match script {
            Script::Inline(document) => return Ok((document.clone(), None)),
            Script::Fetch(target) => target,
        };
        let mut parameters = report::call_parameters(&self.dial, &self.account, Status::InProgress);
        parameters.extend(form);
        let document = self.webhooks.call(target, &parameters).await;
        let document = document.map_err(|error| format!("{target}: {error}"))?;
        Ok((document, Some(target.url.clone())))
    }

    async fn play(&mut self, verbs: Vec<Verb>, base: Option<&Url>) -> Next {
        for verb in verbs {
            match verb {
                Verb::Hangup | Verb::Reject => return Next::End(End::HungUp),
                Verb::Redirect(address, method) => return follow(&address, method.as_deref(), base, Vec::new()),
                Verb::Gather(gather) => match self.gather(&gather).await {
                    Input::HungUp => return Next::End(End::HungUp),
                    Input::Silence if !gather.action_on_empty_result => {}
                    Input::Silence => return submit(&gather, String::new(), base),
                    Input::Digits(digits) => return submit(&gather, digits, base),
                },
                other => self.say(&other),
            }
        }
        Next::End(End::HungUp)
    }

    fn say(&self, verb: &Verb) {
        match verb {
            Verb::Say(text) => self.write(text),
            Verb::Play(address) => self.write(&format!("[plays {address}]")),
            _ => {}
        }
    }

    async fn gather(&mut self, gather: &Gather) -> Input {
        for prompt in &gather.prompts {
            self.say(prompt);
        }
        let mut digits = String::new();
        loop {
            while let Some(key) = self.keys.pop_front() {
                if gather.finish_on_key == Some(key) {
                    return if digits.is_empty() { Input::Silence } else { Input::Digits(digits) };
                }
                digits.push(key);
                if gather.num_digits.is_some_and(|wanted| digits.len() >= wanted) {
                    return Input::Digits(digits);
                }
            }
            // All that was pressed is dealt with; who pressed may look.
            self.release();
            let patience = gather.timeout.max(self.patience);
            match tokio::time::timeout(patience, self.orders.recv()).await {
                Err(_) => return if digits.is_empty() { Input::Silence } else { Input::Digits(digits) },
                Ok(None) => return Input::HungUp,
                Ok(Some(Instruction { order, done })) => {
                    self.waiting.push(done);
                    match order {
                        Order::Answer => {}
                        Order::Press(keys) => self.take_keys(&keys),
                        Order::HangUp | Order::Cancel => return Input::HungUp,
                    }
                }
            }
        }
    }
}

fn submit(gather: &Gather, digits: String, base: Option<&Url>) -> Next {
    let form = vec![("Digits".to_owned(), digits), ("msg".to_owned(), "Gather End".to_owned())];
    follow(gather.action.as_deref().unwrap_or_default(), gather.method.as_deref(), base, form)
}

/// An empty address is the document's own.
fn follow(address: &str, method: Option<&str>, base: Option<&Url>, form: Vec<(String, String)>) -> Next {
    let url = match base {
        Some(base) => base.join(address),
        None => Url::parse(address),
    };
    let target = url.map_err(|error| error.to_string()).and_then(|url| Target::new(url, method));
    match target {
        Ok(target) => Next::Document(Script::Fetch(target), form),
        Err(reason) => Next::End(End::Failed(format!("the address {address:?}: {reason}"))),
    }
}
