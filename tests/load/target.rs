//! What is promised of each workload: CPU time of an operation against what the machine can do at best.

use crate::floor::Floors;
use crate::workload::{Algorithm, Workload};

/// A promise: how it is written, and what it comes to here.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// In words.
    pub formula: &'static str,
    /// In microseconds.
    pub limit: f64,
}

/// At most this part of the rival's CPU time.
pub const OF_RIVAL: f64 = 0.5;
/// Longest p99 at half load, in microseconds.
pub const HALF_LOAD_P99: f64 = 50_000.0;
/// Most memory of a node that nobody has asked for anything, in bytes.
pub const IDLE_BYTES: u64 = 35 << 20;
/// Most memory after load, in bytes.
pub const LOADED_BYTES: u64 = 80 << 20;
/// Longest time until a node is ready, in microseconds.
pub const START: f64 = 200_000.0;

/// The promise of `workload`; some have none.
pub fn of(workload: Workload, floors: &Floors) -> Option<Target> {
    let Floors { empty, rs256, es256, eddsa, verification, argon2id, .. } = *floors;
    let (formula, limit) = match workload {
        Workload::Discovery | Workload::Jwks => ("1.3 E", 1.3 * empty),
        Workload::ClientCredentials(Algorithm::RS256) => ("1.25 (E + RS256)", 1.25 * (empty + rs256)),
        Workload::ClientCredentials(Algorithm::ES256) => ("2 (E + ES256)", 2.0 * (empty + es256)),
        Workload::ClientCredentials(Algorithm::EdDSA) => ("2 (E + EdDSA)", 2.0 * (empty + eddsa)),
        // An access token and an ID token.
        Workload::CodeRedemption | Workload::Refresh => ("3 (E + 2 RS256)", 3.0 * (empty + 2.0 * rs256)),
        Workload::Introspection | Workload::UserInfo => ("2.5 E + verification", 2.5f64.mul_add(empty, verification)),
        Workload::PasswordLogin => ("1.1 argon2id + 1 ms", 1.1f64.mul_add(argon2id, 1000.0)),
        Workload::Authorization | Workload::FlowPageGet | Workload::FlowPagePost | Workload::MailedCodeLogin => {
            return None;
        }
    };
    Some(Target { formula, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_formulas() {
        let floors = Floors {
            empty: 10.0,
            rs256: 600.0,
            es256: 30.0,
            verification: 20.0,
            argon2id: 20_000.0,
            ..Floors::default()
        };
        let limit = |workload| of(workload, &floors).map(|target| target.limit.round());
        assert_eq!(limit(Workload::Discovery), Some(13.0));
        assert_eq!(limit(Workload::ClientCredentials(Algorithm::RS256)), Some(763.0));
        assert_eq!(limit(Workload::ClientCredentials(Algorithm::ES256)), Some(80.0));
        assert_eq!(limit(Workload::Refresh), Some(3630.0));
        assert_eq!(limit(Workload::UserInfo), Some(45.0));
        assert_eq!(limit(Workload::PasswordLogin), Some(23_000.0));
        assert_eq!(limit(Workload::FlowPageGet), None);
    }
}
