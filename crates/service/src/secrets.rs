//! What is derived from the seed of a flow, and so found again by a retry: codes, seeds, link tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{KeyedHash, UserId};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::flow::Visit;
use crate::provider::Provider;
use crate::vault::Purpose;

/// Recovery codes an account gets at once.
const RECOVERY_CODES: u8 = 10;
/// Letters and digits of a recovery code: 50 bits.
const RECOVERY_LENGTH: usize = 10;
/// RFC 4648, 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Provider {
    /// The digits of a challenge, for one account alone.
    pub(crate) fn derive_code(&self, seed: &[u8; 16], label: &str, user: &str, digits: u8) -> Zeroizing<String> {
        self.vault.derive_digits(Purpose::ChallengeCode, &[seed, label.as_bytes(), user.as_bytes()], digits)
    }

    /// The seed of an authenticator app that is being bound: 160 bits (RFC 4226, 4).
    pub(crate) fn enrolled_seed(&self, seed: &[u8; 16], label: &str) -> Zeroizing<Vec<u8>> {
        let bits = self.vault.derive(Purpose::AuthenticatorSeed, &[seed, label.as_bytes()]);
        Zeroizing::new(bits[..20].to_vec())
    }

    /// The same in base32, as apps read it.
    pub(crate) fn enrolled_seed_text(&self, seed: &[u8; 16], label: &str) -> Zeroizing<String> {
        Zeroizing::new(base32(&self.enrolled_seed(seed, label)))
    }

    /// The recovery codes of `label`, as people write them down: `abcde-fgh23`.
    pub(crate) fn derive_recovery_codes(&self, seed: &[u8; 16], label: &str) -> Vec<String> {
        (0..RECOVERY_CODES)
            .map(|number| {
                let bits = self.vault.derive(Purpose::RecoveryCode, &[seed, label.as_bytes(), &[number]]);
                let mut code = base32(&bits[..20]).to_lowercase();
                code.truncate(RECOVERY_LENGTH);
                code.insert(RECOVERY_LENGTH / 2, '-');
                code
            })
            .collect()
    }

    /// Keyed hashes of those codes, as they are typed: without the hyphen.
    pub(crate) fn hash_recovery_codes(&self, seed: &[u8; 16], label: &str) -> Vec<KeyedHash> {
        let codes = self.derive_recovery_codes(seed, label);
        let hash = |code: &String| self.vault.hash(Purpose::RecoveryCode, code.replace('-', "").as_bytes());
        codes.iter().map(hash).collect()
    }

    /// The token of a mailed link: 256 bits.
    pub(crate) fn derive_link_token(&self, seed: &[u8; 16], label: &str) -> SecretString {
        let bits = self.vault.derive(Purpose::MailedLink, &[seed, label.as_bytes()]);
        SecretString::from(URL_SAFE_NO_PAD.encode(bits))
    }

    /// What the database holds instead of a link's token.
    pub(crate) fn hash_link_token(&self, token: &SecretString) -> KeyedHash {
        self.vault.hash(Purpose::MailedLink, token.expose_secret().as_bytes())
    }

    /// What the database holds instead of an organization's registration code.
    pub(crate) fn hash_registration_code(&self, code: &str) -> KeyedHash {
        self.vault.hash(Purpose::RegistrationCode, code.trim().as_bytes())
    }
}

impl Visit<'_> {
    /// Key of an effect that must happen once in this flow, however often it is tried.
    pub(crate) fn once(&self, what: &str, label: &str) -> String {
        format!("{what}/{}/{label}", URL_SAFE_NO_PAD.encode(self.seed))
    }

    /// Key of completing a registration in this flow.
    pub(crate) fn once_completed(&self, user: &UserId) -> String {
        self.once("completed", user.as_str())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Base32 without padding, of whole groups of five bytes.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for group in bytes.chunks_exact(5) {
        let bits = group.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        text.extend(
            (0..8).rev().map(|place| char::from(BASE32[usize::try_from((bits >> (place * 5)) & 31).unwrap_or(0)])),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        let seed = countersign_flow::totp::parse_seed(&base32(b"12345678901234567890"));
        assert_eq!(seed.as_deref(), Some(b"12345678901234567890".as_slice()));
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
