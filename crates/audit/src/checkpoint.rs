//! Size and root of the tree, signed (C2SP tlog-checkpoint).

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::note::{NoteError, NoteKey, SignedNote, verify_note};

/// The tree at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is of; the name of its key, too.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs it. None if `origin` is empty or has white space or a plus sign in it.
    #[must_use]
    pub fn sign(&self, key: &Ed25519KeyPair) -> Option<SignedNote> {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        SignedNote::sign(&text, &self.origin, key)
    }

    /// The checkpoint that `note` is, if `key` signed it. Lines after the third mean nothing here.
    ///
    /// # Errors
    /// Those of `verify_note`; `Malformed` if the note is no checkpoint of this key's log.
    pub fn verify(note: &str, key: &NoteKey) -> Result<Self, NoteError> {
        Self::parse(verify_note(note, key)?)
            .filter(|checkpoint| checkpoint.origin == key.name())
            .ok_or(NoteError::Malformed)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next()?.to_owned();
        let digits = lines.next()?;
        let size = digits.parse().ok().filter(|size: &u64| size.to_string() == digits)?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        Some(Self { origin, size, root })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;
    use crate::merkle::EMPTY_ROOT;

    fn key_pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
    }

    fn key(name: &str) -> NoteKey {
        NoteKey::new(name, key_pair().public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn checkpoint(origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: 20_852_163, root: [5; 32] }
    }

    #[test]
    fn a_checkpoint_comes_back_by_its_key() {
        let note = checkpoint("id.example/audit").sign(&key_pair()).unwrap();
        assert!(note.as_str().starts_with("id.example/audit\n20852163\nBQUF"), "{}", note.as_str());
        assert_eq!(Checkpoint::verify(note.as_str(), &key("id.example/audit")), Ok(checkpoint("id.example/audit")));
        assert_eq!(Checkpoint::verify(note.as_str(), &key("other")), Err(NoteError::Unsigned));
        assert_eq!(checkpoint("two words").sign(&key_pair()), None);
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_is_refused() {
        let root = STANDARD.encode(EMPTY_ROOT);
        for text in [
            "log\n".to_owned(),
            "log\n0\n".to_owned(),
            format!("log\n01\n{root}\n"),
            format!("log\n-1\n{root}\n"),
            format!("log\n18446744073709551616\n{root}\n"),
            "log\n1\nAAAA\n".to_owned(),
            format!("other\n1\n{root}\n"),
        ] {
            let note = SignedNote::sign(&text, "log", &key_pair()).unwrap();
            assert_eq!(Checkpoint::verify(note.as_str(), &key("log")), Err(NoteError::Malformed), "{text:?}");
        }
        // What follows the third line is not for us.
        let note = SignedNote::sign(&format!("log\n0\n{root}\nmore\n"), "log", &key_pair()).unwrap();
        assert!(Checkpoint::verify(note.as_str(), &key("log")).is_ok());
    }
}
