//! `/device`: where a person types the code that a device shows, and decides (RFC 8628, 3.3).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::Params;
use countersign_protocol::device::VERIFICATION;
use countersign_service::{ClientView, DeviceAnswer, DeviceCall, DeviceQuestion, ServiceError};

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::{FieldView, FormAction, FormView, HiddenView, Locale, NoticeView, PageRequest, ScopeView, Tone};
use crate::request::{self, Body};

/// GET: the page; `verification_uri_complete` fills the code in, and nothing more.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let query = Params::parse_query(request.query_string()).unwrap_or_default();
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let user_code = query.get("user_code").unwrap_or_default();
    let call = DeviceCall { user_code, cookies: &cookies, locale: locale.as_str(), context: &context };
    let answer = node.provider.open_device_page(call).await;
    respond(&node, &request, locale, answer)
}

/// POST: the code, or the decision.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let user_code = form.get("user_code").unwrap_or_default();
    let call = DeviceCall { user_code, cookies: &cookies, locale: locale.as_str(), context: &context };
    let nonce = form.get("nonce").unwrap_or_default();
    let answer = match form.get("do") {
        Some("allow") => node.provider.decide_device(true, nonce, call).await,
        Some("deny") => node.provider.decide_device(false, nonce, call).await,
        // Another site's form comes without the cookies that say what runs in this browser, and a new flow would end it.
        _ if request::is_of_another_site(&request) => node.provider.open_device_page(call).await,
        _ => node.provider.enter_user_code(call).await,
    };
    respond(&node, &request, locale, answer)
}

fn respond(
    node: &Node,
    request: &HttpRequest,
    locale: Locale,
    answer: Result<DeviceAnswer, ServiceError>,
) -> HttpResponse {
    let page = |name: &str, client: Option<ClientView>| {
        let client = client.unwrap_or_default();
        let brand = client.brand.unwrap_or_else(|| request::brand(node, request).to_owned());
        PageRequest {
            application: Some(client.name).filter(|name| !name.is_empty()),
            here: flow_page::here(request, true),
            ..PageRequest::new(name, locale, &brand)
        }
    };
    let page = match answer {
        Ok(DeviceAnswer::Flow(answered)) => return flow_page::answer(node, request, locale, *answered),
        Ok(DeviceAnswer::Ask { user_code, unknown }) => ask(page("device", None), &user_code, unknown),
        Ok(DeviceAnswer::Confirm(question)) => {
            confirm(page("device_confirm", Some(question.client.clone())), *question)
        }
        Ok(DeviceAnswer::Decided { allowed, client }) => {
            page(if allowed { "device_allowed" } else { "device_denied" }, Some(client))
        }
        Err(failure) => return error::person_failure(node, request, &failure),
    };
    flow_page::respond(node, request, StatusCode::OK, page, &FormAction::Own)
}

fn ask(page: PageRequest, user_code: &str, unknown: bool) -> PageRequest {
    let field = FieldView {
        name: "user_code".to_owned(),
        kind: "text".to_owned(),
        autocomplete: "off".to_owned(),
        inputmode: "text".to_owned(),
        max_length: 20,
        required: true,
        value: user_code.chars().take(20).collect(),
        choices: Vec::new(),
    };
    let wrong = NoticeView { key: "user_code".to_owned(), tone: Tone::Error, field: Some("user_code".to_owned()) };
    PageRequest {
        form: Some(FormView { action: VERIFICATION.to_owned(), ..FormView::default() }),
        fields: vec![field],
        notices: if unknown { vec![wrong] } else { Vec::new() },
        ..page
    }
}

fn confirm(page: PageRequest, question: DeviceQuestion) -> PageRequest {
    PageRequest {
        form: Some(FormView { action: VERIFICATION.to_owned(), nonce: question.nonce, start: None }),
        hidden: vec![HiddenView { name: "user_code".to_owned(), value: question.user_code }],
        scopes: question.scopes.into_iter().map(|name| ScopeView { name, description: None }).collect(),
        ..page
    }
}
