//! Templates and assets, embedded, and the headers every page carries.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// The templates of one server; a name ending in `.html` is escaped.
pub struct Pages(Environment<'static>);

impl Pages {
    pub fn new(templates: &[(&'static str, &'static str)]) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        for (name, source) in templates {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    /// A fault in a template is ours: 500, and the reason goes to the log.
    pub fn render(&self, status: StatusCode, name: &str, context: impl Serialize) -> HttpResponse {
        match self.0.get_template(name).and_then(|template| template.render(Serde(context))) {
            Ok(html) => HttpResponse::build(status)
                .content_type(ContentType::html())
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .body(html),
            Err(error) => {
                tracing::error!(template = name, %error, "a page could not be rendered");
                HttpResponse::InternalServerError().body("This page could not be shown.\n")
            }
        }
    }
}

/// A style sheet, script or image, served from its own path.
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static str,
}

pub fn answer_asset(asset: &Asset) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, asset.content_type))
        .insert_header((header::CACHE_CONTROL, "max-age=60"))
        .body(asset.body)
}

/// After a form: look at the result with GET.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
