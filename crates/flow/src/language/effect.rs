//! What an `effect` step may do.

use std::fmt;

use countersign_model::FactorKind;

use super::words::Revocation;
use crate::Position;

/// One word of `effect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectWord {
    /// Makes an account of what the policy's forms were told: `create_account`.
    CreateAccount,
    /// Tells the person by mail: `send:<template>`.
    Send(String),
    /// Mails a link that begins another policy: `send_link:<policy>/<template>`.
    SendLink {
        /// Policy with `entry = ["link"]`.
        policy: String,
        /// Message template.
        template: String,
        /// Where the word stands.
        at: Position,
    },
    /// Takes something away: `revoke:<what>`.
    Revoke(Revocation),
    /// Unbinds every factor of a kind: `unbind_<phone|email|totp|passkey>`.
    Unbind(FactorKind),
    /// Replaces all recovery codes; the next page shows the new ones: `replace_recovery_codes`.
    ReplaceRecoveryCodes,
    /// Closes the account: `close_account`.
    CloseAccount,
    /// Calls a webhook, later: `webhook:<name>`.
    Webhook(String),
    /// Writes an audit event: `audit:<event>`.
    Audit(String),
}

impl EffectWord {
    /// What a message may say about the words there are.
    pub const KNOWN: &'static str = "create_account, send:<template>, send_link:<policy>/<template>, revoke:<what>, \
         unbind_<phone|email|totp|passkey>, replace_recovery_codes, close_account, webhook:<name>, audit:<event>";

    /// The effect meant by `word`, which stands at `at`; names in it are not looked at.
    pub fn from_word(word: &str, at: Position) -> Option<Self> {
        let Some((verb, object)) = word.split_once(':') else { return Self::from_plain(word) };
        if object.is_empty() || object.len() > 100 {
            return None;
        }
        match verb {
            "send" => Some(Self::Send(object.to_owned())),
            "send_link" => {
                let (policy, template) = object.split_once('/')?;
                Some(Self::SendLink { policy: policy.to_owned(), template: template.to_owned(), at })
            }
            "revoke" => Revocation::from_word(object).map(Self::Revoke),
            "webhook" => Some(Self::Webhook(object.to_owned())),
            "audit" => Some(Self::Audit(object.to_owned())),
            _ => None,
        }
    }

    fn from_plain(word: &str) -> Option<Self> {
        match word {
            "create_account" => Some(Self::CreateAccount),
            "replace_recovery_codes" => Some(Self::ReplaceRecoveryCodes),
            "close_account" => Some(Self::CloseAccount),
            "unbind_phone" => Some(Self::Unbind(FactorKind::Phone)),
            "unbind_email" => Some(Self::Unbind(FactorKind::Mailbox)),
            "unbind_totp" => Some(Self::Unbind(FactorKind::Totp)),
            "unbind_passkey" => Some(Self::Unbind(FactorKind::Passkey)),
            _ => None,
        }
    }

    /// Whether it changes an account, so that something of that account must have been proven.
    pub const fn changes_account(&self) -> bool {
        matches!(self, Self::Revoke(_) | Self::Unbind(_) | Self::ReplaceRecoveryCodes | Self::CloseAccount)
    }
}

impl fmt::Display for EffectWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateAccount => f.write_str("create_account"),
            Self::Send(template) => write!(f, "send:{template}"),
            Self::SendLink { policy, template, .. } => write!(f, "send_link:{policy}/{template}"),
            Self::Revoke(what) => write!(f, "revoke:{}", what.as_str()),
            Self::Unbind(FactorKind::Phone) => f.write_str("unbind_phone"),
            Self::Unbind(FactorKind::Mailbox) => f.write_str("unbind_email"),
            Self::Unbind(FactorKind::Totp) => f.write_str("unbind_totp"),
            Self::Unbind(FactorKind::Passkey) => f.write_str("unbind_passkey"),
            Self::ReplaceRecoveryCodes => f.write_str("replace_recovery_codes"),
            Self::CloseAccount => f.write_str("close_account"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
            Self::Audit(event) => write!(f, "audit:{event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_prints_the_word_it_was_read_from() {
        for word in [
            "create_account",
            "send:factor_added",
            "send_link:registration-link/registration_reset",
            "revoke:sessions",
            "unbind_phone",
            "unbind_email",
            "unbind_totp",
            "unbind_passkey",
            "replace_recovery_codes",
            "close_account",
            "webhook:crm",
            "audit:done",
        ] {
            let read = EffectWord::from_word(word, Position::default());
            assert_eq!(read.map(|effect| effect.to_string()).as_deref(), Some(word));
        }
    }

    #[test]
    fn words_without_their_object_are_unknown() {
        for word in ["", "send", "send:", "send_link:a", "revoke:all", "unbind_fax", "bind_phone", "set_password"] {
            assert_eq!(EffectWord::from_word(word, Position::default()), None, "{word:?}");
        }
    }
}
