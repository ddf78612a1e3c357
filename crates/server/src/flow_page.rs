//! Turns what a use case answers into pages and redirects.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use countersign_service::policy;
use countersign_service::{Answer, Answered, CookieChanges, FlowPage, Response};
use url::Url;

use crate::error;
use crate::node::Node;
use crate::page::view::{BoxView, HiddenView, OptionView};
use crate::page::{ControlView, FieldView, FormAction, FormView, Locale, NoticeView, PageRequest, Tone, page_headers};
use crate::request;

/// The answer to a browser.
pub fn answer(node: &Node, request: &HttpRequest, locale: Locale, answered: Answered) -> HttpResponse {
    let mut response = match answered.answer {
        Answer::Page(page) => flow_page(node, request, *page),
        Answer::SeeFlow { flow, out_of_date } => {
            let query = if out_of_date { "?out_of_date=1" } else { "" };
            see_other(&format!("/flow/{flow}{query}"))
        }
        Answer::Respond(Response::Redirect(uri)) => see_other(&uri),
        Answer::Respond(Response::FormPost { action, fields }) => form_post(node, request, locale, action, fields),
        Answer::Refused(refusal) => error::refused_page(node, request, &refusal),
        Answer::Gone => {
            let page = PageRequest { here: here(request, false), ..PageRequest::new("flow_gone", locale, &node.brand) };
            respond(node, request, StatusCode::GONE, page, &FormAction::Own)
        }
    };
    set_cookies(node, request, locale, &answered.cookies, &mut response);
    response
}

/// A page with its headers.
pub fn respond(
    node: &Node,
    request: &HttpRequest,
    status: StatusCode,
    mut page: PageRequest,
    forms: &FormAction,
) -> HttpResponse {
    page.request_id = request::context(node, request).request_id;
    let mut response = HttpResponse::build(status);
    for header in page_headers(forms) {
        response.insert_header(header);
    }
    if node.cookies.secure {
        response.insert_header(("strict-transport-security", "max-age=31536000"));
    }
    match node.pages.render(&page) {
        Ok(html) => response.body(html),
        Err(failure) => {
            tracing::error!(error = %failure, page = page.page, "a page did not render");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// 303: the browser goes on with a GET (RFC 9700, 4.12).
fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("referrer-policy", "no-referrer"))
        .finish()
}

fn set_cookies(
    node: &Node,
    request: &HttpRequest,
    locale: Locale,
    changes: &CookieChanges,
    response: &mut HttpResponse,
) {
    let mut cookies = node.cookies.write(changes);
    if request.query_string().split('&').any(|pair| pair.starts_with("lang=")) {
        cookies.push(node.cookies.locale(locale.as_str()));
    }
    for cookie in &cookies {
        // A cookie of ours always is a valid header.
        let _ = response.add_cookie(cookie);
    }
}

fn flow_page(node: &Node, request: &HttpRequest, flow: FlowPage) -> HttpResponse {
    let forms = Url::parse(&flow.redirect_uri).map_or(FormAction::Own, |uri| FormAction::AndTo(vec![uri]));
    let locale = Locale::parse(&flow.locale).unwrap_or_default();
    let view = flow.view;
    let mut values: std::collections::BTreeMap<String, String> =
        view.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let left = flow.ends_at.millis_since(node.provider.clock().now()) / 1000;
    values.entry("ends_in".to_owned()).or_insert_with(|| left.max(0).to_string());
    let mut notices: Vec<NoticeView> = view.notice.iter().map(notice).collect();
    if flow.out_of_date {
        notices.insert(0, NoticeView { key: "out_of_date".to_owned(), tone: Tone::Info, field: None });
    }
    let page = PageRequest {
        policy: view.policy,
        brand: flow.client.brand.unwrap_or_else(|| node.brand.clone()),
        application: Some(flow.client.name),
        here: here(request, flow.start.is_some()),
        form: Some(FormView { action: format!("/flow/{}", flow.flow), nonce: flow.nonce, start: flow.start }),
        state: view.state.to_owned(),
        fields: view.fields.into_iter().map(field).collect(),
        controls: view
            .controls
            .into_iter()
            .map(|control| ControlView { value: control.value.to_owned(), enabled: control.enabled })
            .collect(),
        options: view.options.into_iter().map(option).collect(),
        links: view.links.into_iter().map(option).collect(),
        boxes: view.boxes.into_iter().map(|own| BoxView { name: own.name, checked: own.checked }).collect(),
        notices,
        values,
        ..PageRequest::new(page_key(node, &view.page, view.kind), locale, "")
    };
    respond(node, request, StatusCode::OK, page, &forms)
}

/// A stop page without a template of its own is shown by the general one.
fn page_key<'a>(node: &Node, page: &'a str, kind: &str) -> &'a str {
    if kind == "stop" && !node.pages.has_page(page) { "stopped" } else { page }
}

/// This page's own address, for the language links: that of a GET as it is, that of a POST not at all.
pub fn here(request: &HttpRequest, is_first: bool) -> Option<String> {
    if request.method() != actix_web::http::Method::GET {
        return None;
    }
    let query =
        request.query_string().split('&').filter(|pair| is_first && !pair.is_empty() && !pair.starts_with("lang="));
    let query = query.collect::<Vec<_>>().join("&");
    Some(if query.is_empty() { request.path().to_owned() } else { format!("{}?{query}", request.path()) })
}

fn notice(notice: &policy::Notice) -> NoticeView {
    let tone = match notice.tone {
        policy::Tone::Info => Tone::Info,
        policy::Tone::Success => Tone::Success,
        policy::Tone::Error => Tone::Error,
    };
    NoticeView { key: notice.key.to_owned(), tone, field: notice.field.map(str::to_owned) }
}

fn field(field: policy::FieldView) -> FieldView {
    FieldView {
        name: field.name.to_owned(),
        kind: field.kind.to_owned(),
        autocomplete: field.autocomplete.to_owned(),
        max_length: field.max_length,
        required: field.required,
        value: field.value,
    }
}

fn option(option: policy::OptionView) -> OptionView {
    OptionView { id: option.id, remember: option.remember }
}

/// A page that posts the answer to the client by itself (OAuth 2.0 Form Post Response Mode).
fn form_post(
    node: &Node,
    request: &HttpRequest,
    locale: Locale,
    action: String,
    fields: Vec<(String, String)>,
) -> HttpResponse {
    let forms = Url::parse(&action).map_or(FormAction::Own, |uri| FormAction::AndTo(vec![uri]));
    let page = PageRequest {
        form: Some(FormView { action, ..FormView::default() }),
        hidden: fields.into_iter().map(|(name, value)| HiddenView { name, value }).collect(),
        ..PageRequest::new("form_post", locale, &node.brand)
    };
    respond(node, request, StatusCode::OK, page, &forms)
}
