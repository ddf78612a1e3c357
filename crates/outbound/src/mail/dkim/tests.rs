use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};

use super::*;

/// The signed mail of RFC 8463, A.3.
const SIGNED_BY_RFC: &str = include_str!("rfc8463.eml");
/// Secret and public key of RFC 8463, A.1 (those of RFC 8032, 7.1) and the public RSA key of A.2.
const ED25519_SECRET: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const ED25519_PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA_PUBLIC: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

const MAIL: &str = "From: Case Portal <no-reply@portal.example>\r\nTo: dduck@example.com\r\nSubject: Verification\r\n Code\r\n\
                    Date: Sun, 22 Nov 2026 02:00:00 +0000\r\nX-Unsigned: 1\r\n\r\nYour  code is 914026 \r\n\r\n";

fn decode(text: &str) -> Vec<u8> {
    let packed: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(packed).unwrap()
}

/// A signature field taken apart again.
struct Parsed {
    tags: std::collections::BTreeMap<String, String>,
    without_signature: String,
}

impl Parsed {
    fn new(field: &str) -> Self {
        let field = field.trim_end_matches("\r\n");
        let (_, value) = field.split_once(':').unwrap();
        let tags = value.split(';').map(|tag| {
            let (name, value) = tag.split_once('=').unwrap();
            (name.trim().to_owned(), value.split_ascii_whitespace().collect())
        });
        let (before, _) = field.rsplit_once("b=").unwrap();
        Self { tags: tags.collect(), without_signature: format!("{before}b=") }
    }

    /// What was signed in `mail`.
    fn input(&self, mail: &str) -> Vec<u8> {
        let (fields, body) = split(mail.as_bytes()).unwrap();
        assert_eq!(self.tags["bh"], hash_body(body));
        let names: Vec<&str> = self.tags["h"].split(':').collect();
        signed_input(&fields, &names, &self.without_signature).unwrap()
    }

    fn signature(&self) -> Vec<u8> {
        decode(&self.tags["b"])
    }
}

/// The two signature fields of the RFC's mail, and the rest of it.
fn rfc_mail() -> (Parsed, Parsed, String) {
    let mail = SIGNED_BY_RFC.replace("\r\n", "\n").replace('\n', "\r\n");
    let second = mail[1..].find("DKIM-Signature").unwrap() + 1;
    let rest = mail.find("From: Joe").unwrap();
    (Parsed::new(&mail[..second]), Parsed::new(&mail[second..rest]), mail[rest..].to_owned())
}

#[test]
fn the_signatures_of_the_rfc_are_genuine() {
    let (ed25519, rsa, mail) = rfc_mail();
    let hash = digest(&SHA256, &ed25519.input(&mail));
    let key = UnparsedPublicKey::new(&ED25519, decode(ED25519_PUBLIC));
    key.verify(hash.as_ref(), &ed25519.signature()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, decode(RSA_PUBLIC));
    key.verify(&rsa.input(&mail), &rsa.signature()).unwrap();
}

#[test]
fn our_ed25519_signature_of_the_rfcs_mail_is_the_rfcs() {
    let (ed25519, _, mail) = rfc_mail();
    let pair = Ed25519KeyPair::from_seed_and_public_key(&decode(ED25519_SECRET), &decode(ED25519_PUBLIC)).unwrap();
    let signature = SigningKey::Ed25519(Box::new(pair)).sign(&ed25519.input(&mail));
    assert_eq!(signature.unwrap(), ed25519.signature());
}

/// A PEM file of a key.
fn write_key(folder: &std::path::Path, name: &str, pkcs8: &[u8]) -> PathBuf {
    let path = folder.join(name);
    let text = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8));
    std::fs::write(&path, text).unwrap();
    path
}

fn settings(key_file: PathBuf) -> DkimSettings {
    DkimSettings { domain: "portal.example".to_owned(), selector: "cs2026".to_owned(), key_file }
}

fn sign(key_file: PathBuf, mail: &str) -> Parsed {
    let signers = Signers::new(&[settings(key_file)]).unwrap();
    let field = signers.sign("portal.example", mail.as_bytes()).unwrap();
    assert!(field.ends_with("\r\n") && field.lines().all(|line| line.len() <= 78), "{field}");
    assert!(field.lines().skip(1).all(|line| line.starts_with(' ')), "{field}");
    Parsed::new(&field)
}

#[test]
fn a_mail_is_signed_with_an_rsa_key() {
    let folder = tempfile::tempdir().unwrap();
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let parsed = sign(write_key(folder.path(), "rsa.pem", pair.as_der().unwrap().as_ref()), MAIL);
    assert_eq!((parsed.tags["a"].as_str(), parsed.tags["c"].as_str()), ("rsa-sha256", "relaxed/relaxed"));
    assert_eq!((parsed.tags["d"].as_str(), parsed.tags["s"].as_str()), ("portal.example", "cs2026"));
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    key.verify(&parsed.input(MAIL), &parsed.signature()).unwrap();
}

#[test]
fn a_mail_is_signed_with_an_ed25519_key_of_either_form() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Ed25519KeyPair::generate().unwrap();
    for pkcs8 in [pair.to_pkcs8().unwrap(), pair.to_pkcs8v1().unwrap()] {
        let parsed = sign(write_key(folder.path(), "ed.pem", pkcs8.as_ref()), MAIL);
        assert_eq!(parsed.tags["a"], "ed25519-sha256");
        let key = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
        key.verify(digest(&SHA256, &parsed.input(MAIL)).as_ref(), &parsed.signature()).unwrap();
    }
}

#[test]
fn fields_that_a_reader_sees_can_be_neither_changed_nor_added() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Ed25519KeyPair::generate().unwrap();
    let parsed = sign(write_key(folder.path(), "ed.pem", pair.to_pkcs8().unwrap().as_ref()), MAIL);
    let names: Vec<&str> = parsed.tags["h"].split(':').collect();
    assert_eq!(names.iter().filter(|name| **name == "from").count(), 2);
    let genuine = parsed.input(MAIL);
    assert_eq!(parsed.input(&MAIL.replace("X-Unsigned: 1", "X-Unsigned:  2")), genuine);
    assert_eq!(parsed.input(&MAIL.replace("Subject: Verification\r\n Code", "subject:\tVerification  Code ")), genuine);
    for (old, new) in [
        ("dduck@", "other@"),
        ("From:", "From: x@evil.example\r\nFrom:"),
        ("X-Unsigned: 1", "Reply-To: x@evil.example"),
        ("X-Unsigned: 1", "Subject: Another"),
    ] {
        assert_ne!(parsed.input(&MAIL.replace(old, new)), genuine, "{new}");
    }
}

#[test]
fn the_senders_domain_picks_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = write_key(folder.path(), "ed.pem", Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref());
    let domains = ["portal.example", "mail.portal.example", "Clinic.Example"];
    let all = domains.map(|domain| DkimSettings { domain: domain.to_owned(), ..settings(key_file.clone()) });
    let signers = Signers::new(&all).unwrap();
    let signed_as =
        |domain: &str| signers.sign(domain, MAIL.as_bytes()).map(|field| Parsed::new(&field).tags["d"].clone());
    assert_eq!(signed_as("PORTAL.example").as_deref(), Some("portal.example"));
    assert_eq!(signed_as("x.mail.portal.example").as_deref(), Some("mail.portal.example"));
    assert_eq!(signed_as("clinic.example").as_deref(), Some("clinic.example"));
    for domain in ["example", "notportal.example", "portal.example.com", ""] {
        assert_eq!(signed_as(domain), None, "{domain}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = write_key(folder.path(), "ed.pem", Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref());
    let garbage = write_key(folder.path(), "garbage.pem", b"nothing");
    let no_pem = folder.path().join("no.pem");
    std::fs::write(&no_pem, "nothing").unwrap();
    assert!(Signers::new(&[settings(good.clone())]).is_ok());
    for wrong in [
        settings(garbage),
        settings(no_pem),
        settings(folder.path().join("missing.pem")),
        DkimSettings { domain: "portal example".to_owned(), ..settings(good.clone()) },
        DkimSettings { domain: String::new(), ..settings(good.clone()) },
        DkimSettings { selector: "a;b".to_owned(), ..settings(good.clone()) },
        DkimSettings { selector: "a..b".to_owned(), ..settings(good) },
    ] {
        assert!(Signers::new(&[wrong]).is_err());
    }
}
