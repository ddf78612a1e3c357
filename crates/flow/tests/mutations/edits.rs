//! The edits: each a change of one thing in a policy that an operator could make in its file.

use countersign_flow::language::{
    AccountGuard, Branch, Clause, Destination, EffectWord, Entry, Guard, Outcome, Revocation, SendTo, Step, StepKind,
    Stop, Switch, Target, UnknownRule, Waiver,
};
use countersign_flow::{Finding, Policy, Position};
use countersign_model::{Fact, FactSet, FactorKind, Seconds};

/// A broken policy, or what its reader says of it; and the codes one of which must be found.
pub struct Edit {
    pub name: String,
    pub broken: Result<Policy, Vec<Finding>>,
    pub codes: &'static [&'static str],
}

/// Errors alone, which stop `serve`: a path lacks a factor, the set as a whole gives way, the machine ends nowhere, two
/// accounts look different, a link has no first step that waits for it.
const HOLE: &[&str] = &["E40", "E50", "E06", "E30", "E31", "E04"];
/// A step that passing leads back to.
const BACK: &[&str] = &["E06", "E07"];
/// A step that failing leads back to.
const BACK_AGAIN: &[&str] = &["W70"];
/// A question that is not asked any more, or answered the other way round: where no error is due, a step that nobody
/// needs any more says so.
const TURNED: &[&str] = &["E40", "E50", "E06", "E07", "E30", "E31", "W08"];

struct Edits<'a> {
    policy: &'a Policy,
    set: &'a [Policy],
    made: Vec<Edit>,
}

/// Every edit of `policy`.
pub fn list_edits(policy: &Policy, set: &[Policy]) -> Vec<Edit> {
    let mut edits = Edits { policy, set, made: Vec::new() };
    edits.targets();
    edits.steps();
    edits.limits();
    edits.codes();
    edits.branches();
    edits.secrets();
    edits.changes();
    edits.buttons();
    edits.texts();
    edits.requirements();
    edits.names();
    edits.policy_limits();
    edits.starts();
    edits.entries();
    edits.made
}

impl Edits<'_> {
    fn add(&mut self, name: String, codes: &'static [&'static str], change: impl FnOnce(&mut Policy)) {
        let mut broken = self.policy.clone();
        change(&mut broken);
        if broken != *self.policy {
            self.made.push(Edit { name, broken: Ok(broken), codes });
        }
    }

    fn issue(&self) -> Option<usize> {
        self.policy.steps.iter().position(|step| matches!(step.kind, StepKind::Issue))
    }

    /// Every way out of every step: to `issue`, to a policy that is not there, back to its own step.
    fn targets(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            for way in 0..step.list_targets().len() {
                let name = &step.name;
                if let Some(issue) = self.issue() {
                    self.add(format!("way {way} of {name} leads to issue"), HOLE, |policy| {
                        set_way(&mut policy.steps[index], way, Destination::Step(issue));
                    });
                }
                self.add(format!("way {way} of {name} leads to no policy"), &["E04", "N05"], |policy| {
                    set_way(&mut policy.steps[index], way, Destination::Switch(nowhere()));
                });
                self.add(format!("way {way} of {name} leads to a policy that waits for a link"), &["E04"], |policy| {
                    let to = Switch { policy: "invitation".to_owned(), optional: false, ..nowhere() };
                    set_way(&mut policy.steps[index], way, Destination::Switch(to));
                });
                if !matches!(step.kind, StepKind::Stop(_) | StepKind::Choice(_)) {
                    let codes = if is_failing(step, way) { BACK_AGAIN } else { BACK };
                    self.add(format!("way {way} of {name} leads back to it"), codes, |policy| {
                        set_way(&mut policy.steps[index], way, Destination::Step(index));
                    });
                }
            }
            for outcome in [Outcome::Spent, Outcome::Undeliverable] {
                let silent = Step { kind: StepKind::Stop(stop()), ..end() };
                self.add(
                    format!("{} of {} ends without a word", outcome.as_str(), step.name),
                    &["W70", "W08"],
                    |policy| {
                        let last = policy.steps.len();
                        let route = policy.steps[index].routes.iter_mut().find(|(routed, _)| *routed == outcome);
                        if let Some((_, target)) = route {
                            target.to = Destination::Step(last);
                            policy.steps.push(silent);
                        }
                    },
                );
            }
        }
        if let Some(issue) = self.issue() {
            self.add("cancel leads to issue".to_owned(), &["E40"], |policy| {
                if let Some(cancel) = &mut policy.cancel {
                    cancel.to = Destination::Step(issue);
                }
            });
        }
    }

    /// Every step as the first one: what stood before it is passed over.
    fn starts(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            self.add(format!("starts at {}", step.name), HOLE, |policy| policy.start = index);
        }
    }

    /// Ways in that are closed to those who take them, or open to nobody.
    fn entries(&mut self) {
        self.add("an administrator may begin it, without a link".to_owned(), &["E04"], |policy| {
            policy.entry.retain(|entry| *entry != Entry::Link);
            if !policy.allows_entry(Entry::Admin) {
                policy.entry.push(Entry::Admin);
            }
        });
        let is_switched_to = self.set.iter().any(|other| leads_to(other, &self.policy.id));
        if is_switched_to {
            self.add("nobody may switch to it".to_owned(), &["E04"], |policy| {
                policy.entry.retain(|entry| *entry != Entry::Switch);
            });
        }
    }

    /// Every step left out: who led to it leads to what it led to.
    fn steps(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let passed = step.find_route(Outcome::Ok).or_else(|| step.find_route(Outcome::Accepted));
            if let Some(Destination::Step(next)) = passed.map(|target| target.to.clone()) {
                self.add(format!("{} left out", step.name), HOLE, |policy| skip(policy, index, next));
            }
            let dead = Step { kind: StepKind::Notice, ..end() };
            self.add(format!("{} ends in a page without an end", step.name), &["E06", "W08"], |policy| {
                let last = policy.steps.len();
                if let Some((_, target)) = policy.steps[index].routes.first_mut() {
                    target.to = Destination::Step(last);
                    let to = Target { to: Destination::Step(last), at: Position::default() };
                    policy.steps.push(Step { routes: vec![(Outcome::Ok, to)], ..dead });
                }
            });
        }
    }

    fn limits(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let name = &step.name;
            if step.limits.attempts.is_some() {
                self.add(format!("{name} without attempts"), &["E20", "E21"], |policy| {
                    policy.steps[index].limits.attempts = None;
                });
                self.add(format!("{name} with 5000 attempts"), &["E20"], |policy| {
                    policy.steps[index].limits.attempts = Some(5000);
                });
                self.add(format!("{name} with one attempt"), &["W71"], |policy| {
                    policy.steps[index].limits.attempts = Some(1);
                });
            }
            if step.limits.sends.is_some() {
                self.add(format!("{name} without sends"), &["E21"], |policy| policy.steps[index].limits.sends = None);
                self.add(format!("{name} with 500 sends"), &["E21"], |policy| {
                    policy.steps[index].limits.sends = Some(500);
                });
                self.add(format!("{name} with one send"), &["W71"], |policy| {
                    policy.steps[index].limits.sends = Some(1);
                });
                self.add(format!("{name} sends again at once"), &["W71"], |policy| {
                    policy.steps[index].limits.resend_after = Seconds::new(1);
                });
                self.add(format!("{name} with a budget of 9000"), &["E21"], |policy| {
                    policy.steps[index].limits.budget.sends = 9000;
                });
            }
            if !step.limits.locks.is_empty() {
                self.add(format!("{name} without a lock"), &["E20", "E21"], |policy| {
                    policy.steps[index].limits.locks.clear();
                });
                self.add(format!("{name} locks after 5000"), &["E20"], |policy| {
                    policy.steps[index].limits.locks[0].after = 5000;
                });
                self.add(format!("{name} locks for a second"), &["W71"], |policy| {
                    policy.steps[index].limits.locks[0].r#for = Seconds::new(1);
                });
            }
        }
    }

    fn codes(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let name = &step.name;
            if otp_of(&step.kind).is_some() {
                let mut with = |what: &str, codes, digits: Option<u8>, ttl: Option<Seconds>| {
                    self.add(format!("{name} {what}"), codes, |policy| {
                        let otp = otp_mut(&mut policy.steps[index].kind);
                        otp.code.digits = digits.unwrap_or(otp.code.digits);
                        otp.code.ttl = ttl.unwrap_or(otp.code.ttl);
                    });
                };
                with("with four digits", &["E20"], Some(4), None);
                with("with a code of an hour", &["E22"], None, Some(Seconds::hours(1)));
                with("with a code of five seconds", &["W22"], None, Some(Seconds::new(5)));
            }
            if let StepKind::Link { ttl, shown } = step.kind {
                self.add(format!("{name} with a link of a month"), &["E22"], |policy| {
                    policy.steps[index].kind = StepKind::Link { ttl: Seconds::hours(24 * 30), shown };
                });
                self.add(format!("{name} with a link that is shown"), HOLE, |policy| {
                    policy.steps[index].kind = StepKind::Link { ttl, shown: true };
                });
            }
        }
    }

    fn branches(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let StepKind::Branch(branch) = &step.kind else { continue };
            for clause in 0..branch.when.len() {
                let guard = branch.when[clause].guard.to_string();
                self.add(format!("{} without {guard}", step.name), TURNED, |policy| {
                    branch_mut(policy, index).when.remove(clause);
                });
                self.add(format!("{} whatever {guard} says", step.name), TURNED, |policy| {
                    let branch = branch_mut(policy, index);
                    branch.otherwise = branch.when[clause].then.clone();
                });
                self.add(format!("{} with {guard} turned round", step.name), TURNED, |policy| {
                    let branch = branch_mut(policy, index);
                    let otherwise = branch.otherwise.clone();
                    branch.otherwise = std::mem::replace(&mut branch.when[clause].then, otherwise);
                });
            }
            self.add(format!("{} loops through another branch", step.name), &["E07"], |policy| {
                let last = policy.steps.len();
                let back = Target { to: Destination::Step(index), at: Position::default() };
                policy.steps[index] = with_otherwise(&policy.steps[index], last);
                let branch = Branch { when: Vec::new(), otherwise: back };
                policy.steps.push(Step { kind: StepKind::Branch(branch), ..end() });
            });
        }
    }

    /// What tells one account from another before anything is proven.
    fn secrets(&mut self) {
        use AccountGuard::{EmailOnly, OrgCodeValid};
        use AccountGuard::{Exists, Legacy, Locked, Passkey, Phone, RegistrationIncomplete, TermsDue, Totp};
        let secrets =
            [Exists, Phone, EmailOnly, TermsDue, Locked, Legacy, Totp, Passkey, RegistrationIncomplete, OrgCodeValid];
        let secrets = secrets.into_iter().map(Guard::Account);
        for guard in secrets.chain([Guard::Webhook("risk".to_owned())]) {
            self.add(format!("{guard} shows at the start"), &["E30"], |policy| {
                let last = policy.steps.len();
                let clause = Clause { guard, then: to(last + 1) };
                let branch = Branch { when: vec![clause], otherwise: to(policy.start) };
                policy.steps.push(Step { kind: StepKind::Branch(branch), name: "ask".to_owned(), ..end() });
                let told = Stop { shows_page: true, ..stop() };
                policy.steps.push(Step { kind: StepKind::Stop(told), name: "told".to_owned(), ..end() });
                policy.start = last;
            });
        }
        self.watches();
        for (index, step) in self.policy.steps.iter().enumerate() {
            let typed =
                |otp: &countersign_flow::language::Otp| matches!(otp.to, SendTo::InputEmail | SendTo::InputPhone);
            if matches!(&step.kind, StepKind::Otp(otp) if typed(otp)) {
                self.add(format!("{} says who is unknown", step.name), &["E30"], |policy| {
                    otp_mut(&mut policy.steps[index].kind).unknown = UnknownRule::Say;
                });
            }
        }
    }

    /// The same pages, but one account costs what another does not.
    fn watches(&mut self) {
        let costs = [EffectWord::Send("verification_code".to_owned()), EffectWord::Webhook("crm".to_owned())];
        for (guard, cost) in [AccountGuard::Exists, AccountGuard::RegistrationIncomplete].into_iter().zip(costs) {
            let guard = Guard::Account(guard);
            self.add(format!("{cost} at the start where {guard}"), &["E31"], |policy| {
                let last = policy.steps.len();
                let clause = Clause { guard, then: to(last + 1) };
                let branch = Branch { when: vec![clause], otherwise: to(policy.start) };
                policy.steps.push(Step { kind: StepKind::Branch(branch), name: "ask".to_owned(), ..end() });
                policy.steps.push(effect("cost", cost, policy.start));
                policy.start = last;
            });
        }
    }

    /// Each thing that changes an account, done to whomever before anything of them is proven.
    fn changes(&mut self) {
        let revoked = [Revocation::Sessions, Revocation::Remembered, Revocation::RefreshTokens];
        let unbound = [FactorKind::Phone, FactorKind::Mailbox, FactorKind::Totp, FactorKind::Passkey];
        let changes = revoked.into_iter().map(EffectWord::Revoke).chain(unbound.into_iter().map(EffectWord::Unbind));
        for change in changes.chain([EffectWord::ReplaceRecoveryCodes, EffectWord::CloseAccount]) {
            self.add(format!("{change} at the start"), &["E40"], |policy| {
                let last = policy.steps.len();
                policy.steps.push(effect("change", change, policy.start));
                policy.start = last;
            });
        }
    }

    /// Ways through a page of buttons: each into a page without an end, and into a loop that nobody stops.
    fn buttons(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let StepKind::Choice(choice) = &step.kind else { continue };
            for (way, option) in choice.options.iter().chain(&choice.links).enumerate() {
                self.add(format!("{} leads to a page without an end", option.id), &["E06"], |policy| {
                    let last = policy.steps.len();
                    set_way(&mut policy.steps[index], way, Destination::Step(last));
                    let dead = Step { kind: StepKind::Notice, name: "dead".to_owned(), ..end() };
                    policy.steps.push(Step { routes: vec![(Outcome::Ok, to(last))], ..dead });
                });
                self.add(format!("{} leads to a loop", option.id), &["E07"], |policy| {
                    let last = policy.steps.len();
                    set_way(&mut policy.steps[index], way, Destination::Step(last));
                    policy.steps.push(endless(last));
                });
            }
        }
        self.add("loops before its start".to_owned(), &["E07"], |policy| {
            policy.start = policy.steps.len();
            policy.steps.push(endless(policy.start));
        });
    }

    fn texts(&mut self) {
        for (index, step) in self.policy.steps.iter().enumerate() {
            let name = &step.name;
            if !step.page.is_empty() {
                self.add(format!("{name} on a page that is not there"), &["E10"], |policy| {
                    "no_such_page".clone_into(&mut policy.steps[index].page);
                });
            }
            if otp_of(&step.kind).is_some() {
                self.add(format!("{name} with a message that is not there"), &["E11"], |policy| {
                    "no_such_mail".clone_into(&mut otp_mut(&mut policy.steps[index].kind).template);
                });
            }
            match &step.kind {
                StepKind::Terms { .. } => self.add(format!("{name} of no document"), &["E11"], |policy| {
                    policy.steps[index].kind = StepKind::Terms { document: "no_such_document".to_owned() };
                }),
                StepKind::SetPassword { revoke, .. } => {
                    let (revoke, notify) = (revoke.clone(), Some("no_such_mail".to_owned()));
                    self.add(format!("{name} with a notice that is not there"), &["E11"], |policy| {
                        policy.steps[index].kind = StepKind::SetPassword { revoke, notify };
                    });
                }
                StepKind::Effect { effects } if effects.iter().any(|e| matches!(e, EffectWord::SendLink { .. })) => {
                    let at = Position::default();
                    let (policy, template) = ("phone".to_owned(), "verification_code".to_owned());
                    let link = EffectWord::SendLink { policy, template, at };
                    self.add(format!("{name} links to a policy without links"), &["E04"], |policy| {
                        policy.steps[index].kind = StepKind::Effect { effects: vec![link] };
                    });
                }
                _ => {}
            }
        }
    }

    fn requirements(&mut self) {
        for (index, entry) in self.policy.require.iter().enumerate() {
            let alone: FactSet = entry.factors.iter().filter(|fact| !self.is_covered(index, *fact)).collect();
            for fact in alone.iter() {
                self.add(format!("requirement {index} without {}", fact.as_str()), &["W42", "E40", "E50"], |policy| {
                    let kept: FactSet = entry.factors.iter().filter(|known| *known != fact).collect();
                    policy.require[index].factors = kept;
                });
            }
            for fact in [Fact::Totp, Fact::Passkey, Fact::Phone, Fact::Federated, Fact::RecoveryCode] {
                self.add(format!("requirement {index} asks for {} too", fact.as_str()), &["E40"], |policy| {
                    policy.require[index].factors = entry.factors.with(fact);
                });
            }
            for (excuse, guard) in entry.unless.iter().enumerate() {
                self.add(format!("requirement {index} whatever {guard} says"), &["E40"], |policy| {
                    policy.require[index].unless.remove(excuse);
                });
            }
            self.add(format!("requirement {index} left out"), &["W42", "E40", "E50"], |policy| {
                policy.require.remove(index);
            });
            if let Some(waiver) = &entry.waive {
                let over = Waiver { until: "2026-01-01".to_owned(), ..waiver.clone() };
                self.add(format!("the waiver {} is over", waiver.id), &["E40"], |policy| {
                    policy.require[index].waive = Some(over);
                });
                self.add(format!("the waiver {} is gone", waiver.id), &["E50"], |policy| {
                    policy.require[index].waive = None;
                });
            }
        }
    }

    /// Whether an entry for everybody asks for the factor too: without it here the policy is the same.
    fn is_covered(&self, index: usize, fact: Fact) -> bool {
        let mut others = self.policy.require.iter().enumerate().filter(|(other, _)| *other != index);
        others.any(|(_, entry)| entry.is_for_all() && entry.factors.contains(fact))
    }

    fn names(&mut self) {
        for (index, (id, _)) in self.policy.claims_acr_of.iter().enumerate() {
            self.add(format!("claims the acr of nobody instead of {id}"), &["E04"], |policy| {
                "nobody".clone_into(&mut policy.claims_acr_of[index].0);
            });
        }
        if !self.policy.claims_acr_of.is_empty() {
            // One whose factors it does not prove.
            let federates = self.policy.steps.iter().any(|step| matches!(step.kind, StepKind::Federate { .. }));
            let foreign = if federates { "recovery-codes" } else { "employees" };
            self.add(format!("claims the acr of {foreign}"), &["E40"], |policy| {
                policy.claims_acr_of = vec![(foreign.to_owned(), Position::default())];
            });
        }
        let other = self.set.iter().find(|other| other.id != self.policy.id && other.acr.is_some());
        if let (Some(other), Some(_)) = (other, &self.policy.acr) {
            self.add("takes another policy's acr".to_owned(), &["E61"], |policy| policy.acr.clone_from(&other.acr));
        }
        if let Some(other) = self.set.iter().find(|other| other.id != self.policy.id) {
            self.add("takes another policy's id".to_owned(), &["E61"], |policy| policy.id.clone_from(&other.id));
        }
        self.add("no cancel".to_owned(), &["W70"], |policy| policy.cancel = None);
        self.add("cancel leads to no policy".to_owned(), &["E04"], |policy| {
            if let Some(cancel) = &mut policy.cancel {
                cancel.to = Destination::Switch(Switch { optional: false, ..nowhere() });
            }
        });
        self.add("links, or no links".to_owned(), &["E04"], |policy| {
            let before = policy.entry.len();
            policy.entry.retain(|entry| *entry != Entry::Link);
            if policy.entry.len() == before {
                policy.entry.push(Entry::Link);
            }
        });
    }

    fn policy_limits(&mut self) {
        self.add("a minute's lifetime".to_owned(), &["W71"], |policy| policy.limits.lifetime = Seconds::minutes(1));
        self.add("a week's lifetime".to_owned(), &["W72"], |policy| policy.limits.lifetime = Seconds::hours(168));
        self.add("ten idle seconds".to_owned(), &["W71"], |policy| policy.limits.idle = Seconds::new(10));
        self.add("five idle hours".to_owned(), &["W72"], |policy| policy.limits.idle = Seconds::hours(5));
        self.add("two advances".to_owned(), &["W71"], |policy| policy.limits.advances = 2);
        self.add("60000 advances".to_owned(), &["W72"], |policy| policy.limits.advances = 60000);
        self.add("remembers for a month".to_owned(), &["W72"], |policy| {
            if let Some(remember) = &mut policy.remember {
                remember.r#for = Seconds::hours(720);
            }
        });
    }
}

fn to(step: usize) -> Target {
    Target { to: Destination::Step(step), at: Position::default() }
}

/// A branch that leads back to itself.
fn endless(index: usize) -> Step {
    let branch = Branch { when: Vec::new(), otherwise: to(index) };
    Step { kind: StepKind::Branch(branch), name: "endless".to_owned(), ..end() }
}

fn effect(name: &str, word: EffectWord, next: usize) -> Step {
    let kind = StepKind::Effect { effects: vec![word] };
    Step { kind, name: name.to_owned(), routes: vec![(Outcome::Ok, to(next))], ..end() }
}

fn nowhere() -> Switch {
    let policy = "no-such-policy".to_owned();
    Switch { policy, optional: true, carry: FactSet::EMPTY, otherwise: None, at: Position::default() }
}

fn stop() -> Stop {
    Stop { shows_page: false, error: "access_denied", links: Vec::new() }
}

fn end() -> Step {
    let text = "format = 1\nid = \"x\"\npurpose = \"login\"\nentry = [\"authorize\"]\nstart = \"end\"\n\
                [step]\nend = { kind = \"stop\", page = \"try_later\" }";
    let policy = countersign_flow::parse("x.toml", text).unwrap();
    Step { name: "made_up".to_owned(), ..policy.steps[0].clone() }
}

fn leads_to(policy: &Policy, id: &str) -> bool {
    policy.steps.iter().any(|step| {
        let own = matches!(&step.kind, StepKind::Switch(switch) if switch.policy == id);
        let is_it = |target: &&Target| matches!(&target.to, Destination::Switch(switch) if switch.policy == id);
        own || step.list_targets().iter().any(is_it)
    })
}

/// The targets of a step in the order of `list_targets`.
fn set_way(step: &mut Step, way: usize, to: Destination) {
    let routes = step.routes.len();
    if let Some((_, target)) = step.routes.get_mut(way) {
        target.to = to;
        return;
    }
    let way = way - routes;
    match &mut step.kind {
        StepKind::Choice(choice) => {
            choice.options.iter_mut().chain(&mut choice.links).nth(way).unwrap().target.to = to;
        }
        StepKind::Stop(stop) => stop.links[way].target.to = to,
        StepKind::Branch(branch) => match branch.when.get_mut(way) {
            Some(clause) => clause.then.to = to,
            None => branch.otherwise.to = to,
        },
        _ => {}
    }
}

/// Whether a way out is one of failing, not of passing.
fn is_failing(step: &Step, way: usize) -> bool {
    let failing = [Outcome::Spent, Outcome::Undeliverable, Outcome::Forgot, Outcome::Declined, Outcome::Upstream];
    step.routes.get(way).is_some_and(|(outcome, _)| failing.contains(outcome))
}

fn skip(policy: &mut Policy, index: usize, next: usize) {
    if policy.start == index {
        policy.start = next;
    }
    for step in &mut policy.steps {
        for way in 0..step.list_targets().len() {
            if step.list_targets()[way].to == Destination::Step(index) {
                set_way(step, way, Destination::Step(next));
            }
        }
    }
}

fn with_otherwise(step: &Step, to: usize) -> Step {
    let StepKind::Branch(branch) = &step.kind else { return step.clone() };
    let otherwise = Target { to: Destination::Step(to), at: Position::default() };
    Step { kind: StepKind::Branch(Branch { when: branch.when.clone(), otherwise }), ..step.clone() }
}

fn branch_mut(policy: &mut Policy, index: usize) -> &mut Branch {
    match &mut policy.steps[index].kind {
        StepKind::Branch(branch) => branch,
        _ => unreachable!("asked for a branch"),
    }
}

fn otp_of(kind: &StepKind) -> Option<&countersign_flow::language::Otp> {
    match kind {
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => Some(otp),
        _ => None,
    }
}

fn otp_mut(kind: &mut StepKind) -> &mut countersign_flow::language::Otp {
    match kind {
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => otp,
        _ => unreachable!("asked for a code"),
    }
}
