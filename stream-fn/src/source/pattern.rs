//! A size written as a name comes in (`256MiB`); an object goes out whose every byte is a function of
//! its offset, so that whoever receives it can check it without having it.
//!
//! # The function, revision 2
//!
//! The object is a sequence of 8-byte words. Word `n`, which holds the bytes from offset `8n` on, is,
//! in 64 bits and written in little-endian:
//!
//! ```text
//! z = n
//! z = z XOR rotate_left(z,  5) XOR rotate_left(z, 17)
//! z = z XOR rotate_left(z, 11) XOR rotate_left(z, 40)
//! z = z XOR rotate_left(z, 23) XOR rotate_left(z, 37)
//! word = z XOR 0x9E3779B97F4A7C15
//! ```
//!
//! The byte at `offset` is the byte `offset mod 8` of word `offset div 8`, the least significant one
//! first. The size of the object changes nothing but where it ends.
//!
//! No two words are the same (each line can be undone), so bytes in a wrong place are seen, and what
//! usually compresses bytes finds nothing here. Everything but the constant is linear over GF(2), and
//! that is why the CRC-64/NVME of any size is known without making the bytes: every answer has it.

mod sum;

use super::{ByteStream, Metadata, Object, OpenError, Opening, READ_BYTES, Source};
use crate::version::Version;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::ops::Range;

/// Goes into the version; another function needs another number.
const REVISION: u128 = 2;

/// Bytes in a word.
const WORD: u64 = 8;

/// The golden ratio in 64 bits: without it the object would begin with zeros.
const FIRST_WORD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The largest object, in bytes: 16 TiB, beyond any single object that can be streamed out of Lambda
/// in a day, and far below where offsets could overflow.
pub const SIZE_MAX: u64 = 16 << 40;

/// What a caller is told who asks for something else.
const ACCEPTED: &str = "no such object: the name of a pattern object is its size, a number of bytes \
     (100) or a number with a unit (256MiB, 1.5GiB, 10MB), with KiB, MiB, GiB, TiB or KB, MB, GB, TB, \
     a whole number of bytes in all, at most 16TiB";

/// The units a size may have, with their bytes.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Longest fraction of a size, in digits. Times the largest unit (2^40) it stays inside 128 bits.
const FRACTION_MAX_DIGITS: usize = 24;

/// A source of objects that are a function of their offset, and whose name is their size.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pattern;

impl Source for Pattern {
    fn open<'a>(&'a self, name: &'a str) -> Opening<'a> {
        Box::pin(std::future::ready(open(name)))
    }
}

/// The byte at this offset.
pub fn byte_at(offset: u64) -> u8 {
    word(offset / WORD).to_le_bytes()[(offset % WORD) as usize]
}

/// Writes the bytes from this offset on.
pub fn fill(offset: u64, bytes: &mut [u8]) {
    // Up to the first whole word, whole words, the rest.
    let into_word = offset % WORD;
    let lead = ((WORD - into_word) % WORD).min(bytes.len() as u64) as usize;
    let (lead, rest) = bytes.split_at_mut(lead);
    for (byte, at) in lead.iter_mut().zip(offset..) {
        *byte = byte_at(at);
    }
    let offset = offset.wrapping_add(lead.len() as u64);
    let (words, tail) = rest.as_chunks_mut::<{ WORD as usize }>();
    let first = offset / WORD;
    for (bytes, n) in words.iter_mut().zip(first..) {
        *bytes = word(n).to_le_bytes();
    }
    let last = word(first.wrapping_add(words.len() as u64)).to_le_bytes();
    let length = tail.len();
    tail.copy_from_slice(&last[..length]);
}

fn word(n: u64) -> u64 {
    spread(n) ^ FIRST_WORD
}

/// The linear part of a word: `spread(a ^ b)` is `spread(a) ^ spread(b)`.
fn spread(n: u64) -> u64 {
    let z = n ^ n.rotate_left(5) ^ n.rotate_left(17);
    let z = z ^ z.rotate_left(11) ^ z.rotate_left(40);
    z ^ z.rotate_left(23) ^ z.rotate_left(37)
}

fn open(name: &str) -> Result<Object, OpenError> {
    let size = size_of(name).ok_or_else(|| OpenError::NotFound(ACCEPTED.to_owned()))?;
    let version = Version::from_numbers("pattern", &[REVISION, u128::from(size)]);
    let metadata = Metadata { crc64nvme: Some(sum::of(size)), ..Metadata::new(size, version) };
    Ok(Object::new(metadata, read))
}

fn read(range: Range<u64>) -> ByteStream {
    stream::unfold(range, |range| async move {
        if range.is_empty() {
            return None;
        }
        let length = (range.end - range.start).min(READ_BYTES as u64);
        let mut bytes = vec![0; length as usize];
        fill(range.start, &mut bytes);
        Some((Ok(Bytes::from(bytes)), range.start + length..range.end))
    })
    .boxed()
}

/// `1.5MiB` -> 1572864. `None` for what is no size, no whole number of bytes, or too large.
fn size_of(name: &str) -> Option<u64> {
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((name.strip_suffix(unit)?, *bytes)))
        .unwrap_or((name, 1));
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // Trailing zeros say nothing, and the limit must not depend on them.
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > FRACTION_MAX_DIGITS {
        return None;
    }
    let scale = 10u128.pow(fraction.len() as u32);
    let numerator = match fraction {
        "" => 0,
        digits => digits.parse::<u128>().ok()? * u128::from(unit),
    };
    let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(unit);
    let size = u64::try_from(whole + numerator / scale).ok()?;
    (numerator % scale == 0 && size <= SIZE_MAX).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_sizes() {
        for (name, size) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("007", Some(7)),
            ("1KiB", Some(1024)),
            ("256MiB", Some(256 << 20)),
            ("1GiB", Some(1 << 30)),
            ("1.5MiB", Some(3 << 19)),
            ("1.50MiB", Some(3 << 19)),
            ("0.5KiB", Some(512)),
            ("0.001KB", Some(1)),
            ("10MB", Some(10_000_000)),
            ("2.5GB", Some(2_500_000_000)),
            ("1TB", Some(1_000_000_000_000)),
            ("16TiB", Some(SIZE_MAX)),
            ("17592186044416", Some(SIZE_MAX)),
            ("17592186044417", None),
            ("16.1TiB", None),
            ("18446744073709551616", None),
            ("99999999999999999999999TiB", None),
            ("0.3KiB", None),
            ("1.5", None),
            ("1.0", Some(1)),
            (".5MiB", None),
            ("1.MiB", None),
            ("1.2.3MiB", None),
            ("0.0000000000000000000000001TB", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1 MiB", None),
            ("1mib", None),
            ("1M", None),
            ("1e6", None),
            ("0x10", None),
            ("١", None),
            ("1MiB/..", None),
        ] {
            assert_eq!(size_of(name), size, "{name}");
        }
    }

    /// Worked out from the documentation in another language.
    #[test]
    fn the_function_is_the_documented_one() {
        assert_eq!(word(0), 0x9E37_79B9_7F4A_7C15);
        assert_eq!(word(1), 0x1C5E_5D1D_3FCC_5426);
        assert_eq!(word(2), 0x9AE5_30F1_FE46_2C72);
        assert_eq!(word(0x1_2345_6789), 0xF2B5_CBB4_8784_ACFA);
        assert_eq!(byte_at(0), 0x15);
        assert_eq!(byte_at(7), 0x9E);
        assert_eq!(byte_at(8), 0x26);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_bytes(offset in 0..SIZE_MAX, length in 0usize..200, cut in 0usize..200) {
            let mut whole = vec![0; length];
            fill(offset, &mut whole);
            let cut = cut.min(length);
            let mut parts = vec![0; length];
            let (left, right) = parts.split_at_mut(cut);
            fill(offset, left);
            fill(offset + cut as u64, right);
            prop_assert_eq!(&whole, &parts);
            for (at, byte) in (offset..).zip(&whole) {
                prop_assert_eq!(byte_at(at), *byte);
            }
        }
    }

    #[tokio::test]
    async fn a_range_is_exactly_its_bytes() {
        for range in [0..0, 0..1, 5..READ_BYTES as u64 + 5, 3..3 * READ_BYTES as u64] {
            let object = Pattern.open("1MiB").await.unwrap();
            assert_eq!(object.metadata().version.as_etag(), "\"pattern-2-100000\"");
            let frames: Vec<_> = object.read(range.clone()).collect().await;
            let got: Vec<u8> = frames.into_iter().flat_map(|frame| frame.unwrap()).collect();
            let mut wanted = vec![0; (range.end - range.start) as usize];
            fill(range.start, &mut wanted);
            assert_eq!(got, wanted);
        }
    }

    #[tokio::test]
    async fn a_bad_name_is_told_the_accepted_form() {
        let Err(OpenError::NotFound(message)) = Pattern.open("huge").await else {
            panic!("there is no such object")
        };
        assert!(message.contains("256MiB"), "{message}");
    }
}
