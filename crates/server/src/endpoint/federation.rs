//! `/federation/{id}/callback`: a browser comes back from an upstream provider.

use std::sync::Arc;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::Params;
use countersign_service::{BrowserCall, ServiceError, UpstreamAnswer};
use tracing::Instrument as _;

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::Locale;
use crate::request;

/// GET: code or error, to be looked at once; the same callback again gets the same answer.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let chosen = request::chosen_locale(&node, &request).map(Locale::as_str);
    // A parameter given twice could mean one thing here and another elsewhere: then none counts.
    let answer = Params::parse_query(request.query_string()).map(|query| read_answer(&query)).unwrap_or_default();
    let (provider, id) = (Arc::clone(&node.provider), path.into_inner());
    let step = async move {
        let call = BrowserCall { cookies: &cookies, locale: chosen, context: &context };
        provider.federation_callback(&id, answer, call).await
    };
    // A task of its own ends its work when the browser goes away half way: the code can be exchanged once alone.
    let advanced = actix_web::rt::spawn(step.in_current_span()).await;
    match advanced.unwrap_or(Err(ServiceError::Internal("a callback broke off"))) {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}

fn read_answer(query: &Params) -> UpstreamAnswer {
    let text = |name| query.get(name).map(str::to_owned);
    UpstreamAnswer {
        state: text("state").unwrap_or_default(),
        code: text("code"),
        iss: text("iss"),
        error: text("error"),
    }
}
