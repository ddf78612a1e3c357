//! How long links and remembered logins live by the policies in force: texts say it, so that no text has to be edited
//! with a knob.

use countersign_model::Seconds;
use countersign_service::policy::language::{EffectWord, StepKind};
use countersign_service::policy::{PageView, Policy, PolicySet};

use crate::page::values;

/// The policy whose link an administrator's invitation is.
const INVITATION: &str = "invitation";

/// A value's name and its seconds.
type Life = (&'static str, String);

/// What the page of a policy says: of the links that its policy mails, and of the boxes it shows.
pub fn of_page(set: &PolicySet, view: &PageView) -> Vec<Life> {
    let own = set.get(&view.policy);
    let options = view.options.iter().filter(|option| option.remember.is_some());
    let led_to = options.filter_map(|option| set.get(option.policy.as_deref()?));
    let remembering = own.filter(|_| !view.boxes.is_empty()).into_iter().chain(led_to);
    list([(values::REMEMBER_FOR, least(remembering.filter_map(remembered))), (values::LINK_TTL, mailed(set, own))])
}

/// What help says: the least of its kind, where policies differ.
pub fn of_set(set: &PolicySet) -> Vec<Life> {
    list([
        (values::REMEMBER_FOR, least(set.iter().filter_map(remembered))),
        (values::LINK_TTL, mailed(set, set.iter())),
        (values::INVITATION_TTL, set.get(INVITATION).and_then(link_ttl)),
    ])
}

fn list<const N: usize>(lives: [(&'static str, Option<Seconds>); N]) -> Vec<Life> {
    lives.into_iter().filter_map(|(name, life)| Some((name, life?.get().to_string()))).collect()
}

fn least(lives: impl Iterator<Item = Seconds>) -> Option<Seconds> {
    lives.min_by_key(|life| life.get())
}

fn remembered(policy: &Policy) -> Option<Seconds> {
    policy.remember.map(|remember| remember.r#for)
}

/// The life of the links that these policies mail.
fn mailed<'p>(set: &PolicySet, policies: impl IntoIterator<Item = &'p Policy>) -> Option<Seconds> {
    let effects = policies.into_iter().flat_map(|policy| &policy.steps).filter_map(|step| match &step.kind {
        StepKind::Effect { effects } => Some(effects),
        _ => None,
    });
    let links = effects.flatten().filter_map(|effect| match effect {
        EffectWord::SendLink { policy, .. } => link_ttl(set.get(policy)?),
        _ => None,
    });
    least(links)
}

fn link_ttl(policy: &Policy) -> Option<Seconds> {
    policy.steps.iter().find_map(|step| match step.kind {
        StepKind::Link { ttl, .. } => Some(ttl),
        _ => None,
    })
}
