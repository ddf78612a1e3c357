//! `/help`, `/help/browser`: what helps people to log in (R40 to R57) and to set up their browser (R49).

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::Params;

use crate::flow_page;
use crate::lives;
use crate::node::Node;
use crate::page::{Brand, FormAction, PageRequest};
use crate::request;

/// GET: how to log in.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    show(&node, &request, "help")
}

/// GET: how to set up the browser.
pub async fn get_browser(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    show(&node, &request, "help_browser")
}

/// The links to these pages name the brand of the page they stand on; an unknown one is that of the host.
fn show(node: &Node, request: &HttpRequest, page: &str) -> HttpResponse {
    let query = Params::parse_query(request.query_string()).ok();
    let asked = query.as_ref().and_then(|query| query.get("brand")).and_then(|id| node.pages.find_brand(id));
    let brand = asked.map_or_else(|| request::brand(node, request), Brand::id);
    let locale = request::locale(node, request, None);
    let values = lives::of_set(node.provider.policy_set()).into_iter().map(|(name, secs)| (name.to_owned(), secs));
    let page = PageRequest {
        here: flow_page::here(request, true),
        values: values.collect(),
        ..PageRequest::new(page, locale, brand)
    };
    let mut response = flow_page::respond(node, request, StatusCode::OK, page, &FormAction::Own);
    if query.is_some_and(|query| query.has("lang")) {
        let cookie = node.cookies.locale(locale.as_str()).to_string();
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}
