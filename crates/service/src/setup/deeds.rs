//! What an administrator does for a person: reset the registration, invite again.

use countersign_model::{Account, Seconds, UserId};
use countersign_protocol::delegation;
use countersign_store::{Charged, CounterLimit};

use super::SetupRefusal;
use crate::ServiceError;
use crate::account_page::AccountCall;
use crate::flow::SetupPlace;
use crate::people::{Actor, Administrator, PersonRefusal, RegistrationReset};
use crate::provider::Provider;
use crate::vault::Purpose;

/// How much an administrator may try to do within an hour, for whomever.
const DEEDS: CounterLimit = CounterLimit { allowed: 120, window: Seconds::hours(1), lock: None };
/// How many links an administrator may have mailed to one person within an hour: what one tries keeps no other from it.
const LINKS: CounterLimit = CounterLimit { allowed: 10, window: Seconds::hours(1), lock: None };

/// What an administrator is told afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupTold {
    /// It was done.
    Done,
    /// Nothing was: this is why.
    Refused(PersonRefusal),
    /// Nothing was: the form was not made for this session.
    Stale,
}

impl Provider {
    /// Resets the registration of one whom the administrator looks after.
    pub async fn reset_person(
        &self,
        user: &UserId,
        nonce: &str,
        reason: &str,
        call: AccountCall<'_>,
    ) -> Result<Result<SetupTold, SetupRefusal>, ServiceError> {
        let place = SetupPlace::Reset(user.clone());
        let (own, account) = match self.enter_for(&place, user, call).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(told) = self.hold_back(&own, &account, nonce).await? {
            return Ok(Ok(told));
        }
        // Nobody is told before there is a reason to tell, and `delegation` says whose account it may be.
        let reset = RegistrationReset { who: user.as_str(), reason, force: true };
        let done = self.reset_account(&account, &reset, Actor::Administrator(&own), call.context).await?;
        self.outbox.notify_one();
        Ok(told_of(done.map(drop)))
    }

    /// Mails another invitation to one whose registration is unfinished.
    pub async fn invite_person_again(
        &self,
        user: &UserId,
        nonce: &str,
        call: AccountCall<'_>,
    ) -> Result<Result<SetupTold, SetupRefusal>, ServiceError> {
        let place = SetupPlace::Person(user.clone());
        let (own, account) = match self.enter_for(&place, user, call).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(told) = self.hold_back(&own, &account, nonce).await? {
            return Ok(Ok(told));
        }
        let done = self.invite_again(&account, Actor::Administrator(&own), call.context).await?;
        self.outbox.notify_one();
        Ok(told_of(done))
    }

    /// The administrator, freshly signed in, and the account, within their reach.
    async fn enter_for(
        &self,
        place: &SetupPlace,
        user: &UserId,
        call: AccountCall<'_>,
    ) -> Result<Result<(Administrator, Account), SetupRefusal>, ServiceError> {
        let own = match self.enter(place, true, call).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let account = self.find_within(&own.reach, user).await?;
        Ok(account.map(|account| (own, account)).ok_or(SetupRefusal::Unknown))
    }

    /// Why it is not even tried: a foreign form, an account that is not theirs to change, a budget that is used up.
    async fn hold_back(
        &self,
        own: &Administrator,
        account: &Account,
        nonce: &str,
    ) -> Result<Option<SetupTold>, ServiceError> {
        if !self.is_own_form(Purpose::SetupPage, &own.session, nonce) {
            return Ok(Some(SetupTold::Stale));
        }
        if let Err(forbidden) = delegation::may_change(&own.user.id, &own.reach, &account.user) {
            return Ok(Some(SetupTold::Refused(forbidden.into())));
        }
        let is_spent = self.is_spent(own, account).await?;
        Ok(is_spent.then_some(SetupTold::Refused(PersonRefusal::Wait)))
    }

    /// Counts a try; true when there were too many.
    async fn is_spent(&self, own: &Administrator, account: &Account) -> Result<bool, ServiceError> {
        let own = own.user.id.as_str();
        let both = format!("{own} {}", account.user.id);
        for (name, subject, limit) in [("deed", own, &DEEDS), ("link", &both, &LINKS)] {
            let key = self.counter_name("setup", name, subject);
            if let Charged::Refused { .. } = self.short_lived.charge(&key, &[], limit).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Who went out of reach meanwhile is told of as anybody out of it.
fn told_of(done: Result<(), PersonRefusal>) -> Result<SetupTold, SetupRefusal> {
    match done {
        Ok(()) => Ok(SetupTold::Done),
        Err(PersonRefusal::Unknown) => Err(SetupRefusal::Unknown),
        Err(refusal) => Ok(SetupTold::Refused(refusal)),
    }
}
