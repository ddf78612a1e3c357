//! New factors, and telling the person about them.

use countersign_model::UserId;

use super::plan::Aim;
use super::run::Run;
use crate::language::{Purpose, Step};
use crate::{Binding, Effect, FlowError};

impl Run<'_> {
    /// Binds the mailbox or phone whose code came back.
    pub(super) fn bind_recipient(&mut self, step: &Step, aim: Aim, to: String) -> Result<(), FlowError> {
        let by_phone = aim == Aim::NewPhone;
        let old = self.account().and_then(|account| {
            let mailed = || account.mailbox.clone().or_else(|| account.email.clone());
            if by_phone { account.phone.clone() } else { mailed() }
        });
        let replaced = old.is_some_and(|old| old != to);
        let template = if by_phone { "phone_changed" } else { "email_changed" };
        self.learn(|known| {
            if by_phone {
                known.phone = Some(to.clone());
            } else {
                (known.mailbox, known.email) = (Some(to.clone()), Some(to.clone()));
            }
        });
        let binding = if by_phone { Binding::Phone(to) } else { Binding::Mailbox(to) };
        self.bind(step, binding, template, replaced)
    }

    /// Binds a factor to the account in hand, of which something must have been proven. Who replaces one, or binds one
    /// from the account page, is told by mail.
    pub(super) fn bind(
        &mut self,
        step: &Step,
        binding: Binding,
        template: &str,
        replaced: bool,
    ) -> Result<(), FlowError> {
        let user = self.proven_user().ok_or(FlowError::NotRunnable)?;
        self.hold_registration(&user);
        self.effects.push(Effect::BindFactor { user: user.clone(), binding });
        if replaced || self.policy.purpose == Purpose::Enrol {
            self.tell(user, step, template);
        }
        Ok(())
    }

    /// Tells a person about a change, once per template and decision.
    pub(super) fn tell(&mut self, user: UserId, step: &Step, template: &str) {
        let is_told = |effect: &Effect| matches!(effect, Effect::Notify { template: told, .. } if told == template);
        if self.effects.iter().any(is_told) {
            return;
        }
        let label = format!("{}/{}/{}/{template}", self.policy.id, step.name, self.instance.visit);
        self.effects.push(Effect::Notify { user, label, template: template.to_owned() });
    }
}
