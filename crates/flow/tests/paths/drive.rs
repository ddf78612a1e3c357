//! What a person does at the pages of a dry run, to leave each in the way that is wanted.

use countersign_flow::dry_run::{DryRun, EMAIL, ORGANIZATION, PASSWORD, RECOVERY_CODE, TOTP_CODE, USERNAME};
use countersign_flow::language::{Channel, Otp, Outcome, Step, StepKind};
use countersign_flow::{Input, LinkState, Next, PageView};

/// Does at a page what leaves it `by` an outcome, an option, `cancel`.
pub fn leave(run: &mut DryRun, step: &Step, by: &str, page: &PageView) -> Result<Next, String> {
    let outcome = step.routes.iter().map(|(outcome, _)| *outcome).find(|outcome| outcome.as_str() == by);
    let Some(outcome) = outcome else {
        let shown = page.controls.iter().any(|control| control.value == by && control.enabled)
            || page.options.iter().chain(&page.links).any(|option| option.id == by);
        return if shown { post(run, &Input::press(by)) } else { Err(format!("no control {by}")) };
    };
    match outcome {
        Outcome::Ok | Outcome::Accepted => pass(run, step, page),
        Outcome::Spent => spend(run, step, page),
        Outcome::Undeliverable => lose(run, step, page),
        Outcome::Declined if matches!(step.kind, StepKind::Federate { .. }) => {
            run.world.federated = None;
            post(run, &Input::press("federated"))
        }
        Outcome::Declined => post(run, &Input::press("decline")),
        Outcome::Upstream => {
            let (_, domain) = EMAIL.split_once('@').unwrap();
            run.world.facts.upstream_domains.insert("corporate".to_owned(), vec![domain.to_owned()]);
            post(run, &fill(page, main_control(step)))
        }
        Outcome::Forgot | Outcome::Change => post(run, &Input::press(by)),
    }
}

fn post(run: &mut DryRun, input: &Input) -> Result<Next, String> {
    run.post(input).map_err(|error| error.to_string())
}

/// Fills every field of a page with what is right.
fn fill(page: &PageView, control: &str) -> Input {
    page.fields.iter().fold(Input::press(control), |input, field| {
        let value = match (page.kind, field.name) {
            ("form", "username") if page.fields.len() > 1 => "newcomer",
            ("form" | "bind_email", "email" | "confirm_email") => "new@example.com",
            (_, "email") => EMAIL,
            (_, "username") => USERNAME,
            (_, "password") => PASSWORD,
            (_, "new_password" | "confirm_password") => "nine wet herons on a weir",
            (_, "country") => "US",
            (_, "phone_number") => "202 555 3661",
            (_, "phone" | "fax") => "601 555 0100",
            ("recovery_code", "code") => RECOVERY_CODE,
            ("totp" | "bind_totp", "code") => TOTP_CODE,
            (_, "npi") => ORGANIZATION.0,
            (_, "registration_code") => ORGANIZATION.1,
            (_, "state") => "MS",
            (_, "zip") => "39201",
            _ => "on",
        };
        input.with(field.name, value)
    })
}

fn find_otp(step: &Step) -> Option<&Otp> {
    match &step.kind {
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => Some(otp),
        _ => None,
    }
}

fn main_control(step: &Step) -> &'static str {
    match &step.kind {
        StepKind::Password { .. } => "login",
        StepKind::Form { .. } => "next",
        StepKind::SetPassword { .. } => "set",
        StepKind::Terms { .. } => "accept",
        StepKind::Notice | StepKind::Link { .. } => "continue",
        StepKind::Federate { .. } => "federated",
        kind if kind.proves().is_some() && find_otp(step).is_none() => "verify",
        _ => "send",
    }
}

fn pass(run: &mut DryRun, step: &Step, page: &PageView) -> Result<Next, String> {
    let next = post(run, &fill(page, main_control(step)))?;
    let Some(otp) = find_otp(step) else { return Ok(next) };
    let message = run.messages().last().ok_or("nothing was sent")?;
    let code = message.code.clone().ok_or_else(|| format!("no code in {message:?}"))?;
    let next = post(run, &Input::press("verify").with("code", &code))?;
    if otp.confirm { post(run, &Input::press("continue")) } else { Ok(next) }
}

fn spend(run: &mut DryRun, step: &Step, page: &PageView) -> Result<Next, String> {
    run.world.is_spent = true;
    if matches!(step.kind, StepKind::Link { .. }) {
        run.world.link = LinkState::Expired;
    }
    let next = post(run, &fill(page, main_control(step)));
    run.world.is_spent = false;
    next
}

fn lose(run: &mut DryRun, step: &Step, page: &PageView) -> Result<Next, String> {
    let called = find_otp(step).is_some_and(|otp| otp.channels.contains(&Channel::Voice));
    post(run, &fill(page, if called { "call" } else { "send" }))?;
    run.world.loses = true;
    let next = post(run, &Input::press("continue"));
    run.world.loses = false;
    next
}
