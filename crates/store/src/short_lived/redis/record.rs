//! Reading what `lua/record.lua` writes.

use countersign_model::Timestamp;

use crate::StoreError;
use crate::short_lived::InstanceRecord;

const HEADER_SIZE: usize = 60;
const VERSION: usize = 1;
const END: usize = 45;
const APPROVED: usize = 53;
const RESULT_SIZE: usize = 58;

fn corrupt(column: &'static str) -> StoreError {
    StoreError::Corrupt { table: "redis instance", column, row: "?".to_owned() }
}

fn bytes<const N: usize>(stored: &[u8], offset: usize) -> Result<[u8; N], StoreError> {
    let slice = stored.get(offset..offset + N).ok_or_else(|| corrupt("header"))?;
    slice.try_into().map_err(|_| corrupt("header"))
}

/// A stored instance.
pub fn parse(stored: &[u8]) -> Result<InstanceRecord, StoreError> {
    if stored.first() != Some(&1) {
        return Err(corrupt("format"));
    }
    let end = i64::from_be_bytes(bytes(stored, END)?);
    let [has_approved] = bytes(stored, APPROVED)?;
    let approved = u32::from_be_bytes(bytes(stored, APPROVED + 1)?);
    let result_size = usize::from(u16::from_be_bytes(bytes(stored, RESULT_SIZE)?));
    let body = stored.get(HEADER_SIZE + result_size..).ok_or_else(|| corrupt("body"))?;
    Ok(InstanceRecord {
        version: u32::from_be_bytes(bytes(stored, VERSION)?),
        body: body.to_vec(),
        end: Timestamp::from_millis(end),
        approved: (has_approved == 1).then_some(approved),
    })
}

/// A version as a script answers it.
pub fn parse_version(decimal: &[u8]) -> Result<u32, StoreError> {
    let text = std::str::from_utf8(decimal).map_err(|_| corrupt("version"))?;
    text.parse().map_err(|_| corrupt("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_or_foreign_bytes_are_corrupt() {
        let mut cut = vec![1; HEADER_SIZE];
        cut[RESULT_SIZE..].copy_from_slice(&[0, 9]);
        for stored in [&[][..], &[1; 59], &[2; 80], &cut] {
            assert!(matches!(parse(stored), Err(StoreError::Corrupt { .. })), "{stored:?}");
        }
    }

    #[test]
    fn the_body_follows_the_result() {
        let mut stored = vec![0; HEADER_SIZE];
        stored[0] = 1;
        stored[VERSION + 3] = 7;
        stored[APPROVED] = 1;
        stored[APPROVED + 4] = 9;
        stored[RESULT_SIZE + 1] = 2;
        stored.extend(b"okBODY");
        let record = parse(&stored).unwrap();
        assert_eq!((record.version, record.body.as_slice(), record.approved), (7, &b"BODY"[..], Some(9)));
    }
}
