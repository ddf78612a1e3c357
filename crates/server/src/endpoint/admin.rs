//! The admin API: `/admin/api/v1`, for programs of the help desk (RFC 6750).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::{OAuthError, Params};
use countersign_service::{AdminCall, AdminRefusal};
use serde_json::json;

use crate::error;
use crate::node::Node;
use crate::request;

/// GET `/users/{who}/timeline`: what happened to a person's attempts.
pub async fn timeline(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let parsed: Result<_, OAuthError> = request::authorization(&request)
        .and_then(|authorization| Ok((authorization, Params::parse_query(request.query_string())?)));
    let (authorization, query) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => return error::bearer_refusal(&refusal.into()),
    };
    let context = request::context(&node, &request);
    let certificate = request::certificate(&request);
    let call = AdminCall { authorization, query: &query, certificate, context: &context };
    match node.provider.read_timeline(call, &path).await {
        Ok(Ok(timeline)) => error::json(StatusCode::OK, &timeline.to_json()),
        Ok(Err(AdminRefusal::Token(refusal))) => error::bearer_refusal(&refusal),
        Ok(Err(AdminRefusal::Unknown)) => error::json(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
        Err(failure) => error::program_failure(&failure),
    }
}
