use countersign_model::{Fact, FactSet, Seconds};
use proptest::prelude::*;

use super::*;
use crate::Severity;
use crate::language::{
    AccountGuard, Channel, CountScope, Destination, Guard, Outcome, PhoneShow, Purpose, SendTo, StepKind, Submit,
    UnknownRule, Voice,
};

const PHONE: &str = include_str!("../../samples/phone.toml");
const FORGOT: &str = include_str!("../../samples/forgot-password.toml");
const EMAIL: &str = include_str!("../../../../config/policies/email.toml");

/// The findings of a text, as `line:column code`.
fn places(text: &str) -> Vec<String> {
    let findings = parse("x.toml", text).err().unwrap_or_default();
    findings.iter().map(|finding| format!("{}:{} {}", finding.line, finding.column, finding.code)).collect()
}

/// The findings of `email` with one piece of its text replaced, each as the text at its place.
fn mutated(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(EMAIL.contains(from), "{from}");
    let text = EMAIL.replacen(from, to, 1);
    let findings = parse("config/policies/email.toml", &text).err().unwrap_or_default();
    findings
        .iter()
        .map(|finding| {
            let line = text.lines().nth(finding.line as usize - 1).unwrap_or_default();
            (finding.code, line.chars().skip(finding.column as usize - 1).take(12).collect())
        })
        .collect()
}

#[test]
fn the_phone_sample_parses_verbatim() {
    let policy = parse("phone.toml", PHONE).unwrap();
    assert_eq!((policy.id.as_str(), policy.purpose), ("phone", Purpose::Login));
    assert_eq!(policy.require[0].factors, FactSet::EMPTY.with(Fact::Password).with(Fact::Phone));
    assert_eq!(policy.limits.lifetime, Seconds::minutes(20));
    assert_eq!(policy.remember.unwrap().r#for, Seconds::hours(4));
    let names: Vec<&str> = policy.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "remembered",
            "phone_on_file",
            "terms_due",
            "issue",
            "no_phone",
            "phone_failed",
            "wait",
            "cancelled",
            "credentials",
            "phone",
            "terms"
        ]
    );
    assert_eq!(policy.steps[policy.start].name, "remembered");
}

#[test]
fn every_knob_of_the_phone_step_is_read() {
    let policy = parse("phone.toml", PHONE).unwrap();
    let step = policy.find_step("phone").unwrap();
    let StepKind::Otp(otp) = &step.kind else { panic!("{:?}", step.kind) };
    assert_eq!(otp.channels, [Channel::Sms, Channel::Voice]);
    assert_eq!((otp.to, otp.mask.as_deref()), (SendTo::AccountPhone, Some("XXX-XXX-####")));
    assert_eq!((otp.voice, otp.submit, otp.show), (Voice::PressHash, Submit::AutoButton, PhoneShow::Masked));
    assert_eq!((otp.code.digits, otp.code.ttl, otp.code.reuse_on_resend), (6, Seconds::minutes(5), true));
    assert_eq!((step.limits.attempts, step.limits.sends), (Some(5), Some(4)));
    assert_eq!(step.limits.resend_after, Seconds::new(30));
    assert_eq!(step.kind.proves(), Some(Fact::Phone));
    let locks = &policy.find_step("credentials").unwrap().limits.locks;
    assert_eq!((locks[0].scope, locks[0].after, locks[0].backoff), (CountScope::Identifier, 10, 2));
    assert_eq!((locks[0].r#for, locks[0].max), (Seconds::minutes(1), Seconds::hours(5)));
}

#[test]
fn the_forgot_password_sample_parses_with_waiver_and_condition() {
    let policy = parse("forgot-password.toml", FORGOT).unwrap();
    assert_eq!(policy.require[0].condition, Some(Guard::Account(AccountGuard::Phone)));
    let waiver = policy.require[1].waive.as_ref().unwrap();
    assert_eq!((waiver.id.as_str(), waiver.until.as_str()), ("W-1", "2027-06-30"));
    let address = policy.find_step("address").unwrap();
    let StepKind::Otp(otp) = &address.kind else { panic!("{:?}", address.kind) };
    assert!(otp.confirm && otp.unknown == UnknownRule::Pretend && address.kind.identifies());
    assert_eq!(address.page, "address");
    let StepKind::SetPassword { revoke, notify } = &policy.find_step("new_password").unwrap().kind else {
        panic!("no set_password")
    };
    assert_eq!((revoke.len(), notify.as_deref()), (3, Some("password_changed")));
}

#[test]
fn every_kind_of_the_language_parses() {
    let text = r#"
format = 1
id = "everything"
purpose = "register"
entry = ["authorize", "link", "admin", "switch"]
start = "risk"
on_edit = "kill"
require = [{ if = "webhook:risk", factors = ["phone"] }, { factors = ["mailbox", "totp"] }]
acr = "urn:x"
claims_acr_of = ["phone", "email"]
mailbox = "typed"
session.sso = "always"
cancel = { to = "end" }

[webhook]
risk = { within = "2s", fail = true }

[step]
risk = { kind = "branch", when = [{ if = "webhook:risk", then = "data" }, { if = "locale:es", then = "data" }, { if = "client.is:case-portal", then = "data" }, { if = "request.acr:urn:x", then = "data" }, { if = "session.fresh", then = "data" }], else = "corp" }
corp = { kind = "federate", provider = "corp", on = { ok = "make", declined = "end" } }
make = { kind = "effect", effect = ["create_account", "send_link:registration-link/account_registration", "unbind_totp", "replace_recovery_codes", "close_account", "revoke:sessions", "send:welcome", "audit:made", "webhook:risk"], on = { ok = "mail" } }
data = { kind = "form", fields = ["npi", { name = "registration_code", validator = "npi_or_other" }, { name = "fax", required = false }], limits = { attempts = 5 }, on = { ok = "mail", spent = "end" } }
mail = { kind = "link", ttl = "2d", shown = true, limits = { sends = 3, lock = [{ scope = "target", after = 3, for = "1h" }, { scope = "ip", after = 30, for = "1h", backoff = 1, max = "1h" }] }, on = { ok = "secret" } }
secret = { kind = "set_password", on = { ok = "number" } }
number = { kind = "bind_phone", channel = ["sms", "voice"], voice = "keypad_match", show = "ask", submit = "auto", limits = { attempts = 5, sends = 4 }, on = { ok = "box", spent = "end", undeliverable = "end" } }
box = { kind = "bind_email", unknown = "say", limits = { attempts = 5, sends = 4, budget = { sends = 5, per = "1h" } }, on = { ok = "app", spent = "end", change = "box" } }
app = { kind = "bind_totp", limits = { attempts = 5 }, on = { ok = "key", spent = "end" } }
key = { kind = "bind_passkey", on = { ok = "prove" } }
prove = { kind = "passkey", limits = { attempts = 5 }, on = { ok = "spare", spent = "end" } }
spare = { kind = "recovery_code", limits = { attempts = 5 }, on = { ok = "again", spent = "end" } }
again = { kind = "totp", limits = { attempts = 5 }, on = { ok = "rules", spent = "end" } }
rules = { kind = "terms", document = "portal_terms", on = { accepted = "note", declined = "end" } }
note = { kind = "notice", page = "done", on = { ok = "way" } }
way = { kind = "choice", options = [{ id = "phone", to = "old" }, { id = "email", to = "@email", optional = true, carry = ["password"], remember = "customers" }] }
old = { kind = "password", login = "legacy", limits = { attempts = 5 }, on = { ok = "away", spent = "end", forgot = { to = "@forgot-password", optional = true } } }
away = { kind = "switch", to = "@phone", optional = true, carry = ["password", "mailbox"], else = "done" }
done = { kind = "issue" }
end = { kind = "stop", page = "registration_error", error = "interaction_required", links = [{ id = "reset", to = "@registration-reset", optional = true }] }
"#;
    let policy = parse("x.toml", text).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let mut kinds: Vec<&str> = policy.steps.iter().map(|step| step.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let declared = StepKind::WORDS.iter().filter(|word| **word != "otp").count();
    assert_eq!(kinds.len(), declared, "{kinds:?}");
    assert_eq!(policy.find_step("mail").unwrap().limits.locks.len(), 2);
    let claimed: Vec<&str> = policy.claims_acr_of.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(claimed, ["phone", "email"]);
    let StepKind::Stop(end) = &policy.find_step("end").unwrap().kind else { panic!() };
    assert_eq!((end.links[0].id.as_str(), end.links[0].remember.as_deref()), ("reset", None));
}

#[test]
fn stop_links_and_effects_are_checked_at_their_place() {
    let stop = "wait       = { kind = \"stop\", page = \"try_later\", error = \"access_denied\" }";
    let with = |links: &str| stop.replace(" }", &format!(", links = {links} }}"));
    for (links, code) in [
        ("[{ id = \"login\", to = \"wait\" }]", "E00"),
        ("[{ id = \"a\", to = \"nowhere\" }]", "E04"),
        ("[{ id = \"a\", to = \"wait\", remember = \"x\" }]", "E00"),
    ] {
        let found = mutated(stop, &with(links));
        assert!(found.iter().any(|(found, _)| *found == code), "{links}: {found:?}");
    }
    for effect in ["bind_phone", "send_link:nowhere", "webhook:undeclared", "send:Bad Name", "revoke:all"] {
        let step = format!("odd = {{ kind = \"effect\", effect = \"{effect}\", on = {{ ok = \"wait\" }} }}\n{stop}");
        let found = mutated(stop, &step);
        assert!(found.iter().any(|(found, _)| *found == "E01"), "{effect}: {found:?}");
    }
}

#[test]
fn targets_know_steps_policies_and_what_they_carry() {
    let policy = parse("email.toml", EMAIL).unwrap();
    let credentials = policy.find_step("credentials").unwrap();
    let Destination::Switch(forgot) = &credentials.find_route(Outcome::Forgot).unwrap().to else { panic!() };
    assert!(forgot.optional && forgot.carry.is_empty() && forgot.policy == "forgot-password");
    let StepKind::Switch(phone) = &policy.find_step("to_phone").unwrap().kind else { panic!() };
    assert_eq!(phone.carry, FactSet::EMPTY.with(Fact::Password));
    assert_eq!(policy.steps[phone.otherwise.unwrap()].name, "use_phone");
}

#[test]
fn unknown_words_are_found_at_their_place() {
    let cases = [
        (r#"kind   = "password""#, r#"kind   = "passwort""#, ("E01", "\"passwort\"")),
        ("on     = { ok =", "on     = { fine = \"wait\", ok =", ("E02", "fine = \"wai")),
        ("on     = { ok =", "on     = { wrong = \"wait\", ok =", ("E02", "wrong = \"wa")),
        ("on     = { ok =", "on     = { cancel = \"wait\", ok =", ("E02", "cancel = \"w")),
        ("account.phone", "account.fax", ("E03", "\"account.fa")),
        (r#"else = "credentials""#, r#"else = "credential""#, ("E04", "\"credential")),
        (r#"cancel   = { to = "cancelled" }"#, r#"cancel   = { to = "cancel" }"#, ("E04", "\"cancel\" }")),
        (r#"start    = "remembered""#, r#"start    = "first""#, ("E04", "\"first\"")),
        (r#"to = "@forgot-password""#, r#"to = "@Forgot""#, ("E04", "\"@Forgot\",")),
        ("attempts = 10,", "attempt = 10,", ("E00", "attempt = 1")),
        (r#"ttl = "30s""#, r#"ttl = "30 s""#, ("E00", "\"30 s\", re")),
        (r#"ttl = "30s""#, r#"ttl = "0s""#, ("E00", "\"0s\", reus")),
        (r#"ttl = "30s""#, "ttl = 30", ("E00", "30, reuse_o")),
        (r#""password", "mailbox"]"#, r#""password", "mail"]"#, ("E00", "\"mail\"] }]")),
        (r#"purpose  = "login""#, r#"purpose  = "logon""#, ("E00", "\"logon\"")),
        (r#"login  = "email""#, r#"login  = "mail""#, ("E00", "\"mail\"")),
        ("confirm = true", "confirm = \"yes\"", ("E00", "\"yes\"")),
        ("digits = 6", "digits = 3", ("E00", "3, ttl = \"3")),
        ("on_edit  = \"pin\"", "colour = \"pin\"", ("E00", "colour = \"p")),
    ];
    for (from, to, (code, at)) in cases {
        let found = mutated(from, to);
        assert!(found.iter().any(|(found, text)| *found == code && text.starts_with(at)), "{to}: {found:?}");
    }
}

#[test]
fn missing_keys_and_unrouted_outcomes_are_found() {
    let cases = [
        (", spent = \"wait\", undeliverable", ", undeliverable", "E05"),
        ("id       = \"email\"\n", "", "E00"),
        ("format   = 1\n", "format   = 2\n", "E00"),
        ("start    = \"remembered\"\n", "", "E00"),
        ("acr      = \"urn:countersign:acr:password-email\"\n", "", "E00"),
        ("require  = [{ factors = [\"password\", \"mailbox\"] }]", "", "E00"),
        ("login  = \"email\"\n", "", "E00"),
        ("channel = [\"email\"]\n", "", "E00"),
        (", else = \"use_phone\"", "", "E05"),
        (", else = \"mailbox\"", "", "E00"),
        ("factors = [\"password\", \"mailbox\"]", "factors = []", "E00"),
        (
            "factors = [\"password\", \"mailbox\"]",
            "factors = [\"password\", \"mailbox\"], if = \"session.remembered\"",
            "E03",
        ),
        (
            "factors = [\"password\", \"mailbox\"]",
            "factors = [\"password\", \"mailbox\"], if = \"address.of:corporate\"",
            "E03",
        ),
        (
            "factors = [\"password\", \"mailbox\"]",
            "factors = [\"password\", \"mailbox\"], unless = [\"client.is:portal\"]",
            "E03",
        ),
        (
            "factors = [\"password\", \"mailbox\"]",
            "factors = [\"password\", \"mailbox\"], unless = [\"account.fax\"]",
            "E03",
        ),
    ];
    for (from, to, code) in cases {
        let found = mutated(from, to);
        assert!(found.iter().any(|(found, _)| *found == code), "{from}: {found:?}");
    }
}

#[test]
fn several_errors_come_together_in_the_order_of_the_text() {
    let text = EMAIL.replace("ttl = \"30s\"", "ttl = \"soon\"").replace("login  = \"email\"", "login  = \"fax\"");
    let findings = parse("email.toml", &text).unwrap_err();
    assert_eq!(findings.len(), 2);
    assert!(findings[0].line < findings[1].line);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error && finding.policy == "email"));
    let shown = findings[0].to_string();
    assert!(shown.starts_with(&format!("email.toml:{}:10: E00 unknown login `fax`", findings[0].line)), "{shown}");
}

#[test]
fn broken_toml_says_where() {
    assert_eq!(places("format = 1\nid = \"a\nstart = 3"), ["2:8 E00"]);
    assert_eq!(places("a = 1\na = 2").first().map(String::as_str), Some("2:1 E00"));
    assert!(places("").len() >= 5);
}

#[test]
fn files_are_bounded_in_size_and_nesting() {
    assert_eq!(places(&"#".repeat(MAX_FILE + 1)), ["1:1 E00"]);
    let deep = format!("a = {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(!places(&deep).is_empty());
    let tables = format!("a = {}1{}", "{ b = ".repeat(5000), " }".repeat(5000));
    assert!(!places(&tables).is_empty());
    let steps = (0..65).map(|n| format!("s{n} = {{ kind = \"issue\" }}\n")).collect::<Vec<_>>().concat();
    assert!(places(&format!("[step]\n{steps}")).iter().any(|place| place.starts_with("66:")));
}

#[test]
fn columns_count_characters() {
    assert_eq!(places("x = \"é\"\n'é' = 1").iter().filter(|place| place.starts_with("2:1 ")).count(), 1);
    let found = places("format = 1\nid = \"a\" # é\nstep = { \"é\" = 1, b = 2 }");
    assert!(found.iter().any(|place| place.starts_with("3:23 ")), "{found:?}");
}

#[test]
fn line_ends_do_not_change_the_digest_and_anything_else_does() {
    let unix = parse("a", EMAIL).unwrap().digest;
    assert_eq!(parse("b", &EMAIL.replace('\n', "\r\n")).unwrap().digest, unix);
    assert_ne!(parse("a", &EMAIL.replace("30s", "31s")).unwrap().digest, unix);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = parse("x.toml", &text);
    }

    #[test]
    fn no_damage_to_a_policy_makes_the_parser_panic(
        at in 0..EMAIL.len(), length in 0..40_usize, put in r#"[\[\]{}"'=.,#\n @a-z0-9\\é-]{0,12}"#
    ) {
        let from = EMAIL.floor_char_boundary(at);
        let to = EMAIL.floor_char_boundary((at + length).min(EMAIL.len())).max(from);
        let text = format!("{}{put}{}", &EMAIL[..from], &EMAIL[to..]);
        if let Err(findings) = parse("x.toml", &text) {
            prop_assert!(!findings.is_empty());
            let lines = u32::try_from(text.lines().count()).unwrap() + 1;
            prop_assert!(findings.iter().all(|finding| finding.line >= 1 && finding.line <= lines));
        }
    }
}
