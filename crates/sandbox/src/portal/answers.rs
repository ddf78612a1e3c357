//! What goes wrong at a sign-in, as a page.

use super::Portal;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

/// Of what a provider says, at most so much is shown.
const MAX_SHOWN: usize = 300;

/// A page with a code, a sentence and "Try again".
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(skip)]
    pub status: StatusCode,
    pub code: String,
    pub message: &'static str,
    pub detail: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &str, message: &'static str) -> Self {
        Self { status, code: shorten(code), message, detail: None }
    }

    pub fn with_detail(mut self, detail: &str) -> Self {
        self.detail = Some(shorten(detail)).filter(|detail| !detail.is_empty());
        self
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_SHOWN).collect()
}

impl Portal {
    pub fn show_problem(&self, problem: &Problem) -> HttpResponse {
        tracing::info!(code = problem.code, detail = problem.detail, "a sign-in did not succeed");
        self.pages.render(problem.status, "problem.html", problem)
    }
}
