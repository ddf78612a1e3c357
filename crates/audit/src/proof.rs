//! That an entry is in the log, to be checked without it (C2SP tlog-proof).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::Checkpoint;
use crate::merkle::{Hash, hash_entry, verify_inclusion};
use crate::note::{NoteError, NoteKey};

const HEAD: &str = "c2sp.org/tlog-proof@v1";
/// Nobody's proof is longer, in bytes.
const MAX_PROOF: usize = 128 * 1024;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is none.
    #[error("this is no proof: it begins with {HEAD}, index, hashes, and a checkpoint below")]
    Malformed,
    /// Its checkpoint is not believed.
    #[error("the checkpoint of the proof: {0}")]
    Checkpoint(NoteError),
    /// The entry is another, or stood elsewhere.
    #[error("the entry is not the one at this place of the log")]
    Entry,
}

/// A proof for the entry at a place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its place; the first is 0.
    pub index: u64,
    /// Hashes from its leaf up to the root.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl Proof {
    /// Reads what `Display` wrote, or another log.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        Self::read(text).ok_or(ProofError::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n").filter(|_| text.len() <= MAX_PROOF)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEAD) {
            return None;
        }
        // What the application adds; we add nothing.
        lines.next_if(|line| line.starts_with("extra "));
        let digits = lines.next()?.strip_prefix("index ")?;
        let index = digits.parse().ok().filter(|index: &u64| index.to_string() == digits)?;
        let path = lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok()).collect::<Option<Vec<_>>>()?;
        Some(Self { index, path, checkpoint: checkpoint.to_owned() })
    }

    /// The checkpoint in whose tree `entry` is, at the place the proof says, by the word of `key`.
    ///
    /// # Errors
    /// `Checkpoint` and `Entry`.
    pub fn verify(&self, entry: &[u8], key: &NoteKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key).map_err(ProofError::Checkpoint)?;
        let leaf = hash_entry(entry);
        let holds = verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root);
        holds.then_some(checkpoint).ok_or(ProofError::Entry)
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEAD}\nindex {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::tests::{path, root};

    const ENTRIES: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];

    fn key_pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()
    }

    fn key() -> NoteKey {
        NoteKey::new("log", key_pair().public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn proof(index: u64) -> Proof {
        let leaves: Vec<Hash> = ENTRIES.iter().map(|entry| hash_entry(entry)).collect();
        let checkpoint = Checkpoint { origin: "log".to_owned(), size: 5, root: root(&leaves) };
        let checkpoint = checkpoint.sign(&key_pair()).unwrap().as_str().to_owned();
        Proof { index, path: path(&leaves, index), checkpoint }
    }

    #[test]
    fn a_proof_shows_its_entry_at_its_place_and_no_other() {
        for index in 0..5 {
            let text = proof(index).to_string();
            let read = Proof::parse(&text).unwrap();
            assert_eq!(read, proof(index));
            for (other, entry) in (0..).zip(ENTRIES) {
                assert_eq!(read.verify(entry, &key()).is_ok(), other == index, "{index} {other}");
            }
            let moved = Proof { index: (index + 1) % 5, ..read };
            assert_eq!(moved.verify(ENTRIES[usize::try_from(index).unwrap()], &key()), Err(ProofError::Entry));
        }
        let stranger = NoteKey::new("log", [1; 32]).unwrap();
        let refused = ProofError::Checkpoint(NoteError::Unsigned);
        assert_eq!(proof(0).verify(b"a", &stranger), Err(refused));
    }

    #[test]
    fn what_is_no_proof_is_refused_and_extra_data_is_passed_over() {
        let good = proof(1).to_string();
        let with_extra = good.replace("\nindex", "\nextra AAAA\nindex");
        assert!(Proof::parse(&with_extra).unwrap().verify(b"b", &key()).is_ok());
        for bad in [
            "",
            HEAD,
            &good.replace("@v1", "@v2"),
            &good.replace("index 1", "index 01"),
            &good.replace("index 1", "index -1"),
            &good.replace("index 1\n", "index 1\nAAAA\n"),
            &"x".repeat(MAX_PROOF + 1),
        ] {
            assert_eq!(Proof::parse(bad), Err(ProofError::Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_changed_proof_shows_the_entry(at in 0usize..600, byte in any::<u8>(), noise in ".{0,300}") {
            let _ = Proof::parse(&noise);
            let mut bytes = proof(2).to_string().into_bytes();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(proof) = String::from_utf8(bytes).map_err(|_| ProofError::Malformed).and_then(|text| Proof::parse(&text)) {
                prop_assert!(proof.verify(b"c", &key()).is_err());
            }
        }
    }
}
