//! A service in miniature: counters, three accounts, codes by label, and a clock that tests move.

use std::collections::BTreeMap;

use countersign_model::{Fact, ProvenFact, Seconds, Timestamp, UserId};

use crate::{
    AccountFacts, AccountKey, Advance, ChargeVerdict, Effect, Facts, FlowError, Input, Instance, Needs, Next, PageView,
    Policy, PolicySet, RememberedFacts, Verdict, advance, begin, needs, parse, view,
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
}

impl Driver {
    pub(crate) fn new(set: PolicySet) -> Self {
        let accounts = vec![account(1, "hospital"), account(2, "dduck")];
        Self {
            set,
            now: START,
            accounts,
            facts: Facts { client: "case-portal".to_owned(), locale: "en".to_owned(), ..Facts::default() },
            instance: None,
            counters: BTreeMap::new(),
            sent: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, policy: &str) -> Next {
        let begun = begin(&self.set, policy, &self.facts, self.now).unwrap();
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
        let found = needs.account.as_ref().and_then(|key| self.accounts.iter().find(|account| is_meant(key, account)));
        if needs.verify_password {
            let right = input.fields.get("password").is_some_and(|password| password == PASSWORD);
            let right = right && found.is_some_and(|account| account.has_password);
            facts.password = if right { Verdict::Right } else { Verdict::Wrong };
        }
        facts.totp_step = needs.totp_code.as_ref().filter(|code| *code == "123456").map(|_| 42);
        facts.code = needs.code_label.as_deref().map(digits);
        facts.account = found.cloned();
        facts
    }

    fn keep(&mut self, advanced: Advance) -> Next {
        for effect in &advanced.effects {
            match effect {
                Effect::Send { to, code, .. } => self.sent.push((to.clone(), code.clone())),
                Effect::ResetCounter(charge) => {
                    self.counters.remove(&format!("{:?} {} {}", charge.scope, charge.name, charge.subject));
                }
                _ => {}
            }
        }
        self.effects = advanced.effects;
        self.instance = Some(advanced.instance);
        advanced.next
    }
}

fn is_meant(key: &AccountKey, account: &AccountFacts) -> bool {
    match key {
        AccountKey::Email(email) => account.email.as_ref() == Some(email),
        AccountKey::Username(_) => false,
        AccountKey::Id(id) => account.user == *id,
    }
}

pub(crate) fn controls(page: &PageView) -> Vec<(&'static str, bool)> {
    page.controls.iter().map(|control| (control.value, control.enabled)).collect()
}
