//! What a request says of itself: its id, its address, its language, its parameters.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{ErrorRequestTimeout, ErrorUnsupportedMediaType};
use actix_web::http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, USER_AGENT,
};
use actix_web::web::{Bytes, Data};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use countersign_model::ClientId;
use countersign_protocol::{CertificateThumbprint, ErrorCode, OAuthError, Params, Presented, ShownCertificate, dpop};
use countersign_service::{ClientCall, RequestContext};
use tracing_actix_web::RequestId;

use crate::config::Network;
use crate::cors::NamedClient;
use crate::node::Node;
use crate::page::{Brand, Locale, LocaleHints, choose_locale};

/// A request's body, of bounded size, sent in bounded time: the server's own timeout ends with the headers.
pub struct Body(Bytes);

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FromRequest for Body {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // The extractor unpacks before it counts: a few hundred bytes would become gigabytes of memory.
        if request.headers().contains_key(CONTENT_ENCODING) {
            return Box::pin(async { Err(ErrorUnsupportedMediaType("compressed bodies are not accepted")) });
        }
        let patience = request.app_data::<Data<Node>>().map_or(Duration::from_secs(15), |node| node.body_timeout);
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            match tokio::time::timeout(patience, body).await {
                Ok(body) => body.map(Self),
                Err(_) => Err(ErrorRequestTimeout("the body did not arrive in time")),
            }
        })
    }
}

/// Where a request came from.
pub fn context(node: &Node, request: &HttpRequest) -> RequestContext {
    // Bound first: a borrow of the extensions must not outlive its line, `connection_info` borrows them mutably.
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let user_agent = header(request, &USER_AGENT).map(str::to_owned);
    let certificate = request.conn_data::<ShownCertificate>().cloned();
    RequestContext { request_id, address: address(node, request), user_agent, certificate }
}

/// The peer's address; of a proxy the last one that it added, since a client may write the others.
fn address(node: &Node, request: &HttpRequest) -> Option<String> {
    let forwarded = request.headers().get_all("x-forwarded-for").last().and_then(|value| value.to_str().ok());
    let reported = forwarded.and_then(|list| parse_address(list.rsplit(',').next()?.trim()));
    let peer = request.peer_addr().map(|peer| peer.ip());
    let is_proxy = node.behind_proxy && is_proxy(peer, &node.proxy_networks);
    let address = if is_proxy { reported.or(peer) } else { peer };
    address.map(|address| address.to_canonical().to_string())
}

/// Whether `peer` is in one of the proxies' networks; where none is named, every peer is a proxy.
fn is_proxy(peer: Option<IpAddr>, networks: &[Network]) -> bool {
    networks.is_empty() || peer.is_some_and(|peer| networks.iter().any(|network| network.contains(peer)))
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The certificate the TLS client showed, on a listener that asks for one.
pub fn certificate(request: &HttpRequest) -> Option<&CertificateThumbprint> {
    request.conn_data()
}

/// The language to answer in.
pub fn locale(node: &Node, request: &HttpRequest, params: Option<&Params>) -> Locale {
    let query = Params::parse_query(request.query_string()).ok();
    choose_locale(LocaleHints {
        lang: query.as_ref().and_then(|query| query.get("lang")),
        cookie: node.cookies.read_locale(request).as_deref(),
        ui_locales: params.and_then(|params| params.get("ui_locales")),
        accept_language: header(request, &ACCEPT_LANGUAGE),
    })
}

/// The brand of a page without a client: that of the host name, else the node's own.
pub fn brand<'a>(node: &'a Node, request: &HttpRequest) -> &'a str {
    let host = header(request, &HOST).map(str::to_owned).or_else(|| request.uri().host().map(str::to_owned));
    host.and_then(|host| node.pages.find_brand_of_host(&host)).map_or(&node.brand, Brand::id)
}

/// The language the person chose on these pages, if they did.
pub fn chosen_locale(node: &Node, request: &HttpRequest) -> Option<Locale> {
    let query = Params::parse_query(request.query_string()).ok();
    let link = query.as_ref().and_then(|query| query.get("lang")).and_then(Locale::parse);
    link.or_else(|| node.cookies.read_locale(request).as_deref().and_then(Locale::parse))
}

/// The language the client asks for, unless the person chose one on these pages.
pub fn asked_locale(node: &Node, request: &HttpRequest, asked: Option<&str>) -> Option<Locale> {
    asked.and_then(Locale::parse).filter(|_| chosen_locale(node, request).is_none())
}

/// Whether another site's page sent the person here, as their browser says (Fetch Metadata, 2.4); it tells secure
/// origins alone.
pub fn is_of_another_site(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    matches!(site, Some("cross-site" | "same-site"))
}

/// A header's text; none when absent, repeated or not ASCII.
pub fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?.to_str().ok();
    if values.next().is_some() { None } else { first }
}

/// The `Authorization` header; two of them are refused.
pub fn authorization(request: &HttpRequest) -> Result<Option<&str>, OAuthError> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let (first, more) = (values.next(), values.next().is_some());
    let refused = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
    match first.map(|value| value.to_str()) {
        _ if more => Err(refused("The request has more than one Authorization header")),
        Some(Err(_)) => Err(refused("The Authorization header is not ASCII")),
        Some(Ok(text)) => Ok(Some(text)),
        None => Ok(None),
    }
}

/// Name of the header with a proof (RFC 9449, 4.1).
pub const DPOP: &str = "dpop";

/// The `DPoP` header; two of them are refused.
pub fn proof(request: &HttpRequest) -> Result<Option<&str>, OAuthError> {
    dpop::only_proof(request.headers().get_all(DPOP).map(|value| value.to_str().ok()))
}

/// What a client says at an endpoint of its own.
pub struct ClientRequest<'a> {
    authorization: Option<&'a str>,
    query: Params,
    form: Params,
    context: RequestContext,
}

impl<'a> ClientRequest<'a> {
    /// Reads header, query and form.
    pub fn parse(node: &Node, request: &'a HttpRequest, body: &[u8]) -> Result<Self, OAuthError> {
        let asked = Self {
            authorization: authorization(request)?,
            query: Params::parse_query(request.query_string())?,
            form: form(request, body)?,
            context: context(node, request),
        };
        let presented = Presented::parse(asked.authorization, &asked.query, &asked.form).ok();
        name_client(request, presented.and_then(|presented| presented.client().cloned()));
        Ok(asked)
    }

    /// As the use cases take it.
    pub fn call(&self) -> ClientCall<'_> {
        ClientCall { authorization: self.authorization, query: &self.query, form: &self.form, context: &self.context }
    }
}

/// Notes the client that a request names, for who may read its answer.
pub fn name_client(request: &HttpRequest, client: Option<ClientId>) {
    if let Some(client) = client {
        request.extensions_mut().insert(NamedClient(client));
    }
}

/// The parameters of a form-encoded body (RFC 6749, appendix B).
pub fn form(request: &HttpRequest, body: &[u8]) -> Result<Params, OAuthError> {
    let media_type = header(request, &CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "The body must be application/x-www-form-urlencoded"));
    }
    Params::parse_form(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_in_no_network_of_the_proxies_is_none() {
        let edge = [Network::try_from("172.30.7.0/24".to_owned()).unwrap()];
        let peer = |text: &str| Some(text.parse().unwrap());
        assert!(is_proxy(peer("172.30.7.2"), &edge) && is_proxy(peer("::ffff:172.30.7.2"), &edge));
        assert!(!is_proxy(peer("172.30.9.2"), &edge) && !is_proxy(None, &edge));
        assert!(is_proxy(peer("172.30.9.2"), &[]));
    }

    #[test]
    fn addresses_are_read_in_every_form_that_proxies_write() {
        for (text, address) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:5678", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:5678", "2001:db8::7"),
        ] {
            assert_eq!(parse_address(text), address.parse().ok(), "{text}");
        }
        for bad in ["", "unknown", "_hidden", "192.0.2.7, 10.0.0.1", "[192.0.2.7"] {
            assert_eq!(parse_address(bad), None, "{bad}");
        }
    }
}
