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

use std::collections::BTreeSet;

use url::{Host, Url};

use super::PageRequest;

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

/// Name and value of every header of `page`. Strict-Transport-Security is the listener's, where TLS is on.
pub fn page_headers(form_action: &FormAction, page: &PageRequest) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-security-policy", content_security_policy(form_action, page))];
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

fn content_security_policy(form_action: &FormAction, page: &PageRequest) -> String {
    let mut policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; img-src 'self' data:"
        .to_owned();
    if let Some(image) = page.asker.as_ref().and_then(|asker| asker.logo.as_deref()).and_then(image_source) {
        policy.push(' ');
        policy.push_str(&image);
    }
    let frames: BTreeSet<String> =
        page.frames.iter().filter_map(|frame| Url::parse(frame).ok()).map(|frame| source_of(&frame)).collect();
    if !frames.is_empty() {
        policy.push_str("; frame-src");
        for source in frames {
            policy.push(' ');
            policy.push_str(&source);
        }
    }
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

/// An image's own address as a CSP source: nothing else of its server. What ends a source is written as CSP, 2.3.1 has
/// it; a query is not part of one. None: an address that no page shows.
fn image_source(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let path = url.path().replace(';', "%3B").replace(',', "%2C");
    Some(format!("{}{path}", source_of(&url)))
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
    use super::super::AskerView;
    use super::*;

    fn policy(targets: &[&str]) -> String {
        let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
        content_security_policy(&FormAction::AndTo(targets), &PageRequest::default())
    }

    #[test]
    fn a_form_may_end_at_the_clients_origin_and_nowhere_else() {
        let policy = policy(&["https://app.example.com/cb;x?y=1,2", "http://localhost:8090/callback"]);
        assert!(policy.ends_with("; form-action 'self' https://app.example.com http://localhost:8090"), "{policy}");
        assert!(content_security_policy(&FormAction::Own, &PageRequest::default()).ends_with("; form-action 'self'"));
        assert!(!content_security_policy(&FormAction::Anywhere, &PageRequest::default()).contains("form-action"));
    }

    #[test]
    fn hosts_that_a_source_cannot_name_are_allowed_by_scheme() {
        assert!(policy(&["com.example.app:/cb"]).ends_with(" com.example.app:"));
        assert!(policy(&["myapp://callback/x"]).ends_with(" myapp:"));
        assert!(policy(&["http://[::1]:4000/cb"]).ends_with(" http:"));
    }

    #[test]
    fn frames_are_allowed_of_the_origins_on_the_page_alone() {
        let frames =
            ["https://a.example/out?iss=x", "https://a.example/other", "http://localhost:8090/x", "no address"];
        let page = PageRequest { frames: frames.map(str::to_owned).to_vec(), ..PageRequest::default() };
        let policy = content_security_policy(&FormAction::Own, &page);
        assert!(policy.contains("; frame-src http://localhost:8090 https://a.example; form-action 'self'"), "{policy}");
        assert!(!content_security_policy(&FormAction::Own, &PageRequest::default()).contains("frame-src"));
    }

    #[test]
    fn an_image_is_allowed_by_its_own_address() {
        let policy = |logo: &str| {
            let asker = AskerView { logo: Some(logo.to_owned()), ..AskerView::default() };
            let page = PageRequest { asker: Some(asker), ..PageRequest::default() };
            content_security_policy(&FormAction::Own, &page)
        };
        let said = policy("https://a.example/logo;v=1,2.png?size=64");
        assert!(said.contains("img-src 'self' data: https://a.example/logo%3Bv=1%2C2.png; form-action"), "{said}");
        for odd in ["javascript:alert(1)", "data:image/svg+xml,x", "/logo.png"] {
            assert!(policy(odd).contains("img-src 'self' data:; form-action"), "{odd}");
        }
    }

    #[test]
    fn no_header_can_be_split() {
        let odd = FormAction::AndTo(vec!["https://xn--bcher-kva.example/\r\nx: y".parse().unwrap()]);
        for (name, value) in page_headers(&odd, &PageRequest::default()) {
            assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}");
        }
        assert!(
            page_headers(&odd, &PageRequest::default())
                .iter()
                .any(|header| *header == ("x-frame-options", "DENY".to_owned()))
        );
    }
}
