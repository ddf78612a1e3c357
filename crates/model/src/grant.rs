//! Grants and what is issued under them: authorization codes and refresh tokens.

use serde::{Deserialize, Serialize};

use crate::{ClientId, FactSet, GrantId, KeyedHash, Scope, SessionId, Timestamp, UserId};

/// How and when the person was authenticated: the source of `auth_time`, `acr`, `amr` and `sid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// The person.
    pub user: UserId,
    /// The browser's session.
    pub session: SessionId,
    /// When they proved themselves, not when a token was asked for.
    pub auth_time: Timestamp,
    /// Authentication context class of the policy that ran.
    pub acr: String,
    /// Methods by RFC 8176, from what was done.
    pub amr: Vec<String>,
    /// What was proven.
    pub facts: FactSet,
    /// Policy that ran.
    pub policy: String,
    /// What the client of a grant knows the person by, if that is another identifier than everybody's (OpenID Connect
    /// Core, 8.1).
    #[serde(default)]
    pub subject: Option<String>,
}

impl Authentication {
    /// Nothing that was proven here: somebody else vouched for the person at `at`.
    pub fn hearsay(user: UserId, session: SessionId, at: Timestamp) -> Self {
        Self {
            user,
            session,
            auth_time: at,
            acr: String::new(),
            amr: Vec::new(),
            facts: FactSet::EMPTY,
            policy: String::new(),
            subject: None,
        }
    }

    /// Whether nobody proved anything here, so that nothing is to be said of how.
    pub fn is_hearsay(&self) -> bool {
        self.acr.is_empty()
    }

    /// `sub` of the tokens under a grant.
    pub fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or_else(|| self.user.as_str())
    }
}

/// Claims asked for by name (`claims` parameter, OpenID Connect Core, 5.5), already limited to what the client may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedClaims {
    /// For the UserInfo response.
    pub userinfo: Vec<String>,
    /// For ID tokens.
    pub id_token: Vec<String>,
}

/// A standing authorization of a client by a person; parent of its codes and tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who was authorized.
    pub client: ClientId,
    /// By whom, and how they were authenticated.
    pub authentication: Authentication,
    /// What was granted.
    pub scope: Scope,
    /// `nonce` of the authorization request, echoed in ID tokens.
    pub nonce: Option<String>,
    /// Claims asked for by name.
    pub claims: RequestedClaims,
    /// Resource servers that were asked for (RFC 8707), absolute URIs; empty: none was named.
    pub resources: Vec<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was taken back; everything under it is dead from then.
    pub revoked_at: Option<Timestamp>,
}

/// What a person allowed a client, remembered until they withdraw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Who allowed it.
    pub user: UserId,
    /// Whom.
    pub client: ClientId,
    /// Scope values.
    pub scope: Scope,
    /// Claims by name.
    pub claims: RequestedClaims,
    /// Resource servers.
    pub resources: Vec<String>,
    /// When they were asked last.
    pub given_at: Timestamp,
}

/// An authorization code (RFC 6749, 4.1.2): single use, bound to client, redirect URI and PKCE challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// Keyed hash of the code.
    pub hash: KeyedHash,
    /// Grant it stands for.
    pub grant: GrantId,
    /// Client it was issued to.
    pub client: ClientId,
    /// Redirect URI of the request, byte for byte.
    pub redirect_uri: String,
    /// S256 challenge (RFC 7636), if one was sent.
    pub code_challenge: Option<String>,
    /// DPoP key it is bound to (RFC 9449, 10), if it is.
    pub dpop_jkt: Option<String>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub consumed_at: Option<Timestamp>,
}

/// An authorization request that was pushed (RFC 9126): waits for its browser, is answered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// Keyed hash of its name, the variable part of the `request_uri`.
    pub hash: KeyedHash,
    /// Client that pushed it.
    pub client: ClientId,
    /// The request, sealed.
    pub sealed: Vec<u8>,
    /// When it was pushed.
    pub created_at: Timestamp,
    /// When its browser must have come.
    pub expires_at: Timestamp,
    /// When it was answered.
    pub consumed_at: Option<Timestamp>,
}

/// The key a token is bound to (RFC 7800, 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenBinding {
    /// SHA-256 of the client's certificate (RFC 8705, 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(String),
    /// Thumbprint of the DPoP key (RFC 9449, 6.1).
    #[serde(rename = "jkt")]
    Dpop(String),
}

/// A refresh token (RFC 6749, 6): rotated at each use, its family is the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Keyed hash of the token.
    pub hash: KeyedHash,
    /// Grant it belongs to.
    pub grant: GrantId,
    /// Client it was issued to.
    pub client: ClientId,
    /// Scope of the token; narrowing an access token does not shrink it.
    pub scope: Scope,
    /// Key it works with alone; none: whatever its client proves itself by.
    pub binding: Option<TokenBinding>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When the family ends, whatever happens.
    pub expires_at: Timestamp,
    /// Id of the access token that was issued along with it, where it is a successor.
    pub access_jti: Option<String>,
    /// When that access token was first shown to us.
    pub access_used_at: Option<Timestamp>,
    /// When it was exchanged for its successor.
    pub consumed_at: Option<Timestamp>,
    /// When it was taken back, unused, for another successor of its predecessor.
    pub revoked_at: Option<Timestamp>,
}
