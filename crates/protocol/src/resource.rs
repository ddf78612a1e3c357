//! Resource indicators (RFC 8707): which resource servers an access token is for, and what it may do there.
//!
//! A server is an audience with its scope values. The provider itself is one too: its URI is the issuer, its scope
//! values are those that speak of a person, and what takes its tokens is UserInfo.

use countersign_model::{Client, Scope, SigningAlgorithm};
use url::Url;

use crate::error::{ErrorCode, OAuthError};
use crate::features::{Features, ResourceServer};
use crate::issuer::Issuer;
use crate::params::Params;
use crate::scopes;

/// The most resource servers of one request.
const MOST: usize = 8;

/// The resource servers of the deployment, and its own name.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a> {
    /// The provider itself.
    pub issuer: &'a Issuer,
    /// The others.
    pub servers: &'a [ResourceServer],
}

/// What an access token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its audience: never empty.
    pub audience: Vec<String>,
    /// Its scope: what the audience knows of what was granted.
    pub scope: Scope,
    /// Algorithm it is signed with; none: the client's.
    pub algorithm: Option<SigningAlgorithm>,
}

/// One audience; none: the provider itself.
#[derive(Clone, Copy)]
struct Server<'a>(Option<&'a ResourceServer>);

/// The parameter `resource` of a request, each value once. Errors with `invalid_target`: not an absolute URI, with a
/// fragment, too many (RFC 8707, 2), or not for this client to name.
pub fn asked(params: &Params, features: &Features) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in params.all("resource").filter(|resource| !resource.is_empty()) {
        if !features.resource_indicators {
            return Err(refused("The parameter resource is not supported"));
        }
        let uri = Url::parse(resource).map_err(|_| refused("The resource is not an absolute URI"))?;
        if uri.fragment().is_some() {
            return Err(refused("The resource has a fragment"));
        }
        if !resources.iter().any(|known| known == resource) {
            resources.push(resource.to_owned());
        }
    }
    if resources.len() > MOST {
        return Err(refused("Too many resources"));
    }
    Ok(resources)
}

/// `resources` and the values of the parameter `audience` (RFC 8693, 2.1), which are names of the same servers. Errors
/// with `invalid_target`: too many.
pub fn with_audience(mut resources: Vec<String>, params: &Params) -> Result<Vec<String>, OAuthError> {
    for audience in params.all("audience").filter(|audience| !audience.is_empty()) {
        if !resources.iter().any(|known| known == audience) {
            resources.push(audience.to_owned());
        }
    }
    if resources.len() > MOST { Err(refused("Too many resources")) } else { Ok(resources) }
}

/// Refuses a resource that is unknown, that `client` may not ask for, or that knows no value of `scope`, with
/// `invalid_target`.
pub fn check(asked: &[String], scope: &Scope, client: &Client, resources: &Resources<'_>) -> Result<(), OAuthError> {
    asked.iter().try_for_each(|uri| find(uri, client, resources)?.check_knows(scope))
}

/// What a token with `scope` is for, when `asked` are the resources of the token request and `granted` those of the
/// authorization request.
///
/// - What a token request names must have been granted, if anything was named then; naming nothing means all of it.
/// - Each server that is named must know a value of the scope; of those that the authorization named, the others are
///   left out: a server that looks at the audience alone would take a token of no scope.
/// - A token for named servers holds the scope values they know and no others; each value must mean something at one
///   of them alone, and one algorithm must suit all (RFC 9068, 5). So a token for an API is not one for UserInfo.
/// - Where nothing was ever named, the scope tells (RFC 9068, 3): the servers that know a value of it, and the
///   provider for everything else; values of two servers are `invalid_scope`.
pub fn decide(
    asked: &[String],
    granted: &[String],
    scope: &Scope,
    client: &Client,
    resources: &Resources<'_>,
) -> Result<Target, OAuthError> {
    if !granted.is_empty() && asked.iter().any(|uri| !granted.contains(uri)) {
        return Err(refused("The resource was not part of the authorization"));
    }
    let named = if asked.is_empty() { granted } else { asked };
    if named.is_empty() {
        return infer(scope, client, resources);
    }
    check(asked, scope, client, resources)?;
    let servers = named.iter().map(|uri| find(uri, client, resources)).collect::<Result<Vec<_>, _>>()?;
    let (audience, servers): (Vec<_>, Vec<_>) =
        named.iter().cloned().zip(servers).filter(|(_, server)| server.knows_any(scope)).unzip();
    if audience.is_empty() {
        return Err(unknown_scope());
    }
    let knowing = |value: &str| servers.iter().filter(|server| server.knows(value)).count();
    if scope.iter().any(|value| knowing(value) > 1) {
        return Err(refused("A scope value means something at two of the resources: ask for one at a time"));
    }
    let known: Vec<&str> = scope.iter().filter(|value| knowing(value) == 1).collect();
    Ok(Target { audience, scope: known.join(" ").parse().unwrap_or_default(), algorithm: common_algorithm(&servers)? })
}

/// The audience that a scope speaks of.
fn infer(scope: &Scope, client: &Client, resources: &Resources<'_>) -> Result<Target, OAuthError> {
    let servers: Vec<&ResourceServer> = resources
        .servers
        .iter()
        .filter(|server| may_ask(client, server))
        .filter(|server| scope.iter().any(|value| server.scopes.contains(value)))
        .collect();
    if servers.len() > 1 {
        let description = "The scope is of several resource servers: name one by the parameter resource";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    let foreign = |value: &str| value == scopes::OFFLINE_ACCESS || servers.iter().any(|s| s.scopes.contains(value));
    let own = scope.iter().any(|value| !foreign(value)) || servers.is_empty();
    let issuer = own.then(|| resources.issuer.to_string());
    Ok(Target {
        audience: issuer.into_iter().chain(servers.iter().map(|server| server.uri.clone())).collect(),
        scope: scope.clone(),
        algorithm: servers.first().map(|server| server.access_token_alg),
    })
}

fn find<'a>(uri: &'a str, client: &Client, resources: &Resources<'a>) -> Result<Server<'a>, OAuthError> {
    if uri == resources.issuer.as_str() {
        return Ok(Server(None));
    }
    let known = resources.servers.iter().find(|server| server.uri == uri && may_ask(client, server));
    known.map(|known| Server(Some(known))).ok_or_else(|| refused("The resource is unknown"))
}

/// A client that names none may ask for all; one that registered itself, for those it has a scope value of.
fn may_ask(client: &Client, server: &ResourceServer) -> bool {
    if client.resources.is_empty() {
        return client.registration.is_none() || client.scope.iter().any(|value| server.scopes.contains(value));
    }
    client.resources.contains(&server.uri)
}

fn common_algorithm(servers: &[Server<'_>]) -> Result<Option<SigningAlgorithm>, OAuthError> {
    let mut algorithms: Vec<_> = servers.iter().filter_map(|server| Some(server.0?.access_token_alg)).collect();
    algorithms.dedup();
    match algorithms[..] {
        [] => Ok(None),
        [algorithm] => Ok(Some(algorithm)),
        _ => Err(refused("The resources take tokens of different algorithms: ask for one at a time")),
    }
}

impl Server<'_> {
    fn knows(self, value: &str) -> bool {
        match self.0 {
            Some(server) => server.scopes.contains(value),
            None => value != scopes::OFFLINE_ACCESS && scopes::OF_A_PERSON.contains(&value),
        }
    }

    fn knows_any(self, scope: &Scope) -> bool {
        scope.iter().any(|value| self.knows(value))
    }

    fn check_knows(self, scope: &Scope) -> Result<(), OAuthError> {
        if self.knows_any(scope) { Ok(()) } else { Err(unknown_scope()) }
    }
}

fn unknown_scope() -> OAuthError {
    refused("The resource knows no value of the scope")
}

fn refused(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, description)
}

#[cfg(test)]
mod tests;
