//! Turns what a use case answers into pages and redirects.

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use countersign_service::policy;
use countersign_service::{Answer, Answered, CookieChanges, DeadLink, FlowPage, Response};
use url::Url;

use crate::error;
use crate::lives;
use crate::node::Node;
use crate::page::terms::TermsView;
use crate::page::view::{BoxView, HiddenView, OptionView, QrView, values};
use crate::page::{ControlView, FieldView, FormAction, FormView, Locale, NoticeView, PageRequest, Tone, page_headers};
use crate::page::{places, qr};
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
            let page = PageRequest::new("flow_gone", locale, request::brand(node, request));
            let page = PageRequest { here: here(request, false), ..page };
            respond(node, request, StatusCode::GONE, page, &FormAction::Own)
        }
        Answer::Link(link) => dead_link(node, request, locale, *link),
    };
    set_cookies(node, request, &answered.cookies, &mut response);
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
    for header in page_headers(forms, &page) {
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

/// The state that pages of clients watch, where it changes or the browser lost it.
fn browser_state(node: &Node, request: &HttpRequest, changes: &CookieChanges) -> Option<Cookie<'static>> {
    let known = node.cookies.has_browser_state(request);
    if changes.signed_out {
        return known.then(|| node.cookies.browser_state(""));
    }
    let kept = node.cookies.read(request).session.filter(|_| !known);
    let session = changes.session.clone().or(kept)?;
    node.provider.browser_state(&session).map(|state| node.cookies.browser_state(&state))
}

/// What the browser is to keep and to forget; the language too, when it was chosen by this very address.
pub fn set_cookies(node: &Node, request: &HttpRequest, changes: &CookieChanges, response: &mut HttpResponse) {
    let mut cookies = node.cookies.write(changes);
    if request.query_string().split('&').any(|pair| pair.starts_with("lang=")) {
        cookies.push(node.cookies.locale(request::locale(node, request, None).as_str()));
    }
    cookies.extend(browser_state(node, request, changes));
    for cookie in &cookies {
        // A cookie of ours always is a valid header.
        let _ = response.add_cookie(cookie);
    }
}

fn flow_page(node: &Node, request: &HttpRequest, flow: FlowPage) -> HttpResponse {
    // The corporate provider may stand between the form and the client.
    let ends = Url::parse(&flow.redirect_uri).into_iter().chain(node.provider.upstream_origins());
    let forms = FormAction::AndTo(ends.collect());
    let locale = Locale::parse(&flow.locale).unwrap_or_default();
    let brand = flow.client.brand.unwrap_or_else(|| request::brand(node, request).to_owned());
    let mut view = flow.view;
    let left = flow.ends_at.millis_since(node.provider.clock().now()) / 1000;
    view.values.entry("ends_in").or_insert_with(|| left.max(0).to_string());
    view.values.extend(lives::of_page(node.provider.policy_set(), &view));
    let shown = Shown::take(node, &mut view, locale, &brand);
    // The errors of a form; the first of them is its notice, too.
    let said = if view.errors.is_empty() { view.notice.as_slice() } else { view.errors.as_slice() };
    let mut notices: Vec<NoticeView> = said.iter().map(notice).collect();
    if flow.out_of_date {
        notices.insert(0, NoticeView { key: "out_of_date".to_owned(), tone: Tone::Info, field: None });
    }
    let controls = view.controls.into_iter();
    let page = PageRequest {
        policy: view.policy,
        application: Some(flow.client.name),
        here: here(request, flow.start.is_some()),
        form: Some(FormView { action: format!("/flow/{}", flow.flow), nonce: flow.nonce, start: flow.start }),
        state: view.state.to_owned(),
        fields: view.fields.into_iter().map(|own| field(own, &shown.countries, locale)).collect(),
        controls: controls.map(|own| ControlView { value: own.value.to_owned(), enabled: own.enabled }).collect(),
        options: view.options.into_iter().map(option).collect(),
        links: view.links.into_iter().map(option).collect(),
        boxes: view.boxes.into_iter().map(|own| BoxView { name: own.name, checked: own.checked }).collect(),
        notices,
        values: view.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        terms: shown.terms,
        qr: shown.qr,
        recovery_codes: shown.recovery_codes,
        ..PageRequest::new(page_key(node, &view.page, view.kind), locale, &brand)
    };
    respond(node, request, StatusCode::OK, page, &forms)
}

/// What a page shows beside fields, buttons and texts.
struct Shown {
    countries: String,
    terms: Option<TermsView>,
    qr: Option<QrView>,
    recovery_codes: Vec<String>,
}

impl Shown {
    /// Takes out of `view` what its values only carry.
    fn take(node: &Node, view: &mut policy::PageView, locale: Locale, brand: &str) -> Self {
        let codes = view.values.remove("recovery_codes").unwrap_or_default();
        if let Some(secret) = view.values.get_mut("totp_secret") {
            *secret = in_groups(secret);
        }
        let terms = view.asks.terms.take();
        let found =
            terms.as_ref().and_then(|(document, version)| node.pages.find_terms(document, version, locale, brand));
        if let (Some((document, version)), None) = (&terms, &found) {
            tracing::error!(%document, %version, "there is no such document of terms");
        }
        Self {
            countries: view.values.remove("countries").unwrap_or_default(),
            terms: found,
            qr: view.values.remove("totp_uri").and_then(|uri| qr::draw(&uri)),
            recovery_codes: codes.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// Four by four, as people copy it.
fn in_groups(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// A mailed link that is over: what to do next, and LOGIN.
fn dead_link(node: &Node, request: &HttpRequest, locale: Locale, link: DeadLink) -> HttpResponse {
    let client = link.client.unwrap_or_default();
    let brand = client.brand.unwrap_or_else(|| request::brand(node, request).to_owned());
    let chosen = request::chosen_locale(node, request);
    let mailed = link.locale.as_deref().and_then(Locale::parse);
    let page = PageRequest {
        application: Some(client.name).filter(|name| !name.is_empty()),
        here: here(request, false),
        ..PageRequest::new(link.page, chosen.or(mailed).unwrap_or(locale), &brand)
    };
    let status = if link.page == "link_unknown" { StatusCode::NOT_FOUND } else { StatusCode::GONE };
    respond(node, request, status, page.with_value(values::LOGIN, link.login), &FormAction::Own)
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

fn field(field: policy::FieldView, countries: &str, locale: Locale) -> FieldView {
    let choices = match field.name {
        "country" => places::list_countries(countries, locale),
        "state" => places::list_states(),
        _ => Vec::new(),
    };
    FieldView {
        name: field.name.to_owned(),
        kind: field.kind.to_owned(),
        autocomplete: field.autocomplete.to_owned(),
        inputmode: field.inputmode.to_owned(),
        max_length: field.max_length,
        required: field.required,
        value: field.value,
        choices,
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
        ..PageRequest::new("form_post", locale, request::brand(node, request))
    };
    respond(node, request, StatusCode::OK, page, &forms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{PageSources, Pages};

    #[test]
    fn every_notice_of_the_machine_has_words_in_every_language() {
        let pages = Pages::load(&PageSources::default()).unwrap();
        for key in policy::NoticeKey::ALL {
            assert!(pages.has_message("", "sign_in", &format!("notice.{}", key.as_str())), "{}", key.as_str());
        }
    }
}
