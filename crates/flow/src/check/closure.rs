//! E50: the recovery closure over the whole set.
//!
//! What an intruder must hold to pass a login policy is not what that policy asks for: recovery, registration and
//! enrolment let whoever passes them set a password or bind a factor, which the login policy then takes for the owner's.
//!
//! The world is an account whose registration is **finished**, with or without phone, app and passkey, and an intruder
//! who holds some of: password, mailbox, phone, totp, passkey, recovery_code, federated, legacy, admin (an administrator
//! sends a link). He needs every thing a step proves unless he set it himself on the way; a mailed link takes the mailbox
//! and whatever sends it. He has everything of his own: other mailboxes, other phones, other accounts; he has not the
//! owner's browser. What a step sets counts from that step on, issued or not.
//!
//! A least set is an error when holding it takes fewer factors than the policy requires of that account (`Held::weigh`),
//! unless only a waiver in force makes it one. So {mailbox, phone} for {password, phone} is a substitution, and {mailbox}
//! is a hole.

use std::collections::{BTreeMap, HashSet};

use countersign_model::{Fact, FactSet};

use super::explore::show;
use super::finding;
use super::held::Held;
use super::world::Traits;
use crate::language::{AccountGuard, Guard, Policy, Purpose};
use crate::{Finding, PolicySet};

/// The second factors of an account.
const FACTORS: [(Fact, AccountGuard); 3] =
    [(Fact::Phone, AccountGuard::Phone), (Fact::Totp, AccountGuard::Totp), (Fact::Passkey, AccountGuard::Passkey)];

/// A login policy of the set, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pass(pub(super) usize);

/// One way through policies: what it takes and what it gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    /// Which traits of the account the way asked for.
    pub(super) known: Traits,
    /// What it was answered.
    pub(super) before: Traits,
    /// What holds afterwards.
    pub(super) after: Traits,
    pub(super) takes: Held,
    pub(super) gives: Held,
    /// The login policy it passes.
    pub(super) pass: Option<Pass>,
    /// Last day of the waiver it rests on.
    pub(super) waived: Option<String>,
}

impl Rule {
    /// The traits an account is told apart by here.
    pub(super) const FACTORS: Traits = Traits::NONE
        .with(AccountGuard::Phone)
        .with(AccountGuard::Totp)
        .with(AccountGuard::Passkey)
        .with(AccountGuard::EmailOnly);

    /// Whether the account has a factor that this way never asks for.
    fn passes_over(&self, account: Traits) -> bool {
        let factors = FACTORS.into_iter();
        factors.filter(|(_, guard)| account.has(*guard)).any(|(fact, _)| !self.takes.has(Held::of(fact)))
    }

    fn fits(&self, node: Node) -> bool {
        node.account.both(self.known) == self.before && node.held.with_admins_links().has(self.takes)
    }

    fn follow(&self, node: Node) -> Node {
        let changed = self.known.either(self.after);
        let account = node.account.but(changed).either(self.after).both(Rule::FACTORS);
        Node { held: node.held.and(self.gives), account: settle(account) }
    }
}

/// Mail-only is who has no second factor.
const fn settle(account: Traits) -> Traits {
    let bare = account.without(AccountGuard::EmailOnly);
    if bare.is_none() { bare.with(AccountGuard::EmailOnly) } else { bare }
}

/// Every way, each by its shortest path.
#[derive(Default)]
pub(super) struct Rules {
    ways: BTreeMap<Rule, Vec<String>>,
}

impl Rules {
    pub(super) fn note(&mut self, rule: Rule, path: impl FnOnce() -> Vec<String>) {
        if let std::collections::btree_map::Entry::Vacant(free) = self.ways.entry(rule) {
            free.insert(path());
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    held: Held,
    account: Traits,
}

/// What may be relied on. A waiver excuses what an account has not got: a way that passes over a factor of the account
/// may be relied on whatever waiver it rests on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waivers {
    /// Ways that no waiver excuses.
    None,
    /// Those, and ways whose waiver is over.
    Expired,
    /// Every way.
    All,
}

/// How a login policy was passed: the ways, in order.
type Passed<'r> = BTreeMap<Pass, Vec<&'r [String]>>;

/// A way and its path.
type Known<'r> = (&'r Rule, &'r [String]);

fn list_passed<'r>(ways: &[Known<'r>], from: Node) -> Passed<'r> {
    let mut passed = Passed::new();
    let mut nodes: Vec<(Node, Option<(usize, usize)>)> = vec![(from, None)];
    let mut seen = HashSet::from([from]);
    let mut next = 0;
    while let Some(&(node, _)) = nodes.get(next) {
        for (index, (rule, path)) in ways.iter().enumerate() {
            if !rule.fits(node) {
                continue;
            }
            if let Some(pass) = rule.pass {
                passed.entry(pass).or_insert_with(|| {
                    let mut chain = trace(ways, &nodes, next);
                    chain.push(path);
                    chain
                });
            }
            let onward = rule.follow(node);
            if seen.insert(onward) {
                nodes.push((onward, Some((next, index))));
            }
        }
        next += 1;
    }
    passed
}

fn trace<'r>(ways: &[Known<'r>], nodes: &[(Node, Option<(usize, usize)>)], last: usize) -> Vec<&'r [String]> {
    let mut chain = Vec::new();
    let mut at = nodes.get(last);
    while let Some((_, Some((from, way)))) = at {
        chain.extend(ways.get(*way).map(|(_, path)| *path));
        at = nodes.get(*from);
    }
    chain.reverse();
    chain
}

/// A least set of things that pass a login policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeastSet {
    /// The login policy.
    pub policy: String,
    /// What the account has beside password and mailbox: `phone`, `totp`, `passkey`.
    pub account: Vec<&'static str>,
    /// What it takes: facts, and `admin` for an administrator who acts.
    pub held: Vec<&'static str>,
    /// What the policy requires of such an account.
    pub required: Vec<&'static str>,
    /// Whether a waiver alone lets so little do.
    pub waived: bool,
    /// The steps.
    pub path: Vec<String>,
}

struct Closure<'a> {
    set: &'a PolicySet,
    rules: &'a Rules,
    today: &'a str,
}

impl<'a> Closure<'a> {
    /// The ways that count for who has such an account.
    fn list_ways(&self, waivers: Waivers, account: Traits) -> Vec<Known<'a>> {
        let is_excused = |rule: &Rule| match (&rule.waived, waivers) {
            (None, _) | (_, Waivers::All) => false,
            (Some(until), Waivers::Expired) => until.as_str() >= self.today,
            (Some(_), Waivers::None) => true,
        };
        let counts = |rule: &Rule| !is_excused(rule) || rule.passes_over(account);
        let ways = self.rules.ways.iter().filter(|(rule, _)| counts(rule));
        ways.map(|(rule, path)| (rule, path.as_slice())).collect()
    }

    fn list_logins(&self) -> Vec<(Pass, &'a Policy)> {
        let policies = self.set.iter().enumerate();
        let logins = policies.filter(|(_, policy)| policy.purpose == Purpose::Login && policy.can_issue());
        logins.map(|(index, policy)| (Pass(index), policy)).collect()
    }

    /// The least sets per login policy and account, of those sets that weigh less than `bound` of the account.
    fn list_least(&self, waivers: Waivers, bound: impl Fn(Traits) -> u32) -> Vec<(Pass, Traits, Held, Vec<String>)> {
        let sets: Vec<(Held, u32)> = Held::list_sets().into_iter().map(|held| (held, held.weigh())).collect();
        let mut least: Vec<(Pass, Traits, Held, Vec<String>)> = Vec::new();
        for account in list_accounts() {
            let ways = self.list_ways(waivers, account);
            let bound = bound(account);
            for &(held, weight) in &sets {
                if weight >= bound || !can_hold(held, account) {
                    continue;
                }
                for (pass, chain) in list_passed(&ways, Node { held, account }) {
                    let known = least.iter().any(|(p, a, h, _)| *p == pass && *a == account && held.has(*h));
                    if !known {
                        least.push((pass, account, held, chain.concat()));
                    }
                }
            }
        }
        least
    }
}

/// Every kind of finished account: with and without phone, app and passkey.
fn list_accounts() -> Vec<Traits> {
    let with = |bits: u32| {
        let has = FACTORS.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        settle(has.fold(Traits::NONE, |account, (_, (_, guard))| account.with(*guard)))
    };
    (0..8).map(with).collect()
}

/// Nobody holds what the account has not.
fn can_hold(held: Held, account: Traits) -> bool {
    FACTORS.into_iter().all(|(fact, guard)| !held.has(Held::of(fact)) || account.has(guard))
}

/// What a policy requires of such an account.
fn required(policy: &Policy, account: Traits) -> FactSet {
    let applies = |guard: &Guard| matches!(guard, Guard::Account(asked) if account.has(*asked));
    let applying = policy.require.iter().filter(|entry| entry.applies(applies));
    applying.fold(FactSet::EMPTY, |all, entry| all.union(entry.factors))
}

fn words(account: Traits) -> Vec<&'static str> {
    let named = [(AccountGuard::Phone, "phone"), (AccountGuard::Totp, "totp"), (AccountGuard::Passkey, "passkey")];
    named.into_iter().filter(|(guard, _)| account.has(*guard)).map(|(_, word)| word).collect()
}

pub(super) fn check(set: &PolicySet, rules: &Rules, today: &str, findings: &mut Vec<Finding>) {
    let closure = Closure { set, rules, today };
    let logins = closure.list_logins();
    let price = |policy: &Policy, account| Held::from(required(policy, account)).weigh();
    let dearest = |account| logins.iter().map(|(_, policy)| price(policy, account)).max().unwrap_or_default();
    let mut seen = HashSet::new();
    let is_over = |rule: &Rule| rule.waived.as_ref().is_some_and(|until| until.as_str() < today);
    let expired = rules.ways.keys().any(is_over).then_some((Waivers::Expired, true));
    for (waivers, waiver_expired) in [(Waivers::None, false)].into_iter().chain(expired) {
        for (pass, account, held, path) in closure.list_least(waivers, dearest) {
            let Some((_, policy)) = logins.iter().find(|(known, _)| *known == pass) else { continue };
            if held.weigh() >= price(policy, account) || !seen.insert((pass, held)) {
                continue;
            }
            let whose = match words(account).as_slice() {
                [] => "an account with nothing but its mailbox".to_owned(),
                factors => format!("an account with {}", factors.join(" and ")),
            };
            let quoted: Vec<String> = held.words().iter().map(|word| format!("'{word}'")).collect();
            let message = format!(
                "[{}] is enough to pass `{}` for {whose}, which needs {}",
                quoted.join(","),
                policy.id,
                show(required(policy, account))
            );
            let at = policy.require.first().map_or(policy.at, |entry| entry.at);
            findings.push(Finding { path, waiver_expired, ..finding(policy, "E50", at, message) });
        }
    }
}

/// All least sets, for people.
pub(super) fn list_least_sets(set: &PolicySet, rules: &Rules, today: &str) -> Vec<LeastSet> {
    let closure = Closure { set, rules, today };
    let logins = closure.list_logins();
    let firm: HashSet<(Pass, Traits, Held)> = closure
        .list_least(Waivers::None, |_| u32::MAX)
        .into_iter()
        .map(|(pass, account, held, _)| (pass, account, held))
        .collect();
    let mut sets: Vec<LeastSet> = Vec::new();
    for (pass, account, held, path) in closure.list_least(Waivers::All, |_| u32::MAX) {
        let Some((_, policy)) = logins.iter().find(|(known, _)| *known == pass) else { continue };
        sets.push(LeastSet {
            policy: policy.id.clone(),
            account: words(account),
            held: held.words(),
            required: Held::from(required(policy, account)).words(),
            waived: !firm.contains(&(pass, account, held)),
            path,
        });
    }
    sets.sort();
    sets
}
