//! The private keys that sign mail.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::SettingsError;

/// The shortest RSA key, in bytes of its modulus: RFC 8301 asks for 1024 bits and recommends 2048.
const MIN_MODULUS: usize = 256;

pub(super) enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// Reads a PEM file: PKCS#8, or PKCS#1 for RSA.
    pub(super) fn read(path: &Path) -> Result<Self, SettingsError> {
        let wrong = |reason| SettingsError::Value { key: "dkim.key_file", reason };
        let key = PrivateKeyDer::from_pem_file(path).map_err(|_| wrong("cannot be read, or is no PEM private key"))?;
        let rsa = match &key {
            PrivateKeyDer::Pkcs8(der) => match Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()) {
                Ok(pair) => return Ok(Self::Ed25519(Box::new(pair))),
                Err(_) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            },
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("must hold an RSA or an Ed25519 key")),
        };
        let rsa = rsa.map_err(|_| wrong("must hold an RSA or an Ed25519 key"))?;
        if rsa.public_modulus_len() < MIN_MODULUS {
            return Err(wrong("holds an RSA key of less than 2048 bits"));
        }
        Ok(Self::Rsa(Box::new(rsa)))
    }

    /// The tag `a=`.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// None only if the library fails.
    pub(super) fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).ok()?;
                Some(signature)
            }
            // What Ed25519 signs is the hash (RFC 8463, 3).
            Self::Ed25519(key) => key.try_sign(digest(&SHA256, input).as_ref()).ok().map(|it| it.as_ref().to_vec()),
        }
    }
}
