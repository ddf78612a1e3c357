//! Guards: total booleans over the request and the account.

use std::fmt;

/// A question a `branch` or a conditional requirement asks. Always true or false, never missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// A login of the running policy is remembered in this browser.
    SessionRemembered,
    /// This browser has a session that may count: what was proven in it is proven here, with the original times, and the
    /// account is in hand. Which facts those are is not known beforehand; a password step is passed over when they hold
    /// the password. `Facts::session`.
    SessionFresh,
    /// The client of the request has this id: `client.is:<id>`.
    ClientIs(String),
    /// The request names this acr value: `request.acr:<value>`.
    RequestAcr(String),
    /// The locale of the request is this one, or a regional form of it: `locale:<tag>`.
    Locale(String),
    /// The mail address that was typed, or suggested by the request, is in a domain of this upstream provider:
    /// `address.of:<provider>`. False while none was typed. It says nothing of any account.
    AddressOf(String),
    /// A secret property of the account in hand; false while there is none.
    Account(AccountGuard),
    /// What a webhook answers: `webhook:<name>`. Always treated as secret.
    Webhook(String),
}

/// Secret until something of the account is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountGuard {
    /// There is an account.
    Exists,
    /// It has a phone.
    Phone,
    /// It has a mailbox and no other second factor.
    EmailOnly,
    /// The current Terms of Use are not accepted.
    TermsDue,
    /// It is locked.
    Locked,
    /// It has a legacy credential only.
    Legacy,
    /// It has an authenticator app.
    Totp,
    /// It has a passkey.
    Passkey,
    /// Its registration stopped half way.
    RegistrationIncomplete,
    /// The organization's registration code is right.
    OrgCodeValid,
}

impl AccountGuard {
    const WORDS: [(&'static str, Self); 10] = [
        ("account.exists", Self::Exists),
        ("account.phone", Self::Phone),
        ("account.email_only", Self::EmailOnly),
        ("account.terms_due", Self::TermsDue),
        ("account.locked", Self::Locked),
        ("account.legacy", Self::Legacy),
        ("account.totp", Self::Totp),
        ("account.passkey", Self::Passkey),
        ("registration.incomplete", Self::RegistrationIncomplete),
        ("org.code_valid", Self::OrgCodeValid),
    ];
}

impl Guard {
    /// The guard meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "session.remembered" => return Some(Self::SessionRemembered),
            "session.fresh" => return Some(Self::SessionFresh),
            _ => {}
        }
        if let Some((_, guard)) = AccountGuard::WORDS.iter().find(|(name, _)| *name == word) {
            return Some(Self::Account(*guard));
        }
        let (name, value) = word.split_once(':')?;
        let value = value.trim();
        if value.is_empty() || value.len() > 255 {
            return None;
        }
        match name {
            "client.is" => Some(Self::ClientIs(value.to_owned())),
            "request.acr" => Some(Self::RequestAcr(value.to_owned())),
            "address.of" => Some(Self::AddressOf(value.to_owned())),
            "locale" => Some(Self::Locale(value.to_ascii_lowercase())),
            "webhook" => Some(Self::Webhook(value.to_owned())),
            _ => None,
        }
    }

    /// Whether it asks for what was typed: its value may change on the way.
    pub const fn is_typed(&self) -> bool {
        matches!(self, Self::AddressOf(_))
    }

    /// Whether its value must not show before something of the account is proven.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Account(_) | Self::Webhook(_))
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionRemembered => f.write_str("session.remembered"),
            Self::SessionFresh => f.write_str("session.fresh"),
            Self::ClientIs(id) => write!(f, "client.is:{id}"),
            Self::RequestAcr(value) => write!(f, "request.acr:{value}"),
            Self::Locale(tag) => write!(f, "locale:{tag}"),
            Self::AddressOf(provider) => write!(f, "address.of:{provider}"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
            Self::Account(guard) => {
                let word = AccountGuard::WORDS.iter().find(|(_, known)| known == guard);
                f.write_str(word.map_or("account", |(word, _)| word))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_prints_the_word_it_was_read_from() {
        let words = AccountGuard::WORDS.iter().map(|(word, _)| *word);
        for word in words.chain([
            "session.remembered",
            "session.fresh",
            "client.is:a",
            "request.acr:urn:x",
            "locale:es",
            "address.of:corporate",
            "webhook:risk",
        ]) {
            assert_eq!(Guard::from_word(word).map(|guard| guard.to_string()), Some(word.to_owned()));
        }
    }

    #[test]
    fn a_guard_without_its_value_is_unknown() {
        for word in ["client.is", "client.is:", "locale: ", "address.of:", "account.", "account.shoe_size", ""] {
            assert_eq!(Guard::from_word(word), None, "{word:?}");
        }
    }
}
