//! Runs the modules of a plan, a few at a time, and says how each ended.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::op::Op;
use crate::report;

/// How long a module may take; the longest waits half a minute on purpose.
const PATIENCE: Duration = Duration::from_mins(3);
/// Modules that run at once.
const AT_ONCE: usize = 4;

/// What varies between runs of the same module.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// `response_type`.
    pub response_type: &'static str,
    /// Whether answers are asked for as posted forms.
    pub form_post: bool,
    /// `token_endpoint_auth_method`.
    pub auth: &'static str,
}

impl Variant {
    /// `response_type` answered in its default mode, with the client secret by HTTP Basic.
    pub const fn of(response_type: &'static str) -> Self {
        Self { response_type, form_post: false, auth: "client_secret_basic" }
    }

    /// Answered by a posted form.
    pub const fn form_post(self) -> Self {
        Self { form_post: true, ..self }
    }

    /// With another way to authenticate.
    pub const fn auth(self, auth: &'static str) -> Self {
        Self { auth, ..self }
    }

    /// Whether the response type has `part`.
    pub fn has(&self, part: &str) -> bool {
        self.response_type.split(' ').any(|known| known == part)
    }
}

/// What a module gets.
#[derive(Clone)]
pub struct Run {
    /// The provider under test.
    pub op: Arc<Op>,
    /// This run's variant.
    pub variant: Variant,
}

type Body = fn(Run) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A module: its name in the suite, and what it does; it fails by a panic.
#[derive(Clone, Copy)]
pub struct Module {
    /// The suite's name.
    pub name: &'static str,
    /// The test.
    pub body: Body,
}

/// Modules by name and function.
macro_rules! modules {
    ($($name:literal => $body:path),* $(,)?) => {
        &[$($crate::suite::Module { name: $name, body: |run| Box::pin($body(run)) }),*]
    };
}
pub(crate) use modules;

/// Modules of a plan with the variant they run under.
pub type Part = (Variant, &'static [Module]);

/// How a module ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The module.
    pub module: &'static str,
    /// Its variant, in words.
    pub variant: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// Runs every module of `plan`; panics when one failed, or when the report says otherwise.
pub async fn run_plan(plan: &'static str, parts: &[Part]) {
    let op = Arc::new(Op::start().await);
    let all = parts.iter().flat_map(|(variant, modules)| modules.iter().map(move |module| (*variant, *module)));
    let runs = all.map(|(variant, module)| {
        let run = Run { op: Arc::clone(&op), variant };
        run_module(module, run)
    });
    let ended: Vec<Ended> = stream::iter(runs).buffered(AT_ONCE).collect().await;
    for failed in ended.iter().filter(|ended| ended.failure.is_some()) {
        eprintln!("{} [{}]: {}", failed.module, failed.variant, failed.failure.as_deref().unwrap_or_default());
    }
    report::check(plan, &ended);
    let failed = ended.iter().filter(|ended| ended.failure.is_some()).count();
    assert_eq!(failed, 0, "{failed} of {} modules of {plan} failed", ended.len());
}

async fn run_module(module: Module, run: Run) -> Ended {
    let variant = run.variant;
    let task = tokio::spawn(tokio::time::timeout(PATIENCE, (module.body)(run)));
    let failure = match task.await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some("took too long".to_owned()),
        Err(error) => Some(panic_text(error)),
    };
    let mode = if variant.form_post { ", form_post" } else { "" };
    Ended { module: module.name, variant: format!("{}{mode}, {}", variant.response_type, variant.auth), failure }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "cancelled".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
