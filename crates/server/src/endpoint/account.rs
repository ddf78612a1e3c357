//! `/account`: the own account page, and the policies that begin there.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use countersign_model::{Factor, FactorKind};
use countersign_protocol::Params;
use countersign_service::{AccountAnswer, AccountCall, AccountDeed, OwnAccount, ServiceError};

use crate::error;
use crate::flow_page;
use crate::node::Node;
use crate::page::account_view::{AccountFactor, AccountGrant, AccountRemembered, AccountSession, AccountView};
use crate::page::{FormAction, Locale, PageRequest};
use crate::request::{self, Body};

/// Notices that the address of the page may name.
const NOTICES: [&str; 6] = ["changed", "session_ended", "forgotten", "withdrawn", "removed", "signed_out"];

/// GET: the page; without a session the sign-in.
pub async fn get(node: Data<Node>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let call = AccountCall { cookies: &cookies, locale: locale.as_str(), context: &context };
    let answer = node.provider.own_account(call).await;
    respond(&node, &request, locale, answer)
}

/// GET `/`, where people look who know the provider's address only.
pub async fn go() -> HttpResponse {
    see("/account")
}

/// GET `/account/{policy}`: changes something, by a policy that proves the person anew.
pub async fn begin(node: Data<Node>, path: Path<String>, request: HttpRequest) -> HttpResponse {
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let call = AccountCall { cookies: &cookies, locale: locale.as_str(), context: &context };
    let answer = node.provider.begin_enrolment(&path, call).await;
    respond(&node, &request, locale, answer)
}

/// POST: ends, forgets, withdraws; or hands out everything that is held.
pub async fn post(node: Data<Node>, request: HttpRequest, body: Body) -> HttpResponse {
    let form = match request::form(&request, &body) {
        Ok(form) => form,
        Err(refusal) => return error::refused_page(&node, &request, &refusal),
    };
    let (context, cookies) = (request::context(&node, &request), node.cookies.read(&request));
    let locale = request::locale(&node, &request, None);
    let call = AccountCall { cookies: &cookies, locale: locale.as_str(), context: &context };
    // A form of another site could do nothing but end sign-ins that are under way in this browser.
    if request::is_of_another_site(&request) {
        return see("/account");
    }
    let act = form.get("do").unwrap_or_default();
    if act == "export" {
        return export(&node, &request, locale, call).await;
    }
    let answer = match read_deed(&form) {
        Some(deed) => node.provider.change_account(deed, form.get("nonce").unwrap_or_default(), call).await,
        // To a page with an address of its own, where another language can be chosen.
        None if is_policy(act) => return see(&format!("/account/{act}")),
        None => node.provider.begin_enrolment(act, call).await,
    };
    respond(&node, &request, locale, answer)
}

/// Whether `word` is written like the id of a policy.
fn is_policy(word: &str) -> bool {
    !word.is_empty() && word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn read_deed(form: &Params) -> Option<AccountDeed> {
    let id = || form.get("id").unwrap_or_default().to_owned();
    Some(match form.get("do")? {
        "end_session" => AccountDeed::EndSession(id()),
        "end_all_sessions" => AccountDeed::EndOtherSessions,
        "forget_remembered" => AccountDeed::Forget(id()),
        "withdraw_consent" => AccountDeed::WithdrawConsent(id()),
        "withdraw_grant" => AccountDeed::Withdraw(id()),
        "remove_factor" => AccountDeed::RemoveFactor(id()),
        "logout" => AccountDeed::SignOut,
        _ => return None,
    })
}

async fn export(node: &Node, request: &HttpRequest, locale: Locale, call: AccountCall<'_>) -> HttpResponse {
    match node.provider.export_account(call).await {
        Ok(Some(held)) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header(("x-content-type-options", "nosniff"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"account.json\""))
            .json(held),
        Ok(None) => match node.provider.sign_in_anew(call).await {
            Ok(answered) => flow_page::answer(node, request, locale, answered),
            Err(failure) => error::person_failure(node, request, &failure),
        },
        Err(failure) => error::person_failure(node, request, &failure),
    }
}

fn respond(
    node: &Node,
    request: &HttpRequest,
    locale: Locale,
    answer: Result<AccountAnswer, ServiceError>,
) -> HttpResponse {
    match answer {
        Ok(AccountAnswer::Page(own)) => page(node, request, locale, *own),
        Ok(AccountAnswer::Done(notice)) => see(&format!("/account?notice={notice}")),
        Ok(AccountAnswer::Stale) => see("/account"),
        Ok(AccountAnswer::Flow(answered)) => flow_page::answer(node, request, locale, *answered),
        Err(failure) => error::person_failure(node, request, &failure),
    }
}

fn see(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).insert_header((CACHE_CONTROL, "no-store")).finish()
}

fn page(node: &Node, request: &HttpRequest, locale: Locale, own: OwnAccount) -> HttpResponse {
    let query = Params::parse_query(request.query_string()).ok();
    let told = query.as_ref().and_then(|query| query.get("notice"));
    let notice = told.filter(|key| NOTICES.contains(key)).map(str::to_owned);
    let page = PageRequest {
        here: flow_page::here(request, false),
        account: Some(AccountView { notice, ..view(own) }),
        ..PageRequest::new("account", locale, request::brand(node, request))
    };
    flow_page::respond(node, request, StatusCode::OK, page, &FormAction::Own)
}

fn view(own: OwnAccount) -> AccountView {
    let (account, current) = (own.account, own.session);
    let codes = own.recovery_codes.iter().filter(|code| code.used_at.is_none()).count();
    let recovery = (!own.recovery_codes.is_empty()).then(|| AccountFactor {
        kind: "recovery_codes".to_owned(),
        added_at: own.recovery_codes.first().map(|code| code.created_at),
        left: u32::try_from(codes).ok(),
        ..AccountFactor::default()
    });
    let session = |session: countersign_model::BrowserSession| AccountSession {
        current: session.id == current,
        id: session.id.to_string(),
        device: session.device,
        address: session.address,
        begun_at: Some(session.created_at),
        used_at: Some(session.seen_at),
    };
    let remembered = |(id, login): (String, countersign_model::RememberedLogin)| AccountRemembered {
        id,
        policy: login.policy,
        device: login.device,
        until: Some(login.expires_at),
    };
    let grant = |(application, grant): (String, countersign_model::Grant)| AccountGrant {
        id: grant.id.to_string(),
        application,
        scopes: grant.scope.to_string().split(' ').map(str::to_owned).collect(),
        since: Some(grant.created_at),
    };
    let consent = |(application, consent): (String, countersign_model::Consent)| AccountGrant {
        id: consent.client.to_string(),
        application,
        scopes: consent.scope.iter().map(str::to_owned).collect(),
        since: Some(consent.given_at),
    };
    AccountView {
        nonce: own.nonce,
        name: account.user.profile.name.clone().unwrap_or_default(),
        username: account.user.username.clone(),
        email: account.user.email.clone(),
        phone: account.factor(FactorKind::Phone).map(|factor| countersign_service::mask_phone(&factor.value)),
        password_set_at: account.password.as_ref().map(|password| password.changed_at),
        factors: account.factors.iter().filter_map(|kept| factor(kept, &own.removable)).chain(recovery).collect(),
        sessions: own.sessions.into_iter().map(session).collect(),
        remembered: own.remembered.into_iter().map(remembered).collect(),
        grants: own.grants.into_iter().map(grant).collect(),
        consents: own.consents.into_iter().map(consent).collect(),
        actions: own.actions,
        administers: own.administers,
        notice: None,
    }
}

/// Mail and phone stand elsewhere on the page.
fn factor(factor: &Factor, removable: &[FactorKind]) -> Option<AccountFactor> {
    matches!(factor.kind, FactorKind::Totp | FactorKind::Passkey).then(|| AccountFactor {
        id: factor.id.to_string(),
        kind: factor.kind.as_str().to_owned(),
        name: factor.name.clone(),
        added_at: Some(factor.bound_at),
        used_at: factor.used_at,
        left: None,
        removable: removable.contains(&factor.kind),
    })
}
