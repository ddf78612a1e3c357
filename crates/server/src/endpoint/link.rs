//! `/link/{token}`: where mailed links lead. Opening one spends nothing: mail scanners open links too.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_service::BrowserCall;
use secrecy::SecretString;

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::Locale;
use crate::request;

/// GET: the first page of the link's policy; its form posts to the flow.
pub async fn get(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let token = SecretString::from(path.into_inner());
    let chosen = request::chosen_locale(&node, &request).map(Locale::as_str);
    let call = BrowserCall { cookies: &cookies, locale: chosen, context: &context };
    match node.provider.open_link(&token, call).await {
        Ok(answered) => flow_page::answer(&node, &request, locale, answered),
        Err(failure) => error::person_failure(&node, &request, &failure),
    }
}
