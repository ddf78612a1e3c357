//! A policy tried out without stores, couriers and people: a fake account, codes that are shown, limits that count.
//!
//! For `countersign policy run`, and for the test that walks every path of every shipped policy.

pub mod script;

use std::collections::BTreeMap;

use countersign_model::{FactorKind, OrganizationId, Seconds, Timestamp, UserId};
use zeroize::Zeroizing;

use crate::language::{Channel, Entry, StepKind};
use crate::{
    AccountFacts, AccountKey, Advance, BeginError, Binding, ChargeVerdict, Effect, Facts, Federated, FlowError, Input,
    Instance, Limit, LinkState, Needs, Next, PageView, PasskeyProof, PasskeyUse, PolicySet, Verdict, advance, begin,
    needs, view,
};

/// Mail address of the fake account.
pub const EMAIL: &str = "person@example.com";
/// Its user name.
pub const USERNAME: &str = "person";
/// Its password, and that of the legacy portal.
pub const PASSWORD: &str = "velvet tuba lagoon";
/// Its phone, where it has one.
pub const PHONE: &str = "+12025553661";
/// What its authenticator app shows.
pub const TOTP_CODE: &str = "123456";
/// Its recovery code.
pub const RECOVERY_CODE: &str = "abcd1234";
/// The organization there is, and its registration code.
pub const ORGANIZATION: (&str, &str) = ("1234567893", "join-us");
/// What a passkey that is refused sends.
pub const WRONG: &str = "wrong";

/// The fake world a policy runs in.
#[derive(Clone, Debug)]
pub struct World {
    /// The accounts; the first is the person's who sits at the browser.
    pub accounts: Vec<AccountFacts>,
    /// What the request brings: client, locale, acr values, what is remembered, the session, webhooks' answers.
    pub facts: Facts,
    /// What became of the mailed link.
    pub link: LinkState,
    /// Whom the upstream provider vouches for.
    pub federated: Option<Federated>,
    /// Whether the telephone is answered.
    pub answers: bool,
    /// Whether texts and calls never arrive.
    pub loses: bool,
    /// Whether every limit is used up.
    pub is_spent: bool,
}

impl World {
    /// A finished account with mail address, mailbox, password, user name and nothing else.
    pub fn new(now: Timestamp) -> Self {
        let user = UserId::new(now, [1; 10]);
        let person = AccountFacts {
            email: Some(EMAIL.to_owned()),
            mailbox: Some(EMAIL.to_owned()),
            username: Some(USERNAME.to_owned()),
            has_password: true,
            ..AccountFacts::new(user.clone())
        };
        let facts = Facts {
            client: "client".to_owned(),
            locale: "en".to_owned(),
            countries: vec!["US".to_owned(), "CA".to_owned()],
            ..Facts::default()
        };
        Self {
            accounts: vec![person],
            facts,
            link: LinkState::Holds(user.clone()),
            federated: Some(Federated { user, is_new: false, auth_time: None }),
            answers: false,
            loses: false,
            is_spent: false,
        }
    }

    fn find(&self, key: &AccountKey) -> Option<&AccountFacts> {
        self.accounts.iter().find(|account| match key {
            AccountKey::Email(email) => account.email.as_ref() == Some(email),
            AccountKey::Username(name) => account.username.as_ref() == Some(name),
            AccountKey::Id(id) => account.user == *id,
        })
    }

    fn person(&self) -> Option<UserId> {
        self.accounts.first().map(|account| account.user.clone())
    }
}

/// A message that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `email`, `sms`, `voice`; `link` for a mail with a link.
    pub carrier: &'static str,
    /// Address or number; empty where nobody is meant.
    pub to: String,
    /// Template; of a link also the policy it begins.
    pub template: String,
    /// The code in it.
    pub code: Option<String>,
}

/// A flow under way in a fake world.
#[derive(Clone)]
pub struct DryRun {
    /// The world; may be changed between two inputs.
    pub world: World,
    set: PolicySet,
    now: Timestamp,
    instance: Instance,
    counters: BTreeMap<String, (Timestamp, u32)>,
    messages: Vec<Message>,
    effects: Vec<Effect>,
    link: Option<(String, UserId)>,
}

impl DryRun {
    /// Begins a flow of `policy` by the first entry it allows.
    ///
    /// # Errors
    /// Those of `begin`.
    pub fn begin(set: PolicySet, policy: &str, world: World, now: Timestamp) -> Result<(Self, Next), BeginError> {
        let found = set.get(policy).ok_or(BeginError::UnknownPolicy)?;
        let entry = found.entry.iter().copied().min_by_key(|entry| matches!(entry, Entry::Admin | Entry::Switch));
        let entry = entry.unwrap_or(Entry::Authorize);
        let mut world = world;
        for provider in list_providers(&set) {
            let domain = format!("{provider}.example");
            world.facts.upstream_domains.entry(provider).or_insert_with(|| vec![domain]);
        }
        let begun = begin(&set, policy, entry, &begin_facts(&set, &world), now)?;
        let mut run = Self {
            world,
            set,
            now,
            instance: begun.instance.clone(),
            counters: BTreeMap::new(),
            messages: Vec::new(),
            effects: Vec::new(),
            link: None,
        };
        let next = run.keep(begun);
        Ok((run, next))
    }

    /// Begins the flow of the link that was mailed last; none when there was none.
    ///
    /// # Errors
    /// Those of `begin`.
    pub fn open_link(&mut self) -> Option<Result<Next, BeginError>> {
        let (policy, user) = self.link.clone()?;
        self.world.link = LinkState::Holds(user);
        let begun = begin(&self.set, &policy, Entry::Link, &begin_facts(&self.set, &self.world), self.now);
        Some(begun.map(|begun| self.keep(begun)))
    }

    /// The page it waits at.
    ///
    /// # Errors
    /// Those of `view`.
    pub fn page(&self) -> Result<PageView, FlowError> {
        let mut page = view(&self.set, &self.instance, self.now)?;
        page.offer_countries(&self.world.facts.countries);
        Ok(page)
    }

    /// Posts a form: charges, loads, verifies, derives, advances.
    ///
    /// # Errors
    /// Those of `advance`.
    pub fn post(&mut self, input: &Input) -> Result<Next, FlowError> {
        let needs = needs(&self.set, &self.instance, input, self.now);
        let facts = self.find_facts(&needs, input);
        let advanced = advance(&self.set, &self.instance, input, &facts, self.now)?;
        Ok(self.keep(advanced))
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: Seconds) {
        self.now = self.now.plus(span);
    }

    /// What would have been sent, oldest first.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What the last decision would have done.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The running instance.
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The policy it runs in; none when it is over.
    pub fn policy(&self) -> Option<&str> {
        self.set.find_by_digest(self.instance.policy_digest()).map(|policy| policy.id.as_str())
    }

    fn find_facts(&mut self, needs: &Needs, input: &Input) -> Facts {
        let mut facts = begin_facts(&self.set, &self.world);
        facts.account = None;
        for charge in &needs.charges {
            let key = format!("{:?} {} {}", charge.scope, charge.name, charge.subject);
            if self.world.is_spent || !self.count(key, charge.limit) {
                facts.charges.push(ChargeVerdict::Refused { retry_after: Seconds::minutes(1) });
                return facts;
            }
            facts.charges.push(ChargeVerdict::Allowed);
        }
        let world = &self.world;
        facts.link = if needs.link { world.link.clone() } else { LinkState::Unknown };
        facts.federated = world.federated.clone().filter(|_| needs.federation);
        facts.passkey = needs.passkey.and_then(|wanted| find_passkey(world, needs, wanted, input));
        let key = needs.account.clone().or_else(|| find_person(&facts).map(AccountKey::Id));
        let key = key.or_else(|| facts.session.as_ref().map(|session| AccountKey::Id(session.user.clone())));
        facts.account = key.and_then(|key| world.find(&key)).cloned();
        self.verify(needs, input, &mut facts);
        facts
    }

    fn verify(&self, needs: &Needs, input: &Input, facts: &mut Facts) {
        let world = &self.world;
        let given = input.field("password") == PASSWORD;
        let verdict = |has: bool| if given && has { Verdict::Right } else { Verdict::Wrong };
        if needs.verify_password {
            facts.password = verdict(facts.account.as_ref().is_some_and(|account| account.has_password));
        }
        if needs.verify_legacy {
            facts.legacy = verdict(facts.account.as_ref().is_some_and(|account| account.legacy));
        }
        let step = self.now.as_secs() / 30;
        facts.totp_step = needs.totp_code.as_ref().filter(|code| *code == TOTP_CODE).map(|_| step);
        facts.code = needs.code_label.as_deref().map(|label| derive_digits(label, needs.code_digits));
        facts.password_hash = needs.hash_password.then(|| Zeroizing::new("phc".to_owned()));
        let mailed = |email: &String| !world.accounts.iter().any(|account| account.email.as_ref() == Some(email));
        facts.email_free = needs.free_email.as_ref().map(mailed);
        let named = |name: &String| !world.accounts.iter().any(|account| account.username.as_ref() == Some(name));
        facts.username_free = needs.free_username.as_ref().map(named);
        let right =
            needs.organization.as_ref().is_some_and(|key| (key.npi.as_str(), key.code.as_str()) == ORGANIZATION);
        facts.organization = right.then(|| OrganizationId::new(self.now, [7; 10]));
        facts.new_user = needs.new_user.then(|| UserId::new(self.now, [9; 10]));
        facts.approved = needs.approval.is_some() && world.answers;
        facts.undeliverable = needs.delivery.is_some() && world.loses;
        facts.recovery_code = needs.recovery_code.as_ref().filter(|code| *code == RECOVERY_CODE).map(|_| [3; 32]);
    }

    /// Counts one charge; false when it is past its limit. A lock lasts here until the counter's window is over.
    fn count(&mut self, key: String, limit: Limit) -> bool {
        let counter = self.counters.entry(key).or_insert((self.now, 0));
        if self.now >= counter.0.plus(limit.window) {
            *counter = (self.now, 0);
        }
        counter.1 = counter.1.saturating_add(1);
        counter.1 <= limit.allowed
    }

    fn keep(&mut self, advanced: Advance) -> Next {
        for effect in &advanced.effects {
            self.apply(effect);
        }
        self.effects = advanced.effects;
        self.instance = advanced.instance;
        advanced.next
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Send { channel, to, template, code, .. } => {
                self.write(channel.as_str(), to, template, code.clone());
            }
            Effect::Pretend { channel, .. } => self.write(channel.as_str(), "", "pretended", None),
            Effect::Warn { to, template, .. } => self.write(Channel::Email.as_str(), to, template, None),
            Effect::Notify { user, template, .. } => {
                let to = self.find_mailbox(user).unwrap_or_default();
                self.write(Channel::Email.as_str(), &to, template, None);
            }
            Effect::SendLink { user, policy, template, .. } => {
                let to = self.find_mailbox(user).unwrap_or_default();
                self.link = Some((policy.clone(), user.clone()));
                self.write("link", &to, &format!("{template} (begins {policy})"), None);
            }
            Effect::ResetCounter(charge) => {
                self.counters.remove(&format!("{:?} {} {}", charge.scope, charge.name, charge.subject));
            }
            Effect::ConsumeLink => self.world.link = LinkState::Used,
            Effect::CreateAccount { user, form, .. } => self.world.accounts.push(AccountFacts {
                email: form.get("email").cloned(),
                username: form.get("username").cloned(),
                registration_incomplete: true,
                terms_due: true,
                ..AccountFacts::new(user.clone())
            }),
            _ => self.change(effect),
        }
    }

    /// What an effect does to an account.
    fn change(&mut self, effect: &Effect) {
        let (Effect::SetPassword { user, .. }
        | Effect::BindFactor { user, .. }
        | Effect::UnbindFactor { user, .. }
        | Effect::CompleteRegistration { user }
        | Effect::AcceptTerms { user, .. }
        | Effect::CloseAccount { user }) = effect
        else {
            return;
        };
        let Some(account) = self.world.accounts.iter_mut().find(|account| account.user == *user) else { return };
        match effect {
            Effect::SetPassword { .. } => (account.has_password, account.legacy) = (true, false),
            Effect::BindFactor { binding, .. } => match binding {
                Binding::Mailbox(to) => (account.email, account.mailbox) = (Some(to.clone()), Some(to.clone())),
                Binding::Phone(to) => account.phone = Some(to.clone()),
                Binding::Totp { .. } => account.totp = true,
                Binding::Passkey => account.passkey = true,
            },
            Effect::UnbindFactor { kind: FactorKind::Phone, .. } => account.phone = None,
            Effect::UnbindFactor { kind: FactorKind::Mailbox, .. } => account.mailbox = None,
            Effect::UnbindFactor { kind: FactorKind::Totp, .. } => account.totp = false,
            Effect::UnbindFactor { kind: FactorKind::Passkey, .. } => account.passkey = false,
            Effect::CompleteRegistration { .. } => {
                (account.registration_incomplete, account.legacy) = (false, false);
            }
            Effect::AcceptTerms { .. } => account.terms_due = false,
            _ => account.active = false,
        }
    }

    fn find_mailbox(&self, user: &UserId) -> Option<String> {
        let account = self.world.accounts.iter().find(|account| account.user == *user)?;
        account.mailbox.clone().or_else(|| account.email.clone())
    }

    fn write(&mut self, carrier: &'static str, to: &str, template: &str, code: Option<String>) {
        self.messages.push(Message { carrier, to: to.to_owned(), template: template.to_owned(), code });
    }
}

/// The facts of a request, with the current version of every document the set shows.
/// The upstream providers that the policies name. The people of each have addresses in `<provider>.example`.
fn list_providers(set: &PolicySet) -> Vec<String> {
    let steps = set.iter().flat_map(|policy| &policy.steps);
    let providers = steps.filter_map(|step| match &step.kind {
        StepKind::Federate { provider } => Some(provider.clone()),
        _ => None,
    });
    providers.collect()
}

fn begin_facts(set: &PolicySet, world: &World) -> Facts {
    let mut facts = world.facts.clone();
    for step in set.iter().flat_map(|policy| &policy.steps) {
        if let StepKind::Terms { document } = &step.kind {
            facts.terms.entry(document.clone()).or_insert_with(|| "1".to_owned());
        }
    }
    let known = facts.session.as_ref().map(|session| AccountKey::Id(session.user.clone()));
    facts.account = known.and_then(|key| world.find(&key)).cloned();
    facts
}

/// Who the person turns out to be.
fn find_person(facts: &Facts) -> Option<UserId> {
    let linked = match &facts.link {
        LinkState::Holds(user) => Some(user.clone()),
        _ => None,
    };
    let passkey = facts.passkey.as_ref().map(|proof| proof.user.clone());
    linked.or(passkey).or_else(|| facts.federated.as_ref().map(|person| person.user.clone()))
}

fn find_passkey(world: &World, needs: &Needs, wanted: PasskeyUse, input: &Input) -> Option<PasskeyProof> {
    let named = needs.account.as_ref().and_then(|key| world.find(key)).map(|account| account.user.clone());
    let user = named.or_else(|| world.person())?;
    let has = world.find(&AccountKey::Id(user.clone())).is_some_and(|account| account.passkey);
    let right = input.field("credential") != WRONG && (has || wanted == PasskeyUse::Register);
    right.then_some(PasskeyProof { user, verified: true })
}

/// Digits for a label: no secret, and other labels mostly have others.
fn derive_digits(label: &str, digits: u8) -> String {
    let sum = label.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let width = usize::from(digits.min(12));
    let number = sum % 10_u64.saturating_pow(u32::from(digits.min(12)));
    format!("{number:0width$}")
}

#[cfg(test)]
mod tests;
