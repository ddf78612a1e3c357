//! What the parts of the carrier share.

use super::CarrierSettings;
use super::faults::{Fault, Faults};
use super::inbox::{Channel, Inbox};
use super::pages;
use super::switchboard::Switchboard;
use super::webhook::Webhooks;
use crate::SandboxError;
use crate::page::Pages;
use secrecy::ExposeSecret;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Inbox, faults and lines of one carrier.
pub struct Exchange {
    pub settings: CarrierSettings,
    pub inbox: Arc<Inbox>,
    pub faults: Faults,
    pub switchboard: Switchboard,
    pub webhooks: Arc<Webhooks>,
    pub pages: Pages,
    /// Calls outlive the request that starts them, so they run beside the web workers.
    pub runtime: Handle,
}

impl Exchange {
    /// Must be called inside a tokio runtime.
    pub fn new(settings: CarrierSettings) -> Result<Self, SandboxError> {
        let unfit = |reason: &str| SandboxError::Setting { name: "account_sid", reason: reason.into() };
        if !settings.account_sid.starts_with("AC") || !settings.account_sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(unfit("must be AC and letters or digits"));
        }
        if settings.auth_token.expose_secret().is_empty() {
            return Err(SandboxError::Setting { name: "auth_token", reason: "is empty".into() });
        }
        let pages = pages::load().map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self {
            inbox: Arc::default(),
            faults: Faults::default(),
            switchboard: Switchboard::default(),
            webhooks: Arc::new(Webhooks::new(&settings)?),
            pages,
            runtime: Handle::current(),
            settings,
        })
    }

    /// Waits if the channel is slow; an error is the failure to show.
    pub async fn check_fault(&self, channel: Channel) -> Result<(), Fault> {
        match self.faults.find(channel) {
            Fault::Ok => Ok(()),
            Fault::Slow => {
                tokio::time::sleep(self.settings.slow).await;
                Ok(())
            }
            fault @ (Fault::Refuse | Fault::Temporary) => Err(fault),
        }
    }

    /// Forgets every message and ends every call.
    pub fn clear(&self) {
        self.switchboard.hang_up_all();
        self.inbox.clear();
    }
}
