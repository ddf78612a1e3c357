//! In what an authorization request comes: in clear, or as `request` or `request_uri` (RFC 9101, 5; RFC 9126, 4).

use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::params::Params;
use crate::pushed_request;

/// What carries the parameters of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage<'a> {
    /// Nothing: they are all in clear.
    Plain,
    /// An object by value.
    Object(&'a str),
    /// An object at an address of the client.
    Reference(&'a str),
    /// A request that was pushed before, by its name.
    Pushed(&'a str),
}

/// What carries `params`. What is off is refused, never ignored (Core, 3.1.2.6).
pub fn find_carriage<'a>(params: &'a Params, features: &Features) -> Result<Carriage<'a>, OAuthError> {
    let refused = |code, description| Err(OAuthError::new(code, description));
    match (params.get("request"), params.get("request_uri")) {
        (None, None) => Ok(Carriage::Plain),
        (Some(_), Some(_)) => {
            refused(ErrorCode::InvalidRequest, "The parameters request and request_uri exclude each other")
        }
        (Some(object), None) if features.request_objects => Ok(Carriage::Object(object)),
        (Some(_), None) => refused(ErrorCode::RequestNotSupported, "Request objects are not supported"),
        (None, Some(uri)) => match pushed_request::name_in(uri) {
            Some(name) if features.pushed_requests => Ok(Carriage::Pushed(name)),
            None if features.request_uris => Ok(Carriage::Reference(uri)),
            _ => refused(ErrorCode::RequestUriNotSupported, "The request_uri is of no supported kind"),
        },
    }
}
