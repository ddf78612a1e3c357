//! Finds out what the machine needs to know: charges first, then one account, then its password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_flow::language::CountScope;
use countersign_flow::{AccountFacts, AccountKey, Charge, ChargeVerdict, Facts, Input, Needs, Verdict, totp};
use countersign_model::{Account, AuditKind, AuditOutcome, Client, FactorKind, Seconds, Timestamp, UserId, UserStatus};
use countersign_protocol::AuthorizationRequest;
use countersign_protocol::interaction::{self, Demand};
use countersign_store::{Charged, CounterLimit, CounterLock};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::Visit;
use crate::ServiceError;
use crate::audit;
use crate::page_nonce::PageNonce;
use crate::provider::Provider;
use crate::session::SignedIn;
use crate::vault::Purpose;

/// A right password whose hash is older than today's parameters.
pub(super) struct Rehash {
    user: UserId,
    old: Zeroizing<String>,
    password: SecretString,
}

impl Provider {
    /// What is known before the person did anything.
    pub(super) fn opening_facts(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        signed_in: &SignedIn,
        locale: &str,
        now: Timestamp,
    ) -> Facts {
        let demand = Demand { request, client, policy: &client.default_policy, login_policies: self.policies.login() };
        // A demand that no policy can meet was refused before a flow began, and is refused again at its end.
        let demanded = interaction::demanded_facts(&demand).unwrap_or_default();
        Facts {
            remembered: self.remembered_facts(signed_in, request, client, now),
            client: client.id.to_string(),
            requested_acr: request.acr_values.clone(),
            locale: locale.to_owned(),
            login_hint: request.login_hint.clone(),
            demanded,
            ..Facts::default()
        }
    }

    /// What the machine asked for. Once a charge is refused nothing else is looked at.
    pub(super) async fn find_facts(
        &self,
        visit: &Visit<'_>,
        needs: &Needs,
        input: &Input,
        nonce: PageNonce,
        locale: &str,
        now: Timestamp,
    ) -> Result<(Facts, Option<Rehash>), ServiceError> {
        let mut facts = self.opening_facts(visit.request, visit.client, visit.signed_in, locale, now);
        facts.charges = self.charge_all(visit, needs, nonce).await?;
        if facts.charges.iter().any(|verdict| matches!(verdict, ChargeVerdict::Refused { .. })) {
            return Ok((facts, None));
        }
        let account = match &needs.account {
            Some(key) => self.find_account(key).await?,
            None => None,
        };
        let mut rehash = None;
        if needs.verify_password {
            (facts.password, rehash) = self.verify_password(account.as_ref(), input).await?;
        }
        if let Some(code) = &needs.totp_code {
            facts.totp_step = account.as_ref().and_then(|account| self.find_totp_step(account, code, now));
        }
        if let Some(label) = &needs.code_label {
            // For this account alone: a code that one person was sent is never another's.
            let user = account.as_ref().map_or("", |account| account.user.id.as_str());
            let context: [&[u8]; 3] = [&visit.seed, label.as_bytes(), user.as_bytes()];
            let digits = self.vault.derive_digits(Purpose::ChallengeCode, &context, needs.code_digits);
            facts.code = Some(digits.to_string());
        }
        facts.account = account.as_ref().map(account_facts);
        Ok((facts, rehash))
    }

    async fn find_account(&self, key: &AccountKey) -> Result<Option<Account>, ServiceError> {
        let account = match key {
            AccountKey::Email(email) => self.db.read(async |tx| tx.find_account_by_email(email).await).await?,
            AccountKey::Username(name) => self.db.read(async |tx| tx.find_account_by_username(name).await).await?,
            AccountKey::Id(id) => self.db.read(async |tx| tx.find_account(id).await).await?,
        };
        Ok(account)
    }

    /// Verified against a dummy when there is no account or no password, so that all take the same time.
    async fn verify_password(
        &self,
        account: Option<&Account>,
        input: &Input,
    ) -> Result<(Verdict, Option<Rehash>), ServiceError> {
        let password = SecretString::from(input.fields.get("password").cloned().unwrap_or_default());
        let phc = account.and_then(|account| account.password.as_ref()).map(|credential| credential.phc.clone());
        if !self.hash_pool.verify(password.clone(), phc.clone()).await? {
            return Ok((Verdict::Wrong, None));
        }
        let outdated = phc.filter(|phc| self.hash_pool.needs_rehash(phc));
        let rehash =
            outdated.zip(account).map(|(old, account)| Rehash { user: account.user.id.clone(), old, password });
        Ok((Verdict::Right, rehash))
    }

    fn find_totp_step(&self, account: &Account, code: &str, now: Timestamp) -> Option<i64> {
        let factor = account.factor(FactorKind::Totp)?;
        let sealed = STANDARD.decode(&factor.value).ok()?;
        let base32 = self.vault.open(Purpose::AuthenticatorSeed, factor.id.as_str().as_bytes(), &sealed)?;
        let seed = Zeroizing::new(totp::parse_seed(std::str::from_utf8(&base32).ok()?)?);
        totp::find_step(&seed, code, now, factor.last_step)
    }

    /// Renews a hash with today's parameters. A failure is only logged: the old hash still holds.
    pub(super) async fn store_rehash(&self, visit: &Visit<'_>, rehash: Rehash, now: Timestamp) {
        let stored = async {
            let phc = self.hash_pool.hash(rehash.password).await?;
            let event = audit::event(visit.context, now, AuditKind::PasswordRehashed, AuditOutcome::Success)?
                .subject(Some(&rehash.user))
                .build();
            self.db
                .write(async |tx| {
                    if tx.set_password_phc(&rehash.user, &rehash.old, &phc, None).await? {
                        tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                    }
                    Ok::<_, ServiceError>(())
                })
                .await
        };
        if let Err(error) = stored.await {
            tracing::warn!(%error, "a password hash was not renewed");
        }
    }

    async fn charge_all(
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
            let key = self.counter_key(visit, charge);
            let verdict = match self.short_lived.charge(&key, &once(visit, nonce), &limit(charge)).await? {
                Charged::Allowed { .. } => ChargeVerdict::Allowed,
                Charged::Refused { retry_after } => ChargeVerdict::Refused { retry_after },
            };
            verdicts.push(verdict);
            if matches!(verdict, ChargeVerdict::Refused { .. }) {
                metrics::counter!("countersign_limits_reached_total", "limit" => charge.name.clone()).increment(1);
                break;
            }
        }
        Ok(verdicts)
    }

    /// The network's own budget, over every flow and account.
    async fn charge_address(&self, visit: &Visit<'_>, needs: &Needs, nonce: PageNonce) -> Result<bool, ServiceError> {
        let limits = self.settings.address_limits;
        let sends = needs.charges.iter().any(|charge| charge.name.starts_with("send/"));
        let (name, allowed) = if sends { ("sends", limits.sends) } else { ("attempts", limits.attempts) };
        Ok(self.charge_network_once(visit.context, name, allowed, &once(visit, nonce)).await?.is_none())
    }

    /// The counter's name: what it counts is hashed, so that the store never holds an address or a number.
    pub(super) fn counter_key(&self, visit: &Visit<'_>, charge: &Charge) -> String {
        // The seed, not the flow: LOGIN on a stop page begins another instance in the same flow.
        let (instance, network) = (format!("{:032x}", u128::from_be_bytes(visit.seed)), visit.context.network());
        let subject = match charge.scope {
            CountScope::Instance => instance.as_str(),
            CountScope::Ip => network.as_deref().unwrap_or("unknown"),
            CountScope::Client => visit.client.id.as_str(),
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

fn account_facts(account: &Account) -> AccountFacts {
    let value = |kind| account.factor(kind).map(|factor| factor.value.clone());
    AccountFacts {
        active: account.user.status == UserStatus::Active,
        email: account.user.email.clone(),
        mailbox: value(FactorKind::Mailbox),
        phone: value(FactorKind::Phone),
        has_password: account.password.is_some(),
        totp: account.factor(FactorKind::Totp).is_some(),
        ..AccountFacts::new(account.user.id.clone())
    }
}
