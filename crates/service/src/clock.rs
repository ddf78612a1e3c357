//! The one place where the product reads the clock and draws random bits.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::Timestamp;
use secrecy::SecretString;

use crate::ServiceError;

/// Tells the time; tests hand in one they can move.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
        }))
    }

    /// A clock that says what `tell` says.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The clock as a plain function, for the in-process store.
    pub fn as_function(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        Arc::clone(&self.0)
    }
}

/// `N` random bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], ServiceError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| ServiceError::Internal("the random generator failed"))?;
    Ok(bytes)
}

/// A fresh secret of 256 bits, in base64url.
pub fn fresh_secret() -> Result<SecretString, ServiceError> {
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?)))
}
