//! Who may speak for people by a signed assertion (RFC 7523, 2.1).

use std::path::PathBuf;

use countersign_model::{ClientId, ClientKeys, Scope};
use countersign_protocol::{AssertionIssuer, Naming, scopes};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Config, ConfigError, refuse};

/// How `sub` of an assertion names a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionSubject {
    /// By our own id.
    Id,
    /// By the mail address on file.
    Email,
    /// As an upstream provider does.
    Federation,
}

/// Somebody whose assertions are heard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionWriter {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// File with its JWK Set.
    pub jwks_file: Option<PathBuf>,
    /// Where its JWK Set is fetched.
    pub jwks_uri: Option<String>,
    /// Clients that may show its assertions.
    pub clients: Vec<String>,
    /// The most that comes of one, each a value of a resource server.
    pub scopes: Vec<String>,
    /// How `sub` names a person.
    pub subject: AssertionSubject,
    /// Mail domains of those it may speak for, where `sub` is an address.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Id of the upstream provider, where `sub` is as there.
    pub federation: Option<String>,
    /// Values of `sub` it may speak for; empty: all that name a person.
    #[serde(default)]
    pub subjects: Vec<String>,
}

/// Checks every one, and reads their key files.
pub(super) fn assertion_issuers(config: &Config) -> Result<Vec<AssertionIssuer>, ConfigError> {
    let writers = &config.assertion_issuers;
    if !writers.is_empty() && !config.protocol.jwt_bearer {
        return refuse("assertion_issuers: protocol.jwt_bearer is false, so nobody would be heard");
    }
    let mut names: Vec<&str> = writers.iter().map(|writer| writer.issuer.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse("assertion_issuers: two have the same issuer");
    }
    writers.iter().map(|writer| writer.read(config)).collect()
}

impl AssertionWriter {
    fn read(&self, config: &Config) -> Result<AssertionIssuer, ConfigError> {
        if self.issuer.is_empty() || self.issuer == config.server.issuer {
            return self.refuse("issuer is empty, or this provider itself");
        }
        let clients: Result<Vec<ClientId>, _> = self.clients.iter().map(|id| id.parse()).collect();
        let clients = clients.or_else(|_| self.refuse("clients holds what is no client_id"))?;
        if clients.is_empty() {
            return self.refuse("clients names those that may show its assertions; nobody else may");
        }
        Ok(AssertionIssuer {
            issuer: self.issuer.clone(),
            keys: self.keys()?,
            clients,
            scopes: self.scopes(config)?,
            naming: self.naming(config)?,
            subjects: self.subjects.clone(),
        })
    }

    fn keys(&self) -> Result<ClientKeys, ConfigError> {
        match (&self.jwks_file, &self.jwks_uri) {
            (Some(file), None) => {
                let text = std::fs::read_to_string(file)
                    .or_else(|error| self.refuse(&format!("jwks_file {}: {error}", file.display())))?;
                let jwks: Option<Value> = serde_json::from_str(&text).ok();
                match jwks.filter(|jwks| jwks["keys"].is_array()) {
                    Some(jwks) => Ok(ClientKeys { jwks: Some(jwks), jwks_uri: None }),
                    None => self.refuse("jwks_file holds no JWK Set"),
                }
            }
            (None, Some(uri)) => match Url::parse(uri) {
                Ok(_) => Ok(ClientKeys { jwks: None, jwks_uri: Some(uri.clone()) }),
                Err(error) => self.refuse(&format!("jwks_uri: {error}")),
            },
            _ => self.refuse("either jwks_file or jwks_uri says where its keys are"),
        }
    }

    /// Values of resource servers alone: nobody who vouches for a person is told who they are.
    fn scopes(&self, config: &Config) -> Result<Scope, ConfigError> {
        let scopes: Scope = self.scopes.join(" ").parse().or_else(|_| self.refuse("scopes has odd characters"))?;
        let known = |value: &str| config.resources.iter().any(|server| server.scopes.iter().any(|own| own == value));
        if scopes.is_empty() {
            return self.refuse("scopes names the most that comes of an assertion");
        }
        if let Some(value) = scopes.iter().find(|value| scopes::OF_A_PERSON.contains(value) || !known(value)) {
            return self.refuse(&format!("scope {value} is no resource server's"));
        }
        Ok(scopes)
    }

    fn naming(&self, config: &Config) -> Result<Naming, ConfigError> {
        match (self.subject, &self.federation, self.domains.is_empty()) {
            (AssertionSubject::Id, None, true) => Ok(Naming::UserId),
            (AssertionSubject::Email, None, false) => Ok(Naming::Email(self.domains.clone())),
            (AssertionSubject::Email, None, true) => {
                self.refuse("domains names the mail domains, in lower case, of those it may speak for")
            }
            (AssertionSubject::Federation, Some(id), true) if config.federation.iter().any(|known| known.id == *id) => {
                Ok(Naming::Upstream(id.clone()))
            }
            (AssertionSubject::Federation, ..) => self.refuse("federation names the id of a [[federation]]"),
            _ => self.refuse("domains goes with subject = \"email\", federation with subject = \"federation\""),
        }
    }

    fn refuse<T>(&self, why: &str) -> Result<T, ConfigError> {
        refuse(format!("assertion_issuers {:?}: {why}", self.issuer))
    }
}
