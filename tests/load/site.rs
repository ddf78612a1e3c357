//! A provider under load: where its endpoints are, its clients, and a browser in which somebody is signed in.

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::Inbox;
use countersign_tests::user_agent::{Answer, UserAgent, http, program};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use crate::workload::Algorithm;

/// Somebody with a password alone; the rival takes anybody.
pub const ALICE: (&str, &str) = ("alice@example.com", "meadow-lark-2291-kite");
/// Those whose sign-in by mail sends a code: they have a mailbox and no phone.
pub const MAILED: [(&str, &str); 4] = [
    ("demohospital18@example.com", "ward-seven-0918-lamp"),
    ("root@example.com", "granite-steps-8841-moss"),
    ("helpdesk@example.com", "copper-kettle-5160-fern"),
    ("auditor@example.com", "ledger-stone-7720-fern"),
];
/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const SCOPE: &str = "openid email offline_access";

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Countersign.
    Ours,
    /// oidc-provider.
    Theirs,
}

/// A provider.
pub struct Site {
    /// Whose.
    pub whose: Whose,
    /// Where it listens.
    pub address: SocketAddr,
    /// The value of `Host`.
    pub host: String,
    /// The issuer.
    pub origin: Url,
    /// The cookies of a browser that is signed in, as a header's value.
    pub cookies: String,
    /// Where its mails are.
    pub inbox: Option<Inbox>,
    metadata: Value,
}

impl Site {
    /// Reads the discovery document; Alice signs in.
    pub async fn open(whose: Whose, issuer: &str, inbox: Option<Inbox>) -> Self {
        let origin: Url = issuer.parse().expect("an issuer");
        let port = origin.port().expect("a port");
        let metadata = Answer::to(http().get(format!("{issuer}/.well-known/openid-configuration"))).await.json();
        let host = format!("{}:{port}", origin.host_str().unwrap_or_default());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut site = Self { whose, address, host, origin, cookies: String::new(), inbox, metadata };
        site.cookies = site.sign_in().await;
        site
    }

    /// Where an endpoint is, without its origin.
    pub fn path(&self, name: &str) -> String {
        let text = self.metadata[name].as_str().unwrap_or_else(|| panic!("no {name} in the metadata"));
        Url::parse(text).expect("an address").path().to_owned()
    }

    /// A sound authorization request of `client`: path and query.
    pub fn authorization(&self, client: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client),
                ("redirect_uri", &redirect_uri(client)),
                ("scope", SCOPE),
                ("state", "state-1"),
                ("nonce", "nonce-1"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        format!("{}?{query}", self.path("authorization_endpoint"))
    }

    /// The client that is given access tokens of `algorithm` for itself, and the form by which it asks.
    pub fn credentials(&self, algorithm: Algorithm) -> (String, Vec<(&'static str, String)>) {
        let name = algorithm.as_str().to_lowercase();
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        match self.whose {
            Whose::Ours => (format!("machine-{name}"), form),
            Whose::Theirs => {
                form.push(("resource", format!("https://{name}.example.com/api")));
                form.push(("scope", "cases.read".to_owned()));
                ("machine".to_owned(), form)
            }
        }
    }

    async fn sign_in(&self) -> String {
        let page = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]);
        let agent = UserAgent::with(program().default_headers(page).build().expect("a client"));
        let asked = self.origin.join(&self.authorization(WEB)).expect("an address");
        let page = agent.follow(agent.get(asked.as_str()).await).await;
        let end = agent.sign_in(&page, ALICE.0, ALICE.1).await;
        assert!(end.response().contains_key("code"), "no code: {}", end.body);
        cookie_header(agent.cookies())
    }
}

/// The client of people.
pub const WEB: &str = "web";

/// Cookies as a header's value.
pub fn cookie_header(cookies: impl IntoIterator<Item = (String, String)>) -> String {
    cookies.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// Every client's secret.
pub fn secret_of(client: &str) -> String {
    format!("{client}-secret-0123456789")
}

/// Where a client wants its answers.
pub fn redirect_uri(client: &str) -> String {
    format!("https://{client}.example.com/cb")
}

/// The client's credentials in the header (RFC 6749, 2.3.1).
pub fn basic(client: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{}", secret_of(client))))
}
