//! The inbox page.

mod view;

use super::api::{self, ApiError};
use super::exchange::Exchange;
use super::faults::FaultChange;
use super::switchboard::Order;
use crate::corporate::FAULT_CHOICES as CORPORATE_FAULT_CHOICES;
use crate::form::Form;
use crate::page::{Asset, Pages, answer_asset, see_other};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType};
use actix_web::web::{Bytes, Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use url::form_urlencoded;
use view::{FAULT_CHOICES, MessageView};

/// More can be had from the JSON API.
const SHOWN: usize = 100;

/// For the HTML of a mail: its own styles, nothing from outside, no script, framed by the inbox alone.
const MAIL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

const ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/inbox.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../assets/inbox.css"),
    },
    Asset {
        path: "/assets/inbox.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../assets/inbox.js"),
    },
    Asset { path: "/assets/inbox.svg", content_type: "image/svg+xml", body: include_str!("../../assets/inbox.svg") },
];

pub fn load() -> Result<Pages, minijinja::Error> {
    Pages::new(&[
        ("inbox.html", include_str!("../../templates/inbox.html")),
        ("inbox_messages.html", include_str!("../../templates/inbox_messages.html")),
        ("corporate.html", include_str!("../../templates/corporate.html")),
        ("inbox_problem.html", include_str!("../../templates/inbox_problem.html")),
    ])
}

pub fn routes(routes: &mut ServiceConfig) {
    for asset in &ASSETS {
        routes.service(resource(asset.path).route(get().to(move || async { answer_asset(asset) })));
    }
    routes
        .service(resource("/").route(get().to(show_inbox)))
        .service(resource("/messages").route(get().to(show_messages)))
        .service(resource("/messages/clear").route(post().to(clear)))
        .service(resource("/messages/{id}/html").route(get().to(show_html)))
        .service(resource("/calls/{id}/answer").route(post().to(answer)))
        .service(resource("/calls/{id}/press").route(post().to(press)))
        .service(resource("/calls/{id}/hangup").route(post().to(hang_up)))
        .service(resource("/faults").route(post().to(change_faults)));
}

async fn show_inbox(exchange: Data<Exchange>, request: HttpRequest) -> HttpResponse {
    let query = Form::read(request.query_string().as_bytes());
    let to = query.find("to").map(str::trim).filter(|to| !to.is_empty());
    let revision = exchange.inbox.revision();
    let context = json!({
        "messages": list_views(&exchange, to),
        "revision": revision,
        "to": to,
        "faults": exchange.faults.current(),
        "fault_choices": FAULT_CHOICES,
        "corporate": exchange.settings.corporate.is_some(),
        "corporate_fault_choices": CORPORATE_FAULT_CHOICES,
        "account": exchange.settings.account_sid,
    });
    exchange.pages.render(StatusCode::OK, "inbox.html", context)
}

/// What the script asks for: the messages alone, or 204 if nothing has changed since.
async fn show_messages(exchange: Data<Exchange>, request: HttpRequest) -> HttpResponse {
    let query = Form::read(request.query_string().as_bytes());
    let revision = exchange.inbox.revision();
    if query.find("since").and_then(|since| since.parse().ok()) == Some(revision) {
        return HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish();
    }
    let to = query.find("to").map(str::trim).filter(|to| !to.is_empty());
    let context = json!({ "messages": list_views(&exchange, to), "revision": revision, "to": to });
    exchange.pages.render(StatusCode::OK, "inbox_messages.html", context)
}

fn list_views(exchange: &Exchange, to: Option<&str>) -> Vec<MessageView> {
    exchange.inbox.list(to, SHOWN).into_iter().map(MessageView::new).collect()
}

/// Only ever shown inside a sandboxed frame; the policy says so again for who opens it alone.
async fn show_html(exchange: Data<Exchange>, id: Path<String>) -> HttpResponse {
    let Some(html) = exchange.inbox.find(&id).and_then(|message| message.html) else {
        return not_found(exchange).await;
    };
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, MAIL_POLICY))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html)
}

async fn clear(exchange: Data<Exchange>) -> HttpResponse {
    exchange.clear();
    see_other("/")
}

async fn answer(exchange: Data<Exchange>, id: Path<String>) -> HttpResponse {
    let outcome = api::order(&exchange, &id, Order::Answer).await;
    back_to_call(&exchange, &id, outcome)
}

async fn press(exchange: Data<Exchange>, id: Path<String>, body: Bytes) -> HttpResponse {
    let form = Form::read(&body);
    let outcome = api::press_keys(&exchange, &id, form.find("digits").unwrap_or_default()).await;
    back_to_call(&exchange, &id, outcome)
}

async fn hang_up(exchange: Data<Exchange>, id: Path<String>) -> HttpResponse {
    let outcome = api::order(&exchange, &id, Order::HangUp).await;
    back_to_call(&exchange, &id, outcome)
}

fn back_to_call(exchange: &Exchange, id: &str, outcome: Result<(), ApiError>) -> HttpResponse {
    match outcome {
        Ok(()) => {
            let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
            see_other(&format!("/#{id}"))
        }
        Err(error) => show_problem(exchange, error.status_code(), &error.to_string()),
    }
}

async fn change_faults(exchange: Data<Exchange>, body: Bytes) -> HttpResponse {
    let form = Form::read(&body);
    let words = ["smtp", "sms", "voice", "corporate"].map(|name| (name, form.find(name)));
    let words = json!(std::collections::BTreeMap::from(words));
    let Ok(change) = serde_json::from_value::<FaultChange>(words) else {
        return show_problem(&exchange, StatusCode::BAD_REQUEST, "No such fault.");
    };
    exchange.faults.change(change);
    see_other("/")
}

fn show_problem(exchange: &Exchange, status: StatusCode, reason: &str) -> HttpResponse {
    exchange.pages.render(status, "inbox_problem.html", json!({ "reason": reason }))
}

pub async fn not_found(exchange: Data<Exchange>) -> HttpResponse {
    show_problem(&exchange, StatusCode::NOT_FOUND, "There is no such page.")
}
