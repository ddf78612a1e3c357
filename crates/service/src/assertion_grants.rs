//! Assertions that stand for a person's authorization (RFC 7523, 2.1): whose they are, whom they speak for, and that each
//! is heard once.

use countersign_model::{
    Account, Authentication, Client, ClientId, Grant, Seconds, SessionId, Timestamp, UserId, UserStatus,
};
use countersign_protocol::jws::JwsError;
use countersign_protocol::{AssertionError, Naming, SpokenFor, TokenFacts, assertion_grant};
use countersign_store::Tx;

use crate::ServiceError;
use crate::provider::Provider;
use crate::vault::Purpose;

/// A grant stands for assertions that long, so that people do not find one for each of them on their account page.
const USED_AGAIN: Seconds = Seconds::hours(24);

impl Provider {
    /// What an assertion says that `client` shows, or why it does not hold; none: its issuer is not heard here.
    pub(crate) async fn hear(
        &self,
        token: &str,
        client: &ClientId,
        now: Timestamp,
    ) -> Option<Result<SpokenFor, AssertionError>> {
        let issuer = assertion_grant::read_issuer(token)?;
        let declared = self.assertion_issuers.iter().find(|declared| declared.issuer == issuer)?;
        // Before its keys are asked for: others have no business to make us ask.
        if !declared.clients.contains(client) {
            return Some(Err(AssertionError::Parties));
        }
        let Some(keys) = self.key_set(&declared.keys, now).await else { return Some(Err(AssertionError::Material)) };
        let verify = |keys| assertion_grant::verify(token, declared, keys, client, &self.settings.issuer, now);
        let verified = verify(&keys);
        if verified != Err(AssertionError::Jws(JwsError::UnknownKey)) {
            return Some(verified);
        }
        Some(match self.fresh_key_set(&declared.keys, now).await {
            Some(keys) => verify(&keys),
            None => verified,
        })
    }

    /// Whom an assertion speaks for.
    pub(crate) async fn load_assertion(
        &self,
        tx: &mut Tx,
        heard: &Result<SpokenFor, AssertionError>,
        client: &Client,
        spent: bool,
        now: Timestamp,
    ) -> Result<TokenFacts, ServiceError> {
        let account = match heard {
            Ok(spoken) => self.find_spoken_for(tx, spoken).await?,
            Err(_) => None,
        };
        // Who never finished registering has proven nothing to us, the mail address neither.
        let is_active =
            |account: &Account| account.user.status == UserStatus::Active && account.user.registered_at.is_some();
        let user_active = account.as_ref().is_some_and(is_active);
        let (mut person, mut standing) = (None, None);
        if let Some(account) = account {
            let place = self.place_of_assertions(client, &account.user.id);
            let grants = tx.list_grants_of_session(&place, now).await?;
            let is_young = |grant: &Grant| grant.revoked_at.is_none() && now < grant.created_at.plus(USED_AGAIN);
            standing = grants.into_iter().rfind(is_young).map(Box::new);
            let hearsay = Authentication::hearsay(account.user.id, place, now);
            person = Some(Box::new(self.told_to(client, hearsay)));
        }
        Ok(TokenFacts::Assertion { spoken: heard.clone(), person, user_active, standing, spent })
    }

    /// What stands for a session in grants of assertions, where there is none: the same for a person and a client, so that
    /// their grant is found again.
    fn place_of_assertions(&self, client: &Client, user: &UserId) -> SessionId {
        let parts: [&[u8]; 3] = [b"place", client.id.as_str().as_bytes(), user.as_str().as_bytes()];
        let derived = self.vault.derive(Purpose::AssertionGrant, &parts);
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&derived[..10]);
        SessionId::new(Timestamp::from_millis(0), bytes)
    }

    /// Spends the id of an assertion: of any number of callers exactly one gets true.
    pub(crate) async fn spend_assertion_grant(
        &self,
        tx: &mut Tx,
        issuer: &str,
        jti: &str,
        expires_at: Timestamp,
    ) -> Result<bool, ServiceError> {
        let hash = self.vault.derive(Purpose::AssertionGrant, &[issuer.as_bytes(), jti.as_bytes()]);
        Ok(tx.spend_id(&hash, expires_at).await?)
    }

    async fn find_spoken_for(&self, tx: &mut Tx, spoken: &SpokenFor) -> Result<Option<Account>, ServiceError> {
        let declared = self.assertion_issuers.iter().find(|declared| declared.issuer == spoken.issuer);
        let Some(declared) = declared else { return Ok(None) };
        let user = match &declared.naming {
            // Addresses are on file in lower case.
            Naming::Email(_) => return Ok(tx.find_account_by_email(&spoken.subject).await?),
            Naming::UserId => spoken.subject.parse().ok(),
            Naming::Upstream(provider) => {
                tx.find_federated_identity(provider, &spoken.subject).await?.map(|identity| identity.user)
            }
        };
        match user {
            Some(user) => Ok(tx.find_account(&user).await?),
            None => Ok(None),
        }
    }
}
