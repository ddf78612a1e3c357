//! An application of others, which registers itself: it listens on this machine and remembers what it was asked.

use std::sync::{Arc, Mutex};

use countersign_tests::provider::serve_json;
use countersign_tests::servers::Demo;
use countersign_tests::user_agent::{Answer, http};
use serde_json::{Value, json};
use url::Url;

/// Its name.
pub const NAME: &str = "Lab App";

pub struct RelyingParty {
    /// Where it listens; on the provider's own site, as far as cookies are concerned.
    pub origin: String,
    /// Its id.
    pub id: String,
    authorization: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl RelyingParty {
    /// Registers at `demo`; people are asked for their consent.
    pub async fn register(demo: &Demo) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&asked);
        let address = serve_json(move |request| {
            into.lock().unwrap().push(request.path.clone());
            Some((200, json!("Back at the application").to_string()))
        });
        let origin = address.await.replace("127.0.0.1", "localhost");
        let metadata = json!({
            "client_name": NAME,
            "redirect_uris": [format!("{origin}/cb")],
            "post_logout_redirect_uris": [format!("{origin}/after")],
            "frontchannel_logout_uri": format!("{origin}/front"),
            "policy_uri": format!("{origin}/privacy"),
            "logo_uri": format!("{origin}/logo.png"),
            "countersign_ask_consent": true,
        });
        let answer = Answer::to(http().post(format!("{}/register", demo.issuer)).json(&metadata)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let id = answer.json()["client_id"].as_str().unwrap().to_owned();
        Self { origin, id, authorization: format!("{}/authorization", demo.issuer), asked }
    }

    /// An authorization request, with further or other parameters.
    pub fn request(&self, more: &[(&str, &str)]) -> String {
        let uri = format!("{}/cb", self.origin);
        let base = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &uri),
            ("scope", "openid email"),
            ("state", "s"),
        ];
        let kept = base.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        Url::parse_with_params(&self.authorization, kept.chain(more)).unwrap().into()
    }

    /// The paths it was asked for that begin with `path`.
    pub fn asked_for(&self, path: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.starts_with(path)).cloned().collect()
    }
}

/// A parameter of an address.
pub fn parameter(address: &str, name: &str) -> Option<String> {
    let address = Url::parse(address).unwrap();
    address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The arguments of a script, as texts.
pub fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| json!(value)).collect()
}
