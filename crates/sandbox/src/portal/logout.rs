//! `/logout`: the end of the portal's session and of the provider's, and `/signed-out`, where the browser comes back.

use super::Portal;
use super::answers::Problem;
use super::cookies::{LOGOUT, SESSION, find_cookie};
use crate::clock::now;
use crate::page::see_other;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::json;
use url::form_urlencoded;

pub const SIGNED_OUT: &str = "/signed-out";

pub fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/logout").route(post().to(log_out)));
    routes.service(resource(SIGNED_OUT).route(get().to(show_signed_out)));
}

/// The portal's own session ends at once, whatever the provider does.
async fn log_out(portal: Data<Portal>, request: HttpRequest) -> HttpResponse {
    let session = find_cookie(&request, SESSION).and_then(|id| portal.sessions.consume_if(&id, now(), |_| true));
    let leave = match session {
        Some(session) => portal.provider.leave(&*session.lock().await).await,
        None => None,
    };
    let mut cookies = vec![portal.ended_cookie(SESSION.into())];
    let mut response = match leave {
        Some((address, state)) => {
            cookies.push(portal.logout_cookie(state.into_secret()));
            see_other(address.as_str())
        }
        None => see_other(SIGNED_OUT),
    };
    for cookie in &cookies {
        if response.add_cookie(cookie).is_err() {
            return HttpResponse::InternalServerError().finish();
        }
    }
    response
}

/// With a state, this is the provider's answer, which must be to this browser's own logout. Without one nothing is
/// known of the session there.
async fn show_signed_out(portal: Data<Portal>, request: HttpRequest) -> HttpResponse {
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let mut states = query.filter(|(name, _)| name == "state").map(|(_, value)| value);
    let Some(state) = states.next() else { return render(&portal, false) };
    let is_own = |known: &String| verify_slices_are_equal(known.as_bytes(), state.as_bytes()).is_ok();
    if !find_cookie(&request, LOGOUT).is_some_and(|known| is_own(&known)) || states.next().is_some() {
        let message = "This sign-out was begun in another browser, or is over already.";
        return portal.show_problem(&Problem::new(StatusCode::BAD_REQUEST, "unknown_state", message));
    }
    let mut page = render(&portal, true);
    match page.add_cookie(&portal.ended_cookie(LOGOUT.into())) {
        Ok(()) => page,
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// `everywhere`: at the provider too.
fn render(portal: &Portal, everywhere: bool) -> HttpResponse {
    portal.pages.render(StatusCode::OK, "signed_out.html", json!({ "everywhere": everywhere }))
}
