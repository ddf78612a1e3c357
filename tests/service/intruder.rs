//! An intruder who holds some things of a finished account, and tries every policy and every control of every page.
//!
//! With a set that `policy check --sets` lists he passes the login policy it is listed for; with less he never does.
//! The search is bounded: each (page, control) is tried again only after he learned something.

mod hunt;

use countersign_service::policy::{PolicySet, list_least_sets, parse};
use countersign_service::{LinkRule, NewAccount, Provider};
use countersign_tests::provider::{Authenticator, Corporate, House, NodePlan, Pair, Person, register_client, run};
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hunt::{Holding, Hunt, Outfit, Victim};

on_both_stores![
    the_mailbox_alone_passes_nothing_of_an_account_with_a_phone,
    the_password_and_the_mailbox_pass_nothing_of_an_account_with_a_phone,
    the_mailbox_and_the_phone_pass_what_the_closure_says,
    without_its_guard_the_registration_reset_is_found_and_refused_all_the_same,
    without_the_phone_in_the_recovery_the_mailbox_gets_in,
];

/// Every set of things of every kind of account: on the embedded stores, where it takes seconds. Things that are named
/// beside the factors of an account belong to it as well.
macro_rules! every_set {
    ($($name:ident: $account:expr $(, and $more:literal)?;)*) => {
        $(#[test] fn $name() { run(Pair::Embedded, async |house| play_every_set(&house, $account, &[$($more)?]).await); })*
    };
}

/// The things that are held in sets here. `legacy` and `admin` are in no least set of the shipped policies as they stand
/// here, and `federated` is of accounts that have no password beside it: tests/service/federation.rs plays them.
const PLAYED: [&str; 6] = ["password", "mailbox", "phone", "totp", "passkey", "recovery_code"];

#[test]
fn what_is_not_played_stands_here_by_name() {
    let set = patient_set(shipped);
    let things: BTreeSet<&str> = list_least_sets(&set, TODAY).into_iter().flat_map(|least| least.held).collect();
    assert_eq!(things, BTreeSet::from(PLAYED).into_iter().chain(["federated"]).collect());
}

every_set! {
    every_set_of_things_of_a_mail_only_account_passes_what_the_closure_says: &[], and "recovery_code";
    every_set_of_things_of_an_account_with_a_phone_passes_what_the_closure_says: &["phone"];
    every_set_of_things_of_an_account_with_an_app_passes_what_the_closure_says: &["totp"];
    every_set_of_things_of_an_account_with_a_passkey_passes_what_the_closure_says: &["passkey"];
}

// Sixteen sets each, the last thirty-two: `./tests/run --long` (.config/nextest.toml).
every_set! {
    every_set_of_things_of_an_account_with_phone_and_app_passes_what_the_closure_says: &["phone", "totp"];
    every_set_of_things_of_an_account_with_phone_and_passkey_passes_what_the_closure_says: &["phone", "passkey"];
    every_set_of_things_of_an_account_with_phone_and_codes_passes_what_the_closure_says: &["phone"], and "recovery_code";
    every_set_of_things_of_an_account_with_passkey_and_codes_passes_what_the_closure_says: &["passkey"], and "recovery_code";
    every_set_of_things_of_an_account_with_app_and_passkey_passes_what_the_closure_says: &["totp", "passkey"];
    every_set_of_things_of_an_account_with_phone_app_and_passkey_passes_what_the_closure_says: &["phone", "totp", "passkey"];
}

/// The day the waivers of the shipped set are looked at.
const TODAY: &str = "2026-11-22";

/// The shipped files, by name.
fn list_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The shipped set; locks and budgets are left aside: he is patient.
fn patient_set(change: impl Fn(&str, String) -> String) -> PolicySet {
    let files = list_files();
    let read = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let mut text = std::fs::read_to_string(file).unwrap();
        for number in 1..=60 {
            text = text.replace(&format!("after = {number},"), "after = 100000,");
            text = text.replace(&format!("sends = {number}, per"), "sends = 1000, per");
        }
        parse(name, &change(name, text)).unwrap_or_else(|findings| panic!("{findings:#?}"))
    };
    PolicySet::new(files.iter().map(read).collect())
}

fn shipped(_: &str, text: String) -> String {
    text
}

async fn open(house: &House, set: &PolicySet) -> (Arc<Provider>, Corporate) {
    let corporate = Corporate::open(&house.clock).await;
    let upstreams = vec![corporate.settings(LinkRule::Create, &[hunt::EMPLOYER])];
    let node = house.node_with(NodePlan { policies: set.clone(), upstreams, ..house.plan() }).await;
    let ids: Vec<&str> = set.iter().map(|policy| policy.id.as_str()).collect();
    let client = json!({
        "client_id": "everything",
        "initiate_login_uri": "https://portal.example/start",
        "countersign_policy": "login-options",
        "countersign_policies": ids,
    });
    register_client(&node, client).await;
    let (npi, code) = hunt::ORGANIZATION;
    node.create_organization("Ward 7", npi, &SecretString::from(code)).await.unwrap();
    (node, corporate)
}

/// How the owner makes a passkey and recovery codes: at a node of its own, so that the intruder meets the shipped set alone.
const OUTFIT: &str = r#"
format  = 1
id      = "outfit"
purpose = "login"
entry   = ["authorize"]
start   = "credentials"
require = [{ factors = ["password"] }]
acr     = "urn:test:outfit"
cancel  = { to = "over" }
[step]
issue = { kind = "issue" }
over  = { kind = "stop", page = "none", error = "access_denied" }
which = { kind = "choice", page = "login_method", options = [{ id = "phone", to = "bind" }, { id = "email", to = "codes" }] }
bind  = { kind = "bind_passkey", page = "passkey_enrol", on = { ok = "codes" } }
codes = { kind = "effect", effect = "replace_recovery_codes", on = { ok = "shown" } }
shown = { kind = "notice", page = "recovery_codes", on = { ok = "issue" } }
[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "email"
limits = { attempts = 10 }
on     = { ok = "which", spent = "over" }
"#;

/// The owner signs in and makes recovery codes, and a passkey where the account is to have one.
async fn fit_out(house: &House, victim: &Victim, account: &[&str]) -> Outfit {
    let policies = PolicySet::new(vec![parse("outfit", OUTFIT).unwrap()]);
    let node = house.node_with(NodePlan { policies, ..house.plan() }).await;
    let client = json!({ "client_id": "outfitter", "countersign_policy": "outfit" });
    if victim.number == 0 {
        register_client(&node, client).await;
    }
    let mut key = Authenticator::new(u8::try_from(100 + victim.number).unwrap());
    let mut owner = Person::new();
    let page = owner.arrive_from(&node, "outfitter", "").await.page();
    let typed = [("email", victim.email.as_str()), ("password", victim.password.as_str())];
    let page = owner.press(&node, &page, "login", &typed).await.page();
    let page = if account.contains(&"passkey") {
        let page = owner.press(&node, &page, "phone", &[]).await.page();
        let made = key.create(&page.view.values["passkey_options"]);
        let ceremony = page.view.fields.iter().find(|field| field.name == "ceremony").unwrap().value.clone();
        let fields = [("credential", made.as_str()), ("ceremony", ceremony.as_str()), ("name", "Laptop")];
        owner.press(&node, &page, "verify", &fields).await.page()
    } else {
        owner.press(&node, &page, "email", &[]).await.page()
    };
    let codes = page.view.values["recovery_codes"].split(' ').map(str::to_owned).collect();
    owner.press(&node, &page, "continue", &[]).await.code();
    Outfit { key, codes }
}

/// A finished account with some factors.
async fn make(house: &House, node: &Provider, number: usize, account: &[&str]) -> (Victim, Outfit) {
    let victim = Victim::new(number);
    let has = |word: &str| account.contains(&word);
    let new = NewAccount {
        email: victim.email.clone(),
        password: Some(SecretString::from(victim.password.clone())),
        username: Some(victim.username.clone()),
        mailbox: true,
        phone: has("phone").then(|| victim.phone.clone()),
        totp_seed: has("totp").then(|| SecretString::from(victim.seed.clone())),
        ..NewAccount::default()
    };
    let user = node.create_account(&new).await.unwrap().expect("new");
    let outfit = fit_out(house, &victim, account).await;
    (Victim { user: Some(user), ..victim }, outfit)
}

/// What became of one set of things.
struct Played {
    /// The login policies he passed.
    passed: BTreeSet<String>,
    /// Whether he closed the account in the end.
    closed: bool,
    /// What he did.
    trail: String,
}

/// Plays one set. Every policy of the set is begun.
async fn play(
    house: &House,
    (node, corporate): (&Arc<Provider>, &Corporate),
    set: &PolicySet,
    number: usize,
    account: &[&str],
    held: &[&'static str],
) -> Played {
    let made = make(house, node, number, account).await;
    let mut hunt = Hunt::new(house, (node, corporate), set, made, Holding::of(held));
    hunt.search().await;
    let passed = hunt.list_passed().await;
    let closed = hunt.close().await;
    let all: BTreeSet<String> = set.iter().map(|policy| policy.id.clone()).collect();
    assert_eq!(hunt.begun(), &all, "left: what he began with {held:?} of {account:?}\n{}", hunt.trail());
    Played { passed, closed, trail: hunt.trail() }
}

/// What the closure says he passes who holds `held`.
fn expect(set: &PolicySet, account: &[&str], held: &[&str]) -> BTreeSet<String> {
    let least = list_least_sets(set, TODAY).into_iter();
    let fits = least.filter(|least| least.account == account && least.held.iter().all(|thing| held.contains(thing)));
    fits.map(|least| least.policy).collect()
}

/// Every set of `things`, the empty one first.
fn list_sets(things: &[&'static str]) -> Vec<Vec<&'static str>> {
    let chosen = |bits: u32| {
        let kept = things.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        kept.map(|(_, thing)| *thing).collect::<Vec<_>>()
    };
    (0..1 << things.len()).map(chosen).collect()
}

async fn play_every_set(house: &House, account: &[&'static str], more: &[&'static str]) {
    let set = patient_set(shipped);
    let (node, corporate) = open(house, &set).await;
    let things: Vec<&str> = ["password", "mailbox"].into_iter().chain(account.iter().chain(more).copied()).collect();
    let mut wrong = Vec::new();
    let mut passed_any = 0;
    for (number, held) in list_sets(&things).into_iter().enumerate() {
        let Played { passed, closed, trail } = play(house, (&node, &corporate), &set, number, account, &held).await;
        let expected = expect(&set, account, &held);
        passed_any += usize::from(!expected.is_empty());
        // Closing asks for no less than a sign-in does, and whoever holds everything can.
        if closed && expected.is_empty() || !closed && held.len() == things.len() {
            wrong.push(format!("{held:?} of {account:?}: the account is closed: {closed}\n{trail}"));
        }
        if passed != expected {
            wrong.push(format!("{held:?} of {account:?} passes {passed:?}, the closure says {expected:?}\n{trail}"));
        }
    }
    assert!(passed_any > 0, "no set of {account:?} passes anything: this proves nothing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn play_one(house: &House, held: &[&'static str]) -> BTreeSet<String> {
    let set = patient_set(shipped);
    let (node, corporate) = open(house, &set).await;
    let Played { passed, trail, .. } = play(house, (&node, &corporate), &set, 0, &["phone"], held).await;
    assert_eq!(passed, expect(&set, &["phone"], held), "as the closure says:\n{trail}");
    passed
}

async fn the_mailbox_alone_passes_nothing_of_an_account_with_a_phone(house: House) {
    assert!(play_one(&house, &["mailbox"]).await.is_empty());
}

async fn the_password_and_the_mailbox_pass_nothing_of_an_account_with_a_phone(house: House) {
    assert!(play_one(&house, &["password", "mailbox"]).await.is_empty());
}

async fn the_mailbox_and_the_phone_pass_what_the_closure_says(house: House) {
    assert!(play_one(&house, &["mailbox", "phone"]).await.contains("phone"));
}

/// The guides' registration reset as it stands there: whoever reads the mailbox registers anew.
fn unguarded(name: &str, text: String) -> String {
    let (from, to) = match name {
        "registration-reset" => (r#"then = "send" }], else = "told""#, r#"then = "send" }], else = "send""#),
        "registration-link" => (r#"then = "method" }], else = "already""#, r#"then = "method" }], else = "method""#),
        _ => return text,
    };
    assert!(text.contains(from), "{name} has no such guard");
    text.replace(from, to)
}

/// The closure calls it a way in. The machine registers no finished account anew, whatever a policy says.
async fn without_its_guard_the_registration_reset_is_found_and_refused_all_the_same(house: House) {
    let set = patient_set(unguarded);
    assert!(expect(&set, &["phone"], &["mailbox"]).contains("phone"), "the closure knows");
    let (node, corporate) = open(&house, &set).await;
    let Played { passed, trail, .. } = play(&house, (&node, &corporate), &set, 0, &["phone"], &["mailbox"]).await;
    assert!(passed.is_empty(), "{passed:?}\n{trail}");
    assert!(trail.contains("registration-link/method/"), "he came that far:\n{trail}");
}

/// Recovery by the mailbox alone, also for who has a phone.
fn unphoned(name: &str, text: String) -> String {
    if name != "forgot-password" {
        return text;
    }
    let changed = text
        .replace(r#"if = "account.phone", then = "phone" }"#, r#"if = "account.phone", then = "new_password" }"#)
        .replace(r#"    { if = "account.phone", factors = ["mailbox", "phone", "password"] },"#, "");
    assert!(changed.len() + 50 < text.len(), "forgot-password reads otherwise now");
    changed
}

async fn without_the_phone_in_the_recovery_the_mailbox_gets_in(house: House) {
    let set = patient_set(unphoned);
    assert!(!expect(&set, &["phone"], &["mailbox"]).is_empty(), "the closure knows");
    let (node, corporate) = open(&house, &set).await;
    let Played { passed, trail, .. } = play(&house, (&node, &corporate), &set, 0, &["phone"], &["mailbox"]).await;
    assert!(!passed.is_empty(), "{trail}");
}
