//! An authenticator in software: ES256, no attestation, the CBOR written by hand (WebAuthn, 6.1, 6.5.4, 8.7).

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One credential on one authenticator.
pub struct Authenticator {
    pair: EcdsaKeyPair,
    id: [u8; 16],
    user: String,
    /// Signatures so far.
    pub counter: u32,
    /// Whether it asks for a PIN or a finger.
    pub verifies: bool,
    /// Origin of the page it is used on.
    pub origin: String,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

impl Authenticator {
    /// One without a credential yet.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new(id: u8) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("key"),
            id: [id; 16],
            user: String::new(),
            counter: 0,
            verifies: true,
            origin: "https://id.example".to_owned(),
        }
    }

    /// Answers `navigator.credentials.create`.
    ///
    /// # Panics
    /// When the options are none.
    pub fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        options["publicKey"]["user"]["id"].as_str().expect("user").clone_into(&mut self.user);
        let point = self.pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        let key = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20][..], x, &[0x22, 0x58, 0x20], y].concat();
        let credential = [&[0; 16][..], &[0, 16], &self.id, &key].concat();
        let data = [self.data(&options["publicKey"]["rp"]["id"], ATTESTED), credential].concat();
        let length = u8::try_from(data.len()).expect("short");
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let object = [&b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..], &[length], &data].concat();
        self.answer(&json!({
            "clientDataJSON": text(&self.client_data("webauthn.create", &options)),
            "attestationObject": text(&object),
            "transports": ["internal"],
        }))
    }

    /// Answers `navigator.credentials.get`.
    ///
    /// # Panics
    /// When the options are none.
    pub fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        self.counter += 1;
        let data = self.data(&options["publicKey"]["rpId"], 0);
        let client = self.client_data("webauthn.get", &options);
        let signed = [data.as_slice(), &sha256(&client)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).expect("signature");
        self.answer(&json!({
            "clientDataJSON": text(&client),
            "authenticatorData": text(&data),
            "signature": text(signature.as_ref()),
            "userHandle": self.user,
        }))
    }

    fn answer(&self, response: &Value) -> String {
        let id = text(&self.id);
        let answer = json!({
            "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {},
        });
        answer.to_string()
    }

    fn data(&self, rp: &Value, more: u8) -> Vec<u8> {
        let rp = rp.as_str().expect("relying party");
        let flags = PRESENT | more | if self.verifies { VERIFIED } else { 0 };
        [sha256(rp.as_bytes()), vec![flags], self.counter.to_be_bytes().to_vec()].concat()
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["publicKey"]["challenge"];
        let data = json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }
}
