//! The portal's pages: Home, Cases, Work-in-progress, Message Center.

use super::{Portal, sample};
use crate::page::{Asset, Pages, answer_asset, see_other};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

const ASSETS: [Asset; 2] = [
    Asset {
        path: "/assets/portal.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../assets/portal.css"),
    },
    Asset { path: "/assets/portal.svg", content_type: "image/svg+xml", body: include_str!("../../assets/portal.svg") },
];

/// A page for who is signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Home,
    Cases,
    WorkInProgress,
    MessageCenter,
}

impl Place {
    pub const ALL: [Self; 4] = [Self::Home, Self::Cases, Self::WorkInProgress, Self::MessageCenter];

    pub fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Cases => "/cases",
            Self::WorkInProgress => "/work-in-progress",
            Self::MessageCenter => "/message-center",
        }
    }

    pub fn find(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::Cases => "Cases",
            Self::WorkInProgress => "Work-in-progress",
            Self::MessageCenter => "Message Center",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Home => "home.html",
            Self::Cases => "cases.html",
            Self::WorkInProgress => "work_in_progress.html",
            Self::MessageCenter => "message_center.html",
        }
    }

    fn login_path(self) -> &'static str {
        match self {
            Self::Home => "/login",
            Self::Cases => "/login?next=/cases",
            Self::WorkInProgress => "/login?next=/work-in-progress",
            Self::MessageCenter => "/login?next=/message-center",
        }
    }
}

pub fn load() -> Result<Pages, minijinja::Error> {
    Pages::new(&[
        ("layout.html", include_str!("../../templates/portal/layout.html")),
        ("cases_table.html", include_str!("../../templates/portal/cases_table.html")),
        ("home.html", include_str!("../../templates/portal/home.html")),
        ("cases.html", include_str!("../../templates/portal/cases.html")),
        ("work_in_progress.html", include_str!("../../templates/portal/work_in_progress.html")),
        ("message_center.html", include_str!("../../templates/portal/message_center.html")),
        ("signed_out.html", include_str!("../../templates/portal/signed_out.html")),
        ("problem.html", include_str!("../../templates/portal/problem.html")),
    ])
}

pub fn routes(routes: &mut ServiceConfig) {
    for asset in &ASSETS {
        routes.service(resource(asset.path).route(get().to(move || async { answer_asset(asset) })));
    }
    for place in Place::ALL {
        let show = move |portal, request| async move { show_place(place, &portal, &request).await };
        routes.service(resource(place.path()).route(get().to(show)));
    }
}

/// Who is not signed in is sent to the provider at once, as in the guides, and comes back to the same page.
async fn show_place(place: Place, portal: &Data<Portal>, request: &HttpRequest) -> HttpResponse {
    let Some(user) = portal.find_signed_in(request).await else { return see_other(place.login_path()) };
    let navigation: Vec<Value> = Place::ALL
        .into_iter()
        .map(|other| json!({ "label": other.label(), "path": other.path(), "current": other == place }))
        .collect();
    let context = json!({
        "title": place.label(),
        "user": user,
        "navigation": navigation,
        "cases": sample::CASES,
        "messages": sample::MESSAGES,
    });
    let mut page = portal.pages.render(StatusCode::OK, place.template(), context);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, portal.policy.clone());
    page
}

pub async fn not_found(portal: Data<Portal>) -> HttpResponse {
    let context = json!({ "code": "not_found", "message": "There is no such page.", "detail": null });
    portal.pages.render(StatusCode::NOT_FOUND, "problem.html", context)
}
