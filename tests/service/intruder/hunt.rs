//! The search: walks through pages until every control of every page he met was tried with what he knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use countersign_model::{AuditKind, AuditOutcome, Seconds, UserId};
use countersign_service::policy::language::{Entry, Purpose};
use countersign_service::policy::{Policy, PolicySet, totp};
use countersign_service::{FlowPage, Invitation, NewAdministrator, Provider, Response};
use countersign_tests::provider::{Authenticator, Corporate, House, Operator, Person, Seen};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

/// What the owner's own sign-in promises, in which passkey and recovery codes are made.
const OUTFIT_ACR: &str = "urn:test:outfit";
/// His own phone.
const OWN_PHONE: &str = "+12025550199";
/// The password he sets.
const OWN_PASSWORD: &str = "nine wet herons on a weir";
/// The most pages of one walk.
const MAX_STEPS: usize = 40;
/// The most walks of one search.
const MAX_WALKS: usize = 400;

/// The mail domain of the corporate provider, where he is employed.
pub const EMPLOYER: &str = "corp.example.com";
/// The organization there is: its NPI and its registration code.
pub const ORGANIZATION: (&str, &str) = ("1234567893", "the-code-of-ward-7");
/// The provider's own page, as a place.
const UPSTREAM: &str = "the corporate provider";

/// Whose account it is.
#[derive(Clone, Debug)]
pub struct Victim {
    pub user: Option<UserId>,
    pub email: String,
    /// The intruder's own mailbox, one per search: an address belongs to one account.
    pub own_mail: String,
    pub number: usize,
    pub username: String,
    pub password: String,
    pub phone: String,
    /// Base32.
    pub seed: String,
}

impl Victim {
    /// One of many.
    pub fn new(number: usize) -> Self {
        Self {
            user: None,
            email: format!("victim{number}@example.com"),
            own_mail: format!("intruder{number}@elsewhere.example"),
            number,
            username: format!("victim{number}"),
            password: format!("violet otter ladder {number}"),
            phone: format!("+1202555{:04}", 2000 + number),
            seed: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned(),
        }
    }
}

/// What the owner made: worth something to whoever holds it.
pub struct Outfit {
    pub key: Authenticator,
    pub codes: Vec<String>,
}

/// What he holds at first.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing")]
pub struct Holding {
    password: bool,
    mailbox: bool,
    phone: bool,
    totp: bool,
    passkey: bool,
    recovery_code: bool,
}

impl Holding {
    /// By the words of the closure.
    pub fn of(words: &[&str]) -> Self {
        let has = |word: &str| words.contains(&word);
        Self {
            password: has("password"),
            mailbox: has("mailbox"),
            phone: has("phone"),
            totp: has("totp"),
            passkey: has("passkey"),
            recovery_code: has("recovery_code"),
        }
    }
}

/// A page, as far as it matters what can be done there.
type Place = String;

/// One search.
pub struct Hunt<'a> {
    house: &'a House,
    node: &'a Arc<Provider>,
    set: &'a PolicySet,
    victim: Victim,
    held: Holding,
    person: Person,
    password: Option<String>,
    seeds: Vec<Vec<u8>>,
    key: Authenticator,
    recovery_codes: Vec<String>,
    /// The code he read last.
    code: String,
    letters: usize,
    calls: usize,
    links: VecDeque<(String, Option<(Place, String)>)>,
    learned: BTreeSet<&'static str>,
    tried: BTreeSet<(Place, String)>,
    controls: BTreeMap<Place, Vec<String>>,
    /// Where a control led, or what it had mailed.
    edges: BTreeMap<(Place, String), BTreeSet<Place>>,
    /// What he did when a link was mailed.
    last: Option<(Place, String)>,
    /// The address the account signs in with.
    name: String,
    corporate: &'a Corporate,
    /// Whether he registers as somebody new, with an organization's code.
    registers: bool,
    /// Policies whose first page he saw.
    begun: BTreeSet<String>,
}

impl<'a> Hunt<'a> {
    /// A search that has not begun.
    pub fn new(
        house: &'a House,
        (node, corporate): (&'a Arc<Provider>, &'a Corporate),
        set: &'a PolicySet,
        (victim, outfit): (Victim, Outfit),
        held: Holding,
    ) -> Self {
        let seed = totp::parse_seed(&victim.seed).expect("a seed");
        let own_key = Authenticator::new(u8::try_from(victim.number + 1).expect("few"));
        Self {
            house,
            node,
            set,
            held,
            person: Person::new(),
            password: held.password.then(|| victim.password.clone()),
            seeds: if held.totp { vec![seed] } else { Vec::new() },
            name: victim.email.clone(),
            key: if held.passkey { outfit.key } else { own_key },
            victim,
            recovery_codes: if held.recovery_code { outfit.codes } else { Vec::new() },
            code: "000000".to_owned(),
            letters: house.relay.letters().len(),
            calls: house.phones.taken().len(),
            links: VecDeque::new(),
            learned: BTreeSet::new(),
            tried: BTreeSet::new(),
            controls: BTreeMap::new(),
            edges: BTreeMap::new(),
            last: None,
            corporate,
            registers: false,
            begun: BTreeSet::new(),
        }
    }

    /// Tries everything until nothing is new.
    pub async fn search(&mut self) {
        let born = list_begun(self.set);
        let mut walks = 0;
        loop {
            let before = (self.tried.len(), self.learned.len());
            for start in &born {
                while self.begin(&start.id).await {
                    walks += 1;
                    assert!(walks < MAX_WALKS, "the search does not end: {} tried", self.tried.len());
                }
                if self.learned.len() > before.1 {
                    break;
                }
            }
            if (self.tried.len(), self.learned.len()) == before {
                break;
            }
        }
        self.register_himself().await;
    }

    /// He is invited by an administrator, and registers with an organization's code: in a browser of its own, and what he
    /// sets there is his own account's.
    async fn register_himself(&mut self) {
        let number = self.victim.number;
        let kept = (self.person.clone(), self.password.clone(), self.learned.clone(), self.tried.clone());
        let own_mail = std::mem::replace(&mut self.victim.own_mail, format!("invited{number}@elsewhere.example"));
        self.person = Person::new();
        let invitation = Invitation {
            email: self.victim.own_mail.clone(),
            name: "In Truder".to_owned(),
            username: None,
            npi: None,
            client: None,
            locale: "en".to_owned(),
        };
        self.node.invite(&invitation, &self.person.context).await.unwrap().expect("invited");
        self.house.deliver(self.node).await;
        self.read().await;
        self.open_links().await;
        self.find_shown_link().await;
        self.victim.own_mail = format!("registrant{number}@elsewhere.example");
        self.registers = true;
        self.tried.retain(|(place, _)| !place.starts_with("new-provider/"));
        self.begin("new-provider").await;
        (self.person, self.password, self.learned, self.tried) = kept;
        self.victim.own_mail = own_mail;
        self.registers = false;
    }

    /// On a screen he finds the link of an administrator whose mailbox he does not read.
    async fn find_shown_link(&mut self) {
        let email = format!("root{}@elsewhere.example", self.victim.number);
        let new = NewAdministrator { email: &email, name: "Ruth Root", locale: "en", another: true };
        let made = self.node.create_administrator(new, &self.person.context).await.unwrap().expect("made");
        let token = made.link.expose_secret().rsplit('/').next().expect("a link").to_owned();
        self.links.push_back((token, None));
        self.open_links().await;
        assert!(self.begun.contains("first-administrator"), "{}", self.trail());
        let registered = format!("email = '{email}' AND registered_at IS NOT NULL");
        assert_eq!(self.house.count("users", &registered).await, 0, "{}", self.trail());
    }

    /// Closes the account, if he can: at the very end, by the password he held and by the one he set.
    pub async fn close(&mut self) -> bool {
        for password in [self.password.clone(), self.held.password.then(|| self.victim.password.clone())] {
            self.password = password;
            self.tried.retain(|(place, _)| !place.starts_with("close-account/"));
            while self.begin("close-account").await {}
        }
        let id = self.victim.user.as_ref().expect("made").as_str();
        let closed = format!("SELECT id AS text FROM users WHERE id = '{id}' AND status = 'closed'");
        !self.house.texts(&closed).await.is_empty()
    }

    /// The policies he began, and those whose links he opened.
    pub const fn begun(&self) -> &BTreeSet<String> {
        &self.begun
    }

    /// One walk from the start of a policy, and one from every link that was mailed on it; whether anything was new.
    async fn begin(&mut self, policy: &str) -> bool {
        let learned = self.learned.len();
        let first = self.person.arrive_from(self.node, "everything", &format!("p={policy}")).await;
        self.note_begun(&first, policy);
        let mut is_new = self.walk(first).await;
        is_new |= self.open_links().await;
        is_new && self.learned.len() == learned
    }

    /// Notes what was begun: its first page is there, or that of the provider it sends people to.
    fn note_begun(&mut self, first: &Seen, policy: &str) {
        let is_begun = match first {
            Seen::Page(page) => page.view.policy == policy,
            Seen::Client(response) => self.is_upstream(response),
            _ => false,
        };
        if is_begun {
            self.begun.insert(policy.to_owned());
        }
    }

    /// One walk from every link that was mailed; whether anything was new.
    async fn open_links(&mut self) -> bool {
        let mut is_new = false;
        while let Some((token, mailed_by)) = self.links.pop_front() {
            let first = self.open(token).await;
            if let Seen::Page(page) = &first {
                self.begun.insert(page.view.policy.clone());
                if let Some(edge) = mailed_by {
                    self.edges.entry(edge).or_default().insert(place_of(page));
                }
            }
            is_new |= self.walk(first).await;
        }
        is_new
    }

    fn is_upstream(&self, response: &Response) -> bool {
        matches!(response, Response::Redirect(uri) if uri.starts_with(&self.corporate.issuer))
    }

    /// At the corporate provider: he is employed there, and can say what address he likes.
    async fn vouch(&mut self, sent: &Response, control: &str) -> Seen {
        let number = self.victim.number;
        let (subject, email) = match control {
            "as himself" => (format!("intruder-{number}"), format!("intruder{number}@{EMPLOYER}")),
            _ => (format!("liar-{number}"), self.victim.email.clone()),
        };
        let claims = json!({ "sub": subject, "email": email, "email_verified": true });
        let answer = self.corporate.vouch(sent, &claims);
        let answered = self.node.federation_callback("corporate", answer, self.person.call()).await.unwrap();
        // A session of his own would stand where the victim's does.
        let kept = self.person.clone();
        let seen = self.person.follow(self.node, answered).await;
        if matches!(seen, Seen::Client(_)) {
            self.person = kept;
        }
        seen
    }

    /// The login policies whose promise he had issued for the victim.
    pub async fn list_passed(&self) -> BTreeSet<String> {
        let events = self.house.events(Some(AuditKind::Login)).await.into_iter();
        let won = events.filter(|event| event.outcome == AuditOutcome::Success && event.subject == self.victim.user);
        let mut acrs: BTreeSet<String> = won.map(|event| event.detail["acr"].as_str().unwrap().to_owned()).collect();
        // The owner's own, before.
        acrs.remove(OUTFIT_ACR);
        let of = |acr: &String| self.set.iter().find(|policy| policy.acr.as_ref() == Some(acr));
        acrs.iter().map(|acr| of(acr).expect("a policy of this acr").id.clone()).collect()
    }

    /// What he did and where it led, for whoever reads a failure.
    pub fn trail(&self) -> String {
        self.edges.iter().map(|((from, control), to)| format!("{from} [{control}] > {to:?}\n")).collect()
    }

    async fn open(&mut self, token: String) -> Seen {
        let token = SecretString::from(token);
        let answered = self.node.open_link(&token, self.person.call()).await.unwrap();
        self.person.follow(self.node, answered).await
    }

    /// Walks on while there is something to try; whether anything was.
    async fn walk(&mut self, first: Seen) -> bool {
        let (mut seen, mut is_new) = (first, false);
        let mut here: BTreeMap<(Place, String), usize> = BTreeMap::new();
        for _ in 0..MAX_STEPS {
            let place = match &seen {
                Seen::Page(page) => self.note(page),
                Seen::Client(response) if self.is_upstream(response) => {
                    let ways = ["as himself", "by the victim's address"].map(str::to_owned);
                    self.controls.insert(UPSTREAM.to_owned(), ways.to_vec());
                    UPSTREAM.to_owned()
                }
                _ => return is_new,
            };
            let Some(control) = self.choose(&place) else { return is_new };
            let edge = (place.clone(), control.clone());
            let times = here.entry(edge.clone()).or_default();
            *times += 1;
            if *times > 2 {
                return is_new;
            }
            is_new |= self.tried.insert(edge.clone());
            self.last = Some(edge.clone());
            let before = seen;
            seen = match &before {
                Seen::Page(page) => self.act(page, &control).await,
                Seen::Client(sent) => self.vouch(sent, &control).await,
                other => panic!("nothing to do at {other:?}"),
            };
            let to = match &seen {
                Seen::Page(page) => place_of(page),
                Seen::Client(response) if self.is_upstream(response) => UPSTREAM.to_owned(),
                _ => "away".to_owned(),
            };
            if let Seen::Page(page) = &before {
                self.learn(page, &control, to != place);
            }
            self.edges.entry(edge).or_default().insert(to);
        }
        is_new
    }

    /// Notes what can be done at a page.
    fn note(&mut self, page: &FlowPage) -> Place {
        let place = place_of(page);
        let view = &page.view;
        let buttons = view.controls.iter().filter(|control| control.enabled && view.kind != "stop");
        let mut all: Vec<String> = view.options.iter().chain(&view.links).map(|option| option.id.clone()).collect();
        all.extend(buttons.map(|control| control.value.to_owned()));
        // To go away comes last: a link opens once.
        all.sort_by_key(|control| control == "cancel");
        self.controls.insert(place.clone(), all);
        if let Some(codes) = view.values.get("recovery_codes") {
            self.recovery_codes =
                codes.split([',', ' ', '\n']).filter(|code| !code.is_empty()).map(str::to_owned).collect();
            self.gain("recovery codes");
        }
        place
    }

    fn find_untried(&self, place: &str) -> Option<String> {
        let untried = |control: &&String| !self.tried.contains(&(place.to_owned(), (*control).clone()));
        self.controls.get(place)?.iter().find(untried).cloned()
    }

    /// What is untried here, else the first step to where something is.
    fn choose(&self, place: &str) -> Option<String> {
        if let Some(control) = self.find_untried(place) {
            return Some(control);
        }
        let mut waiting = VecDeque::new();
        let mut seen = BTreeSet::from([place.to_owned()]);
        waiting.push_back((place.to_owned(), None::<String>));
        while let Some((at, first)) = waiting.pop_front() {
            if first.is_some() && self.find_untried(&at).is_some() {
                return first;
            }
            let from = self.edges.range((at.clone(), String::new())..).take_while(|((from, _), _)| *from == at);
            for (control, to) in from.flat_map(|((_, control), to)| to.iter().map(move |to| (control, to))) {
                if seen.insert(to.clone()) {
                    waiting.push_back((to.clone(), first.clone().or_else(|| Some(control.clone()))));
                }
            }
        }
        None
    }

    /// Something new is known: everything is worth another try.
    fn gain(&mut self, what: &'static str) {
        if self.learned.insert(what) {
            self.tried.clear();
        }
    }

    fn learn(&mut self, page: &FlowPage, control: &str, moved: bool) {
        let passed = moved && matches!(control, "set" | "verify" | "continue");
        match page.view.kind {
            "set_password" if passed => {
                self.password = Some(OWN_PASSWORD.to_owned());
                self.gain("password");
            }
            "bind_phone" if passed => self.gain("phone"),
            "bind_email" if passed && page.view.state == "verified" => {
                self.name.clone_from(&self.victim.own_mail);
                self.gain("mailbox");
            }
            "bind_totp" if passed => {
                let seed = page.view.values.get("totp_secret").and_then(|text| totp::parse_seed(text));
                self.seeds.extend(seed);
                self.gain("app");
            }
            "bind_passkey" if passed => self.gain("passkey"),
            _ => {}
        }
    }

    async fn act(&mut self, page: &FlowPage, control: &str) -> Seen {
        let fields = self.fill(page);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let seen = self.person.press(self.node, page, control, &fields).await;
        self.house.deliver(self.node).await;
        self.read().await;
        seen
    }

    fn fill(&mut self, page: &FlowPage) -> Vec<(String, String)> {
        let view = &page.view;
        let mut filled = Vec::new();
        for field in &view.fields {
            let value = match (view.kind, field.name) {
                ("bind_email", "email") | ("form", "email" | "confirm_email") => self.victim.own_mail.clone(),
                (_, "email") => self.name.clone(),
                ("form", "registration_code") if self.registers => ORGANIZATION.1.to_owned(),
                ("form", "username") if self.registers => format!("registrant{}", self.victim.number),
                ("form", "phone" | "fax") => "202 555 0123".to_owned(),
                ("form", "state") => "MS".to_owned(),
                ("form", "zip") => "39201".to_owned(),
                (_, "username") => self.victim.username.clone(),
                (_, "password") => self.password.clone().unwrap_or_else(|| "a guess of his".to_owned()),
                (_, "new_password" | "confirm_password") => OWN_PASSWORD.to_owned(),
                (_, "country") => "US".to_owned(),
                ("bind_phone", _) if field.name == "phone_number" => OWN_PHONE.to_owned(),
                (_, "phone_number") => self.victim.phone.clone(),
                (_, "ceremony") => field.value.clone(),
                (_, "credential") => self.sign(page),
                ("totp" | "bind_totp", "code") => self.read_app(page),
                ("recovery_code", "code") => self.recovery_codes.pop().unwrap_or_else(|| "no-such-code".to_owned()),
                (_, "code") => self.code.clone(),
                (_, "npi") => ORGANIZATION.0.to_owned(),
                _ => "on".to_owned(),
            };
            filled.push((field.name.to_owned(), value));
        }
        filled
    }

    fn sign(&mut self, page: &FlowPage) -> String {
        let Some(options) = page.view.values.get("passkey_options") else { return "{}".to_owned() };
        if page.view.kind == "bind_passkey" { self.key.create(options) } else { self.key.get(options) }
    }

    /// A code no step of which is spent.
    fn read_app(&self, page: &FlowPage) -> String {
        self.house.clock.pass(Seconds::new(31));
        let shown = page.view.values.get("totp_secret").and_then(|text| totp::parse_seed(text));
        let seed = shown.or_else(|| self.seeds.last().cloned());
        let step = self.house.clock.now().as_secs() / 30;
        seed.and_then(|seed| totp::code_at(&seed, step)).unwrap_or_else(|| "000000".to_owned())
    }

    /// Reads the mailboxes and answers the phones that are his, or that he holds.
    async fn read(&mut self) {
        let letters = self.house.relay.letters();
        for letter in letters.iter().skip(self.letters) {
            if letter.to != self.victim.own_mail && !(self.held.mailbox && letter.to == self.victim.email) {
                continue;
            }
            if let Some(code) = letter.find_code() {
                self.code = code;
            }
            if let Some(link) = letter.find_link() {
                self.links.push_back((link, self.last.clone()));
            }
        }
        self.letters = letters.len();
        let rung = self.house.phones.taken();
        for call in rung.iter().skip(self.calls) {
            if call.to != OWN_PHONE && !(self.held.phone && call.to == self.victim.phone) {
                continue;
            }
            if call.text.is_empty() {
                let operator = Operator::new(self.node, &self.house.phones);
                operator.pick_up(&call.address).await;
                operator.press(&call.address, "#").await;
            } else if let Some(code) = call.find_code() {
                self.code = code;
            }
        }
        self.calls = rung.len();
    }
}

/// The policies he begins. What signs in is tried first, and again whenever he learned something: what he changes next
/// may close a way that is open now. Closing the account gets nobody in.
pub fn list_begun(set: &PolicySet) -> Vec<&Policy> {
    let mut begun: Vec<&Policy> = set.iter().filter(|policy| policy.allows_entry(Entry::Authorize)).collect();
    begun.retain(|policy| policy.id != "close-account");
    begun.sort_by_key(|policy| policy.purpose != Purpose::Login);
    begun
}

fn place_of(page: &FlowPage) -> Place {
    format!("{}/{}/{}", page.view.policy, page.view.step, page.view.state)
}
