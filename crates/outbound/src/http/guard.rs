//! Where a request may go. A URL that somebody else wrote must not reach what only this host can: its own services,
//! its private networks, the metadata service of its cloud (OWASP: server-side request forgery).

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A name stands for an address that may not be called.
#[derive(Debug, thiserror::Error)]
#[error("the name stands for an address that is not public")]
struct RefusedAddress;

/// The system's resolver; the connection is made to an address it gave, and only if all of them are allowed.
pub(super) struct GuardedResolver {
    pub(super) allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(|address| !is_allowed(address.ip(), allow_private)) {
                return Err(RefusedAddress.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether a request failed because its host stands for a refused address.
pub(crate) fn is_refused_address(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<RefusedAddress>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the host of `url` may be called: false for a refused address in figures, true for any name.
pub(super) fn allows_host(url: &Url, allow_private: bool) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_allowed(address.into(), allow_private),
        Some(Host::Ipv6(address)) => is_allowed(address.into(), allow_private),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

/// Whether `url` names this very host.
pub(super) fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_allowed(address: IpAddr, allow_private: bool) -> bool {
    match address {
        IpAddr::V4(address) => match classify_v4(address) {
            Range::Public => true,
            Range::Private => allow_private,
            Range::Never => false,
        },
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => is_allowed(embedded.into(), allow_private),
            None => match classify_v6(address) {
                Range::Public => true,
                Range::Private => allow_private,
                Range::Never => false,
            },
        },
    }
}

enum Range {
    Public,
    /// This host, or a network of its own.
    Private,
    /// Nothing that a configuration could mean.
    Never,
}

/// IANA's registry of special IPv4 addresses (RFC 6890).
fn classify_v4(address: Ipv4Addr) -> Range {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Range::Private,
        (0 | 224..=255, ..) | (169, 254, _) | (192, 0, 0 | 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
            Range::Never
        }
        _ => Range::Public,
    }
}

/// Only 2000::/3 is given out; of it, the special ranges of IANA's registry.
fn classify_v6(address: Ipv6Addr) -> Range {
    let [a, b, ..] = address.segments();
    if address.is_loopback() || a & 0xfe00 == 0xfc00 {
        return Range::Private;
    }
    let is_special = a == 0x2001 && (b < 0x0200 || b == 0x0db8) || a == 0x3fff && b < 0x1000 || a == 0x2002;
    if a & 0xe000 == 0x2000 && !is_special { Range::Public } else { Range::Never }
}

/// The IPv4 address that an IPv4-mapped address or one of NAT64 (RFC 6052) leads to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    let translated = || {
        let last: [u8; 4] = address.octets().strip_prefix(&NAT64)?.try_into().ok()?;
        Some(last.into())
    };
    address.to_ipv4_mapped().or_else(translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, allow_private: bool) -> bool {
        is_allowed(address.parse().unwrap(), allow_private)
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in ["93.184.216.34", "8.8.8.8", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(allowed(address, false), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_permission() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert!(!allowed(address, false) && allowed(address, true), "{address}");
        }
    }

    #[test]
    fn some_addresses_are_never_allowed() {
        for address in [
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "::7f00:1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!allowed(address, false) && !allowed(address, true), "{address}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_seen() {
        for url in
            ["http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:7f00:1]/", "http://0177.0.0.1/"]
        {
            assert!(!allows_host(&url.parse().unwrap(), false), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_does_not_resolve() {
        let resolve = |allow_private| GuardedResolver { allow_private }.resolve("localhost".parse().unwrap());
        let error = resolve(false).await.err().unwrap();
        assert!(error.is::<RefusedAddress>());
        assert!(resolve(true).await.unwrap().all(|address| address.ip().is_loopback()));
    }
}
