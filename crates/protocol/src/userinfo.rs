//! Claims about a person (OpenID Connect Core, 5.1, 5.3 and 5.4).

use countersign_model::account::PostalAddress;
use countersign_model::{Account, Authentication, ClientId, FactorKind, PolicyNaming, Scope};
use serde_json::{Map, Value, json};

use crate::id_token::told_acr;
use crate::issuer::Issuer;
use crate::scopes::{self, ACR};

/// The UserInfo response: `sub` always, as the client's tokens have it, then what `scope` stands for and what was asked
/// for by name; a claim without a value is left out (Core, 5.3.2). `acr` is that of the ID token, and told only to who
/// asked for it here (5.5): it speaks of a sign-in, of which UserInfo knows by the token alone.
pub fn claims(
    account: &Account,
    authentication: &Authentication,
    scope: &Scope,
    requested: &[String],
    naming: &PolicyNaming,
) -> Map<String, Value> {
    let by_scope = scopes::CLAIMS.iter().filter(|(value, _)| scope.contains(value)).flat_map(|(_, claims)| *claims);
    let wanted: Vec<&str> = by_scope.copied().chain(requested.iter().map(String::as_str)).collect();
    let mut claims = collect(account, &wanted);
    if !authentication.is_hearsay() && requested.iter().any(|name| name == ACR) {
        claims.insert(ACR.to_owned(), json!(told_acr(authentication, naming)));
    }
    claims.insert("sub".to_owned(), json!(authentication.subject()));
    claims
}

/// The claims of a signed answer (Core, 5.3.2).
pub fn signed_claims(mut claims: Map<String, Value>, issuer: &Issuer, client: &ClientId) -> Map<String, Value> {
    claims.insert("iss".to_owned(), json!(issuer.as_str()));
    claims.insert("aud".to_owned(), json!(client.as_str()));
    claims
}

/// The claims named, those without a value left out.
pub(crate) fn named(account: &Account, names: &[String]) -> Map<String, Value> {
    collect(account, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn collect(account: &Account, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), find(account, name)?))).collect()
}

/// The value of the claim `name`, if the person has one.
fn find(account: &Account, name: &str) -> Option<Value> {
    let user = &account.user;
    let profile = &user.profile;
    let text = match name {
        "name" => &profile.name,
        "family_name" => &profile.family_name,
        "given_name" => &profile.given_name,
        "middle_name" => &profile.middle_name,
        "nickname" => &profile.nickname,
        "preferred_username" => {
            if profile.preferred_username.is_some() {
                &profile.preferred_username
            } else {
                &user.username
            }
        }
        "profile" => &profile.profile,
        "picture" => &profile.picture,
        "website" => &profile.website,
        "gender" => &profile.gender,
        "birthdate" => &profile.birthdate,
        "zoneinfo" => &profile.zoneinfo,
        "locale" => &profile.locale,
        "email" => &user.email,
        _ => return find_other(account, name),
    };
    text.as_ref().map(|text| json!(text))
}

fn find_other(account: &Account, name: &str) -> Option<Value> {
    let user = &account.user;
    let phone = account.factor(FactorKind::Phone);
    match name {
        "updated_at" => Some(json!(user.updated_at.as_secs())),
        "email_verified" => {
            let email = user.email.as_ref()?;
            let proven = |kind, value: &str| kind == FactorKind::Mailbox && value.eq_ignore_ascii_case(email);
            Some(json!(account.factors.iter().any(|factor| proven(factor.kind, &factor.value))))
        }
        "phone_number" => phone_number(account).map(|number| json!(number)),
        // A phone is bound by a code sent to it.
        "phone_number_verified" => {
            let number = phone_number(account)?;
            Some(json!(phone.is_some_and(|factor| factor.value == number)))
        }
        "address" => user.profile.address.as_ref().and_then(postal_address),
        _ => None,
    }
}

/// The number people are to be reached at, else the bound phone's.
fn phone_number(account: &Account) -> Option<&str> {
    let told = account.user.profile.phone_number.as_deref();
    told.or_else(|| account.factor(FactorKind::Phone).map(|factor| factor.value.as_str()))
}

fn postal_address(address: &PostalAddress) -> Option<Value> {
    let members = [
        ("formatted", &address.formatted),
        ("street_address", &address.street_address),
        ("locality", &address.locality),
        ("region", &address.region),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
    ];
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    let members: Map<String, Value> = present.collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

#[cfg(test)]
mod tests;
