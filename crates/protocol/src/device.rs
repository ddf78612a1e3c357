//! The device authorization request (RFC 8628, 3.1 and 3.2), and the code that a person types.

use std::fmt;

use countersign_model::{Client, Scope, Seconds};
use serde_json::{Value, json};

use crate::client_authentication::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::issuer::Issuer;
use crate::params::Params;
use crate::resource::{self, Resources};

/// Its `grant_type` (RFC 8628, 3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Path of the page where a person types the code.
pub const VERIFICATION: &str = "/device";
/// How long a device waits between two polls, at first (RFC 8628, 3.2).
pub const INTERVAL: Seconds = Seconds::new(5);
/// How long a device's request lives.
pub const LIFETIME: Seconds = Seconds::minutes(10);

/// No vowels, so no words, and nothing that looks like something else (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// A code that a person reads on one device and types on another: 34 bits, shown as `WDJB-MJHT`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// From 64 random bits, of which it takes 34.
    pub fn new(random: u64) -> Self {
        let mut rest = random;
        Self(std::array::from_fn(|_| {
            let letter = usize::try_from(rest % 20).unwrap_or_default();
            rest /= 20;
            LETTERS[letter]
        }))
    }

    /// What a person typed: case, hyphens, spaces and dots do not matter (RFC 8628, 6.1).
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let typed = text.bytes().filter(|byte| !b"- ._".contains(byte)).map(|byte| byte.to_ascii_uppercase());
        let letters: Vec<u8> = typed.collect();
        let letters: [u8; LENGTH] = letters.try_into().ok()?;
        letters.iter().all(|letter| LETTERS.contains(letter)).then_some(Self(letters))
    }

    /// Its letters, to be hashed.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it is shown; it is good for minutes and still not for logs, so there is no `Display`.
    pub fn shown(&self) -> String {
        let (first, second) = self.0.split_at(LENGTH / 2);
        format!("{}-{}", String::from_utf8_lossy(first), String::from_utf8_lossy(second))
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode")
    }
}

/// What a device may ask its person for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// The scope: what was asked for, else all that the client may have.
    pub scope: Scope,
    /// Resource servers (RFC 8707).
    pub resources: Vec<String>,
}

/// Checks a device authorization request. Errors: `unauthorized_client`, `invalid_scope`, `invalid_target`.
pub fn check(
    client: AuthenticatedClient<'_>,
    form: &Params,
    known: &Resources<'_>,
    features: &Features,
) -> Result<DeviceRequest, OAuthError> {
    let client: &Client = client.client();
    let features = features.of(client);
    if !features.device || !client.allows_grant(GRANT_TYPE) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this grant_type"));
    }
    let scope: Scope = match form.get("scope") {
        Some(scope) => {
            let malformed = |_| OAuthError::new(ErrorCode::InvalidScope, "The scope is malformed");
            scope.parse().map_err(malformed)?
        }
        None => client.scope.clone(),
    };
    if !scope.is_subset(&client.scope) {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "The client may not ask for this scope"));
    }
    let resources = resource::asked(form, &features)?;
    resource::check(&resources, &scope, client, known)?;
    Ok(DeviceRequest { scope, resources })
}

/// The body of the answer (RFC 8628, 3.2).
pub fn response(issuer: &Issuer, device_code: &str, user_code: &UserCode) -> Value {
    let page = issuer.endpoint(VERIFICATION);
    let user_code = user_code.shown();
    json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": LIFETIME.get(),
        "interval": INTERVAL.get(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{authenticated, client, issuer, params, scope};

    fn device() -> Client {
        Client { grant_types: vec![GRANT_TYPE.to_owned()], ..client() }
    }

    fn ask(client: &Client, form: &[(&str, &str)]) -> Result<DeviceRequest, ErrorCode> {
        let issuer = issuer();
        let known = Resources { issuer: &issuer, servers: &[] };
        check(authenticated(client), &params(form), &known, &Features::ALL).map_err(|error| error.code)
    }

    #[test]
    fn a_device_asks_for_what_its_client_may_have() {
        assert_eq!(ask(&device(), &[("scope", "openid")]).unwrap().scope, scope("openid"));
        assert_eq!(ask(&device(), &[]).unwrap().scope, client().scope);
        assert_eq!(ask(&device(), &[("scope", "root")]), Err(ErrorCode::InvalidScope));
        assert_eq!(ask(&device(), &[("resource", "https://unknown.example")]), Err(ErrorCode::InvalidTarget));
        assert_eq!(ask(&client(), &[]), Err(ErrorCode::UnauthorizedClient));
    }

    #[test]
    fn case_and_hyphens_do_not_matter_rfc8628_6_1() {
        let code = UserCode::read("WDJB-MJHT").unwrap();
        for same in ["wdjbmjht", " wdjb mjht ", "W-D-J-B-M-J-H-T", "wdjb.mjht"] {
            assert_eq!(UserCode::read(same), Some(code.clone()), "{same}");
        }
        for other in ["", "WDJB-MJH", "WDJB-MJHTT", "ADJB-MJHT", "WDJB-MJH1", "\u{212a}DJB-MJHT", &"-".repeat(65)] {
            assert_eq!(UserCode::read(other), None, "{other}");
        }
        assert_eq!(format!("{code:?}"), "UserCode");
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed(random in any::<u64>(), lower in any::<bool>()) {
            let code = UserCode::new(random);
            let shown = code.shown();
            prop_assert_eq!(shown.len(), 9);
            let typed = if lower { shown.to_lowercase() } else { shown };
            prop_assert_eq!(UserCode::read(&typed), Some(code));
        }

        #[test]
        fn whatever_is_typed_nothing_panics(text in "\\PC{0,80}") {
            let _ = UserCode::read(&text);
        }
    }
}
