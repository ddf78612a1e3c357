//! `jwks_uri` (RFC 7517, 5).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::discovery::document;
use crate::node::{Document, Node};

/// GET: the public keys, those announced for later too.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    document(&request, &Document::new(&node.provider.jwks()), "application/jwk-set+json")
}
