//! Introspection (RFC 7662; RFC 9701): who asks is proven, the token is found, its standing is read.

use countersign_model::{AuditKind, AuditOutcome, Client, Feature, SigningAlgorithm, Timestamp};
use countersign_protocol::OAuthError;
use countersign_protocol::introspection::{self, Facts};
use serde_json::{Map, Value};

use crate::audit::{self, EventBuilder};
use crate::client_authentication::ClientCall;
use crate::presented_token::{self, PresentedToken};
use crate::provider::Provider;
use crate::{RequestContext, ServiceError};

/// What is known of a token, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// JSON.
    Plain(Map<String, Value>),
    /// A signed JWT.
    Signed(String),
}

impl Provider {
    /// Answers what a token is good for, signed when `accept` says so; or the error to send.
    pub async fn introspect(
        &self,
        call: ClientCall<'_>,
        accept: Option<&str>,
    ) -> Result<Result<Introspection, OAuthError>, ServiceError> {
        let now = self.clock.now();
        let claimed = match self.claimed_client(call.authorization, call.query, call.form).await? {
            Ok(claimed) => claimed,
            Err(error) => return Ok(Err(error)),
        };
        let client = match self.prove_client(&claimed, call.context, now).await? {
            Ok(client) => client,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.settings.features.check_endpoint(client.client(), Feature::Introspection) {
            return Ok(Err(error));
        }
        let token = match introspection::parse(client, call.form) {
            Ok(token) => token,
            Err(error) => return Ok(Err(error)),
        };
        let answer = self.describe(token, client.client(), call.context, now).await?;
        let signs = self.settings.features.of(client.client()).signed_introspection;
        if !signs || !introspection::wants_signed(accept) {
            return Ok(Ok(Introspection::Plain(answer)));
        }
        self.sign_introspection(client.client(), &answer, now).map(|signed| Ok(Introspection::Signed(signed)))
    }

    async fn describe(
        &self,
        token: &str,
        caller: &Client,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ServiceError> {
        let presented = self.find_presented(token, now).await?;
        let asked = audit::event(context, now, AuditKind::TokenIntrospected, AuditOutcome::Success)?;
        let asked = about(asked.client(&caller.id), &presented);
        let standing = match &presented {
            // None of ours: there is nothing to tell of it, however many of them somebody sends.
            PresentedToken::Unknown => false,
            known => {
                self.db
                    .write(async |tx| {
                        let standing = is_standing(tx, known).await?;
                        tx.insert_audit_events(&[asked.clone().detail("stands", standing).build()]).await?;
                        Ok::<_, ServiceError>(standing)
                    })
                    .await?
            }
        };
        if let (PresentedToken::AccessToken(claims), true) = (&presented, standing)
            && let Some(grant) = claims.grant()
        {
            // Whoever asks has it: the answer it came with was not lost.
            self.grant_of_token(&grant, &claims.jti).await?;
        }
        let facts = match &presented {
            PresentedToken::Unknown => Facts::Nothing,
            PresentedToken::AccessToken(claims) => Facts::AccessToken { claims, standing },
            PresentedToken::RefreshToken(found) => Facts::RefreshToken {
                token: &found.token,
                grant: &found.grant,
                subject: found.grant.authentication.subject(),
                standing,
            },
        };
        Ok(introspection::answer(caller, &facts, &self.settings.issuer, now))
    }

    fn sign_introspection(
        &self,
        caller: &Client,
        answer: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        let algorithm = caller.responses.introspection_alg.unwrap_or(SigningAlgorithm::RS256);
        let claims = introspection::signed_claims(&self.settings.issuer, caller, answer, now);
        let key = self.keys.current().signer(algorithm, now)?;
        key.sign(introspection::TYPE, &claims).map_err(|_| ServiceError::Internal("an answer could not be signed"))
    }
}

/// Which token was asked about, as far as it is one of ours.
fn about(event: EventBuilder, presented: &PresentedToken) -> EventBuilder {
    match presented {
        PresentedToken::Unknown => event,
        PresentedToken::AccessToken(claims) => match claims.grant() {
            Some(grant) => event.jti(&claims.jti).grant(&grant),
            None => event.jti(&claims.jti),
        },
        PresentedToken::RefreshToken(found) => event.grant(&found.grant.id).subject(Some(&found.account.user.id)),
    }
}

async fn is_standing(tx: &mut countersign_store::Tx, presented: &PresentedToken) -> Result<bool, ServiceError> {
    match presented {
        PresentedToken::Unknown => Ok(false),
        PresentedToken::AccessToken(claims) => {
            Ok(!matches!(presented_token::standing(tx, claims).await?, presented_token::Standing::Dead))
        }
        PresentedToken::RefreshToken(found) => {
            let enabled = presented_token::is_client_enabled(tx, Some(&found.token.client)).await?;
            Ok(enabled && presented_token::is_active(&found.account))
        }
    }
}
