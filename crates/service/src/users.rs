//! Makes accounts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_model::{
    Account, AuditKind, AuditOutcome, Factor, FactorId, FactorKind, LegacyCredential, OrganizationId,
    PasswordCredential, Profile, Role, Timestamp, User, UserId, UserStatus,
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::legacy::note_cost;
use crate::provider::Provider;
use crate::vault::Purpose;

/// An account to be made.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// Mail address they sign in with, or that is on file.
    pub email: String,
    /// Password in clear; only its hash is kept. Without one the registration is unfinished.
    pub password: Option<SecretString>,
    /// Name in the legacy portal.
    pub username: Option<String>,
    /// Password of the legacy portal, in clear; only its hash is kept.
    pub legacy_password: Option<SecretString>,
    /// Provider group they belong to.
    pub organization: Option<OrganizationId>,
    /// Standard claims.
    pub profile: Profile,
    /// Whether the mail address is a factor too.
    pub mailbox: bool,
    /// E.164 number of the phone factor.
    pub phone: Option<String>,
    /// TOTP seed, base32.
    pub totp_seed: Option<SecretString>,
    /// Roles in the console.
    pub roles: Vec<Role>,
    /// Provider groups whose people they look after as a provider administrator.
    pub administers: Vec<OrganizationId>,
}

impl Provider {
    /// Makes the account, unless one with its mail address is there; then nothing changes and the answer is none.
    pub async fn create_account(&self, new: &NewAccount) -> Result<Option<UserId>, ServiceError> {
        let email = new.email.trim().to_lowercase();
        let exists = self.db.read(async |tx| tx.find_account_by_email(&email).await).await?.is_some();
        if exists {
            return Ok(None);
        }
        let password = self.hash_given(new.password.as_ref()).await?;
        let legacy = self.hash_given(new.legacy_password.as_ref()).await?;
        let now = self.clock.now();
        // Who is registered by an operator agreed to the terms there.
        let terms_version = self.settings.terms.values().next().filter(|_| password.is_some()).cloned();
        let id = UserId::new(now, random()?);
        let account = Account {
            factors: self.factors(new, &email, &id, now)?,
            legacy: legacy.map(|phc| LegacyCredential { phc, imported_at: now }),
            user: User {
                id: id.clone(),
                email: Some(email),
                username: new.username.as_ref().map(|name| name.to_lowercase()),
                status: UserStatus::Active,
                organization: new.organization.clone(),
                roles: new.roles.clone(),
                profile: new.profile.clone(),
                fax: None,
                locale: None,
                terms_version,
                registered_at: password.as_ref().map(|_| now),
                created_at: now,
                updated_at: now,
            },
            password: password.map(|phc| PasswordCredential { phc, changed_at: now }),
        };
        let event = audit::event(&RequestContext::default(), now, AuditKind::UserChanged, AuditOutcome::Success)?
            .subject(Some(&id))
            .detail("change", "created")
            .build();
        self.db
            .write(async |tx| {
                if let Some(legacy) = &account.legacy {
                    note_cost(tx, legacy).await?;
                }
                tx.insert_account(&account).await?;
                for organization in &new.administers {
                    tx.insert_administered(&account.user.id, organization, now).await?;
                }
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(Some(id))
    }

    async fn hash_given(&self, password: Option<&SecretString>) -> Result<Option<Zeroizing<String>>, ServiceError> {
        match password {
            Some(password) => Ok(Some(self.hash_pool.hash(password.clone()).await?)),
            None => Ok(None),
        }
    }

    fn factors(
        &self,
        new: &NewAccount,
        email: &str,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<Factor>, ServiceError> {
        let mailbox = new.mailbox.then(|| (FactorKind::Mailbox, email.to_owned()));
        let phone = new.phone.clone().map(|number| (FactorKind::Phone, number));
        let mut factors = Vec::new();
        for (kind, value) in mailbox.into_iter().chain(phone) {
            factors.push(Factor {
                id: FactorId::new(now, random()?),
                user: user.clone(),
                kind,
                value,
                last_step: None,
                bound_at: now,
                name: None,
                used_at: None,
            });
        }
        if let Some(seed) = &new.totp_seed {
            let id = FactorId::new(now, random()?);
            let sealed =
                self.vault.seal(Purpose::AuthenticatorSeed, id.as_str().as_bytes(), seed.expose_secret().as_bytes())?;
            let value = STANDARD.encode(sealed);
            factors.push(Factor {
                id,
                user: user.clone(),
                kind: FactorKind::Totp,
                value,
                last_step: None,
                bound_at: now,
                name: None,
                used_at: None,
            });
        }
        Ok(factors)
    }
}
