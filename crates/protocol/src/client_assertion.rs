//! Client assertions: a JWT by which a client proves who it is (RFC 7523, 3; OpenID Connect Core, 9; FAPI 2.0, 5.3.2.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuthMethod, Client, ClientId, Seconds, SigningAlgorithm, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::discovery::paths;
use crate::issuer::Issuer;
use crate::jws::{self, JwsError, read_time};
use crate::leeway;

/// `client_assertion_type` of a JWT (RFC 7523, 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest accepted assertion, in bytes.
const MAX_ASSERTION: usize = 8 * 1024;
/// The longest accepted `jti`, in bytes.
const MAX_JTI: usize = 255;
/// The longest an assertion may be good for: its `jti` is remembered as long.
const LONGEST: Seconds = Seconds::hours(1);
/// Header types of an assertion; none is the same as `JWT`.
const HEADER_TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// The algorithm of `client_secret_jwt`.
const SHARED: &str = "HS256";

/// An assertion as it is presented; nothing of it is proven.
#[derive(Clone)]
pub struct Assertion {
    token: String,
    method: AuthMethod,
    client: ClientId,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What proves an assertion.
#[derive(Clone, Copy)]
pub enum Material<'a> {
    /// The client's JWK Set.
    Keys(&'a Value),
    /// Its live secrets, in clear.
    Secrets(&'a [&'a [u8]]),
}

/// An assertion that holds; only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAssertion {
    client: ClientId,
    method: AuthMethod,
    jti: String,
    expires_at: Timestamp,
}

/// Why an assertion does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Its signature does not hold, or it is none.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Its header names another type of JWT.
    #[error("it is another type of JWT")]
    Type,
    /// The client registered another algorithm, or its profile wants another.
    #[error("the client registered another algorithm")]
    Algorithm,
    /// There is nothing to prove it with.
    #[error("the client has no such key or secret")]
    Material,
    /// `iss` and `sub` are not both the client.
    #[error("it is not the client's own")]
    Parties,
    /// It is meant for somebody else.
    #[error("it has another audience")]
    Audience,
    /// Past its end.
    #[error("it is expired")]
    Expired,
    /// From the future.
    #[error("it is not valid yet")]
    NotYet,
    /// It would be good for too long.
    #[error("it is good for too long")]
    Lifetime,
    /// It has no id, or one too long.
    #[error("it has no jti")]
    Id,
    /// It speaks of nobody whom its issuer may speak for.
    #[error("its subject is nobody whom its issuer may speak for")]
    Subject,
}

impl Assertion {
    /// Reads whose an assertion claims to be, by `sub`, and of what kind; none: it is no assertion.
    pub fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_ASSERTION {
            return None;
        }
        let algorithm = jws::read_algorithm(token).ok()?;
        let method = if algorithm == SHARED { AuthMethod::ClientSecretJwt } else { AuthMethod::PrivateKeyJwt };
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
        let client = claims.get("sub")?.as_str()?.parse().ok()?;
        Some(Self { token: token.to_owned(), method, client })
    }

    /// Whose it claims to be.
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// How it would authenticate.
    pub const fn method(&self) -> AuthMethod {
        self.method
    }
}

impl VerifiedAssertion {
    /// Whose it is.
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// How it authenticates.
    pub const fn method(&self) -> AuthMethod {
        self.method
    }

    /// Its id, which is good once.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// When it is refused for its age, whatever the difference of the clocks.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Checks an assertion of `client` by `material`. [`JwsError::UnknownKey`] asks for a fresh look at its keys.
pub fn verify(
    assertion: &Assertion,
    client: &Client,
    material: Material<'_>,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<VerifiedAssertion, AssertionError> {
    check_algorithm(&jws::read_algorithm(&assertion.token)?, client)?;
    let (typ, claims) = match (assertion.method, material) {
        (AuthMethod::PrivateKeyJwt, Material::Keys(jwks)) => {
            let verified = jws::verify(&assertion.token, jwks)?;
            (verified.typ, verified.claims)
        }
        (AuthMethod::ClientSecretJwt, Material::Secrets(secrets)) => verify_shared(&assertion.token, secrets)?,
        _ => return Err(AssertionError::Material),
    };
    let is_type = |typ: &str| HEADER_TYPES.into_iter().any(|known| known.eq_ignore_ascii_case(typ));
    if typ.is_some_and(|typ| !is_type(&typ)) {
        return Err(AssertionError::Type);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(client.id.as_str()) || text("sub") != Some(client.id.as_str()) {
        return Err(AssertionError::Parties);
    }
    check_audience(claims.get("aud"), client, issuer)?;
    let expires_at = check_times(&claims, now)?;
    let jti = read_id(&claims)?.to_owned();
    Ok(VerifiedAssertion { client: client.id.clone(), method: assertion.method, jti, expires_at })
}

/// The id of an assertion.
pub(crate) fn read_id(claims: &Map<String, Value>) -> Result<&str, AssertionError> {
    let jti = claims.get("jti").and_then(Value::as_str);
    jti.filter(|jti| (1..=MAX_JTI).contains(&jti.len())).ok_or(AssertionError::Id)
}

/// `token_endpoint_auth_signing_alg` (Registration, 2); a profile excludes what is weak (FAPI 2.0, 5.4.1).
fn check_algorithm(name: &str, client: &Client) -> Result<(), AssertionError> {
    let registered = client.assertion_alg.as_deref().is_none_or(|registered| registered == name);
    let strong = client.profile.is_none() || ["PS256", "ES256", "EdDSA"].contains(&name);
    let known = name == SHARED || SigningAlgorithm::from_name(name).is_some();
    if registered && strong && known { Ok(()) } else { Err(AssertionError::Algorithm) }
}

/// By any of the secrets: two may live at once.
fn verify_shared(token: &str, secrets: &[&[u8]]) -> Result<(Option<String>, Map<String, Value>), AssertionError> {
    let mut validation = Validation::new(Algorithm::HS256);
    // Times, issuer and audience are compared below: jsonwebtoken would read the clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decode = |secret: &&[u8]| {
        jsonwebtoken::decode::<Map<String, Value>>(token, &DecodingKey::from_secret(secret), &validation).ok()
    };
    let token = secrets.iter().find_map(decode).ok_or(JwsError::Signature)?;
    Ok((token.header.typ, token.claims))
}

/// Meant for us: the issuer, or an endpoint where clients authenticate (RFC 7523, 3; RFC 9126, 2), alone. Under FAPI
/// the issuer as a string, so that no other server can pass an assertion on (FAPI 2.0, 5.3.2.1).
fn check_audience(aud: Option<&Value>, client: &Client, issuer: &Issuer) -> Result<(), AssertionError> {
    let is_ours = |aud: &str| {
        let endpoint = || ENDPOINTS.into_iter().any(|path| issuer.endpoint(path) == aud);
        aud == issuer.as_str() || (client.profile.is_none() && endpoint())
    };
    match aud {
        Some(Value::Array(_)) if client.profile.is_some() => Err(AssertionError::Audience),
        aud => check_single_audience(aud, is_ours),
    }
}

/// One audience alone, as text or in a list, and it is ours.
pub(crate) fn check_single_audience(aud: Option<&Value>, is_ours: impl Fn(&str) -> bool) -> Result<(), AssertionError> {
    let holds = match aud {
        Some(Value::String(one)) => is_ours(one),
        Some(Value::Array(one)) => matches!(one.as_slice(), [Value::String(one)] if is_ours(one)),
        _ => false,
    };
    if holds { Ok(()) } else { Err(AssertionError::Audience) }
}

/// Endpoints whose address stands for us in an audience.
const ENDPOINTS: [&str; 2] = [paths::TOKEN, paths::PUSHED_AUTHORIZATION_REQUEST];

/// When the assertion ends, leeway included.
pub(crate) fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, AssertionError> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => read_time(value).map(Some).ok_or(AssertionError::NotYet),
    };
    let ends = time("exp")?.ok_or(AssertionError::Expired)?;
    if leeway::has_ended(ends, now) {
        return Err(AssertionError::Expired);
    }
    if leeway::is_ahead(ends, now.plus(LONGEST)) {
        return Err(AssertionError::Lifetime);
    }
    let begins = time("nbf")?.max(time("iat")?);
    if begins.is_some_and(|begins| leeway::is_ahead(begins, now)) {
        return Err(AssertionError::NotYet);
    }
    Ok(Timestamp::from_secs(leeway::last(ends)))
}

#[cfg(test)]
mod tests;
