//! Every path of a policy: from its start to an end or into another policy, each step at most once.

use crate::PolicySet;
use crate::language::{
    AccountGuard, Destination, EffectWord, Guard, Outcome, Policy, SendTo, Step, StepKind, Switch, Target,
};
use countersign_model::FactorKind;

/// The most paths a policy is asked for.
const MAX_PATHS: usize = 20_000;

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The steps, in order, each with the way it was left.
    pub legs: Vec<Leg>,
    /// Where it ends.
    pub end: End,
    /// What must hold, or not hold, of account and request at the beginning.
    pub given: Vec<(Guard, bool)>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its name.
    pub step: String,
    /// How it was left: an outcome, the id of an option, `cancel`, or the guard that held, `else` when none did.
    pub by: String,
}

/// The end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Signed in.
    Issue {
        /// The step.
        step: String,
    },
    /// Stopped.
    Stop {
        /// The step.
        step: String,
    },
    /// On in another policy.
    Switch {
        /// Which.
        policy: String,
    },
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for leg in &self.legs {
            write!(f, "{} [{}] > ", leg.step, leg.by)?;
        }
        match &self.end {
            End::Issue { step } => write!(f, "{step}: signed in"),
            End::Stop { step } => write!(f, "{step}: stopped"),
            End::Switch { policy } => write!(f, "@{policy}"),
        }
    }
}

/// Lists every path of `policy` that some account can take, in the order of the file.
pub fn list_paths(set: &PolicySet, policy: &Policy) -> Vec<Path> {
    let mut walk = Walk { set, policy, found: Vec::new() };
    walk.go(policy.start, &mut Vec::new(), &mut Trail::default());
    walk.found
}

/// What a path supposes, and what it has changed.
#[derive(Clone, Default)]
struct Trail {
    seen: Vec<usize>,
    given: Vec<(Guard, bool)>,
    changed: Vec<(AccountGuard, bool)>,
}

impl Trail {
    /// Supposes an answer; false when the path knows better.
    fn suppose(&mut self, guard: &Guard, value: bool) -> bool {
        if matches!(guard, Guard::AddressOf(_)) {
            // Nothing that is given: another address may be typed on the way.
            return true;
        }
        if let Guard::Account(asked) = guard
            && let Some((_, now)) = self.changed.iter().rev().find(|(changed, _)| changed == asked)
        {
            return *now == value;
        }
        if let Some((_, known)) = self.given.iter().find(|(known, _)| known == guard) {
            return *known == value;
        }
        let second = |guard: &Guard| {
            matches!(guard, Guard::Account(AccountGuard::Phone | AccountGuard::Totp | AccountGuard::Passkey))
        };
        let mail_only = Guard::Account(AccountGuard::EmailOnly);
        let clashes = self.given.iter().any(|(known, held)| {
            *held && value && (second(known) && *guard == mail_only || *known == mail_only && second(guard))
        });
        self.given.push((guard.clone(), value));
        !clashes
    }

    fn change(&mut self, guard: AccountGuard, value: bool) {
        self.changed.push((guard, value));
    }
}

struct Walk<'a> {
    set: &'a PolicySet,
    policy: &'a Policy,
    found: Vec<Path>,
}

impl<'a> Walk<'a> {
    fn go(&mut self, index: usize, legs: &mut Vec<Leg>, trail: &mut Trail) {
        let Some(step) = self.policy.steps.get(index) else { return };
        if self.found.len() >= MAX_PATHS || trail.seen.contains(&index) {
            return;
        }
        trail.seen.push(index);
        let name = step.name.clone();
        match &step.kind {
            StepKind::Issue => self.end(legs, trail, End::Issue { step: name }),
            StepKind::Stop(stop) => {
                self.end(legs, trail, End::Stop { step: name });
                for link in &stop.links {
                    self.follow(step, &link.id, &link.target, legs, &mut trail.clone());
                }
            }
            StepKind::Switch(switch) => self.hand_over(step, "switch", switch, legs, trail),
            StepKind::Branch(branch) => {
                let mut trail = trail.clone();
                for clause in &branch.when {
                    let mut held = trail.clone();
                    if held.suppose(&clause.guard, true) {
                        self.follow(step, &clause.guard.to_string(), &clause.then, legs, &mut held);
                    }
                    if !trail.suppose(&clause.guard, false) {
                        return;
                    }
                }
                self.follow(step, "else", &branch.otherwise, legs, &mut trail);
            }
            _ => self.leave(step, legs, trail),
        }
    }

    /// By every outcome and option, and by `cancel`.
    fn leave(&mut self, step: &'a Step, legs: &mut Vec<Leg>, trail: &Trail) {
        for (outcome, target) in &step.routes {
            let mut trail = trail.clone();
            if suppose_outcome(&step.kind, *outcome, &mut trail) {
                self.follow(step, outcome.as_str(), target, legs, &mut trail);
            }
        }
        if let StepKind::Choice(choice) = &step.kind {
            for option in choice.options.iter().chain(&choice.links) {
                self.follow(step, &option.id, &option.target, legs, &mut trail.clone());
            }
        }
        if let Some(cancel) = self.policy.cancel.as_ref().filter(|_| step.kind.has_page()) {
            self.follow(step, "cancel", cancel, legs, &mut trail.clone());
        }
    }

    fn follow(&mut self, step: &Step, by: &str, target: &'a Target, legs: &mut Vec<Leg>, trail: &mut Trail) {
        match &target.to {
            Destination::Step(next) => {
                legs.push(Leg { step: step.name.clone(), by: by.to_owned() });
                self.go(*next, legs, trail);
                legs.pop();
            }
            Destination::Switch(switch) => self.hand_over(step, by, switch, legs, trail),
        }
    }

    fn hand_over(&mut self, step: &Step, by: &str, switch: &'a Switch, legs: &mut Vec<Leg>, trail: &mut Trail) {
        legs.push(Leg { step: step.name.clone(), by: by.to_owned() });
        if self.set.find_switched(switch).is_some() {
            self.end(legs, trail, End::Switch { policy: switch.policy.clone() });
        } else if let Some(step) = switch.otherwise {
            self.go(step, legs, trail);
        }
        legs.pop();
    }

    fn end(&mut self, legs: &[Leg], trail: &Trail, end: End) {
        self.found.push(Path { legs: legs.to_vec(), end, given: trail.given.clone() });
    }
}

/// What an outcome supposes of the account, and what it changes.
fn suppose_outcome(kind: &StepKind, outcome: Outcome, trail: &mut Trail) -> bool {
    let passes = matches!(outcome, Outcome::Ok | Outcome::Accepted);
    // A message is undeliverable to who has no phone, and to who has one that is never reached.
    let lost = outcome == Outcome::Undeliverable;
    let asked = match kind {
        StepKind::Otp(otp) if otp.to == SendTo::AccountPhone && !lost => Some(AccountGuard::Phone),
        StepKind::Totp if passes => Some(AccountGuard::Totp),
        StepKind::Passkey if passes => Some(AccountGuard::Passkey),
        _ => None,
    };
    if let Some(guard) = asked
        && !trail.suppose(&Guard::Account(guard), true)
    {
        return false;
    }
    match kind {
        StepKind::BindPhone(_) if passes => trail.change(AccountGuard::Phone, true),
        StepKind::BindTotp if passes => trail.change(AccountGuard::Totp, true),
        StepKind::BindPasskey if passes => trail.change(AccountGuard::Passkey, true),
        StepKind::Terms { .. } if passes => trail.change(AccountGuard::TermsDue, false),
        StepKind::Effect { effects } => effects.iter().for_each(|effect| match effect {
            EffectWord::Unbind(FactorKind::Phone) => trail.change(AccountGuard::Phone, false),
            EffectWord::Unbind(FactorKind::Totp) => trail.change(AccountGuard::Totp, false),
            EffectWord::Unbind(FactorKind::Passkey) => trail.change(AccountGuard::Passkey, false),
            _ => {}
        }),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests;
