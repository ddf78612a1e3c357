//! What may be asked of the authorization endpoint.

use countersign_tests::provider::{Authenticator, serve_json};
use countersign_tests::user_agent::{Answer, UserAgent, unescape};
use serde_json::{Value, json};

use super::keys::{forge, jwks, key, now};
use super::world::{Rp, World, delivered};
use crate::fixture::{ALICE, Ask, DONALD, LAB_ACR, VERIFIER, assert_error, peek, text};
use crate::setup::{app_code, next_app_code};
use crate::user_registration::prompt_create::REGISTRATION;

const EVERY_TYPE: [&str; 6] =
    ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];

async fn hybrid(world: &World) -> Rp {
    world.client(json!({"response_types": EVERY_TYPE, "grant_types": ["authorization_code", "implicit"]})).await
}

/// Core, 5.4 and 11: what the scope stands for is there, and without it is not.
pub async fn scope(world: &World, scope: &str) {
    let rp = world.client(json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
    let asked = if scope == "openid" { "openid".to_owned() } else { format!("openid {scope}") };
    let tokens = world.tokens(&rp, &world.ask(&rp).with("scope", asked)).await;
    let access = peek(text(&tokens, "access_token"));
    assert!(text(&access, "scope").split(' ').any(|word| word == scope), "{access}");
    let person = world.provider.userinfo(text(&tokens, "access_token")).await.json();
    let claim = match scope {
        "openid" => return assert!(tokens["id_token"].is_string()),
        "offline_access" => return assert!(tokens["refresh_token"].is_string()),
        "profile" => "name",
        "phone" => "phone_number",
        same => same,
    };
    assert!(person.get(claim).is_some(), "{claim}");
    let bare = world.tokens(&rp, &world.ask(&rp)).await;
    let person = world.provider.userinfo(text(&bare, "access_token")).await.json();
    assert!(person.get(claim).is_none(), "{claim}");
}

/// RFC 6749, 3.3; RFC 7591, 3.2.2.
pub async fn no_scope(world: &World, scope: &str) {
    let rp = world.client(json!({})).await;
    assert_eq!(world.refusal(&world.ask(&rp).with("scope", format!("openid {scope}"))).await, "invalid_scope");
    let error = world.registration_error(json!({"scope": format!("openid {scope}")})).await;
    assert_eq!(error, "invalid_client_metadata");
}

/// Multiple Response Types, 3 and 5: what the words say is there, and nothing else.
pub async fn response_type(world: &World, kind: &str) {
    let rp = hybrid(world).await;
    let answer = world.answer(&world.ask(&rp).with("response_type", kind)).await;
    for (word, parameter) in [("code", "code"), ("token", "access_token"), ("id_token", "id_token")] {
        assert_eq!(kind.split(' ').any(|asked| asked == word), answer.contains_key(parameter), "{kind}: {answer:?}");
    }
    let other = world.client(json!({"response_types": ["code"]})).await;
    if kind != "code" {
        let ask = world.ask(&other).with("response_type", kind);
        assert_eq!(world.refusal(&ask).await, "unauthorized_client", "not registered");
    }
}

/// RFC 6749, 4.1.2.1.
pub async fn no_response_type(world: &World, kind: &str) {
    let rp = hybrid(world).await;
    assert_eq!(world.refusal(&world.ask(&rp).with("response_type", kind)).await, "unsupported_response_type");
    let error = world.registration_error(json!({"response_types": [kind]})).await;
    assert_eq!(error, "invalid_client_metadata");
}

/// Multiple Response Types, 2.1; Form Post Response Mode; JARM, 2.3.
pub async fn response_mode(world: &World, mode: &str) {
    let rp = world.client(json!({})).await;
    let answer = world.provider.answer(&world.alice, &world.ask(&rp).with("response_mode", mode)).await;
    let (way, parameters) = delivered(&answer);
    assert_eq!(way, if mode == "jwt" { "query" } else { mode.trim_end_matches(".jwt") });
    if mode.ends_with("jwt") {
        assert!(peek(&parameters["response"])["code"].is_string());
    } else {
        assert!(parameters.contains_key("code"));
    }
}

pub async fn no_response_mode(world: &World, mode: &str) {
    let rp = world.client(json!({})).await;
    assert_eq!(world.refusal(&world.ask(&rp).with("response_mode", mode)).await, "invalid_request");
}

/// RFC 7636, 4.6: the right verifier redeems the code, another does not.
pub async fn challenge_method(world: &World, method: &str) {
    let rp = world.client(json!({})).await;
    let ask = world.ask(&rp).with("code_challenge_method", method);
    let code = world.code(&ask).await;
    let mut wrong = World::redemption(&code);
    wrong[3].1 = "another-verifier-of-at-least-forty-three-characters";
    assert_error(&world.post(&rp, "token_endpoint", &wrong).await, 400, "invalid_grant");
    world.tokens(&rp, &ask).await;
}

/// RFC 7636, 4.4.1. Without a method it would be `plain`.
pub async fn no_challenge_method(world: &World, method: &str) {
    let rp = world.client(json!({})).await;
    let ask = world.ask(&rp).with("code_challenge_method", method).with("code_challenge", VERIFIER);
    assert_eq!(world.refusal(&ask).await, "invalid_request");
}

/// Core, 3.1.2.1.
pub async fn prompt(world: &World, prompt: &str) {
    let rp = world.client(json!({})).await;
    // By its policies: `anything` has one by which people register.
    let plain = if prompt == "create" { world.provider.ask("anything") } else { world.ask(&rp) };
    let ask = plain.with("prompt", prompt);
    if prompt == "none" {
        world.code(&ask).await;
        return assert_eq!(world.refusal(&ask).await, "login_required");
    }
    let page = world.alice.follow(world.alice.get(&ask.url()).await).await;
    match prompt {
        "login" => assert!(page.asks_for_password()),
        "consent" => assert!(page.body.contains(r#"value="allow""#), "{}", page.body),
        // Whatever session there is, it is the first page of the policy by which people register.
        "create" => assert!(page.status == 200 && page.body.contains(REGISTRATION), "{} {}", page.status, page.body),
        _ => assert!(page.url.path().starts_with("/select_account/"), "{}", page.url),
    }
}

pub async fn no_prompt(world: &World, prompt: &str) {
    let rp = world.client(json!({})).await;
    assert_eq!(world.refusal(&world.ask(&rp).with("prompt", prompt)).await, "invalid_request");
}

/// Core, 5.6.1: asserted by the provider itself, by no other.
pub async fn claim_type(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp).with("scope", "openid profile")).await;
    let person = world.provider.userinfo(text(&tokens, "access_token")).await.json();
    assert!(person["name"].is_string() && person.get("_claim_names").is_none(), "{person}");
}

/// Of the protocol: in every ID token. Of the person: when asked for by name.
pub async fn claim(world: &World, claim: &str) {
    let rp = world.client(json!({})).await;
    let asked = json!({"userinfo": {claim: null}, "id_token": {claim: null}});
    let tokens = world.tokens(&rp, &world.ask(&rp).with("claims", asked)).await;
    let identity = peek(text(&tokens, "id_token"));
    assert!(!identity[claim].is_null(), "{claim}: {identity}");
    let protocol = tokens_own_claims(&world.metadata).iter().any(|own| own == claim);
    let person = world.provider.userinfo(text(&tokens, "access_token")).await.json();
    assert!(protocol || !person[claim].is_null(), "{claim}: {person}");
}

/// What stands before the first claim of a person.
fn tokens_own_claims(metadata: &Value) -> Vec<String> {
    let claims = metadata["claims_supported"].as_array().unwrap();
    let own = claims.iter().filter_map(Value::as_str).take_while(|claim| *claim != "name");
    own.map(str::to_owned).collect()
}

/// Core, 5.5: what is not known is left out, no error.
pub async fn no_claim(world: &World, claim: &str) {
    let rp = world.client(json!({})).await;
    let asked = json!({"userinfo": {claim: {"essential": true}}, "id_token": {claim: {"essential": true}}});
    let tokens = world.tokens(&rp, &world.ask(&rp).with("claims", asked)).await;
    assert!(peek(text(&tokens, "id_token")).get(claim).is_none());
    let person = world.provider.userinfo(text(&tokens, "access_token")).await.json();
    assert!(person.get(claim).is_none(), "{person}");
}

pub async fn claims_parameter(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let tokens = world.tokens(&rp, &world.ask(&rp).with("claims", r#"{"id_token":{"email":null}}"#)).await;
    assert_eq!(peek(text(&tokens, "id_token"))["email"], ALICE.0);
    assert_eq!(world.refusal(&world.ask(&rp).with("claims", "{")).await, "invalid_request");
}

/// The claims of a request object that says what `ask` says, and another state.
fn object(world: &World, rp: &Rp, ask: &Ask) -> Value {
    let mut claims = json!({"iss": rp.id(), "aud": world.provider.demo.issuer, "exp": now() + 300, "nbf": now()});
    for (name, value) in ask.params() {
        claims[name] = json!(value);
    }
    claims["state"] = json!("of the object");
    claims
}

pub async fn request_parameter(world: &World, _: &str) {
    request_object(world, "ES256").await;
}

/// RFC 9101, 5; Core, 6.1.
pub async fn request_object(world: &World, algorithm: &str) {
    let registered = json!({"request_object_signing_alg": algorithm, "jwks": jwks()});
    let rp = world.client(registered).await;
    let claims = object(world, &rp, &world.ask(&rp));
    let unsigned = forge(&json!({"alg": "none"}), &claims);
    let signed = if algorithm == "none" { unsigned.clone() } else { key(algorithm).sign("JWT", &claims) };
    let answer = world.answer(&world.ask(&rp).with("request", signed)).await;
    assert_eq!(answer["state"], "of the object");
    let other = if algorithm == "none" { key("ES256").sign("JWT", &claims) } else { unsigned };
    assert_eq!(world.refusal(&world.ask(&rp).with("request", other)).await, "invalid_request_object");
}

pub async fn no_request_object(world: &World, algorithm: &str) {
    let rp = world.client(json!({"jwks": jwks()})).await;
    let forged = forge(&json!({"alg": algorithm}), &object(world, &rp, &world.ask(&rp)));
    assert_eq!(world.refusal(&world.ask(&rp).with("request", forged)).await, "invalid_request_object");
    let registered = json!({"request_object_signing_alg": algorithm, "jwks": jwks()});
    assert_eq!(world.registration_error(registered).await, "invalid_client_metadata");
}

/// A request object at an address of its client, which it registered or not.
async fn by_reference(world: &World, registered: bool) -> (Ask, Rp) {
    let served = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let shown = std::sync::Arc::clone(&served);
    let host = serve_json(move |_| Some((200, shown.lock().unwrap().clone()))).await;
    let address = format!("{host}/object");
    let uris = if registered { json!([address]) } else { json!([]) };
    let rp = world.client(json!({"jwks": jwks(), "request_uris": uris})).await;
    *served.lock().unwrap() = key("ES256").sign("JWT", &object(world, &rp, &world.ask(&rp)));
    (world.ask(&rp).with("request_uri", address), rp)
}

/// Core, 6.2.
pub async fn request_uri_parameter(world: &World, _: &str) {
    let (ask, _) = by_reference(world, true).await;
    assert_eq!(world.answer(&ask).await["state"], "of the object");
}

pub async fn unregistered_request_uri(world: &World, _: &str) {
    let (ask, _) = by_reference(world, false).await;
    assert_eq!(world.refusal(&ask).await, "invalid_request_uri");
}

/// JARM, 2.2 and 3.
pub async fn signed_response(world: &World, algorithm: &str) {
    let rp = world.client(json!({"authorization_signed_response_alg": algorithm})).await;
    let answer = world.answer(&world.ask(&rp).with("response_mode", "jwt")).await;
    let (_, claims) = world.provider.verify(&answer["response"], algorithm.parse().unwrap()).await;
    assert!(claims["code"].is_string() && claims["aud"] == rp.id());
}

pub async fn no_signed_response(world: &World, algorithm: &str) {
    let error = world.registration_error(json!({"authorization_signed_response_alg": algorithm})).await;
    assert_eq!(error, "invalid_client_metadata");
}

/// RFC 9126, 5: nobody has to push, but who registered to.
pub async fn unpushed(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    world.code(&world.ask(&rp)).await;
    let held = world.client(json!({"require_pushed_authorization_requests": true})).await;
    assert_eq!(world.refusal(&world.ask(&held)).await, "invalid_request");
}

/// RFC 9207, 2: in answers and errors.
pub async fn iss(world: &World, _: &str) {
    let rp = world.client(json!({})).await;
    let ask = world.ask(&rp);
    assert_eq!(world.answer(&ask).await["iss"], world.provider.demo.issuer);
    let refused = world.stranger().get(&ask.with("prompt", "none").url()).await;
    assert_eq!(delivered(&refused).1["iss"], world.provider.demo.issuer);
}

fn essential(acr: &str) -> String {
    json!({"id_token": {"acr": {"values": [acr], "essential": true}}, "userinfo": {"acr": null}}).to_string()
}

/// The policy of its own that reaches each.
fn policy_of(acr: &str) -> &'static str {
    match acr.rsplit(':').next().unwrap_or_default() {
        "federated" => "employees",
        "federated-totp" => "employees-totp",
        "passkey" => "passkey",
        "password-email" => "email",
        "password-phone" => "phone",
        "password-recovery" => "recovery-codes",
        "password-totp" => "totp",
        "step-up-totp" => "step-up-totp",
        _ => "lab",
    }
}

/// Core, 5.5.1.1: whoever insists on it is led to a page that reaches it, and told so where no page may be shown.
pub async fn acr(world: &World, acr: &str) {
    let rp = world.client(json!({"countersign_policy": policy_of(acr)})).await;
    let ask = world.ask(&rp).with("claims", essential(acr));
    if acr == LAB_ACR {
        let tokens = world.tokens(&rp, &ask).await;
        return assert_eq!(peek(text(&tokens, "id_token"))["acr"], acr);
    }
    assert_eq!(world.refusal(&ask.clone().with("prompt", "none")).await, "login_required");
    let stranger = world.stranger();
    let page: Answer = stranger.follow(stranger.get(&ask.url()).await).await;
    let end = match acr.rsplit(':').next().unwrap_or_default() {
        "federated" => by_employer(world, &stranger, page).await,
        "federated-totp" => by_employer_and_app(world, &stranger, page).await,
        "password-email" => by_code(world, &stranger, page, MAIL_USER, MAIL_USER.0).await,
        "password-phone" => by_code(world, &stranger, page, DONALD, DONALDS_PHONE).await,
        // An app's code is good once: each has a person of its own.
        "password-totp" => by_app(&stranger, page, HELPDESK).await,
        "step-up-totp" => by_app(&stranger, page, AUDITOR).await,
        "passkey" => by_passkey(world, &stranger, page).await,
        "password-recovery" => by_recovery_code(world, &stranger, page).await,
        other => panic!("nobody reaches {other}"),
    };
    let code = delivered(&end).1.remove("code").unwrap_or_else(|| panic!("{acr}: {} {}", end.status, end.body));
    let answer = world.post(&rp, "token_endpoint", &World::redemption(&code)).await;
    assert_eq!(answer.status, 200, "{acr}: {}", answer.body);
    let tokens = answer.json();
    for token in ["id_token", "access_token"] {
        assert_eq!(peek(text(&tokens, token))["acr"], acr, "{token}");
    }
    let info = world.provider.userinfo(text(&tokens, "access_token")).await.json();
    assert_eq!((&info["sub"], info["acr"].as_str()), (&peek(text(&tokens, "id_token"))["sub"], Some(acr)));
}

const DONALDS_PHONE: &str = "+12025553661";
const MAIL_USER: (&str, &str) = ("demohospital18@example.com", "ward-seven-0918-lamp");
/// With the seeds of their apps (CONTRACT.md).
const HELPDESK: (&str, &str, &str) =
    ("helpdesk@example.com", "copper-kettle-5160-fern", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U");
const AUDITOR: (&str, &str, &str) =
    ("auditor@example.com", "ledger-stone-7720-fern", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");

/// Password, and the code that is sent to `to`: the page that comes after it.
async fn prove_code(world: &World, agent: &UserAgent, page: Answer, who: (&str, &str), to: &str) -> Answer {
    let inbox = world.provider.demo.inbox();
    let unsent = agent.sign_in(&page, who.0, who.1).await;
    let old = inbox.ids(to).await;
    let sent = agent.follow(agent.press(&unsent, "send", &[]).await).await;
    let code = inbox.new_code(to, &old).await;
    agent.follow(agent.press(&sent, "verify", &[("code", &code)]).await).await
}

/// Password, and the code that is sent to `to`.
async fn by_code(world: &World, agent: &UserAgent, page: Answer, who: (&str, &str), to: &str) -> Answer {
    let verified = prove_code(world, agent, page, who, to).await;
    if verified.status == 303 { verified } else { agent.press(&verified, "continue", &[]).await }
}

/// Password, and what the app shows.
async fn by_app(agent: &UserAgent, page: Answer, (email, password, seed): (&str, &str, &str)) -> Answer {
    let asked = agent.sign_in(&page, email, password).await;
    agent.press(&asked, "verify", &[("code", &app_code(seed))]).await
}

/// Signs in by `login` with a code sent to `to`, and comes to the last page of `policy`, which begins on the account page.
async fn enrol(world: &World, login: &str, who: (&str, &str), to: &str, policy: &str) -> (UserAgent, Answer) {
    let rp = world.client(json!({"countersign_policy": login})).await;
    let agent = world.stranger();
    let page = agent.follow(agent.get(&world.ask(&rp).url()).await).await;
    by_code(world, &agent, page, who, to).await;
    let begun = agent.get(&world.provider.url(&format!("/account/{policy}"))).await;
    let begun = agent.follow(begun).await;
    let last = prove_code(world, &agent, begun, who, to).await;
    (agent, last)
}

/// What the authenticator of `page` is asked for.
fn passkey_options(page: &Answer) -> String {
    let options = page.body.split(r#"data-options=""#).nth(1).and_then(|rest| rest.split('"').next());
    unescape(options.unwrap_or_else(|| panic!("no options: {}", page.body)))
}

/// Answers a passkey's page; its fields are hidden, for a script to fill in.
async fn give_passkey(agent: &UserAgent, page: &Answer, credential: &str, name: &str) -> Answer {
    let form = page.form("verify");
    let mut fields = form.hidden;
    fields.retain(|(known, _)| known != "credential");
    for (name, value) in [("credential", credential), ("name", name), ("do", "verify")] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    agent.follow(agent.post(form.action.as_str(), &fields).await).await
}

/// An authenticator that was enrolled in another browser.
async fn by_passkey(world: &World, agent: &UserAgent, page: Answer) -> Answer {
    let mut key = Authenticator::new(7);
    key.origin.clone_from(&world.provider.demo.issuer);
    let (own, bind) = enrol(world, "email", MAIL_USER, MAIL_USER.0, "passkey-enrol").await;
    let made = key.create(&passkey_options(&bind));
    let bound = give_passkey(&own, &bind, &made, "Laptop").await;
    assert!(bound.body.contains("Laptop"), "{} {}", bound.status, bound.body);
    let shown = key.get(&passkey_options(&page));
    give_passkey(agent, &page, &shown, "").await
}

/// Password, and one of the codes that were shown once.
async fn by_recovery_code(world: &World, agent: &UserAgent, page: Answer) -> Answer {
    let (own, sheet) = enrol(world, "phone", DONALD, DONALDS_PHONE, "recovery-codes-enrol").await;
    let code = sheet.body.split("<li><code>").nth(1).and_then(|rest| rest.split('<').next());
    let code = code.unwrap_or_else(|| panic!("no codes: {}", sheet.body)).to_owned();
    own.press(&sheet, "continue", &[]).await;
    let asked = agent.sign_in(&page, DONALD.0, DONALD.1).await;
    agent.follow(agent.press(&asked, "verify", &[("code", &code)]).await).await
}

/// The corporate provider of the sandbox.
async fn by_employer(world: &World, agent: &UserAgent, page: Answer) -> Answer {
    let sign_in = agent.get(page.location().as_str()).await;
    assert!(sign_in.url.as_str().starts_with(&world.provider.demo.sandbox), "{}", sign_in.url);
    let back = agent.press(&sign_in, "sign_in", &[("email", "nurse@corp.example.com")]).await;
    agent.follow(agent.get(back.location().as_str()).await).await
}

/// The same, and an app that was bound in another browser: by the provider's sign-in and the mailbox it verified.
async fn by_employer_and_app(world: &World, agent: &UserAgent, page: Answer) -> Answer {
    let rp = world.client(json!({"countersign_policy": "employees"})).await;
    let own = world.stranger();
    let asked = own.follow(own.get(&world.ask(&rp).url()).await).await;
    by_employer(world, &own, asked).await;
    let begun = own.get(&world.provider.url("/account/employees-totp-enrol")).await;
    let unsent = by_employer(world, &own, own.follow(begun).await).await;
    let (inbox, to) = (world.provider.demo.inbox(), "nurse@corp.example.com");
    let old = inbox.ids(to).await;
    let sent = own.follow(own.press(&unsent, "send", &[]).await).await;
    let code = inbox.new_code(to, &old).await;
    let bind = own.follow(own.press(&sent, "verify", &[("code", &code)]).await).await;
    let secret = bind.body.split(r#"<p class="secret">"#).nth(1).and_then(|rest| rest.split('<').next());
    let secret = secret.unwrap_or_else(|| panic!("no secret: {} {}", bind.status, bind.body)).replace(' ', "");
    own.press(&bind, "verify", &[("code", &app_code(&secret))]).await;
    let asked = by_employer(world, agent, page).await;
    agent.press(&asked, "verify", &[("code", &next_app_code(&secret))]).await
}

/// OpenID Connect Core Error Code unmet_authentication_requirements 1.0; a wish alone is no reason to refuse.
pub async fn no_acr(world: &World, acr: &str) {
    let rp = world.client(json!({})).await;
    assert_eq!(
        world.refusal(&world.ask(&rp).with("claims", essential(acr))).await,
        "unmet_authentication_requirements"
    );
    let tokens = world.tokens(&rp, &world.ask(&rp).with("acr_values", acr)).await;
    assert_eq!(peek(text(&tokens, "id_token"))["acr"], LAB_ACR);
}

/// The language that a page is in where `tag` is asked for.
async fn language(world: &World, tag: &str) -> String {
    let rp = world.client(json!({})).await;
    let page = world.stranger().get(&world.ask(&rp).with("ui_locales", tag).url()).await;
    let found = page.body.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("no language: {} {}", page.status, page.body)).to_owned()
}

pub async fn locale(world: &World, tag: &str) {
    assert_eq!(language(world, tag).await, tag);
}

/// Core, 3.1.2.1: no error, another language.
pub async fn no_locale(world: &World, tag: &str) {
    assert_eq!(language(world, tag).await, "en");
}
