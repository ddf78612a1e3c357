use std::collections::BTreeSet;

use super::*;
use crate::machine::tests::{EMAIL, LAB, OPTIONS, TOTP, read};
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

/// The finding with this code and the shortest path.
fn only<'f>(findings: &'f [Finding], code: &str) -> &'f Finding {
    let found = findings.iter().filter(|finding| finding.code == code);
    found.min_by_key(|finding| finding.path.len()).unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
}

fn line_of(changed: &[(&str, &str)], piece: &str) -> u32 {
    let text = changed.iter().fold(EMAIL.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let index = text.lines().position(|line| line.contains(piece)).unwrap();
    u32::try_from(index + 1).unwrap()
}

/// Every policy of the shipped folder.
fn folder() -> PolicySet {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let read = |file: &std::path::PathBuf| {
        crate::parse(&file.display().to_string(), &std::fs::read_to_string(file).unwrap()).unwrap()
    };
    PolicySet::new(files.iter().map(read).collect())
}

fn changed(policy: &str, changes: &[(&str, &str)]) -> Vec<Finding> {
    let others = folder().iter().filter(|known| known.id != policy).cloned().collect::<Vec<_>>();
    let replaced = shipped_but(policy, changes);
    check(&PolicySet::new(others.into_iter().chain([replaced]).collect()), TODAY)
}

/// A shipped policy with these changes.
fn shipped_but(policy: &str, changes: &[(&str, &str)]) -> crate::Policy {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut text = std::fs::read_to_string(path.join(format!("{policy}.toml"))).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    crate::parse(policy, &text).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// What makes `policy` pass over the passkeys of those who have one.
const NO_PASSKEY: &[(&str, &str)] = &[
    ("if = \"account.passkey\", then = \"own_passkey\"", "if = \"account.passkey\", then = \"app_on_file\""),
    ("{ if = \"account.passkey\", factors", "{ if = \"account.totp\", factors"),
    ("\"passkey\", \"password\"]", "\"password\"]"),
];

#[test]
fn the_shipped_set_has_no_error() {
    let findings = check(&folder(), TODAY);
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(codes(&findings).contains(&"W22"), "the guides' thirty seconds");
}

/// The set with several policies changed.
fn all_changed(changes: &[(&str, &[(&str, &str)])]) -> Vec<Finding> {
    let read = |policy: &crate::Policy| match changes.iter().find(|(id, _)| *id == policy.id) {
        Some((id, changes)) => shipped_but(id, changes),
        None => policy.clone(),
    };
    check(&PolicySet::new(folder().iter().map(read).collect()), TODAY)
}

/// What lets a finished registration in by its link.
const OPEN_LINK: (&str, &[(&str, &str)]) =
    ("registration-link", &[("then = \"method\" }], else = \"already\"", "then = \"method\" }], else = \"method\"")]);

#[test]
fn a_registration_link_that_asks_nothing_is_no_hole_while_nobody_finished_is_sent_one() {
    let findings = all_changed(&[OPEN_LINK]);
    assert!(!codes(&findings).contains(&"E50"), "{findings:#?}");
}

#[test]
fn a_reset_of_a_finished_registration_by_its_mailbox_alone_is_e50() {
    let open_reset: &[_] = &[("then = \"send\" }], else = \"told\"", "then = \"send\" }], else = \"send\"")];
    let findings = all_changed(&[OPEN_LINK, ("registration-reset", open_reset)]);
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "phone");
    let hole = hole.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(hole.message.starts_with("['mailbox'] is enough to pass `phone`"), "{hole}");
    assert!(hole.path.contains(&"registration-link/link".to_owned()), "{hole}");
}

#[test]
fn the_portals_own_password_is_a_thing_held_and_one_alone_is_e50() {
    let findings = all_changed(&[(
        "registration",
        &[
            ("then = \"method\" }], else = \"already\"", "then = \"method\" }], else = \"method\""),
            ("mailbox       = \"on_file\"", "mailbox = \"typed\""),
        ],
    )]);
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "phone");
    let hole = hole.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(hole.message.starts_with("['legacy'] is enough to pass `phone`"), "{hole}");
    assert!(hole.path.contains(&"registration/portal_login".to_owned()), "{hole}");
}

#[test]
fn a_link_that_is_shown_proves_no_mailbox() {
    let bare = changed("first-administrator", &[("then = \"mailbox\"", "then = \"method\"")]);
    let lacks = "issue reached with ['password'], needs ['password','mailbox']";
    assert!(bare.iter().any(|finding| finding.code == "E40" && finding.message.starts_with(lacks)), "{bare:#?}");
    let early = bare.iter().any(|finding| finding.message.starts_with("`set_password` reached with []"));
    assert!(early, "the machine refuses it there: {bare:#?}");
    // Were it mailed, it would do.
    let mailed = [("shown = true\n", ""), ("then = \"mailbox\"", "then = \"method\"")];
    let errors = |findings: Vec<Finding>| findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors(changed("first-administrator", &mailed)).count(), 0);
    let shown = changed("invitation", &[("ttl  = \"2d\"", "ttl  = \"2d\"\nshown = true")]);
    assert!(shown.iter().any(|finding| finding.code == "E40" && finding.message.starts_with(lacks)), "{shown:#?}");
    assert!(shown.iter().any(|finding| finding.code == "E04" && finding.message.contains("`admin`")), "{shown:#?}");
}

#[test]
fn no_link_is_mailed_for_a_policy_whose_link_is_shown() {
    let other = [("send_link:registration-link", "send_link:first-administrator")];
    let findings = changed("registration-reset", &other);
    let found = findings.iter().find(|finding| finding.code == "E04");
    assert!(found.is_some_and(|finding| finding.message.contains("a link that is shown")), "{findings:#?}");
}

#[test]
fn what_takes_two_factors_still_is_a_substitution() {
    let sets = list_least_sets(&folder(), TODAY);
    let phone: Vec<&LeastSet> = sets.iter().filter(|set| set.policy == "phone" && set.account == ["phone"]).collect();
    assert!(phone.iter().any(|set| set.held == ["password", "phone"] && !set.waived), "{phone:#?}");
    assert!(phone.iter().any(|set| set.held == ["mailbox", "phone"] && !set.waived), "{phone:#?}");
    assert!(phone.iter().all(|set| set.held.len() >= 2), "{phone:#?}");
}

#[test]
fn binding_a_phone_after_the_password_alone_is_e50() {
    let findings = changed("change-phone", &[("on     = { ok = \"own_on_file\"", "on     = { ok = \"new_phone\"")]);
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "phone");
    let hole = hole.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(hole.message.starts_with("['password'] is enough to pass `phone`"), "{hole}");
    assert!(hole.path.contains(&"change-phone/new_phone".to_owned()), "{hole}");
}

#[test]
fn a_mailbox_that_is_enough_for_who_holds_a_passkey_is_e50_whatever_the_waiver() {
    let findings = changed("forgot-password", NO_PASSKEY);
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "email");
    let hole = hole.unwrap_or_else(|| panic!("{findings:#?}"));
    let wanted = "['mailbox'] is enough to pass `email` for an account with passkey";
    assert!(hole.message.starts_with(wanted), "{hole}");
    // Where enrolment passes over the passkey too, the mailbox earns what a passkey earns.
    let bare = |policy: &crate::Policy| match policy.id.as_str() {
        "forgot-password" => shipped_but("forgot-password", NO_PASSKEY),
        "passkey-enrol" => shipped_but("passkey-enrol", &NO_PASSKEY[..1]),
        _ => policy.clone(),
    };
    let findings = check(&PolicySet::new(folder().iter().map(bare).collect()), TODAY);
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "passkey");
    let hole = hole.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(hole.message.starts_with("['mailbox'] is enough to pass `passkey`"), "{hole}");
    assert!(hole.path.contains(&"passkey-enrol/bind".to_owned()), "{hole}");
}

#[test]
fn a_mailbox_that_is_enough_for_who_holds_an_app_is_e50() {
    let findings = changed(
        "forgot-password",
        &[
            ("if = \"account.totp\", then = \"app\"", "if = \"account.totp\", then = \"phone_on_file\""),
            ("{ if = \"account.totp\", factors = [\"mailbox\", \"totp\", \"password\"] },", ""),
        ],
    );
    let hole = findings.iter().find(|finding| finding.code == "E50" && finding.policy == "email");
    assert!(hole.is_some_and(|hole| hole.message.contains("for an account with totp")), "{findings:#?}");
}

#[test]
fn a_client_that_requires_more_than_a_policy_gives_is_e60() {
    let demand = ClientDemand {
        client: "portal".to_owned(),
        allowed: ["login-options", "email", "phone"].map(str::to_owned).to_vec(),
        required_acr: vec!["urn:countersign:acr:password-phone".to_owned()],
    };
    let short = |required: &[&str]| -> Vec<String> {
        let required_acr = required.iter().map(|acr| format!("urn:countersign:acr:{acr}")).collect();
        let clients = [ClientDemand { required_acr, ..demand.clone() }];
        let around = Surroundings { today: TODAY, clients: &clients, catalogue: None };
        let findings = check_within(&folder(), &around);
        findings.iter().filter(|f| f.code == "E60").map(|f| f.policy.clone()).collect()
    };
    assert_eq!(short(&["password-phone"]), ["email"]);
    assert!(short(&["password-phone", "password-email"]).is_empty(), "one of them is enough");
    assert_eq!(short(&["no-such"]), ["email", "login-options", "phone"]);
    assert!(short(&[]).is_empty());
}

#[test]
fn a_page_text_or_mail_that_is_missing_is_e10_and_e11() {
    let mut catalogue = Catalogue::default();
    catalogue.pages.insert("sign_in".to_owned(), PageParts { any_field: true, ..PageParts::default() });
    catalogue.locales.insert("en".to_owned(), Texts::default());
    let around = Surroundings { today: TODAY, clients: &[], catalogue: Some(&catalogue) };
    let findings = check_within(&folder(), &around);
    let has = |code: &str, words: &str| findings.iter().any(|f| f.code == code && f.message.contains(words));
    assert!(has("E10", "lacks the button `login`") && has("E10", "page `phone_verify`"), "{findings:#?}");
    assert!(has("E11", "`sign_in.title`") && has("E11", "mail `verification_code`"), "{findings:#?}");
}

#[test]
fn leaving_out_the_mailed_code_is_e40_with_its_path() {
    let change = [("else = \"mailbox\" }", "else = \"issue\" }")];
    let findings = mutated(&change);
    let hole = only(&findings, "E40");
    assert_eq!(hole.message, "issue reached with ['password'], needs ['password','mailbox']");
    assert_eq!(hole.path, ["remembered", "credentials", "unfinished", "phone_on_file", "issue"]);
    assert_eq!(hole.line, line_of(&change, "else = \"issue\""));
    assert!(
        hole.to_string().ends_with("; path remembered > credentials > unfinished > phone_on_file > issue"),
        "{hole}"
    );
    assert!(hole.blocks_serve());
    assert!(codes(&findings).contains(&"W08"), "the code's step is unreachable now: {findings:?}");
}

#[test]
fn routing_spent_to_issue_is_e40() {
    let change =
        [("on      = { ok = \"terms_due\", spent = \"wait\"", "on      = { ok = \"terms_due\", spent = \"issue\"")];
    let findings = mutated(&change);
    let hole = only(&findings, "E40");
    assert_eq!(hole.path, ["remembered", "credentials", "unfinished", "phone_on_file", "mailbox", "issue"]);
    assert_eq!(hole.line, line_of(&change, "spent = \"issue\""));
    let findings = mutated(&[("optional = true }, spent = \"wait\"", "optional = true }, spent = \"issue\"")]);
    let hole = findings.iter().find(|finding| finding.message == "issue reached with [], needs ['password','mailbox']");
    assert_eq!(hole.map(|hole| hole.path.join(" ")).as_deref(), Some("remembered credentials issue"), "{findings:#?}");
}

#[test]
fn cancelling_into_issue_is_e40() {
    let findings = mutated(&[("cancel   = { to = \"cancelled\" }", "cancel   = { to = \"issue\" }")]);
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
            "issue      = {",
            "again = { kind = \"branch\", when = [{ if = \"locale:es\", then = \"mailbox\" }], else = \"phone_on_file\" }\nissue = {",
        ),
    ];
    let findings = mutated(&change);
    let endless = only(&findings, "E07");
    assert_eq!(endless.path, ["phone_on_file", "again", "phone_on_file"]);
    assert_eq!(endless.line, line_of(&change, "again = {"));
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
            "issue      = {",
            "here = { kind = \"notice\", on = { ok = \"there\" } }\nthere = { kind = \"notice\", on = { ok = \"here\" } }\nissue = {",
        ),
    ];
    let findings = mutated(&change);
    let ends: Vec<u32> = findings.iter().filter(|finding| finding.code == "E06").map(|finding| finding.line).collect();
    assert_eq!(ends, [line_of(&change, "here = { kind"), line_of(&change, "there = { kind")]);
}

#[test]
fn an_unreachable_step_is_w08() {
    let change = [("issue      = {", "island = { kind = \"notice\", on = { ok = \"issue\" } }\nissue = {")];
    let findings = mutated(&change);
    assert_eq!(only(&findings, "W08").line, line_of(&change, "island ="));
    assert!(!codes(&findings).contains(&"E40"), "what nobody reaches issues nothing");
}

#[test]
fn no_cancel_is_w70() {
    let findings = mutated(&[("cancel   = { to = \"cancelled\" }", "")]);
    assert_eq!(only(&findings, "W70").line, line_of(&[], "id       = \"email\""));
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
        .replace("id       = \"totp\"", "id = \"phone\"")
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
fn what_shows_an_account_before_anything_is_proven_is_e30_with_its_path() {
    let findings = changed("registration-reset", &[("then = \"send\" }]", "then = \"wait\" }]")]);
    let shown = only(&findings, "E30");
    assert!(shown.message.starts_with("`registration.incomplete` shows before anything"), "{shown}");
    assert_eq!((shown.policy.as_str(), shown.blocks_serve()), ("registration-reset", true));
    assert_eq!(shown.path, ["username", "unfinished", "wait"]);
    let findings = changed("forgot-password", &[("unknown = \"pretend\"", "unknown = \"say\"")]);
    let said = only(&findings, "E30");
    assert!(said.message.ends_with("`unknown = \"say\"`"), "{said}");
    assert_eq!(said.path, ["address"]);
}

#[test]
fn what_a_watch_tells_of_an_account_is_e31_with_its_path() {
    let findings = changed("registration-reset", &[("else = \"told\"", "else = \"sent\"")]);
    let told = only(&findings, "E31");
    let wanted = "one way queues a message, the other does nothing";
    assert!(told.message.starts_with("`registration.incomplete`") && told.message.ends_with(wanted), "{told}");
    assert_eq!((told.policy.as_str(), told.blocks_serve()), ("registration-reset", true));
    assert_eq!(told.path, ["username", "unfinished", "send", "sent"]);
    assert!(!codes(&findings).contains(&"E30"), "the pages are the same: {findings:#?}");
}

#[test]
fn asking_for_less_than_every_path_proves_is_w42() {
    let change = [("[{ factors = [\"password\", \"mailbox\"] }]", "[{ factors = [\"password\"] }]")];
    let findings = mutated(&change);
    let slack = only(&findings, "W42");
    assert_eq!(slack.message, "`require` asks less than every path proves: ['mailbox'] too");
    assert_eq!((slack.line, slack.severity), (line_of(&change, "require  ="), Severity::Warning));
}

#[test]
fn limits_below_their_floor_are_w71_and_above_their_ceiling_w72() {
    for (from, to, code) in [
        ("attempts = 5,", "attempts = 2,", "W71"),
        ("sends = 10,", "sends = 1,", "W71"),
        ("resend_after = \"30s\"", "resend_after = \"9s\"", "W71"),
        ("for = \"1m\", backoff", "for = \"9s\", backoff", "W71"),
        ("lifetime = \"20m\", idle = \"10m\"", "lifetime = \"4m\", idle = \"3m\"", "W71"),
        ("idle = \"10m\"", "idle = \"1m\"", "W71"),
        ("advances = 60", "advances = 5", "W71"),
        ("lifetime = \"20m\"", "lifetime = \"25h\"", "W72"),
        ("lifetime = \"20m\", idle = \"10m\"", "lifetime = \"2h\", idle = \"61m\"", "W72"),
        ("remember = { for = \"4h\"", "remember = { for = \"25h\"", "W72"),
    ] {
        let findings = mutated(&[(from, to)]);
        assert!(codes(&findings).contains(&code), "{to}: {findings:#?}");
        assert!(only(&findings, code).severity == Severity::Warning, "{to}");
    }
    assert!(!mutated(&[]).iter().any(|finding| matches!(finding.code, "W71" | "W72")), "as shipped");
}

#[test]
fn an_optional_policy_that_is_missing_is_n05() {
    let alone = check(&PolicySet::new(vec![read(OPTIONS)]), TODAY);
    let hidden: Vec<&Finding> = alone.iter().filter(|finding| finding.code == "N05").collect();
    let message = "the optional policy `phone` is not in the set: its control is hidden";
    assert!(hidden.iter().any(|finding| finding.message == message), "{hidden:#?}");
    assert!(hidden.iter().all(|finding| finding.severity == Severity::Note && !finding.blocks_serve()));
    let both = check(&PolicySet::new(vec![read(OPTIONS), read(PHONE)]), TODAY);
    assert!(!both.iter().any(|finding| finding.message == message), "{both:#?}");
}

#[test]
fn an_account_that_is_closed_before_what_is_asked_for_is_proven_is_e40() {
    let findings = changed("close-account", &[("else = \"mailbox\" }", "else = \"sure\" }")]);
    let hole = only(&findings, "E40");
    assert_eq!(hole.message, "`close_account` reached with ['password'], needs ['password','mailbox']");
    let path = ["credentials", "own_on_file", "app_on_file", "phone_on_file", "sure", "close"];
    assert_eq!(hole.path, path);
}

#[test]
fn a_remember_me_that_outlives_the_browser_is_e09() {
    let change = [("cookie = \"session\"", "cookie = \"persistent\"")];
    let findings = mutated(&change);
    let refused = only(&findings, "E09");
    assert_eq!((refused.line, refused.blocks_serve()), (line_of(&change, "remember = {"), true));
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
    assert_eq!(only(&findings, "E00").line, line_of(&[], "id       = \"email\""));
}

#[test]
fn what_leads_upstream_ends_at_a_provider() {
    let upstream = "upstream = { to = \"@employees\", optional = true }";
    let findings = changed("email", &[(upstream, "upstream = \"wait\"")]);
    assert!(only(&findings, "E04").message.contains("leads to no `federate` step"), "{findings:#?}");
    let findings = changed("email", &[(upstream, "upstream = \"issue\"")]);
    assert!(only(&findings, "E40").message.contains("needs"), "{findings:#?}");
}

#[test]
fn another_address_may_be_typed_after_the_guard_was_asked() {
    // Asked twice: no at first, yes once another address was typed. Whoever answers it once for all misses the way.
    let text = r#"
        format = 1
        id = "twice"
        purpose = "login"
        entry = ["authorize"]
        start = "first"
        cancel = { to = "end" }
        acr = "urn:x:twice"
        require = [{ factors = ["password", "federated"] }]
        [step]
        first = { kind = "branch", when = [{ if = "address.of:corporate", then = "end" }], else = "credentials" }
        second = { kind = "branch", when = [{ if = "address.of:corporate", then = "issue" }], else = "end" }
        issue = { kind = "issue" }
        end = { kind = "stop", page = "federation_refused" }
        [step.credentials]
        kind = "password"
        login = "email"
        limits = { attempts = 10, lock = { scope = "identifier", after = 10, for = "1m", backoff = 2, max = "5h" } }
        on = { ok = "second", spent = "end" }
    "#;
    let findings = check(&PolicySet::new(vec![read(text)]), TODAY);
    assert_eq!(only(&findings, "E40").path, ["first", "credentials", "second", "issue"]);
}

#[test]
fn what_a_public_question_leads_to_is_compared_too() {
    for public in ["client.is:portal", "locale:es", "address.of:corporate"] {
        let text = format!(
            r#"
            format = 1
            id = "behind"
            purpose = "reset"
            entry = ["authorize"]
            start = "name"
            cancel = {{ to = "end" }}
            [step]
            public = {{ kind = "branch", when = [{{ if = "{public}", then = "secret" }}], else = "end" }}
            secret = {{ kind = "branch", when = [{{ if = "account.exists", then = "other" }}], else = "end" }}
            end = {{ kind = "stop", page = "stopped" }}
            other = {{ kind = "stop", page = "try_later" }}
            [step.name]
            kind = "form"
            fields = [{{ name = "username" }}]
            limits = {{ attempts = 5, lock = {{ scope = "ip", after = 20, for = "5m" }} }}
            on = {{ ok = "public" }}
            "#
        );
        let findings = check(&PolicySet::new(vec![read(&text)]), TODAY);
        assert!(only(&findings, "E30").message.contains("account.exists"), "{public}: {findings:#?}");
    }
}
