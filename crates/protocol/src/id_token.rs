//! ID tokens (OpenID Connect Core, 2 and 3.1.3.6) and what comes back of them as `id_token_hint`.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{
    Account, Authentication, Client, ClientId, Grant, PolicyNaming, Seconds, SigningAlgorithm, SigningKey, Timestamp,
};
use serde_json::{Map, Value, json};

use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::issuer::Issuer;
use crate::{keys, userinfo};

/// Header type of an ID token.
pub const TYPE: &str = "JWT";

/// What an ID token says, besides the person and the grant.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Who issues it.
    pub issuer: &'a Issuer,
    /// How long it lives.
    pub lifetime: Seconds,
    /// Echoed in the answer to a code, absent in the answer to a refresh token.
    pub nonce: Option<&'a str>,
    /// What is issued along with it, and tied to it by a hash.
    pub tied: Tied<'a>,
    /// Algorithm it will be signed with: decides the hash of `at_hash`. None: it will not be, and ties nothing.
    pub algorithm: Option<SigningAlgorithm>,
    /// How the client is told which policy ran.
    pub naming: &'a PolicyNaming,
}

/// What goes with an ID token: each has its hash in it (Core, 3.1.3.6 and 3.3.2.11). With neither access token nor code
/// nothing can be asked of UserInfo, so the claims of the scopes are in the ID token (Core, 5.4).
#[derive(Clone, Copy, Debug, Default)]
pub struct Tied<'a> {
    /// Access token, for `at_hash`.
    pub access_token: Option<&'a str>,
    /// Code of the same answer, for `c_hash`.
    pub code: Option<&'a str>,
    /// `state` of the same answer, for `s_hash`.
    pub state: Option<&'a str>,
}

/// The identity a verified `id_token_hint` speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintedIdentity {
    /// The person.
    pub subject: String,
    /// Their session, as `sid`.
    pub session: Option<String>,
}

/// The claims of an ID token under `grant`. Claims of a scope stay in UserInfo if there is a token for it (Core, 5.4);
/// those asked for by name are in it.
pub fn claims(account: &Account, grant: &Grant, terms: &Terms<'_>, now: Timestamp) -> Map<String, Value> {
    let authentication = &grant.authentication;
    let mut claims = userinfo::named(account, &grant.claims.id_token);
    if terms.tied.access_token.is_none() && terms.tied.code.is_none() {
        claims.extend(userinfo::claims(account, authentication, &grant.scope, &[], terms.naming));
    }
    let hash = |text: Option<&str>| Some(json!(left_half_hash(terms.algorithm?, text?)));
    let own = [
        ("iss", Some(json!(terms.issuer.as_str()))),
        ("sub", Some(json!(authentication.subject()))),
        ("aud", Some(json!(grant.client.as_str()))),
        ("azp", Some(json!(grant.client.as_str()))),
        ("exp", Some(json!(now.plus(terms.lifetime).as_secs()))),
        ("iat", Some(json!(now.as_secs()))),
        ("auth_time", Some(json!(authentication.auth_time.as_secs()))),
        ("nonce", terms.nonce.map(|nonce| json!(nonce))),
        ("acr", Some(json!(told_acr(authentication, terms.naming)))),
        ("tfp", told_policy(authentication, terms.naming).map(|name| json!(name))),
        ("amr", Some(json!(authentication.amr))),
        ("sid", Some(json!(told_session(authentication)))),
        ("at_hash", hash(terms.tied.access_token)),
        ("c_hash", hash(terms.tied.code)),
        ("s_hash", hash(terms.tied.state)),
    ];
    claims.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    claims
}

/// What the ID tokens of `client` at the token endpoint are signed with; none: nothing, where the client registered so
/// and it is still on (Core, 2).
pub fn algorithm(client: &Client, features: Features) -> Option<SigningAlgorithm> {
    let unsigned = client.responses.unsigned_id_token && features.of(client).unsigned_id_tokens;
    (!unsigned).then_some(client.id_token_alg)
}

/// `sid`: the session's own id, or one that the clients of other sectors can not compare, where the subject is of that
/// kind (Core, 8.1). Nobody finds the one by the other: a session's id has more random bits than can be tried.
pub fn told_session(authentication: &Authentication) -> String {
    let session = authentication.session.as_str();
    let Some(subject) = &authentication.subject else { return session.to_owned() };
    let text = ["sid", subject, session].join("\0");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// `acr`: the authentication context, or the name of the policy where the client registered so.
pub(crate) fn told_acr<'a>(authentication: &'a Authentication, naming: &'a PolicyNaming) -> &'a str {
    if naming.acr { naming.name_of(&authentication.policy) } else { &authentication.acr }
}

/// `tfp`, as Azure AD B2C has it: the name of the policy, where the client registered so.
pub(crate) fn told_policy<'a>(authentication: &'a Authentication, naming: &'a PolicyNaming) -> Option<&'a str> {
    naming.tfp.then(|| naming.name_of(&authentication.policy))
}

/// The left half of a token's hash (Core, 3.1.3.6); Ed25519 goes with SHA-512.
pub fn left_half_hash(algorithm: SigningAlgorithm, token: &str) -> String {
    let hash = match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 | SigningAlgorithm::ES256 => &digest::SHA256,
        SigningAlgorithm::EdDSA => &digest::SHA512,
    };
    let hash = digest::digest(hash, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

/// Checks an `id_token_hint` (Core, 3.1.2.1): signed by one of `keys`, issued here, to `client`; expiry is ignored.
/// Errors with `invalid_request`.
pub fn verify_id_token_hint(
    token: &str,
    keys: &[SigningKey],
    issuer: &Issuer,
    client: &ClientId,
) -> Result<HintedIdentity, OAuthError> {
    let (audience, hinted) = read_id_token_hint(token, keys, issuer)?;
    if audience == client.as_str() { Ok(hinted) } else { Err(invalid_hint("another audience")) }
}

/// As [`verify_id_token_hint`], for whichever client it was issued to: its id stands in front (RP-Initiated Logout, 2).
pub fn read_id_token_hint(
    token: &str,
    keys: &[SigningKey],
    issuer: &Issuer,
) -> Result<(String, HintedIdentity), OAuthError> {
    let (typ, claims) = keys::verify(token, keys).ok_or_else(|| invalid_hint("signature or form"))?;
    if typ.is_some_and(|typ| !typ.eq_ignore_ascii_case(TYPE)) {
        return Err(invalid_hint("another kind of token"));
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer.as_str()) {
        return Err(invalid_hint("another issuer"));
    }
    let audience = text("aud").ok_or_else(|| invalid_hint("no audience"))?.to_owned();
    let subject = text("sub").ok_or_else(|| invalid_hint("no subject"))?.to_owned();
    Ok((audience, HintedIdentity { subject, session: text("sid").map(str::to_owned) }))
}

fn invalid_hint(detail: &'static str) -> OAuthError {
    let description = "The id_token_hint is not an ID token of this provider for this client";
    OAuthError::new(ErrorCode::InvalidRequest, description).with_detail(detail)
}

#[cfg(test)]
mod tests;
