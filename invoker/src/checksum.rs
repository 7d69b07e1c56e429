//! Sums of segments, in any order, go in; the CRC-64/NVME of all their bytes comes out. And sums
//! that somebody expects, read and written. Pure.

mod followed;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};

use crate::error::{Error, ErrorKind};

/// The header in which S3, and the functions that follow it, give the CRC-64/NVME of an object.
pub(crate) const HEADER: &str = "x-amz-checksum-crc64nvme";

/// The sum's name, for people.
pub(crate) const ALGORITHM: &str = "CRC-64/NVME";

/// The sum of no bytes.
pub(crate) const EMPTY: u64 = 0;

/// The sum of those `len` bytes that turn the sum `before` into `after`.
pub(crate) fn between(before: u64, after: u64, len: u64) -> u64 {
    // Plus and minus are the same here.
    followed::by(len, before) ^ after
}

/// Reads the header's value: base64 of the sum, big-endian.
pub(crate) fn parse(value: &str) -> Option<u64> {
    let bytes = BASE64.decode(value.trim()).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// A checksum that bytes are expected to have.
///
/// Written as `sha256:` or `crc64nvme:` and the sum, in hexadecimal digits or in base64 as S3 writes
/// it.
///
/// ```
/// let checksum: invoker::Checksum = "crc64nvme:rosUhgp5mIg=".parse()?;
/// assert_eq!(checksum.to_string(), "crc64nvme:ae8b14860a799888");
/// # Ok::<(), invoker::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// SHA-256.
    Sha256([u8; 32]),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, sum) = text.split_once(':').unwrap_or((text, ""));
        let read = match name.to_ascii_lowercase().as_str() {
            "sha256" => digits(sum).map(Self::Sha256),
            "crc64nvme" => digits(sum).map(|sum| Self::Crc64Nvme(u64::from_be_bytes(sum))),
            _ => None,
        };
        read.ok_or_else(|| {
            let message = "a checksum is sha256: or crc64nvme: and the sum, in hexadecimal digits \
                           or base64";
            Error::new(ErrorKind::InvalidInput, message)
        })
    }
}

/// `N` bytes in hexadecimal digits or in base64; the lengths tell which.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return BASE64.decode(text).ok()?.try_into().ok();
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = (value(pair[0])? * 16 + value(pair[1])?) as u8;
    }
    Some(bytes)
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crc64Nvme(sum) => write!(f, "crc64nvme:{sum:016x}"),
            Self::Sha256(sum) => {
                f.write_str("sha256:")?;
                sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The running CRC-64/NVME of consecutive bytes.
pub(crate) struct Sum {
    digest: Digest,
    len: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { digest: Digest::new(Crc64Nvme), len: 0 }
    }
}

impl Sum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.len += bytes.len() as u64;
    }

    pub(crate) fn value(&self) -> u64 {
        self.digest.finalize()
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

/// The sum of a range, joined from the sums of consecutive parts that come in any order.
pub(crate) struct Joined {
    /// The end of what is joined.
    next: u64,
    value: u64,
    /// Parts beyond a gap, by their offset: sum and length.
    beyond: BTreeMap<u64, (u64, u64)>,
}

impl Joined {
    /// Begins with nothing, at the offset `start`.
    pub(crate) fn from(start: u64) -> Self {
        Self { next: start, value: Sum::default().value(), beyond: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, offset: u64, value: u64, len: u64) {
        self.beyond.insert(offset, (value, len));
        while let Some((value, len)) = self.beyond.remove(&self.next) {
            self.value = followed::by(len, self.value) ^ value;
            self.next += len;
            if len == 0 {
                break;
            }
        }
    }

    /// The sum of what is joined so far, without gaps.
    pub(crate) fn value(&self) -> u64 {
        self.value
    }

    /// The sum, if there is no gap before `end`.
    pub(crate) fn upto(&self, end: u64) -> Option<u64> {
        (self.next == end).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(bytes: &[u8]) -> Sum {
        let mut sum = Sum::default();
        sum.update(bytes);
        sum
    }

    #[test]
    fn the_sum_is_the_one_of_the_catalogue() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms.
        assert_eq!(sum(b"123456789").value(), 0xae8b_1486_0a79_9888);
        assert_eq!(parse("rosUhgp5mIg="), Some(0xae8b_1486_0a79_9888));
        assert_eq!(parse("rosUhgp5"), None);
        assert_eq!(Sum::default().value(), EMPTY);
    }

    #[test]
    fn expected_sums_are_read_or_refused() {
        let sum = Checksum::Crc64Nvme(0xae8b_1486_0a79_9888);
        for text in ["crc64nvme:rosUhgp5mIg=", "CRC64NVME:AE8B14860a799888"] {
            assert_eq!(text.parse::<Checksum>().unwrap(), sum);
        }
        let text = format!("sha256:{}", "0f".repeat(32));
        let sha256 = text.parse::<Checksum>().unwrap();
        assert_eq!((sha256, sha256.to_string()), (Checksum::Sha256([0x0f; 32]), text));
        for wrong in
            ["", "sha256", "sha256:0f", "md5:00", "crc64nvme:xyz", "crc64nvme:+e8b14860a799888"]
        {
            assert!(wrong.parse::<Checksum>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_sum_of_a_tail_follows_from_those_of_whole_and_front() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for cut in [0, 1, 17, 500, 999, 1000] {
            let (front, tail) = bytes.split_at(cut);
            let tail_sum = between(sum(front).value(), sum(&bytes).value(), tail.len() as u64);
            assert_eq!(tail_sum, sum(tail).value(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn parts_in_any_order_join_to_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 1..500),
            len in 1usize..60,
            start in 0u64..1_000_000,
            seed in any::<u64>(),
        ) {
            let mut parts: Vec<(u64, &[u8])> =
                bytes.chunks(len).scan(start, |at, part| {
                    let offset = *at;
                    *at += part.len() as u64;
                    Some((offset, part))
                }).collect();
            parts.sort_by_key(|(offset, _)| offset.wrapping_mul(seed | 1));
            let mut joined = Joined::from(start);
            for (offset, part) in parts {
                joined.add(offset, sum(part).value(), part.len() as u64);
            }
            let end = start + bytes.len() as u64;
            prop_assert_eq!(joined.upto(end), Some(sum(&bytes).value()));
            prop_assert_eq!(joined.upto(end + 1), None);
        }
    }
}
