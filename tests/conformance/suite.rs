//! Runs the modules of a plan, a few at a time, and says how each ended.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::op::Op;
use crate::report;

/// How long a module may take; the longest waits for a node that looks for new keys once a minute.
const PATIENCE: Duration = Duration::from_mins(3);
/// Modules that run at once.
const AT_ONCE: usize = 4;

/// What the tokens of a FAPI client are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The key of a DPoP proof.
    Dpop,
    /// A client certificate.
    Mtls,
}

/// What varies between runs of the same module.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// `response_type`.
    pub response_type: &'static str,
    /// Whether answers are asked for as posted forms.
    pub form_post: bool,
    /// `token_endpoint_auth_method`.
    pub auth: &'static str,
    /// What tokens are bound to; none: nothing.
    pub binding: Option<Binding>,
    /// Whether requests are signed and their answers too (FAPI 2.0 Message Signing).
    pub signed: bool,
}

impl Variant {
    /// `response_type` answered in its default mode, with the client secret by HTTP Basic.
    pub const fn of(response_type: &'static str) -> Self {
        Self { response_type, form_post: false, auth: "client_secret_basic", binding: None, signed: false }
    }

    /// FAPI 2.0 Security Profile: a code, `private_key_jwt`, tokens bound to `binding`.
    pub const fn fapi(binding: Binding) -> Self {
        Self { auth: "private_key_jwt", binding: Some(binding), ..Self::of("code") }
    }

    /// With signed requests and answers.
    pub const fn signed(self) -> Self {
        Self { signed: true, ..self }
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

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = match self.binding {
            Some(Binding::Dpop) => ", DPoP",
            Some(Binding::Mtls) => ", mTLS",
            None => "",
        };
        let mode = if self.form_post { ", form_post" } else { "" };
        let signed = if self.signed { ", signed request, JARM" } else { "" };
        write!(f, "{}{mode}, {}{binding}{signed}", self.response_type, self.auth)
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
    /// Whether nothing else may run meanwhile: it moves the provider's clock.
    pub alone: bool,
    /// The test.
    pub body: Body,
}

/// Modules by name and function; `[alone]` before those that move the clock.
macro_rules! modules {
    (@alone) => { false };
    (@alone alone) => { true };
    ($($name:literal => $([$turn:ident])? $body:path),* $(,)?) => {
        &[$($crate::suite::Module {
            name: $name,
            alone: $crate::suite::modules!(@alone $($turn)?),
            body: |run| Box::pin($body(run)),
        }),*]
    };
}
pub(crate) use modules;

/// Modules of a plan with the variant they run under.
pub type Part = (Variant, &'static [Module]);

/// What came of a module.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The module.
    pub module: &'static str,
    /// Its variant.
    pub variant: Variant,
    /// Why it failed, if it did.
    pub outcome: Result<(), String>,
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
    let mut failed = 0;
    for one in &ended {
        if let Err(why) = &one.outcome {
            eprintln!("{} [{}]: {why}", one.module, one.variant);
            failed += 1;
        }
    }
    report::check(plan, &ended);
    assert_eq!(failed, 0, "{failed} of {} modules of {plan} failed", ended.len());
}

async fn run_module(module: Module, run: Run) -> Ended {
    let (op, variant) = (Arc::clone(&run.op), run.variant);
    let outcome = if module.alone {
        let _turn = op.turn.write().await;
        outcome_of(module, run).await
    } else {
        let _turn = op.turn.read().await;
        outcome_of(module, run).await
    };
    Ended { module: module.name, variant, outcome }
}

/// In a task of its own, whose panic is the module's failure.
async fn outcome_of(module: Module, run: Run) -> Result<(), String> {
    match tokio::spawn(tokio::time::timeout(PATIENCE, (module.body)(run))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("took too long".to_owned()),
        Err(error) => Err(panic_text(error)),
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "cancelled".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
