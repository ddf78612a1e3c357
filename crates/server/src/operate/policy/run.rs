//! `countersign policy run`: a policy tried out in the terminal, with a fake account and a courier that shows the code.
//! Exit 0 when the flow came to an end, 1 when the input ended first or a line of a script could not be obeyed.

use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use countersign_service::Clock;
use countersign_service::policy::dry_run::{
    DryRun, EMAIL, Message, ORGANIZATION, PASSWORD, PHONE, RECOVERY_CODE, TOTP_CODE, USERNAME, World, script,
};
use countersign_service::policy::{Next, PageView, PolicySet};
use serde_json::{Value, json};

use crate::cli::{AccountTrait, RunArgs};
use crate::say;

/// The longest script, in bytes.
const MAX_SCRIPT: u64 = 1024 * 1024;

/// Runs one flow.
pub fn run(set: PolicySet, args: &RunArgs) -> Result<ExitCode, String> {
    let lines: Box<dyn BufRead> = match &args.script {
        Some(path) => {
            let refuse = |error: std::io::Error| format!("{}: {error}", path.display());
            let file = std::fs::File::open(path).map_err(refuse)?;
            if file.metadata().map_err(refuse)?.len() > MAX_SCRIPT {
                return Err(format!("{}: longer than {MAX_SCRIPT} bytes", path.display()));
            }
            Box::new(BufReader::new(file))
        }
        None => Box::new(BufReader::new(std::io::stdin())),
    };
    let now = Clock::system().now();
    let (run, next) = DryRun::begin(set, &args.policy, imagine(&args.account, now), now)
        .map_err(|error| format!("`{}` does not begin: {error}", args.policy))?;
    let mut terminal = Terminal { run, told: 0, json: args.json };
    terminal.introduce();
    if terminal.show(&next)? {
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines.lines() {
        let line = line.map_err(|error| error.to_string())?;
        match terminal.obey(&line) {
            Ok(true) => return Ok(ExitCode::SUCCESS),
            Ok(false) => {}
            Err(why) if args.script.is_some() => return Err(format!("{why}: {line}")),
            Err(why) => terminal.tell(&json!({"error": why}), &format!("  {why}")),
        }
    }
    Ok(if terminal.stands_at_stop() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The account the flags ask for.
fn imagine(traits: &[AccountTrait], now: countersign_model::Timestamp) -> World {
    let mut world = World::new(now);
    for one in traits {
        if *one == AccountTrait::Nobody {
            world.accounts.clear();
            world.federated = None;
            continue;
        }
        let Some(person) = world.accounts.first_mut() else { continue };
        match one {
            AccountTrait::Phone => person.phone = Some(PHONE.to_owned()),
            AccountTrait::Totp => person.totp = true,
            AccountTrait::Passkey => person.passkey = true,
            AccountTrait::Legacy => (person.legacy, person.has_password) = (true, false),
            AccountTrait::Incomplete => person.registration_incomplete = true,
            AccountTrait::TermsDue => person.terms_due = true,
            AccountTrait::Disabled => person.active = false,
            AccountTrait::Nobody => {}
        }
    }
    world
}

struct Terminal {
    run: DryRun,
    /// Messages told so far.
    told: usize,
    json: bool,
}

impl Terminal {
    fn tell(&self, value: &Value, text: &str) {
        say(if self.json { value.to_string() } else { text.to_owned() }.as_str());
    }

    fn introduce(&self) {
        let (npi, code) = ORGANIZATION;
        let account = json!({
            "email": EMAIL, "username": USERNAME, "password": PASSWORD, "phone": PHONE, "app": TOTP_CODE,
            "recovery_code": RECOVERY_CODE, "npi": npi, "registration_code": code,
        });
        let text = format!(
            "{EMAIL} or {USERNAME}, password \"{PASSWORD}\", phone {PHONE}, app {TOTP_CODE}, recovery code \
             {RECOVERY_CODE}, NPI {npi}, registration code {code}\nCONTROL field=value ... | :wait SPAN | :answer | \
             :lose | :spend | :decline | :link"
        );
        self.tell(&json!({"account": account}), &text);
    }

    /// Does what a line says; true when the flow is over.
    fn obey(&mut self, line: &str) -> Result<bool, String> {
        let world = &mut self.run.world;
        match script::read(line)? {
            script::Line::Nothing => {}
            script::Line::Wait(span) => self.run.pass(span),
            script::Line::Answer => world.answers = true,
            script::Line::Lose => world.loses = true,
            script::Line::Spend => world.is_spent = true,
            script::Line::Decline => world.federated = None,
            script::Line::Link => {
                let begun = self.run.open_link().ok_or("no link was mailed")?;
                return self.show(&begun.map_err(|error| error.to_string())?);
            }
            script::Line::Press(input) => {
                if !self.has(&input.control) {
                    return Err(format!("the page has no control `{}`", input.control));
                }
                let next = self.run.post(&input).map_err(|error| error.to_string())?;
                return self.show(&next);
            }
        }
        Ok(false)
    }

    fn has(&self, control: &str) -> bool {
        let Ok(page) = self.run.page() else { return false };
        let options = page.options.iter().chain(&page.links).map(|option| option.id.as_str());
        let mut all = options.chain(page.controls.iter().map(|control| control.value));
        control == "federated" || all.any(|known| known == control)
    }

    fn stands_at_stop(&self) -> bool {
        self.run.page().is_ok_and(|page| page.kind == "stop")
    }

    /// Shows what came of it; true when the flow is over.
    fn show(&mut self, next: &Next) -> Result<bool, String> {
        let new: Vec<Message> = self.run.messages().get(self.told..).unwrap_or_default().to_vec();
        self.told = self.run.messages().len();
        for message in &new {
            let to = if message.to.is_empty() { "nobody" } else { message.to.as_str() };
            let code = message.code.as_ref().map(|code| format!(" code {code}")).unwrap_or_default();
            let value = json!({
                "carrier": message.carrier, "to": message.to, "template": message.template, "code": message.code,
            });
            self.tell(
                &json!({"message": value}),
                &format!("  {} to {to}: {}{code}", message.carrier, message.template),
            );
        }
        match next {
            Next::Issue(issued) => {
                let facts: Vec<&str> = issued.facts.iter().map(|proven| proven.fact.as_str()).collect();
                let value = json!({
                    "policy": issued.policy, "acr": issued.acr, "amr": issued.amr, "facts": facts,
                    "silent": issued.silent, "remembered": issued.remember.is_some(),
                });
                let (acr, policy) = (&issued.acr, &issued.policy);
                let text = format!("signed in by {policy}: {} ({acr}; {})", facts.join(" + "), issued.amr.join(" "));
                self.tell(&json!({"issued": value}), &text);
                return Ok(true);
            }
            Next::Return { error } => {
                self.tell(&json!({"returned": error}), &format!("back to the application: {error}"));
                return Ok(true);
            }
            Next::Restart => {
                self.tell(&json!({"restarted": true}), "the client's policy begins anew");
                return Ok(true);
            }
            Next::Federate { provider } => {
                let text = format!("  sent to the provider `{provider}`; `federated` brings its answer");
                self.tell(&json!({"federate": provider}), &text);
            }
            Next::Page | Next::Stop { .. } => {}
        }
        let page = self.run.page().map_err(|error| error.to_string())?;
        self.tell(&page_as_json(&page), &page_as_text(&page));
        Ok(false)
    }
}

fn list_controls(page: &PageView) -> Vec<&str> {
    let options = page.options.iter().chain(&page.links).map(|option| option.id.as_str());
    options.chain(page.controls.iter().filter(|control| control.enabled).map(|control| control.value)).collect()
}

fn page_as_json(page: &PageView) -> Value {
    let fields: Vec<&str> = page.fields.iter().map(|field| field.name).collect();
    let errors: Vec<Value> = page.errors.iter().map(|error| json!({"key": error.key, "field": error.field})).collect();
    json!({"page": {
        "policy": page.policy, "step": page.step, "kind": page.kind, "page": page.page, "state": page.state,
        "notice": page.notice.as_ref().map(|notice| notice.key), "errors": errors, "fields": fields,
        "controls": list_controls(page), "values": page.values,
    }})
}

fn page_as_text(page: &PageView) -> String {
    let state = if page.state.is_empty() { String::new() } else { format!(", {}", page.state) };
    let mut text = format!("{}/{}: {}{state}", page.policy, page.step, page.page);
    if let Some(notice) = &page.notice {
        text.extend(["\n  ! ", notice.key]);
    }
    let fields: Vec<&str> = page.fields.iter().map(|field| field.name).collect();
    if !fields.is_empty() {
        text.extend(["\n  fields: ", &fields.join(" ")]);
    }
    text.extend(["\n  controls: ", &list_controls(page).join(" ")]);
    text
}
