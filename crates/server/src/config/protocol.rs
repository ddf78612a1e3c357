//! Which parts of the protocol are on, and for which resource servers tokens are issued.

use countersign_model::SigningAlgorithm;
use countersign_protocol::{Features, ResourceServer};
use serde::Deserialize;
use url::Url;

use super::{ConfigError, refuse};

/// A resource server (RFC 8707).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Absolute URI without fragment: the audience of its tokens.
    pub uri: String,
    /// Scope values that mean something there.
    pub scopes: Vec<String>,
    /// Algorithm its tokens are signed with.
    #[serde(default = "default_algorithm")]
    pub access_token_alg: String,
}

fn default_algorithm() -> String {
    SigningAlgorithm::RS256.as_str().to_owned()
}

pub(super) fn check(features: &Features) -> Result<(), ConfigError> {
    if features.require_pushed_requests && !features.pushed_requests {
        return refuse("protocol.require_pushed_requests is true and protocol.pushed_requests is false");
    }
    if features.dpop_nonce && !features.dpop {
        return refuse("protocol.dpop_nonce is true and protocol.dpop is false");
    }
    let told = features.backchannel_logout || features.frontchannel_logout || features.session_management;
    if told && !features.logout {
        return refuse("protocol.logout is false: clients would hear of logouts that nobody can ask for");
    }
    Ok(())
}

/// The resource servers as the use cases know them.
pub(super) fn resource_servers(resources: &[Resource]) -> Result<Vec<ResourceServer>, ConfigError> {
    let servers = resources.iter().map(Resource::server).collect::<Result<Vec<_>, _>>()?;
    let mut uris: Vec<&str> = servers.iter().map(|server| server.uri.as_str()).collect();
    uris.sort_unstable();
    if uris.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse("resources: two have the same uri");
    }
    Ok(servers)
}

impl Resource {
    fn server(&self) -> Result<ResourceServer, ConfigError> {
        let named = |why: &str| ConfigError(format!("resources {:?}: {why}", self.uri));
        let uri = Url::parse(&self.uri).map_err(|_| named("uri is not an absolute URI"))?;
        if uri.fragment().is_some() || !self.uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(named("uri has a fragment, or characters that no URI has"));
        }
        let scopes = self.scopes.join(" ").parse().map_err(|_| named("scopes has characters that no scope has"))?;
        let access_token_alg = SigningAlgorithm::from_name(&self.access_token_alg)
            .ok_or_else(|| named("access_token_alg is not one of RS256, PS256, ES256, EdDSA"))?;
        Ok(ResourceServer { uri: self.uri.clone(), scopes, access_token_alg })
    }
}
