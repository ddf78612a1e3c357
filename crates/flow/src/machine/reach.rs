//! What the automatic steps ahead may ask and do, so that the service brings it beforehand.

use std::collections::BTreeSet;

use super::Here;
use crate::PolicySet;
use crate::language::{
    AccountGuard, Destination, EffectWord, Guard, Outcome, Policy, SendTo, Step, StepKind, Switch, Target,
};

/// What lies ahead before somebody has to do something.
#[expect(clippy::struct_excessive_bools, reason = "each is a yes or no of its own")]
#[derive(Default)]
pub(super) struct Reach {
    /// Webhooks whose guards may be asked, each once, in the order they are met.
    pub(super) webhooks: Vec<String>,
    /// Whether `account.locked` may be asked.
    pub(super) asks_lock: bool,
    /// Whether an account may be made.
    pub(super) creates: bool,
    /// Whether a link may be mailed.
    pub(super) sends_link: bool,
    /// Whether anything is decided or done at all.
    pub(super) decides: bool,
    /// Upstream providers that people may be sent to.
    pub(super) providers: BTreeSet<String>,
}

/// Everything ahead of the step an instance waits at, by any of its outcomes.
pub(super) fn ahead(here: Here) -> Reach {
    from_targets(here.set, here.policy, &here.step.list_targets())
}

/// Everything ahead of `targets`.
pub(super) fn from_targets(set: &PolicySet, policy: &Policy, targets: &[&Target]) -> Reach {
    let mut steps = Vec::new();
    let mut switches = Vec::new();
    for target in targets {
        match &target.to {
            Destination::Step(step) => steps.push(*step),
            Destination::Switch(switch) => switches.push(switch),
        }
    }
    reach(set, policy, steps, &switches)
}

/// Everything ahead of `steps` of `policy` and of `switches`, these steps included.
fn reach(set: &PolicySet, policy: &Policy, steps: Vec<usize>, switches: &[&Switch]) -> Reach {
    let mut waiting: Vec<(&Policy, usize)> = steps.into_iter().map(|step| (policy, step)).collect();
    waiting.extend(switches.iter().filter_map(|switch| resolve(set, policy, switch)));
    explore(set, waiting, true)
}

/// Everything ahead of an instance that begins: a password is carried along by a session alone.
pub(super) fn from_start(set: &PolicySet, policy: &Policy) -> Reach {
    let asks_session = |step: &Step| match &step.kind {
        StepKind::Branch(branch) => branch.when.iter().any(|clause| clause.guard == Guard::SessionFresh),
        _ => false,
    };
    explore(set, vec![(policy, policy.start)], policy.steps.iter().any(asks_session))
}

fn explore<'a>(set: &'a PolicySet, mut waiting: Vec<(&'a Policy, usize)>, carries: bool) -> Reach {
    let mut found = Reach::default();
    let mut seen = BTreeSet::new();
    while let Some((policy, index)) = waiting.pop() {
        let Some(step) = policy.steps.get(index) else { continue };
        if !seen.insert((policy.id.as_str(), index)) {
            continue;
        }
        look_at(step, &mut found);
        if let StepKind::Switch(switch) = &step.kind {
            waiting.extend(resolve(set, policy, switch));
        }
        for target in list_automatic(step, carries) {
            match &target.to {
                Destination::Step(next) => waiting.push((policy, *next)),
                Destination::Switch(switch) => waiting.extend(resolve(set, policy, switch)),
            }
        }
    }
    found
}

fn resolve<'a>(set: &'a PolicySet, policy: &'a Policy, switch: &Switch) -> Option<(&'a Policy, usize)> {
    match set.find_switched(switch) {
        Some(target) => Some((target, target.start)),
        None => switch.otherwise.map(|step| (policy, step)),
    }
}

fn look_at(step: &Step, found: &mut Reach) {
    match &step.kind {
        StepKind::Branch(branch) => {
            found.decides = true;
            for clause in &branch.when {
                found.asks_lock |= clause.guard == Guard::Account(AccountGuard::Locked);
                if let Guard::Webhook(name) = &clause.guard
                    && !found.webhooks.contains(name)
                {
                    found.webhooks.push(name.clone());
                }
            }
        }
        StepKind::Effect { effects } => {
            found.decides = true;
            found.creates |= effects.contains(&EffectWord::CreateAccount);
            found.sends_link |= effects.iter().any(|effect| matches!(effect, EffectWord::SendLink { .. }));
        }
        StepKind::Federate { provider } => {
            found.providers.insert(provider.clone());
        }
        _ => {}
    }
}

/// The ways out of a step that may be taken without anybody: those of automatic steps, of a password that was carried
/// along, and of a code that can not be sent.
fn list_automatic(step: &Step, carries: bool) -> Vec<&Target> {
    let routed = |outcomes: &[Outcome]| outcomes.iter().filter_map(|outcome| step.find_route(*outcome)).collect();
    match &step.kind {
        kind if kind.is_automatic() => step.list_targets(),
        StepKind::Password { .. } if carries => routed(&[Outcome::Ok]),
        StepKind::Otp(otp) if matches!(otp.to, SendTo::AccountMailbox | SendTo::AccountPhone) => {
            routed(&[Outcome::Undeliverable, Outcome::Spent])
        }
        _ => Vec::new(),
    }
}
