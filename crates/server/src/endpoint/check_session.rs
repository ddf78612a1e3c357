//! `check_session_iframe` (OpenID Connect Session Management, 3.3): a page without anything to see, framed by clients.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;

use crate::node::Node;

/// GET: the page, which any site may frame: it answers nothing but `changed`, `unchanged` and `error`.
pub async fn get(node: Data<Node>) -> HttpResponse {
    let script = node.pages.asset_url("check_session.js").unwrap_or_default();
    let cookie = node.cookies.browser_state_name();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Session</title>\n\
         <script src=\"{script}\" data-cookie=\"{cookie}\"></script></head>\n<body></body>\n</html>\n"
    );
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header(("content-security-policy", "default-src 'none'; script-src 'self'; base-uri 'none'"))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("referrer-policy", "no-referrer"))
        .body(html)
}
