//! Credentials of the legacy portal: imported hashes, or the portal's own answer over HTTP.

use countersign_flow::{Input, Verdict};
use countersign_model::Account;
use secrecy::SecretString;

use crate::ServiceError;
use crate::flow::given_password;
use crate::provider::Provider;

impl Provider {
    /// Whether the password is that of the legacy portal. Without an imported hash the portal is asked, if there is a
    /// connector; either way a hash is computed, so that all take the same time.
    pub(crate) async fn verify_legacy(
        &self,
        account: Option<&Account>,
        input: &Input,
    ) -> Result<Verdict, ServiceError> {
        let password = given_password(input);
        let imported = account.and_then(|account| account.legacy.clone()).map(|credential| credential.phc);
        let asked = imported.is_none();
        if self.hash_pool.verify(password.clone(), imported).await? {
            return Ok(Verdict::Right);
        }
        // Asked for unknown names too: how long an answer takes tells nothing of who is known.
        let username = input.fields.get("username").map(|name| name.trim()).filter(|_| asked);
        let answer = match username {
            Some(username) => self.ask_legacy(username, &password).await?,
            None => Verdict::Wrong,
        };
        Ok(if account.is_some() { answer } else { Verdict::Wrong })
    }

    async fn ask_legacy(&self, username: &str, password: &SecretString) -> Result<Verdict, ServiceError> {
        let Some(connector) = &self.legacy else { return Ok(Verdict::Wrong) };
        match connector.check(username, password).await {
            Ok(Some(_)) => Ok(Verdict::Right),
            Ok(None) => Ok(Verdict::Wrong),
            Err(error) => {
                tracing::warn!(%error, "the legacy portal did not answer");
                Err(ServiceError::Busy(countersign_model::Seconds::new(5)))
            }
        }
    }
}
