//! Hashes that other systems made: bcrypt, scrypt, PBKDF2, and argon2 of every variant. Verified, never made; what they
//! may cost is bounded, so that a hostile import can not burn the machine.

use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use super::{MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, PasswordError, fill};

/// Most passes times KiB of an argon2 hash: 4 GiB written, some seconds.
const MAX_ARGON2_WORK: u64 = 4 * 1024 * 1024;
/// Highest cost of bcrypt: 2^14 rounds, about a second.
const MAX_BCRYPT_COST: u32 = 14;
/// Most of N * r of scrypt, in 128 bytes: 256 MiB.
const MAX_SCRYPT_MEMORY: u64 = 2 * 1024 * 1024;
/// Most of N * r * p of scrypt.
const MAX_SCRYPT_WORK: u64 = 4 * 1024 * 1024;
/// Most iterations of PBKDF2: over eight times OWASP's for SHA-256.
const MAX_ITERATIONS: u32 = 5_000_000;
/// Longest hash, in bytes.
const MAX_OUTPUT: usize = 64;

/// A hash that was read, with what it takes to compute it again.
enum Method {
    Argon2(Argon2<'static>),
    Scrypt(scrypt::Params),
    Pbkdf2(pbkdf2::Algorithm, NonZeroU32),
}

/// Whether `password` belongs to a hash that is not argon2id of this version.
pub(super) fn verify(memory: &mut Vec<Block>, password: &str, stored: &str) -> Result<bool, PasswordError> {
    if is_bcrypt(stored) {
        return verify_bcrypt(password, stored);
    }
    let (method, hash) = read(stored)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Err(PasswordError::Stored) };
    let mut out = Zeroizing::new(vec![0; expected.len()]);
    match method {
        Method::Argon2(argon2) => {
            fill(&argon2, memory, password, &salt, &mut out).map_err(|()| PasswordError::Stored)?;
        }
        Method::Scrypt(params) => {
            scrypt::scrypt(password.as_bytes(), &salt, &params, &mut out).map_err(|_| PasswordError::Stored)?;
        }
        Method::Pbkdf2(algorithm, iterations) => {
            pbkdf2::derive(algorithm, iterations, &salt, password.as_bytes(), &mut out);
        }
    }
    Ok(verify_slices_are_equal(&out, expected.as_bytes()).is_ok())
}

/// Whether `verify` would compute this hash at all; computes nothing.
pub(super) fn check(stored: &str) -> Result<(), PasswordError> {
    if is_bcrypt(stored) {
        return read_bcrypt(stored);
    }
    let (method, hash) = read(stored)?;
    let short = hash.salt.is_none_or(|salt| salt.len() < argon2::MIN_SALT_LEN);
    if matches!(method, Method::Argon2(_)) && short { Err(PasswordError::Stored) } else { Ok(()) }
}

/// Same method, same cost, same lengths of output; salt and output are zeroes. bcrypt's versions cost the same.
pub(super) fn dummy_like(stored: &str) -> Result<String, PasswordError> {
    if is_bcrypt(stored) {
        let parts: bcrypt::HashParts = stored.parse().map_err(|_| PasswordError::Stored)?;
        return Ok(format!("$2b${:02}${}", parts.get_cost(), ".".repeat(53)));
    }
    let (method, hash) = read(stored)?;
    let costs = match method {
        Method::Argon2(argon2) => {
            let params = argon2.params();
            let version = hash.version.unwrap_or(Version::V0x10.into());
            format!("v={version}$m={},t={},p={}", params.m_cost(), params.t_cost(), params.p_cost())
        }
        Method::Scrypt(params) => format!("ln={},r={},p={}", params.log_n(), params.r(), params.p()),
        Method::Pbkdf2(_, iterations) => format!("i={iterations}"),
    };
    let length = hash.hash.map_or(0, |output| output.len());
    let zeroes = |bytes: usize| "A".repeat((bytes * 8).div_ceil(6));
    Ok(format!("${}${costs}${}${}", hash.algorithm, zeroes(16), zeroes(length)))
}

fn is_bcrypt(stored: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix))
}

fn read(stored: &str) -> Result<(Method, PasswordHash), PasswordError> {
    let hash = PasswordHash::new(stored).map_err(|_| PasswordError::Stored)?;
    let fits = |length: usize| (10..=MAX_OUTPUT).contains(&length);
    if hash.salt.is_none() || !hash.hash.is_some_and(|expected| fits(expected.len())) {
        return Err(PasswordError::Stored);
    }
    let method = match hash.algorithm.as_str() {
        "argon2id" | "argon2i" | "argon2d" => Method::Argon2(read_argon2(&hash)?),
        "scrypt" => Method::Scrypt(read_scrypt(&hash)?),
        "pbkdf2-sha256" => Method::Pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, read_iterations(&hash)?),
        "pbkdf2-sha512" => Method::Pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, read_iterations(&hash)?),
        _ => return Err(PasswordError::Stored),
    };
    Ok((method, hash))
}

fn read_iterations(hash: &PasswordHash) -> Result<NonZeroU32, PasswordError> {
    let iterations = hash.params.get_decimal("i").filter(|count| *count <= MAX_ITERATIONS);
    iterations.and_then(NonZeroU32::new).ok_or(PasswordError::Stored)
}

fn read_bcrypt(stored: &str) -> Result<(), PasswordError> {
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| PasswordError::Stored)?;
    if parts.get_cost() > MAX_BCRYPT_COST { Err(PasswordError::Stored) } else { Ok(()) }
}

/// bcrypt looks at the first 72 bytes of a password, as the systems did that made these hashes.
fn verify_bcrypt(password: &str, stored: &str) -> Result<bool, PasswordError> {
    read_bcrypt(stored)?;
    bcrypt::verify(password, stored).map_err(|_| PasswordError::Stored)
}

fn read_argon2(hash: &PasswordHash) -> Result<Argon2<'static>, PasswordError> {
    let params = Params::try_from(hash).map_err(|_| PasswordError::Stored)?;
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    let fits = params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| PasswordError::Stored)?;
    let version = match hash.version {
        Some(0x13) => Version::V0x13,
        None | Some(0x10) => Version::V0x10,
        Some(_) => return Err(PasswordError::Stored),
    };
    if fits && work <= MAX_ARGON2_WORK {
        Ok(Argon2::new(algorithm, version, params))
    } else {
        Err(PasswordError::Stored)
    }
}

fn read_scrypt(hash: &PasswordHash) -> Result<scrypt::Params, PasswordError> {
    let param = |name: &str| hash.params.get_decimal(name).ok_or(PasswordError::Stored);
    let (log_n, r, p) = (param("ln")?, param("r")?, param("p")?);
    let log_n = u8::try_from(log_n).ok().filter(|log_n| *log_n < 32).ok_or(PasswordError::Stored)?;
    let memory = u64::from(r) << log_n;
    if r == 0 || p == 0 || memory > MAX_SCRYPT_MEMORY || memory.saturating_mul(u64::from(p)) > MAX_SCRYPT_WORK {
        return Err(PasswordError::Stored);
    }
    scrypt::Params::new(log_n, r, p).map_err(|_| PasswordError::Stored)
}
