//! What a request must bring.

use super::super::CarrierSettings;
use super::super::call::{CallEvent, Dial, Script, StatusCallback};
use super::super::inbox::{Channel, Message, Status};
use super::super::webhook::Target;
use super::answer::RestError;
use crate::form::Form;
use crate::random::sid;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use std::time::Duration;

/// Twilio's limit for the body of a text, in characters.
const MAX_TEXT: usize = 1600;
/// Twilio's limits for ringing, in seconds.
const MAX_RING: u64 = 600;
/// Of an inline TwiML document, in characters.
const MAX_TWIML: usize = 4000;

/// The account's sid and token by HTTP Basic, and no other account's address.
pub fn check_credentials(settings: &CarrierSettings, request: &HttpRequest, account: &str) -> Result<(), RestError> {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let decoded = given.and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok());
    let wanted = format!("{}:{}", settings.account_sid, settings.auth_token.expose_secret());
    let same = decoded
        .is_some_and(|decoded| aws_lc_rs::constant_time::verify_slices_are_equal(&decoded, wanted.as_bytes()).is_ok());
    if same && account == settings.account_sid {
        return Ok(());
    }
    Err(RestError::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate"))
}

/// A text to send.
pub struct TextRequest {
    pub message: Message,
    pub status_callback: Option<Target>,
}

impl TextRequest {
    pub fn read(form: &Form) -> Result<Self, RestError> {
        let to = read_number(form, 21604)?;
        let from = form.find("From").or_else(|| form.find("MessagingServiceSid"));
        let from = from.ok_or(RestError::bad(21603, "A 'From' phone number is required."))?;
        let body = form.find("Body").ok_or(RestError::bad(21602, "Message body is required."))?;
        if body.chars().count() > MAX_TEXT {
            return Err(RestError::bad(21617, "The concatenated message body exceeds the 1600 character limit"));
        }
        let mut message = Message::new(sid("SM"), Channel::Sms, to, from.to_owned(), Status::Queued);
        body.clone_into(&mut message.text);
        let status_callback = form.find("StatusCallback").map(|url| read_target(url, None, 21609)).transpose()?;
        Ok(Self { message, status_callback })
    }
}

/// A call to place.
pub struct CallRequest {
    pub dial: Dial,
}

impl CallRequest {
    /// `ring` holds unless the request says `Timeout`.
    pub fn read(form: &Form, ring: Duration) -> Result<Self, RestError> {
        let to = read_number(form, 21201)?;
        let from = form.find("From").ok_or(RestError::bad(21213, "'From' number is required"))?;
        let script = read_script(form)?;
        let status_callback = match form.find("StatusCallback") {
            None => None,
            Some(url) => Some(StatusCallback {
                target: read_target(url, form.find("StatusCallbackMethod"), 21609)?,
                events: read_events(form)?,
            }),
        };
        let ring = match form.find("Timeout") {
            None => ring,
            Some(seconds) => Duration::from_secs(
                seconds.parse::<u64>().map_err(|_| RestError::bad(21216, "Invalid Timeout"))?.clamp(1, MAX_RING),
            ),
        };
        Ok(Self { dial: Dial { sid: sid("CA"), to, from: from.to_owned(), script, status_callback, ring } })
    }
}

/// `Twiml` wins over `Url`, as at Twilio.
fn read_script(form: &Form) -> Result<Script, RestError> {
    if let Some(document) = form.find("Twiml") {
        if document.chars().count() > MAX_TWIML {
            return Err(RestError::bad(21205, "Twiml is longer than 4000 characters"));
        }
        return Ok(Script::Inline(document.to_owned()));
    }
    let url = form.find("Url").ok_or(RestError::bad(21205, "Url parameter is required."))?;
    Ok(Script::Fetch(read_target(url, form.find("Method"), 21205)?))
}

/// Without a list Twilio reports the end alone.
fn read_events(form: &Form) -> Result<Vec<CallEvent>, RestError> {
    let words = form.list("StatusCallbackEvent");
    if words.is_empty() {
        return Ok(vec![CallEvent::Completed]);
    }
    let events = words.iter().flat_map(|words| words.split_whitespace()).map(CallEvent::read);
    events.collect::<Option<_>>().ok_or(RestError::bad(21626, "Invalid StatusCallbackEvent"))
}

/// E.164: a plus, no leading zero, at most fifteen digits.
fn read_number(form: &Form, missing: u32) -> Result<String, RestError> {
    let number = form.find("To").ok_or(RestError::bad(missing, "A 'To' phone number is required."))?;
    let digits = number.strip_prefix('+').unwrap_or_default();
    let fits = (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if fits { Ok(number.to_owned()) } else { Err(RestError::bad(21211, "Invalid 'To' Phone Number")) }
}

fn read_target(url: &str, method: Option<&str>, code: u32) -> Result<Target, RestError> {
    Target::read(url, method).map_err(|reason| {
        tracing::warn!(reason, "a callback address was refused");
        RestError::bad(code, "Url is not a valid URL, or its method is neither GET nor POST")
    })
}
