//! The JSON API for programs (CONTRACT.md).

use super::exchange::Exchange;
use super::faults::FaultChange;
use super::switchboard::{LineError, Order};
use super::twiml::is_key;
use crate::form::Form;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, ServiceConfig, delete, get, post, resource};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Keys of one request.
const MAX_KEYS: usize = 32;

pub fn routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/api/messages").route(get().to(list_messages)).route(delete().to(clear)))
        .service(resource("/api/calls/{id}/answer").route(post().to(answer)))
        .service(resource("/api/calls/{id}/press").route(post().to(press)))
        .service(resource("/api/calls/{id}/hangup").route(post().to(hang_up)))
        .service(resource("/api/faults").route(get().to(show_faults)).route(post().to(change_faults)));
}

/// `{"error": "..."}` with 400, 404, 409 or 503.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the body is not what this address takes: {0}")]
    Body(String),
    #[error("digits must be 1 to {MAX_KEYS} of 0-9, * and #")]
    Digits,
    #[error("no call has this id")]
    NoCall,
    #[error("this call has ended")]
    Ended,
    #[error("this call has too much to do")]
    Busy,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::Digits => StatusCode::BAD_REQUEST,
            Self::NoCall => StatusCode::NOT_FOUND,
            Self::Ended => StatusCode::CONFLICT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

async fn list_messages(exchange: Data<Exchange>, request: HttpRequest) -> HttpResponse {
    let query = Form::read(request.query_string().as_bytes());
    HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(exchange.inbox.list_all(query.find("to")))
}

async fn clear(exchange: Data<Exchange>) -> HttpResponse {
    exchange.clear();
    HttpResponse::NoContent().finish()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    digits: String,
}

async fn press(exchange: Data<Exchange>, id: Path<String>, body: Bytes) -> Result<HttpResponse, ApiError> {
    let Press { digits } = read_json(&body)?;
    press_keys(&exchange, &id, &digits).await?;
    show_call(&exchange, &id)
}

async fn answer(exchange: Data<Exchange>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    order(&exchange, &id, Order::Answer).await?;
    show_call(&exchange, &id)
}

async fn hang_up(exchange: Data<Exchange>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    order(&exchange, &id, Order::HangUp).await?;
    show_call(&exchange, &id)
}

/// Shared with the inbox page.
pub async fn press_keys(exchange: &Exchange, id: &str, digits: &str) -> Result<(), ApiError> {
    if digits.is_empty() || digits.len() > MAX_KEYS || !digits.chars().all(is_key) {
        return Err(ApiError::Digits);
    }
    order(exchange, id, Order::Press(digits.to_owned())).await
}

/// Shared with the inbox page.
pub async fn order(exchange: &Exchange, id: &str, order: Order) -> Result<(), ApiError> {
    exchange.switchboard.order(id, order).await.map_err(|error| match error {
        LineError::Busy => ApiError::Busy,
        LineError::NoCall if exchange.inbox.find(id).is_some() => ApiError::Ended,
        LineError::NoCall => ApiError::NoCall,
    })
}

fn show_call(exchange: &Exchange, id: &str) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(exchange.inbox.find(id).ok_or(ApiError::NoCall)?))
}

async fn show_faults(exchange: Data<Exchange>) -> HttpResponse {
    HttpResponse::Ok().json(exchange.faults.current())
}

async fn change_faults(exchange: Data<Exchange>, body: Bytes) -> Result<HttpResponse, ApiError> {
    let change: FaultChange = read_json(&body)?;
    Ok(HttpResponse::Ok().json(exchange.faults.change(change)))
}

/// Whatever the content type says.
fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::Body(error.to_string()))
}
