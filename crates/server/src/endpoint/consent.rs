//! `/consent/{id}`: what a client of others asks for, and what the person says to it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::FlowId;
use countersign_service::{ConsentPage, PendingCall};
use url::{Host, Url};

use super::flow::gone;
use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::{AskerView, FormAction, FormView, Locale, PageRequest, ScopeView};
use crate::request::{self, Body};

/// GET: the question.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(id) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let chosen = request::chosen_locale(&node, &request).is_some();
    let call = PendingCall { id, cookies: &cookies, locale: locale.as_str(), chosen, context: &context };
    match node.provider.show_consent(call).await {
        Ok(Ok(consent)) => page(&node, &request, locale, consent),
        Ok(Err(answered)) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

/// POST: the answer.
pub async fn post(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(id) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let chosen = request::chosen_locale(&node, &request).is_some();
    let call = PendingCall { id, cookies: &cookies, locale: locale.as_str(), chosen, context: &context };
    let allowed = form.get("do") == Some("allow");
    match node.provider.answer_consent(call, form.get("nonce").unwrap_or_default(), allowed).await {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

fn page(node: &Node, request: &HttpRequest, locale: Locale, consent: ConsentPage) -> HttpResponse {
    let locale = request::asked_locale(node, request, consent.locale.as_deref()).unwrap_or(locale);
    let target = Url::parse(&consent.redirect_uri).ok();
    let document = consent.document.and_then(|uri| Url::parse(&uri).ok());
    let here = target.as_ref().filter(|target| is_loopback(target)).map(place_of);
    let host = document.or_else(|| target.clone().filter(|_| consent.registered_itself)).as_ref().map(place_of);
    let forms = FormAction::AndTo(target.into_iter().collect());
    let brand = consent.client.brand.unwrap_or_else(|| request::brand(node, request).to_owned());
    let is_own = |uri: &String| host.as_ref().is_none_or(|host| is_at(uri, host));
    let is_web = |uri: &String| uri.starts_with("https://") || uri.starts_with("http://");
    let shown = |uri: Option<String>| uri.filter(is_web).filter(is_own);
    let page = PageRequest {
        application: Some(consent.client.name),
        here: flow_page::here(request, false),
        form: Some(FormView { action: consent.action, nonce: consent.nonce, start: None }),
        scopes: consent.asked.into_iter().map(|name| ScopeView { name, description: None }).collect(),
        asker: Some(AskerView {
            logo: shown(consent.shown.logo_uri),
            home: shown(consent.client.uri),
            policy: shown(consent.shown.policy_uri),
            terms: shown(consent.shown.tos_uri),
            account: consent.account,
            host,
            here,
        }),
        ..PageRequest::new("consent", locale, &brand)
    };
    flow_page::respond(node, request, StatusCode::OK, page, &forms)
}

/// What the browser will be sent to, as a person can recognize it: a host, or the scheme of an application.
fn place_of(target: &Url) -> String {
    target.host_str().map_or_else(|| format!("{}:", target.scheme()), str::to_owned)
}

/// Whether the answer goes to whatever program listens on the person's own computer (RFC 8252, 7.3).
fn is_loopback(target: &Url) -> bool {
    match target.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Whether `uri` is at `host`: a stranger may not show logo, home or policy of others (RFC 7591, 5; OpenID Connect
/// Registration, 9.1).
fn is_at(uri: &str, host: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.host_str() == Some(host))
}
