//! The endpoints, a file each, named after their discovery metadata.

mod account;
pub mod admin;
mod asset;
mod authorization;
mod check_session;
mod consent;
mod device;
mod device_authorization;
mod discovery;
mod end_session;
mod federation;
mod flow;
mod flow_state;
mod help;
mod introspection;
mod jwks;
mod link;
mod pushed_authorization_request;
mod registration;
mod resource;
mod revocation;
mod select_account;
pub mod setup;
mod telephone;
mod token;
mod userinfo;

use actix_web::guard::{self, Guard};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::Features;
use countersign_protocol::device::VERIFICATION;
use countersign_protocol::discovery::paths;

use crate::cors;
use crate::error::method_not_allowed;
use crate::flow_page;
use crate::node::Node;
use crate::page::{FormAction, PageRequest};
use crate::request;

/// Every route of the provider's listeners.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource(paths::AUTHORIZATION)
                .route(web::get().to(authorization::get))
                .route(web::post().to(authorization::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource(paths::TOKEN)
                .route(web::post().to(token::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(paths::PUSHED_AUTHORIZATION_REQUEST)
                .guard(on(|features| features.pushed_requests))
                .route(web::post().to(pushed_authorization_request::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(paths::USERINFO)
                .route(web::get().to(userinfo::get))
                .route(web::post().to(userinfo::post))
                .route(preflight("GET, POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, GET, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(paths::INTROSPECTION)
                .guard(on(|features| features.introspection))
                .route(web::post().to(introspection::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(paths::REVOCATION)
                .guard(on(|features| features.revocation))
                .route(web::post().to(revocation::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(paths::DEVICE_AUTHORIZATION)
                .guard(on(|features| features.device))
                .route(web::post().to(device_authorization::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(VERIFICATION)
                .guard(on(|features| features.device))
                .route(web::get().to(device::get))
                .route(web::post().to(device::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource(paths::END_SESSION)
                .guard(on(|features| features.logout))
                .route(web::get().to(end_session::get))
                .route(web::post().to(end_session::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource(format!("{}/confirm", paths::END_SESSION))
                .guard(on(|features| features.logout))
                .route(web::post().to(end_session::confirm))
                .default_service(web::to(|| async { method_not_allowed("POST") })),
        )
        .service(
            web::resource(paths::CHECK_SESSION)
                .guard(on(|features| features.session_management))
                .route(web::get().to(check_session::get))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .service(
            web::resource(paths::REGISTRATION)
                .route(web::post().to(registration::post))
                .route(preflight("POST"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, POST") }))
                .wrap(from_fn(cors::share)),
        )
        .service(
            web::resource(format!("{}/{{client}}", paths::REGISTRATION))
                .route(web::get().to(registration::get))
                .route(web::put().to(registration::put))
                .route(web::delete().to(registration::delete))
                .route(preflight("GET, PUT, DELETE"))
                .default_service(web::to(|| async { method_not_allowed("OPTIONS, GET, PUT, DELETE") }))
                .wrap(from_fn(cors::share)),
        )
        .service(read_only(paths::JWKS, web::get().to(jwks::get), web::head().to(jwks::get)))
        .service(read_only(paths::OPENID_CONFIGURATION, web::get().to(discovery::get), web::head().to(discovery::get)))
        .service(read_only(
            paths::OAUTH_AUTHORIZATION_SERVER,
            web::get().to(discovery::get),
            web::head().to(discovery::get),
        ))
        .service(
            web::resource("/flow/{flow}")
                .route(web::get().to(flow::get))
                .route(web::post().to(flow::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/flow/{flow}/state")
                .route(web::get().to(flow_state::get))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .service(carriers("/telephone/voice/{ticket}", web::post().to(telephone::begin)))
        .service(carriers("/telephone/voice/{ticket}/answer", web::post().to(telephone::answer)))
        .service(carriers("/telephone/status/{ticket}", web::post().to(telephone::status)))
        .service(
            web::resource("/link/{token}")
                .route(web::get().to(link::get))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .service(
            web::resource("/consent/{id}")
                .route(web::get().to(consent::get))
                .route(web::post().to(consent::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/select_account/{id}")
                .route(web::get().to(select_account::get))
                .route(web::post().to(select_account::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/account")
                .route(web::get().to(account::get))
                .route(web::post().to(account::post))
                .default_service(web::to(|| async { method_not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/account/{policy}")
                .route(web::get().to(account::begin))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .configure(setup::routes)
        .configure(admin::routes)
        .service(
            web::resource("/federation/{id}/callback")
                .route(web::get().to(federation::get))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .service(
            web::resource("/")
                .route(web::get().to(account::go))
                .default_service(web::to(|| async { method_not_allowed("GET") })),
        )
        .service(web::resource("/help").route(web::get().to(help::get)))
        .service(web::resource("/help/browser").route(web::get().to(help::get_browser)))
        .service(web::resource("/assets/{path:.*}").route(web::get().to(asset::get)))
        .default_service(web::to(not_found));
}

/// Routes of a part of the protocol that may be off: then they are not there.
fn on(switch: fn(&Features) -> bool) -> impl Guard {
    guard::fn_guard(move |context| {
        let node = context.app_data::<Data<Node>>();
        node.is_some_and(|node| switch(&node.provider.settings().features))
    })
}

/// Scripts ask before they call.
fn preflight(methods: &'static str) -> actix_web::Route {
    web::method(Method::OPTIONS).to(move |request: HttpRequest| async move { cors::preflight(&request, methods) })
}

fn carriers(path: &str, post: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(post).default_service(web::to(|| async { method_not_allowed("POST") }))
}

/// Methods of a public document.
const ALLOWED: &str = "GET, HEAD, OPTIONS";

fn read_only(path: &str, get: actix_web::Route, head: actix_web::Route) -> actix_web::Resource {
    let options = web::method(Method::OPTIONS).to(|| async { discovery::options(ALLOWED) });
    let others = web::to(|| async { method_not_allowed(ALLOWED) });
    web::resource(path).route(get).route(head).route(options).default_service(others)
}

async fn not_found(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    if !wants_page(&request) {
        return HttpResponse::NotFound().finish();
    }
    let page = PageRequest::new("not_found", request::locale(&node, &request, None), request::brand(&node, &request));
    let page = PageRequest { here: flow_page::here(&request, false), ..page };
    flow_page::respond(&node, &request, StatusCode::NOT_FOUND, page, &FormAction::Own)
}

fn wants_page(request: &HttpRequest) -> bool {
    let accept = actix_web::http::header::ACCEPT;
    request::header(request, &accept).is_some_and(|accept| accept.contains("text/html"))
}
