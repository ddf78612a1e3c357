//! The cookies of a browser: one binds flows to it, one is its sign-in session, one tells that it was here before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::KeyedHash;
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};

/// Secrets of cookies are 256 bits, 43 characters of base64url.
const SECRET_LENGTH: usize = 43;

/// What the browser sent. Anything that is not of our making counts as absent.
#[derive(Clone, Debug, Default)]
pub struct BrowserCookies {
    /// Secret of the binding cookie.
    pub binding: Option<SecretString>,
    /// Secret of the session cookie.
    pub session: Option<SecretString>,
    /// Secret of the device cookie.
    pub device: Option<SecretString>,
}

/// A browser that comes to an address of its own: that of a mailed link, or the one it was sent back to.
#[derive(Clone, Copy, Debug)]
pub struct BrowserCall<'a> {
    /// Its cookies.
    pub cookies: &'a BrowserCookies,
    /// Language the person chose on these pages, if any.
    pub locale: Option<&'a str>,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What the browser is to keep from now on. Closing the browser ends all but the device's (R48).
#[derive(Clone, Debug, Default)]
pub struct CookieChanges {
    /// New secret of the binding cookie.
    pub binding: Option<SecretString>,
    /// New secret of the session cookie.
    pub session: Option<SecretString>,
    /// Secret of the device cookie: it proves nothing, and only tells a new device from a known one.
    pub device: Option<SecretString>,
    /// The session is over: its cookie goes.
    pub signed_out: bool,
}

/// A browser that flows can be bound to.
pub(crate) struct BoundBrowser {
    pub(crate) hash: KeyedHash,
    /// Set when the browser had no binding yet.
    pub(crate) new_secret: Option<SecretString>,
}

impl BrowserCookies {
    /// Keyed hash of the binding, if the browser has one.
    pub(crate) fn binding_hash(&self, vault: &Vault) -> Option<KeyedHash> {
        hash(vault, Purpose::BrowserBinding, self.binding.as_ref()?)
    }

    /// Keyed hash of the session's secret, if the browser has one.
    pub(crate) fn session_hash(&self, vault: &Vault) -> Option<KeyedHash> {
        hash(vault, Purpose::Session, self.session.as_ref()?)
    }

    /// The device's secret, if the browser has one.
    pub(crate) fn device_secret(&self) -> Option<&SecretString> {
        self.device.as_ref().filter(|secret| secret.expose_secret().len() == SECRET_LENGTH)
    }

    /// The browser's binding, made now if it has none.
    pub(crate) fn bind(&self, vault: &Vault) -> Result<BoundBrowser, ServiceError> {
        if let Some(hash) = self.binding_hash(vault) {
            return Ok(BoundBrowser { hash, new_secret: None });
        }
        let secret = SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let hash = vault.hash(Purpose::BrowserBinding, secret.expose_secret().as_bytes());
        Ok(BoundBrowser { hash, new_secret: Some(secret) })
    }
}

impl Provider {
    /// What the browser of the session with this secret keeps where the page of `check_session_iframe` reads it: nothing
    /// can be done with it but to see that it changed.
    pub fn browser_state(&self, session: &SecretString) -> Option<String> {
        let token = hash(&self.vault, Purpose::Session, session)?;
        self.settings.features.session_management.then(|| self.browser_state_of(&token))
    }

    pub(crate) fn browser_state_of(&self, token: &KeyedHash) -> String {
        URL_SAFE_NO_PAD.encode(&self.vault.derive(Purpose::BrowserState, &[token])[..16])
    }
}

fn hash(vault: &Vault, purpose: Purpose, secret: &SecretString) -> Option<KeyedHash> {
    let secret = secret.expose_secret();
    (secret.len() == SECRET_LENGTH).then(|| vault.hash(purpose, secret.as_bytes()))
}
