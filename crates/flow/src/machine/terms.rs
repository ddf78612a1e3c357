//! Terms of Use: the version on the page is the version agreed to.

use super::run::{Entered, Run};
use crate::language::{Outcome, Step};
use crate::{Effect, FlowError, Input, Next, NoticeKey};

impl<'a> Run<'a> {
    pub(super) fn enter_terms(&mut self, index: usize, document: &str) -> Result<Entered<'a>, FlowError> {
        let version = self.facts.terms.get(document).cloned().ok_or(FlowError::MissingFact)?;
        let entered = self.wait(index)?;
        self.instance.shown = Some(version);
        Ok(entered)
    }

    pub(super) fn react_terms(&mut self, step: &'a Step, document: &str, input: &Input) -> Result<Next, FlowError> {
        match input.control.as_str() {
            "accept" => self.accept(step, document, input),
            "decline" if step.find_route(Outcome::Declined).is_some() => self.go(step, Outcome::Declined),
            _ => Ok(Next::Page),
        }
    }

    fn accept(&mut self, step: &'a Step, document: &str, input: &Input) -> Result<Next, FlowError> {
        let current = self.facts.terms.get(document).cloned().ok_or(FlowError::MissingFact)?;
        if self.instance.shown.as_ref() != Some(&current) {
            self.instance.shown = Some(current);
            return Ok(self.stay(Some(NoticeKey::TermsChanged)));
        }
        if !input.is_ticked("accept") {
            return Ok(self.stay(Some(NoticeKey::AcceptMissing)));
        }
        let Some(user) = self.proven_user() else { return Ok(self.refuse("unproven", "access_denied")) };
        self.effects.push(Effect::AcceptTerms { user, document: document.to_owned(), version: current });
        self.learn(|known| known.terms_due = false);
        self.go(step, Outcome::Accepted)
    }
}
