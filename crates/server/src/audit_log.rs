//! Keeps the audit log while a node serves: what happened gets its place within a second, the tree is signed, and the
//! newest checkpoint is laid where somebody fetches it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_service::{Provider, ServiceError};

/// How often events that wait are placed.
const LOOK: Duration = Duration::from_secs(1);

/// Runs until it is aborted.
pub async fn keep(provider: Arc<Provider>, file: Option<PathBuf>) {
    let mut pause = tokio::time::interval(LOOK);
    let mut laid = None;
    loop {
        pause.tick().await;
        if let Err(error) = place_and_sign(&provider).await {
            tracing::error!(%error, "the audit log could not be kept");
        }
        if let Some(file) = &file
            && let Err(error) = lay(&provider, file, &mut laid).await
        {
            tracing::error!(%error, file = %file.display(), "the checkpoint could not be written");
        }
    }
}

async fn place_and_sign(provider: &Provider) -> Result<(), ServiceError> {
    provider.place_audit_events().await?;
    provider.sign_due_checkpoint().await.map(drop)
}

/// Replaces the file by the newest checkpoint, whichever node signed it: by nothing that its own does not lead to.
async fn lay(provider: &Provider, file: &Path, laid: &mut Option<u64>) -> Result<(), String> {
    let newest = provider.last_checkpoint().await.map_err(|error| error.to_string())?;
    let Some(newest) = newest.filter(|newest| *laid != Some(newest.size)) else { return Ok(()) };
    match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.to_string()),
        Ok(kept) => {
            if !provider.continues(&kept).await.map_err(|error| error.to_string())? {
                return Err(
                    "the log does not go on from the one that is there: run `countersign audit verify`".to_owned()
                );
            }
        }
    }
    let new = file.with_extension("new");
    std::fs::write(&new, &newest.note).and_then(|()| std::fs::rename(&new, file)).map_err(|error| error.to_string())?;
    *laid = Some(newest.size);
    Ok(())
}
