//! argon2id: hashing and verifying; imported hashes of other kinds: verifying alone. Pure and slow; the service runs it
//! on its own pool of threads.

mod imported;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

pub use argon2::Block;

use crate::MAX_PASSWORD;

/// Longest stored hash, in bytes.
const MAX_STORED: usize = 256;
/// Most memory a stored hash may ask for, in KiB: a damaged row must not exhaust the node.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// Most passes a stored hash may ask for.
const MAX_PASSES: u32 = 64;
/// Most lanes a stored hash may ask for.
const MAX_LANES: u32 = 64;

/// Parameters of argon2id (RFC 9106, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashParams {
    /// OWASP's first choice: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// Why a password could not be hashed or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is empty or over 1024 bytes.
    #[error("a password has 1 to 1024 bytes")]
    Length,
    /// The parameters or the salt are out of range (8 to 48 bytes of salt).
    #[error("argon2 parameters or salt are out of range")]
    Params,
    /// The stored hash is no argon2id PHC string this version accepts.
    #[error("the stored hash is damaged")]
    Stored,
}

impl HashParams {
    fn build(self) -> Result<Argon2<'static>, PasswordError> {
        let fits = self.memory_kib <= MAX_MEMORY_KIB && self.passes <= MAX_PASSES && self.lanes <= MAX_LANES;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(Params::DEFAULT_OUTPUT_LEN));
        match params {
            Ok(params) if fits => Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)),
            _ => Err(PasswordError::Params),
        }
    }
}

/// Hashes `password` under 16 random bytes of `salt` into a PHC string.
pub fn hash(password: &str, salt: &[u8], params: HashParams) -> Result<Zeroizing<String>, PasswordError> {
    hash_with(&mut Vec::new(), password, salt, params)
}

/// As `hash`, in memory that is kept for the next call.
pub fn hash_with(
    memory: &mut Vec<Block>,
    password: &str,
    salt: &[u8],
    params: HashParams,
) -> Result<Zeroizing<String>, PasswordError> {
    check_length(password)?;
    let argon2 = params.build()?;
    let mut out = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
    fill(&argon2, memory, password, salt, &mut *out).map_err(|()| PasswordError::Params)?;
    phc(argon2.params(), salt, &*out)
}

/// Whether `password` belongs to a stored hash: a PHC string of argon2, scrypt, pbkdf2-sha256 or pbkdf2-sha512, or bcrypt
/// `$2a$`, `$2b$`, `$2y$`. Takes as long for the dummy as for a real one.
pub fn verify(password: &str, stored: &str) -> Result<bool, PasswordError> {
    verify_with(&mut Vec::new(), password, stored)
}

/// As `verify`, in memory that is kept for the next call.
pub fn verify_with(memory: &mut Vec<Block>, password: &str, stored: &str) -> Result<bool, PasswordError> {
    check_length(password)?;
    if stored.len() > MAX_STORED {
        return Err(PasswordError::Stored);
    }
    imported::verify(memory, password, stored)
}

/// Whether `verify` accepts the form and the cost of a stored hash; for imports. Computes nothing.
pub fn check_stored(stored: &str) -> Result<(), PasswordError> {
    if stored.len() > MAX_STORED { Err(PasswordError::Stored) } else { imported::check(stored) }
}

/// Whether a stored hash was made with less memory or fewer passes than `params`; an imported or damaged one always. Nodes of an old
/// configuration must not undo what those of a new one renewed.
pub fn needs_rehash(stored: &str, params: HashParams) -> bool {
    let Ok((_, used)) = parse(stored) else { return true };
    used.m_cost() < params.memory_kib || used.t_cost() < params.passes
}

/// A PHC string that no password matches, with the cost of `params`: what unknown accounts are verified against.
pub fn dummy(params: HashParams) -> Result<Zeroizing<String>, PasswordError> {
    phc(params.build()?.params(), b"countersign dumm", &[0; Params::DEFAULT_OUTPUT_LEN])
}

/// What takes as long to verify as `stored`, and is the same text for all that take as long; no password matches it.
pub fn dummy_like(stored: &str) -> Result<String, PasswordError> {
    check_stored(stored)?;
    imported::dummy_like(stored)
}

fn check_length(password: &str) -> Result<(), PasswordError> {
    if (1..=MAX_PASSWORD).contains(&password.len()) { Ok(()) } else { Err(PasswordError::Length) }
}

fn parse(stored: &str) -> Result<(PasswordHash, Params), PasswordError> {
    if stored.len() > MAX_STORED {
        return Err(PasswordError::Stored);
    }
    let hash = PasswordHash::new(stored).map_err(|_| PasswordError::Stored)?;
    let params = Params::try_from(&hash).map_err(|_| PasswordError::Stored)?;
    let fits = params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
    let argon2id = hash.algorithm.as_str() == "argon2id" && hash.version == Some(Version::V0x13.into());
    if fits && argon2id { Ok((hash, params)) } else { Err(PasswordError::Stored) }
}

fn fill(argon2: &Argon2, memory: &mut Vec<Block>, password: &str, salt: &[u8], out: &mut [u8]) -> Result<(), ()> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let memory = memory.get_mut(..blocks).ok_or(())?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory).map_err(|_| ())
}

fn phc(params: &Params, salt: &[u8], out: &[u8]) -> Result<Zeroizing<String>, PasswordError> {
    let params = ParamsString::try_from(params).map_err(|_| PasswordError::Params)?;
    let salt = Salt::new(salt).map_err(|_| PasswordError::Params)?;
    let out = Output::new(out).map_err(|_| PasswordError::Params)?;
    let algorithm = Algorithm::Argon2id.ident();
    let version = Some(Version::V0x13.into());
    Ok(Zeroizing::new(PasswordHash { algorithm, version, params, salt: Some(salt), hash: Some(out) }.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashParams = HashParams { memory_kib: 64, passes: 1, lanes: 1 };
    const SALT: &[u8] = b"sixteen bytes !!";

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let stored = hash("pond-lily-4471-quack", SALT, CHEAP).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let mut memory = Vec::new();
        assert_eq!(verify_with(&mut memory, "pond-lily-4471-quack", &stored), Ok(true));
        assert_eq!(verify_with(&mut memory, "pond-lily-4471-quacK", &stored), Ok(false));
        assert_eq!(verify("pond-lily-4471-quack", &stored), Ok(true));
        assert_eq!(memory.len(), 64);
    }

    #[test]
    fn memory_of_a_larger_hash_serves_a_smaller_one() {
        let mut memory = Vec::new();
        let large = HashParams { memory_kib: 128, ..CHEAP };
        let first = hash_with(&mut memory, "one", SALT, large).unwrap();
        let second = hash_with(&mut memory, "two", SALT, CHEAP).unwrap();
        assert_eq!(verify_with(&mut memory, "one", &first), Ok(true));
        assert_eq!(second, hash("two", SALT, CHEAP).unwrap());
    }

    #[test]
    fn our_strings_are_the_argon2_crates_own() {
        use argon2::PasswordVerifier as _;
        let stored = hash("a password", SALT, CHEAP).unwrap();
        assert!(Argon2::default().verify_password(b"a password", stored.as_str()).is_ok());
    }

    #[test]
    fn the_dummy_costs_the_same_and_matches_nothing() {
        let stored = dummy(CHEAP).unwrap();
        assert!(!needs_rehash(&stored, CHEAP));
        for guess in ["", "dummy", "password"] {
            assert_ne!(verify(guess, &stored), Ok(true));
        }
    }

    #[test]
    fn other_parameters_ask_for_a_rehash() {
        let stored = hash("x", SALT, CHEAP).unwrap();
        assert!(!needs_rehash(&stored, CHEAP));
        assert!(needs_rehash(&stored, HashParams { passes: 2, ..CHEAP }));
        let weaker = HashParams { memory_kib: CHEAP.memory_kib / 2, ..CHEAP };
        assert!(!needs_rehash(&stored, weaker), "never weakened");
        assert!(needs_rehash("garbage", CHEAP));
    }

    #[test]
    fn lengths_and_damaged_hashes_are_refused() {
        assert_eq!(hash("", SALT, CHEAP), Err(PasswordError::Length));
        assert!(hash(&"p".repeat(MAX_PASSWORD), SALT, CHEAP).is_ok());
        assert_eq!(hash(&"p".repeat(MAX_PASSWORD + 1), SALT, CHEAP), Err(PasswordError::Length));
        assert_eq!(hash("p", b"short", CHEAP), Err(PasswordError::Params));
        let huge = hash("p", SALT, CHEAP).unwrap().replace("m=64", "m=4000000000");
        for stored in ["", "$argon2id$", "$2b$12$abc", huge.as_str(), &"x".repeat(257)] {
            assert_eq!(verify("p", stored), Err(PasswordError::Stored), "{stored}");
        }
    }
    // Made by other programs: libcrypt (bcrypt) and Python's hashlib (scrypt, PBKDF2).
    const IMPORTED: [&str; 6] = [
        "$2a$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe",
        "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe",
        "$2y$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe",
        "$scrypt$ln=10,r=8,p=1$c2l4dGVlbiBieXRlcyAhIQ$+RSiIOHJNoo/VglSXv8SVRnBQf3BgirTKgWcghyu9A0",
        "$pbkdf2-sha256$i=1000$c2l4dGVlbiBieXRlcyAhIQ$ajDQuQDrd3zODIF8diYAv3JE1zPmhOAsINBqAIBkKII",
        "$pbkdf2-sha512$i=1000,l=64$c2l4dGVlbiBieXRlcyAhIQ$4yJKxBRX7W+JUuKZXQjwa6ck7vDCRfL0HW3Bp2+dr+ebLhr12Il8YCTKqOMxwVsYvqOXPDQUlcnmoeQNHLAl4g",
    ];

    #[test]
    fn imported_hashes_of_other_systems_verify() {
        for stored in IMPORTED {
            assert_eq!(verify("pond-lily-4471", stored), Ok(true), "{stored}");
            assert_eq!(verify("pond-lily-4472", stored), Ok(false), "{stored}");
            assert!(needs_rehash(stored, CHEAP), "{stored}");
            assert_eq!(check_stored(stored), Ok(()), "{stored}");
        }
    }

    #[test]
    fn hashes_of_one_cost_have_one_dummy_that_no_password_matches() {
        let mut dummies: Vec<String> = IMPORTED.iter().map(|stored| dummy_like(stored).unwrap()).collect();
        dummies.dedup();
        assert_eq!(dummies.len(), 4, "the three of bcrypt are one: {dummies:?}");
        for dummy in &dummies {
            assert_eq!(dummy_like(dummy).as_ref(), Ok(dummy));
            assert_eq!(verify("pond-lily-4471", dummy), Ok(false), "{dummy}");
        }
        assert_ne!(dummy_like(IMPORTED[5]), dummy_like(&IMPORTED[5].replace("i=1000", "i=1001")));
        let ours = hash("x", SALT, CHEAP).unwrap();
        assert_eq!(dummy_like(&ours), dummy_like(&dummy(CHEAP).unwrap()));
        assert_eq!(verify("x", &dummy_like(&ours).unwrap()), Ok(false));
        assert_eq!(dummy_like("$md5$i=1"), Err(PasswordError::Stored));
    }

    #[test]
    fn an_argon2i_hash_of_the_reference_program_verifies() {
        let stored = "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG";
        assert_eq!(verify("password", stored), Ok(true));
        assert_eq!(verify("passwort", stored), Ok(false));
    }

    #[test]
    fn absurd_costs_are_refused_at_once() {
        let tail = "$c2l4dGVlbiBieXRlcyAhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let costs = [
            "$argon2id$v=19$m=1048576,t=64,p=1",
            "$argon2d$v=19$m=4000000,t=1,p=1",
            "$scrypt$ln=24,r=8,p=1",
            "$scrypt$ln=31,r=4000000000,p=1",
            "$scrypt$ln=14,r=8,p=1000000",
            "$scrypt$ln=0,r=0,p=0",
            "$scrypt$ln=300,r=8,p=1",
            "$pbkdf2-sha256$i=4000000000",
            "$pbkdf2-sha512$i=0",
            "$pbkdf2-sha1$i=1000",
            "$md5$i=1",
        ];
        for cost in costs {
            assert_eq!(verify("p", &format!("{cost}{tail}")), Err(PasswordError::Stored), "{cost}");
            assert_eq!(check_stored(&format!("{cost}{tail}")), Err(PasswordError::Stored), "{cost}");
        }
        let bcrypt = "$2b$31$ZZZZZZZZZZZZZZZZZZZZZOhTtbxTDQp0PnNE6mrFQQVCu6Y8kQe2W";
        assert_eq!(verify("p", bcrypt), Err(PasswordError::Stored));
        assert_eq!(check_stored(bcrypt), Err(PasswordError::Stored));
    }

    proptest::proptest! {
        #[test]
        fn no_stored_text_makes_verifying_panic(
            kind in proptest::sample::select(vec!["$2b$04$", "$scrypt$ln=4,", "$pbkdf2-sha256$i=1", "$argon2i$", ""]),
            text in proptest::arbitrary::any::<String>(), shaped in "[a-zA-Z0-9$=,./+]{0,80}"
        ) {
            let _ = verify("p", &format!("{kind}{text}"));
            let _ = verify("p", &format!("{kind}{shaped}"));
            let _ = check_stored(&format!("{kind}{text}"));
            let _ = check_stored(&format!("{kind}{shaped}"));
        }
    }
}
