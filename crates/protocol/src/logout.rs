//! Logout: what a client may ask for (RP-Initiated Logout), and what clients are told of one
//! (Back-Channel Logout, Front-Channel Logout).

use countersign_model::{Client, ClientId, Seconds, SigningKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use crate::error::{ErrorCode, OAuthError};
use crate::id_token::{HintedIdentity, read_id_token_hint};
use crate::issuer::Issuer;
use crate::params::Params;

/// Header type of a logout token (Back-Channel Logout, 2.4).
pub const TOKEN_TYPE: &str = "logout+jwt";
/// How long a logout token is good: two minutes at most (Back-Channel Logout, 4).
const TOKEN_LIFE: Seconds = Seconds::new(120);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Who asks for a logout, as far as they say so; nothing of it is proven but the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client; none: nobody said.
    pub client: Option<ClientId>,
    /// Of a verified `id_token_hint`.
    pub hint: Option<HintedIdentity>,
}

/// A checked logout request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutRequest {
    /// Who asks.
    pub client: Option<ClientId>,
    /// Of a verified `id_token_hint`.
    pub hint: Option<HintedIdentity>,
    /// Where the browser is to go afterwards.
    pub target: Option<PostLogoutTarget>,
}

/// Where a browser goes after a logout. Kept somewhere, it is matched against the client again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostLogoutTarget {
    uri: String,
    state: Option<String>,
}

/// What becomes of a logout request, given the browser's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nobody is signed in: nothing ends.
    Nothing,
    /// The session ends.
    End,
    /// The person is asked first: anybody may have sent them here.
    Ask,
}

/// Who asks (RP-Initiated Logout, 2): a hint must be an ID token of ours, its time does not matter, and a `client_id`
/// beside it must be its audience.
pub fn caller(params: &Params, keys: &[SigningKey], issuer: &Issuer) -> Result<Caller, OAuthError> {
    let named = params.get("client_id");
    let Some(token) = params.get("id_token_hint") else {
        let client = named.map(|id| id.parse().map_err(|_| unknown_client())).transpose()?;
        return Ok(Caller { client, hint: None });
    };
    let (audience, hint) = read_id_token_hint(token, keys, issuer)?;
    if named.is_some_and(|named| named != audience) {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "The id_token_hint was not issued to this client"));
    }
    let client = audience.parse().map_err(|_| unknown_client())?;
    Ok(Caller { client: Some(client), hint: Some(hint) })
}

/// Decides whether a logout request may go on. `client` is the one found under [`Caller::client`]. An error is shown to
/// the person; nothing is redirected (RP-Initiated Logout, 4).
pub fn check(params: &Params, caller: Caller, client: Option<&Client>) -> Result<LogoutRequest, OAuthError> {
    let client = client.filter(|client| Some(&client.id) == caller.client.as_ref() && !client.disabled);
    if caller.client.is_some() && client.is_none() {
        return Err(unknown_client());
    }
    let target = match (params.get("post_logout_redirect_uri"), client) {
        (None, _) => None,
        (Some(uri), Some(client)) => Some(PostLogoutTarget::find(client, uri, params.get("state"))?),
        (Some(_), None) => {
            let description = "A post_logout_redirect_uri needs an id_token_hint or a client_id";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, description));
        }
    };
    Ok(LogoutRequest { client: caller.client, hint: caller.hint, target })
}

/// Whether the person must be asked (RP-Initiated Logout, 2). `sessions` are the `sid` values of the browser's session:
/// its own and those of earlier sign-ins of the same person that it took over; none of them: nobody is signed in.
pub fn decide(request: &LogoutRequest, sessions: &[&str]) -> Step {
    let hinted = request.hint.as_ref().and_then(|hint| hint.session.as_deref());
    match hinted {
        _ if sessions.is_empty() => Step::Nothing,
        Some(sid) if sessions.contains(&sid) => Step::End,
        _ => Step::Ask,
    }
}

impl PostLogoutTarget {
    fn find(client: &Client, uri: &str, state: Option<&str>) -> Result<Self, OAuthError> {
        let target = Self { uri: uri.to_owned(), state: state.map(str::to_owned) };
        if target.is_registered(client) {
            return Ok(target);
        }
        let description = "The post_logout_redirect_uri is not registered for this client";
        Err(OAuthError::new(ErrorCode::InvalidRequest, description))
    }

    /// Whether `client` registered the address, byte for byte (RP-Initiated Logout, 2.1).
    fn is_registered(&self, client: &Client) -> bool {
        client.logout.post_logout_redirect_uris.contains(&self.uri)
    }

    /// The whole address, `state` included; none: it is not `client`'s any more.
    pub fn address(&self, client: &Client) -> Option<String> {
        let state = self.state.as_deref().map(|state| [("state", state)]);
        self.is_registered(client).then(|| with_query(&self.uri, state.as_ref().map_or(&[], |pair| pair.as_slice())))
    }
}

/// The claims of a logout token (Back-Channel Logout, 2.4): `subject` is the person as `client` knows them, `session` the
/// `sid` of its ID tokens. There is never a nonce in it.
pub fn token_claims(
    issuer: &Issuer,
    client: &ClientId,
    subject: &str,
    session: &str,
    jti: &str,
    now: Timestamp,
) -> Value {
    json!({
        "iss": issuer.as_str(),
        "aud": client.as_str(),
        "iat": now.as_secs(),
        "exp": now.plus(TOKEN_LIFE).as_secs(),
        "jti": jti,
        "events": {EVENT: {}},
        "sub": subject,
        "sid": session,
    })
}

/// What is loaded in the browser to tell `client` (Front-Channel Logout, 2): issuer and session are always named. None:
/// it did not ask for that.
pub fn frontchannel_address(client: &Client, issuer: &Issuer, session: &str) -> Option<String> {
    let uri = client.logout.frontchannel_uri.as_deref()?;
    Some(with_query(uri, &[("iss", issuer.as_str()), ("sid", session)]))
}

/// `uri` with further parameters; the query it has is kept byte for byte.
pub(crate) fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let (base, fragment) = uri.split_once('#').map_or((uri, None), |(base, fragment)| (base, Some(fragment)));
    let mut whole = base.to_owned();
    for (name, value) in parameters {
        let separator = match whole.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        whole.push_str(separator);
        whole.push_str(name);
        whole.push('=');
        whole.extend(byte_serialize(value.as_bytes()));
    }
    if let Some(fragment) = fragment {
        whole.push('#');
        whole.push_str(fragment);
    }
    whole
}

fn unknown_client() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, "The client is not registered here")
}

#[cfg(test)]
mod tests;
