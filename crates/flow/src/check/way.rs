//! Where a step leads under given answers, and what passing it takes and gives: the checker's model of the machine.

use countersign_model::{Fact, FactSet, FactorKind};

use super::held::Held;
use super::world::{Answers, Questions, Traits};
use crate::language::{
    AccountGuard, Clause, Destination, EffectWord, FieldName, Guard, MailboxRule, Otp, Outcome, Policy, SendTo, Step,
    StepKind, Switch, Target,
};
use crate::{PolicySet, Position};

/// Where an exploration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State {
    pub(super) step: usize,
    /// What is proven.
    pub(super) facts: FactSet,
    /// What a switch or a session brought along: not asked for again.
    pub(super) carried: FactSet,
    /// Whose account is known; something of it is proven, or its name was typed.
    pub(super) in_hand: bool,
    /// What holds of the account now.
    pub(super) account: Traits,
    /// What it took to come here, were all of it somebody else's.
    pub(super) takes: Held,
    /// What whoever came here has set or bound.
    pub(super) gives: Held,
    /// The account was made in this flow: nobody else's.
    pub(super) own: bool,
}

impl State {
    pub(super) const fn start(step: usize, account: Traits) -> Self {
        Self {
            step,
            facts: FactSet::EMPTY,
            carried: FactSet::EMPTY,
            in_hand: false,
            account,
            takes: Held::NOTHING,
            gives: Held::NOTHING,
            own: false,
        }
    }

    const fn take(self, what: Held) -> Self {
        Self { takes: self.takes.and(what.but(self.gives)), ..self }
    }

    const fn give(self, what: Held) -> Self {
        Self { gives: self.gives.and(what), ..self }
    }

    const fn prove(self, fact: Fact) -> Self {
        Self { facts: self.facts.with(fact), in_hand: true, ..self }
    }
}

/// A way out of a step.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    Target(&'a Target),
    Switch(&'a Switch),
}

/// Where a way leads.
pub(super) enum Resolved<'a, 's> {
    Step(usize),
    Policy(&'s Policy, &'a Switch),
    Nowhere,
}

impl<'a> Way<'a> {
    pub(super) const fn at(self) -> Position {
        match self {
            Self::Target(target) => target.at,
            Self::Switch(switch) => switch.at,
        }
    }

    pub(super) fn resolve<'s>(self, set: &'s PolicySet) -> Resolved<'a, 's> {
        let switch = match self {
            Self::Target(Target { to: Destination::Step(step), .. }) => return Resolved::Step(*step),
            Self::Target(Target { to: Destination::Switch(switch), .. }) | Self::Switch(switch) => switch,
        };
        match (set.find_switched(switch), switch.otherwise) {
            (Some(target), _) => Resolved::Policy(target, switch),
            (None, Some(step)) => Resolved::Step(step),
            (None, None) => Resolved::Nowhere,
        }
    }
}

/// One way on.
pub(super) struct Move<'a> {
    pub(super) way: Way<'a>,
    pub(super) state: State,
    /// The step may have been passed with another account than the one in hand before: what was answered of it is void.
    pub(super) is_other: bool,
}

/// What a model of one policy under one answer needs to know.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) policy: &'a Policy,
    pub(super) questions: &'a Questions,
    pub(super) answers: Answers,
}

impl<'a> View<'a> {
    /// Whether a guard holds; a question about an account that nobody named is answered no.
    pub(super) fn holds(&self, state: &State, guard: &Guard) -> bool {
        match guard {
            Guard::Account(trait_) => state.in_hand && state.account.has(*trait_),
            Guard::Webhook(_) => state.in_hand && self.questions.answer(self.answers, guard),
            Guard::AddressOf(_) => false,
            other => self.questions.answer(self.answers, other),
        }
    }

    /// What the requirements of `policy` come to for the account of `state`.
    pub(super) fn required(&self, policy: &Policy, state: &State) -> FactSet {
        let applies = |condition: &Guard| match condition {
            Guard::Account(trait_) => state.account.has(*trait_),
            other => self.questions.answer(self.answers, other),
        };
        let applying = policy.require.iter().filter(|entry| entry.applies(applies));
        applying.fold(FactSet::EMPTY, |all, entry| all.union(entry.factors))
    }

    /// Every way out of `step`.
    pub(super) fn list_moves(&self, step: &'a Step, state: State) -> Vec<Move<'a>> {
        match &step.kind {
            StepKind::Issue => Vec::new(),
            StepKind::Stop(_) => Self::list_onward(step, state),
            StepKind::Switch(switch) => vec![Move { way: Way::Switch(switch), state, is_other: false }],
            StepKind::Branch(_) => self.list_branch(step, state),
            _ => self.list_outcomes(step, state),
        }
    }

    /// Links and options: ways on that prove nothing.
    fn list_onward(step: &'a Step, state: State) -> Vec<Move<'a>> {
        let targets = step.list_targets().into_iter();
        targets.map(|target| Move { way: Way::Target(target), state, is_other: false }).collect()
    }

    fn list_branch(&self, step: &'a Step, state: State) -> Vec<Move<'a>> {
        let StepKind::Branch(branch) = &step.kind else { return Vec::new() };
        let plain = |target| Move { way: Way::Target(target), state, is_other: false };
        let holds = |clause: &&Clause| self.holds(&state, &clause.guard);
        let deciding = branch.when.iter().position(|clause| holds(&clause));
        let before = branch.when.iter().take(deciding.unwrap_or(branch.when.len()));
        let mut moves: Vec<Move> =
            before.filter(|clause| clause.guard.is_typed()).map(|clause| plain(&clause.then)).collect();
        let Some(clause) = deciding.and_then(|index| branch.when.get(index)) else {
            moves.push(plain(&branch.otherwise));
            return moves;
        };
        let adopted = match &clause.guard {
            // A remembered login was issued by this policy before, so it met the requirements then.
            Guard::SessionRemembered => {
                let facts = self.required(self.policy, &state);
                vec![State { facts, in_hand: true, ..state }.take(Held::BROWSER)]
            }
            Guard::SessionFresh => self.list_sessions(state),
            _ => vec![state],
        };
        moves.extend(adopted.into_iter().map(|state| Move { state, ..plain(&clause.then) }));
        moves
    }

    /// What the session of a browser may have proven: what some login policy requires.
    fn list_sessions(&self, state: State) -> Vec<State> {
        let logins = self.set.iter().filter(|policy| policy.acr.is_some() && policy.can_issue());
        let mut proven: Vec<FactSet> = logins.map(|login| self.required(login, &state)).collect();
        proven.sort_unstable();
        proven.dedup();
        let adopt = |facts| State { facts, carried: facts, in_hand: true, ..state }.take(Held::SESSION);
        proven.into_iter().map(adopt).collect()
    }

    fn list_outcomes(&self, step: &'a Step, state: State) -> Vec<Move<'a>> {
        let mut moves = Vec::new();
        let reachable = Self::is_reachable(&step.kind, &state);
        let carried = matches!(step.kind, StepKind::Password { .. }) && state.carried.contains(Fact::Password);
        for (outcome, target) in &step.routes {
            let passes = matches!(outcome, Outcome::Ok | Outcome::Accepted);
            let plain = Move { way: Way::Target(target), state, is_other: false };
            match (passes, reachable) {
                _ if carried && !passes => {}
                (true, false) => {}
                (true, true) => {
                    let passed = self.list_passed(step, state, carried).into_iter();
                    let way = Way::Target(target);
                    moves.extend(passed.map(|(state, is_other)| Move { way, state, is_other }));
                }
                (false, false) => {
                    let lost = matches!(outcome, Outcome::Undeliverable | Outcome::Spent | Outcome::Declined);
                    moves.extend(lost.then_some(plain));
                }
                (false, true) => moves.push(plain),
            }
        }
        if let StepKind::Choice(_) = step.kind {
            moves.extend(Self::list_onward(step, state));
        }
        if step.kind.has_page() {
            let cancel = self.policy.cancel.as_ref();
            moves.extend(cancel.map(|target| Move { way: Way::Target(target), state, is_other: false }));
        }
        moves
    }

    /// Whether the account has what the step asks for.
    pub(super) fn is_reachable(kind: &StepKind, state: &State) -> bool {
        let has = |guard| state.account.has(guard);
        match kind {
            StepKind::Otp(otp) if otp.to == SendTo::AccountPhone => has(AccountGuard::Phone),
            StepKind::Totp => has(AccountGuard::Totp),
            StepKind::Passkey => has(AccountGuard::Passkey),
            _ => true,
        }
    }

    /// The states after a step was passed, and whether with another account.
    fn list_passed(&self, step: &'a Step, state: State, carried: bool) -> Vec<(State, bool)> {
        let kind = &step.kind;
        if carried {
            return vec![(state.prove(Fact::Password), false)];
        }
        let Some(fact) = kind.proves() else { return vec![(self.pass_unproven(kind, state), false)] };
        let item = Held::of(fact);
        let own = match kind {
            StepKind::SetPassword { .. } => {
                let account = state.account.without(AccountGuard::Legacy);
                State { account, ..state }.give(item)
            }
            StepKind::BindPhone(_) => Self::bind(state, AccountGuard::Phone).give(item),
            StepKind::BindTotp => Self::bind(state, AccountGuard::Totp).give(item),
            StepKind::BindPasskey => Self::bind(state, AccountGuard::Passkey).give(item),
            StepKind::BindEmail(_) if self.policy.mailbox == MailboxRule::OnFile && !state.own => state.take(item),
            StepKind::BindEmail(_) => state.give(item),
            StepKind::Link { .. } => state.take(item).take(self.own_link()),
            _ => state.take(item),
        };
        // Nobody else's name and secret count once something of an account is proven (`Run::is_wanted`).
        vec![(own.prove(fact), false)]
    }

    fn bind(state: State, guard: AccountGuard) -> State {
        State { account: state.account.set_factor(guard, true), ..state }
    }

    fn pass_unproven(&self, kind: &StepKind, state: State) -> State {
        match kind {
            StepKind::Terms { .. } => State { account: state.account.without(AccountGuard::TermsDue), ..state },
            StepKind::Form { .. } if names_account(self.policy, kind) => State { in_hand: true, ..state },
            // A shown one: who holds it need not read the mailbox.
            StepKind::Link { .. } => State { in_hand: true, ..state }.take(self.own_link()),
            StepKind::Effect { effects } => effects.iter().fold(state, |state, effect| self.apply(state, effect)),
            _ => state,
        }
    }

    /// The link that begins the policy.
    fn own_link(&self) -> Held {
        Held::link(self.set.iter().position(|policy| policy.id == self.policy.id).unwrap_or_default())
    }

    /// Whether something of the account is proven, or passing `step` proves it: the mail on file of whoever a link is for is
    /// bound by the code that proves it.
    pub(super) fn may_change(&self, step: &Step, state: &State) -> bool {
        let is_on_file = matches!(step.kind, StepKind::BindEmail(_)) && self.policy.mailbox == MailboxRule::OnFile;
        !state.facts.is_empty() || is_on_file && state.takes.has(self.own_link())
    }

    fn apply(&self, state: State, effect: &EffectWord) -> State {
        let unbind = |fact: Fact, guard: Option<AccountGuard>| {
            let facts = state.facts.iter().filter(|known| *known != fact).collect();
            let account = guard.map_or(state.account, |guard| state.account.set_factor(guard, false));
            State { facts, account, ..state }
        };
        match effect {
            EffectWord::CreateAccount => {
                let made = Traits::NONE.with(AccountGuard::Exists).with(AccountGuard::RegistrationIncomplete);
                let account = made.with(AccountGuard::TermsDue);
                let none = FactSet::EMPTY;
                State { account, in_hand: true, own: true, facts: none, carried: none, ..state }
            }
            EffectWord::Unbind(FactorKind::Phone) => unbind(Fact::Phone, Some(AccountGuard::Phone)),
            EffectWord::Unbind(FactorKind::Totp) => unbind(Fact::Totp, Some(AccountGuard::Totp)),
            EffectWord::Unbind(FactorKind::Passkey) => unbind(Fact::Passkey, Some(AccountGuard::Passkey)),
            EffectWord::Unbind(FactorKind::Mailbox) => unbind(Fact::Mailbox, None),
            EffectWord::ReplaceRecoveryCodes => state.give(Held::of(Fact::RecoveryCode)),
            EffectWord::SendLink { policy, .. } => match self.set.iter().position(|known| known.id == *policy) {
                Some(index) => state.give(Held::link(index)),
                None => state,
            },
            _ => state,
        }
    }
}

/// Whether a form says whose account is meant, without any proof: it asks for the user name, and not for a new one.
pub(super) fn names_account(policy: &Policy, kind: &StepKind) -> bool {
    let makes = policy.steps.iter().any(|step| match &step.kind {
        StepKind::Effect { effects } => effects.contains(&EffectWord::CreateAccount),
        _ => false,
    });
    matches!(kind, StepKind::Form { fields } if !makes && fields.iter().any(|field| field.name == FieldName::Username))
}

/// The code a step sends, if it sends one.
pub(super) fn find_otp(kind: &StepKind) -> Option<&Otp> {
    match kind {
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => Some(otp),
        _ => None,
    }
}
