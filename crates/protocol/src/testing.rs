//! What the tests of this crate share: a provider, clients, keys, a person, all with fixed ids and times.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use countersign_model::account::PostalAddress;
use countersign_model::{
    Account, ApplicationType, AuthMethod, Authentication, AuthorizationCode, Client, ClientSecret, Fact, FactSet,
    Grant, GrantId, PolicyNaming, Profile, RefreshToken, RequestedClaims, Scope, Seconds, SessionId, SigningAlgorithm,
    SigningKey, Timestamp, User, UserId, UserStatus,
};

use crate::authorization::{Arrival, AuthorizationRequest, Provider, Refusal};
use crate::client_authentication::{self, AuthenticatedClient, Presented};
use crate::discovery::Capabilities;
use crate::features::Features;
use crate::issuer::Issuer;
use crate::keys::{self, PrivateKey};
use crate::params::Params;
use crate::policy_choice::LoginPolicy;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Nothing of policies in tokens.
pub(crate) static PLAIN: PolicyNaming = PolicyNaming { tfp: false, acr: false, names: BTreeMap::new() };
pub(crate) const CALLBACK: &str = "https://rp.example/callback";
pub(crate) const SECRET_HASH: [u8; 32] = [7; 32];
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636, appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
}

pub(crate) fn issuer() -> Issuer {
    "https://op.example".parse().unwrap()
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> Params {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Params::parse_form(form.as_bytes()).unwrap()
}

/// A confidential web client that may do everything.
pub(crate) fn client() -> Client {
    Client {
        name: "Relying party".to_owned(),
        secrets: vec![ClientSecret { hash: SECRET_HASH, created_at: NOW, expires_at: None, sealed: None }],
        auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
        redirect_uris: vec![CALLBACK.to_owned()],
        grant_types: ["authorization_code", "refresh_token", "client_credentials"].map(str::to_owned).to_vec(),
        response_types: vec!["code".to_owned()],
        scope: scope("openid profile email address phone offline_access cases.read cases.write"),
        id_token_alg: SigningAlgorithm::RS256,
        access_token_alg: SigningAlgorithm::ES256,
        default_policy: "login-options".to_owned(),
        allowed_policies: vec!["login-options".to_owned(), "email".to_owned(), "phone".to_owned()],
        first_party: true,
        ..Client::new("rp".parse().unwrap(), NOW)
    }
}

pub(crate) fn other_client() -> Client {
    Client { id: "other".parse().unwrap(), ..client() }
}

pub(crate) fn public_client() -> Client {
    Client { secrets: Vec::new(), auth_methods: vec![AuthMethod::None], ..client() }
}

pub(crate) fn native_client(uris: &[&str]) -> Client {
    let redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
    Client { redirect_uris, application_type: ApplicationType::Native, ..public_client() }
}

/// `client`, proven by whichever method it registered first.
pub(crate) fn authenticated(client: &Client) -> AuthenticatedClient<'_> {
    let method = client.auth_methods[0];
    let id = client.id.as_str();
    let presented = if method == AuthMethod::None {
        Presented::parse(None, &Params::default(), &params(&[("client_id", id)]))
    } else {
        let header = basic(&id.replace(':', "%3A"), "secret");
        Presented::parse(Some(&header), &Params::default(), &Params::default())
    };
    client_authentication::check(Some(client), &presented.unwrap(), Some(&SECRET_HASH), NOW).unwrap()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

/// A request that passes, with `changes`: an empty value removes a parameter.
pub(crate) fn authorization_params(changes: &[(&str, &str)]) -> Params {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "rp"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "s t&a=te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    pairs.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    params(&pairs)
}

/// What the checks say to [`authorization_params`] of `client`.
pub(crate) fn authorize(client: &Client, changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Refusal> {
    authorize_with(client, changes, &[])
}

/// The same at a provider where everything is on.
pub(crate) fn authorize_all_on(client: &Client, changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Refusal> {
    let capabilities = Capabilities { features: Features::ALL, ..Capabilities::default() };
    let provider = Provider { issuer: &issuer(), capabilities: &capabilities, keys: &[] };
    crate::authorization::check(&authorization_params(changes), Some(client), &provider, Arrival::default())
}

pub(crate) fn authorize_with(
    client: &Client,
    changes: &[(&str, &str)],
    keys: &[SigningKey],
) -> Result<AuthorizationRequest, Refusal> {
    let (issuer, capabilities) = (issuer(), Capabilities::default());
    let provider = Provider { issuer: &issuer, capabilities: &capabilities, keys };
    crate::authorization::check(&authorization_params(changes), Some(client), &provider, Arrival::default())
}

pub(crate) fn login_policies() -> Vec<LoginPolicy> {
    let policy = |id: &str, facts: &[Fact]| LoginPolicy {
        id: id.to_owned(),
        acr: format!("urn:acr:{id}"),
        facts: facts.iter().copied().collect(),
    };
    vec![
        policy("lab", &[Fact::Password]),
        policy("email", &[Fact::Password, Fact::Mailbox]),
        policy("phone", &[Fact::Password, Fact::Phone]),
        policy("both", &[Fact::Password, Fact::Mailbox, Fact::Phone]),
    ]
}

pub(crate) fn user_id() -> UserId {
    UserId::new(NOW, [1; 10])
}

pub(crate) fn authentication() -> Authentication {
    Authentication {
        user: user_id(),
        session: SessionId::new(NOW, [2; 10]),
        auth_time: later(-100),
        acr: "urn:acr:email".to_owned(),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        facts: FactSet::EMPTY.with(Fact::Password).with(Fact::Mailbox),
        policy: "email".to_owned(),
        subject: None,
    }
}

pub(crate) fn grant(scope_text: &str) -> Grant {
    Grant {
        id: GrantId::new(NOW, [3; 10]),
        client: client().id,
        authentication: authentication(),
        scope: scope(scope_text),
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        claims: RequestedClaims::default(),
        resources: Vec::new(),
        created_at: NOW,
        revoked_at: None,
    }
}

pub(crate) fn code() -> AuthorizationCode {
    AuthorizationCode {
        hash: [4; 32],
        grant: grant("openid").id,
        client: client().id,
        redirect_uri: CALLBACK.to_owned(),
        code_challenge: Some(CHALLENGE.to_owned()),
        dpop_jkt: None,
        created_at: NOW,
        expires_at: NOW.plus(Seconds::new(60)),
        consumed_at: None,
    }
}

pub(crate) fn refresh_token(scope_text: &str) -> RefreshToken {
    RefreshToken {
        hash: [5; 32],
        grant: grant("openid").id,
        client: client().id,
        scope: scope(scope_text),
        binding: None,
        created_at: NOW,
        expires_at: NOW.plus(Seconds::hours(1)),
        access_jti: None,
        access_used_at: None,
        consumed_at: None,
        revoked_at: None,
    }
}

pub(crate) fn account() -> Account {
    let text = |text: &str| Some(text.to_owned());
    let address = PostalAddress { locality: text("Duckburg"), country: text("US"), ..PostalAddress::default() };
    let profile =
        Profile { name: text("Alice Archer"), given_name: text("Alice"), address: Some(address), ..Profile::default() };
    let user = User {
        id: user_id(),
        email: text("alice@example.com"),
        username: None,
        status: UserStatus::Active,
        organization: None,
        roles: Vec::new(),
        profile,
        fax: None,
        locale: None,
        terms_version: None,
        registered_at: Some(NOW),
        created_at: NOW,
        updated_at: NOW,
    };
    Account { user, password: None, legacy: None, factors: Vec::new() }
}

pub(crate) fn pkcs8(algorithm: SigningAlgorithm) -> Vec<u8> {
    match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec()
        }
        SigningAlgorithm::ES256 => {
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
        }
        SigningAlgorithm::EdDSA => Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref().to_vec(),
    }
}

/// A key of `algorithm` named `id`, in use since [`NOW`]: what signs, and what the database holds.
pub(crate) fn key(algorithm: SigningAlgorithm, id: &str) -> (PrivateKey, SigningKey) {
    let der = pkcs8(algorithm);
    let id: countersign_model::KeyId = id.parse().unwrap();
    let public_jwk = keys::public_jwk(algorithm, &id, &der).unwrap();
    let private = PrivateKey::from_pkcs8(algorithm, id.clone(), &der).unwrap();
    let stored = SigningKey {
        id,
        algorithm,
        public_jwk,
        sealed_private: Vec::new(),
        created_at: NOW,
        use_from: NOW,
        retire_at: None,
    };
    (private, stored)
}
