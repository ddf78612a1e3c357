//! `/flow/{id}`: the pages of a running flow.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::FlowId;
use countersign_protocol::Params;
use countersign_service::{Answer, Answered, CookieChanges, FlowCall, FlowForm, ServiceError};
use tracing::Instrument as _;

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::Locale;
use crate::request::{self, Body};

/// GET: the current page. Never sends, never advances.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(flow) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let out_of_date = Params::parse_query(request.query_string()).is_ok_and(|query| query.has("out_of_date"));
    let chosen = request::chosen_locale(&node, &request).map(Locale::as_str);
    let call = FlowCall { flow, cookies: &cookies, locale: chosen, context: &context };
    match node.provider.show_flow(call, out_of_date).await {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

/// POST: a person's answer to a page.
pub async fn post(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let Ok(flow) = path.parse::<FlowId>() else { return flow_page::answer(&node, &request, locale, gone()) };
    let form = match request::form(&request, &body) {
        Ok(params) => read_form(&params),
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let chosen = request::chosen_locale(&node, &request).map(Locale::as_str);
    let provider = Arc::clone(&node.provider);
    let step = async move {
        let call = FlowCall { flow, cookies: &cookies, locale: chosen, context: &context };
        provider.advance_flow(call, form).await
    };
    // A task of its own ends its work when the browser goes away half way; else the lease would hold up the next try.
    let advanced = actix_web::rt::spawn(step.in_current_span()).await;
    match advanced.unwrap_or(Err(ServiceError::Internal("a step broke off"))) {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

fn read_form(params: &Params) -> FlowForm {
    let mut form = FlowForm::default();
    let mut fields = BTreeMap::new();
    for (name, value) in params.iter() {
        match name {
            "nonce" => value.clone_into(&mut form.nonce),
            "start" => form.start = Some(value.to_owned()),
            "do" => value.clone_into(&mut form.control),
            _ => {
                fields.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    FlowForm { fields, ..form }
}

/// There is nothing here for this browser.
pub(super) fn gone() -> Answered {
    Answered { answer: Answer::Gone, cookies: CookieChanges::default() }
}
