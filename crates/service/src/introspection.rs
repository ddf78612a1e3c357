//! Introspection (RFC 7662; RFC 9701): who asks is proven, the token is found, its standing is read.

use countersign_model::{AuditKind, AuditOutcome, Client, Feature, SigningAlgorithm, Timestamp};
use countersign_protocol::OAuthError;
use countersign_protocol::introspection::{self, Facts};
use serde_json::{Map, Value};

use crate::audit::{self, EventBuilder};
use crate::client_authentication::ClientCall;
use crate::presented_token::PresentedToken;
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
        let standing = self.is_standing(&presented).await?;
        self.note_question(&presented, standing, caller, context, now).await?;
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

    /// The first question of a client about a token is told, and not each that repeats it. Of what is none of ours there
    /// is nothing to tell, however many of them somebody sends.
    async fn note_question(
        &self,
        presented: &PresentedToken,
        standing: bool,
        caller: &Client,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let token = match presented {
            PresentedToken::Unknown => return Ok(()),
            PresentedToken::AccessToken(claims) => ("jti", claims.jti.as_str()),
            PresentedToken::RefreshToken(found) => ("grant", found.grant.id.as_str()),
        };
        let question = self.asked_questions.of((caller.id.as_str(), token, standing));
        if self.asked_questions.knows(question, now) {
            return Ok(());
        }
        let asked = audit::event(context, now, AuditKind::TokenIntrospected, AuditOutcome::Success)?;
        let asked = about(asked.client(&caller.id), presented).detail("stands", standing);
        self.write_events(&[asked.build()]).await?;
        self.asked_questions.note(question, now);
        Ok(())
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
