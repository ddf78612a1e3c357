//! Handlers of what changes clients, organizations and keys: parse, call, answer.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::delegation::Permission;
use countersign_service::{
    ChangeOrganization, ClientChange, ClientMade, CreateClient, CreateOrganization, OrganizationView, RegisteredClient,
    ReplaceClient, RotateSecret,
};

use super::call::{Call, Told, take};
use super::handlers::{Reason, either};
use crate::node::Node;
use crate::request::Body;

pub async fn create_client(node: Data<Node>, request: HttpRequest, body: actix_web::Result<Body>) -> HttpResponse {
    let made = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteClients).await?;
        let body = take(body)?;
        let new: CreateClient = call.body(&body)?;
        let once = call.key()?.map(|key| (key, &body[..]));
        let made = node.provider.create_client(&caller, &new, once, call.context()).await;
        Ok(call.tell_versioned(StatusCode::CREATED, made, version_of_made))
    };
    either(made.await)
}

pub async fn replace_client(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteClients).await?;
        let (new, expected): (ReplaceClient, _) = (call.body(&take(body)?)?, call.expected()?);
        let change = ClientChange { client: &path, reason: &new.reason, expected: expected.as_deref() };
        let done = node.provider.change_registration(&caller, change, &new.metadata, call.context()).await;
        Ok(call.tell_versioned(StatusCode::OK, done, version_of))
    };
    either(done.await)
}

pub async fn disable_client(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(set_client_status(&node, &path, &request, body, true).await)
}

pub async fn enable_client(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    either(set_client_status(&node, &path, &request, body, false).await)
}

async fn set_client_status(
    node: &Node,
    client: &str,
    request: &HttpRequest,
    body: actix_web::Result<Body>,
    disabled: bool,
) -> Told<HttpResponse> {
    let call = Call::of(node, request)?;
    let caller = call.enter(Permission::WriteClients).await?;
    let (Reason { reason }, expected) = (call.body(&take(body)?)?, call.expected()?);
    let change = ClientChange { client, reason: &reason, expected: expected.as_deref() };
    let done = node.provider.set_client_status(&caller, change, disabled, call.context()).await;
    Ok(call.tell_versioned(StatusCode::OK, done, version_of))
}

pub async fn rotate_secret(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteClients).await?;
        let (new, expected): (RotateSecret, _) = (call.body(&take(body)?)?, call.expected()?);
        let change = ClientChange { client: &path, reason: &new.reason, expected: expected.as_deref() };
        let done = node.provider.renew_client_secret(&caller, change, new.keep_hours, call.context()).await;
        Ok(call.tell_versioned(StatusCode::OK, done, version_of_made))
    };
    either(done.await)
}

pub async fn remove_client(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteClients).await?;
        let (Reason { reason }, expected) = (call.body(&take(body)?)?, call.expected()?);
        let change = ClientChange { client: &path, reason: &reason, expected: expected.as_deref() };
        Ok(call.tell_done(node.provider.remove_client_of(&caller, change, call.context()).await))
    };
    either(done.await)
}

pub async fn create_organization(
    node: Data<Node>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let made = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteOrganizations).await?;
        let body = take(body)?;
        let new: CreateOrganization = call.body(&body)?;
        let once = call.key()?.map(|key| (key, &body[..]));
        let made = node.provider.create_organization_by(&caller, &new, once, call.context()).await;
        Ok(call.tell_versioned(StatusCode::CREATED, made, OrganizationView::version))
    };
    either(made.await)
}

pub async fn find_organization(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let found = async {
        let call = Call::of(&node, &request)?;
        let found = node.provider.tell_organization(call.resource(), &path, call.context()).await;
        Ok(call.tell_versioned(StatusCode::OK, found, OrganizationView::version))
    };
    either(found.await)
}

pub async fn change_organization(
    node: Data<Node>,
    path: Path<String>,
    request: HttpRequest,
    body: actix_web::Result<Body>,
) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::WriteOrganizations).await?;
        let (new, expected): (ChangeOrganization, _) = (call.body(&take(body)?)?, call.expected()?);
        let done = node.provider.change_organization(&caller, &path, &new, expected.as_deref(), call.context()).await;
        Ok(call.tell_versioned(StatusCode::OK, done, OrganizationView::version))
    };
    either(done.await)
}

pub async fn rotate_keys(node: Data<Node>, request: HttpRequest, body: actix_web::Result<Body>) -> HttpResponse {
    let done = async {
        let call = Call::of(&node, &request)?;
        let caller = call.enter(Permission::RotateKeys).await?;
        let Reason { reason } = call.body(&take(body)?)?;
        Ok(call.tell(StatusCode::OK, node.provider.rotate_signing_keys(&caller, &reason, call.context()).await))
    };
    either(done.await)
}

fn version_of(client: &RegisteredClient) -> String {
    client.version.clone()
}

fn version_of_made(made: &ClientMade) -> String {
    made.client.version.clone()
}
