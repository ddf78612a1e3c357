//! A link: its page is a button, and only the button spends it, because mail scanners open links.

use super::Here;
use super::charge::list_tries;
use super::run::{Entered, Run};
use crate::language::{Outcome, Step};
use crate::{AccountFacts, Binding, Effect, FlowError, Input, LinkState, Needs, Next, NoticeKey};

/// What the button needs.
pub(super) fn needs(here: Here, input: &Input) -> Needs {
    if input.control != "continue" {
        return Needs::default();
    }
    Needs { charges: list_tries(here), link: true, ..Needs::default() }
}

impl<'a> Run<'a> {
    /// A link that is over leads at once where its button would.
    pub(super) fn enter_link(&mut self, index: usize, step: &'a Step) -> Result<Entered<'a>, FlowError> {
        if self.facts.link.is_over() && step.find_route(Outcome::Spent).is_some() {
            return self.take(step, Outcome::Spent).map(Entered::On);
        }
        self.wait(index)
    }

    pub(super) fn react_link(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if input.control != "continue" {
            return Ok(Next::Page);
        }
        if !self.is_within(list_tries(self.here(step)).len()) {
            return self.spend(step);
        }
        let holder = match &self.facts.link {
            LinkState::Holds(user) => Some(user.clone()),
            _ => None,
        };
        let active = |user: &_| self.known.as_ref().is_some_and(|known| known.active && known.user == *user);
        let Some(user) = holder.filter(|user| active(user) && self.is_wanted(user)) else {
            let expired = self.facts.link == LinkState::Expired;
            let notice = if expired { NoticeKey::LinkExpired } else { NoticeKey::LinkUsed };
            if step.find_route(Outcome::Spent).is_some() {
                return self.go(step, Outcome::Spent);
            }
            return Ok(self.fail(step, notice));
        };
        // Their provider vouches for them, and the link is not needed for that.
        let address = self.known.as_ref().and_then(|known| known.email.clone());
        if let Some(address) = address.filter(|address| self.find_upstream(step, address).is_some()) {
            self.instance.identifier = Some(address);
            return self.go_upstream(step);
        }
        self.effects.push(Effect::ConsumeLink);
        // Whoever began this registration need not be who reads this mailbox: what they bound is taken away.
        self.learn(|known| {
            if known.registration_incomplete {
                (known.phone, known.totp, known.passkey, known.has_password) = (None, false, false, false);
                known.mailbox = known.mailbox.take().filter(|mailbox| known.email.as_ref() == Some(mailbox));
            }
        });
        self.instance.identify(&user);
        // One that was shown, and not mailed, says whose account is meant and no more.
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
            self.bind_own_mailbox(step)?;
        }
        self.go(step, Outcome::Ok)
    }

    /// The link went to the address on file: who registers by it has that mailbox for a factor, and signs in by it later.
    fn bind_own_mailbox(&mut self, step: &'a Step) -> Result<(), FlowError> {
        let completes = self.policy.purpose.completes();
        let unbound = |known: &&AccountFacts| completes && known.registration_incomplete && known.mailbox.is_none();
        let Some(email) = self.account().filter(unbound).and_then(|known| known.email.clone()) else { return Ok(()) };
        self.learn(|known| known.mailbox = Some(email.clone()));
        self.bind(step, Binding::Mailbox(email), "email_changed", false)
    }
}
