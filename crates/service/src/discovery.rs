//! What the provider says of itself, and its public keys.

use countersign_protocol::{Capabilities, discovery, keys};
use serde_json::Value;

use crate::policies::Policies;
use crate::provider::Provider;
use crate::registration::RegistrationAccess;
use crate::settings::Settings;

pub(crate) fn capabilities(policies: &Policies, settings: &Settings) -> Capabilities {
    Capabilities {
        features: settings.features,
        resources: settings.resources.clone(),
        acr_values: policies.login().iter().map(|policy| policy.acr.clone()).collect(),
        ui_locales: vec!["en".to_owned(), "es".to_owned()],
        consent: true,
        create: !policies.choices().create.is_empty(),
        registration: !matches!(settings.registration.access, RegistrationAccess::Closed),
        mtls_origin: settings.mtls_origin.clone(),
        mtls_authority: settings.mtls_authority,
        ..Capabilities::default()
    }
}

impl Provider {
    /// The metadata of both discovery documents.
    pub fn metadata(&self) -> Value {
        discovery::metadata(&self.settings.issuer, &self.capabilities)
    }

    /// Changes whenever the JWK Set does.
    pub fn jwks_version(&self) -> (u64, usize) {
        let keys = self.keys.current();
        (keys.reading, keys::changes_until(&keys.stored, self.clock.now()))
    }

    /// The JWK Set.
    pub fn jwks(&self) -> Value {
        keys::jwks(&self.keys.current().stored, self.clock.now())
    }
}
