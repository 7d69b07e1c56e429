//! The bytes of a journal go in; a panic comes out where its reader breaks a promise.

use crate::download::fuzzing::{Decoded, decode, front, header_text};

/// What of the first byte says which of the three the rest is.
const KINDS: u8 = 3;

/// The bytes of a record before its checksum.
const CLAIM_LEN: usize = 28;

/// No bytes make the reader claim what is not wanted, and what it does claim is what it would claim
/// of its own part of the bytes.
///
/// The first byte says what the rest is: a journal as it stands; a header's text, to be framed with
/// the right checksum; or the claims of records, to be framed behind a sound header.
///
/// # Panics
///
/// If a promise of the journal's reader is broken.
pub fn journal(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let bytes = match kind % KINDS {
        0 => rest.to_vec(),
        1 => front(rest),
        _ => {
            let Some((size, claims)) = rest.split_first_chunk() else { return };
            let mut bytes = front(header_text(u16::from_le_bytes(*size).into()).as_bytes());
            for claim in claims.chunks(CLAIM_LEN) {
                bytes.extend_from_slice(claim);
                if claim.len() == CLAIM_LEN {
                    bytes.extend_from_slice(&crc32fast::hash(claim).to_le_bytes());
                }
            }
            bytes
        }
    };
    let Some(read) = decode(&bytes) else { return };
    assert!(read.len <= bytes.len(), "a journal longer than its file");
    assert_eq!(decode(&bytes[..read.len]).as_ref(), Some(&read), "its own part reads otherwise");
    let Decoded { wanted, runs, missing, .. } = &read;
    let mut all: Vec<_> = runs.iter().chain(missing).collect();
    all.sort_by_key(|range| range.start);
    let mut next = wanted.start;
    for range in all {
        assert_eq!(range.start, next, "a gap, or a byte that is there twice");
        assert!(!range.is_empty(), "an empty range");
        next = range.end;
    }
    assert_eq!(next, wanted.end, "more or less than is wanted");
}
