//! Encrypted answers (RFC 7516; RFC 7518, 4 and 5): a signed JWT, sealed for one key of the client's.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::Encryption;
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value, json};

/// Ways to hand over the content's key (RFC 7518, 4.1).
pub const KEY_MANAGEMENT: [&str; 3] = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW"];
/// Ways to encrypt the content (RFC 7518, 5.1).
pub const CONTENT_ENCRYPTION: [&str; 2] = ["A128CBC-HS256", "A256GCM"];

/// Both content keys have 256 bits.
const KEY_LENGTH: usize = 32;
const MIN_RSA_BYTES: usize = 256;
const MAX_RSA_BYTES: usize = 512;

/// Why nothing could be encrypted for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Its key set has no key for this: it may have been changed.
    #[error("the client has no key for this encryption")]
    NoKey,
    /// Its key cannot be used.
    #[error("the client's key cannot be used")]
    Key,
    /// The algorithm is none of ours.
    #[error("the encryption is not supported")]
    Unsupported,
}

/// Random bits for one message; used for one alone.
pub struct Randomness {
    /// The content's key.
    pub content_key: Zeroizing<[u8; KEY_LENGTH]>,
    /// The content's initialization vector.
    pub iv: [u8; 16],
}

/// What is encrypted.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A signed JWT (RFC 7519, 5.2).
    Signed(&'a str),
    /// Claims in JSON, which nobody signed.
    Claims(&'a str),
}

/// Whether `jwks` has a key that `alg` can use.
pub fn has_key(jwks: &Value, alg: &str) -> bool {
    choose_key(jwks, alg).is_some()
}

/// `content` in compact form, encrypted as `encryption` says for the key of `jwks` that is meant for it. The padding of
/// RSA and the ephemeral key of ECDH are the library's to draw, as they are in signatures.
pub fn encrypt(
    content: Content<'_>,
    encryption: &Encryption,
    jwks: &Value,
    randomness: &Randomness,
) -> Result<String, JweError> {
    let jwk = choose_key(jwks, &encryption.alg).ok_or(JweError::NoKey)?;
    let mut header =
        Map::from_iter([("alg".to_owned(), json!(encryption.alg)), ("enc".to_owned(), json!(encryption.enc))]);
    let plain = match content {
        Content::Signed(jwt) => {
            header.insert("cty".to_owned(), json!("JWT"));
            jwt
        }
        Content::Claims(claims) => claims,
    };
    if let Some(kid) = jwk.get("kid") {
        header.insert("kid".to_owned(), kid.clone());
    }
    let (content_key, encrypted_key) = hand_over(encryption, jwk, &randomness.content_key, &mut header)?;
    let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let sealed = seal(&encryption.enc, &content_key, &randomness.iv, header.as_bytes(), plain.as_bytes())?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Ok([header, text(&encrypted_key), text(&sealed.iv), text(&sealed.ciphertext), text(&sealed.tag)].join("."))
}

type ContentKey = Zeroizing<[u8; KEY_LENGTH]>;

/// The content's key and what is sent of it.
fn hand_over(
    encryption: &Encryption,
    jwk: &Map<String, Value>,
    drawn: &ContentKey,
    header: &mut Map<String, Value>,
) -> Result<(ContentKey, Vec<u8>), JweError> {
    match encryption.alg.as_str() {
        "RSA-OAEP-256" => Ok((drawn.clone(), wrap_by_rsa(jwk, drawn)?)),
        "ECDH-ES" => {
            let agreed = agree(jwk, &encryption.enc, KEY_LENGTH, header)?;
            let mut key = Zeroizing::new([0; KEY_LENGTH]);
            key.copy_from_slice(&agreed);
            Ok((key, Vec::new()))
        }
        "ECDH-ES+A128KW" => {
            let agreed = agree(jwk, &encryption.alg, 16, header)?;
            let kek = AesKek::new(&key_wrap::AES_128, &agreed).map_err(|_| JweError::Key)?;
            let mut wrapped = vec![0; KEY_LENGTH + 8];
            kek.wrap(drawn.as_slice(), &mut wrapped).map_err(|_| JweError::Key)?;
            Ok((drawn.clone(), wrapped))
        }
        _ => Err(JweError::Unsupported),
    }
}

/// RFC 7518, 4.3.
fn wrap_by_rsa(jwk: &Map<String, Value>, key: &ContentKey) -> Result<Vec<u8>, JweError> {
    let (n, e) = (member(jwk, "n")?, member(jwk, "e")?);
    let n: Vec<u8> = n.into_iter().skip_while(|byte| *byte == 0).collect();
    if !(MIN_RSA_BYTES..=MAX_RSA_BYTES).contains(&n.len()) {
        return Err(JweError::Key);
    }
    let public: PublicEncryptingKey = PublicKeyComponents { n, e }.try_into().map_err(|_| JweError::Key)?;
    let public = OaepPublicEncryptingKey::new(public).map_err(|_| JweError::Key)?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, key.as_slice(), &mut wrapped, None).map_err(|_| JweError::Key)?;
    Ok(wrapped)
}

/// Agrees on `length` bytes with the client's P-256 key under a fresh one, which the header tells (RFC 7518, 4.6).
fn agree(
    jwk: &Map<String, Value>,
    algorithm: &str,
    length: usize,
    header: &mut Map<String, Value>,
) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let unusable = |_| JweError::Key;
    let mut theirs = vec![4];
    for name in ["x", "y"] {
        theirs.extend(
            member(jwk, name).and_then(|bytes| if bytes.len() == 32 { Ok(bytes) } else { Err(JweError::Key) })?,
        );
    }
    let ours = agreement::PrivateKey::generate(&ECDH_P256).map_err(unusable)?;
    let public = ours.compute_public_key().map_err(unusable)?;
    let (x, y) = public.as_ref().get(1..).and_then(|point| point.split_at_checked(32)).ok_or(JweError::Key)?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    header.insert("epk".to_owned(), json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}));
    agreement::agree(&ours, UnparsedPublicKey::new(&ECDH_P256, theirs), JweError::Key, |shared| {
        Ok(derive(shared, algorithm, [b"", b""], length))
    })
}

/// The Concat KDF of one round (RFC 7518, 4.6.2).
fn derive(shared: &[u8], algorithm: &str, parties: [&[u8]; 2], length: usize) -> Zeroizing<Vec<u8>> {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [
        &size(1)[..],
        shared,
        &size(algorithm.len()),
        algorithm.as_bytes(),
        &size(parties[0].len()),
        parties[0],
        &size(parties[1].len()),
        parties[1],
        &size(length.saturating_mul(8)),
    ] {
        context.update(part);
    }
    Zeroizing::new(context.finish().as_ref()[..length.min(digest::SHA256_OUTPUT_LEN)].to_vec())
}

struct Sealed {
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

fn seal(enc: &str, key: &ContentKey, iv: &[u8; 16], aad: &[u8], plain: &[u8]) -> Result<Sealed, JweError> {
    match enc {
        "A256GCM" => seal_gcm(key, iv, aad, plain),
        "A128CBC-HS256" => seal_cbc(key, iv, aad, plain),
        _ => Err(JweError::Unsupported),
    }
}

/// RFC 7518, 5.3.
fn seal_gcm(key: &ContentKey, iv: &[u8; 16], aad: &[u8], plain: &[u8]) -> Result<Sealed, JweError> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| JweError::Key)?;
    let nonce = Nonce::try_assume_unique_for_key(&iv[..12]).map_err(|_| JweError::Key)?;
    let mut ciphertext = plain.to_vec();
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut ciphertext)
        .map_err(|_| JweError::Key)?;
    Ok(Sealed { iv: iv[..12].to_vec(), ciphertext, tag: tag.as_ref().to_vec() })
}

/// RFC 7518, 5.2: the first half of the key authenticates, the second encrypts.
fn seal_cbc(key: &ContentKey, iv: &[u8; 16], aad: &[u8], plain: &[u8]) -> Result<Sealed, JweError> {
    let (mac_key, encryption_key) = key.split_at(16);
    let cipher = UnboundCipherKey::new(&AES_128, encryption_key).map_err(|_| JweError::Key)?;
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(|_| JweError::Key)?;
    let mut ciphertext = plain.to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    cipher.less_safe_encrypt(&mut ciphertext, context).map_err(|_| JweError::Key)?;
    let bits = u64::try_from(aad.len()).unwrap_or(u64::MAX).saturating_mul(8).to_be_bytes();
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, mac_key));
    for part in [aad, iv.as_slice(), &ciphertext, &bits] {
        mac.update(part);
    }
    let tag = mac.sign().as_ref()[..16].to_vec();
    Ok(Sealed { iv: iv.to_vec(), ciphertext, tag })
}

/// The first key of a set that `alg` can use and that is not for signatures.
fn choose_key<'a>(jwks: &'a Value, alg: &str) -> Option<&'a Map<String, Value>> {
    let fits = |key: &&Map<String, Value>| {
        let is = |name: &str, value: &str| key.get(name).is_some_and(|known| known == value);
        let is_absent_or = |name: &str, value: &str| key.get(name).is_none_or(|known| known == value);
        let kind = if alg == "RSA-OAEP-256" { is("kty", "RSA") } else { is("kty", "EC") && is("crv", "P-256") };
        kind && is_absent_or("use", "enc") && is_absent_or("alg", alg)
    };
    let keys = || jwks.get("keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    keys().filter(fits).find(|key| key.contains_key("use")).or_else(|| keys().find(|key| fits(key)))
}

fn member(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JweError> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(JweError::Key)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JweError::Key)
}

#[cfg(test)]
mod tests;
