//! Documents at addresses that clients registered: their keys, their redirect URIs, their request objects.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use crate::CallError;
use crate::http::{HttpClient, exchange};

/// Limit of one document: somebody waits for the answer that needs it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The media type it says to be of, without parameters, in small letters; empty: it says none.
    pub media_type: String,
    /// All of it.
    pub body: Vec<u8>,
}

/// What is at `url`: `https`, or `http` on this host where `http` may go there; 200 at once, no redirect, at most
/// [`crate::http::MAX_RESPONSE`] bytes. `accept` is the media type asked for.
pub async fn fetch(http: &HttpClient, url: &str, accept: &'static str) -> Result<Document, CallError> {
    fetch_within(TIMEOUT, http, url, accept).await
}

async fn fetch_within(
    limit: Duration,
    http: &HttpClient,
    url: &str,
    accept: &'static str,
) -> Result<Document, CallError> {
    let url = Url::parse(url).map_err(|_| CallError::Permanent("not a URL".to_owned()))?;
    let mut place = url.clone();
    // A fragment stays here (RFC 9110, 4.2.5).
    place.set_fragment(None);
    http.check_url("url", &place).map_err(|error| CallError::Permanent(error.to_string()))?;
    let request = http.request(Method::GET, place).map(|request| request.header("Accept", accept));
    let answer = exchange(request, limit).await?;
    tracing::debug!(host = url.host_str(), status = answer.status.as_u16(), "a client's document");
    if answer.status.as_u16() != 200 {
        return Err(answer.failure());
    }
    Ok(Document { media_type: answer.media_type, body: answer.body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HttpSettings, MAX_RESPONSE};
    use crate::test_servers::{Answer, Identity, Transcript, http, http_by_path, identity};

    fn client(identity: &Identity, allow_private: bool) -> HttpClient {
        let ca_file = Some(identity.ca_file.clone());
        HttpClient::new(&HttpSettings { ca_file, allow_private, ..HttpSettings::default() }).unwrap()
    }

    async fn get(http: &HttpClient, url: &str) -> Result<Document, CallError> {
        fetch_within(Duration::from_secs(2), http, url, "application/json").await
    }

    fn served(body: &str) -> Answer {
        Answer::Status(200, body.to_owned())
    }

    fn assert_not_called(seen: &Transcript, url: &str) {
        assert!(seen.lines().is_empty(), "{url}: {}", seen.text());
    }

    /// OWASP, server-side request forgery: what only this host reaches is not reached for others.
    #[tokio::test]
    async fn no_address_but_a_public_one_over_https_is_called() {
        let identity = identity();
        let (secure, over_tls) = http(served("secret"), Some(&identity)).await;
        let (plain, in_clear) = http(served("secret"), None).await;
        let careful = client(&identity, false);
        for host in [
            "localhost",
            "LOCALHOST.",
            "app.localhost",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00::1]",
            "[ff02::1]",
        ] {
            for url in [format!("https://{host}:{secure}/x"), format!("http://{host}:{plain}/x")] {
                assert!(get(&careful, &url).await.is_err(), "{url}");
                assert_not_called(&over_tls, &url);
                assert_not_called(&in_clear, &url);
            }
        }
        let told = get(&careful, &format!("https://localhost:{secure}/x")).await;
        assert_eq!(told, Err(CallError::Permanent("the address is not public".to_owned())), "by name");
        // And where private addresses may be called: what is in clear stays on this host, link-local is nobody's.
        let lenient = client(&identity, true);
        for url in [
            "http://93.184.216.34/x".to_owned(),
            "http://rp.example/x".to_owned(),
            "http://10.0.0.1/x".to_owned(),
            "https://169.254.169.254/x".to_owned(),
            "https://[fe80::1]/x".to_owned(),
            format!("https://user:secret@localhost:{secure}/x"),
            format!("ftp://localhost:{plain}/x"),
            "file:///etc/passwd".to_owned(),
            "nonsense".to_owned(),
        ] {
            assert!(matches!(get(&lenient, &url).await, Err(CallError::Permanent(_))), "{url}");
            assert_not_called(&over_tls, &url);
            assert_not_called(&in_clear, &url);
        }
        let document = get(&lenient, &format!("https://localhost:{secure}/x#part")).await.unwrap();
        assert_eq!((document.body.as_slice(), document.media_type.as_str()), (&b"secret"[..], ""));
        assert!(over_tls.lines()[0].starts_with("GET /x HTTP"), "{}", over_tls.text());
        assert!(get(&lenient, &format!("http://127.0.0.1:{plain}/x")).await.is_ok());
    }

    #[tokio::test]
    async fn redirects_long_and_slow_answers_are_none() {
        let identity = identity();
        let lenient = client(&identity, true);
        let (target, at_target) = http(served("elsewhere"), None).await;
        let answers = move |_| {
            move |path: &str| match path {
                "/longest" => served(&"x".repeat(MAX_RESPONSE)),
                "/long" => served(&"x".repeat(MAX_RESPONSE + 1)),
                "/hang" => Answer::Hang,
                "/slow" => Answer::Drip,
                "/broken" => Answer::Close,
                redirect if redirect.starts_with("/3") => {
                    Answer::Redirect(redirect[1..].parse().unwrap(), format!("http://127.0.0.1:{target}/"))
                }
                other => Answer::Status(other[1..].parse().unwrap(), "body".to_owned()),
            }
        };
        let (port, _) = http_by_path(answers, None).await;
        let at = async |path: &str| get(&lenient, &format!("http://127.0.0.1:{port}/{path}")).await;
        assert_eq!(at("longest").await.unwrap().body.len(), MAX_RESPONSE);
        for refused in ["long", "hang", "slow", "broken", "301", "302", "303", "307", "308"] {
            assert!(at(refused).await.is_err(), "{refused}");
        }
        for status in ["201", "204", "206", "304", "400", "404", "500"] {
            assert!(at(status).await.is_err(), "{status}");
        }
        assert_not_called(&at_target, "redirects");
    }
}
