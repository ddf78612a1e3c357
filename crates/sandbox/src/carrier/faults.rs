//! Failing on purpose.

use super::inbox::Channel;
use crate::corporate::CorporateFault;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// How a channel behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// As it should.
    #[default]
    Ok,
    /// The ordinary answer, several seconds late.
    Slow,
    /// A permanent failure: SMTP 550 at RCPT, REST 400.
    Refuse,
    /// A temporary failure: SMTP 451 at RCPT, REST 503.
    Temporary,
}

/// One behaviour per channel, and one for the corporate provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultSet {
    pub smtp: Fault,
    pub sms: Fault,
    pub voice: Fault,
    pub corporate: CorporateFault,
}

/// What a request changes; what it leaves out stays.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultChange {
    pub smtp: Option<Fault>,
    pub sms: Option<Fault>,
    pub voice: Option<Fault>,
    pub corporate: Option<CorporateFault>,
}

/// The behaviour in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<FaultSet>);

impl Faults {
    pub fn current(&self) -> FaultSet {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, channel: Channel) -> Fault {
        let set = self.current();
        match channel {
            Channel::Email => set.smtp,
            Channel::Sms => set.sms,
            Channel::Voice => set.voice,
        }
    }

    pub fn change(&self, change: FaultChange) -> FaultSet {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.smtp = change.smtp.unwrap_or(set.smtp);
        set.sms = change.sms.unwrap_or(set.sms);
        set.voice = change.voice.unwrap_or(set.voice);
        set.corporate = change.corporate.unwrap_or(set.corporate);
        *set
    }
}
