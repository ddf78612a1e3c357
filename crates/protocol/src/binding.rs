//! What tokens are bound to: the certificate (RFC 8705) or the DPoP key (RFC 9449) of who asks for them.

use countersign_model::{Client, TokenBinding};

use crate::access_token::Confirmation;
use crate::certificate::{self, CertificateThumbprint};
use crate::dpop::{self, Proof};
use crate::error::{ErrorCode, OAuthError};

/// What the caller of an endpoint proved to hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// The certificate of its connection.
    pub certificate: Option<&'a CertificateThumbprint>,
    /// The proof it sent.
    pub proof: Option<&'a Proof>,
}

/// What a token is to be bound to; nothing: it is anybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    certificate: Option<CertificateThumbprint>,
    key: Option<String>,
}

impl Binding {
    /// The binding of the tokens that `client` gets: to its key where it sent a proof, to its certificate where its
    /// registration says so. Errors when a proof or a certificate that its registration asks for is not there
    /// (RFC 9449, 5.2; RFC 8705, 3.4).
    pub fn decide(client: &Client, held: Held<'_>) -> Result<Self, OAuthError> {
        let certificate = certificate::decide_binding(client.certificate_bound_tokens, held.certificate)?;
        if client.dpop_bound_tokens && held.proof.is_none() {
            return Err(dpop::missing());
        }
        Ok(Self { certificate, key: held.proof.map(|proof| proof.thumbprint.clone()) })
    }

    /// The claim `cnf` of an access token.
    pub fn confirmation(&self) -> Option<Confirmation> {
        let certificate = self.certificate.as_ref().map(|certificate| certificate.as_str().to_owned());
        let key = self.key.clone();
        (certificate.is_some() || key.is_some()).then_some(Confirmation { certificate, key })
    }

    /// Thumbprint of the DPoP key, if it is bound to one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What the refresh token of `client` is bound to. Only a public client's needs to be: others prove themselves
    /// whenever they use it, and may change their keys (RFC 9449, 5; RFC 8705, 4).
    pub fn of_refresh_token(&self, is_public: bool) -> Option<TokenBinding> {
        let key = self.key.clone().map(TokenBinding::Dpop);
        let certificate = || self.certificate.as_ref().map(|it| TokenBinding::Certificate(it.as_str().to_owned()));
        if is_public { key.or_else(certificate) } else { None }
    }

    /// Whether who proved this may use what is bound to `known`.
    pub fn fits(&self, known: Option<&TokenBinding>) -> bool {
        match known {
            None => true,
            Some(TokenBinding::Dpop(key)) => self.key.as_ref() == Some(key),
            Some(TokenBinding::Certificate(known)) => self.certificate.as_ref().is_some_and(|it| it.as_str() == known),
        }
    }
}

impl Confirmation {
    /// Whether who proved `binding` holds all of this.
    pub fn is_held(&self, binding: &Binding) -> bool {
        let certificate = binding.certificate.as_ref().map(CertificateThumbprint::as_str);
        let held = |bound: Option<&str>, held: Option<&str>| bound.is_none() || bound == held;
        held(self.certificate.as_deref(), certificate) && held(self.key.as_deref(), binding.key())
    }
}

/// How a protected resource was shown an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449, 7.1.
    Dpop,
}

/// Checks that an access token bound to `bound` comes from who holds key and certificate, under the scheme of its kind
/// (RFC 9449, 7.1 and 7.2; RFC 8705, 3). Errors with `invalid_token`, or `invalid_dpop_proof` without a proof.
pub fn check(bound: Option<&Confirmation>, scheme: Scheme, held: Held<'_>) -> Result<(), OAuthError> {
    let invalid = |description| OAuthError::new(ErrorCode::InvalidToken, description);
    certificate::check_binding(bound.and_then(|bound| bound.certificate.as_deref()), held.certificate)?;
    match (bound.and_then(|bound| bound.key.as_deref()), scheme) {
        (None, Scheme::Bearer) => Ok(()),
        (Some(_), Scheme::Bearer) => Err(invalid("The access token is bound to a key: it is no bearer token")),
        (None, Scheme::Dpop) => Err(invalid("The access token is bound to no key: it is a bearer token")),
        (Some(key), Scheme::Dpop) => match held.proof {
            None => Err(dpop::missing()),
            Some(proof) if proof.thumbprint == key => Ok(()),
            Some(_) => Err(invalid("The access token is bound to another key")),
        },
    }
}

#[cfg(test)]
mod tests;
