//! The nonce of a flow page: what protects its form from other sites and from being used twice.
//!
//! 32 bytes: version (4), random (12), MAC (16) over flow, browser, version and random. It names the version of the
//! instance the page was made from, so a late post is known to be late, and it is bound to one browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{FlowId, KeyedHash};

use crate::ServiceError;
use crate::clock::random;
use crate::vault::{Purpose, Vault};

/// A page nonce that proved to be ours, of this flow and of this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageNonce {
    /// Version of the instance the page was made from.
    pub version: u32,
    /// The page: version and random part, unique a rendering.
    pub page: [u8; 16],
}

/// A fresh nonce for a page made from `version` of `flow`, shown in `browser`.
pub fn make(vault: &Vault, flow: FlowId, browser: &KeyedHash, version: u32) -> Result<String, ServiceError> {
    let mut nonce = [0; 32];
    nonce[..4].copy_from_slice(&version.to_be_bytes());
    nonce[4..16].copy_from_slice(&random::<12>()?);
    let mac = mac(vault, flow, browser, &nonce[..16]);
    nonce[16..].copy_from_slice(&mac);
    Ok(URL_SAFE_NO_PAD.encode(nonce))
}

/// The nonce in `text`, if it was made for this flow and this browser.
pub fn check(vault: &Vault, flow: FlowId, browser: &KeyedHash, text: &str) -> Option<PageNonce> {
    let mut nonce = [0; 32];
    if URL_SAFE_NO_PAD.decode_slice(text, &mut nonce) != Ok(32) {
        return None;
    }
    let (page, given) = nonce.split_at(16);
    let expected = mac(vault, flow, browser, page);
    aws_lc_rs::constant_time::verify_slices_are_equal(&expected, given).ok()?;
    let page: [u8; 16] = page.try_into().ok()?;
    let version = u32::from_be_bytes([page[0], page[1], page[2], page[3]]);
    Some(PageNonce { version, page })
}

fn mac(vault: &Vault, flow: FlowId, browser: &KeyedHash, page: &[u8]) -> [u8; 16] {
    let full = vault.derive(Purpose::PageNonce, &[flow.as_bytes(), browser, page]);
    let mut mac = [0; 16];
    mac.copy_from_slice(&full[..16]);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::MasterKey;

    #[test]
    fn a_nonce_counts_for_its_flow_and_browser_alone() {
        let vault = Vault::new(&MasterKey::new([1; 32])).unwrap();
        let (flow, other_flow) = (FlowId::new([1; 16]), FlowId::new([2; 16]));
        let (browser, other_browser) = ([3; 32], [4; 32]);
        let text = make(&vault, flow, &browser, 7).unwrap();
        assert_eq!(check(&vault, flow, &browser, &text).unwrap().version, 7);
        assert_eq!(check(&vault, other_flow, &browser, &text), None);
        assert_eq!(check(&vault, flow, &other_browser, &text), None);
        for bad in ["", "AAAA", &"A".repeat(43), &"A".repeat(100_000)] {
            assert_eq!(check(&vault, flow, &browser, bad), None);
        }
    }

    #[test]
    fn every_rendering_has_its_own_nonce() {
        let vault = Vault::new(&MasterKey::new([1; 32])).unwrap();
        let make = || make(&vault, FlowId::new([1; 16]), &[3; 32], 1).unwrap();
        assert_ne!(make(), make());
    }
}
