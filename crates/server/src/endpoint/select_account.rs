//! `/select_account/{id}`: which of the browser's accounts is meant.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::FlowId;
use countersign_service::{AccountChoice, ChosenAccount, PendingCall};
use url::Url;

use super::flow::gone;
use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::{AccountOption, FormAction, FormView, Locale, PageRequest};
use crate::request::{self, Body};

/// GET: the accounts.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(id) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let chosen = request::chosen_locale(&node, &request).is_some();
    let call = PendingCall { id, cookies: &cookies, locale: locale.as_str(), chosen, context: &context };
    match node.provider.show_accounts(call).await {
        Ok(Ok(choice)) => page(&node, &request, locale, choice),
        Ok(Err(answered)) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

/// POST: the choice.
pub async fn post(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(id) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let account = match form.get("account") {
        Some(id) => ChosenAccount::Shown(id.to_owned()),
        None => ChosenAccount::Another,
    };
    let chosen = request::chosen_locale(&node, &request).is_some();
    let call = PendingCall { id, cookies: &cookies, locale: locale.as_str(), chosen, context: &context };
    match node.provider.choose_account(call, form.get("nonce").unwrap_or_default(), &account).await {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

fn page(node: &Node, request: &HttpRequest, locale: Locale, choice: AccountChoice) -> HttpResponse {
    let locale = request::asked_locale(node, request, choice.locale.as_deref()).unwrap_or(locale);
    let ends = Url::parse(&choice.redirect_uri).into_iter().chain(node.provider.upstream_origins());
    let forms = FormAction::AndTo(ends.collect());
    let brand = choice.client.brand.unwrap_or_else(|| request::brand(node, request).to_owned());
    let option = |(id, name, address): (countersign_model::UserId, String, String)| AccountOption {
        id: id.to_string(),
        name,
        address,
    };
    let page = PageRequest {
        application: Some(choice.client.name),
        here: flow_page::here(request, false),
        form: Some(FormView { action: choice.action, nonce: choice.nonce, start: None }),
        accounts: choice.accounts.into_iter().map(option).collect(),
        ..PageRequest::new("select_account", locale, &brand)
    };
    flow_page::respond(node, request, StatusCode::OK, page, &forms)
}
