//! `jwks_uri` (RFC 7517, 5).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::discovery::document;
use crate::node::Node;

/// GET: the public keys, those announced for later too.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let kept = node.jwks.get(node.provider.jwks_version(), || node.provider.jwks());
    document(&request, &kept, "application/jwk-set+json")
}
