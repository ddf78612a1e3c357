//! The steps of a policy and where they lead.

use countersign_model::{Fact, FactSet, Seconds};

use super::limits::{CodeRule, StepLimits};

use super::words::{
    Channel, FieldName, LoginName, Outcome, PhoneShow, Revocation, SendTo, Submit, UnknownRule, Validator, Voice,
};
use super::{EffectWord, Guard, words};
use crate::Position;

/// One step of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name in the file.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// Template key of its page; the step's name where the file gives none. Empty on steps without a page.
    pub page: String,
    /// Where its outcomes lead; every outcome its kind demands is there.
    pub routes: Vec<(Outcome, Target)>,
    /// Its limits.
    pub limits: StepLimits,
    /// Where its name stands.
    pub at: Position,
}

impl Step {
    /// Every way out of it, in the order of the file; those of a `switch` step are in its kind.
    pub fn list_targets(&self) -> Vec<&Target> {
        let mut targets: Vec<&Target> = self.routes.iter().map(|(_, target)| target).collect();
        match &self.kind {
            StepKind::Choice(choice) => {
                targets.extend(choice.options.iter().chain(&choice.links).map(|option| &option.target));
            }
            StepKind::Stop(stop) => targets.extend(stop.links.iter().map(|link| &link.target)),
            StepKind::Branch(branch) => {
                targets.extend(branch.when.iter().map(|clause| &clause.then).chain([&branch.otherwise]));
            }
            _ => {}
        }
        targets
    }

    /// Where `outcome` leads, if it is routed.
    pub fn find_route(&self, outcome: Outcome) -> Option<&Target> {
        self.routes.iter().find(|(routed, _)| *routed == outcome).map(|(_, target)| target)
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Asks for a name and a password.
    Password {
        /// What name.
        login: LoginName,
    },
    /// Sends a code and asks for it.
    Otp(Box<Otp>),
    /// Asks for an authenticator app's code.
    Totp,
    /// Asks for a passkey.
    Passkey,
    /// Asks for a recovery code.
    RecoveryCode,
    /// Asks for data.
    Form {
        /// Its fields, in order.
        fields: Vec<FormField>,
    },
    /// Offers ways on.
    Choice(Choice),
    /// Waits for a link.
    Link {
        /// Life of the link.
        ttl: Seconds,
        /// Whether it is shown to whoever has it made, and not mailed: it says whose account is meant, and proves nothing.
        shown: bool,
    },
    /// Asks for a new password.
    SetPassword {
        /// What the change takes away.
        revoke: Vec<Revocation>,
        /// Template of the notice about it.
        notify: Option<String>,
    },
    /// Binds a phone.
    BindPhone(Box<Otp>),
    /// Binds a mailbox.
    BindEmail(Box<Otp>),
    /// Binds an authenticator app.
    BindTotp,
    /// Binds a passkey.
    BindPasskey,
    /// Shows terms and asks for agreement.
    Terms {
        /// Which document.
        document: String,
    },
    /// Shows something.
    Notice,
    /// Decides by guards; no page.
    Branch(Branch),
    /// Changes something; no page.
    Effect {
        /// What it does, in order.
        effects: Vec<EffectWord>,
    },
    /// Sends the browser to an upstream provider and waits for its answer; its page is seen by who comes back without one.
    Federate {
        /// Which.
        provider: String,
    },
    /// Ends the flow signed in.
    Issue,
    /// Ends the flow otherwise.
    Stop(Stop),
    /// Goes on in another policy.
    Switch(Switch),
}

impl StepKind {
    /// Every word of `kind`.
    pub const WORDS: [&'static str; 21] = [
        "password",
        "otp",
        "totp",
        "passkey",
        "recovery_code",
        "form",
        "choice",
        "link",
        "set_password",
        "bind_phone",
        "bind_email",
        "bind_totp",
        "bind_passkey",
        "terms",
        "notice",
        "branch",
        "effect",
        "federate",
        "issue",
        "stop",
        "switch",
    ];

    /// The word of the language.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::Otp(_) => "otp",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery_code",
            Self::Form { .. } => "form",
            Self::Choice(_) => "choice",
            Self::Link { .. } => "link",
            Self::SetPassword { .. } => "set_password",
            Self::BindPhone(_) => "bind_phone",
            Self::BindEmail(_) => "bind_email",
            Self::BindTotp => "bind_totp",
            Self::BindPasskey => "bind_passkey",
            Self::Terms { .. } => "terms",
            Self::Notice => "notice",
            Self::Branch(_) => "branch",
            Self::Effect { .. } => "effect",
            Self::Federate { .. } => "federate",
            Self::Issue => "issue",
            Self::Stop(_) => "stop",
            Self::Switch(_) => "switch",
        }
    }

    /// Whether a person sees it.
    pub fn has_page(&self) -> bool {
        !self.is_automatic() && !matches!(self, Self::Issue)
    }

    /// Whether it goes on without anybody.
    pub const fn is_automatic(&self) -> bool {
        matches!(self, Self::Branch(_) | Self::Effect { .. } | Self::Switch(_))
    }

    /// What its success proves: fixed here, never declared by an author (section 3).
    pub fn proves(&self) -> Option<Fact> {
        match self {
            Self::Password { login: LoginName::Legacy } => Some(Fact::Legacy),
            Self::Password { .. } | Self::SetPassword { .. } => Some(Fact::Password),
            Self::Otp(otp) if otp.channels.contains(&Channel::Email) => Some(Fact::Mailbox),
            Self::Otp(_) | Self::BindPhone(_) => Some(Fact::Phone),
            Self::Link { shown: false, .. } | Self::BindEmail(_) => Some(Fact::Mailbox),
            Self::Totp | Self::BindTotp => Some(Fact::Totp),
            Self::Passkey | Self::BindPasskey => Some(Fact::Passkey),
            Self::RecoveryCode => Some(Fact::RecoveryCode),
            Self::Federate { .. } => Some(Fact::Federated),
            _ => None,
        }
    }

    /// Whether its success says whose account is in hand.
    pub fn identifies(&self) -> bool {
        match self {
            Self::Password { .. } | Self::Passkey | Self::Link { .. } | Self::Federate { .. } => true,
            Self::Otp(otp) => otp.to == SendTo::InputEmail,
            _ => false,
        }
    }
}

/// A code that is sent and comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otp {
    /// Ways to send it, the default first; mail never mixes with phone channels.
    pub channels: Vec<Channel>,
    /// Where it goes.
    pub to: SendTo,
    /// The code.
    pub code: CodeRule,
    /// Template of the message.
    pub template: String,
    /// Whether a page "verified" with Continue follows the right code.
    pub confirm: bool,
    /// How the code is handed in.
    pub submit: Submit,
    /// What proves a call.
    pub voice: Voice,
    /// How the number on file is confirmed.
    pub show: PhoneShow,
    /// How it is masked; none: the engine's own way.
    pub mask: Option<String>,
    /// What an unknown address sees.
    pub unknown: UnknownRule,
}

/// A page of buttons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its buttons, in order.
    pub options: Vec<ChoiceOption>,
    /// Its links, in order.
    pub links: Vec<ChoiceOption>,
}

/// One way on from a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceOption {
    /// The control's value.
    pub id: String,
    /// Where it leads.
    pub target: Target,
    /// Remember Me box it reads: the form field is `remember_<name>`.
    pub remember: Option<String>,
}

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormField {
    /// Which.
    pub name: FieldName,
    /// Whether it must be filled in.
    pub required: bool,
    /// How it is checked.
    pub validator: Option<Validator>,
}

/// Clauses in order, the first that holds decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The clauses.
    pub when: Vec<Clause>,
    /// Where it goes when none holds.
    pub otherwise: Target,
}

/// One clause of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The question.
    pub guard: Guard,
    /// Where "yes" leads.
    pub then: Target,
}

/// An end that is no sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Whether a page is shown; without one the client is told at once.
    pub shows_page: bool,
    /// What the client is told.
    pub error: &'static str,
    /// Its own links beside LOGIN and "Return to the application"; none of them reads a box.
    pub links: Vec<ChoiceOption>,
}

impl Stop {
    /// The errors a stop may name.
    pub const ERRORS: [&'static str; 6] = [
        "access_denied",
        "login_required",
        "interaction_required",
        "unmet_authentication_requirements",
        "temporarily_unavailable",
        "server_error",
    ];
}

/// The way into another policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Which policy.
    pub policy: String,
    /// Whether it may be missing from the set.
    pub optional: bool,
    /// Facts it may take along; the account goes along with them.
    pub carry: FactSet,
    /// Step taken instead when the policy is missing and no control could be hidden.
    pub otherwise: Option<usize>,
    /// Where its name stands.
    pub at: Position,
}

/// Where a route leads, and where the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it leads.
    pub to: Destination,
    /// Where that stands in the file.
    pub at: Position,
}

/// A step of the same policy, or another policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Index of a step of the same policy.
    Step(usize),
    /// Another policy.
    Switch(Switch),
}

impl words::Outcome {
    /// The outcomes a step of this kind may have, and whether each must be routed.
    pub fn list_for(kind: &StepKind) -> Vec<(Self, bool)> {
        use words::Outcome::{Accepted, Change, Declined, Forgot, Ok, Spent, Undeliverable, Upstream};
        match kind {
            StepKind::Password { login: LoginName::Email } => {
                vec![(Ok, true), (Spent, true), (Forgot, false), (Upstream, false)]
            }
            StepKind::Password { .. } => vec![(Ok, true), (Spent, true), (Forgot, false)],
            StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
                let by_phone = !otp.channels.contains(&Channel::Email);
                let mut outcomes = vec![(Ok, true), (Spent, true), (Undeliverable, by_phone), (Change, false)];
                if matches!(kind, StepKind::Otp(otp) if otp.to == SendTo::InputEmail) {
                    outcomes.push((Upstream, false));
                }
                outcomes
            }
            StepKind::Totp | StepKind::Passkey | StepKind::RecoveryCode | StepKind::BindTotp => {
                vec![(Ok, true), (Spent, true)]
            }
            StepKind::Form { fields } if fields.iter().any(|field| field.name == FieldName::Email) => {
                vec![(Ok, true), (Spent, false), (Upstream, false)]
            }
            StepKind::Form { .. } => vec![(Ok, true), (Spent, false)],
            StepKind::Link { .. } => vec![(Ok, true), (Spent, false), (Upstream, false)],
            StepKind::SetPassword { .. } | StepKind::BindPasskey | StepKind::Notice | StepKind::Effect { .. } => {
                vec![(Ok, true)]
            }
            StepKind::Terms { .. } => vec![(Accepted, true), (Declined, false)],
            StepKind::Federate { .. } => vec![(Ok, true), (Declined, true)],
            StepKind::Choice(_) | StepKind::Branch(_) | StepKind::Issue | StepKind::Stop(_) | StepKind::Switch(_) => {
                Vec::new()
            }
        }
    }
}
