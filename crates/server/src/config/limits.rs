//! How long things live, what a password hash costs, and how often an address may come.

use countersign_model::Seconds;
use countersign_service::{AddressLimits, Lifetimes};
use serde::Deserialize;

use super::{ConfigError, refuse};

/// Seconds that things live.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifetimeSeconds {
    pub code: u32,
    pub id_token: u32,
    pub access_token: u32,
    pub refresh_token: u32,
    pub session_idle: u32,
    pub session_absolute: u32,
    pub key_announcement: u32,
    pub key_rotation: u32,
    pub unfinished_account: u32,
}

impl LifetimeSeconds {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.code > 600 {
            return refuse("lifetimes.code is over 10 minutes (RFC 6749, 4.1.2)");
        }
        if self.key_rotation != 0 && self.key_rotation / 2 < self.key_announcement {
            return refuse("lifetimes.key_rotation is shorter than twice lifetimes.key_announcement");
        }
        if self.session_idle > self.session_absolute {
            return refuse("lifetimes.session_idle is longer than lifetimes.session_absolute");
        }
        if self.unfinished_account < 86_400 {
            return refuse("lifetimes.unfinished_account is under a day: people would lose what they are filling in");
        }
        Ok(())
    }

    pub(super) fn key_rotation(&self) -> Option<Seconds> {
        (self.key_rotation != 0).then(|| Seconds::new(self.key_rotation))
    }

    pub(super) fn settings(self) -> Lifetimes {
        Lifetimes {
            code: Seconds::new(self.code),
            id_token: Seconds::new(self.id_token),
            access_token: Seconds::new(self.access_token),
            refresh_token: Seconds::new(self.refresh_token),
            session_idle: Seconds::new(self.session_idle),
            session_absolute: Seconds::new(self.session_absolute),
            unfinished_account: Seconds::new(self.unfinished_account),
            ..Lifetimes::default()
        }
    }
}

/// argon2id and its threads.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashing {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    pub threads: Option<usize>,
    pub queue: usize,
}

impl Hashing {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        if self.memory_kib < 7168 || self.passes == 0 || self.lanes == 0 {
            return refuse("hashing: argon2id needs at least 7168 KiB, one pass and one lane (OWASP)");
        }
        Ok(())
    }
}

/// Per address and minute.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub attempts: u32,
    pub sends: u32,
    pub starts: u32,
    pub refusals: u32,
    pub client_failures: u32,
    pub registrations: u32,
}

impl Limits {
    pub(super) fn settings(self) -> AddressLimits {
        AddressLimits {
            attempts: self.attempts,
            sends: self.sends,
            starts: self.starts,
            refusals: self.refusals,
            client_failures: self.client_failures,
            registrations: self.registrations,
        }
    }
}
