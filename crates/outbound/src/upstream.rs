//! Client of another OpenID Provider: discovery, keys, the exchange of a code, and UserInfo. The ID token is not judged here.

mod metadata;

use std::fmt;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::http::{Answer, HttpClient, exchange};
use crate::{CallError, SettingsError};
pub use metadata::ProviderMetadata;

/// Where the provider publishes its metadata, below its issuer (OpenID Connect Discovery 1.0, 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// The provider and our registration with it.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Issuer identifier, to the letter as the provider writes it.
    pub issuer: String,
    /// Our client id.
    pub client_id: String,
    /// Our client secret.
    pub client_secret: SecretString,
    /// Limit of one exchange.
    pub timeout: Duration,
}

/// What a code is exchanged with.
#[derive(Clone, Debug)]
pub struct CodeExchange {
    /// The code from the callback.
    pub code: SecretString,
    /// The PKCE verifier (RFC 7636) whose challenge went with the authorization request.
    pub code_verifier: SecretString,
    /// The redirect URI of the authorization request.
    pub redirect_uri: String,
}

/// What the provider gives for a code.
#[derive(Clone, Debug)]
pub struct UpstreamTokens {
    /// The ID token, a JWT that nobody has looked at yet.
    pub id_token: SecretString,
    /// The access token, if one came.
    pub access_token: Option<SecretString>,
}

/// Asks one provider. Remembers nothing: whoever calls keeps metadata and keys.
#[derive(Clone)]
pub struct Upstream {
    settings: UpstreamSettings,
    discovery: Url,
    http: HttpClient,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Checks the settings; connects only when something is asked.
    pub fn new(settings: UpstreamSettings, http: HttpClient) -> Result<Self, SettingsError> {
        let wrong = |key, reason| SettingsError::Value { key, reason };
        let issuer: Url = settings.issuer.parse().map_err(|_| wrong("issuer", "is no URL"))?;
        http.check_url("issuer", &issuer)?;
        if issuer.query().is_some() {
            return Err(wrong("issuer", "must have no query"));
        }
        if settings.client_id.is_empty() || settings.client_secret.expose_secret().is_empty() {
            return Err(wrong("client_id", "must not be empty, nor the client secret"));
        }
        let discovery = format!("{}{DISCOVERY_PATH}", settings.issuer.trim_end_matches('/'));
        let discovery = discovery.parse().map_err(|_| wrong("issuer", "is no URL"))?;
        Ok(Self { settings, discovery, http })
    }

    /// The issuer of the settings.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Our client id: the audience of its ID tokens.
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// What the provider says of itself; it must call itself as the settings do.
    pub async fn fetch_metadata(&self) -> Result<ProviderMetadata, CallError> {
        let metadata: ProviderMetadata = self.get(&self.discovery).await?.json()?;
        if metadata.issuer != self.settings.issuer {
            return Err(CallError::Permanent("the metadata is of another issuer".to_owned()));
        }
        metadata.check(&self.http)?;
        Ok(metadata)
    }

    /// Its keys, a JWK Set (RFC 7517, 5) as text.
    pub async fn fetch_keys(&self, metadata: &ProviderMetadata) -> Result<String, CallError> {
        let answer = self.get(&metadata.jwks_uri).await?;
        let keys: Value = answer.json()?;
        let text = String::from_utf8(answer.body).ok().filter(|_| keys["keys"].is_array());
        text.ok_or_else(|| CallError::Permanent("the keys are no JWK Set".to_owned()))
    }

    /// Exchanges a code for tokens (OpenID Connect Core 1.0, 3.1.3).
    pub async fn exchange_code(
        &self,
        metadata: &ProviderMetadata,
        exchanged: &CodeExchange,
    ) -> Result<UpstreamTokens, CallError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", exchanged.code.expose_secret()),
            ("redirect_uri", &exchanged.redirect_uri),
            ("code_verifier", exchanged.code_verifier.expose_secret()),
        ];
        let request = self.http.request(Method::POST, metadata.token_endpoint.clone());
        let request = if metadata.takes("client_secret_basic") {
            request.map(|request| self.authenticate(request))
        } else {
            form.push(("client_id", &self.settings.client_id));
            form.push(("client_secret", self.settings.client_secret.expose_secret()));
            request
        };
        let request = request.map(|request| request.header("Accept", "application/json").form(&form));
        let answer = exchange(request, self.settings.timeout).await?;
        tracing::debug!(issuer = self.settings.issuer, status = answer.status.as_u16(), "token endpoint answered");
        read_tokens(&answer)
    }

    /// What the provider tells of the person the access token is for (OpenID Connect Core 1.0, 5.3); none where it has no
    /// such endpoint. Whose claims these are is not judged here. Signed answers are not read.
    pub async fn fetch_userinfo(
        &self,
        metadata: &ProviderMetadata,
        access_token: &SecretString,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let Some(endpoint) = &metadata.userinfo_endpoint else { return Ok(None) };
        let checked = self.http.check_url("userinfo_endpoint", endpoint);
        checked.map_err(|error| CallError::Permanent(error.to_string()))?;
        let request = self.http.request(Method::GET, endpoint.clone());
        let request = request.map(|request| request.bearer_auth(access_token.expose_secret()));
        self.ask(request, endpoint).await?.json().map(Some)
    }

    /// Client id and secret are encoded as in a form before they are joined (RFC 6749, 2.3.1).
    fn authenticate(&self, request: RequestBuilder) -> RequestBuilder {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let secret = encode(self.settings.client_secret.expose_secret());
        request.basic_auth(encode(&self.settings.client_id), Some(secret))
    }

    async fn get(&self, url: &Url) -> Result<Answer, CallError> {
        self.ask(self.http.request(Method::GET, url.clone()), url).await
    }

    async fn ask(&self, request: Option<RequestBuilder>, url: &Url) -> Result<Answer, CallError> {
        let request = request.map(|request| request.header("Accept", "application/json"));
        let answer = exchange(request, self.settings.timeout).await?;
        tracing::debug!(issuer = self.settings.issuer, path = url.path(), status = answer.status.as_u16(), "answered");
        if answer.status.as_u16() == 200 { Ok(answer) } else { Err(answer.failure()) }
    }
}

/// A successful token answer, as far as it is of use (RFC 6749, 5.1; OpenID Connect Core 1.0, 3.1.3.3).
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: SecretString,
    access_token: Option<SecretString>,
}

/// An error answer (RFC 6749, 5.2). Only the registered words are kept of it.
#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

const ERRORS: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

fn read_tokens(answer: &Answer) -> Result<UpstreamTokens, CallError> {
    if answer.status.as_u16() == 200 {
        let tokens: TokenAnswer = answer.json()?;
        return Ok(UpstreamTokens { id_token: tokens.id_token, access_token: tokens.access_token });
    }
    let told = answer.json::<ErrorAnswer>().ok();
    match told.and_then(|told| ERRORS.into_iter().find(|known| *known == told.error)) {
        Some(error) => Err(CallError::Permanent(format!("HTTP {}, {error}", answer.status.as_u16()))),
        None => Err(answer.failure()),
    }
}

#[cfg(test)]
mod tests;
