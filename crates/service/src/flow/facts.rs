//! Finds out what the machine needs to know: charges first, then one account, then what was given for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_flow::language::Purpose as PolicyPurpose;
use countersign_flow::{
    AccountFacts, AccountKey, ChargeVerdict, Facts, Input, Instance, LinkState, Needs, OrganizationKey, Verdict,
    parse_npi, totp,
};
use countersign_model::{
    Account, AuditKind, AuditOutcome, FactorKind, KeyedHash, OrganizationId, Timestamp, UserId, UserStatus,
};
use countersign_protocol::interaction::{self, Demand};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{Origin, Visit};
use crate::ServiceError;
use crate::audit;
use crate::evidence::Evidence;
use crate::federation::FederationPlace;
use crate::page_nonce::PageNonce;
use crate::passkeys::CeremonyPlace;
use crate::provider::Provider;
use crate::vault::Purpose;

/// A right password whose hash is older than today's parameters.
pub(super) struct Rehash {
    user: UserId,
    old: Zeroizing<String>,
    password: SecretString,
}

/// What was learnt on the way that the machine has no use for.
#[derive(Default)]
pub(super) struct Learnt {
    pub(super) rehash: Option<Rehash>,
    pub(super) evidence: Evidence,
}

impl Provider {
    /// What is known before the person did anything. `policy` is the one that begins; none when one runs already.
    pub(super) fn opening_facts(&self, visit: &Visit<'_>, policy: Option<&str>, now: Timestamp) -> Facts {
        let mut facts = Facts {
            locale: visit.locale.to_owned(),
            countries: self.settings.telephone.countries.clone(),
            terms: self.settings.terms.clone(),
            subject: Self::subject(
                visit,
                policy.and_then(|id| self.policies.set().get(id)).map(|policy| policy.purpose),
            ),
            client: visit.client.map(|client| client.id.to_string()).unwrap_or_default(),
            upstream_domains: self.upstreams.list_domains(),
            ..Facts::default()
        };
        if let Some((request, client)) = visit.request() {
            let login_policies = self.policies.login();
            let demand = Demand { request, client, policy: &client.default_policy, login_policies };
            // A demand that no policy can meet was refused before a flow began, and is refused again at its end.
            facts.demanded = interaction::demanded_facts(&demand).unwrap_or_default();
            facts.remembered = self.remembered_facts(visit.signed_in, request, client, now);
            facts.session = self.session_that_counts(visit.signed_in, request, client, now);
            facts.requested_acr.clone_from(&request.acr_values);
            facts.login_hint.clone_from(&request.login_hint);
        }
        facts
    }

    /// Who alone may go on: on the account page, or at the console, whoever is signed in, once it is about changing
    /// something.
    fn subject(visit: &Visit<'_>, purpose: Option<PolicyPurpose>) -> Option<UserId> {
        let session = visit.signed_in.session.as_ref()?;
        let is_own = matches!(visit.origin, Origin::Account | Origin::Setup(_));
        let concerned = is_own && purpose == Some(PolicyPurpose::Enrol);
        concerned.then(|| session.authentication.user.clone())
    }

    /// What the machine asked for. Once a charge is refused nothing else is looked at.
    pub(super) async fn find_facts(
        &self,
        visit: &Visit<'_>,
        instance: &Instance,
        needs: &Needs,
        input: &Input,
        nonce: PageNonce,
        now: Timestamp,
    ) -> Result<(Facts, Learnt), ServiceError> {
        let mut facts = self.opening_facts(visit, None, now);
        let policy = self.policies.set().find_by_digest(instance.policy_digest());
        facts.subject = Self::subject(visit, policy.map(|policy| policy.purpose));
        facts.charges = self.charge_all(visit, needs, nonce).await?;
        let mut learnt = Learnt::default();
        if facts.charges.iter().any(|verdict| matches!(verdict, ChargeVerdict::Refused { .. })) {
            return Ok((facts, learnt));
        }
        let mut account =
            self.find_named(visit, needs, policy.map(|policy| policy.id.as_str()), &mut facts, now).await?;
        if needs.verify_password {
            (facts.password, learnt.rehash) = self.verify_password(account.as_ref(), input).await?;
        }
        if needs.verify_legacy {
            facts.legacy = self.verify_legacy(account.as_ref(), input).await?;
        }
        if needs.hash_password {
            let password = SecretString::from(input.fields.get("new_password").cloned().unwrap_or_default());
            facts.password_hash = Some(self.hash_pool.hash(password).await?);
        }
        self.find_codes(visit, needs, account.as_ref(), &mut facts, now).await?;
        self.find_free_names(visit, instance, needs, &mut facts).await?;
        self.find_vouched(visit, instance, needs, input, &mut account, &mut facts, &mut learnt.evidence).await?;
        if let Some(policy) = policy.filter(|_| !needs.webhooks.is_empty()) {
            let user = account.as_ref().map(|account| &account.user.id);
            facts.webhooks = self.ask_webhooks(visit, policy, &needs.webhooks, user).await?;
        }
        facts.account = account.as_ref().map(|account| self.account_facts(account));
        if let Some((account, known)) = account.as_ref().zip(facts.account.as_mut()).filter(|_| needs.lock) {
            known.locked = self.is_locked(visit, needs, account).await?;
        }
        if policy.is_some_and(|policy| policy.purpose.completes()) {
            self.find_completed(visit, &mut facts).await?;
        }
        learnt.evidence.account = account;
        Ok((facts, learnt))
    }

    /// A registration that this very flow completed, whose node died before its answer, is open to it: the same answer
    /// again. Asked of nobody's, too, and of those that are open: a watch must not tell who is registered.
    async fn find_completed(&self, visit: &Visit<'_>, facts: &mut Facts) -> Result<(), ServiceError> {
        let nobody = UserId::new(Timestamp::from_millis(0), [0; 10]);
        let own = visit.once_completed(facts.account.as_ref().map_or(&nobody, |known| &known.user));
        let is_own = self.db.read(async |tx| tx.has_effect(&own).await).await?;
        if let Some(known) = &mut facts.account {
            known.registration_incomplete |= is_own;
        }
        Ok(())
    }

    /// The account in question: the one the machine names, or the one a link is for.
    async fn find_named(
        &self,
        visit: &Visit<'_>,
        needs: &Needs,
        policy: Option<&str>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<Option<Account>, ServiceError> {
        if needs.link {
            facts.link = self.find_link_state(visit, policy, now).await?;
        }
        let linked = match &facts.link {
            LinkState::Holds(user) => Some(AccountKey::Id(user.clone())),
            _ => None,
        };
        let signed_in = facts.session.as_ref().map(|session| AccountKey::Id(session.user.clone()));
        match needs.account.as_ref().or(linked.as_ref()).or(signed_in.as_ref()) {
            Some(key) => self.find_account(key).await,
            None => Ok(None),
        }
    }

    async fn find_account(&self, key: &AccountKey) -> Result<Option<Account>, ServiceError> {
        let account = match key {
            AccountKey::Email(email) => self.db.read(async |tx| tx.find_account_by_email(email).await).await?,
            AccountKey::Username(name) => self.db.read(async |tx| tx.find_account_by_username(name).await).await?,
            AccountKey::Id(id) => self.db.read(async |tx| tx.find_account(id).await).await?,
        };
        Ok(account)
    }

    /// Codes: those of authenticators, those to be sent, those answered by telephone, those written down.
    async fn find_codes(
        &self,
        visit: &Visit<'_>,
        needs: &Needs,
        account: Option<&Account>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        if let Some(code) = &needs.totp_code {
            facts.totp_step = match &needs.enrol_totp {
                Some(label) => totp::find_step(&self.enrolled_seed(&visit.seed, label), code, now, None),
                None => account.and_then(|account| self.find_totp_step(account, code, now)),
            };
        }
        if let Some(label) = &needs.code_label {
            // For this account alone: a code that one person was sent is never another's.
            let user = account.map_or("", |account| account.user.id.as_str());
            facts.code = Some(self.derive_code(&visit.seed, label, user, needs.code_digits).to_string());
        }
        facts.approved = needs.approval.is_some() && needs.approval == visit.approved;
        if let Some(label) = &needs.delivery {
            facts.undeliverable = self.is_undeliverable(&visit.seed, label).await?;
        }
        if let Some((code, account)) = needs.recovery_code.as_ref().zip(account) {
            facts.recovery_code = self.find_recovery_code(visit, account, code).await?;
        }
        Ok(())
    }

    /// Who signed with a passkey, or came back from an upstream provider: their account is the one in question then.
    #[expect(clippy::too_many_arguments, reason = "it finds the account, what it proves, and what is to be written")]
    async fn find_vouched(
        &self,
        visit: &Visit<'_>,
        instance: &Instance,
        needs: &Needs,
        input: &Input,
        account: &mut Option<Account>,
        facts: &mut Facts,
        evidence: &mut Evidence,
    ) -> Result<(), ServiceError> {
        if let Some(purpose) = needs.passkey {
            let place = CeremonyPlace { flow: visit.flow, version: visit.version };
            // Whom the machine has in hand, not whoever is signed in in this browser: the page's ceremony knew no more.
            let named = account.as_ref().filter(|_| needs.account.is_some());
            if let Some(found) = self.find_passkey(place, purpose, named, input).await? {
                facts.passkey = Some(found.proof);
                evidence.passkey = Some(found.change);
                *account = Some(found.account);
            }
        }
        let waits_for = if needs.federation { self.find_upstream_of(instance) } else { None };
        if let Some(provider) = &waits_for {
            let place = FederationPlace { flow: visit.flow, version: visit.version, provider };
            if let Some(found) = self.find_federated(place, input, visit.context).await? {
                facts.federated = Some(found.federated);
                evidence.federated = found.adoption;
                *account = Some(found.account);
            }
        }
        Ok(())
    }

    /// The upstream provider that an instance waits for.
    pub(super) fn find_upstream_of(&self, instance: &Instance) -> Option<String> {
        let mut view = countersign_flow::view(self.policies.set(), instance, self.clock.now()).ok()?;
        view.values.remove("provider").filter(|_| view.kind == "federate")
    }

    /// Whether names are free, an organization is there, and what a new account would be called.
    async fn find_free_names(
        &self,
        visit: &Visit<'_>,
        instance: &Instance,
        needs: &Needs,
        facts: &mut Facts,
    ) -> Result<(), ServiceError> {
        let own = needs.new_user.then(|| self.new_user(visit, instance));
        // The account of a first try, whose node died before its answer, is in nobody's way.
        if let Some(email) = &needs.free_email {
            let found = self.db.read(async |tx| tx.find_account_by_email(email).await).await?;
            facts.email_free = Some(self.is_free(found, own.as_ref()).await?);
        }
        if let Some(username) = &needs.free_username {
            let found = self.db.read(async |tx| tx.find_account_by_username(username).await).await?;
            facts.username_free = Some(self.is_free(found, own.as_ref()).await?);
        }
        if let Some(key) = &needs.organization {
            facts.organization = self.find_organization(key).await?;
        }
        facts.new_user = own;
        Ok(())
    }

    /// Whether a name is nobody's, one's own, or that of an account which somebody made and left.
    async fn is_free(&self, found: Option<Account>, own: Option<&UserId>) -> Result<bool, ServiceError> {
        let Some(holder) = found.map(|account| account.user.id).filter(|holder| Some(holder) != own) else {
            return Ok(true);
        };
        let now = self.clock.now();
        Ok(self.db.read(async |tx| tx.is_abandoned(&holder, now).await).await?)
    }

    /// The same at every try of one input: a node may die between the account and its answer.
    fn new_user(&self, visit: &Visit<'_>, instance: &Instance) -> UserId {
        let set = self.policies.set();
        let born = instance.end(set).unwrap_or(Timestamp::from_millis(0));
        let turn = instance.advances().to_be_bytes();
        let bits = self.vault.derive(Purpose::NewUser, &[&visit.seed, &turn]);
        let mut random = [0; 10];
        random.copy_from_slice(&bits[..10]);
        UserId::new(born, random)
    }

    async fn find_organization(&self, key: &OrganizationKey) -> Result<Option<OrganizationId>, ServiceError> {
        let hash = self.hash_registration_code(&key.code);
        let found = self.db.read(async |tx| tx.find_organization(&key.npi, &hash).await).await?;
        // Whatever the policy's form took for an NPI, each organization has a rule of its own.
        let named = found.filter(|organization| parse_npi(organization.validator, &key.npi).is_some());
        Ok(named.map(|organization| organization.id))
    }

    /// An unspent code of the account; one that this very flow spent before its node died counts too.
    async fn find_recovery_code(
        &self,
        visit: &Visit<'_>,
        account: &Account,
        code: &str,
    ) -> Result<Option<KeyedHash>, ServiceError> {
        let hash = self.vault.hash(Purpose::RecoveryCode, code.as_bytes());
        let user = &account.user.id;
        let key = visit.once("recovery", &crate::secrets::hex(&hash));
        let found = self
            .db
            .read(async |tx| {
                Ok::<_, ServiceError>(
                    tx.find_unspent_recovery_code(user, &hash).await?.is_some() || tx.has_effect(&key).await?,
                )
            })
            .await?;
        Ok(found.then_some(hash))
    }

    /// Verified against a dummy when there is no account or no password, so that all take the same time.
    async fn verify_password(
        &self,
        account: Option<&Account>,
        input: &Input,
    ) -> Result<(Verdict, Option<Rehash>), ServiceError> {
        let password = given_password(input);
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

    /// What guards and steps may know of an account.
    pub(crate) fn account_facts(&self, account: &Account) -> AccountFacts {
        let value = |kind| account.factor(kind).map(|factor| factor.value.clone());
        let accepted = account.user.terms_version.as_ref();
        AccountFacts {
            active: account.user.status == UserStatus::Active,
            email: account.user.email.clone(),
            username: account.user.username.clone(),
            names: names_of(account),
            mailbox: value(FactorKind::Mailbox),
            phone: value(FactorKind::Phone),
            has_password: account.password.is_some(),
            legacy: account.legacy.is_some() && account.password.is_none(),
            registration_incomplete: account.user.registered_at.is_none(),
            terms_due: self.settings.terms.values().any(|version| accepted != Some(version)),
            totp: account.factor(FactorKind::Totp).is_some(),
            passkey: account.factor(FactorKind::Passkey).is_some(),
            ..AccountFacts::new(account.user.id.clone())
        }
    }
}

/// A person's names, which are no passwords.
fn names_of(account: &Account) -> Vec<String> {
    let profile = &account.user.profile;
    let names = [&profile.given_name, &profile.family_name, &profile.name, &account.user.username];
    names.into_iter().flatten().cloned().collect()
}

/// The password that was typed.
pub(crate) fn given_password(input: &Input) -> SecretString {
    SecretString::from(input.fields.get("password").cloned().unwrap_or_default())
}
