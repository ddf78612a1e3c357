//! Makes accounts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_model::{
    Account, AuditKind, AuditOutcome, Factor, FactorId, FactorKind, PasswordCredential, Profile, Role, Timestamp, User,
    UserId, UserStatus,
};
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::Purpose;

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Mail address they sign in with.
    pub email: String,
    /// Password in clear; only its hash is kept.
    pub password: SecretString,
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
}

impl Provider {
    /// Makes the account, unless one with its mail address is there; then nothing changes and the answer is none.
    pub async fn create_account(&self, new: &NewAccount) -> Result<Option<UserId>, ServiceError> {
        let email = new.email.trim().to_lowercase();
        let exists = self.db.read(async |tx| tx.find_account_by_email(&email).await).await?.is_some();
        if exists {
            return Ok(None);
        }
        let phc = self.hash_pool.hash(new.password.clone()).await?;
        let now = self.clock.now();
        let id = UserId::new(now, random()?);
        let account = Account {
            factors: self.factors(new, &email, &id, now)?,
            password: Some(PasswordCredential { phc, changed_at: now }),
            user: User {
                id: id.clone(),
                email: Some(email),
                username: None,
                status: UserStatus::Active,
                organization: None,
                roles: new.roles.clone(),
                profile: new.profile.clone(),
                terms_version: None,
                created_at: now,
                updated_at: now,
            },
        };
        let event = audit::event(&RequestContext::default(), now, AuditKind::UserChanged, AuditOutcome::Success)?
            .subject(Some(&id))
            .detail("change", "created")
            .build();
        self.db
            .write(async |tx| {
                tx.insert_account(&account).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(Some(id))
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
            });
        }
        Ok(factors)
    }
}
