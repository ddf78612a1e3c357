//! Signed notes (C2SP signed-note): text, a line without anything, and lines of signatures, Ed25519 here.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Nobody's note is longer, in bytes.
const MAX_NOTE: usize = 64 * 1024;
/// Signatures that are looked at: of the log, of witnesses.
const MAX_SIGNATURES: usize = 100;
/// The byte that says Ed25519.
const ED25519_KIND: u8 = 1;
const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a note, or its key, is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no note.
    #[error("this is no signed note")]
    Malformed,
    /// It is no key.
    #[error("this is no key of a note: name+hash+base64")]
    Key,
    /// This key did not sign it.
    #[error("the note is not signed by this key")]
    Unsigned,
    /// Somebody says this key signed it, and it did not.
    #[error("the signature does not verify")]
    Signature,
}

/// A public key with its name, written `name+hash+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl NoteKey {
    /// Of an Ed25519 public key. None if `name` is empty or has white space or a plus sign in it.
    #[must_use]
    pub fn new(name: &str, public: [u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), id: key_id(name, &public), public })
    }

    /// Reads what `Display` wrote.
    ///
    /// # Errors
    /// `Key`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        // The base64 may hold plus signs, the name does not.
        let mut parts = text.trim().splitn(3, '+');
        let mut next = || parts.next().ok_or(NoteError::Key);
        let (name, id, key) = (next()?, next()?, next()?);
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let [ED25519_KIND, public @ ..] = bytes.as_slice() else { return Err(NoteError::Key) };
        let public = <[u8; 32]>::try_from(public).map_err(|_| NoteError::Key)?;
        let key = Self::new(name, public).ok_or(NoteError::Key)?;
        (write_id(key.id) == id).then_some(key).ok_or(NoteError::Key)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for NoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = STANDARD.encode([&[ED25519_KIND], self.public.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, write_id(self.id))
    }
}

/// A note that has been signed: the whole text, as it is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote(String);

impl SignedNote {
    /// Signs `text`, whose lines each end with a line feed. None if `name` is no name, or `text` no text of a note.
    #[must_use]
    pub fn sign(text: &str, name: &str, key: &Ed25519KeyPair) -> Option<Self> {
        let public = <[u8; 32]>::try_from(key.public_key().as_ref()).ok()?;
        let signer = NoteKey::new(name, public).filter(|_| text.ends_with('\n') && !text.contains("\n\n"))?;
        let signature = STANDARD.encode([signer.id.as_slice(), key.sign(text.as_bytes()).as_ref()].concat());
        Some(Self(format!("{text}\n{SIGNATURE_MARK}{name} {signature}\n")))
    }

    /// As it is handed on.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of `note`, if `key` signed it. Signatures of others are passed over.
///
/// # Errors
/// Every `NoteError` but `Key`.
pub fn verify_note<'a>(note: &'a str, key: &NoteKey) -> Result<&'a str, NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::Malformed);
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Malformed)? + 1;
    let (text, signatures) = note.split_at(end);
    let signatures = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
    let mut is_signed = false;
    for (count, line) in signatures.ok_or(NoteError::Malformed)?.split('\n').enumerate() {
        let (name, signature) =
            line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Malformed)?;
        let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Malformed)?;
        if count >= MAX_SIGNATURES || !is_name(name) || bytes.len() < 5 {
            return Err(NoteError::Malformed);
        }
        let (id, signature) = bytes.split_at(4);
        if name == key.name && id == key.id {
            let verified = UnparsedPublicKey::new(&ED25519, key.public).verify(text.as_bytes(), signature);
            verified.map_err(|_| NoteError::Signature)?;
            is_signed = true;
        }
    }
    is_signed.then_some(text).ok_or(NoteError::Unsigned)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// The first four bytes of SHA-256 over name, line feed, kind and key.
fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let text = [name.as_bytes(), b"\n", &[ED25519_KIND], public].concat();
    let mut id = [0; 4];
    id.copy_from_slice(&digest::digest(&digest::SHA256, &text).as_ref()[..4]);
    id
}

fn write_id(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of Go's package golang.org/x/mod/sumdb/note, which defined the form.
    const GOS_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GOS_TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const GOS_SIGNATURE: &str =
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

    fn key_pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn key(name: &str) -> NoteKey {
        NoteKey::new(name, key_pair().public_key().as_ref().try_into().unwrap()).unwrap()
    }

    #[test]
    fn a_note_that_go_signed_verifies() {
        let key = NoteKey::parse(GOS_KEY).unwrap();
        assert_eq!((key.name(), key.to_string().as_str()), ("PeterNeumann", GOS_KEY));
        let note = format!("{GOS_TEXT}\n\u{2014} PeterNeumann {GOS_SIGNATURE}\n");
        assert_eq!(verify_note(&note, &key), Ok(GOS_TEXT));
        assert_eq!(verify_note(&note.replace("know", "knew"), &key), Err(NoteError::Signature));
    }

    #[test]
    fn a_note_of_ours_verifies_by_its_key_alone() {
        let note = SignedNote::sign("one\ntwo\n", "id.example/audit", &key_pair()).unwrap();
        assert_eq!(verify_note(note.as_str(), &key("id.example/audit")), Ok("one\ntwo\n"));
        assert_eq!(verify_note(note.as_str(), &key("id.example")), Err(NoteError::Unsigned));
        // Witnesses put theirs below.
        let more = format!("{}\u{2014} witness AAAAAAAA\n", note.as_str());
        assert_eq!(verify_note(&more, &key("id.example/audit")), Ok("one\ntwo\n"));
    }

    #[test]
    fn what_is_no_note_or_no_key_is_refused() {
        for (text, name) in [("", "n"), ("one", "n"), ("one\n\ntwo\n", "n"), ("one\n", "a b"), ("one\n", "a+b")] {
            assert_eq!(SignedNote::sign(text, name, &key_pair()), None, "{text:?} {name:?}");
        }
        let good = SignedNote::sign("one\n", "n", &key_pair()).unwrap();
        let good = good.as_str();
        for bad in [
            "",
            "\n",
            "one\n",
            "one\n\n",
            &good[..good.len() - 1],
            &good.replace('\u{2014}', "-"),
            &good.replace("\u{2014} n ", "\u{2014} n  "),
            &format!("{good}\n"),
            &"x".repeat(MAX_NOTE + 1),
        ] {
            assert_eq!(verify_note(bad, &key("n")), Err(NoteError::Malformed), "{bad:?}");
        }
        for bad in ["", "n", "n+00000000", &GOS_KEY.replace("c74f", "c74e"), &GOS_KEY.replace("+AR", "+AB")] {
            assert_eq!(NoteKey::parse(bad), Err(NoteError::Key), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_changed_note_verifies(at in 0usize..200, byte in any::<u8>(), noise in ".{0,200}") {
            let _ = verify_note(&noise, &key("n"));
            let _ = NoteKey::parse(&noise);
            let note = SignedNote::sign("one\ntwo\n", "n", &key_pair()).unwrap();
            let mut bytes = note.as_str().as_bytes().to_vec();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert!(verify_note(&changed, &key("n")).is_err());
            }
        }
    }
}
