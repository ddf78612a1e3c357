//! The admin API: `/admin/api/v1`, for programs of the help desk (RFC 6750; RFC 9449, 7).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::Params;
use countersign_service::AdminRefusal;
use serde_json::json;

use super::resource;
use crate::error;
use crate::node::Node;
use crate::request;

/// GET `/users/{who}/timeline`: what happened to a person's attempts.
pub async fn timeline(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let asked = match resource::Asked::parse(&request, Ok(Params::default())) {
        Ok(asked) => asked,
        Err(refusal) => return resource::refused(&node, &request, &refusal.into()),
    };
    let context = request::context(&node, &request);
    let response = match node.provider.read_timeline(asked.call(), &path, &context).await {
        Ok(Ok(timeline)) => error::json(StatusCode::OK, &timeline.to_json()),
        Ok(Err(AdminRefusal::Token(refusal))) => return resource::refused(&node, &request, &refusal),
        Ok(Err(AdminRefusal::Unknown)) => error::json(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
        Err(failure) => error::program_failure(&failure),
    };
    error::with_nonce(response, &node, &request)
}
