//! DPoP proofs (RFC 9449): read before anything else is looked at, spent in the transaction of what they are for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Client, Seconds, Timestamp};
use countersign_protocol::dpop::{self, Expected};
use countersign_protocol::{OAuthError, Proof};
use countersign_store::Tx;

use crate::ServiceError;
use crate::provider::Provider;
use crate::vault::Purpose;

/// How long a nonce is handed out; it is taken as long again.
const WINDOW: Seconds = Seconds::minutes(2);

/// The proof of a request, and the request it must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShownProof<'a> {
    /// The `DPoP` header.
    pub(crate) proof: Option<&'a str>,
    /// The request's method.
    pub(crate) method: &'a str,
    /// The endpoint's path.
    pub(crate) path: &'a str,
    /// The access token it comes with, at a protected resource.
    pub(crate) access_token: Option<&'a str>,
}

impl Provider {
    /// Checks the proof of a request, if there is one and it means anything of `client`, if that is named; nothing is spent yet, so that a client that is told to use a
    /// nonce loses nothing else.
    pub(crate) fn read_proof(
        &self,
        shown: ShownProof<'_>,
        client: Option<&Client>,
        now: Timestamp,
    ) -> Result<Option<Proof>, OAuthError> {
        let features = client.map_or(self.settings.features, |client| self.settings.features.of(client));
        let Some(proof) = shown.proof.filter(|_| features.dpop) else { return Ok(None) };
        let mut addresses = vec![self.settings.issuer.endpoint(shown.path)];
        addresses.extend(self.settings.mtls_origin.as_ref().map(|origin| format!("{origin}{}", shown.path)));
        let nonces = self.settings.features.dpop_nonce.then(|| [self.nonce(now, 0), self.nonce(now, 1)]);
        let expected = Expected {
            method: shown.method,
            addresses: &addresses,
            access_token: shown.access_token,
            nonces: nonces.as_ref().map(<[String; 2]>::as_slice),
        };
        dpop::verify(proof, &expected, now).map(Some)
    }

    /// Spends a proof, by its key and id: false when it was spent before, on whatever node.
    pub(crate) async fn spend_proof(&self, tx: &mut Tx, proof: &Proof) -> Result<bool, ServiceError> {
        let hash = self.vault.derive(Purpose::DpopProof, &[proof.thumbprint.as_bytes(), proof.jti.as_bytes()]);
        Ok(tx.spend_id(&hash, proof.expires_at).await?)
    }

    /// The same where there is no other transaction, of a proof that may not be there.
    pub(crate) async fn spend_some_proof(&self, proof: Option<&Proof>) -> Result<bool, ServiceError> {
        let Some(proof) = proof else { return Ok(true) };
        self.db.write(async |tx| self.spend_proof(tx, proof).await).await
    }

    /// The nonce that the next proof must have (RFC 9449, 8), if this deployment hands out any: stateless, the same on
    /// every node.
    pub fn dpop_nonce(&self) -> Option<String> {
        let features = self.settings.features;
        (features.dpop && features.dpop_nonce).then(|| self.nonce(self.clock.now(), 0))
    }

    fn nonce(&self, now: Timestamp, windows_ago: i64) -> String {
        let window = now.as_secs().div_euclid(i64::from(WINDOW.get())) - windows_ago;
        URL_SAFE_NO_PAD.encode(&self.vault.derive(Purpose::DpopNonce, &[&window.to_be_bytes()])[..16])
    }
}
