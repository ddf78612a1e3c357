//! `/assets/`: style sheets, the script, pictures.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::node::Node;
use crate::page::headers::ASSET_HEADERS;
use crate::request;

/// GET: one file.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let Some(asset) = node.pages.asset(request.path()) else { return HttpResponse::NotFound().finish() };
    let unchanged = request::header(&request, &IF_NONE_MATCH) == Some(asset.etag.as_str());
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, asset.cache_control())).insert_header((ETAG, asset.etag.clone()));
    for header in ASSET_HEADERS {
        response.insert_header(header);
    }
    if unchanged {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, asset.content_type)).body(asset.bytes.clone())
    }
}
