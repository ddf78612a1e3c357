use std::collections::BTreeSet;

use super::*;
use crate::machine::tests::{EMAIL, LAB, OPTIONS, TOTP, read, shipped};
use crate::{Finding, PolicySet, Severity};

const TODAY: &str = "2026-06-01";
const FORGOT: &str = include_str!("../../samples/forgot-password.toml");
const PHONE: &str = include_str!("../../samples/phone.toml");

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

/// What a change of `email` alone makes new, beside the notes of a set that lacks the other policies.
fn mutated(changes: &[(&str, &str)]) -> Vec<Finding> {
    let mut text = EMAIL.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let policy = crate::parse("email.toml", &text).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let set = PolicySet::new(vec![policy]);
    check(&set, TODAY).into_iter().filter(|finding| finding.severity != Severity::Note).collect()
}

/// The only finding with this code, and the text of its line.
fn only<'f>(findings: &'f [Finding], code: &str) -> &'f Finding {
    let mut found = findings.iter().filter(|finding| finding.code == code);
    let first = found.next().unwrap_or_else(|| panic!("no {code} in {findings:#?}"));
    assert!(found.next().is_none(), "{code} more than once: {findings:#?}");
    first
}

fn line_of(changed: &[(&str, &str)], piece: &str) -> u32 {
    let text = changed.iter().fold(EMAIL.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let index = text.lines().position(|line| line.contains(piece)).unwrap();
    u32::try_from(index + 1).unwrap()
}

#[test]
fn the_shipped_set_is_clean_but_for_the_thirty_seconds() {
    let findings = check(&shipped(), TODAY);
    let serious: Vec<&Finding> = findings.iter().filter(|finding| finding.severity != Severity::Note).collect();
    assert_eq!(serious.len(), 1, "{serious:#?}");
    assert_eq!((serious[0].code, serious[0].policy.as_str()), ("W22", "email"));
    assert_eq!(serious[0].line, line_of(&[], "ttl = \"30s\""));
    let missing: BTreeSet<&str> = findings.iter().filter(|f| f.code == "N05").map(|f| f.policy.as_str()).collect();
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), ["email", "login-options", "totp"]);
    assert!(findings.iter().all(|finding| !finding.blocks_serve()));
}

#[test]
fn every_file_of_the_shipped_folder_is_in_that_set() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let tested: BTreeSet<[u8; 16]> = shipped().iter().map(|policy| policy.digest).collect();
    for folder in [folder.clone(), folder.join("demo")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let digest = read(&std::fs::read_to_string(&path).unwrap()).digest;
                assert!(tested.contains(&digest), "{} is not tested", path.display());
            }
        }
    }
}

#[test]
fn leaving_out_the_mailed_code_is_e40_with_its_path() {
    let change = [("else = \"mailbox\" }", "else = \"issue\" }")];
    let findings = mutated(&change);
    let hole = only(&findings, "E40");
    assert_eq!(hole.message, "issue reached with ['password'], needs ['password','mailbox']");
    assert_eq!(hole.path, ["remembered", "credentials", "phone_on_file", "issue"]);
    assert_eq!(hole.line, line_of(&change, "else = \"issue\""));
    assert!(hole.to_string().ends_with("; path remembered > credentials > phone_on_file > issue"), "{hole}");
    assert!(hole.blocks_serve());
    assert!(codes(&findings).contains(&"W08"), "the code's step is unreachable now: {findings:?}");
}

#[test]
fn routing_spent_to_issue_is_e40() {
    let change = [("on      = { ok = \"issue\", spent = \"wait\"", "on      = { ok = \"issue\", spent = \"issue\"")];
    let findings = mutated(&change);
    let hole = only(&findings, "E40");
    assert_eq!(hole.path, ["remembered", "credentials", "phone_on_file", "mailbox", "issue"]);
    assert_eq!(hole.line, line_of(&change, "spent = \"issue\""));
    let text = EMAIL.replacen("spent = \"wait\" }", "spent = \"issue\" }", 1);
    let set = PolicySet::new(vec![read(&text)]);
    let findings = check(&set, TODAY);
    assert_eq!(only(&findings, "E40").message, "issue reached with [], needs ['password','mailbox']");
    assert_eq!(only(&findings, "E40").path, ["remembered", "credentials", "issue"]);
}

#[test]
fn cancelling_into_issue_is_e40() {
    let findings = mutated(&[("cancel  = { to = \"cancelled\" }", "cancel  = { to = \"issue\" }")]);
    assert_eq!(only(&findings, "E40").path, ["remembered", "credentials", "issue"]);
}

#[test]
fn missing_attempt_limits_are_e20() {
    let findings = mutated(&[("attempts = 5, ", "")]);
    assert_eq!(only(&findings, "E20").line, line_of(&[], "attempts = 5"));
    let findings = mutated(&[("attempts = 10, ", "")]);
    assert_eq!(only(&findings, "E20").line, line_of(&[], "attempts = 10"));
    let lock = ", lock = { scope = \"identifier\", after = 10, for = \"1m\", backoff = 2, max = \"5h\" }";
    let findings = mutated(&[(lock, "")]);
    assert!(only(&findings, "E20").message.contains("outlives the instance"), "{findings:?}");
}

#[test]
fn missing_send_limits_are_e21() {
    let findings = mutated(&[("sends = 10, ", "")]);
    assert_eq!(only(&findings, "E21").line, line_of(&[], "sends = 10"));
}

#[test]
fn code_lives_are_bounded_at_both_ends() {
    for (ttl, code) in [("10m", None), ("11m", Some("E22")), ("60s", None), ("59s", Some("W22"))] {
        let change = [("ttl = \"30s\"", format!("ttl = \"{ttl}\""))];
        let change: Vec<(&str, &str)> = change.iter().map(|(from, to)| (*from, to.as_str())).collect();
        let findings = mutated(&change);
        assert_eq!(codes(&findings), code.into_iter().collect::<Vec<_>>(), "{ttl}");
        if let Some(code) = code {
            assert_eq!(only(&findings, code).line, line_of(&[], "ttl = \"30s\""));
        }
    }
}

#[test]
fn a_mandatory_policy_that_is_missing_is_e04() {
    let change = [("forgot = { to = \"@forgot-password\", optional = true }", "forgot = \"@forgot-password\"")];
    let findings = mutated(&change);
    let missing = only(&findings, "E04");
    assert_eq!(missing.line, line_of(&change, "forgot = \"@forgot"));
    assert!(missing.message.contains("@forgot-password"));
}

#[test]
fn a_policy_that_lets_nobody_switch_to_it_is_e04() {
    let set = PolicySet::new(vec![read(OPTIONS), read(&EMAIL.replace("\"authorize\", \"switch\"]", "\"authorize\"]"))]);
    assert!(check(&set, TODAY).iter().any(|finding| finding.code == "E04" && finding.policy == "login-options"));
}

#[test]
fn a_loop_of_automatic_steps_is_e07() {
    let change = [
        ("else = \"mailbox\" }", "else = \"again\" }"),
        (
            "issue         = {",
            "again = { kind = \"branch\", when = [{ if = \"locale:es\", then = \"mailbox\" }], else = \"phone_on_file\" }\nissue = {",
        ),
    ];
    let findings = mutated(&change);
    let endless = only(&findings, "E07");
    assert_eq!(endless.path, ["phone_on_file", "again", "phone_on_file"]);
    assert_eq!(endless.line, line_of(&change, "else = \"phone_on_file\""));
}

#[test]
fn a_loop_through_two_policies_is_e07() {
    let hop = |id: &str, to: &str| {
        read(&format!(
            "format = 1\nid = \"{id}\"\npurpose = \"login\"\nentry = [\"authorize\", \"switch\"]\nstart = \"on\"\n[step]\non = {{ kind = \"switch\", to = \"@{to}\" }}"
        ))
    };
    let findings = check(&PolicySet::new(vec![hop("a", "b"), hop("b", "a")]), TODAY);
    assert!(codes(&findings).contains(&"E07"), "{findings:?}");
}

#[test]
fn a_step_without_an_end_in_reach_is_e06() {
    let change = [
        ("else = \"mailbox\" }", "else = \"here\" }"),
        (
            "issue         = {",
            "here = { kind = \"notice\", on = { ok = \"there\" } }\nthere = { kind = \"notice\", on = { ok = \"here\" } }\nissue = {",
        ),
    ];
    let findings = mutated(&change);
    let ends: Vec<u32> = findings.iter().filter(|finding| finding.code == "E06").map(|finding| finding.line).collect();
    assert_eq!(ends, [line_of(&change, "here = { kind"), line_of(&change, "there = { kind")]);
}

#[test]
fn an_unreachable_step_is_w08() {
    let change = [("issue         = {", "island = { kind = \"notice\", on = { ok = \"issue\" } }\nissue = {")];
    let findings = mutated(&change);
    assert_eq!(only(&findings, "W08").line, line_of(&change, "island ="));
    assert!(!codes(&findings).contains(&"E40"), "what nobody reaches issues nothing");
}

#[test]
fn no_cancel_is_w70() {
    let findings = mutated(&[("cancel  = { to = \"cancelled\" }", "")]);
    assert_eq!(only(&findings, "W70").line, line_of(&[], "id      = \"email\""));
}

#[test]
fn kinds_this_version_can_not_run_are_e09() {
    let set = PolicySet::new(vec![read(PHONE), read(FORGOT)]);
    let findings = check(&set, TODAY);
    let kinds: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.code == "E09" && finding.policy == "phone")
        .filter_map(|finding| finding.message.split('`').nth(1))
        .collect();
    assert_eq!(kinds, ["account.terms_due", "otp", "terms"]);
    assert!(findings.iter().any(Finding::blocks_serve));
}

#[test]
fn guards_this_version_can_not_ask_are_e09() {
    for guard in ["account.locked", "org.code_valid", "account.legacy", "registration.incomplete"] {
        let branched = mutated(&[("if = \"account.phone\"", &format!("if = \"{guard}\""))]);
        assert_eq!(only(&branched, "E09").line, line_of(&[], "phone_on_file ="));
        let more = format!("[{{ if = \"{guard}\", factors = [\"phone\"] }}, {{ factors = [\"password\",");
        let required = mutated(&[("[{ factors = [\"password\",", &more)]);
        assert_eq!(only(&required, "E09").line, line_of(&[], "require ="));
    }
}

#[test]
fn an_id_or_acr_used_twice_is_e61() {
    let twice = PolicySet::new(vec![read(EMAIL), read(&LAB.replace("acr:password\"", "acr:password-email\""))]);
    assert_eq!(only(&check(&twice, TODAY), "E61").policy, "lab");
    let twin = PolicySet::new(vec![read(EMAIL), read(EMAIL)]);
    assert_eq!(codes(&check(&twin, TODAY)).iter().filter(|code| **code == "E61").count(), 2);
}

#[test]
fn requirements_with_a_condition_hold_for_whom_they_are_meant() {
    let open = FORGOT.replace("then = \"phone\" }]", "then = \"new_password\" }]");
    let set = PolicySet::new(vec![read(PHONE), read(&open)]);
    let findings = check(&set, TODAY);
    let holes: Vec<&Finding> = findings.iter().filter(|f| f.code == "E40" && f.message.contains("'phone']")).collect();
    let wanted = "issue reached with ['password','mailbox'], needs ['mailbox','phone']";
    assert!(holes.iter().any(|hole| hole.message == wanted), "{findings:#?}");
    let hole = holes.iter().find(|hole| hole.message == wanted).unwrap();
    assert_eq!(hole.path, ["address", "phone_on_file", "new_password", "issue"]);
}

#[test]
fn claiming_an_acr_takes_what_it_stands_for() {
    let set = PolicySet::new(vec![read(PHONE), read(FORGOT)]);
    let findings = check(&set, TODAY);
    let hole = only(&findings, "E40");
    assert_eq!(
        hole.message,
        "issue reached with ['password','mailbox'], needs ['password','phone'] to claim the acr of `phone`"
    );
    let claims_email = FORGOT.replace("claims_acr_of = \"phone\"", "claims_acr_of = \"email\"");
    let set = PolicySet::new(vec![read(EMAIL), read(&claims_email)]);
    assert!(!codes(&check(&set, TODAY)).contains(&"E40"));
    let claims_nothing = FORGOT.replace("claims_acr_of = \"phone\"", "claims_acr_of = \"login-options\"");
    let set = PolicySet::new(vec![read(OPTIONS), read(&claims_nothing)]);
    assert!(codes(&check(&set, TODAY)).contains(&"E04"));
}

#[test]
fn waivers_hold_to_their_last_day() {
    let text = FORGOT.replace("claims_acr_of = \"phone\"", "acr = \"urn:x\"");
    let set = PolicySet::new(vec![read(&text)]);
    let about = |today: &str| {
        let findings = check(&set, today);
        let waiver: Vec<&str> =
            codes(&findings).into_iter().filter(|code| matches!(*code, "N40" | "W41" | "E40")).collect();
        (waiver, findings)
    };
    assert_eq!(about("2027-06-30").0, ["N40"]);
    let (codes, findings) = about("2027-07-01");
    assert_eq!(codes.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), ["E40", "W41"]);
    let hole = only(&findings, "E40");
    assert!(hole.waiver_expired && !hole.blocks_serve());
    assert!(hole.message.contains("W-1"), "{hole}");
}

#[test]
fn what_a_switch_carries_is_proven_where_it_arrives() {
    let text = TOTP
        .replace("id      = \"totp\"", "id = \"phone\"")
        .replace("on     = { ok = \"code\"", "on     = { ok = \"late\"")
        .replace("issue      = {", "late = { kind = \"branch\", when = [{ if = \"account.totp\", then = \"code\" }], else = \"issue\" }\nissue = {");
    let set = PolicySet::new(vec![read(EMAIL), read(&text)]);
    let findings = check(&set, TODAY);
    let hole = only(&findings, "E40");
    assert_eq!(
        (hole.policy.as_str(), hole.message.as_str()),
        ("phone", "issue reached with ['password'], needs ['password','totp']")
    );
    assert_eq!(hole.path, ["remembered", "credentials", "late", "issue"]);
}

#[test]
fn a_hole_that_only_a_carried_fact_opens_is_found_with_the_whole_path() {
    let target = r#"
        format = 1
        id = "phone"
        purpose = "login"
        entry = ["switch"]
        start = "ask"
        require = [{ factors = ["password", "totp"] }]
        acr = "urn:phone"
        cancel = { to = "end" }
        [step]
        ask = { kind = "password", login = "email", limits = { attempts = 5, lock = { scope = "account", after = 5, for = "1m" } }, on = { ok = "app", spent = "end" } }
        app = { kind = "totp", limits = { attempts = 5, lock = { scope = "account", after = 5, for = "1m" } }, on = { ok = "done", spent = "done" } }
        done = { kind = "issue" }
        end = { kind = "stop", page = "none" }
    "#;
    let set = PolicySet::new(vec![read(EMAIL), read(target)]);
    let findings = check(&set, TODAY);
    let hole = only(&findings, "E40");
    assert_eq!(hole.path, ["ask", "app", "done"], "the shorter way in wins");
    let only_carried =
        target.replace("start = \"ask\"", "start = \"app\"").replace("spent = \"done\"", "spent = \"end\"");
    let set = PolicySet::new(vec![read(EMAIL), read(&only_carried)]);
    let findings = check(&set, TODAY);
    assert_eq!(only(&findings, "E40").message, "issue reached with ['totp'], needs ['password','totp']");
}

#[test]
fn findings_are_the_same_every_time() {
    let set = PolicySet::new(vec![read(OPTIONS), read(EMAIL), read(PHONE), read(FORGOT), read(TOTP), read(LAB)]);
    assert_eq!(check(&set, TODAY), check(&set, TODAY));
}

#[test]
fn more_guards_than_can_be_explored_are_refused() {
    let when =
        (0..13).map(|n| format!("{{ if = \"client.is:c{n}\", then = \"issue\" }}, ")).collect::<Vec<_>>().concat();
    let findings =
        mutated(&[("when = [{ if = \"session.remembered\"", &format!("when = [{when}{{ if = \"session.remembered\""))]);
    assert_eq!(only(&findings, "E00").line, line_of(&[], "id      = \"email\""));
}
