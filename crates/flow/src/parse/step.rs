//! Steps: each kind with the keys it knows.

use countersign_model::{FactSet, Seconds};
use toml::de::DeValue;

use super::limits;
use super::reader::{Report, Table, Value, is_name, shorten, text_of};
use super::target::Names;
use crate::language::{
    Branch, Channel, Choice, ChoiceOption, Clause, CodeRule, Destination, EffectWord, FieldName, FormField, LoginName,
    Otp, Outcome, PhoneShow, SendTo, Step, StepKind, Stop, Submit, Switch, Target, UnknownRule, Voice,
};

/// Reads one step.
pub(super) fn read(report: &mut Report, names: &Names, name: &str, at: usize, value: Value) -> Step {
    let mut step = Step {
        name: name.to_owned(),
        kind: StepKind::Notice,
        page: String::new(),
        routes: Vec::new(),
        limits: limits::unlimited(report, at),
        at: report.position(at),
    };
    let Some(mut table) = Table::from_value(report, value, "the step") else { return step };
    table.at = at;
    let (word, word_at) = table.required_text(report, "kind");
    let Some(kind) = read_kind(report, names, &mut table, word) else {
        if !word.is_empty() {
            let known = StepKind::WORDS.join(", ");
            report.error("E01", word_at, format!("unknown kind `{}`; known: {known}", shorten(word)));
        }
        return step;
    };
    step.kind = kind;
    if step.kind.has_page() && !matches!(step.kind, StepKind::Stop(_)) {
        read_page(report, &mut table).unwrap_or(name).clone_into(&mut step.page);
    } else if let StepKind::Stop(Stop { shows_page: true, .. }) = step.kind {
        read_page(report, &mut table).unwrap_or_default().clone_into(&mut step.page);
    }
    if has_limits(&step.kind) {
        step.limits = limits::read_step(report, &mut table);
    }
    step.routes = read_routes(report, names, &mut table, &step.kind);
    table.finish(report);
    step
}

fn has_limits(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::Password { .. }
            | StepKind::Otp(_)
            | StepKind::Totp
            | StepKind::Passkey
            | StepKind::RecoveryCode
            | StepKind::Form { .. }
            | StepKind::Link { .. }
            | StepKind::BindPhone(_)
            | StepKind::BindEmail(_)
            | StepKind::BindTotp
    )
}

fn read_kind(report: &mut Report, names: &Names, table: &mut Table, word: &str) -> Option<StepKind> {
    Some(match word {
        "password" => StepKind::Password { login: table.required_word(report, "login").unwrap_or(LoginName::Email) },
        "otp" => StepKind::Otp(Box::new(read_otp(report, table, None))),
        "totp" => StepKind::Totp,
        "passkey" => StepKind::Passkey,
        "recovery_code" => StepKind::RecoveryCode,
        "form" => StepKind::Form { fields: read_form(report, table) },
        "choice" => StepKind::Choice(read_choice(report, names, table)),
        "link" => StepKind::Link {
            ttl: table.duration(report, "ttl").map_or(Seconds::minutes(20), |(span, _)| span),
            shown: table.flag(report, "shown").unwrap_or(false),
        },
        "set_password" => StepKind::SetPassword {
            revoke: table.words(report, "revoke"),
            notify: read_template(report, table, "notify"),
        },
        "bind_phone" => StepKind::BindPhone(Box::new(read_otp(report, table, Some(SendTo::InputPhone)))),
        "bind_email" => StepKind::BindEmail(Box::new(read_otp(report, table, Some(SendTo::InputEmail)))),
        "bind_totp" => StepKind::BindTotp,
        "bind_passkey" => StepKind::BindPasskey,
        "terms" => StepKind::Terms { document: table.required_text(report, "document").0.to_owned() },
        "notice" => StepKind::Notice,
        "branch" => StepKind::Branch(read_branch(report, names, table)),
        "effect" => StepKind::Effect { effects: read_effects(report, names, table) },
        "federate" => StepKind::Federate { provider: table.required_text(report, "provider").0.to_owned() },
        "issue" => StepKind::Issue,
        "stop" => StepKind::Stop(read_stop(report, names, table)),
        "switch" => StepKind::Switch(read_switch(report, names, table)),
        _ => return None,
    })
}

fn read_page<'a>(report: &mut Report, table: &mut Table<'a, '_>) -> Option<&'a str> {
    let (page, at) = table.text(report, "page")?;
    if !is_name(page, b'_') {
        report.error("E00", at, "`page` is made of lower-case letters, digits and `_`, at most 40".to_owned());
    }
    Some(page)
}

fn read_template(report: &mut Report, table: &mut Table, key: &'static str) -> Option<String> {
    let (template, at) = table.text(report, key)?;
    if !is_name(template, b'_') {
        report.error("E00", at, format!("`{key}` is made of lower-case letters, digits and `_`, at most 40"));
    }
    Some(template.to_owned())
}

/// The keys of `otp`, and of `bind_phone` and `bind_email`, which know where they send.
fn read_otp(report: &mut Report, table: &mut Table, binds: Option<SendTo>) -> Otp {
    let mut channels: Vec<Channel> = table.words(report, "channel");
    if channels.is_empty() {
        if binds.is_none() {
            report.error("E00", table.offset_of("channel"), "the step needs the key `channel`".to_owned());
        }
        channels = if binds == Some(SendTo::InputPhone) { vec![Channel::Sms] } else { vec![Channel::Email] };
    }
    let by_mail = channels.contains(&Channel::Email);
    if by_mail && channels.len() > 1 {
        let message = "`channel` mixes email with sms or voice: they prove different facts".to_owned();
        report.error("E00", table.offset_of("channel"), message);
    }
    let to = match binds {
        Some(to) => to,
        None => table.required_word(report, "to").unwrap_or(SendTo::AccountMailbox),
    };
    if by_mail != matches!(to, SendTo::AccountMailbox | SendTo::InputEmail) {
        let at = table.offset_of(if binds.is_some() { "channel" } else { "to" });
        report.error("E00", at, format!("`{}` can not be reached by this channel", to.as_str()));
    }
    let (mask, mask_at) = table.text(report, "mask").map_or((None, 0), |(mask, at)| (Some(mask), at));
    if mask.is_some_and(|mask| mask.is_empty() || mask.len() > 40 || !mask.is_ascii()) {
        report.error("E00", mask_at, "`mask` is 1 to 40 characters such as \"XXX-XXX-####\"".to_owned());
    }
    Otp {
        to,
        code: read_code(report, table, by_mail),
        template: read_template(report, table, "template").unwrap_or_else(|| "verification_code".to_owned()),
        confirm: table.flag(report, "confirm").unwrap_or(false),
        submit: table.word(report, "submit").unwrap_or(Submit::Button),
        voice: table.word(report, "voice").unwrap_or(Voice::PressHash),
        show: table.word(report, "show").unwrap_or(PhoneShow::Masked),
        mask: mask.map(str::to_owned),
        unknown: table.word(report, "unknown").unwrap_or(UnknownRule::Pretend),
        channels,
    }
}

/// `code`; where the file says nothing, 6 digits that live 10 minutes by mail and 5 by phone (REQUIREMENTS.md, 1i).
fn read_code(report: &mut Report, step: &mut Table, by_mail: bool) -> CodeRule {
    let at = step.offset_of("code");
    let ttl = Seconds::minutes(if by_mail { 10 } else { 5 });
    let mut code = CodeRule { digits: 6, ttl, reuse_on_resend: true, at: report.position(at) };
    let Some(mut table) = step.table(report, "code", "the code") else { return code };
    if let Some(digits) = table.number(report, "digits", 4, 10) {
        code.digits = u8::try_from(digits).unwrap_or(6);
    }
    if let Some((ttl, at)) = table.duration(report, "ttl") {
        (code.ttl, code.at) = (ttl, report.position(at));
    }
    code.reuse_on_resend = table.flag(report, "reuse_on_resend").unwrap_or(true);
    table.finish(report);
    code
}

fn read_form(report: &mut Report, table: &mut Table) -> Vec<FormField> {
    table.required(report, "fields");
    let mut fields: Vec<FormField> = Vec::new();
    for value in table.array(report, "fields") {
        let at = value.span().start;
        let Some(field) = read_field(report, value) else { continue };
        if fields.iter().any(|known| known.name == field.name) {
            report.error("E00", at, format!("the field `{}` stands in the form twice", field.name.as_str()));
        }
        fields.push(field);
    }
    if fields.is_empty() {
        report.error("E00", table.offset_of("fields"), "a form has at least one field".to_owned());
    }
    fields
}

/// A field: `"npi"` or `{ name, required, validator }`.
fn read_field(report: &mut Report, value: Value) -> Option<FormField> {
    if let DeValue::String(word) = value.get_ref() {
        let Some(name) = FieldName::from_word(word) else {
            let known: Vec<&str> = FieldName::ALL.iter().map(|name| name.as_str()).collect();
            let message = format!("unknown field `{}`; known: {}", shorten(word), known.join(", "));
            report.error("E00", value.span().start, message);
            return None;
        };
        return Some(FormField { name, required: true, validator: None });
    }
    let mut table = Table::from_value(report, value, "the field")?;
    let name = table.required_word(report, "name");
    let required = table.flag(report, "required").unwrap_or(true);
    let validator = table.word(report, "validator");
    table.finish(report);
    Some(FormField { name: name?, required, validator })
}

fn read_choice(report: &mut Report, names: &Names, table: &mut Table) -> Choice {
    let options = read_options(report, names, table, "options", true);
    let links = read_options(report, names, table, "links", true);
    if options.is_empty() {
        report.error(
            "E00",
            table.offset_of("options"),
            "a choice needs the key `options` with at least one".to_owned(),
        );
    }
    check_ids(report, table.at, &options.iter().chain(&links).collect::<Vec<_>>());
    Choice { options, links }
}

/// Ids are unique, and none is a control of the engine.
fn check_ids(report: &mut Report, at: usize, options: &[&ChoiceOption]) {
    let mut seen: Vec<&str> = Vec::new();
    for option in options {
        if seen.contains(&option.id.as_str()) || matches!(option.id.as_str(), "cancel" | "login" | "return") {
            let message = format!("the option `{}` stands twice, or is an engine's control", option.id);
            report.error("E00", at, message);
        }
        seen.push(&option.id);
    }
}

/// Buttons or links: `{ id, to, optional, carry, else }`, and `remember` where they may read a box.
fn read_options(
    report: &mut Report,
    names: &Names,
    table: &mut Table,
    key: &'static str,
    boxes: bool,
) -> Vec<ChoiceOption> {
    let mut options = Vec::new();
    for value in table.array(report, key) {
        let Some(mut table) = Table::from_value(report, value, "the option") else { continue };
        let (id, id_at) = table.required_text(report, "id");
        let remember = if boxes { table.text(report, "remember") } else { None };
        for (name, at) in [Some((id, id_at)), remember].into_iter().flatten() {
            if !name.is_empty() && !is_name(name, b'_') {
                report.error("E00", at, "a name is made of lower-case letters, digits and `_`, at most 40".to_owned());
            }
        }
        let at = report.position(table.offset_of("to"));
        let to = names.target_table(report, &mut table, true);
        table.finish(report);
        let Some(to) = to else { continue };
        let remember = remember.map(|(name, _)| name.to_owned());
        options.push(ChoiceOption { id: id.to_owned(), target: Target { to, at }, remember });
    }
    options
}

fn read_branch(report: &mut Report, names: &Names, table: &mut Table) -> Branch {
    let mut when = Vec::new();
    table.required(report, "when");
    for value in table.array(report, "when") {
        let Some(mut clause) = Table::from_value(report, value, "the clause") else { continue };
        let (text, at) = clause.required_text(report, "if");
        let guard = if text.is_empty() { None } else { names.guard(report, text, at) };
        let then = clause.required(report, "then").and_then(|value| names.target(report, value, false));
        clause.finish(report);
        if let (Some(guard), Some(then)) = (guard, then) {
            when.push(Clause { guard, then });
        }
    }
    let otherwise = table.required(report, "else").and_then(|value| names.target(report, value, false));
    let nowhere = Target { to: Destination::Step(0), at: crate::Position::default() };
    Branch { when, otherwise: otherwise.unwrap_or(nowhere) }
}

fn read_effects(report: &mut Report, names: &Names, table: &mut Table) -> Vec<EffectWord> {
    table.required(report, "effect");
    let mut effects = Vec::new();
    for value in table.one_or_more("effect") {
        let Some((text, at)) = text_of(report, value, "effect") else { continue };
        match EffectWord::from_word(text, report.position(at)).filter(|effect| is_named(names, effect)) {
            Some(effect) => effects.push(effect),
            None => report.error("E01", at, unknown_effect(text)),
        }
    }
    effects
}

fn unknown_effect(text: &str) -> String {
    format!("unknown effect `{}`; known: {}", shorten(text), EffectWord::KNOWN)
}

/// Whether the names in an effect can be names; a webhook's must be declared.
fn is_named(names: &Names, effect: &EffectWord) -> bool {
    match effect {
        EffectWord::Send(name) | EffectWord::Audit(name) => is_name(name, b'_'),
        EffectWord::SendLink { policy, template, .. } => is_name(policy, b'-') && is_name(template, b'_'),
        EffectWord::Webhook(name) => names.webhooks.iter().any(|webhook| webhook.name == *name),
        _ => true,
    }
}

fn read_stop(report: &mut Report, names: &Names, table: &mut Table) -> Stop {
    let (page, _) = table.required_text(report, "page");
    let error = table.text(report, "error").map_or(Some("access_denied"), |(text, at)| {
        let known = Stop::ERRORS.into_iter().find(|error| *error == text);
        if known.is_none() {
            report.error("E00", at, format!("unknown error `{}`; known: {}", shorten(text), Stop::ERRORS.join(", ")));
        }
        known
    });
    let links = read_options(report, names, table, "links", false);
    check_ids(report, table.at, &links.iter().collect::<Vec<_>>());
    if page == "none" && !links.is_empty() {
        report.error("E00", table.offset_of("links"), "a stop without a page has no links".to_owned());
    }
    Stop { shows_page: page != "none", error: error.unwrap_or("access_denied"), links }
}

fn read_switch(report: &mut Report, names: &Names, table: &mut Table) -> Switch {
    let at = table.offset_of("to");
    match names.target_table(report, table, false) {
        Some(Destination::Switch(switch)) => return switch,
        Some(Destination::Step(_)) => report.error("E04", at, "a switch leads to \"@policy\"".to_owned()),
        None => {}
    }
    let at = report.position(at);
    Switch { policy: String::new(), optional: false, carry: FactSet::EMPTY, otherwise: None, at }
}

/// `on`: every outcome of the kind that must be routed is there, and no other.
fn read_routes(report: &mut Report, names: &Names, table: &mut Table, kind: &StepKind) -> Vec<(Outcome, Target)> {
    let allowed = Outcome::list_for(kind);
    if allowed.is_empty() {
        return Vec::new();
    }
    let on_at = table.offset_of("on");
    let mut routes = Vec::new();
    let on = table.table(report, "on", "`on`");
    for (word, at, value) in on.as_ref().map(Table::entries).unwrap_or_default() {
        let outcome = Outcome::from_word(word).filter(|outcome| allowed.iter().any(|(known, _)| known == outcome));
        let Some(outcome) = outcome else {
            report.error("E02", at, unknown_outcome(word, kind, &allowed));
            continue;
        };
        let hideable = matches!(outcome, Outcome::Forgot | Outcome::Change | Outcome::Upstream);
        if let Some(target) = names.target(report, value, hideable) {
            routes.push((outcome, target));
        }
    }
    let written = on.as_ref().map(Table::entries).unwrap_or_default();
    for (outcome, required) in allowed {
        if required && !written.iter().any(|(word, ..)| *word == outcome.as_str()) {
            report.error("E05", on_at, format!("the outcome `{}` is not routed", outcome.as_str()));
        }
    }
    routes
}

fn unknown_outcome(word: &str, kind: &StepKind, allowed: &[(Outcome, bool)]) -> String {
    if matches!(word, "wrong" | "expired" | "resent" | "sent") {
        return format!("`{word}` stays on the step by engine rule; it can not be routed");
    }
    if word == "cancel" {
        return "`cancel` is routed once, for the policy".to_owned();
    }
    let known: Vec<&str> = allowed.iter().map(|(outcome, _)| outcome.as_str()).collect();
    format!("unknown outcome `{}` of kind `{}`; known: {}", shorten(word), kind.as_str(), known.join(", "))
}
