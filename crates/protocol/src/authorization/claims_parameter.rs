//! The `claims` parameter (OpenID Connect Core, 5.5).

use countersign_model::{Client, RequestedClaims};
use serde_json::{Map, Value};

use crate::scopes::{self, ACR};

/// The longest accepted value, in bytes.
pub(super) const MAX_BYTES: usize = 8 * 1024;

/// What a `claims` parameter comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClaimsParameter {
    pub(super) requested: RequestedClaims,
    pub(super) subject: Option<String>,
    pub(super) acr_values: Vec<String>,
    pub(super) essential_acr: Vec<String>,
}

/// Parses `text`; none: not a JSON object of objects, too long, or two different subjects demanded.
///
/// A claim is kept if the client may ask for the scope that covers it, and for UserInfo `acr`, which every ID token has;
/// every other one is ignored.
pub(super) fn parse(text: &str, client: &Client) -> Option<ClaimsParameter> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let members: Map<String, Value> = serde_json::from_str(text).ok()?;
    let userinfo = member(&members, "userinfo")?;
    let id_token = member(&members, "id_token")?;
    if userinfo.values().chain(id_token.values()).any(|request| !is_well_formed(request)) {
        return None;
    }
    let (acr_values, essential_acr) = acr(id_token.get(ACR));
    let own = userinfo.contains_key(ACR).then(|| ACR.to_owned());
    let told = names(&userinfo, client).chain(own).collect();
    Some(ClaimsParameter {
        requested: RequestedClaims { userinfo: told, id_token: names(&id_token, client).collect() },
        subject: subject(&userinfo, &id_token)?,
        acr_values,
        essential_acr,
    })
}

/// The member `name`: absent and null are empty; none: something else than an object.
fn member(members: &Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    match members.get(name) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(claims)) => Some(claims.clone()),
        Some(_) => None,
    }
}

/// Null or an object with a boolean `essential`, a `value`, an array `values` (Core, 5.5.1).
fn is_well_formed(request: &Value) -> bool {
    match request {
        Value::Null => true,
        Value::Object(request) => {
            request.get("essential").is_none_or(Value::is_boolean) && request.get("values").is_none_or(Value::is_array)
        }
        _ => false,
    }
}

fn names(claims: &Map<String, Value>, client: &Client) -> impl Iterator<Item = String> {
    let may_see = move |claim: &str| scopes::covering(claim).is_some_and(|scope| client.scope.contains(scope));
    claims.keys().filter(move |claim| may_see(claim)).cloned()
}

/// Values demanded of a claim: `value` first, then `values`, texts only.
fn values(request: &Value) -> Vec<String> {
    let many = request.get("values").and_then(Value::as_array).into_iter().flatten();
    request.get("value").into_iter().chain(many).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The subject both places demand, if any; outer none: they contradict each other.
#[expect(clippy::option_option, reason = "contradiction and absence are different things")]
fn subject(userinfo: &Map<String, Value>, id_token: &Map<String, Value>) -> Option<Option<String>> {
    let demanded = |claims: &Map<String, Value>| claims.get("sub").and_then(|sub| sub.get("value")).cloned();
    let mut subjects = [demanded(id_token), demanded(userinfo)].into_iter().flatten();
    let Some(first) = subjects.next() else { return Some(None) };
    let agreed = subjects.all(|other| other == first);
    agreed.then(|| first.as_str().map(str::to_owned)).filter(Option::is_some)
}

/// Voluntary and essential values of `id_token.acr` (Core, 5.5.1.1).
fn acr(request: Option<&Value>) -> (Vec<String>, Vec<String>) {
    let Some(request) = request else { return Default::default() };
    let essential = request.get("essential").and_then(Value::as_bool) == Some(true);
    if essential { (Vec::new(), values(request)) } else { (values(request), Vec::new()) }
}
