//! What guards answer.

use super::run::Run;
use crate::facts::{AccountFacts, fact_set};
use crate::language::{AccountGuard, Guard};

impl Run<'_> {
    /// The guard's value; always one.
    pub(super) fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::SessionRemembered => self.is_remembered(),
            Guard::SessionFresh => self.is_fresh(),
            Guard::ClientIs(id) => self.facts.client == *id,
            Guard::RequestAcr(value) => self.facts.requested_acr.contains(value),
            Guard::Locale(tag) => is_locale(&self.facts.locale, tag),
            Guard::AddressOf(provider) => {
                self.instance.identifier.as_ref().is_some_and(|typed| self.facts.owns_address(provider, typed))
            }
            Guard::Account(AccountGuard::OrgCodeValid) => self.instance.organization.is_some(),
            Guard::Account(guard) => self.account().is_some_and(|account| holds_for(*guard, account)),
            Guard::Webhook(name) => self.facts.webhooks.get(name).copied().unwrap_or_else(|| self.is_failing(name)),
        }
    }

    /// The declared value of a webhook that did not answer.
    fn is_failing(&self, name: &str) -> bool {
        self.policy.webhooks.iter().any(|webhook| webhook.name == name && webhook.fail)
    }

    /// A remembered login counts unless its box was unticked, an address was typed that leads to a provider, or it proves
    /// less than is asked for now.
    fn is_remembered(&self) -> bool {
        let wanted = self.instance.vars.remember != Some(false) && !self.leads_upstream;
        let remembered = self.facts.find_remembered(&self.policy.id).filter(|_| wanted);
        remembered.is_some_and(|known| self.is_wanted(&known.user) && self.is_enough(fact_set(&known.facts)))
    }

    /// A session counts where nobody else is in hand yet.
    fn is_fresh(&self) -> bool {
        let Some(session) = &self.facts.session else { return false };
        let same = self.instance.account.as_ref().is_none_or(|account| *account == session.user);
        let disabled = self.known.as_ref().is_some_and(|known| known.user == session.user && !known.active);
        same && !disabled && !self.leads_upstream && self.is_wanted(&session.user)
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
        AccountGuard::Locked => account.locked,
        AccountGuard::Legacy => account.legacy,
        AccountGuard::Totp => account.totp,
        AccountGuard::Passkey => account.passkey,
        AccountGuard::RegistrationIncomplete => account.registration_incomplete,
        AccountGuard::OrgCodeValid => false,
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
