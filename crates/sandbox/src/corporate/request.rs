//! An authorization request (OpenID Connect Core 1.0, 3.1.2.1) of the one client.

use super::Corporate;
use crate::form::Form;
use serde::Serialize;
use url::Url;

/// What of a request is passed from the page to its answer.
pub const PASSED_ON: [&str; 10] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "login_hint",
];

/// The longest value of a parameter, in bytes.
const MAX_VALUE: usize = 2048;

/// A request that can be answered.
pub struct Request {
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub code_challenge: String,
    pub login_hint: Option<String>,
    /// For the page's hidden fields.
    pub fields: Vec<Field>,
}

#[derive(Serialize)]
pub struct Field {
    name: &'static str,
    value: String,
}

/// Why a request is not answered as it wishes.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody who could be sent back to.
    Page(&'static str),
    /// The client is told.
    Redirect { error: &'static str, state: Option<String> },
}

impl Corporate {
    /// Checks a query or the hidden fields made of it.
    pub fn read_request(&self, form: &Form) -> Result<Request, Refusal> {
        let find = |name: &str| form.find(name).map(str::to_owned);
        let values = PASSED_ON.into_iter().filter_map(|name| Some(Field { name, value: find(name)? }));
        let fields: Vec<Field> = values.collect();
        if fields.iter().any(|field| field.value.len() > MAX_VALUE || form.list(field.name).len() > 1) {
            return Err(Refusal::Page("A parameter is too long or came twice."));
        }
        if form.find("client_id") != Some(&self.client.client_id) {
            return Err(Refusal::Page("The client is not known here."));
        }
        if form.find("redirect_uri") != Some(self.client.redirect_uri.as_str()) {
            return Err(Refusal::Page("The redirect address is not the registered one."));
        }
        let refuse = |error| Err(Refusal::Redirect { error, state: find("state") });
        if form.find("response_type") != Some("code") {
            return refuse("unsupported_response_type");
        }
        if !form.find("scope").unwrap_or_default().split(' ').any(|scope| scope == "openid") {
            return refuse("invalid_scope");
        }
        let code_challenge = find("code_challenge").filter(|challenge| challenge.len() == 43);
        let Some(code_challenge) = code_challenge.filter(|_| form.find("code_challenge_method") == Some("S256")) else {
            return refuse("invalid_request");
        };
        if form.find("prompt") == Some("none") {
            return refuse("login_required");
        }
        Ok(Request {
            state: find("state"),
            nonce: find("nonce"),
            code_challenge,
            login_hint: find("login_hint"),
            fields,
        })
    }

    /// The redirect address with an answer; it names the issuer (RFC 9207).
    pub fn answer_address(&self, state: Option<&str>, name: &str, value: &str) -> Url {
        let mut address = self.client.redirect_uri.clone();
        let mut query = address.query_pairs_mut();
        query.append_pair(name, value);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.issuer);
        drop(query);
        address
    }
}
