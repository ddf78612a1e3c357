//! Who reads by the admin API what, written down before they are answered.

use std::fmt::Display;

use countersign_model::{AuditKind, AuditOutcome, UserId};
use countersign_protocol::delegation::Permission;
use serde_json::{Map, Value};

use super::{AdminRefusal, Answer, Caller};
use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::people::Actor;
use crate::provider::Provider;
use crate::resource_access::ResourceCall;

/// What is read.
pub(super) struct Reading {
    what: &'static str,
    subject: Option<UserId>,
    filter: Map<String, Value>,
}

impl Reading {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, subject: None, filter: Map::new() }
    }

    /// Of this person, whom the reader sees.
    pub(super) fn about(self, subject: Option<&UserId>) -> Self {
        Self { subject: subject.cloned(), ..self }
    }

    /// What `name` has to be.
    pub(super) fn narrowed(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.filter.insert(name.to_owned(), value.to_string().into());
        }
        self
    }
}

impl Provider {
    /// Who shows the token of `call`, if it lets them do what `permission` is.
    pub(super) async fn find_reader(
        &self,
        call: ResourceCall<'_>,
        permission: Permission,
        reading: Reading,
        context: &RequestContext,
    ) -> Answer<Caller> {
        let caller = match self.find_caller(call, permission).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(AdminRefusal::Token(refusal))),
        };
        self.note_reading(&caller, reading, context).await?;
        Ok(Ok(caller))
    }

    pub(super) async fn note_reading(
        &self,
        caller: &Caller,
        reading: Reading,
        context: &RequestContext,
    ) -> Result<(), ServiceError> {
        let event = audit::event(context, self.clock.now(), AuditKind::AdminRead, AuditOutcome::Success)?;
        let event = event.subject(reading.subject.as_ref()).detail("what", reading.what);
        let event = Actor::Caller(caller).describe(event.detail("filter", reading.filter));
        self.write_events(&[event.build()]).await
    }
}
