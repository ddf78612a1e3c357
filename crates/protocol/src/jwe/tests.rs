use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|digit| u8::try_from(char::from(digit).to_digit(16)?).ok()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn the_content_is_sealed_as_in_rfc7518_b_1() {
    let mut key = Zeroizing::new([0; 32]);
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::try_from(index).unwrap();
    }
    let plain =
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the \
        enemy without inconvenience";
    let iv: [u8; 16] = unhex("1af38c2dc2b96ffdd86694092341bc04").try_into().unwrap();
    let sealed = seal("A128CBC-HS256", &key, &iv, b"The second principle of Auguste Kerckhoffs", plain).unwrap();
    assert_eq!(sealed.ciphertext[..16], unhex("c80edfa32ddf39d5ef00c0b468834279"));
    assert_eq!(sealed.tag, unhex("652c3fa36b0a7c5b3219fab3a30bc1c4"));
}

#[test]
fn the_key_is_derived_as_in_rfc7518_c() {
    let shared = [
        158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106,
        72, 246, 218, 167, 121, 140, 254, 144, 196,
    ];
    let key = derive(&shared, "A128GCM", [b"Alice", b"Bob"], 16);
    assert_eq!(URL_SAFE_NO_PAD.encode(key.as_slice()), "VqqN6vgjbSBcIijNcacQGg");
}

fn randomness() -> Randomness {
    Randomness { content_key: Zeroizing::new([7; 32]), iv: [9; 16] }
}

fn encryption(alg: &str, enc: &str) -> Encryption {
    Encryption { alg: alg.to_owned(), enc: enc.to_owned() }
}

#[test]
fn the_owner_of_the_rsa_key_gets_the_contents_key() {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'static> = private.as_der().unwrap();
    let id = "k".parse().unwrap();
    let mut jwk = crate::keys::public_jwk(countersign_model::SigningAlgorithm::RS256, &id, pkcs8.as_ref()).unwrap();
    for name in ["use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let jwks = json!({"keys": [jwk]});
    let jwe = encrypt(Content::Signed("a.b.c"), &encryption("RSA-OAEP-256", "A256GCM"), &jwks, &randomness()).unwrap();
    let parts: Vec<Vec<u8>> = jwe.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let header: Value = serde_json::from_slice(&parts[0]).unwrap();
    assert_eq!(header, json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": "k"}));
    let private = OaepPrivateDecryptingKey::new(private).unwrap();
    let mut key = vec![0; private.min_output_size()];
    let key = private.decrypt(&OAEP_SHA256_MGF1SHA256, &parts[1], &mut key, None).unwrap();
    assert_eq!(key, [7; 32]);
    assert_eq!((parts[2].as_slice(), parts[4].len()), (&[9; 12][..], 16));
}

#[test]
fn no_key_for_it_is_said_and_a_bad_one_refused() {
    let encrypt = |jwk: Value, alg: &str, enc: &str| {
        encrypt(Content::Claims("{}"), &encryption(alg, enc), &json!({"keys": [jwk]}), &randomness())
    };
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let point = json!({"kty": "EC", "crv": "P-256", "x": zeros, "y": zeros});
    assert_eq!(encrypt(point.clone(), "ECDH-ES", "A256GCM"), Err(JweError::Key), "not on the curve");
    assert_eq!(encrypt(point.clone(), "RSA-OAEP-256", "A256GCM"), Err(JweError::NoKey));
    assert_eq!(encrypt(json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "RSA-OAEP-256", "A256GCM"), Err(JweError::Key));
    let mut signing = point;
    signing["use"] = json!("sig");
    assert_eq!(encrypt(signing.clone(), "ECDH-ES", "A256GCM"), Err(JweError::NoKey));
    assert!(!has_key(&json!({"keys": [signing]}), "ECDH-ES") && !has_key(&json!({}), "ECDH-ES"));
}
