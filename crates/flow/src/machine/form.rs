//! Forms: data for a new account, or the name of one.

use countersign_model::UserId;

use super::Here;
use super::charge::{list_attempts, list_resets, list_sends};
use super::reach::{Reach, ahead};
use super::run::Run;
use crate::form::{Reading, read};
use crate::language::{
    AccountGuard, Channel, EffectWord, FormField, FormInput, Guard, Outcome, Policy, Step, StepKind,
};
use crate::{AccountKey, Charge, CountScope, Effect, FlowError, Input, Needs, Next, NoticeKey, OrganizationKey};

/// Whether a policy makes accounts: its forms collect data then, and otherwise name an account.
pub(super) fn makes_accounts(policy: &Policy) -> bool {
    policy.steps.iter().any(|step| match &step.kind {
        StepKind::Effect { effects } => effects.contains(&EffectWord::CreateAccount),
        _ => false,
    })
}

/// Whether a policy decides by itself what a wrong registration code leads to.
fn asks_organization(policy: &Policy) -> bool {
    let guard = Guard::Account(AccountGuard::OrgCodeValid);
    policy.steps.iter().any(|step| match &step.kind {
        StepKind::Branch(branch) => branch.when.iter().any(|clause| clause.guard == guard),
        _ => false,
    })
}

/// The account a form names.
fn find_key(reading: &Reading) -> Option<AccountKey> {
    let by_name = reading.find(FormInput::Username).cloned().map(AccountKey::Username);
    by_name.or_else(|| reading.find(FormInput::Email).cloned().map(AccountKey::Email))
}

fn find_organization(reading: &Reading) -> Option<OrganizationKey> {
    let npi = reading.find(FormInput::Npi)?.clone();
    let code = reading.find(FormInput::RegistrationCode)?.clone();
    Some(OrganizationKey { npi, code })
}

/// A try, and a mail where one may be sent because of it.
fn list_charges(here: Here, ahead: &Reach, reading: &Reading) -> Vec<Charge> {
    let telling = [FormInput::Username, FormInput::Email, FormInput::Npi];
    let named = telling.iter().find_map(|input| reading.find(*input)).cloned().unwrap_or_default();
    let mut charges = list_attempts(here, |rule| match rule.scope {
        CountScope::Identifier | CountScope::Account | CountScope::Target => named.clone(),
        _ => String::new(),
    });
    if ahead.sends_link {
        // The names of new accounts are the sender's to make up; the mailbox that is written to is not.
        let typed = || reading.find(FormInput::Email).or_else(|| here.instance.told.get(FormInput::Email.as_str()));
        let told = if makes_accounts(here.policy) { typed().cloned() } else { None };
        charges.extend(list_sends(here, "link", &told.unwrap_or(named)));
    }
    charges
}

/// What a form needs; nothing while it has errors.
pub(super) fn needs(here: Here, fields: &[FormField], ahead: &Reach, input: &Input) -> Needs {
    let known = here.known();
    let makes = makes_accounts(here.policy);
    let reading = read(fields, makes, input);
    if input.control != "next" || !reading.errors.is_empty() {
        return known;
    }
    let told = |input: FormInput| reading.find(input).or_else(|| here.instance.told.get(input.as_str())).cloned();
    let named = find_key(&reading).filter(|_| !makes);
    Needs {
        charges: list_charges(here, ahead, &reading),
        account: known.account.filter(|_| here.instance.account.is_some() || named.is_none()).or(named),
        free_email: told(FormInput::Email).filter(|_| makes),
        free_username: told(FormInput::Username).filter(|_| makes),
        organization: find_organization(&reading),
        new_user: ahead.creates,
        ..Needs::default()
    }
}

impl<'a> Run<'a> {
    pub(super) fn react_form(
        &mut self,
        step: &'a Step,
        fields: &[FormField],
        input: &Input,
    ) -> Result<Next, FlowError> {
        if input.control != "next" {
            return Ok(Next::Page);
        }
        let makes = makes_accounts(self.policy);
        let reading = read(fields, makes, input);
        if !reading.errors.is_empty() {
            return Ok(self.show_errors(fields, input, &reading.errors));
        }
        // What was told here makes no account: a password of it would never be asked for.
        if let Some(address) = reading.find(FormInput::Email).filter(|typed| self.find_upstream(step, typed).is_some())
        {
            self.instance.identifier = Some(address.clone());
            return self.go_upstream(step);
        }
        let here = self.here(step);
        let ahead = ahead(here);
        let charges = list_charges(here, &ahead, &reading);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        if makes && reading.find(FormInput::Username).is_some() {
            let free = self.facts.username_free.ok_or(FlowError::MissingFact)?;
            if !free {
                return Ok(self.show_errors(fields, input, &[(NoticeKey::UsernameTaken, FormInput::Username)]));
            }
        }
        if find_organization(&reading).is_some() {
            self.instance.organization.clone_from(&self.facts.organization);
            if self.instance.organization.is_none() && !asks_organization(self.policy) {
                self.fail(step, NoticeKey::OrganizationUnknown);
                let wrong = [(NoticeKey::OrganizationUnknown, FormInput::RegistrationCode)];
                return Ok(self.show_errors(fields, input, &wrong));
            }
            if self.instance.organization.is_some() {
                let locks = charges.into_iter().filter(|charge| charge.limit.lock.is_some()).collect();
                self.effects.extend(list_resets(locks));
            }
        }
        if makes {
            self.keep(&reading);
        } else {
            self.name(&reading);
        }
        let before = self.instance.visit;
        let next = self.go(step, Outcome::Ok)?;
        if ahead.sends_link {
            self.even_out(step, before);
        }
        Ok(next)
    }

    /// The page again, with what was typed and what is wrong with it.
    fn show_errors(&mut self, fields: &[FormField], input: &Input, errors: &[(NoticeKey, FormInput)]) -> Next {
        let inputs = fields.iter().flat_map(|field| field.name.list_inputs());
        let shown: Vec<&str> =
            inputs.filter(|input| **input != FormInput::RegistrationCode).map(|input| input.as_str()).collect();
        let mut typed = input.keep(&shown);
        typed.errors = errors.iter().map(|(notice, input)| (*notice, input.as_str().to_owned())).collect();
        self.instance.typed = Some(typed);
        self.stay(errors.first().map(|(notice, _)| *notice))
    }

    /// Keeps what an account will be made of.
    fn keep(&mut self, reading: &Reading) {
        for (input, value) in &reading.values {
            let name = match input {
                FormInput::Npi | FormInput::RegistrationCode | FormInput::ConfirmEmail => continue,
                FormInput::FirstName => "given_name",
                FormInput::LastName => "family_name",
                other => other.as_str(),
            };
            self.instance.told.insert(name.to_owned(), value.clone());
        }
    }

    /// Takes the named account for the one to write to; nothing of it is proven, and no page tells whether it exists.
    fn name(&mut self, reading: &Reading) {
        if self.instance.account.is_some() || find_key(reading).is_none() {
            return;
        }
        let known = self.known.as_ref().filter(|account| account.active && self.is_wanted(&account.user));
        let user: Option<UserId> = known.map(|account| account.user.clone());
        self.instance.candidate = user;
    }

    /// Where a link might have been mailed and nothing was, one message is written all the same, so that no count of them
    /// tells who is known. A link's own row is all that is more.
    fn even_out(&mut self, step: &Step, visit: u16) {
        let sent = |effect: &Effect| {
            matches!(
                effect,
                Effect::SendLink { .. } | Effect::Pretend { .. } | Effect::Notify { .. } | Effect::Warn { .. }
            )
        };
        if self.effects.iter().any(sent) {
            return;
        }
        let label = format!("{}/{}/{visit}/link", self.policy.id, step.name);
        let expires_at = self.now.plus(countersign_model::Seconds::minutes(20));
        self.effects.push(Effect::Pretend { label, channel: Channel::Email, expires_at });
    }
}
