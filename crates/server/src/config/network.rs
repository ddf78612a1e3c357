//! Networks as they are written: an address and the length of its prefix, or an address alone.

use std::net::IpAddr;

use serde::Deserialize;

/// The addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// How many bits are alike.
    length: u8,
}

impl Network {
    /// Whether `address` is one of them; one of IPv4 is the same in IPv6's way of writing it.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let differs = (bits(self.address) ^ bits(address)).checked_shr(128 - u32::from(self.length)).unwrap_or(0);
        self.address.is_ipv4() == address.is_ipv4() && differs == 0
    }
}

/// The bits of an address, from the first on.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text.as_str(), None), |(one, two)| (one, Some(two)));
        let network = || {
            let address: IpAddr = address.parse().ok()?;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let length =
                length.map_or(Some(longest), |length| length.parse().ok()).filter(|length| *length <= longest)?;
            Some(Self { address, length })
        };
        network().ok_or_else(|| format!("`{text}` is no network such as 172.30.7.0/24"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        for (text, inside, outside) in [
            ("172.30.7.0/24", "172.30.7.255", "172.30.8.0"),
            ("172.30.7.9", "172.30.7.9", "172.30.7.8"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("172.30.7.0/24", "::ffff:172.30.7.1", "::ffff:172.30.8.1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "/24", "172.30.7/24", "172.30.7.0/33", "172.30.7.0/", "172.30.7.0/-1", "::/129", "edge"] {
            assert!(Network::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
