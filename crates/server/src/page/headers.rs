//! The headers that every page goes out with.
//!
//! `form-action`: Chromium and Safari hold the whole chain of redirects that follows a form's POST against it
//! (w3c/webappsec-csp issue 8), and a sign-in ends in such a redirect to the client. So a flow's page names the origin of
//! its request's redirect URI ([`FormAction::AndTo`]). A client whose callback redirects to yet another origin would still
//! be stopped; for those there is [`FormAction::Anywhere`], which gives up little: no page carries foreign markup, and no
//! script runs but our own.
//!
//! `Referrer-Policy: no-referrer` makes browsers send `Origin: null` with a form's POST (Fetch, 3.2): tell forged posts by
//! the page's nonce and `Sec-Fetch-Site`, not by `Origin`.

use url::{Host, Url};

/// Where the forms of a page may lead, redirects included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FormAction {
    /// To this server only.
    #[default]
    Own,
    /// To this server and the origins of these addresses: the redirect URI, the corporate provider.
    AndTo(Vec<Url>),
    /// Anywhere.
    Anywhere,
}

/// Name and value of every header of a page. Strict-Transport-Security is the listener's, where TLS is on.
pub fn page_headers(form_action: &FormAction) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-security-policy", content_security_policy(form_action))];
    headers.extend(
        [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"),
            ("x-robots-tag", "noindex, nofollow"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    headers
}

/// Name and value of the headers of an asset, beside its type, entity tag and cache control.
pub const ASSET_HEADERS: [(&str, &str); 3] = [
    ("content-security-policy", "default-src 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn content_security_policy(form_action: &FormAction) -> String {
    let mut policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'"
            .to_owned();
    match form_action {
        FormAction::Own => policy.push_str("; form-action 'self'"),
        FormAction::AndTo(targets) => {
            policy.push_str("; form-action 'self'");
            for source in targets.iter().map(source_of) {
                policy.push(' ');
                policy.push_str(&source);
            }
        }
        FormAction::Anywhere => {}
    }
    policy
}

/// The address as a CSP source: its origin, or its scheme where a source cannot say the host (private-use schemes of
/// RFC 8252, 7.1; IPv6 literals). A URL's scheme, host and port contain neither space, comma nor semicolon.
fn source_of(target: &Url) -> String {
    match target.host() {
        Some(Host::Ipv6(_)) | None => format!("{}:", target.scheme()),
        Some(_) if matches!(target.scheme(), "http" | "https") => target.origin().ascii_serialization(),
        Some(_) => format!("{}:", target.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(targets: &[&str]) -> String {
        content_security_policy(&FormAction::AndTo(targets.iter().map(|target| target.parse().unwrap()).collect()))
    }

    #[test]
    fn a_form_may_end_at_the_clients_origin_and_nowhere_else() {
        let policy = policy(&["https://app.example.com/cb;x?y=1,2", "http://localhost:8090/callback"]);
        assert!(policy.ends_with("; form-action 'self' https://app.example.com http://localhost:8090"), "{policy}");
        assert!(content_security_policy(&FormAction::Own).ends_with("; form-action 'self'"));
        assert!(!content_security_policy(&FormAction::Anywhere).contains("form-action"));
    }

    #[test]
    fn hosts_that_a_source_cannot_name_are_allowed_by_scheme() {
        assert!(policy(&["com.example.app:/cb"]).ends_with(" com.example.app:"));
        assert!(policy(&["myapp://callback/x"]).ends_with(" myapp:"));
        assert!(policy(&["http://[::1]:4000/cb"]).ends_with(" http:"));
    }

    #[test]
    fn no_header_can_be_split() {
        let odd = FormAction::AndTo(vec!["https://xn--bcher-kva.example/\r\nx: y".parse().unwrap()]);
        for (name, value) in page_headers(&odd) {
            assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}");
        }
        assert!(page_headers(&odd).iter().any(|header| *header == ("x-frame-options", "DENY".to_owned())));
    }
}
