//! The routes' handlers: parse, call, answer.

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::{AuditId, AuditKind, Timestamp, UserStatus};
use countersign_protocol::delegation::Permission;
use countersign_service::{AdminRefusal, AuditQuery, ChangeRole, CreateUser, RegisteredClient, UserChange, UserQuery};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::call::{Call, Told, take};
use super::document;
use crate::endpoint::resource;
use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// Longest text to search for, in characters.
const MAX_SEARCH: usize = 100;

/// Why something is done.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// 1 to 500 characters; kept in the audit.
    pub reason: String,
}

pub(super) fn either(told: Told<HttpResponse>) -> HttpResponse {
    told.unwrap_or_else(|instead| *instead)
}

pub async fn openapi() -> HttpResponse {
    // Nobody shows a token for it: it is made once.
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    error::json(StatusCode::OK, DOCUMENT.get_or_init(document::openapi))
}

pub async fn timeline(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let asked = match resource::Asked::parse(&request, Ok(countersign_protocol::Params::default())) {
        Ok(asked) => asked,
        Err(refusal) => return resource::refused(&node, &request, &refusal.into()),
    };
    let context = request::context(&node, &request);
    let response = match node.provider.read_timeline(asked.call(), &path, &context).await {
        Ok(Ok(timeline)) => error::json(StatusCode::OK, &timeline.to_json()),
        Ok(Err(AdminRefusal::Token(refusal))) => return resource::refused(&node, &request, &refusal),
        Ok(Err(_)) => error::json(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
        Err(failure) => error::program_failure(&failure),
    };
    error::with_nonce(response, &node, &request)
}

pub async fn list_users(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        let query = UserQuery {
            search: call.parameter("search", |text| Some(text.chars().take(MAX_SEARCH).collect()))?,
            organization: call.parameter("organization", |text| text.parse().ok())?,
            status: call.parameter("status", |text| {
                UserStatus::from_word(text).filter(|status| *status != UserStatus::Closed)
            })?,
            after: call.parameter("after", |text| text.parse().ok())?,
            limit: call.limit()?,
        };
        Ok(call.tell(StatusCode::OK, node.provider.list_users(call.resource(), &query, call.context()).await))
    };
    either(listed.await)
}

pub async fn create_user(node: Data<Node>, request: HttpRequest, body: actix_web::Result<Body>) -> HttpResponse {
    let made = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteUsers).await?;
        let body = take(body)?;
        let new: CreateUser = call.body(&body)?;
        let once = call.key()?.map(|key| (key, &body[..]));
        let made = node.provider.create_user(&caller, &new, once, call.context()).await;
        Ok(call.tell_user(StatusCode::CREATED, made))
    };
    either(made.await)
}

pub async fn find_user(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let found = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell_user(StatusCode::OK, node.provider.find_user(call.resource(), &path, call.context()).await))
    };
    either(found.await)
}

pub async fn disable_user(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(set_status(&node, &path, &request, body, UserStatus::Disabled).await)
}

pub async fn enable_user(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(set_status(&node, &path, &request, body, UserStatus::Active).await)
}

async fn set_status(
    node: &Node,
    user: &str,
    request: &HttpRequest,
    body: actix_web::Result<Body>,
    status: UserStatus,
) -> Told<HttpResponse> {
    let call = Call::of(node, request)?;
    let caller = call.enter(Permission::WriteUsers).await?;
    let (Reason { reason }, expected) = (call.body(&take(body)?)?, call.expected()?);
    let change = UserChange { user, reason: &reason, expected: expected.as_deref() };
    let done = node.provider.set_user_status(caller, change, status, call.context()).await;
    Ok(call.tell_user(StatusCode::OK, done))
}

pub async fn reset_user(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::ResetUsers).await?;
        let (Reason { reason }, expected) = (call.body(&take(body)?)?, call.expected()?);
        let change = UserChange { user: &path, reason: &reason, expected: expected.as_deref() };
        let done = node.provider.reset_user(caller, change, call.context()).await;
        Ok(call.tell_user(StatusCode::OK, done))
    };
    either(done.await)
}

pub async fn invite_user(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteUsers).await?;
        let expected = call.expected()?;
        let change = UserChange { user: &path, reason: "", expected: expected.as_deref() };
        let done = node.provider.invite_user(caller, change, call.context()).await;
        Ok(call.tell_user(StatusCode::OK, done))
    };
    either(done.await)
}

pub async fn unlock_user(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteUsers).await?;
        let (Reason { reason }, expected) = (call.body(&take(body)?)?, call.expected()?);
        let change = UserChange { user: &path, reason: &reason, expected: expected.as_deref() };
        Ok(call.tell_user(StatusCode::OK, node.provider.unlock_user(caller, change, call.context()).await))
    };
    either(done.await)
}

pub async fn list_roles(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.list_user_roles(call.resource(), &path, call.context()).await))
    };
    either(listed.await)
}

pub async fn grant_role(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(change_role(&node, &path, &request, body, true).await)
}

pub async fn revoke_role(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(change_role(&node, &path, &request, body, false).await)
}

async fn change_role(
    node: &Node,
    user: &str,
    request: &HttpRequest,
    body: actix_web::Result<Body>,
    grants: bool,
) -> Told<HttpResponse> {
    let call = Call::of(node, request)?;
    let caller = call.enter(Permission::ChangeRoles).await?;
    let (role, expected): (ChangeRole, _) = (call.body(&take(body)?)?, call.expected()?);
    let change = UserChange { user, reason: &role.reason, expected: expected.as_deref() };
    Ok(call
        .tell_user(StatusCode::OK, node.provider.change_user_role(caller, change, &role, grants, call.context()).await))
}

pub async fn list_sessions(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.list_user_sessions(call.resource(), &path, call.context()).await))
    };
    either(listed.await)
}

pub async fn end_session(node: Data<Node>, path: Path<(String, String)>, request: HttpRequest) -> HttpResponse {
    let ended = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteUsers).await?;
        let (user, session) = path.into_inner();
        Ok(call.tell_done(node.provider.end_user_session(caller, &user, &session, call.context()).await))
    };
    either(ended.await)
}

pub async fn list_events(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        let moment = |text: &str| text.parse().ok().map(Timestamp::from_secs);
        let query = AuditQuery {
            kind: call.parameter("kind", AuditKind::from_word)?,
            subject: call.parameter("subject", |text| text.parse().ok())?,
            client: call.parameter("client", |text| text.parse().ok())?,
            jti: call.parameter("jti", |text| Some(text.to_owned()))?,
            since: call.parameter("since", moment)?,
            until: call.parameter("until", moment)?,
            after: call.parameter("after", read_place)?,
            limit: call.limit()?,
        };
        Ok(call.tell(StatusCode::OK, node.provider.list_events(call.resource(), &query, call.context()).await))
    };
    either(listed.await)
}

/// Where the page before ended, as it said.
fn read_place(text: &str) -> Option<(Timestamp, AuditId)> {
    let (at, id) = text.split_once('.')?;
    Some((Timestamp::from_millis(at.parse().ok()?), id.parse().ok()?))
}

pub async fn prove_events(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let proven = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.prove_events(call.resource(), &path, call.context()).await))
    };
    either(proven.await)
}

pub async fn list_clients(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.tell_clients(call.resource(), call.context()).await))
    };
    either(listed.await)
}

pub async fn find_client(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let found = async {
        let call = Call::of(&node, &request)?;
        let found = node.provider.tell_client(call.resource(), &path, call.context()).await;
        Ok(call.tell_versioned(StatusCode::OK, found, |client: &RegisteredClient| client.version.clone()))
    };
    either(found.await)
}

pub async fn list_organizations(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.tell_organizations(call.resource(), call.context()).await))
    };
    either(listed.await)
}

pub async fn list_keys(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.tell_keys(call.resource(), call.context()).await))
    };
    either(listed.await)
}

pub async fn list_policies(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let listed = async {
        let call = Call::of(&node, &request)?;
        Ok(call.tell(StatusCode::OK, node.provider.tell_policies(call.resource(), call.context()).await))
    };
    either(listed.await)
}
