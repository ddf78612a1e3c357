//! A service in miniature: counters, three accounts, codes by label, and a clock that tests move.

use std::collections::BTreeMap;

use countersign_model::{Fact, FactorKind, OrganizationId, ProvenFact, Seconds, Timestamp, UserId};

use crate::language::Entry;
use crate::{
    AccountFacts, AccountKey, Advance, Binding, ChargeVerdict, Effect, Facts, Federated, FlowError, Input, Instance,
    LinkState, Needs, Next, PageView, PasskeyProof, Policy, PolicySet, RememberedFacts, Verdict, advance, begin, needs,
    parse, view,
};

pub(crate) const EMAIL: &str = include_str!("../../../../../config/policies/email.toml");
pub(crate) const OPTIONS: &str = include_str!("../../../../../config/policies/login-options.toml");
pub(crate) const TOTP: &str = include_str!("../../../../../config/policies/totp.toml");
pub(crate) const LAB: &str = include_str!("../../../../../config/policies/demo/lab.toml");

pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const PASSWORD: &str = "ward-seven-0918-lamp";

pub(crate) fn read(text: &str) -> Policy {
    parse("test.toml", text).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

pub(crate) fn shipped() -> PolicySet {
    PolicySet::new([OPTIONS, EMAIL, TOTP, LAB].into_iter().map(read).collect())
}

/// Every policy of the shipped folder.
pub(crate) fn list_shipped() -> Vec<Policy> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut paths: Vec<_> = [folder.clone(), folder.join("demo")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read(&std::fs::read_to_string(path).unwrap())).collect()
}

/// Read once: the tests that try thousands of inputs would spend their time on reading.
static SHIPPED: std::sync::LazyLock<PolicySet> = std::sync::LazyLock::new(|| PolicySet::new(list_shipped()));

pub(crate) fn all_shipped() -> PolicySet {
    SHIPPED.clone()
}

/// The shipped policies, one of them with these changes of its text.
pub(crate) fn all_shipped_but(id: &str, changes: &[(&str, &str)]) -> PolicySet {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut text = std::fs::read_to_string(folder.join(format!("{id}.toml"))).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let others = SHIPPED.iter().filter(|policy| policy.id != id).cloned();
    PolicySet::new(others.chain([read(&text)]).collect())
}

pub(crate) const PHONE: &str = "+12025553661";
/// Recovery code that every account of the driver has.
pub(crate) const RECOVERY_CODE: &str = "abcd1234";

pub(crate) fn user(number: u8) -> UserId {
    UserId::new(Timestamp::from_millis(0), [number; 10])
}

/// An account that signs in with `name@example.com`.
pub(crate) fn account(number: u8, name: &str) -> AccountFacts {
    let email = format!("{name}@example.com");
    AccountFacts {
        email: Some(email.clone()),
        mailbox: Some(email),
        has_password: true,
        ..AccountFacts::new(user(number))
    }
}

pub(crate) fn remembered(policy: &str, number: u8, facts: &[Fact], at: Timestamp) -> RememberedFacts {
    let facts = facts.iter().map(|fact| ProvenFact { fact: *fact, at }).collect();
    RememberedFacts { policy: policy.to_owned(), user: user(number), facts }
}

/// Digits for a label: different labels, different digits, as far as a test needs it.
pub(crate) fn digits(label: &str) -> String {
    let number = label.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{:06}", number % 1_000_000)
}

pub(crate) struct Driver {
    pub set: PolicySet,
    pub now: Timestamp,
    pub accounts: Vec<AccountFacts>,
    pub facts: Facts,
    pub instance: Option<Instance>,
    pub counters: BTreeMap<String, u32>,
    pub sent: Vec<(String, String)>,
    pub effects: Vec<Effect>,
    /// Whether the telephone answers calls.
    pub answers: bool,
    pub link: LinkState,
    pub passkey: Option<PasskeyProof>,
    pub federated: Option<Federated>,
    /// Labels of codes that were asked for.
    pub asked: Vec<Needs>,
}

impl Driver {
    pub(crate) fn new(set: PolicySet) -> Self {
        let accounts = vec![account(1, "hospital"), account(2, "dduck")];
        Self {
            set,
            now: START,
            accounts,
            facts: Facts {
                client: "case-portal".to_owned(),
                locale: "en".to_owned(),
                countries: vec!["US".to_owned(), "CA".to_owned()],
                terms: BTreeMap::from([("portal_terms".to_owned(), "2026-01".to_owned())]),
                ..Facts::default()
            },
            instance: None,
            counters: BTreeMap::new(),
            sent: Vec::new(),
            effects: Vec::new(),
            answers: false,
            link: LinkState::Unknown,
            passkey: None,
            federated: None,
            asked: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, policy: &str) -> Next {
        self.enter(policy, Entry::Authorize)
    }

    pub(crate) fn enter(&mut self, policy: &str, entry: Entry) -> Next {
        let begun = begin(&self.set, policy, entry, &self.facts, self.now).unwrap();
        self.keep(begun)
    }

    pub(crate) fn wait(&mut self, millis: i64) {
        self.now = Timestamp::from_millis(self.now.as_millis() + millis);
    }

    pub(crate) fn instance(&self) -> &Instance {
        self.instance.as_ref().unwrap()
    }

    pub(crate) fn needs(&self, input: &Input) -> Needs {
        needs(&self.set, self.instance(), input, self.now)
    }

    pub(crate) fn view(&self) -> PageView {
        view(&self.set, self.instance(), self.now).unwrap()
    }

    /// One post: charges, loads, verifies, derives, advances.
    pub(crate) fn try_post(&mut self, input: &Input) -> Result<Next, FlowError> {
        let needs = self.needs(input);
        self.asked.push(needs.clone());
        let facts = self.find_facts(&needs, input);
        let advanced = advance(&self.set, self.instance(), input, &facts, self.now)?;
        Ok(self.keep(advanced))
    }

    pub(crate) fn post(&mut self, input: &Input) -> Next {
        self.try_post(input).unwrap()
    }

    pub(crate) fn press(&mut self, control: &str) -> Next {
        self.post(&Input::press(control))
    }

    pub(crate) fn sign_in(&mut self, email: &str, password: &str) -> Next {
        self.post(&Input::press("login").with("email", email).with("password", password))
    }

    pub(crate) fn verify(&mut self, code: &str) -> Next {
        self.post(&Input::press("verify").with("code", code))
    }

    /// The code that was sent last.
    pub(crate) fn last_code(&self) -> String {
        self.sent.last().unwrap().1.clone()
    }

    pub(crate) fn notice(&self) -> &'static str {
        self.view().notice.map_or("", |notice| notice.key)
    }

    pub(crate) fn find_facts(&mut self, needs: &Needs, input: &Input) -> Facts {
        let mut facts = self.facts.clone();
        for charge in &needs.charges {
            let count =
                self.counters.entry(format!("{:?} {} {}", charge.scope, charge.name, charge.subject)).or_default();
            *count += 1;
            if *count > charge.limit.allowed {
                facts.charges.push(ChargeVerdict::Refused { retry_after: Seconds::minutes(1) });
                return facts;
            }
            facts.charges.push(ChargeVerdict::Allowed);
        }
        let whose = needs.account.clone().or_else(|| self.find_person(needs).map(AccountKey::Id));
        let found = whose.as_ref().and_then(|key| self.accounts.iter().find(|account| is_meant(key, account)));
        let given = input.fields.get("password").is_some_and(|password| password == PASSWORD);
        let verdict = |has: bool| if given && has { Verdict::Right } else { Verdict::Wrong };
        if needs.verify_password {
            facts.password = verdict(found.is_some_and(|account| account.has_password));
        }
        if needs.verify_legacy {
            facts.legacy = verdict(found.is_some_and(|account| account.legacy));
        }
        facts.totp_step = needs.totp_code.as_ref().filter(|code| *code == "123456").map(|_| 42);
        facts.code = needs.code_label.as_deref().map(digits);
        facts.account = found.cloned();
        self.find_more(needs, &mut facts);
        facts
    }

    /// What the service would bring, without charging anything.
    pub(crate) fn clone_facts(&self, needs: &Needs, input: &Input) -> Facts {
        let mut probe = Driver {
            set: PolicySet::default(),
            now: self.now,
            accounts: self.accounts.clone(),
            facts: self.facts.clone(),
            instance: None,
            counters: self.counters.clone(),
            sent: Vec::new(),
            effects: Vec::new(),
            answers: self.answers,
            link: self.link.clone(),
            passkey: self.passkey.clone(),
            federated: self.federated.clone(),
            asked: Vec::new(),
        };
        probe.find_facts(needs, input)
    }

    fn find_person(&self, needs: &Needs) -> Option<UserId> {
        let linked = match &self.link {
            LinkState::Holds(user) if needs.link => Some(user.clone()),
            _ => None,
        };
        let passkey = self.passkey.as_ref().filter(|_| needs.passkey.is_some()).map(|proof| proof.user.clone());
        let federated = self.federated.as_ref().filter(|_| needs.federation).map(|person| person.user.clone());
        linked.or(passkey).or(federated)
    }

    fn find_more(&self, needs: &Needs, facts: &mut Facts) {
        facts.password_hash = needs.hash_password.then(|| zeroize::Zeroizing::new("phc".to_owned()));
        let mailed = |email: &String| !self.accounts.iter().any(|account| account.email.as_ref() == Some(email));
        facts.email_free = needs.free_email.as_ref().map(mailed);
        let named = |name: &String| !self.accounts.iter().any(|account| account.username.as_ref() == Some(name));
        facts.username_free = needs.free_username.as_ref().map(named);
        let right = needs.organization.as_ref().is_some_and(|key| key.npi == "1234567893" && key.code == "join-us");
        facts.organization = right.then(|| OrganizationId::new(START, [7; 10]));
        facts.new_user = needs.new_user.then(|| user(9));
        facts.approved = needs.approval.is_some() && self.answers;
        facts.link = if needs.link { self.link.clone() } else { LinkState::Unknown };
        facts.recovery_code = needs.recovery_code.as_ref().filter(|code| *code == RECOVERY_CODE).map(|_| [3; 32]);
        facts.passkey = self.passkey.clone().filter(|_| needs.passkey.is_some());
        facts.federated = self.federated.clone().filter(|_| needs.federation);
    }

    fn keep(&mut self, advanced: Advance) -> Next {
        for effect in &advanced.effects {
            self.apply(effect);
        }
        self.effects = advanced.effects;
        self.instance = Some(advanced.instance);
        advanced.next
    }

    /// What the database would do.
    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Send { to, code, .. } => self.sent.push((to.clone(), code.clone().unwrap_or_default())),
            Effect::ResetCounter(charge) => {
                self.counters.remove(&format!("{:?} {} {}", charge.scope, charge.name, charge.subject));
            }
            Effect::SetPassword { user, .. } => self.change(user, |account| account.has_password = true),
            Effect::BindFactor { user, binding } => self.change(user, |account| match binding {
                Binding::Mailbox(to) => (account.email, account.mailbox) = (Some(to.clone()), Some(to.clone())),
                Binding::Phone(to) => account.phone = Some(to.clone()),
                Binding::Totp { .. } => account.totp = true,
                Binding::Passkey => account.passkey = true,
            }),
            Effect::UnbindFactor { user, kind: FactorKind::Phone } => self.change(user, |account| account.phone = None),
            Effect::CompleteRegistration { user } => {
                self.change(user, |account| (account.registration_incomplete, account.legacy) = (false, false));
            }
            Effect::AcceptTerms { user, .. } => self.change(user, |account| account.terms_due = false),
            Effect::CloseAccount { user } => self.change(user, |account| account.active = false),
            Effect::CreateAccount { user, form, .. } => self.accounts.push(AccountFacts {
                email: form.get("email").cloned(),
                username: form.get("username").cloned(),
                registration_incomplete: true,
                terms_due: true,
                ..AccountFacts::new(user.clone())
            }),
            _ => {}
        }
    }

    fn change(&mut self, user: &UserId, change: impl FnOnce(&mut AccountFacts)) {
        if let Some(account) = self.accounts.iter_mut().find(|account| account.user == *user) {
            change(account);
        }
    }

    /// Whether the last decision did such a thing.
    pub(crate) fn did(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(wanted)
    }

    /// Templates of the notices of the last decision.
    pub(crate) fn told(&self) -> Vec<&str> {
        let templates = self.effects.iter().filter_map(|effect| match effect {
            Effect::Notify { template, .. } => Some(template.as_str()),
            _ => None,
        });
        templates.collect()
    }
}

fn is_meant(key: &AccountKey, account: &AccountFacts) -> bool {
    match key {
        AccountKey::Email(email) => account.email.as_ref() == Some(email),
        AccountKey::Username(name) => account.username.as_ref() == Some(name),
        AccountKey::Id(id) => account.user == *id,
    }
}

pub(crate) fn controls(page: &PageView) -> Vec<(&'static str, bool)> {
    page.controls.iter().map(|control| (control.value, control.enabled)).collect()
}
