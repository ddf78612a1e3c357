//! The token endpoint (RFC 6749, 4.1.3, with RFC 7636): client_secret_basic, a code once, its verifier.

use super::{Approved, Corporate};
use crate::clock::now;
use crate::form::Form;
use crate::random;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::json;

/// Of an access token that opens nothing, in seconds.
const TOKEN_LIFE: u32 = 300;

pub async fn redeem(corporate: Data<Corporate>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !header.is_some_and(|header| corporate.knows_client(header)) {
        let mut answer = fail(StatusCode::UNAUTHORIZED, "invalid_client");
        answer.headers_mut().insert(WWW_AUTHENTICATE, actix_web::http::header::HeaderValue::from_static("Basic"));
        return answer;
    }
    let form = Form::read(&body);
    if form.find("grant_type") != Some("authorization_code") {
        return fail(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let Some(approved) = corporate.consume_code(&form) else {
        return fail(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let Some(id_token) = corporate.issue_id_token(&approved, now()) else {
        return fail(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "access_token": random::secret(),
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFE,
        "id_token": id_token,
    }))
}

fn fail(status: StatusCode, error: &str) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(json!({ "error": error }))
}

impl Corporate {
    /// Whether `header` is the client's id and secret, each encoded as in a form (RFC 6749, 2.3.1).
    fn knows_client(&self, header: &str) -> bool {
        let credentials = header.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
        let credentials = credentials.and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((id, secret)) = credentials.as_deref().and_then(|text| text.split_once(':')) else { return false };
        let secret = decode(secret);
        let expected = self.client.client_secret.expose_secret().as_bytes();
        decode(id) == self.client.client_id && verify_slices_are_equal(secret.as_bytes(), expected).is_ok()
    }

    /// Whatever is wrong with the rest: a code that was shown is gone.
    fn consume_code(&self, form: &Form) -> Option<Approved> {
        let approved = self.codes.consume_if(form.find("code")?, now(), |_| true)?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form.find("code_verifier")?.as_bytes()));
        let fits = challenge == approved.code_challenge
            && form.find("redirect_uri") == Some(self.client.redirect_uri.as_str());
        fits.then_some(approved)
    }
}

fn decode(text: &str) -> String {
    let pair = url::form_urlencoded::parse(text.as_bytes()).next();
    pair.map(|(name, _)| name.into_owned()).unwrap_or_default()
}
