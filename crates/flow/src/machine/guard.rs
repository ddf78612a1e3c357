//! What guards answer.

use super::Run;
use crate::facts::{AccountFacts, fact_set};
use crate::language::{AccountGuard, Guard};

impl Run<'_> {
    /// The guard's value; always one.
    pub(super) fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::SessionRemembered => self.is_remembered(),
            Guard::ClientIs(id) => self.facts.client == *id,
            Guard::RequestAcr(value) => self.facts.requested_acr.contains(value),
            Guard::Locale(tag) => is_locale(&self.facts.locale, tag),
            Guard::Account(guard) => self.account().is_some_and(|account| holds_for(*guard, account)),
            Guard::Webhook(name) => self.policy.webhooks.iter().any(|webhook| webhook.name == *name && webhook.fail),
        }
    }

    /// A remembered login counts unless its box was unticked, and unless it proves less than is asked for now.
    fn is_remembered(&self) -> bool {
        let remembered = self.facts.find_remembered(&self.policy.id);
        let wanted = self.instance.vars.remember != Some(false);
        wanted && remembered.is_some_and(|remembered| self.is_enough(fact_set(&remembered.facts)))
    }
}

fn holds_for(guard: AccountGuard, account: &AccountFacts) -> bool {
    match guard {
        AccountGuard::Exists => true,
        AccountGuard::Phone => account.phone.is_some(),
        AccountGuard::EmailOnly => {
            account.mailbox.is_some() && account.phone.is_none() && !account.totp && !account.passkey
        }
        AccountGuard::TermsDue => account.terms_due,
        AccountGuard::Legacy => account.legacy,
        AccountGuard::Totp => account.totp,
        AccountGuard::Passkey => account.passkey,
        AccountGuard::RegistrationIncomplete => account.registration_incomplete,
        AccountGuard::Locked | AccountGuard::OrgCodeValid => false,
    }
}

/// `es-MX` is `es`, `est` is not.
fn is_locale(locale: &str, tag: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regional_locales_are_their_language() {
        assert!(is_locale("es", "es") && is_locale("es-MX", "es"));
        assert!(!is_locale("est", "es") && !is_locale("", "es") && !is_locale("es", "es-mx"));
    }
}
