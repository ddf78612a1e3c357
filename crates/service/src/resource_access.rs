//! Access tokens shown to this provider itself, at UserInfo and the admin API: verified, held to whose hands they work
//! in, looked up among those that were taken back.

use countersign_model::Timestamp;
use countersign_protocol::bearer::{self, Refusal};
use countersign_protocol::{
    AccessTokenClaims, CertificateThumbprint, ErrorCode, Held, OAuthError, Params, binding, dpop, verify_access_token,
};
use secrecy::ExposeSecret;

use crate::ServiceError;
use crate::dpop::ShownProof;
use crate::provider::Provider;

/// A request to a protected resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceCall<'a> {
    /// The request's method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// The query; a token in it is refused.
    pub query: &'a Params,
    /// The form of a POST.
    pub form: &'a Params,
    /// Certificate of the TLS client, if it showed one.
    pub certificate: Option<&'a CertificateThumbprint>,
}

impl Provider {
    /// The claims of the token that a request shows, which allows `scope` and was not taken back; whether its grant
    /// stands is still to be found out.
    pub(crate) async fn accept_token(
        &self,
        call: ResourceCall<'_>,
        scope: &'static str,
    ) -> Result<Result<AccessTokenClaims, Refusal>, ServiceError> {
        let claims = match self.read_shown_token(call, scope).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let revoked = self.db.read(async |tx| tx.is_token_revoked(&claims.jti).await).await?;
        Ok(if revoked { Err(dead("it was taken back")) } else { Ok(claims) })
    }

    /// The claims of the token that a request shows, which allows `scope`; whether it stands is still to be found out.
    pub(crate) async fn read_shown_token(
        &self,
        call: ResourceCall<'_>,
        scope: &'static str,
    ) -> Result<Result<AccessTokenClaims, Refusal>, ServiceError> {
        let now = self.clock.now();
        let token = match bearer::find_token(call.authorization, call.query, call.form) {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let keys = self.keys.current();
        let claims = match verify_access_token(token.expose_secret(), &keys.stored, &self.settings.issuer, now) {
            Ok(claims) => claims,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(error) = self.check_possession(call, token.expose_secret(), &claims, now).await? {
            return Ok(Err(error.into()));
        }
        if let Err(refusal) = bearer::check_scope(&claims.scope(), scope) {
            return Ok(Err(refusal));
        }
        Ok(Ok(claims))
    }

    /// Values of `WWW-Authenticate` for a refusal at a protected resource (RFC 6750, 3; RFC 9449, 7.1).
    pub fn challenges(&self, authorization: Option<&str>, refusal: &Refusal) -> Vec<String> {
        if self.settings.features.dpop {
            refusal.challenges(bearer::scheme_of(authorization)).to_vec()
        } else {
            vec![refusal.challenge()]
        }
    }

    /// Holds a bound token to the key and the certificate of who shows it; its proof is spent.
    async fn check_possession(
        &self,
        call: ResourceCall<'_>,
        token: &str,
        claims: &AccessTokenClaims,
        now: Timestamp,
    ) -> Result<Result<(), OAuthError>, ServiceError> {
        let shown = ShownProof { proof: call.dpop, method: call.method, path: call.path, access_token: Some(token) };
        let proof = match self.read_proof(shown, None, now) {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error)),
        };
        let held = Held { certificate: call.certificate, proof: proof.as_ref() };
        if let Err(error) = binding::check(claims.cnf.as_ref(), bearer::scheme_of(call.authorization), held) {
            return Ok(Err(error));
        }
        Ok(if self.spend_some_proof(proof.as_ref()).await? { Ok(()) } else { Err(dpop::replayed()) })
    }
}

/// The refusal of a token whose signature holds and which is dead all the same.
pub(crate) fn dead(detail: &'static str) -> Refusal {
    OAuthError::new(ErrorCode::InvalidToken, "The access token is invalid or expired").with_detail(detail).into()
}
