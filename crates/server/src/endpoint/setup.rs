//! `/setup`: the console of those who look after people (R56).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};
use countersign_model::{UserId, UserStatus};
use countersign_protocol::Params;
use countersign_service::{
    AccountCall, Attempt, BrowserCookies, CookieChanges, Happening, ListedPerson, PeopleAsked, PeoplePage, PersonPage,
    PersonRefusal, RequestContext, ResetPage, ServiceError, SetupHome, SetupRefusal, SetupTold,
};
use url::form_urlencoded::byte_serialize;

use crate::error::{self, method_not_allowed};
use crate::flow_page;
use crate::node::Node;
use crate::page::setup_view::{SetupAttempt, SetupEvent, SetupPerson, SetupView};
use crate::page::{FieldView, FormAction, FormView, Locale, NoticeView, PageRequest, Tone, values};
use crate::request::{self, Body};

/// What one may do at an address of the console.
#[derive(Clone, Copy, Debug)]
pub struct SetupRoute {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path; `{user}` is a person's id.
    pub path: &'static str,
    handler: fn() -> Route,
}

/// Every address of the console, those of one path together. Nothing else of it is routed, and the tests try each of
/// them as every role.
pub const ROUTES: [SetupRoute; 6] = [
    SetupRoute { method: "GET", path: "/setup", handler: || web::get().to(home) },
    SetupRoute { method: "GET", path: "/setup/users", handler: || web::get().to(people) },
    SetupRoute { method: "GET", path: "/setup/users/{user}", handler: || web::get().to(person) },
    SetupRoute { method: "GET", path: "/setup/users/{user}/reset", handler: || web::get().to(ask_reset) },
    SetupRoute { method: "POST", path: "/setup/users/{user}/reset", handler: || web::post().to(reset) },
    SetupRoute { method: "POST", path: "/setup/users/{user}/invite", handler: || web::post().to(invite) },
];

/// Notices that the address of a page may name, as its page has words for them.
const TOLD: [&str; 11] = [
    "reset",
    "invited",
    "own",
    "administrator",
    "no_mailbox",
    "disabled",
    "registered",
    "wait",
    "reason",
    "out_of_date",
    "problem",
];
/// Longest reason, in characters, as the service takes it.
const MAX_REASON: usize = 500;
/// Longest text to search for, in characters, as the service looks at it.
const MAX_SEARCH: usize = 100;

/// Routes [`ROUTES`].
pub fn routes(routes: &mut ServiceConfig) {
    for rows in ROUTES.chunk_by(|one, two| one.path == two.path) {
        let Some(first) = rows.first() else { continue };
        let allowed = if rows.len() > 1 { "GET, POST" } else { first.method };
        let resource = rows.iter().fold(web::resource(first.path), |resource, row| resource.route((row.handler)()));
        routes.service(resource.default_service(web::to(move || async move { method_not_allowed(allowed) })));
    }
}

/// What every visit brings.
struct Visit {
    context: RequestContext,
    cookies: BrowserCookies,
    locale: Locale,
}

impl Visit {
    fn of(node: &Node, request: &HttpRequest) -> Self {
        Self {
            context: request::context(node, request),
            cookies: node.cookies.read(request),
            locale: request::locale(node, request, None),
        }
    }

    fn call(&self) -> AccountCall<'_> {
        AccountCall { cookies: &self.cookies, locale: self.locale.as_str(), context: &self.context }
    }
}

/// What the service answers.
type Found<T> = Result<Result<T, SetupRefusal>, ServiceError>;

async fn home(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::of(&node, &request);
    match sort(&node, &request, &visit, node.provider.setup_home(visit.call()).await) {
        Ok(SetupHome { organizations }) => {
            let page = new_page("setup", &node, &request, &visit);
            show(&node, &request, page, scope(organizations))
        }
        Err(response) => *response,
    }
}

async fn people(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::of(&node, &request);
    let asked = read_search(&request);
    match sort(&node, &request, &visit, node.provider.setup_people(&asked, visit.call()).await) {
        Ok(found) => {
            let fields = vec![search_field(&found.search)];
            let page = PageRequest { fields, ..new_page("setup_users", &node, &request, &visit) };
            show(&node, &request, page, list_view(found, asked.after.is_some()))
        }
        Err(response) => *response,
    }
}

async fn person(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::of(&node, &request);
    let found = match path.parse::<UserId>() {
        Ok(user) => node.provider.setup_person(&user, visit.call()).await,
        Err(_) => self::unknown(&node, &visit).await,
    };
    match sort(&node, &request, &visit, found) {
        Ok(found) => {
            let form = Some(FormView { nonce: found.nonce.clone(), ..FormView::default() });
            let notices = notices(&request);
            let page = PageRequest { form, notices, ..new_page("setup_user", &node, &request, &visit) };
            show(&node, &request, page, person_view(found))
        }
        Err(response) => *response,
    }
}

async fn ask_reset(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::of(&node, &request);
    let found = match path.parse::<UserId>() {
        Ok(user) => node.provider.ask_reset(&user, visit.call()).await,
        Err(_) => self::unknown(&node, &visit).await,
    };
    match sort(&node, &request, &visit, found) {
        Ok(Some(ResetPage { nonce, person })) => {
            let (form, fields) = (Some(FormView { nonce, ..FormView::default() }), vec![reason_field()]);
            let notices = notices(&request);
            let page = PageRequest { form, fields, notices, ..new_page("setup_reset", &node, &request, &visit) };
            show(&node, &request, page, SetupView { person: view(person), ..SetupView::default() })
        }
        Ok(None) => see(&format!("/setup/users/{path}")),
        Err(response) => *response,
    }
}

async fn reset(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    // Such a form could do nothing but end sign-ins that are under way in this browser.
    if request::is_of_another_site(&request) {
        return see("/setup/users");
    }
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let visit = Visit::of(&node, &request);
    let (nonce, reason) = (form.get("nonce").unwrap_or_default(), form.get("reason").unwrap_or_default());
    let done = match path.parse::<UserId>() {
        Ok(user) => node.provider.reset_person(&user, nonce, reason, visit.call()).await,
        Err(_) => self::unknown(&node, &visit).await,
    };
    match sort(&node, &request, &visit, done) {
        Ok(SetupTold::Done) => see(&format!("/setup/users/{path}?notice=reset")),
        Ok(told) => {
            let notice = word(&told);
            let page = if matches!(notice, "reason" | "out_of_date") { "/reset" } else { "" };
            see(&format!("/setup/users/{path}{page}?notice={notice}"))
        }
        Err(response) => *response,
    }
}

async fn invite(node: Data<Node>, path: Path<String>, request: HttpRequest, body: Body) -> HttpResponse {
    // Such a form could do nothing but end sign-ins that are under way in this browser.
    if request::is_of_another_site(&request) {
        return see("/setup/users");
    }
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let visit = Visit::of(&node, &request);
    let nonce = form.get("nonce").unwrap_or_default();
    let done = match path.parse::<UserId>() {
        Ok(user) => node.provider.invite_person_again(&user, nonce, visit.call()).await,
        Err(_) => self::unknown(&node, &visit).await,
    };
    match sort(&node, &request, &visit, done) {
        Ok(SetupTold::Done) => see(&format!("/setup/users/{path}?notice=invited")),
        Ok(told) => see(&format!("/setup/users/{path}?notice={}", word(&told))),
        Err(response) => *response,
    }
}

/// What is no id is nobody's, for who is let in; everybody else is told what they always are.
async fn unknown<T>(node: &Node, visit: &Visit) -> Found<T> {
    Ok(Err(match node.provider.setup_home(visit.call()).await? {
        Ok(_) => SetupRefusal::Unknown,
        Err(refusal) => refusal,
    }))
}

/// The page to be shown, or the answer instead of it.
fn sort<T>(node: &Node, request: &HttpRequest, visit: &Visit, found: Found<T>) -> Result<T, Box<HttpResponse>> {
    let refusal = match found {
        Ok(Ok(page)) => return Ok(page),
        Ok(Err(refusal)) => refusal,
        Err(failure) => return Err(Box::new(error::person_failure(node, request, &failure))),
    };
    let (status, page) = match refusal {
        SetupRefusal::Prove(answered) => {
            return Err(Box::new(flow_page::answer(node, request, visit.locale, *answered)));
        }
        SetupRefusal::Forbidden => {
            let page = new_page("setup_forbidden", node, request, visit).with_value(values::HREF, "/account");
            (StatusCode::FORBIDDEN, page)
        }
        SetupRefusal::Unknown => (StatusCode::NOT_FOUND, new_page("not_found", node, request, visit)),
    };
    Err(Box::new(flow_page::respond(node, request, status, page, &FormAction::Own)))
}

fn new_page(name: &str, node: &Node, request: &HttpRequest, visit: &Visit) -> PageRequest {
    let here = flow_page::here(request, true);
    PageRequest { here, ..PageRequest::new(name, visit.locale, request::brand(node, request)) }
}

fn show(node: &Node, request: &HttpRequest, page: PageRequest, view: SetupView) -> HttpResponse {
    let page = PageRequest { setup: Some(view), ..page };
    let mut response = flow_page::respond(node, request, StatusCode::OK, page, &FormAction::Own);
    flow_page::set_cookies(node, request, &CookieChanges::default(), &mut response);
    response
}

fn see(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).insert_header((CACHE_CONTROL, "no-store")).finish()
}

fn query_of(request: &HttpRequest) -> Params {
    Params::parse_query(request.query_string()).unwrap_or_default()
}

fn read_search(request: &HttpRequest) -> PeopleAsked {
    let query = query_of(request);
    PeopleAsked {
        search: query.get("search").unwrap_or_default().to_owned(),
        after: query.get("after").and_then(|after| after.parse().ok()),
    }
}

/// What the address says was done, or why nothing was.
fn notices(request: &HttpRequest) -> Vec<NoticeView> {
    let query = query_of(request);
    let told = query.get("notice").filter(|key| TOLD.contains(key));
    let notice = |key: &str| {
        let tone = match key {
            "reset" | "invited" => Tone::Success,
            "out_of_date" => Tone::Info,
            _ => Tone::Error,
        };
        let field = (key == "reason").then(|| key.to_owned());
        NoticeView { key: key.to_owned(), tone, field }
    };
    told.into_iter().map(notice).collect()
}

/// The notice that says why nothing was done.
const fn word(told: &SetupTold) -> &'static str {
    match told {
        SetupTold::Stale => "out_of_date",
        SetupTold::Refused(refusal) => match refusal {
            PersonRefusal::Own => "own",
            PersonRefusal::Administrator => "administrator",
            PersonRefusal::NoMailbox => "no_mailbox",
            PersonRefusal::Disabled | PersonRefusal::Closed => "disabled",
            PersonRefusal::Registered => "registered",
            PersonRefusal::Wait => "wait",
            PersonRefusal::Reason => "reason",
            _ => "problem",
        },
        SetupTold::Done => "problem",
    }
}

fn search_field(search: &str) -> FieldView {
    FieldView {
        name: "search".to_owned(),
        kind: "search".to_owned(),
        max_length: MAX_SEARCH,
        value: search.to_owned(),
        ..FieldView::default()
    }
}

fn reason_field() -> FieldView {
    FieldView {
        name: "reason".to_owned(),
        kind: "text".to_owned(),
        max_length: MAX_REASON,
        required: true,
        ..FieldView::default()
    }
}

fn scope(organizations: Option<Vec<String>>) -> SetupView {
    SetupView {
        everybody: organizations.is_none(),
        organizations: organizations.unwrap_or_default(),
        ..SetupView::default()
    }
}

fn list_view(found: PeoplePage, further: bool) -> SetupView {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let search = if found.search.is_empty() { String::new() } else { format!("search={}&", encode(&found.search)) };
    SetupView {
        next: found.next.map(|next| format!("/setup/users?{search}after={next}")),
        search: found.search,
        further,
        people: found.people.into_iter().map(view).collect(),
        ..scope(found.organizations)
    }
}

fn person_view(found: PersonPage) -> SetupView {
    SetupView {
        changeable: found.forbidden.is_none(),
        person: view(found.person),
        attempts: found.timeline.attempts.into_iter().map(attempt).collect(),
        other: found.timeline.other.into_iter().map(event).collect(),
        ..SetupView::default()
    }
}

fn view(person: ListedPerson) -> SetupPerson {
    let state = match (person.status, person.registered_at) {
        (UserStatus::Active, Some(_)) => "complete",
        (UserStatus::Active, None) => "unfinished",
        (UserStatus::Disabled | UserStatus::Closed, _) => "disabled",
    };
    let names = [&person.name, &person.email, &person.username];
    let name = names.into_iter().flatten().find(|name| !name.trim().is_empty()).cloned();
    SetupPerson {
        name: name.unwrap_or_else(|| person.id.to_string()),
        id: person.id.to_string(),
        email: person.email,
        username: person.username,
        organization: person.organization,
        state: state.to_owned(),
        registered_at: person.registered_at,
        factors: person.factors.into_iter().map(|kind| kind.as_str().to_owned()).collect(),
        phone: person.phone,
        signed_in_at: person.signed_in_at,
    }
}

fn attempt(attempt: Attempt) -> SetupAttempt {
    let sends = attempt.sends.into_iter().map(|send| SetupEvent { at: Some(send.at), line: send.line });
    let mut events: Vec<SetupEvent> = attempt.steps.into_iter().map(event).chain(sends).collect();
    events.sort_by_key(|event| event.at);
    SetupAttempt { at: Some(attempt.began_at), result: attempt.result.as_str().to_owned(), why: attempt.why, events }
}

fn event(happening: Happening) -> SetupEvent {
    SetupEvent { at: Some(happening.at), line: happening.line }
}
