//! The page of buttons: LOGIN OPTIONS, LOGIN METHOD.

use countersign_model::{AuditKind, AuditOutcome};

use super::is_open;
use super::run::{Hop, Run};
use crate::language::{Choice, ChoiceOption, Destination, Target};
use crate::{Effect, FlowError, Input, Next};

/// The boxes of a choice, each once, in order. At most 16 count.
pub(crate) fn list_boxes<'c>(options: impl Iterator<Item = &'c ChoiceOption>) -> Vec<&'c str> {
    let mut boxes = Vec::new();
    for name in options.filter_map(|option| option.remember.as_deref()) {
        if !boxes.contains(&name) && boxes.len() < 16 {
            boxes.push(name);
        }
    }
    boxes
}

impl<'a> Run<'a> {
    pub(super) fn react_choice(&mut self, choice: &'a Choice, input: &Input) -> Result<Next, FlowError> {
        let mut all = choice.options.iter().chain(&choice.links);
        let Some(option) = all.find(|option| option.id == input.control) else { return Ok(Next::Page) };
        if !is_open(self.set, &option.target) {
            return Ok(Next::Page);
        }
        self.audit(AuditKind::FlowStep, AuditOutcome::Success, &[("outcome", &option.id)]);
        if let Some(name) = &option.remember {
            let sharing = choice.options.iter().filter(|other| other.remember.as_ref() == Some(name));
            self.hand_on_box(sharing.map(|other| &other.target), input.is_ticked(&format!("remember_{name}")));
        }
        self.follow(Hop::from(&option.target))
    }

    /// The box is handed on as a variable; unticked it also ends what was remembered of every option that reads it, whichever
    /// was chosen (R47; POLICIES.md, section 7).
    pub(super) fn hand_on_box<'t>(&mut self, targets: impl Iterator<Item = &'t Target>, ticked: bool) {
        self.instance.vars.remember = Some(ticked);
        for target in targets.filter(|_| !ticked) {
            if let Destination::Switch(switch) = &target.to {
                self.effects.push(Effect::ForgetRemembered { policy: switch.policy.clone() });
            }
        }
    }

    /// Which boxes are shown ticked: those of an option whose policy has a remembered login.
    pub(super) fn list_prechecked(&self, choice: &Choice) -> u16 {
        let is_remembered = |option: &ChoiceOption| match &option.target.to {
            Destination::Switch(switch) => self.facts.find_remembered(&switch.policy).is_some(),
            Destination::Step(_) => false,
        };
        let mut bits = 0;
        for (bit, name) in list_boxes(choice.options.iter()).into_iter().enumerate() {
            let mut own = choice.options.iter().filter(|option| option.remember.as_deref() == Some(name));
            if own.any(is_remembered) {
                bits |= 1 << bit;
            }
        }
        bits
    }
}
