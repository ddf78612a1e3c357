//! What a try and a send are charged to.

use super::Here;
use crate::language::{CountScope, LockRule};
use crate::{Charge, Effect, Limit};

/// The charges of a try: the instance's own counter, then the locks that outlive it.
pub(super) fn list_attempts(here: Here, subject: impl Fn(&LockRule) -> String) -> Vec<Charge> {
    let Here { policy, step, .. } = here;
    let own = step.limits.attempts.map(|allowed| Charge {
        scope: CountScope::Instance,
        name: format!("{}/{}/attempts", policy.id, step.name),
        subject: String::new(),
        limit: Limit { allowed, window: policy.limits.lifetime, lock: None },
    });
    let locks = step.limits.locks.iter().map(|rule| Charge {
        scope: rule.scope,
        // People are known by one name everywhere; a network or a client is many people, counted where they are.
        name: if rule.scope.is_shared() {
            format!("{}/{}/lock", policy.id, step.name)
        } else {
            format!("{}/lock", step.kind.as_str())
        },
        subject: subject(rule),
        limit: Limit::from(rule),
    });
    own.into_iter().chain(locks).collect()
}

/// The charges of a try by the account in hand, or, while there is none, by what was typed.
pub(super) fn list_tries(here: Here) -> Vec<Charge> {
    let instance = here.instance;
    let typed = || instance.recipient.clone().or_else(|| instance.identifier.clone()).unwrap_or_default();
    list_attempts(here, |rule| match rule.scope {
        CountScope::Identifier => instance.identifier.clone().unwrap_or_else(typed),
        CountScope::Account => instance.account.as_ref().map_or_else(typed, ToString::to_string),
        CountScope::Target => instance.recipient.clone().unwrap_or_default(),
        CountScope::Instance | CountScope::Ip | CountScope::Client => String::new(),
    })
}

/// The charges of a send: the instance's own, then what the recipient bears over all instances and policies.
pub(super) fn list_sends(here: Here, what: &str, recipient: &str) -> Vec<Charge> {
    let Here { policy, step, .. } = here;
    let own = step.limits.sends.map(|allowed| Charge {
        scope: CountScope::Instance,
        name: format!("{}/{}/sends", policy.id, step.name),
        subject: String::new(),
        limit: Limit { allowed, window: policy.limits.lifetime, lock: None },
    });
    let budget = step.limits.budget;
    let target = Charge {
        scope: CountScope::Target,
        name: format!("send/{what}"),
        subject: recipient.to_owned(),
        limit: Limit { allowed: budget.sends, window: budget.per, lock: None },
    };
    own.into_iter().chain([target]).collect()
}

/// Those of `charges` that a right answer sets back: what counts by person, not by address or client.
pub(super) fn list_resets(charges: Vec<Charge>) -> impl Iterator<Item = Effect> {
    use CountScope::{Account, Identifier, Target};
    charges.into_iter().filter(|charge| matches!(charge.scope, Account | Identifier | Target)).map(Effect::ResetCounter)
}
