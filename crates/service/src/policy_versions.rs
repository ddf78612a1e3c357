//! The versions of policies that run, and those that ran.

use std::collections::BTreeMap;

use countersign_flow::{PolicySet, parse};
use countersign_model::{AuditEvent, AuditKind, AuditOutcome, Timestamp};
use countersign_store::Db;

use crate::provider::Provider;
use crate::secrets::hex;
use crate::{CheckedPolicies, RequestContext, ServiceError, audit};

/// Settings that hold the texts of policies, by digest.
const VERSIONS: &str = "policy/";
/// The setting that holds which version of each policy runs.
const ACTIVE: &str = "active policies";

/// Digest of each policy, by id.
type Active = BTreeMap<String, String>;

/// The set, with every version that ever ran on `db`: instances that began with one finish on it, where its successor
/// lets them. What runs now is kept for the next start.
pub async fn with_retired(db: &Db, checked: CheckedPolicies) -> Result<PolicySet, ServiceError> {
    let mut set = checked.set;
    let kept = db
        .write(async |tx| {
            for (policy, text) in checked.texts.iter().filter_map(|text| Some((parse("", text).ok()?, text))) {
                tx.insert_setting_if_absent(&version_key(&policy.digest), text.as_bytes()).await?;
            }
            Ok::<_, ServiceError>(tx.list_settings(VERSIONS).await?)
        })
        .await?;
    for (key, text) in kept {
        let policy = std::str::from_utf8(&text).ok().and_then(|text| parse(&key, text).ok());
        // A text that an upgrade does not read any more ends its instances as a restart does.
        let Some(policy) = policy.filter(|policy| version_key(&policy.digest) == key) else { continue };
        let is_current = set.get(&policy.id).is_some_and(|current| current.digest == policy.digest);
        if !is_current {
            set = set.with_retired(policy);
        }
    }
    Ok(set)
}

impl Provider {
    /// Audits which policies run from now on that did not, or in another version. For nodes that serve, at their start.
    pub async fn audit_policies(&self) -> Result<(), ServiceError> {
        let set = self.policies.set();
        let active: Active = set.iter().map(|policy| (policy.id.clone(), hex(&policy.digest))).collect();
        let written = serde_json::to_vec(&active).map_err(|_| ServiceError::Internal("names that are no JSON"))?;
        let now = self.clock.now();
        self.db
            .write(async |tx| {
                tx.take_turn(ACTIVE).await?;
                let before = tx.find_setting(ACTIVE).await?.unwrap_or_default();
                let before: Active = serde_json::from_slice(&before).unwrap_or_default();
                if before == active {
                    return Ok(());
                }
                tx.replace_setting(ACTIVE, &written).await?;
                Ok(tx.insert_audit_events(&list_changes(&before, &active, now)?).await?)
            })
            .await
    }
}

/// An event for each policy that runs anew or in another version, and for each that runs no more.
fn list_changes(before: &Active, active: &Active, now: Timestamp) -> Result<Vec<AuditEvent>, ServiceError> {
    let context = RequestContext::default();
    let mut events = Vec::new();
    for (policy, digest) in active.iter().filter(|(policy, digest)| before.get(*policy) != Some(digest)) {
        let event = audit::event(&context, now, AuditKind::PolicyActivated, AuditOutcome::Success)?;
        let event = event.detail("policy", policy.as_str()).detail("digest", digest.as_str());
        events.push(match before.get(policy) {
            Some(old) => event.detail("before", old.as_str()).build(),
            None => event.build(),
        });
    }
    for (policy, digest) in before.iter().filter(|(policy, _)| !active.contains_key(*policy)) {
        let event = audit::event(&context, now, AuditKind::PolicyWithdrawn, AuditOutcome::Success)?;
        events.push(event.detail("policy", policy.as_str()).detail("before", digest.as_str()).build());
    }
    Ok(events)
}

fn version_key(digest: &[u8; 16]) -> String {
    format!("{VERSIONS}{}", hex(digest))
}
