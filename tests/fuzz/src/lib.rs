//! Foreign bytes for whatever reads them. Each target is a function of bytes that must neither panic nor let through
//! what it should not. cargo-fuzz calls them (`fuzz_targets/`, `./tests/run --long`), and so does an ordinary test
//! (tests/integration/fuzz.rs) with the bytes of `seeds/`, damaged and not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a step that fails is a finding"
)]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_model::{
    ApplicationType, AuthMethod, CertificateName, Client, Encryption, Scope, SigningAlgorithm, SigningKey, Timestamp,
};
use countersign_protocol::authorization::{self, find_carriage};
use countersign_protocol::client_assertion::{self, Assertion, Material};
use countersign_protocol::registration::{self, Rules, check_sector};
use countersign_protocol::request_object::{self, Expected};
use countersign_protocol::{
    Arrival, Capabilities, Features, Issuer, Params, Presented, Provider, Registrant, ShownCertificate, TokenRequest,
    ValidRedirectUri, bearer, certificate, client_authentication, dpop as proofs, jwe, jws, logout, upstream,
    verify_access_token, verify_id_token_hint, verify_upstream_id_token,
};
use serde_json::{Map, Value, json};

/// A target.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder of seeds.
pub const TARGETS: [(&str, Target); 12] = [
    ("request_object", request_object),
    ("jwt", jwt),
    ("client_assertion", client_assertion),
    ("id_token_hint", id_token_hint),
    ("dpop", dpop),
    ("redirect", redirect),
    ("basic", basic),
    ("form", form),
    ("policy", policy),
    ("registration", registration),
    ("documents", documents),
    ("certificate", certificate),
];

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECRET: &[u8] = b"a-secret-of-the-client-0123456789";
const TOKEN_ENDPOINT: &str = "https://op.example/token";

/// A key that signs whatever bytes it is given, its public half as the client's and as ours.
struct Signer {
    pair: EcdsaKeyPair,
    jwk: Value,
    jwks: Value,
    ours: Vec<SigningKey>,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("PKCS#8");
    let id: countersign_model::KeyId = "k1".parse().expect("an id");
    let jwk = countersign_protocol::keys::public_jwk(SigningAlgorithm::ES256, &id, der.as_ref()).expect("a JWK");
    let ours = SigningKey {
        id,
        algorithm: SigningAlgorithm::ES256,
        public_jwk: jwk.clone(),
        sealed_private: Vec::new(),
        created_at: NOW,
        use_from: NOW,
        retire_at: None,
    };
    Signer { pair, jwks: json!({"keys": [jwk.clone()]}), jwk, ours: vec![ours] }
});

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| "https://op.example".parse().expect("an issuer"));

static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| Capabilities {
    features: Features::ALL,
    mtls_origin: Some("https://op.example:8443".to_owned()),
    mtls_authority: true,
    registration: true,
    consent: true,
    ..Capabilities::default()
});

/// A client that may do everything.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let all = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
    let grants = ["authorization_code", "refresh_token", "client_credentials", "implicit"];
    Client {
        auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt, AuthMethod::ClientSecretJwt],
        redirect_uris: vec!["https://rp.example/cb".to_owned()],
        grant_types: grants.map(str::to_owned).to_vec(),
        response_types: all.map(str::to_owned).to_vec(),
        scope: "openid profile email offline_access".parse().expect("a scope"),
        ..Client::new("rp".parse().expect("an id"), NOW)
    }
});

/// The first lines of `data`; the last of them has the rest.
fn lines<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |byte| *byte == b'\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWS of any header and any content whose signature holds, if the header says ES256.
fn signed(header: &[u8], content: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(content));
    let signature = SIGNER.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
    format!("{message}.{}", encode(signature.as_ref()))
}

/// The same by the client's secret.
fn sealed(header: &[u8], content: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(content));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", encode(tag.as_ref()))
}

fn provider() -> Provider<'static> {
    Provider { issuer: &ISSUER, capabilities: &CAPABILITIES, keys: &SIGNER.ours }
}

/// Form in clear, header and claims of a request object, a line each: in every way an object can come.
pub fn request_object(data: &[u8]) {
    let [outer, header, claims] = lines::<3>(data);
    let outer = Params::parse_form(outer).unwrap_or_default();
    let mut unsigning = CLIENT.clone();
    unsigning.requests.signing_alg = Some("none".to_owned());
    let objects = [
        text(data),
        signed(header, claims),
        signed(br#"{"alg":"ES256","typ":"oauth-authz-req+jwt"}"#, claims),
        format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims)),
    ];
    for client in [&*CLIENT, &unsigning] {
        for object in &objects {
            let expected = Expected { client, jwks: Some(&SIGNER.jwks), issuer: &ISSUER };
            let Ok(opened) = request_object::open(&outer, object, &expected, NOW) else { continue };
            assert_eq!(opened.params.get("client_id"), Some("rp"), "another client's request");
            assert_eq!(opened.signed, client.requests.signing_alg.is_none(), "not as it was registered");
            let arrival = Arrival { pushed: false, signed: opened.signed };
            let _ = authorization::check(&opened.params, Some(client), &provider(), arrival);
        }
    }
}

/// A token, or header, claims and key set, a line each: no signature but one that holds counts.
pub fn jwt(data: &[u8]) {
    let [header, claims, jwks] = lines::<3>(data);
    let forged = format!("{}.{}.{}", encode(header), encode(claims), encode(&[0; 64]));
    for token in [text(data), forged] {
        let _ = (jws::read_algorithm(&token), jws::read_type(&token), jws::read_unsigned(&token));
        assert!(jws::verify(&token, &SIGNER.jwks).is_err(), "a forged signature holds");
        let _ = jws::verify(&token, &value(jwks));
        assert!(verify_access_token(&token, &SIGNER.ours, &ISSUER, NOW).is_err(), "a forged access token");
    }
    let token = signed(header, claims);
    if jws::verify(&token, &SIGNER.jwks).is_ok() {
        assert_eq!(jws::read_algorithm(&token).as_deref(), Ok("ES256"));
    }
    let _ = verify_access_token(&token, &SIGNER.ours, &ISSUER, NOW);
    let expected = upstream::Expected {
        issuer: "https://up.example",
        client: "rp",
        nonce: "n",
        access_token: Some("at"),
        fresh_since: None,
    };
    if let Ok(identity) = verify_upstream_id_token(&token, &SIGNER.jwks, &expected, NOW) {
        assert!(!identity.subject.is_empty() && identity.claims["iss"] == "https://up.example");
    }
}

/// Header and claims of a client assertion, a line each.
pub fn client_assertion(data: &[u8]) {
    let [header, claims] = lines::<2>(data);
    let secrets: [&[u8]; 1] = [SECRET];
    let tokens = [
        text(data),
        signed(header, claims),
        signed(br#"{"alg":"ES256"}"#, claims),
        sealed(header, claims),
        sealed(br#"{"alg":"HS256"}"#, claims),
    ];
    for assertion in tokens.iter().filter_map(|token| Assertion::read(token)) {
        for material in [Material::Keys(&SIGNER.jwks), Material::Secrets(&secrets)] {
            let verified = client_assertion::verify(&assertion, &CLIENT, material, &ISSUER, NOW);
            let Ok(verified) = verified else { continue };
            assert_eq!((verified.client(), verified.method()), (&CLIENT.id, assertion.method()));
            let life = verified.expires_at().as_secs() - NOW.as_secs();
            assert!((0..=3700).contains(&life), "good for {life} s");
            assert!(!verified.jti().is_empty());
        }
    }
}

/// Header and claims of an ID token, a line each.
pub fn id_token_hint(data: &[u8]) {
    let [header, claims] = lines::<2>(data);
    let ours = br#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#;
    for token in [text(data), signed(header, claims), signed(ours, claims)] {
        if let Ok(hinted) = verify_id_token_hint(&token, &SIGNER.ours, &ISSUER, &CLIENT.id) {
            let claims = value(claims);
            assert_eq!((&claims["aud"], &claims["sub"]), (&json!("rp"), &json!(hinted.subject)));
        }
    }
}

/// Header and claims of a DPoP proof, a line each; a header without a key gets the one that signs.
pub fn dpop(data: &[u8]) {
    let [header, claims] = lines::<2>(data);
    let addresses = [TOKEN_ENDPOINT.to_owned()];
    let own = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": SIGNER.jwk}).to_string();
    let nonces = ["n1".to_owned()];
    for proof in [text(data), signed(header, claims), signed(own.as_bytes(), claims)] {
        for (access_token, nonces) in [(None, None), (Some("at"), None), (None, Some(&nonces[..]))] {
            let expected = proofs::Expected { method: "POST", addresses: &addresses, access_token, nonces };
            let Ok(proof) = proofs::verify(&proof, &expected, NOW) else { continue };
            assert!(proofs::is_thumbprint(&proof.thumbprint) && !proof.jti.is_empty());
            assert!(proof.expires_at > NOW, "a proof that may be shown again at once");
        }
    }
}

/// What is asked for, and below it what is registered.
pub fn redirect(data: &[u8]) {
    let [asked, registered] = lines::<2>(data);
    let (asked, registered) = (text(asked), text(registered));
    let redirect_uris: Vec<String> = registered.lines().map(str::to_owned).collect();
    let web = Client { redirect_uris, ..CLIENT.clone() };
    let native = Client { application_type: ApplicationType::Native, ..web.clone() };
    if let Some(found) = ValidRedirectUri::find(&web, &asked) {
        assert!(found.as_str() == asked && web.redirect_uris.contains(&asked), "{asked:?} is not registered");
    }
    let Some(found) = ValidRedirectUri::find(&native, &asked) else { return };
    assert_eq!(found.store().revalidate(&native), Some(found));
    assert!(!asked.contains('#') && asked.is_ascii());
    if !native.redirect_uris.contains(&asked) {
        assert!(native.redirect_uris.iter().any(|known| is_loopback_twin(known, &asked)), "{asked:?}");
    }
}

/// Whether two addresses are of a loopback host and differ by their port alone (RFC 8252, 7.3), as the url crate sees
/// it.
fn is_loopback_twin(known: &str, asked: &str) -> bool {
    let (Ok(mut known), Ok(mut asked)) = (url::Url::parse(known), url::Url::parse(asked)) else { return false };
    let is_loopback = matches!(asked.host_str(), Some("127.0.0.1" | "[::1]")) && asked.scheme() == "http";
    let cleared = known.set_port(None).is_ok() && asked.set_port(None).is_ok();
    is_loopback && cleared && known == asked
}

/// Authorization header, query and form, a line each.
pub fn basic(data: &[u8]) {
    let [header, query, form] = lines::<3>(data);
    let query = Params::parse_form(query).unwrap_or_default();
    let form = Params::parse_form(form).unwrap_or_default();
    let headers = [text(header), format!("Basic {}", STANDARD.encode(data)), format!("Bearer {}", text(header))];
    for header in headers.iter().map(|header| Some(header.as_str())).chain([None]) {
        let _ = (bearer::scheme_of(header), bearer::find_token(header, &query, &form));
        let Ok(presented) = Presented::parse(header, &query, &form) else { continue };
        // There is neither a secret nor an assertion that holds.
        for client in [None, Some(&*CLIENT)] {
            let checked = client_authentication::check(client, &presented, Some(&[9; 32]), NOW);
            assert!(checked.is_err(), "nobody proved anything");
        }
    }
}

/// A form: read, and used for whatever takes one.
pub fn form(data: &[u8]) {
    let Ok(params) = Params::parse_form(data) else { return };
    let repeatable = |name: &str| matches!(name, "resource" | "audience");
    for (name, value) in params.iter() {
        assert!(!value.is_empty() && (repeatable(name) || params.all(name).count() == 1), "{name} twice");
    }
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params.iter()).finish();
    // Encoding may make it longer than is read.
    assert!(Params::parse_form(encoded.as_bytes()).map_or(encoded.len() > 16 * 1024, |again| again == params));

    let _ = find_carriage(&params, &CAPABILITIES.features);
    let named = params.clone().with("client_id", "rp").with("redirect_uri", "https://rp.example/cb");
    for params in [&params, &named] {
        if let Ok(request) = authorization::check(params, Some(&CLIENT), &provider(), Arrival::default()) {
            assert!(request.scope.is_subset(&CLIENT.scope) && request.target(&CLIENT).is_some());
        }
        if let Ok(caller) = logout::caller(params, &SIGNER.ours, &ISSUER) {
            let leads_away = logout::check(params, caller, Some(&CLIENT)).is_ok_and(|request| request.target.is_some());
            assert!(!leads_away, "nothing is registered to lead to");
        }
    }
    let mut public = CLIENT.clone();
    public.auth_methods = vec![AuthMethod::None];
    let own = Params::parse_form(b"client_id=rp").expect("a form");
    let presented = Presented::parse(None, &Params::default(), &own).expect("a client");
    let client = client_authentication::check(Some(&public), &presented, None, NOW).expect("a public client");
    let _ = TokenRequest::parse(client, &params, &CAPABILITIES.features);
}

/// A policy file.
pub fn policy(data: &[u8]) {
    let text = text(data);
    if let Err(findings) = countersign_flow::parse("fuzz.toml", &text) {
        assert!(!findings.is_empty() && findings.iter().all(|finding| finding.line >= 1));
    }
    if let Ok(formatted) = countersign_flow::fmt::format(&text) {
        assert_eq!(countersign_flow::fmt::format(&formatted).as_deref(), Ok(formatted.as_str()), "not settled");
    }
}

/// Client metadata.
pub fn registration(data: &[u8]) {
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let scopes: Scope = "cases.read".parse().expect("a scope");
    let rules = Rules { registrant: Registrant::Client, capabilities: &CAPABILITIES, scopes: &scopes, loopback: false };
    let client = registration::read(&mut members)
        .and_then(|metadata| registration::check("new".parse().expect("an id"), &metadata, &rules, NOW));
    match client {
        Ok(client) => {
            assert!(client.redirect_uris.iter().all(|uri| ValidRedirectUri::find(&client, uri).is_some()));
            let allowed = ["openid", "profile", "email", "address", "phone", "offline_access", "cases.read"];
            assert!(client.scope.iter().all(|value| allowed.contains(&value)));
        }
        Err(error) => assert!(error.why.bytes().all(|byte| matches!(byte, b' '..=b'~'))),
    }
}

/// A key set, or another document of a client: read, verified with and encrypted for.
pub fn documents(data: &[u8]) {
    let jwks = value(data);
    let token = signed(br#"{"alg":"ES256","kid":"k1"}"#, b"{}");
    let _ = jws::verify(&token, &jwks);
    for alg in jwe::KEY_MANAGEMENT {
        if !jwe::has_key(&jwks, alg) {
            continue;
        }
        for enc in jwe::CONTENT_ENCRYPTION {
            let encryption = Encryption { alg: alg.to_owned(), enc: enc.to_owned() };
            let randomness = jwe::Randomness { content_key: [1; 32].into(), iv: [2; 16] };
            let _ = jwe::encrypt(jwe::Content::Claims("{}"), &encryption, &jwks, &randomness);
        }
    }
    let _ = check_sector(data, &CLIENT.redirect_uris);
}

/// A certificate in DER.
pub fn certificate(data: &[u8]) {
    let shown = ShownCertificate::new(data.to_vec(), true);
    for name in [
        CertificateName::SubjectDn("CN=rp".to_owned()),
        CertificateName::Dns("rp.example".to_owned()),
        CertificateName::Uri("https://rp.example".to_owned()),
        CertificateName::Ip("192.0.2.1".to_owned()),
        CertificateName::Email("rp@rp.example".to_owned()),
    ] {
        let client =
            Client { auth_methods: vec![AuthMethod::TlsClientAuth], certificate_name: Some(name), ..CLIENT.clone() };
        let _ = certificate::prove(&client, &shown, None);
    }
}
