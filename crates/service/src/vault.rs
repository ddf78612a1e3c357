//! The master key and everything derived from it: keyed hashes, derived secrets, sealed bytes.
//!
//! Secrets that must come out the same when a node dies between two writes (challenge codes, authorization codes,
//! session secrets) are derived from the seed of their flow instead of drawn, so the retry finds them again.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_model::KeyedHash;
use zeroize::Zeroizing;

use crate::ServiceError;

/// Why something is hashed, derived or sealed; each purpose has its own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Client secrets, in the database.
    ClientSecret,
    /// Authorization codes.
    AuthorizationCode,
    /// Refresh tokens.
    RefreshToken,
    /// Pushed authorization requests.
    PushedRequest,
    /// The session cookie.
    Session,
    /// The cookie that binds flows to a browser.
    BrowserBinding,
    /// Nonces of flow pages.
    PageNonce,
    /// Codes sent to people.
    ChallengeCode,
    /// Flow instances in the short-lived store, and the first page's start.
    Flow,
    /// Messages in the outbox.
    Outbox,
    /// Private signing keys in the database.
    SigningKey,
    /// Authenticator seeds in the database.
    AuthenticatorSeed,
    /// Names of counters, so that the store never sees an address.
    Counter,
    /// Addresses that telephone carriers call back.
    Telephone,
    /// Tokens of mailed links.
    MailedLink,
    /// Recovery codes.
    RecoveryCode,
    /// Ids of accounts that a flow makes.
    NewUser,
    /// Registration codes of organizations.
    RegistrationCode,
    /// The device cookie.
    Device,
    /// Nonces of the account page.
    AccountPage,
    /// Tokens by which clients register and look after their registration.
    RegistrationAccess,
    /// Identifiers of people that the clients of one sector see.
    PairwiseSubject,
    /// Ids of client assertions.
    ClientAssertion,
    /// Ids of assertions that stand for a person's authorization.
    AssertionGrant,
    /// Codes that devices poll with.
    DeviceCode,
    /// Codes that people type for a device.
    UserCode,
    /// Nonces of the page where a device is allowed.
    DevicePage,
    /// Ids of DPoP proofs.
    DpopProof,
    /// Nonces for DPoP proofs.
    DpopNonce,
    /// What pages of clients may see of a session: that it changed.
    BrowserState,
    /// The question whether to log out.
    Logout,
    /// Requests that wait for a consent or for the choice of an account.
    Consent,
    /// Nonces of the console's pages.
    SetupPage,
    /// Requests of programs that may be sent again.
    AnsweredRequest,
    /// The key that signs the audit log's checkpoints.
    AuditKey,
    /// What tells that events of the audit log were removed.
    AuditRemoval,
    /// Detects a node that was started with another master key.
    KeyCheck,
}

impl Purpose {
    const COUNT: usize = Self::KeyCheck as usize + 1;

    const ALL: [Self; Self::COUNT] = [
        Self::ClientSecret,
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::PushedRequest,
        Self::Session,
        Self::BrowserBinding,
        Self::PageNonce,
        Self::ChallengeCode,
        Self::Flow,
        Self::Outbox,
        Self::SigningKey,
        Self::AuthenticatorSeed,
        Self::Counter,
        Self::Telephone,
        Self::MailedLink,
        Self::RecoveryCode,
        Self::NewUser,
        Self::RegistrationCode,
        Self::Device,
        Self::AccountPage,
        Self::RegistrationAccess,
        Self::PairwiseSubject,
        Self::ClientAssertion,
        Self::AssertionGrant,
        Self::DeviceCode,
        Self::UserCode,
        Self::DevicePage,
        Self::DpopProof,
        Self::DpopNonce,
        Self::BrowserState,
        Self::Logout,
        Self::Consent,
        Self::SetupPage,
        Self::AnsweredRequest,
        Self::AuditKey,
        Self::AuditRemoval,
        Self::KeyCheck,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::ClientSecret => "client secret",
            Self::AuthorizationCode => "authorization code",
            Self::RefreshToken => "refresh token",
            Self::PushedRequest => "pushed request",
            Self::Session => "session",
            Self::BrowserBinding => "browser binding",
            Self::PageNonce => "page nonce",
            Self::ChallengeCode => "challenge code",
            Self::Flow => "flow",
            Self::Outbox => "outbox",
            Self::SigningKey => "signing key",
            Self::AuthenticatorSeed => "authenticator seed",
            Self::Counter => "counter",
            Self::Telephone => "telephone",
            Self::MailedLink => "mailed link",
            Self::RecoveryCode => "recovery code",
            Self::NewUser => "new user",
            Self::RegistrationCode => "registration code",
            Self::Device => "device",
            Self::AccountPage => "account page",
            Self::RegistrationAccess => "registration access",
            Self::PairwiseSubject => "pairwise subject",
            Self::ClientAssertion => "client assertion",
            Self::AssertionGrant => "assertion grant",
            Self::DeviceCode => "device code",
            Self::UserCode => "user code",
            Self::DevicePage => "device page",
            Self::DpopProof => "dpop proof",
            Self::DpopNonce => "dpop nonce",
            Self::BrowserState => "browser state",
            Self::Logout => "logout",
            Self::Consent => "consent",
            Self::SetupPage => "setup page",
            Self::AnsweredRequest => "answered request",
            Self::AuditKey => "audit key",
            Self::AuditRemoval => "audit removal",
            Self::KeyCheck => "key check",
        }
    }
}

/// The deployment's master key: 256 random bits, from a file or the environment.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// From raw bits.
    pub fn new(bits: [u8; 32]) -> Self {
        Self(Zeroizing::new(bits))
    }

    /// From 32 bytes in base64 or base64url, surrounding white space ignored.
    pub fn parse(text: &str) -> Result<Self, ServiceError> {
        let text = text.trim();
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')));
        let bytes = Zeroizing::new(bytes.map_err(|_| ServiceError::Configuration("master key: not base64".into()))?);
        let bits: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| ServiceError::Configuration("master key: must be 32 bytes".into()))?;
        Ok(Self::new(bits))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

struct Keys {
    mac: hmac::Key,
    aead: RandomizedNonceKey,
}

/// What the master key can do. Cheap to share behind an `Arc`.
pub struct Vault(Vec<Keys>);

struct Len32;

impl KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

impl Vault {
    /// Derives one key pair a purpose (HKDF-SHA-256, RFC 5869).
    pub fn new(master: &MasterKey) -> Result<Self, ServiceError> {
        let root = Salt::new(HKDF_SHA256, b"countersign").extract(&*master.0);
        let subkey = |purpose: Purpose, usage: &str| -> Result<Zeroizing<[u8; 32]>, ServiceError> {
            let info = [purpose.label().as_bytes(), b"/", usage.as_bytes()];
            let mut key = Zeroizing::new([0; 32]);
            root.expand(&info, Len32)
                .and_then(|okm| okm.fill(&mut *key))
                .map_err(|_| ServiceError::Internal("key derivation failed"))?;
            Ok(key)
        };
        let keys = |purpose| -> Result<Keys, ServiceError> {
            Ok(Keys {
                mac: hmac::Key::new(hmac::HMAC_SHA256, &*subkey(purpose, "mac")?),
                aead: RandomizedNonceKey::new(&AES_256_GCM, &*subkey(purpose, "seal")?)
                    .map_err(|_| ServiceError::Internal("key derivation failed"))?,
            })
        };
        Purpose::ALL.into_iter().map(keys).collect::<Result<_, _>>().map(Self)
    }

    fn keys(&self, purpose: Purpose) -> &Keys {
        &self.0[purpose as usize]
    }

    /// Keyed hash of a high-entropy secret: what the database holds instead of it.
    pub fn hash(&self, purpose: Purpose, secret: &[u8]) -> KeyedHash {
        self.mac(purpose, &[b"hash", secret])
    }

    /// A secret that stands for `context` and can be found again from it.
    pub fn derive(&self, purpose: Purpose, context: &[&[u8]]) -> [u8; 32] {
        let mut parts: Vec<&[u8]> = vec![b"derive"];
        parts.extend(context);
        self.mac(purpose, &parts)
    }

    /// As [`Vault::derive`], as `digits` decimal digits (at most 10; the bias is below 2^-90).
    pub fn derive_digits(&self, purpose: Purpose, context: &[&[u8]], digits: u8) -> Zeroizing<String> {
        let bits = self.derive(purpose, context);
        let number = bits[..16].iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        let digits = usize::from(digits.clamp(1, 10));
        let modulus = 10_u128.pow(u32::try_from(digits).unwrap_or(10));
        Zeroizing::new(format!("{:0digits$}", number % modulus))
    }

    // Length-prefixed, so that no two lists of parts look alike.
    fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.keys(purpose).mac);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    /// Seals `plain` (AES-256-GCM, random nonce in front), bound to `context`.
    pub fn seal(&self, purpose: Purpose, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .keys(purpose)
            .aead
            .seal_in_place_append_tag(Aad::from(context), &mut sealed)
            .map_err(|_| ServiceError::Internal("sealing failed"))?;
        sealed.splice(0..0, nonce.as_ref().iter().copied());
        Ok(sealed)
    }

    /// Opens what [`Vault::seal`] made; none when it was changed, cut, or made elsewhere.
    pub fn open(&self, purpose: Purpose, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.keys(purpose).aead.open_in_place(nonce, Aad::from(context), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new(&MasterKey::new([byte; 32])).unwrap()
    }

    #[test]
    fn sealed_bytes_open_only_whole_in_their_context_and_under_their_key() {
        let (vault, other) = (vault(1), vault(2));
        let sealed = vault.seal(Purpose::Flow, b"id", b"body").unwrap();
        assert_eq!(vault.open(Purpose::Flow, b"id", &sealed).unwrap().as_slice(), b"body");
        assert!(vault.open(Purpose::Flow, b"other", &sealed).is_none());
        assert!(vault.open(Purpose::Outbox, b"id", &sealed).is_none());
        assert!(other.open(Purpose::Flow, b"id", &sealed).is_none());
        for cut in 0..sealed.len() {
            assert!(vault.open(Purpose::Flow, b"id", &sealed[..cut]).is_none());
        }
        for index in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[index] ^= 1;
            assert!(vault.open(Purpose::Flow, b"id", &flipped).is_none());
        }
    }

    #[test]
    fn derived_values_come_out_the_same_and_apart_by_context() {
        let vault = vault(1);
        let derive = |context: &[&[u8]]| vault.derive(Purpose::AuthorizationCode, context);
        assert_eq!(derive(&[b"a", b"bc"]), derive(&[b"a", b"bc"]));
        assert_ne!(derive(&[b"a", b"bc"]), derive(&[b"ab", b"c"]));
        assert_ne!(derive(&[b"a"]), vault.derive(Purpose::Session, &[b"a"]));
        assert_ne!(derive(&[b"a"]), vault.hash(Purpose::AuthorizationCode, b"a"));
    }

    #[test]
    fn challenge_codes_have_the_digits_asked_for() {
        let vault = vault(1);
        let codes: std::collections::BTreeSet<String> = (0..200_u32)
            .map(|n| vault.derive_digits(Purpose::ChallengeCode, &[&n.to_be_bytes()], 6).to_string())
            .collect();
        assert!(codes.iter().all(|code| code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit())));
        assert!(codes.len() > 190);
    }

    #[test]
    fn master_key_text_must_be_thirty_two_bytes() {
        assert!(MasterKey::parse(&STANDARD.encode([9; 32])).is_ok());
        assert!(MasterKey::parse(&format!("{}\n", URL_SAFE_NO_PAD.encode([251; 32]))).is_ok());
        for bad in ["", "short", &STANDARD.encode([9; 31]), "not base64 at all !!"] {
            assert!(MasterKey::parse(bad).is_err(), "{bad:?}");
        }
    }
}
