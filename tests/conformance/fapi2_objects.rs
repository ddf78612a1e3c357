//! Modules of the FAPI 2.0 Message Signing plan about request objects (Message Signing, 5.3; RFC 9101).

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fapi::Fapi;
use crate::fapi2::assert_refused;
use crate::keys::unsigned;
use crate::suite::Run;

/// Signs in by an object with changed claims.
async fn accepted(run: &Run, change: impl FnOnce(&Fapi, &mut Value)) {
    let fapi = Fapi::register(run).await;
    let ask = fapi.ask();
    let mut claims = fapi.object_claims(&ask);
    change(&fapi, &mut claims);
    let name = fapi.pushed(fapi.push_object(&fapi.object(&claims))).await;
    let response = fapi.answer(&ask, &fapi.by_name(&name)).await;
    fapi.finish(&ask, &response).await;
}

/// An object that is no request, and the same client's sound one, which is.
async fn refused(run: &Run, object: impl FnOnce(&Fapi, Value) -> String) {
    let fapi = Fapi::register(run).await;
    let object = object(&fapi, fapi.object_claims(&fapi.ask()));
    assert_refused(&fapi.push_object(&object).send().await, &["invalid_request_object"]);
    fapi.pushed(fapi.push(&fapi.ask())).await;
}

async fn refused_with(run: &Run, name: &str, value: impl FnOnce(&Fapi) -> Value) {
    refused(run, |fapi, mut claims| {
        claims[name] = value(fapi);
        fapi.object(&claims)
    })
    .await;
}

async fn refused_without(run: &Run, name: &str) {
    refused(run, |fapi, mut claims| {
        claims.as_object_mut().expect("claims").remove(name);
        fapi.object(&claims)
    })
    .await;
}

pub async fn ensure_request_object_with_multiple_aud_succeeds(run: Run) {
    let also = |_: &Fapi, claims: &mut Value| claims["aud"] = json!(["https://other.example.com", claims["aud"]]);
    accepted(&run, also).await;
}

pub async fn ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(run: Run) {
    accepted(&run, |fapi, claims| claims["nbf"] = json!(fapi.now() + 8)).await;
}

pub async fn ensure_request_object_without_exp_fails(run: Run) {
    refused_without(&run, "exp").await;
}

pub async fn ensure_request_object_without_nbf_fails(run: Run) {
    refused_without(&run, "nbf").await;
}

pub async fn ensure_expired_request_object_fails(run: Run) {
    refused_with(&run, "exp", |fapi| json!(fapi.now() - 300)).await;
}

pub async fn ensure_request_object_with_bad_aud_fails(run: Run) {
    refused_with(&run, "aud", |_| json!("https://other.example.com")).await;
}

pub async fn ensure_request_object_with_exp_over_60_fails(run: Run) {
    refused_with(&run, "exp", |fapi| json!(fapi.now() + 70 * 60)).await;
}

pub async fn ensure_request_object_with_nbf_over_60_fails(run: Run) {
    refused_with(&run, "nbf", |fapi| json!(fapi.now() - 70 * 60)).await;
}

pub async fn ensure_signed_request_object_with_rs256_fails(run: Run) {
    refused(&run, |fapi, claims| fapi.rp.key.sign_with(Algorithm::RS256, "oauth-authz-req+jwt", &claims)).await;
}

pub async fn ensure_request_object_signature_algorithm_is_not_none(run: Run) {
    refused(&run, |_, claims| unsigned(&claims)).await;
}

/// The signature of one object under the claims of another.
pub async fn ensure_request_object_with_invalid_signature_fails(run: Run) {
    refused(&run, |fapi, mut claims| {
        let signature = fapi.object(&claims).rsplit('.').next().expect("a signature").to_owned();
        claims["state"] = json!("changed");
        let message = fapi.object(&claims);
        format!("{}.{signature}", message.rsplit_once('.').expect("a JWS").0)
    })
    .await;
}

/// The object of one client under the key of another.
pub async fn ensure_matching_key_in_authorization_request(run: Run) {
    let other = Fapi::register(&run).await;
    refused(&run, |_, claims| other.object(&claims)).await;
}

/// Message Signing, 5.3.1: whoever must sign may not push in clear.
pub async fn ensure_unsigned_request_at_par_endpoint_fails(run: Run) {
    let fapi = Fapi::register(&run).await;
    let bare = fapi.push_object("").without("request");
    let call = fapi.ask().params.iter().fold(bare, |call, (name, value)| call.with(name, value));
    assert_refused(&call.send().await, &["invalid_request"]);
}

/// RFC 9101, 4: an object holds no other.
pub async fn par_authorization_request_containing_request_uri(run: Run) {
    refused_with(&run, "request_uri", |_| json!("urn:ietf:params:oauth:request_uri:of-another-request")).await;
}
