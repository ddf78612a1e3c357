//! A request to the admin API: its token, parameters and body; its answer, or the problem instead (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::delegation::Permission;
use countersign_service::{
    AdminCaller, AdminRefusal, PersonRefusal, RecordRefusal, RequestContext, ResourceCall, ServiceError, UserView,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::endpoint::resource::{self, Asked};
use crate::error;
use crate::node::Node;
use crate::request::{self, Body};

/// Longest key of a request, in characters.
const MAX_KEY: usize = 200;
/// Entries of a page, unless fewer or more are asked for.
const PAGE: u32 = 50;
/// The most entries of a page.
const MOST: u32 = 200;

/// Why a request was not carried out (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: what there is to know, the status says.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
}

/// A request that has a readable token; whether it is good is still to be found out.
pub struct Call<'a> {
    node: &'a Node,
    request: &'a HttpRequest,
    asked: Asked<'a>,
    context: RequestContext,
}

/// An answer, or the one instead of it.
pub type Told<T> = Result<T, Box<HttpResponse>>;

impl<'a> Call<'a> {
    pub fn of(node: &'a Node, request: &'a HttpRequest) -> Told<Self> {
        let asked = Asked::parse(request, Ok(countersign_protocol::Params::default()))
            .map_err(|refusal| Box::new(resource::refused(node, request, &refusal.into())))?;
        if !asked.has_token() {
            return Err(Box::new(resource::refused(node, request, &Refusal::Missing)));
        }
        Ok(Self { node, request, asked, context: request::context(node, request) })
    }

    /// As the use cases take it.
    pub fn resource(&self) -> ResourceCall<'_> {
        self.asked.call()
    }

    /// Who changes something: asked before the body is looked at, so that who may not learns nothing of it.
    pub async fn enter(&self, permission: Permission) -> Told<AdminCaller> {
        match self.node.provider.find_writer(self.resource(), permission).await {
            Ok(found) => found.map_err(|refusal| Box::new(self.refuse(refusal))),
            Err(failure) => Err(Box::new(error::program_failure(&failure))),
        }
    }

    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// A parameter of the query, read by `parse`; none: it is not there, or empty.
    pub fn parameter<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Told<Option<T>> {
        let Some(text) = self.asked.query().get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let unreadable = || Box::new(problem(StatusCode::BAD_REQUEST, &format!("{name} is not what it has to be")));
        parse(text).map(Some).ok_or_else(unreadable)
    }

    /// How many entries a page has.
    pub fn limit(&self) -> Told<u32> {
        let limit = self.parameter("limit", |text| text.parse().ok().filter(|limit| (1..=MOST).contains(limit)))?;
        Ok(limit.unwrap_or(PAGE))
    }

    /// The JSON document of the body.
    pub fn body<T: DeserializeOwned>(&self, body: &[u8]) -> Told<T> {
        let media_type = request::header(self.request, &CONTENT_TYPE).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let told = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is to be application/json");
            return Err(Box::new(told));
        }
        // What serde says names members and places of the body, and never what stands in it but for their kind.
        let unreadable = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            let why = format!("the body is not the document of this request (line {line}, column {column})");
            Box::new(problem(StatusCode::BAD_REQUEST, &why))
        };
        serde_json::from_slice(body).map_err(unreadable)
    }

    /// The versions that the account is to have (RFC 9110, 13.1.1); none: any.
    pub fn expected(&self) -> Told<Option<Vec<String>>> {
        let values: Vec<_> = self.request.headers().get_all(IF_MATCH).map(HeaderValue::to_str).collect();
        let malformed = || Box::new(problem(StatusCode::BAD_REQUEST, "If-Match is malformed"));
        let mut tags = Vec::new();
        for value in values {
            for tag in value.map_err(|_| malformed())?.split(',').map(str::trim) {
                if tag == "*" {
                    return Ok(None);
                }
                let strong = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                let is_weak = tag.starts_with("W/\"") && tag.ends_with('"');
                match strong {
                    Some(strong) => tags.push(strong.to_owned()),
                    None if is_weak => tags.push(String::new()),
                    None => return Err(malformed()),
                }
            }
        }
        Ok(Some(tags).filter(|tags| !tags.is_empty()))
    }

    /// The key under which the request may be sent again.
    pub fn key(&self) -> Told<Option<&str>> {
        let name = HeaderName::from_static("idempotency-key");
        if !self.request.headers().contains_key(&name) {
            return Ok(None);
        }
        let key = request::header(self.request, &name).map(|key| key.trim().trim_matches('"'));
        let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
        let malformed = || Box::new(problem(StatusCode::BAD_REQUEST, "Idempotency-Key has 1 to 200 characters"));
        key.map(Some).ok_or_else(malformed)
    }

    /// What a use case answered, as JSON.
    pub fn tell<T: Serialize>(
        &self,
        status: StatusCode,
        found: Result<Result<T, AdminRefusal>, ServiceError>,
    ) -> HttpResponse {
        self.answer(found, |told| match serde_json::to_value(&told) {
            Ok(document) => error::json(status, &document),
            Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written"),
        })
    }

    /// An account, with its version.
    pub fn tell_user(
        &self,
        status: StatusCode,
        found: Result<Result<UserView, AdminRefusal>, ServiceError>,
    ) -> HttpResponse {
        self.tell_versioned(status, found, UserView::version)
    }

    /// Something with its version.
    pub fn tell_versioned<T: Serialize>(
        &self,
        status: StatusCode,
        found: Result<Result<T, AdminRefusal>, ServiceError>,
        version: impl FnOnce(&T) -> String,
    ) -> HttpResponse {
        let version = found.as_ref().ok().and_then(|found| found.as_ref().ok()).map(version);
        let mut response = self.tell(status, found);
        let tag = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        if let Some(tag) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }

    /// Done, and there is nothing to say.
    pub fn tell_done(&self, found: Result<Result<(), AdminRefusal>, ServiceError>) -> HttpResponse {
        self.answer(found, |()| error::no_content())
    }

    fn answer<T>(
        &self,
        found: Result<Result<T, AdminRefusal>, ServiceError>,
        tell: impl FnOnce(T) -> HttpResponse,
    ) -> HttpResponse {
        let response = match found {
            Ok(Ok(told)) => tell(told),
            Ok(Err(refusal)) => return self.refuse(refusal),
            Err(failure) => error::program_failure(&failure),
        };
        error::with_nonce(response, self.node, self.request)
    }

    fn refuse(&self, refusal: AdminRefusal) -> HttpResponse {
        let response = match refusal {
            AdminRefusal::Token(refusal) => return resource::refused(self.node, self.request, &refusal),
            AdminRefusal::Unknown => problem(StatusCode::NOT_FOUND, "there is no such thing"),
            AdminRefusal::KeyReused => {
                problem(StatusCode::UNPROCESSABLE_ENTITY, "another request was made under this Idempotency-Key")
            }
            AdminRefusal::Spent { retry_after } => {
                let mut spent = problem(StatusCode::TOO_MANY_REQUESTS, "too many changes within an hour");
                error::set_header(&mut spent, &RETRY_AFTER, &retry_after.get().to_string());
                spent
            }
            AdminRefusal::Person(refusal) => problem(status_of(&refusal), &refusal.to_string()),
            AdminRefusal::Record(refusal) => problem(status_of_record(&refusal), &refusal.to_string()),
        };
        error::with_nonce(response, self.node, self.request)
    }
}

/// The body, if it could be read.
pub fn take(body: actix_web::Result<Body>) -> Told<Body> {
    body.map_err(|error| Box::new(problem(error.as_response_error().status_code(), &error.to_string())))
}

/// A problem document.
pub fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let problem = Problem {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: detail.to_owned(),
    };
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/problem+json")
        .body(serde_json::to_string(&problem).unwrap_or_default())
}

/// Why nothing was done for a person, as a status.
const fn status_of(refusal: &PersonRefusal) -> StatusCode {
    match refusal {
        PersonRefusal::Unknown => StatusCode::NOT_FOUND,
        PersonRefusal::Own | PersonRefusal::Administrator | PersonRefusal::Role => StatusCode::FORBIDDEN,
        PersonRefusal::Changed => StatusCode::PRECONDITION_FAILED,
        PersonRefusal::Wait => StatusCode::TOO_MANY_REQUESTS,
        PersonRefusal::Email
        | PersonRefusal::Username
        | PersonRefusal::Name
        | PersonRefusal::Reason
        | PersonRefusal::Locale
        | PersonRefusal::RoleUnknown
        | PersonRefusal::OrganizationMissing
        | PersonRefusal::OrganizationUnasked
        | PersonRefusal::OrganizationUnknown
        | PersonRefusal::OrganizationAmbiguous
        | PersonRefusal::ClientUnknown => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    }
}

/// Why nothing was done to the deployment, as a status.
const fn status_of_record(refusal: &RecordRefusal) -> StatusCode {
    match refusal {
        RecordRefusal::Unknown => StatusCode::NOT_FOUND,
        RecordRefusal::Changed => StatusCode::PRECONDITION_FAILED,
        RecordRefusal::Withdrawn | RecordRefusal::Forbidden(_) => StatusCode::FORBIDDEN,
        RecordRefusal::Conflict(_) => StatusCode::CONFLICT,
        RecordRefusal::Invalid(_) | RecordRefusal::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
