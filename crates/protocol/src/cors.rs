//! Which scripts may read what a client is answered (RFC 9700, 2.6; the Fetch standard, CORS protocol).

use countersign_model::Client;
use url::Url;

/// Whether a script of `origin` is the client's own: of the origin of one of its redirect URIs. The opaque origin
/// `null` is nobody's.
pub fn allows(client: &Client, origin: &str) -> bool {
    client.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok()).any(|uri| {
        let of_uri = uri.origin();
        of_uri.is_tuple() && of_uri.ascii_serialization() == origin
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::client;

    #[test]
    fn the_origins_of_redirect_uris_are_the_clients_own() {
        let redirect_uris = ["https://rp.example:8443/cb?x=y", "http://127.0.0.1/cb", "com.example.app:/cb"];
        let client = Client { redirect_uris: redirect_uris.map(str::to_owned).to_vec(), ..client() };
        assert!(allows(&client, "https://rp.example:8443") && allows(&client, "http://127.0.0.1"));
        for origin in [
            "https://rp.example",
            "http://rp.example:8443",
            "https://rp.example:8443/",
            "https://RP.example:8443",
            "https://evil.example",
            "null",
            "",
            "com.example.app",
        ] {
            assert!(!allows(&client, origin), "{origin}");
        }
    }
}
