//! What may be true of an account, and every way in which the guards of a policy can be answered.

use std::collections::BTreeSet;

use countersign_model::FactorKind;

use crate::PolicySet;
use crate::language::{AccountGuard, EffectWord, Guard, Policy, Requirement, SendTo, StepKind};

/// The most guards a policy may use: 4096 valuations.
pub(super) const MAX_GUARDS: usize = 12;

/// Every account guard.
const ALL: [AccountGuard; 10] = [
    AccountGuard::Exists,
    AccountGuard::Phone,
    AccountGuard::EmailOnly,
    AccountGuard::TermsDue,
    AccountGuard::Locked,
    AccountGuard::Legacy,
    AccountGuard::Totp,
    AccountGuard::Passkey,
    AccountGuard::RegistrationIncomplete,
    AccountGuard::OrgCodeValid,
];

/// A set of account guards: those that hold, or those that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Traits(u16);

impl Traits {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn with(self, guard: AccountGuard) -> Self {
        Self(self.0 | 1 << guard as u16)
    }

    pub(super) const fn without(self, guard: AccountGuard) -> Self {
        Self(self.0 & !(1 << guard as u16))
    }

    pub(super) const fn has(self, guard: AccountGuard) -> bool {
        self.0 & (1 << guard as u16) != 0
    }

    pub(super) const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// A second factor was bound or unbound: who is mail-only follows from it.
    pub(super) const fn set_factor(self, guard: AccountGuard, bound: bool) -> Self {
        if bound {
            return self.with(guard).without(AccountGuard::EmailOnly);
        }
        let rest = self.without(guard);
        let others = rest.has(AccountGuard::Phone) || rest.has(AccountGuard::Totp) || rest.has(AccountGuard::Passkey);
        if others { rest } else { rest.with(AccountGuard::EmailOnly) }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = AccountGuard> {
        ALL.into_iter().filter(move |guard| self.has(*guard))
    }
}

/// Whether an account can be like this: some traits exclude each other.
const fn is_possible(known: Traits, account: Traits) -> bool {
    let second =
        account.has(AccountGuard::Phone) || account.has(AccountGuard::Totp) || account.has(AccountGuard::Passkey);
    let missing = known.has(AccountGuard::Exists) && !account.has(AccountGuard::Exists);
    let strange = missing && !account.is_none();
    let torn = account.has(AccountGuard::EmailOnly) && second;
    !strange && !torn
}

/// The questions of one policy.
pub(super) struct Questions {
    /// About the account.
    pub(super) account: Traits,
    /// About the request, the session, and of webhooks.
    pub(super) others: Vec<Guard>,
}

impl Questions {
    /// Those of its branches and requirements, of the requirements it claims to meet, and of what its steps need.
    pub(super) fn of(set: &PolicySet, policy: &Policy) -> Self {
        let mut account = Traits::NONE;
        let mut others = BTreeSet::new();
        let mut add = |guard: &Guard| match guard {
            Guard::Account(trait_) => account = account.with(*trait_),
            // Answered both ways wherever it is asked (`View::list_moves`): another address may be typed on the way.
            Guard::AddressOf(_) => {}
            other => {
                others.insert(other.clone());
            }
        };
        let claimed = list_claimed(set, policy).into_iter().flat_map(|login| &login.require);
        policy.require.iter().chain(claimed).flat_map(Requirement::guards).for_each(&mut add);
        for step in &policy.steps {
            match &step.kind {
                StepKind::Branch(branch) => branch.when.iter().for_each(|clause| add(&clause.guard)),
                StepKind::Otp(otp) if otp.to == SendTo::AccountPhone => add(&Guard::Account(AccountGuard::Phone)),
                StepKind::Totp => add(&Guard::Account(AccountGuard::Totp)),
                StepKind::Passkey => add(&Guard::Account(AccountGuard::Passkey)),
                StepKind::Terms { .. } => add(&Guard::Account(AccountGuard::TermsDue)),
                StepKind::Effect { effects } => {
                    let unbound = effects.iter().filter_map(find_unbound);
                    unbound.for_each(|trait_| add(&Guard::Account(trait_)));
                }
                _ => {}
            }
        }
        Self { account, others: others.into_iter().collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.account.iter().count() + self.others.len()
    }

    /// Every answer that can be, where `known` is settled as `settled` says.
    pub(super) fn list_answers(&self, known: Traits, settled: Traits) -> Vec<Answers> {
        let free: Vec<AccountGuard> = self.account.but(known).iter().collect();
        let mut all = Vec::new();
        for bits in 0..1_u32 << (free.len() + self.others.len()) {
            let chosen = free.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
            let account = chosen.fold(settled, |account, (_, guard)| account.with(*guard));
            let others = bits >> free.len();
            let holds = |index: usize| others & (1 << index) != 0;
            let clients = self.others.iter().enumerate().filter(|(index, guard)| holds(*index) && is_client(guard));
            if is_possible(self.account.either(known), account) && clients.count() <= 1 {
                all.push(Answers { account, others });
            }
        }
        all
    }

    /// What a guard about anything but the account is answered.
    pub(super) fn answer(&self, answers: Answers, guard: &Guard) -> bool {
        self.others.iter().position(|known| known == guard).is_some_and(|index| answers.others & (1 << index) != 0)
    }
}

const fn find_unbound(effect: &EffectWord) -> Option<AccountGuard> {
    match effect {
        EffectWord::Unbind(FactorKind::Phone) => Some(AccountGuard::Phone),
        EffectWord::Unbind(FactorKind::Totp) => Some(AccountGuard::Totp),
        EffectWord::Unbind(FactorKind::Passkey) => Some(AccountGuard::Passkey),
        _ => None,
    }
}

const fn is_client(guard: &Guard) -> bool {
    matches!(guard, Guard::ClientIs(_))
}

/// One answer to every question of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    /// What holds of the account at first.
    pub(super) account: Traits,
    others: u32,
}

/// The login policies whose acr a policy may claim, in order.
pub(super) fn list_claimed<'a>(set: &'a PolicySet, policy: &Policy) -> Vec<&'a Policy> {
    policy.claims_acr_of.iter().filter_map(|(id, _)| set.get(id)).collect()
}
