//! How many flows are under way, by the version of their policy: for whoever is about to edit one.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::ServiceError;
use crate::flow::open_digest;
use crate::provider::Provider;

/// The most flows that are counted.
const MOST: usize = 100_000;
/// The longest count.
const PATIENCE: Duration = Duration::from_secs(10);

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Its id; empty where no policy with this digest ever ran here.
    pub policy: String,
    /// Digest of its text.
    pub digest: [u8; 16],
}

/// The flows that wait at a page. First pages are not among them: nothing is stored of those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningFlows {
    /// How many of each version.
    pub versions: BTreeMap<Version, u64>,
    /// Whether these are all; else there are at least so many.
    pub is_whole: bool,
}

impl Provider {
    /// Counts the flows in the short-lived store, within bounds.
    pub async fn count_running(&self) -> Result<RunningFlows, ServiceError> {
        let mut running = RunningFlows::default();
        let counted = tokio::time::timeout(PATIENCE, self.count_into(&mut running)).await;
        match counted {
            Ok(is_whole) => running.is_whole = is_whole?,
            Err(_) => running.is_whole = false,
        }
        Ok(running)
    }

    /// Whether all were counted.
    async fn count_into(&self, running: &mut RunningFlows) -> Result<bool, ServiceError> {
        let (mut seen, mut cursor) = (HashSet::new(), 0);
        loop {
            let page = self.short_lived.list(cursor).await?;
            for (flow, record) in page.found {
                let digest = open_digest(&self.vault, flow, &record.body).filter(|_| seen.insert(flow));
                let Some(digest) = digest else { continue };
                let policy = self.policies.set().find_version(&digest).map(|policy| policy.id.clone());
                let version = Version { policy: policy.unwrap_or_default(), digest };
                *running.versions.entry(version).or_default() += 1;
            }
            cursor = page.next;
            if cursor == 0 {
                return Ok(true);
            }
            if seen.len() >= MOST {
                return Ok(false);
            }
        }
    }
}
