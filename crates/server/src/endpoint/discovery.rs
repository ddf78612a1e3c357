//! `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.

use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::node::{Document, Node};
use crate::request;

/// GET: the metadata.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    document(&request, &node.metadata, "application/json")
}

/// A public document that may be cached for an hour, or the word that it has not changed.
pub fn document(request: &HttpRequest, document: &Document, media_type: &'static str) -> HttpResponse {
    let known = request::header(request, &IF_NONE_MATCH);
    let unchanged =
        known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == document.etag));
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((ETAG, document.etag.clone()))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    if unchanged {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, media_type)).body(document.body.clone())
    }
}

/// OPTIONS: scripts of any origin may read it.
pub fn options(allowed: &'static str) -> HttpResponse {
    HttpResponse::NoContent().insert_header((ALLOW, allowed)).insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*")).finish()
}
