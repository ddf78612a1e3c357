//! The console's rooms for who looks after people (R56): whom they see, one person's page, and what they do for them.
//!
//! Every use case here begins with [`Provider::enter`]; every account is found within the administrator's reach, so that
//! one out of it and one that is not there are answered alike; and every change asks again in its own transaction.

mod deeds;
mod listing;

use countersign_flow::Policy;
use countersign_flow::language::{Entry, Purpose as PolicyPurpose, Requirement, Step, StepKind};
use countersign_model::{Account, AuditEvent, Authentication, Fact, UserId, UserStatus};
use countersign_protocol::delegation::{self, Admission, Forbidden, Permission, Proof};

use crate::ServiceError;
use crate::account_page::AccountCall;
use crate::flow::{Answered, NewFlow, SetupPlace};
use crate::people::Administrator;
use crate::provider::Provider;
use crate::session::SignedIn;
use crate::timeline::Timeline;
use crate::vault::Purpose;

pub use deeds::SetupTold;
pub use listing::{ListedPerson, PeopleAsked, PeoplePage};

/// Why a page of the console is not shown, or nothing is done.
#[derive(Debug)]
pub enum SetupRefusal {
    /// They prove themselves first: by a flow that leads back.
    Prove(Box<Answered>),
    /// The console is nothing to them.
    Forbidden,
    /// There is no such person, or it is none they see.
    Unknown,
}

/// The first page.
#[derive(Clone, Debug)]
pub struct SetupHome {
    /// Names of the organizations whose people they see; none: everybody.
    pub organizations: Option<Vec<String>>,
}

/// One person, as who looks after them sees them.
#[derive(Clone, Debug)]
pub struct PersonPage {
    /// Nonce of the page's forms.
    pub nonce: String,
    /// The person.
    pub person: ListedPerson,
    /// Why the account may not be changed, if it may not.
    pub forbidden: Option<Forbidden>,
    /// What happened to their attempts.
    pub timeline: Timeline,
}

/// The question whether to reset a registration.
#[derive(Clone, Debug)]
pub struct ResetPage {
    /// Nonce of the page's form.
    pub nonce: String,
    /// Whose.
    pub person: ListedPerson,
}

impl Provider {
    /// The first page of the console.
    pub async fn setup_home(&self, call: AccountCall<'_>) -> Result<Result<SetupHome, SetupRefusal>, ServiceError> {
        let own = match self.enter(&SetupPlace::Home, false, call).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let organizations = self.name_organizations(&own.reach).await?;
        Ok(Ok(SetupHome { organizations }))
    }

    /// The people an administrator looks after, a page of them.
    pub async fn setup_people(
        &self,
        asked: &PeopleAsked,
        call: AccountCall<'_>,
    ) -> Result<Result<PeoplePage, SetupRefusal>, ServiceError> {
        let own = match self.enter(&SetupPlace::People, false, call).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.list_page(&own, asked).await.map(Ok)
    }

    /// One of them. That their timeline was read is written before any of it is told.
    pub async fn setup_person(
        &self,
        user: &UserId,
        call: AccountCall<'_>,
    ) -> Result<Result<PersonPage, SetupRefusal>, ServiceError> {
        let own = match self.enter(&SetupPlace::Person(user.clone()), false, call).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(account) = self.find_within(&own.reach, user).await? else {
            return Ok(Err(SetupRefusal::Unknown));
        };
        let read: AuditEvent = self.reading_of(&account, call.context)?.detail("by", own.user.id.as_str()).build();
        self.write_events(&[read]).await?;
        Ok(Ok(PersonPage {
            nonce: self.form_nonce(Purpose::SetupPage, &own.session),
            forbidden: delegation::may_change(&own.user.id, &own.reach, &account.user).err(),
            timeline: self.timeline_of(&account).await?,
            person: self.describe_one(account).await?,
        }))
    }

    /// The question whether to reset their registration; who may not is sent back to their page.
    pub async fn ask_reset(
        &self,
        user: &UserId,
        call: AccountCall<'_>,
    ) -> Result<Result<Option<ResetPage>, SetupRefusal>, ServiceError> {
        let own = match self.enter(&SetupPlace::Reset(user.clone()), true, call).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(account) = self.find_within(&own.reach, user).await? else {
            return Ok(Err(SetupRefusal::Unknown));
        };
        if delegation::may_change(&own.user.id, &own.reach, &account.user).is_err() {
            return Ok(Ok(None));
        }
        let nonce = self.form_nonce(Purpose::SetupPage, &own.session);
        Ok(Ok(Some(ResetPage { nonce, person: self.describe_one(account).await? })))
    }

    /// Lets the person of this browser's session in, or says why not. `changes`: it is to change an account.
    async fn enter(
        &self,
        place: &SetupPlace,
        changes: bool,
        call: AccountCall<'_>,
    ) -> Result<Result<Administrator, SetupRefusal>, ServiceError> {
        let Some((signed_in, session)) = self.find_signed_in(call).await? else {
            return self.prove(place, self.own_login(), &SignedIn::default(), call).await.map(Err);
        };
        let (now, user) = (self.clock.now(), &session.authentication.user);
        let (account, administers) = self
            .db
            .write(async |tx| {
                tx.touch_session(&session.id, now).await?;
                Ok::<_, ServiceError>((tx.find_account(user).await?, tx.list_administered(user).await?))
            })
            .await?;
        let Some(account) = account.filter(|account| account.user.status == UserStatus::Active) else {
            return self.prove(place, self.own_login(), &signed_in, call).await.map(Err);
        };
        match delegation::admit(&account, &administers, &session.authentication, changes, now) {
            Admission::Enter(reach) => {
                Ok(Ok(Administrator { session, user: account.user, reach, permission: Permission::WriteUsers }))
            }
            Admission::Prove => {
                let policy = self.policy_to_prove(&account, &session.authentication);
                self.prove(place, policy, &signed_in, call).await.map(Err)
            }
            Admission::Refuse => Ok(Err(SetupRefusal::Forbidden)),
        }
    }

    /// The policy by which a person proves what the console wants of them.
    fn policy_to_prove(&self, account: &Account, login: &Authentication) -> &str {
        let set = self.policies.set();
        let found = match delegation::proof_of(account, login) {
            Proof::SignIn => None,
            Proof::Passkey => set.get("passkey").filter(|policy| policy.allows_entry(Entry::Authorize)),
            Proof::App => set.get("totp").filter(|policy| policy.allows_entry(Entry::Authorize)),
            Proof::FederatedApp => self.find_federated_policy(login, PolicyPurpose::Login),
            Proof::Enrol => self.find_federated_policy(login, PolicyPurpose::Enrol),
        };
        found.map_or_else(|| self.own_login(), |policy| policy.id.as_str())
    }

    /// A policy that sends people to the provider that vouched for `login`, and asks of everybody for more than that.
    fn find_federated_policy(&self, login: &Authentication, purpose: PolicyPurpose) -> Option<&Policy> {
        let set = self.policies.set();
        let providers = list_providers(set.iter().find(|policy| policy.acr.as_ref() == Some(&login.acr))?);
        let sends_there = |policy: &Policy| list_providers(policy).iter().any(|provider| providers.contains(provider));
        let mut offered =
            set.iter().filter(|policy| policy.purpose == purpose && policy.allows_entry(Entry::Authorize));
        offered.find(|policy| policy.require.iter().any(asks_for_app) && sends_there(policy))
    }

    /// A flow that signs them in and leads back to `place`.
    async fn prove(
        &self,
        place: &SetupPlace,
        policy: &str,
        signed_in: &SignedIn,
        call: AccountCall<'_>,
    ) -> Result<SetupRefusal, ServiceError> {
        let new = NewFlow::for_setup(place.clone(), policy, signed_in);
        let answered = self.begin_flow(new, call.cookies, call.locale, call.context).await?;
        Ok(SetupRefusal::Prove(Box::new(answered)))
    }
}

/// The upstream providers that a policy sends people to.
fn list_providers(policy: &Policy) -> Vec<&str> {
    policy.steps.iter().filter_map(provider_of).collect()
}

fn provider_of(step: &Step) -> Option<&str> {
    match &step.kind {
        StepKind::Federate { provider } => Some(provider),
        _ => None,
    }
}

/// Whether a requirement asks everybody for an app beside another provider's sign-in.
fn asks_for_app(require: &Requirement) -> bool {
    let both = [Fact::Federated, Fact::Totp].into_iter().all(|fact| require.factors.contains(fact));
    both && require.condition.is_none()
}
