//! Carriers that keep what they are given, and people who pick up.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use countersign_model::Timestamp;
use countersign_outbound::{Call, Callback, Carriers, Courier, SendError, Text};
use countersign_service::{CarrierCall, Provider, RequestContext, Switchboard};

use super::Temper;

/// What stands in the place of a carrier's signature.
pub const GENUINE: &str = "genuine";

/// A text or call that a carrier took.
#[derive(Clone, Debug)]
pub struct Rung {
    /// Which carrier.
    pub carrier: &'static str,
    /// To whom.
    pub to: String,
    /// What a text says; empty for a call.
    pub text: String,
    /// Where a call's words are; empty for a text.
    pub address: String,
    /// Where its fate is reported.
    pub status: String,
}

impl Rung {
    /// The code on a text's last line, if it has one.
    pub fn find_code(&self) -> Option<String> {
        self.text.lines().last()?.rsplit_once('#').map(|(_, code)| code.to_owned())
    }

    /// The same of a text that has one.
    ///
    /// # Panics
    /// When there is none.
    pub fn code(&self) -> String {
        self.find_code().expect("a code")
    }
}

/// Two carriers, `main` and `spare`.
#[derive(Clone, Default)]
pub struct Phones(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    main: Option<Temper>,
    spare: Option<Temper>,
    taken: Vec<Rung>,
    tries: Vec<&'static str>,
}

impl Phones {
    /// Treats the next texts and calls like this; both take them at first.
    pub fn set_temper(&self, carrier: &'static str, temper: Temper) {
        let mut state = self.lock();
        *if carrier == "main" { &mut state.main } else { &mut state.spare } = Some(temper);
    }

    /// What the carriers took, oldest first.
    pub fn taken(&self) -> Vec<Rung> {
        self.lock().taken.clone()
    }

    /// The newest text or call for `to`.
    ///
    /// # Panics
    /// When there is none.
    pub fn newest(&self, to: &str) -> Rung {
        self.taken().into_iter().rev().find(|rung| rung.to == to).expect("a text or call")
    }

    /// Which carriers were tried, in order.
    pub fn tries(&self) -> Vec<&'static str> {
        self.lock().tries.clone()
    }

    /// The carriers of a node.
    pub fn carriers(&self) -> Arc<Carriers> {
        let open = |name: &'static str| -> (String, Box<dyn Courier>) {
            (name.to_owned(), Box::new(Line { name, phones: self.clone() }))
        };
        Arc::new(Carriers::new(vec![open("main"), open("spare")]))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, rung: Rung) -> Result<Option<String>, SendError> {
        let mut state = self.lock();
        state.tries.push(rung.carrier);
        let temper = if rung.carrier == "main" { state.main } else { state.spare };
        let reference = format!("SM{}", state.tries.len());
        match temper.unwrap_or(Temper::Takes) {
            Temper::Takes => {
                state.taken.push(rung);
                Ok(Some(reference))
            }
            Temper::RefusesForNow => Err(SendError::Temporary("later".to_owned())),
            Temper::RefusesForGood => Err(SendError::Permanent("never".to_owned())),
            Temper::Hangs => {
                state.taken.push(rung);
                Err(SendError::Uncertain("its answer was lost".to_owned()))
            }
        }
    }
}

struct Line {
    name: &'static str,
    phones: Phones,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl Courier for Line {
    async fn send_text(&self, text: &Text, _: Timestamp) -> Result<Option<String>, SendError> {
        self.phones.take(Rung {
            carrier: self.name,
            to: text.to.clone(),
            text: text.body.clone(),
            address: String::new(),
            status: text.status_callback.as_ref().map(ToString::to_string).unwrap_or_default(),
        })
    }

    async fn place_call(&self, call: &Call, _: Timestamp) -> Result<Option<String>, SendError> {
        self.phones.take(Rung {
            carrier: self.name,
            to: call.to.clone(),
            text: String::new(),
            address: call.twiml_url.to_string(),
            status: call.status_callback.as_ref().map(ToString::to_string).unwrap_or_default(),
        })
    }

    fn is_genuine(&self, callback: &Callback, _: Timestamp) -> bool {
        callback.twilio_signature.as_deref() == Some(GENUINE)
    }
}

/// The carrier's side of the addresses it was given.
pub struct Operator {
    switchboard: Switchboard,
    signature: &'static str,
}

impl Operator {
    /// Speaks to `node` as one of its carriers.
    ///
    /// # Panics
    /// When the texts do not load.
    pub fn new(node: &Arc<Provider>, phones: &Phones) -> Self {
        let switchboard = Switchboard::new(Arc::clone(node), phones.carriers()).expect("switchboard");
        Self { switchboard, signature: GENUINE }
    }

    /// The same without the carrier's secret.
    #[must_use]
    pub fn forging(self) -> Self {
        Self { signature: "forged", ..self }
    }

    /// Somebody picks up; what they hear.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn pick_up(&self, address: &str) -> Option<String> {
        let (callback, context) = (self.callback(address, &[]), RequestContext::default());
        let call = CarrierCall { ticket: ticket(address), callback: &callback, context: &context };
        self.switchboard.begin_call(call).await.expect("begin")
    }

    /// They press keys; what they hear.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn press(&self, address: &str, keys: &str) -> Option<String> {
        let (callback, context) = (self.callback(address, &[("Digits", keys)]), RequestContext::default());
        let call = CarrierCall { ticket: ticket(address), callback: &callback, context: &context };
        self.switchboard.answer_call(call).await.expect("answer")
    }

    /// Reports what became of a text or call; whether anybody heeds it.
    ///
    /// # Panics
    /// When the provider fails.
    pub async fn report(&self, address: &str, status: &str) -> bool {
        let (callback, context) = (self.callback(address, &[("MessageStatus", status)]), RequestContext::default());
        let call = CarrierCall { ticket: ticket(address), callback: &callback, context: &context };
        self.switchboard.note_delivery(call).await.expect("status")
    }

    fn callback(&self, address: &str, params: &[(&str, &str)]) -> Callback {
        Callback {
            url: address.to_owned(),
            params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Vec::new(),
            twilio_signature: Some(self.signature.to_owned()),
            countersign_signature: None,
        }
    }
}

fn ticket(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or_default()
}
