//! Clients that nobody registered: their document is fetched where they are met for the first time, and now and then
//! (draft-ietf-oauth-client-id-metadata-document-01). What was read is kept as any registration is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_model::{AuditEvent, AuditKind, AuditOutcome, Client, ClientId, Seconds, SelfRegistration, Timestamp};
use countersign_outbound::documents;
use countersign_protocol::{MetadataError, registration};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;
use crate::registration::has_room;

/// A document is good for this long.
const KEPT: Seconds = Seconds::hours(1);
/// One that can not be had any more is good for this long for new requests.
const GOOD: Seconds = Seconds::hours(24);
/// An address is asked this often at most.
const PAUSE: Seconds = Seconds::new(10);
/// Addresses that are remembered to have been asked.
const MOST: usize = 1000;
/// Media type of a document (draft, 4).
const ACCEPT: &str = "application/json";

/// When addresses were asked.
#[derive(Default)]
pub(crate) struct AskedDocuments(Mutex<HashMap<ClientId, Timestamp>>);

impl AskedDocuments {
    fn was_just_asked(&self, id: &ClientId, now: Timestamp) -> bool {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(id).is_some_and(|at| now < at.plus(PAUSE))
    }

    /// Whether `id` may be asked now; then it was. Where too many are remembered the oldest is forgotten, so that no
    /// stranger's addresses keep another one from being asked.
    fn may_ask(&self, id: &ClientId, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now < at.plus(PAUSE));
        if asked.contains_key(id) {
            return false;
        }
        let oldest = asked.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest.filter(|_| asked.len() >= MOST) {
            asked.remove(&oldest);
        }
        asked.insert(id.clone(), now);
        true
    }
}

impl Provider {
    /// The client of `id`, where a request of its begins: if that is the address of a document, as the document has it.
    pub(crate) async fn meet_client(
        &self,
        id: &ClientId,
        context: &RequestContext,
    ) -> Result<Option<Client>, ServiceError> {
        let known = self.find_client(id).await?;
        let now = self.clock.now();
        let is_document =
            self.settings.features.client_documents && registration::is_document_address(id, self.calls_this_host());
        if !is_document || known.as_ref().is_some_and(|known| !is_due(known, now)) {
            return Ok(known);
        }
        let known = known.filter(|known| is_good(known, now));
        if self.asked_documents.was_just_asked(id, now) {
            return Ok(known);
        }
        // Before it counts as asked: who is over the budget asks for nobody, and keeps nobody from asking.
        if let Err(busy) = self.charge_registration(context).await {
            return known.map_or(Err(busy), |known| Ok(Some(known)));
        }
        if !self.asked_documents.may_ask(id, now) {
            return Ok(known);
        }
        match self.read_client_document(id, now).await {
            Ok(client) => self.keep_described(client, context, now).await,
            Err(error) => {
                tracing::info!(%error, "a client's document does not hold");
                Ok(known)
            }
        }
    }

    /// What the document at `id` describes.
    async fn read_client_document(&self, id: &ClientId, now: Timestamp) -> Result<Client, MetadataError> {
        let http = self.http.as_ref().ok_or_else(|| MetadataError::new("nothing is fetched here"))?;
        let document = documents::fetch(http, id.as_str(), ACCEPT)
            .await
            .map_err(|error| MetadataError::new(format!("the document could not be fetched: {error}")))?;
        if !registration::is_document_type(&document.media_type) {
            return Err(MetadataError::new("what is there is not served as JSON"));
        }
        let (metadata, members) = registration::read_document(id, &document.body)?;
        let client = self.check_own(id.clone(), metadata, now).await?;
        let metadata = registration::describe(&client, members);
        // Nobody knows this token: what a document says, its registration endpoint does not change.
        let access_token = random().map_err(|_| MetadataError::new("the random generator failed"))?;
        let registration = Some(SelfRegistration { access_token, metadata });
        Ok(Client { first_party: false, registration, described_at: Some(now), ..client })
    }

    /// Keeps what a document said, where there is room; an operator's client of that id, or one that is disabled, stays
    /// as it is.
    async fn keep_described(
        &self,
        client: Client,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Option<Client>, ServiceError> {
        let event = document_event(&client.id, context, now)?;
        let most = self.settings.registration.most_clients;
        self.db
            .write(async |tx| {
                tx.take_turn("client registration").await?;
                let client = match tx.find_client(&client.id).await? {
                    Some(known) if known.disabled || known.described_at.is_none() => return Ok(Some(known)),
                    Some(known) => {
                        Client { created_at: known.created_at, registration: known.registration, ..client.clone() }
                    }
                    None if !has_room(tx, most, now).await? => return Ok(None),
                    None => {
                        tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                        client.clone()
                    }
                };
                tx.upsert_client(&client).await?;
                Ok::<_, ServiceError>(Some(client))
            })
            .await
    }
}

fn document_event(id: &ClientId, context: &RequestContext, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    let event = audit::event(context, now, AuditKind::ClientChanged, AuditOutcome::Success)?;
    Ok(event.client(id).detail("registration", "described by its document").build())
}

/// Whether the document is to be looked at again; never for clients that were registered.
fn is_due(known: &Client, now: Timestamp) -> bool {
    !known.disabled && known.described_at.is_some_and(|at| now >= at.plus(KEPT))
}

/// Whether new requests may begin with what is known: of a client with a document, while that is good.
pub(crate) fn may_begin(known: &Client, now: Timestamp) -> bool {
    known.described_at.is_none() || is_good(known, now)
}

fn is_good(known: &Client, now: Timestamp) -> bool {
    known.described_at.is_some_and(|at| now < at.plus(GOOD))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn an_address_is_asked_seldom_and_only_so_many_are() {
        let asked = AskedDocuments::default();
        let id = |number: usize| -> ClientId { format!("https://app.example/{number}").parse().unwrap() };
        assert!(asked.may_ask(&id(0), NOW) && !asked.may_ask(&id(0), NOW.plus(Seconds::new(9))));
        assert!(asked.may_ask(&id(0), NOW.plus(PAUSE)));
        for number in 1..MOST {
            assert!(asked.may_ask(&id(number), NOW.plus(PAUSE)));
        }
        assert!(asked.may_ask(&id(MOST), NOW.plus(PAUSE)), "the oldest is forgotten instead");
        assert!(asked.was_just_asked(&id(MOST), NOW.plus(PAUSE)));
        assert_eq!(asked.0.lock().unwrap().len(), MOST);
    }

    #[test]
    fn a_document_is_read_again_and_withdrawn_in_the_end() {
        let described =
            Client { described_at: Some(NOW), ..Client::new("https://app.example/c".parse().unwrap(), NOW) };
        let later = |hours| NOW.plus(Seconds::hours(hours));
        assert!(!is_due(&described, NOW) && is_due(&described, later(1)));
        assert!(is_good(&described, later(23)) && !is_good(&described, later(24)));
        let registered = Client { described_at: None, ..described.clone() };
        assert!(!is_due(&registered, later(9)), "an operator's");
        assert!(!is_due(&Client { disabled: true, ..described }, later(9)));
    }
}
