//! What stands in the records of the deployment: audit, clients, organizations, keys, policies.

use countersign_model::{AuditId, AuditKind, ClientId, Timestamp, UserId};
use countersign_protocol::delegation::Permission;
use countersign_store::AuditFilter;

use super::reading::Reading;
use super::view::{AuditPage, ClientList, EventView, PolicyList, PolicyView, ProofList, ProofView, RegisteredClient};
use super::{AdminRefusal, Answer};
use crate::audit::RequestContext;
use crate::provider::Provider;
use crate::resource_access::ResourceCall;
use crate::secrets::hex;

/// Longest id of a token that is told of, in bytes.
const LONGEST_JTI: usize = 64;

/// Which entries of the audit to list; none of a field: any.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// Concerning this person.
    pub subject: Option<UserId>,
    /// Concerning this client.
    pub client: Option<ClientId>,
    /// About this token.
    pub jti: Option<String>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Older than this one, the last of the page before.
    pub after: Option<(Timestamp, AuditId)>,
    /// At most so many.
    pub limit: u32,
}

impl Provider {
    /// A page of the audit, the newest first.
    pub async fn list_events(
        &self,
        call: ResourceCall<'_>,
        query: &AuditQuery,
        context: &RequestContext,
    ) -> Answer<AuditPage> {
        let reading = Reading::of("audit")
            .narrowed("kind", query.kind.map(AuditKind::as_str))
            .narrowed("subject", query.subject.as_ref())
            .narrowed("client", query.client.as_ref())
            .narrowed("jti", query.jti.as_deref().map(tell_jti))
            .narrowed("since", query.since.map(Timestamp::as_secs))
            .narrowed("until", query.until.map(Timestamp::as_secs))
            .narrowed("after", query.after.as_ref().map(|(_, id)| id));
        if let Err(refusal) = self.find_reader(call, Permission::ReadAudit, reading, context).await? {
            return Ok(Err(refusal));
        }
        let filter = AuditFilter {
            kind: query.kind,
            subject: query.subject.clone(),
            client: query.client.clone(),
            jti: query.jti.clone(),
            since: query.since,
            until: query.until,
            before: query.after.clone(),
            limit: query.limit + 1,
        };
        let mut events = self.db.read(async |tx| tx.list_audit_events(&filter).await).await?;
        let has_more = events.len() > query.limit as usize;
        events.truncate(query.limit as usize);
        let next = events.last().filter(|_| has_more).map(|last| format!("{}.{}", last.at.as_millis(), last.id));
        Ok(Ok(AuditPage { events: events.into_iter().map(EventView::of).collect(), next }))
    }

    /// The entries about a token with their proofs against the newest checkpoint.
    pub async fn prove_events(&self, call: ResourceCall<'_>, jti: &str, context: &RequestContext) -> Answer<ProofList> {
        let reading = Reading::of("proofs").narrowed("jti", Some(tell_jti(jti)));
        if let Err(refusal) = self.find_reader(call, Permission::ReadAudit, reading, context).await? {
            return Ok(Err(refusal));
        }
        let proven = self.prove_token(jti).await?;
        if proven.is_empty() {
            return Ok(Err(AdminRefusal::Unknown));
        }
        Ok(Ok(ProofList { proofs: proven.into_iter().map(ProofView::of).collect() }))
    }

    /// Every client, by id.
    pub async fn tell_clients(&self, call: ResourceCall<'_>, context: &RequestContext) -> Answer<ClientList> {
        if let Err(refusal) = self.find_reader(call, Permission::ReadClients, Reading::of("clients"), context).await? {
            return Ok(Err(refusal));
        }
        let clients = self.list_clients().await?;
        Ok(Ok(ClientList { clients: clients.into_iter().map(RegisteredClient::of).collect() }))
    }

    /// One client.
    pub async fn tell_client(
        &self,
        call: ResourceCall<'_>,
        client: &str,
        context: &RequestContext,
    ) -> Answer<RegisteredClient> {
        let reading = Reading::of("client").narrowed("client", client.parse::<ClientId>().ok());
        if let Err(refusal) = self.find_reader(call, Permission::ReadClients, reading, context).await? {
            return Ok(Err(refusal));
        }
        let found = match client.parse::<ClientId>() {
            Ok(client) => self.db.read(async |tx| tx.find_client(&client).await).await?,
            Err(_) => None,
        };
        Ok(found.map(RegisteredClient::of).ok_or(AdminRefusal::Unknown))
    }

    /// The policies that this node runs.
    pub async fn tell_policies(&self, call: ResourceCall<'_>, context: &RequestContext) -> Answer<PolicyList> {
        if let Err(refusal) = self.find_reader(call, Permission::ReadPolicies, Reading::of("policies"), context).await?
        {
            return Ok(Err(refusal));
        }
        let policies = self.policies.set().iter().map(|policy| PolicyView {
            id: policy.id.clone(),
            digest: hex(&policy.digest),
            acr: policy.acr.clone(),
        });
        Ok(Ok(PolicyList { policies: policies.collect() }))
    }
}

/// What the audit tells of a token that was asked about: its id, unless somebody sent the token itself.
fn tell_jti(asked: &str) -> &str {
    let is_id =
        asked.len() <= LONGEST_JTI && asked.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_id { asked } else { "given" }
}
