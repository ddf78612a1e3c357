//! `/flow/{id}/state`: what became of the text or call that a page waits for. Changes nothing.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::FlowId;
use countersign_service::FlowCall;
use serde_json::json;

use crate::error;
use crate::node::Node;
use crate::request;

/// GET: `{"version": 3, "approved": false, "undeliverable": false}`; 404 for a flow that is gone or another browser's.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let Ok(flow) = path.parse::<FlowId>() else { return error::json(StatusCode::NOT_FOUND, &json!({})) };
    let call = FlowCall { flow, cookies: &cookies, locale: None, context: &context };
    match node.provider.flow_state(call).await {
        Ok(Some(state)) => error::json(
            StatusCode::OK,
            &json!({
                "version": state.version,
                "approved": state.approved,
                "undeliverable": state.undeliverable,
            }),
        ),
        Ok(None) => error::json(StatusCode::NOT_FOUND, &json!({})),
        Err(failure) => error::program_failure(&failure),
    }
}
