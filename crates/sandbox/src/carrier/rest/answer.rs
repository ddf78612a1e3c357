//! Twilio's JSON: resources and errors.

use super::super::inbox::Message;
use super::API_VERSION;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

/// `{code, message, more_info, status}`.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RestError {
    status: StatusCode,
    code: u32,
    message: &'static str,
}

impl RestError {
    pub fn new(status: StatusCode, code: u32, message: &'static str) -> Self {
        Self { status, code, message }
    }

    pub fn bad(code: u32, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl ResponseError for RestError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header(("WWW-Authenticate", "Basic realm=\"Twilio API\""));
        }
        answer.json(json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        }))
    }
}

pub fn message_json(account: &str, message: &Message) -> Value {
    let at = message.at.to_rfc2822();
    let uri = format!("/{API_VERSION}/Accounts/{account}/Messages/{}.json", message.id);
    json!({
        "account_sid": account,
        "api_version": API_VERSION,
        "body": message.text,
        "date_created": at,
        "date_sent": null,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": message.from,
        "messaging_service_sid": null,
        "num_media": "0",
        "num_segments": message.text.chars().count().div_ceil(153).max(1).to_string(),
        "price": null,
        "price_unit": "USD",
        "sid": message.id,
        "status": message.status,
        "subresource_uris": {},
        "to": message.to,
        "uri": uri,
    })
}

pub fn call_json(account: &str, call: &Message) -> Value {
    let at = call.at.to_rfc2822();
    let uri = format!("/{API_VERSION}/Accounts/{account}/Calls/{}.json", call.id);
    json!({
        "account_sid": account,
        "answered_by": null,
        "api_version": API_VERSION,
        "date_created": at,
        "date_updated": at,
        "direction": "outbound-api",
        "duration": null,
        "end_time": null,
        "from": call.from,
        "from_formatted": call.from,
        "price": null,
        "price_unit": "USD",
        "sid": call.id,
        "start_time": null,
        "status": call.status,
        "subresource_uris": {},
        "to": call.to,
        "to_formatted": call.to,
        "uri": uri,
    })
}
