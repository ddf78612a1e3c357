//! Client authentication at the token endpoint (RFC 6749, 2.3; OpenID Connect Core, 9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_model::{AuthMethod, Client, ClientId, KeyedHash, Timestamp};
use secrecy::SecretString;

use crate::certificate::CertificateProof;
use crate::client_assertion::{self, Assertion, AssertionError, VerifiedAssertion};
use crate::error::{ErrorCode, OAuthError};
use crate::params::{Params, form_decode};

/// The longest accepted Authorization header, in bytes.
const MAX_HEADER: usize = 4096;

/// What a request presents as its client's identity; nothing of it is proven.
#[derive(Debug)]
pub struct Presented {
    client: Option<ClientId>,
    method: AuthMethod,
    secret: Option<SecretString>,
    assertion: Option<Assertion>,
}

/// What was found out about the credentials that are presented.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// Keyed hash of [`Presented::secret`].
    pub secret_hash: Option<&'a KeyedHash>,
    /// What became of [`Presented::assertion`].
    pub assertion: Option<Result<&'a VerifiedAssertion, AssertionError>>,
    /// That the certificate of the connection is the client's.
    pub certificate: Option<&'a CertificateProof>,
}

/// A client that proved who it is; only [`check`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatedClient<'a> {
    client: &'a Client,
    method: AuthMethod,
}

impl Presented {
    /// Reads the credentials of a request: the `Authorization` header (a request with two of them is the server's to
    /// refuse), the query, the form. Errors: `invalid_request` for more than one mechanism or a credential in the
    /// query; `invalid_client` for none, or a broken or foreign header.
    pub fn parse(authorization: Option<&str>, query: &Params, form: &Params) -> Result<Self, OAuthError> {
        let invalid = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
        if ["client_secret", "client_assertion"].iter().any(|name| query.has(name)) {
            return Err(invalid("Client credentials do not belong in the query"));
        }
        let assertion = form.has("client_assertion") || form.has("client_assertion_type");
        let mechanisms = [authorization.is_some(), form.has("client_secret"), assertion];
        if mechanisms.into_iter().filter(|used| *used).count() > 1 {
            return Err(invalid("The request uses more than one way to authenticate the client"));
        }
        if assertion {
            return Self::from_assertion(form);
        }
        let Some(header) = authorization else { return Self::from_form(form) };
        let presented = Self::from_basic(header).ok_or_else(|| failed("broken Authorization header", true))?;
        match form.get("client_id") {
            Some(id) if presented.client.as_ref().is_none_or(|client| client.as_str() != id) => {
                Err(invalid("The client_id differs from the one in the Authorization header"))
            }
            _ => Ok(presented),
        }
    }

    /// The client it claims to be, to be looked up; none: no client can have such an id.
    pub const fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// The secret presented, to be hashed.
    pub const fn secret(&self) -> Option<&SecretString> {
        self.secret.as_ref()
    }

    /// The assertion presented, to be verified.
    pub const fn assertion(&self) -> Option<&Assertion> {
        self.assertion.as_ref()
    }

    /// A JWT, whose subject is the client; `client_id` may say it too (RFC 7521, 4.2).
    fn from_assertion(form: &Params) -> Result<Self, OAuthError> {
        if form.get("client_assertion_type") != Some(client_assertion::TYPE) {
            return Err(failed("another client_assertion_type", false));
        }
        let assertion = form.get("client_assertion").and_then(Assertion::read);
        let assertion = assertion.ok_or_else(|| failed("no client assertion", false))?;
        if form.get("client_id").is_some_and(|id| id != assertion.client().as_str()) {
            return Err(failed("the client_id is not the subject of the assertion", false));
        }
        let client = Some(assertion.client().clone());
        Ok(Self { client, method: assertion.method(), secret: None, assertion: Some(assertion) })
    }

    fn from_form(form: &Params) -> Result<Self, OAuthError> {
        let id = form.get("client_id").ok_or_else(|| failed("no client credentials", false))?;
        let secret = form.get("client_secret").map(SecretString::from);
        let method = if secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
        Ok(Self { client: id.parse().ok(), method, secret, assertion: None })
    }

    /// Scheme in any case, strict base64, both halves form-decoded (RFC 6749, 2.3.1).
    fn from_basic(header: &str) -> Option<Self> {
        let (scheme, credentials) = header.split_once(' ').filter(|_| header.len() <= MAX_HEADER)?;
        let encoded = Some(credentials.trim_matches(' ')).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let id = form_decode(&decoded[..colon])?;
        let secret = SecretString::from(form_decode(&decoded[colon + 1..])?);
        let method = AuthMethod::ClientSecretBasic;
        Some(Self { client: id.parse().ok(), method, secret: Some(secret), assertion: None })
    }
}

/// As [`check_evidence`] for a client that presents a secret, or nothing.
pub fn check<'a>(
    client: Option<&'a Client>,
    presented: &Presented,
    secret_hash: Option<&KeyedHash>,
    now: Timestamp,
) -> Result<AuthenticatedClient<'a>, OAuthError> {
    check_evidence(client, presented, &Evidence { secret_hash, ..Evidence::default() }, now)
}

/// Decides whether `client` is who `presented` claims to be.
///
/// Every failure is the same `invalid_client`, for an unknown client, a wrong secret and a method not registered alike;
/// the reason is in the detail.
pub fn check_evidence<'a>(
    client: Option<&'a Client>,
    presented: &Presented,
    evidence: &Evidence<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient<'a>, OAuthError> {
    let header = presented.method == AuthMethod::ClientSecretBasic;
    let proven = is_live_secret(client, evidence.secret_hash, now);
    let Some(client) = client.filter(|client| presented.client.as_ref() == Some(&client.id)) else {
        return Err(failed("unknown client", header));
    };
    let shown = evidence.certificate.filter(|proof| proof.is_of(client));
    // A certificate comes with the connection: the request itself names the client alone.
    let method = match (presented.method, shown) {
        (AuthMethod::None, Some(proof)) => proof.method(),
        (method, _) => method,
    };
    let refused = |reason: &dyn std::fmt::Display| Err(failed("", header).with_detail(reason));
    match method {
        _ if client.disabled => refused(&"disabled client"),
        method if !client.auth_methods.contains(&method) => refused(&"authentication method not registered"),
        AuthMethod::None if presented.secret.is_none() => Ok(AuthenticatedClient { client, method }),
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost if proven => {
            Ok(AuthenticatedClient { client, method })
        }
        AuthMethod::ClientSecretJwt | AuthMethod::PrivateKeyJwt => match evidence.assertion {
            Some(Ok(assertion)) if *assertion.client() == client.id && assertion.method() == method => {
                Ok(AuthenticatedClient { client, method })
            }
            Some(Err(error)) => refused(&format_args!("client assertion: {error}")),
            _ => refused(&"no client assertion"),
        },
        AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth if shown.is_some() => {
            Ok(AuthenticatedClient { client, method })
        }
        _ => refused(&"wrong secret"),
    }
}

/// The refusal of an assertion that was presented before.
pub fn replayed_assertion() -> OAuthError {
    failed("client assertion: its jti was used before", false)
}

/// Compares with every live secret in constant time, and with a dummy where there is no client.
fn is_live_secret(client: Option<&Client>, secret_hash: Option<&KeyedHash>, now: Timestamp) -> bool {
    let Some(hash) = secret_hash else { return false };
    let equal = |known: &KeyedHash| aws_lc_rs::constant_time::verify_slices_are_equal(known, hash).is_ok();
    let secrets = client.map(|client| client.secrets.as_slice()).unwrap_or_default();
    let mut found = false;
    std::hint::black_box(equal(&[0; 32]));
    for secret in secrets {
        let live = secret.expires_at.is_none_or(|end| now < end);
        found |= equal(&secret.hash) & live;
    }
    found
}

fn failed(detail: &'static str, header_used: bool) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, "Client authentication failed")
        .with_detail(detail)
        .with_basic_challenge(header_used)
}

impl<'a> AuthenticatedClient<'a> {
    /// The client.
    pub const fn client(&self) -> &'a Client {
        self.client
    }

    /// How it authenticated.
    pub const fn method(&self) -> AuthMethod {
        self.method
    }

    /// The refusal of a client for whom naming itself is not enough; the detail is for the log.
    pub(crate) fn refused(&self, detail: &'static str) -> OAuthError {
        failed(detail, self.method == AuthMethod::ClientSecretBasic)
    }

    /// Whether it proved itself with a credential.
    pub fn is_confidential(&self) -> bool {
        self.method != AuthMethod::None
    }
}

#[cfg(test)]
mod tests;
