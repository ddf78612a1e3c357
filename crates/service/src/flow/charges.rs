//! Charges counters: before anything is looked at, once a page.

use countersign_flow::language::CountScope;
use countersign_flow::{Charge, ChargeVerdict, Needs};
use countersign_model::{Account, Seconds};
use countersign_store::{Charged, CounterLimit, CounterLock};

use futures_util::future::try_join_all;

use super::Visit;
use crate::ServiceError;
use crate::page_nonce::PageNonce;
use crate::provider::Provider;

/// Steps whose tries an account may be locked for, once it is in hand.
const PROVEN: [&str; 5] = ["password", "otp", "totp", "passkey", "recovery_code"];

impl Provider {
    /// Charges what the machine asked for, in order, up to the first refusal.
    pub(super) async fn charge_all(
        &self,
        visit: &Visit<'_>,
        needs: &Needs,
        nonce: PageNonce,
    ) -> Result<Vec<ChargeVerdict>, ServiceError> {
        let mut verdicts = Vec::with_capacity(needs.charges.len());
        if !needs.charges.is_empty() && !self.charge_address(visit, needs, nonce).await? {
            return Ok(needs
                .charges
                .iter()
                .map(|_| ChargeVerdict::Refused { retry_after: Seconds::minutes(1) })
                .collect());
        }
        for charge in &needs.charges {
            let verdict = self.charge_one(visit, charge, nonce).await?;
            verdicts.push(verdict);
            if matches!(verdict, ChargeVerdict::Refused { .. }) {
                metrics::counter!("countersign_limits_reached_total", "limit" => charge.name.clone()).increment(1);
                break;
            }
        }
        Ok(verdicts)
    }

    /// Texts and calls are first counted by where they go: toll fraud goes to many numbers of one kind.
    async fn charge_one(
        &self,
        visit: &Visit<'_>,
        charge: &Charge,
        nonce: PageNonce,
    ) -> Result<ChargeVerdict, ServiceError> {
        let once = once(visit, nonce);
        let by_telephone = matches!(charge.name.as_str(), "send/sms" | "send/voice");
        if by_telephone && !self.charge_number(&charge.subject, &once).await? {
            return Ok(ChargeVerdict::Refused { retry_after: Seconds::minutes(1) });
        }
        let key = self.counter_key(visit, charge);
        Ok(match self.short_lived.charge(&key, &once, &limit(charge)).await? {
            Charged::Allowed { .. } => ChargeVerdict::Allowed,
            Charged::Refused { retry_after } => ChargeVerdict::Refused { retry_after },
        })
    }

    /// The network's own budget, over every flow and account.
    async fn charge_address(&self, visit: &Visit<'_>, needs: &Needs, nonce: PageNonce) -> Result<bool, ServiceError> {
        let limits = self.settings.address_limits;
        let sends = needs.charges.iter().any(|charge| charge.name.starts_with("send/"));
        let (name, allowed) = if sends { ("sends", limits.sends) } else { ("attempts", limits.attempts) };
        Ok(self.charge_network_once(visit.context, name, allowed, &once(visit, nonce)).await?.is_none())
    }

    /// Whether too many wrong passwords locked the account's mail address or user name, whatever policy counted them. A
    /// counter that this very input is charged to is no lock: the input was looked at, and a right answer sets it back.
    pub(super) async fn is_locked(
        &self,
        visit: &Visit<'_>,
        needs: &Needs,
        account: &Account,
    ) -> Result<bool, ServiceError> {
        let charged: Vec<String> = needs.charges.iter().map(|charge| self.counter_key(visit, charge)).collect();
        let keys: Vec<String> = self.password_locks(account).filter(|key| !charged.contains(key)).collect();
        // At once: each is a key of its own, which a cluster keeps where it likes.
        let locks = try_join_all(keys.iter().map(|key| self.short_lived.is_locked(key))).await?;
        Ok(locks.contains(&true))
    }

    /// The counters of wrong passwords that were typed for the account's mail address and user name.
    pub(crate) fn password_locks(&self, account: &Account) -> impl Iterator<Item = String> {
        let names = [&account.user.email, &account.user.username].into_iter().flatten();
        let scoped = names.flat_map(|name| [CountScope::Identifier, CountScope::Account].map(|scope| (scope, name)));
        scoped.map(|(scope, name)| self.counter_name(&format!("{scope:?}"), "password/lock", name))
    }

    /// Those, and the counters of whatever else was tried for the account.
    pub(crate) fn account_locks(&self, account: &Account) -> Vec<String> {
        let (scope, id) = (format!("{:?}", CountScope::Account), account.user.id.as_str());
        let by_id = PROVEN.map(|kind| self.counter_name(&scope, &format!("{kind}/lock"), id));
        self.password_locks(account).chain(by_id).collect()
    }

    /// The counter's name: what it counts is hashed, so that the store never holds an address or a number.
    pub(super) fn counter_key(&self, visit: &Visit<'_>, charge: &Charge) -> String {
        // The seed, not the flow: LOGIN on a stop page begins another instance in the same flow.
        let (instance, network) = (format!("{:032x}", u128::from_be_bytes(visit.seed)), visit.context.network());
        let subject = match charge.scope {
            CountScope::Instance => instance.as_str(),
            CountScope::Ip => network.as_deref().unwrap_or("unknown"),
            CountScope::Client => visit.client.map_or("", |client| client.id.as_str()),
            CountScope::Identifier | CountScope::Account | CountScope::Target => charge.subject.as_str(),
        };
        self.counter_name(&format!("{:?}", charge.scope), &charge.name, subject)
    }
}

/// One page of one flow: sent twice, it is charged once.
fn once(visit: &Visit<'_>, nonce: PageNonce) -> Vec<u8> {
    [visit.flow.as_bytes().as_slice(), &visit.seed, &nonce.page].concat()
}

fn limit(charge: &Charge) -> CounterLimit {
    let lock = charge.limit.lock.map(|lock| CounterLock { r#for: lock.r#for, backoff: lock.backoff, max: lock.max });
    CounterLimit { allowed: charge.limit.allowed, window: charge.limit.window, lock }
}
