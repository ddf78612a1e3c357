//! Passkeys (WebAuthn Level 3): a ceremony begins with a page and ends with what the browser posts.
//!
//! Nothing is stored in between. The ceremony's state rides sealed in the page's form, bound to the flow and to the
//! version of it that the page was made from; a version is answered once, so no signature counts twice. User
//! verification is always demanded: a passkey may be all that a policy asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::{FieldView, Input, PageView, PasskeyProof, PasskeyUse};
use countersign_model::{Account, Factor, FactorId, FactorKind, FlowId, Seconds, Timestamp, UserId};
use countersign_protocol::Issuer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    AuthenticationResult, CreationChallengeResponse, DiscoverableAuthentication, DiscoverableKey, Passkey,
    PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    RequestChallengeResponse, Uuid, Webauthn, WebauthnBuilder,
};

use crate::ServiceError;
use crate::clock::random;
use crate::provider::Provider;
use crate::vault::Purpose;

/// Longest answer of a browser that is looked at, in bytes.
const MAX_CREDENTIAL: usize = 16 * 1024;
/// Longest sealed ceremony that is looked at, in characters.
const MAX_CEREMONY: usize = 32 * 1024;
/// How long a person may take.
const LIFETIME: Seconds = Seconds::minutes(5);
/// Passkeys a person may have.
const MAX_PASSKEYS: usize = 20;
/// Longest name of a passkey, in characters.
const MAX_NAME: usize = 60;

/// The relying party; absent where the issuer's host has no name, since browsers know no passkeys there.
pub(crate) struct Passkeys(Option<Webauthn>);

impl Passkeys {
    /// The relying party whose id is the issuer's host.
    pub(crate) fn new(issuer: &Issuer, name: &str) -> Self {
        let origin = Url::parse(issuer.as_str()).ok();
        let webauthn = origin.as_ref().and_then(|origin| {
            let built = WebauthnBuilder::new(origin.domain()?, origin).map(|builder| builder.rp_name(name));
            built.and_then(WebauthnBuilder::build).ok()
        });
        Self(webauthn)
    }
}

/// A ceremony that waits for the browser.
#[derive(Serialize, Deserialize)]
enum Ceremony {
    Discover(DiscoverableAuthentication),
    Assert(PasskeyAuthentication),
    Register(PasskeyRegistration),
}

#[derive(Serialize, Deserialize)]
struct SealedCeremony {
    expires_at: Timestamp,
    /// Account it was begun for; none: whoever signs.
    user: Option<UserId>,
    ceremony: Ceremony,
}

/// What the page needs for a ceremony.
#[derive(Clone, Debug)]
pub(crate) struct PasskeyView {
    /// Options for `navigator.credentials`, JSON that may stand in a page as it is.
    pub(crate) options: String,
    /// The sealed state, for the field `ceremony`.
    pub(crate) ceremony: String,
}

/// What a ceremony proved.
pub(crate) struct FoundPasskey {
    pub(crate) proof: PasskeyProof,
    /// Whose it is.
    pub(crate) account: Account,
    /// What is to be written if the machine says so.
    pub(crate) change: PasskeyChange,
}

/// What becomes of the stored passkey.
#[derive(Clone)]
pub(crate) enum PasskeyChange {
    /// It signed: its credential as it is now.
    Used { factor: FactorId, value: String },
    /// It was made.
    Made(Box<Factor>),
}

/// Where a ceremony belongs.
#[derive(Clone, Copy)]
pub(crate) struct CeremonyPlace {
    pub(crate) flow: FlowId,
    /// Version of the instance that the page was made from.
    pub(crate) version: u32,
}

impl CeremonyPlace {
    fn context(self) -> Vec<u8> {
        [b"ceremony:", self.flow.as_bytes().as_slice(), &self.version.to_be_bytes()].concat()
    }
}

impl Provider {
    /// Begins the ceremony that `page` asks for, and puts it into the page. Without a relying party, or with nobody to
    /// begin it for, the page stays as it is and says so itself.
    pub(crate) async fn show_ceremony(
        &self,
        place: CeremonyPlace,
        user: Option<&UserId>,
        page: &mut PageView,
    ) -> Result<(), ServiceError> {
        let Some(purpose) = page.asks.passkey else { return Ok(()) };
        let account = match user {
            Some(user) => self.db.read(async |tx| tx.find_account(user).await).await?,
            None => None,
        };
        let Some(view) = self.begin_ceremony(place, purpose, account.as_ref())? else { return Ok(()) };
        page.values.insert("passkey_options", view.options);
        for (name, value) in [("ceremony", view.ceremony), ("credential", String::new())] {
            match page.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.value = value,
                None => page.fields.push(hidden(name, value)),
            }
        }
        Ok(())
    }

    fn begin_ceremony(
        &self,
        place: CeremonyPlace,
        purpose: PasskeyUse,
        account: Option<&Account>,
    ) -> Result<Option<PasskeyView>, ServiceError> {
        let Some(webauthn) = &self.passkeys.0 else { return Ok(None) };
        let begun = match (purpose, account) {
            (PasskeyUse::Assert, None) => webauthn
                .start_discoverable_authentication()
                .map(|(options, state)| (request_options(&options), Ceremony::Discover(state))),
            (PasskeyUse::Assert, Some(account)) => webauthn
                .start_passkey_authentication(&list_passkeys(account).map(|(_, key)| key).collect::<Vec<_>>())
                .map(|(options, state)| (request_options(&options), Ceremony::Assert(state))),
            (PasskeyUse::Register, Some(account)) if may_have_more(account) => begin_registration(webauthn, account)
                .map(|(options, state)| (creation_options(&options), Ceremony::Register(state))),
            (PasskeyUse::Register, _) => return Ok(None),
        };
        let (options, ceremony) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::debug!(%error, "no ceremony to begin");
                return Ok(None);
            }
        };
        let sealed = SealedCeremony {
            expires_at: self.clock.now().plus(LIFETIME),
            user: account.map(|account| account.user.id.clone()),
            ceremony,
        };
        let plain = serde_json::to_vec(&sealed).map_err(|_| ServiceError::Internal("a ceremony did not serialize"))?;
        let sealed = self.vault.seal(Purpose::Flow, &place.context(), &plain)?;
        Ok(Some(PasskeyView { options, ceremony: URL_SAFE_NO_PAD.encode(sealed) }))
    }

    /// Ends a ceremony: whose passkey signed, or was made. None when anything about it is wrong.
    pub(crate) async fn find_passkey(
        &self,
        place: CeremonyPlace,
        purpose: PasskeyUse,
        account: Option<&Account>,
        input: &Input,
    ) -> Result<Option<FoundPasskey>, ServiceError> {
        let Some(webauthn) = &self.passkeys.0 else { return Ok(None) };
        let now = self.clock.now();
        let field = |name: &str| input.fields.get(name).map(String::as_str).unwrap_or_default();
        let credential = field("credential");
        let sealed = self.open_ceremony(place, field("ceremony"), now);
        let Some(sealed) = sealed.filter(|_| credential.len() <= MAX_CREDENTIAL) else { return Ok(None) };
        // A ceremony counts for whom it was begun: nobody else has come into hand since.
        if sealed.user.as_ref() != account.map(|account| &account.user.id) {
            return Ok(None);
        }
        match (sealed.ceremony, purpose, account) {
            (Ceremony::Discover(state), PasskeyUse::Assert, None) => {
                self.end_discovery(webauthn, state, credential).await
            }
            (Ceremony::Assert(state), PasskeyUse::Assert, Some(account)) => {
                Ok(end_assertion(webauthn, &state, credential, account))
            }
            (Ceremony::Register(state), PasskeyUse::Register, Some(account)) => {
                end_registration(webauthn, &state, credential, account, field("name"), now)
            }
            _ => Ok(None),
        }
    }

    fn open_ceremony(&self, place: CeremonyPlace, text: &str, now: Timestamp) -> Option<SealedCeremony> {
        if text.len() > MAX_CEREMONY {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.vault.open(Purpose::Flow, &place.context(), &sealed)?;
        serde_json::from_slice::<SealedCeremony>(&plain).ok().filter(|sealed| now < sealed.expires_at)
    }

    /// The authenticator itself names the person.
    async fn end_discovery(
        &self,
        webauthn: &Webauthn,
        state: DiscoverableAuthentication,
        credential: &str,
    ) -> Result<Option<FoundPasskey>, ServiceError> {
        let Some(credential) = parse::<PublicKeyCredential>(credential) else { return Ok(None) };
        let Ok((uuid, id)) = webauthn.identify_discoverable_authentication(&credential) else { return Ok(None) };
        let Ok(user) = uuid.to_string().parse::<UserId>() else { return Ok(None) };
        let Some(account) = self.db.read(async |tx| tx.find_account(&user).await).await? else { return Ok(None) };
        let known = list_passkeys(&account).find(|(_, key)| key.cred_id().as_slice() == id);
        let Some((factor, key)) = known.map(|(factor, key)| (factor.clone(), key)) else { return Ok(None) };
        let ended = webauthn.finish_discoverable_authentication_v2(&credential, state, DiscoverableKey::from(&key));
        let used = ended.inspect_err(|error| tracing::info!(%error, "a passkey did not count")).ok();
        Ok(used.and_then(|result| found_use(account, &factor, key, &result)))
    }
}

fn begin_registration(
    webauthn: &Webauthn,
    account: &Account,
) -> Result<(CreationChallengeResponse, PasskeyRegistration), webauthn_rs::prelude::WebauthnError> {
    let user = &account.user;
    let handle = Uuid::parse_str(user.id.as_str()).unwrap_or_default();
    let name = user.email.as_deref().or(user.username.as_deref()).unwrap_or(user.id.as_str());
    let shown = user.profile.name.as_deref().unwrap_or(name);
    let known = list_passkeys(account).map(|(_, key)| key.cred_id().clone()).collect();
    webauthn.start_passkey_registration(handle, name, shown, Some(known))
}

fn end_assertion(
    webauthn: &Webauthn,
    state: &PasskeyAuthentication,
    credential: &str,
    account: &Account,
) -> Option<FoundPasskey> {
    let credential = parse::<PublicKeyCredential>(credential)?;
    let result = webauthn
        .finish_passkey_authentication(&credential, state)
        .inspect_err(|error| tracing::info!(%error, "a passkey did not count"))
        .ok()?;
    // As it is stored now: the ceremony's copy may be old, and the passkey may have been removed since.
    let (factor, key) = list_passkeys(account).find(|(_, key)| key.cred_id() == result.cred_id())?;
    found_use(account.clone(), factor, key, &result)
}

fn end_registration(
    webauthn: &Webauthn,
    state: &PasskeyRegistration,
    credential: &str,
    account: &Account,
    name: &str,
    now: Timestamp,
) -> Result<Option<FoundPasskey>, ServiceError> {
    let made = parse::<RegisterPublicKeyCredential>(credential)
        .and_then(|credential| webauthn.finish_passkey_registration(&credential, state).ok());
    let is_known = |made: &Passkey| list_passkeys(account).any(|(_, key)| key.cred_id() == made.cred_id());
    let Some(made) = made.filter(|made| !is_known(made) && may_have_more(account)) else { return Ok(None) };
    let factor = Factor {
        id: FactorId::new(now, random()?),
        user: account.user.id.clone(),
        kind: FactorKind::Passkey,
        value: to_text(&made)?,
        name: read_name(name),
        last_step: None,
        bound_at: now,
        used_at: None,
    };
    Ok(Some(FoundPasskey {
        proof: PasskeyProof { user: account.user.id.clone(), verified: true },
        account: account.clone(),
        change: PasskeyChange::Made(Box::new(factor)),
    }))
}

/// A signature that holds. A counter that does not rise above the stored one betrays a copy (WebAuthn, 6.1.1).
fn found_use(
    account: Account,
    factor: &Factor,
    mut key: Passkey,
    result: &AuthenticationResult,
) -> Option<FoundPasskey> {
    let stored = counter_of(&factor.value);
    if (stored > 0 || result.counter() > 0) && u64::from(result.counter()) <= stored {
        tracing::warn!(factor = %factor.id, "the counter of a passkey went back: it may have been copied");
        return None;
    }
    key.update_credential(result)?;
    let value = to_text(&key).ok()?;
    Some(FoundPasskey {
        proof: PasskeyProof { user: account.user.id.clone(), verified: result.user_verified() },
        account,
        change: PasskeyChange::Used { factor: factor.id.clone(), value },
    })
}

fn counter_of(value: &str) -> u64 {
    let stored: Value = serde_json::from_str(value).unwrap_or_default();
    stored["cred"]["counter"].as_u64().unwrap_or_default()
}

fn list_passkeys(account: &Account) -> impl Iterator<Item = (&Factor, Passkey)> {
    let passkeys = account.factors.iter().filter(|factor| factor.kind == FactorKind::Passkey);
    passkeys.filter_map(|factor| Some((factor, serde_json::from_str(&factor.value).ok()?)))
}

fn may_have_more(account: &Account) -> bool {
    account.factors.iter().filter(|factor| factor.kind == FactorKind::Passkey).count() < MAX_PASSKEYS
}

fn to_text(key: &Passkey) -> Result<String, ServiceError> {
    serde_json::to_string(key).map_err(|_| ServiceError::Internal("a passkey did not serialize"))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).inspect_err(|_| tracing::debug!("a credential that is none")).ok()
}

fn read_name(name: &str) -> Option<String> {
    let clean = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>();
    Some(clean.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The person presses a button for it: no conditional mediation.
fn request_options(options: &RequestChallengeResponse) -> String {
    page_text(&json!({ "publicKey": options.public_key }))
}

/// A passkey that the authenticator cannot find by itself could not sign anybody in without a name.
fn creation_options(options: &CreationChallengeResponse) -> String {
    let mut options = json!({ "publicKey": options.public_key });
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = json!("required");
    selection["requireResidentKey"] = json!(true);
    page_text(&options)
}

/// JSON without what could end a script element.
fn page_text(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

fn hidden(name: &'static str, value: String) -> FieldView {
    FieldView {
        name,
        kind: "hidden",
        autocomplete: "off",
        inputmode: "",
        max_length: MAX_CEREMONY,
        required: false,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_never_empty() {
        assert_eq!(read_name("  Work\u{7} laptop "), Some("Work laptop".to_owned()));
        assert_eq!(read_name(" \t\n"), None);
        assert_eq!(read_name(&"x".repeat(100)).unwrap().len(), MAX_NAME);
    }

    #[test]
    fn an_issuer_without_a_host_name_has_no_passkeys() {
        let issuer = |text: &str| text.parse::<Issuer>().unwrap();
        assert!(Passkeys::new(&issuer("https://login.example.com"), "Example").0.is_some());
        assert!(Passkeys::new(&issuer("http://localhost:8080"), "Example").0.is_some());
        assert!(Passkeys::new(&issuer("http://127.0.0.1:8080"), "Example").0.is_none());
    }

    #[test]
    fn options_cannot_end_a_script_element() {
        assert_eq!(page_text(&json!({ "name": "</script>" })), "{\"name\":\"\\u003c/script>\"}");
    }
}
