//! A new password.

use countersign_model::{Fact, FactSet};

use super::Here;
use super::run::Run;
use crate::facts::AccountFacts;
use crate::language::{Outcome, Policy, Revocation, Step};
use crate::{Effect, FlowError, Input, Needs, Next, NoticeKey, strength};

/// The typed password, if it can be one and both fields match.
fn read(input: &Input) -> Result<&str, NoticeKey> {
    let password = input.field("new_password");
    if password.is_empty() {
        return Err(NoticeKey::NewPasswordMissing);
    }
    strength::check_length(password, false)?;
    if password == input.field("confirm_password") { Ok(password) } else { Err(NoticeKey::PasswordMismatch) }
}

/// What a try needs.
pub(super) fn needs(here: Here, input: &Input) -> Needs {
    Needs { hash_password: input.control == "set" && read(input).is_ok(), ..here.known() }
}

/// Whether the password would be all that guards the account: it has no other factor, and the policy binds none.
fn is_alone(policy: &Policy, account: &AccountFacts) -> bool {
    let guarded = account.mailbox.is_some() || account.phone.is_some() || account.totp || account.passkey;
    let demanded = policy.require.iter().fold(FactSet::EMPTY, |all, entry| all.union(entry.factors));
    !guarded && demanded.iter().all(|fact| fact == Fact::Password)
}

impl<'a> Run<'a> {
    pub(super) fn react_new_password(
        &mut self,
        step: &'a Step,
        revoke: &[Revocation],
        notify: Option<&str>,
        input: &Input,
    ) -> Result<Next, FlowError> {
        if input.control != "set" {
            return Ok(Next::Page);
        }
        let password = match read(input) {
            Ok(password) => password,
            Err(notice) => return Ok(self.stay(Some(notice))),
        };
        let Some(user) = self.proven_user() else { return Ok(self.refuse("unproven", "access_denied")) };
        let weak = self.account().and_then(|account| {
            let personal = strength::list_personal(account);
            strength::check(password, &personal, is_alone(self.policy, account)).err()
        });
        if weak.is_some() {
            return Ok(self.stay(weak));
        }
        let phc = self.facts.password_hash.clone().ok_or(FlowError::MissingFact)?;
        self.hold_registration(&user);
        self.effects.push(Effect::SetPassword { user: user.clone(), phc });
        if !revoke.is_empty() {
            self.effects.push(Effect::Revoke { user: user.clone(), what: revoke.to_vec() });
        }
        if let Some(template) = notify {
            self.tell(user, step, template);
        }
        self.learn(|known| (known.has_password, known.legacy) = (true, false));
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
        }
        self.go(step, Outcome::Ok)
    }
}
