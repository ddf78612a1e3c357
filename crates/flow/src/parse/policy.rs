//! The policy itself: its keys, its requirements, and its steps in the order of the file.

use countersign_model::Seconds;

use super::reader::{Report, Table, is_name, shorten, text_of};
use super::target::{Names, read_facts};
use super::{limits, step};
use crate::Position;
use crate::language::{
    CookieLife, Guard, MAX_STEPS, MailboxRule, OnEdit, Policy, Purpose, Remember, Requirement, Sso, Step, Waiver,
    Webhook,
};

/// Reads the whole file.
pub(super) fn read(report: &mut Report, mut root: Table, digest: [u8; 16]) -> Policy {
    let format = root.required(report, "format").and_then(|_| root.number(report, "format", 1, 1));
    let (id, id_at) = root.required_text(report, "id");
    report.policy = shorten(id);
    if format.is_some() && !id.is_empty() && !is_name(id, b'-') {
        report.error("E00", id_at, "`id` is made of lower-case letters, digits and `-`, at most 40".to_owned());
    }
    let webhooks = read_webhooks(report, &mut root);
    let step_table = root.required(report, "step").and_then(|value| Table::from_value(report, value, "[step]"));
    let entries = step_table.as_ref().map(Table::entries).unwrap_or_default();
    let names = Names { steps: entries.iter().map(|(name, ..)| *name).collect(), webhooks: &webhooks };
    check_names(report, &entries);
    let steps: Vec<Step> =
        entries.iter().take(MAX_STEPS).map(|(name, at, value)| step::read(report, &names, name, *at, value)).collect();

    let (start, start_at) = root.required_text(report, "start");
    let start = if start.is_empty() { None } else { names.step(report, start, start_at) };
    let cancel = root.find("cancel").and_then(|value| names.target(report, value, false));
    let (acr, acr_at) = read_acr(report, &mut root);
    let policy = Policy {
        id: id.to_owned(),
        file: report.file().to_owned(),
        digest,
        purpose: root.required_word(report, "purpose").unwrap_or(Purpose::Login),
        entry: read_entry(report, &mut root),
        start: start.unwrap_or_default(),
        on_edit: root.word(report, "on_edit").unwrap_or(OnEdit::Pin),
        require: read_require(report, &mut root, &names),
        acr,
        acr_at,
        claims_acr_of: read_claims(report, &mut root),
        limits: limits::read_policy(report, &mut root),
        cancel,
        remember: read_remember(report, &mut root),
        sso: read_sso(report, &mut root),
        mailbox: root.word(report, "mailbox").unwrap_or(MailboxRule::OnFile),
        steps,
        at: report.position(id_at),
        webhooks: Vec::new(),
    };
    check_issue(report, &policy, id_at);
    root.finish(report);
    Policy { webhooks, ..policy }
}

fn check_names(report: &mut Report, entries: &[(&str, usize, super::reader::Value)]) {
    for (name, at, _) in entries {
        if !is_name(name, b'_') {
            let message = "a step's name is made of lower-case letters, digits and `_`, at most 40".to_owned();
            report.error("E00", *at, message);
        }
    }
    if let Some((_, at, _)) = entries.get(MAX_STEPS) {
        report.error("E00", *at, format!("a policy has at most {MAX_STEPS} steps"));
    }
}

/// Who may be issued for must be said.
fn check_issue(report: &mut Report, policy: &Policy, at: usize) {
    if !policy.can_issue() {
        return;
    }
    if policy.require.is_empty() {
        report.error("E00", at, "a policy with an `issue` step needs the key `require`".to_owned());
    }
    if policy.acr.is_none() && policy.claims_acr_of.is_empty() {
        report.error("E00", at, "a policy with an `issue` step needs the key `acr` or `claims_acr_of`".to_owned());
    }
}

fn read_entry(report: &mut Report, root: &mut Table) -> Vec<crate::language::Entry> {
    root.required(report, "entry");
    let entry = root.words(report, "entry");
    if entry.is_empty() && root.find("entry").is_some() {
        report.error("E00", root.offset_of("entry"), "`entry` names no way in".to_owned());
    }
    entry
}

fn read_acr(report: &mut Report, root: &mut Table) -> (Option<String>, Position) {
    let Some((acr, at)) = root.text(report, "acr") else { return (None, Position::default()) };
    if acr.is_empty() || acr.len() > 200 || !acr.bytes().all(|byte| byte.is_ascii_graphic()) {
        report.error("E00", at, "`acr` is visible ASCII without spaces, at most 200 characters".to_owned());
    }
    (Some(acr.to_owned()), report.position(at))
}

/// `claims_acr_of`: one policy or several.
fn read_claims(report: &mut Report, root: &mut Table) -> Vec<(String, Position)> {
    let mut claims: Vec<(String, Position)> = Vec::new();
    for value in root.one_or_more("claims_acr_of") {
        let Some((policy, at)) = text_of(report, value, "claims_acr_of") else { continue };
        if !is_name(policy, b'-') {
            report.error("E04", at, format!("unknown target `{}`: no policy can be named so", shorten(policy)));
        } else if claims.iter().any(|(known, _)| known == policy) {
            report.error("E00", at, format!("`{policy}` stands in `claims_acr_of` twice"));
        }
        claims.push((policy.to_owned(), report.position(at)));
    }
    claims
}

fn read_remember(report: &mut Report, root: &mut Table) -> Option<Remember> {
    let mut table = root.table(report, "remember", "`remember`")?;
    let span = table.required(report, "for").and_then(|_| table.duration(report, "for"));
    let cookie = table.word(report, "cookie").unwrap_or(CookieLife::Session);
    let at = report.position(table.offset_of("cookie"));
    table.finish(report);
    Some(Remember { r#for: span.map_or(Seconds::hours(4), |(span, _)| span), cookie, at })
}

fn read_sso(report: &mut Report, root: &mut Table) -> Sso {
    let Some(mut table) = root.table(report, "session", "`session`") else { return Sso::Remembered };
    let sso = table.required_word(report, "sso").unwrap_or(Sso::Remembered);
    table.finish(report);
    sso
}

fn read_webhooks(report: &mut Report, root: &mut Table) -> Vec<Webhook> {
    let Some(table) = root.table(report, "webhook", "[webhook]") else { return Vec::new() };
    let mut webhooks = Vec::new();
    for (name, at, value) in table.entries() {
        if !is_name(name, b'_') {
            report.error("E00", at, "a webhook's name is made of lower-case letters, digits and `_`".to_owned());
        }
        let Some(mut table) = Table::from_value(report, value, "the webhook") else { continue };
        let within = table.required(report, "within").and_then(|_| table.duration(report, "within"));
        let fail = table.required(report, "fail").and_then(|_| table.flag(report, "fail"));
        table.finish(report);
        let within = within.map_or(Seconds::new(1), |(within, _)| within);
        webhooks.push(Webhook { name: name.to_owned(), within, fail: fail.unwrap_or(false) });
    }
    webhooks
}

fn read_require(report: &mut Report, root: &mut Table, names: &Names) -> Vec<Requirement> {
    let mut require = Vec::new();
    for value in root.array(report, "require") {
        let Some(mut table) = Table::from_value(report, value, "the requirement") else { continue };
        let condition = table.text(report, "if").and_then(|(text, at)| names.guard(report, text, at));
        if matches!(condition, Some(Guard::SessionRemembered | Guard::SessionFresh)) {
            let message = "a requirement can not depend on the session: it must hold for it".to_owned();
            report.error("E03", table.offset_of("if"), message);
        }
        if matches!(condition, Some(Guard::AddressOf(_))) {
            let message = "a requirement can not depend on what was typed: anybody may type it".to_owned();
            report.error("E03", table.offset_of("if"), message);
        }
        let unless = read_unless(report, &mut table, names);
        table.required(report, "factors");
        let factors = read_facts(report, &mut table, "factors");
        if factors.is_empty() {
            report.error("E00", table.offset_of("factors"), "`factors` names nothing to prove".to_owned());
        }
        let waive = table.find("waive").and_then(|value| read_waiver(report, value));
        let at = report.position(table.at);
        table.finish(report);
        require.push(Requirement { condition, unless, factors, waive, at });
    }
    require
}

/// Properties of the account: what else a request says excuses nobody.
fn read_unless(report: &mut Report, table: &mut Table, names: &Names) -> Vec<Guard> {
    let mut unless = Vec::new();
    for value in table.array(report, "unless") {
        let Some((text, at)) = text_of(report, value, "unless") else { continue };
        match names.guard(report, text, at) {
            Some(guard @ Guard::Account(_)) => unless.push(guard),
            Some(_) => report.error("E03", at, "`unless` names properties of the account".to_owned()),
            None => {}
        }
    }
    unless
}

fn read_waiver(report: &mut Report, value: super::reader::Value) -> Option<Waiver> {
    let mut table = Table::from_value(report, value, "the waiver")?;
    let (id, id_at) = table.required_text(report, "id");
    let (why, why_at) = table.required_text(report, "why");
    for (text, at) in [(id, id_at), (why, why_at)] {
        if text.trim().is_empty() || text.len() > 300 {
            report.error("E00", at, "a waiver says in 1 to 300 characters what it is and why".to_owned());
        }
    }
    let until = table.required(report, "until").and_then(|value| text_of(report, value, "until"));
    if let Some((until, at)) = until
        && !is_date(until)
    {
        report.error("E00", at, "`until` is a day, YYYY-MM-DD".to_owned());
    }
    let at = report.position(table.at);
    table.finish(report);
    Some(Waiver { id: id.to_owned(), why: why.to_owned(), until: until?.0.to_owned(), at })
}

/// Whether `text` is `YYYY-MM-DD` with a month and a day that can be; such texts sort by time.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let number = |part: &str, len: usize| {
        let digits = part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u32>().ok() } else { None }
    };
    let within = |part: Option<u32>, max: u32| part.is_some_and(|number| (1..=max).contains(&number));
    number(year, 4).is_some() && within(number(month, 2), 12) && within(number(day, 2), 31)
}
