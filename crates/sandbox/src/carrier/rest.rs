//! The part of Twilio's REST API that messages and calls need.

mod answer;
mod request;

use super::exchange::Exchange;
use super::faults::Fault;
use super::inbox::{Channel, Message};
use super::switchboard::{LineError, Order, dial};
use super::texts;
use crate::form::Form;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use answer::{RestError, call_json, message_json};
use request::{CallRequest, TextRequest, check_credentials};

pub const API_VERSION: &str = "2010-04-01";

pub fn routes(routes: &mut ServiceConfig) {
    let account = |rest: &str| resource(format!("/{API_VERSION}/Accounts/{{account}}/{rest}"));
    routes
        .service(account("Messages.json").route(post().to(send_text)))
        .service(account("Messages/{sid}.json").route(get().to(find_text)))
        .service(account("Calls.json").route(post().to(place_call)))
        .service(account("Calls/{sid}.json").route(get().to(find_call)).route(post().to(end_call)));
}

async fn send_text(
    exchange: Data<Exchange>,
    request: HttpRequest,
    account: Path<String>,
    body: Bytes,
) -> Result<HttpResponse, RestError> {
    check_credentials(&exchange.settings, &request, &account)?;
    let text = TextRequest::read(&Form::read(&body))?;
    exchange.check_fault(Channel::Sms).await.map_err(refusal)?;
    let message = text.message;
    texts::deliver(&exchange, message.clone(), text.status_callback);
    Ok(HttpResponse::Created().json(message_json(&account, &message)))
}

async fn place_call(
    exchange: Data<Exchange>,
    request: HttpRequest,
    account: Path<String>,
    body: Bytes,
) -> Result<HttpResponse, RestError> {
    check_credentials(&exchange.settings, &request, &account)?;
    let call = CallRequest::read(&Form::read(&body), exchange.settings.ring)?;
    exchange.check_fault(Channel::Voice).await.map_err(refusal)?;
    let message = dial(&exchange.into_inner(), call.dial)
        .map_err(|_| RestError::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too many calls at once"))?;
    Ok(HttpResponse::Created().json(call_json(&account, &message)))
}

async fn find_text(
    exchange: Data<Exchange>,
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, RestError> {
    let (account, sid) = path.into_inner();
    check_credentials(&exchange.settings, &request, &account)?;
    let message = find(&exchange, &sid, Channel::Sms)?;
    Ok(HttpResponse::Ok().json(message_json(&account, &message)))
}

async fn find_call(
    exchange: Data<Exchange>,
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, RestError> {
    let (account, sid) = path.into_inner();
    check_credentials(&exchange.settings, &request, &account)?;
    let message = find(&exchange, &sid, Channel::Voice)?;
    Ok(HttpResponse::Ok().json(call_json(&account, &message)))
}

/// `Status=completed` or `canceled`: the caller hangs up.
async fn end_call(
    exchange: Data<Exchange>,
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Bytes,
) -> Result<HttpResponse, RestError> {
    let (account, sid) = path.into_inner();
    check_credentials(&exchange.settings, &request, &account)?;
    find(&exchange, &sid, Channel::Voice)?;
    match Form::read(&body).find("Status") {
        Some("completed" | "canceled") => {}
        _ => return Err(RestError::bad(21218, "Status must be completed or canceled")),
    }
    match exchange.switchboard.order(&sid, Order::Cancel).await {
        Ok(()) => {}
        Err(LineError::NoCall) => return Err(RestError::bad(21220, "Call is not in-progress. Cannot redirect.")),
        Err(LineError::Busy) => return Err(RestError::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too many requests")),
    }
    let message = find(&exchange, &sid, Channel::Voice)?;
    Ok(HttpResponse::Ok().json(call_json(&account, &message)))
}

fn find(exchange: &Exchange, sid: &str, channel: Channel) -> Result<Message, RestError> {
    let found = exchange.inbox.find(sid).filter(|message| message.channel == channel);
    found.ok_or_else(|| RestError::new(StatusCode::NOT_FOUND, 20404, "The requested resource was not found"))
}

/// A fault made on purpose, in the words of Twilio's error list.
fn refusal(fault: Fault) -> RestError {
    match fault {
        Fault::Temporary => {
            RestError::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "Service unavailable (a fault made on purpose)")
        }
        _ => RestError::bad(21211, "Invalid 'To' Phone Number (a fault made on purpose)"),
    }
}
