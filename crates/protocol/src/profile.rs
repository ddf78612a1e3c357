//! Security profiles that a client is held to: FAPI 2.0 Security Profile (5.3.2) and Message Signing (5.3, 5.4).

use countersign_model::{AuthMethod, Client, Seconds, SecurityProfile, SigningAlgorithm};

use crate::authorization::{Arrival, AuthorizationRequest};
use crate::error::{ErrorCode, OAuthError};

/// The longest life of a code (FAPI 2.0 Security Profile, 5.3.2.1).
const MOST_OF_A_CODE: Seconds = Seconds::new(60);

/// Whether a profile allows `algorithm` (5.4.1): everything here but RS256.
pub fn allows_algorithm(client: &Client, algorithm: SigningAlgorithm) -> bool {
    client.profile.is_none() || algorithm != SigningAlgorithm::RS256
}

/// The algorithm of signed answers: the registered one, else the default of JARM, 3, or one the profile allows.
pub fn response_algorithm(client: &Client) -> SigningAlgorithm {
    let default = if client.profile.is_some() { SigningAlgorithm::PS256 } else { SigningAlgorithm::RS256 };
    client.responses.authorization_alg.unwrap_or(default)
}

/// How long a code of `client` lives where codes live for `lifetime`.
pub fn code_lifetime(client: &Client, lifetime: Seconds) -> Seconds {
    if client.profile.is_some() { lifetime.min(MOST_OF_A_CODE) } else { lifetime }
}

/// Holds a request, otherwise sound, to the profile of its client: pushed, for a code alone, with a challenge (S256 is
/// the only method there is), answered to https; under Message Signing signed, and answered signed by whoever registered
/// for that.
pub fn check_request(client: &Client, request: &AuthorizationRequest, arrival: Arrival) -> Result<(), OAuthError> {
    let Some(profile) = client.profile else { return Ok(()) };
    let refused = |description| Err(OAuthError::new(ErrorCode::InvalidRequest, description));
    if !arrival.pushed {
        return refused("The security profile of this client needs pushed requests");
    }
    if request.response_type != crate::ResponseType::CODE {
        let description = "The security profile of this client allows the response_type code alone";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    if request.code_challenge.is_none() {
        return refused("The security profile of this client needs a code_challenge");
    }
    if request.redirect_uri.as_str().starts_with("http:") && !client.is_public() {
        return refused("The security profile of this client needs an https redirect_uri");
    }
    if profile == SecurityProfile::Fapi2MessageSigning {
        if !arrival.signed {
            return refused("The security profile of this client needs signed requests");
        }
        if client.responses.authorization_alg.is_some() && !request.response_mode.is_signed() {
            return refused("The security profile of this client needs a signed response_mode");
        }
    }
    Ok(())
}

/// Holds a client at the token endpoint, and at every other one where it proves itself, to its profile: by its private
/// key or a certificate alone (5.3.2.1).
pub fn check_method(client: &Client, method: AuthMethod) -> Result<(), OAuthError> {
    let strong =
        matches!(method, AuthMethod::PrivateKeyJwt | AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth);
    if client.profile.is_none() || strong {
        return Ok(());
    }
    let error = OAuthError::new(ErrorCode::InvalidClient, "Client authentication failed");
    Err(error.with_detail("the security profile of the client allows no such method"))
}

/// Holds what is about to be issued to the profile of its client: tokens are bound to a key (5.3.2.1), `bound` says
/// whether these are. Errors with `invalid_request`.
pub fn check_binding(client: &Client, bound: bool) -> Result<(), OAuthError> {
    if client.profile.is_none() || bound {
        return Ok(());
    }
    let description = "The security profile of this client needs a DPoP proof or a client certificate";
    Err(OAuthError::new(ErrorCode::InvalidRequest, description))
}

#[cfg(test)]
mod tests;
