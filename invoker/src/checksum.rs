//! Sums of segments, in any order, go in; the CRC-64/NVME of all their bytes comes out. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};

/// The header in which S3, and the functions that follow it, give the CRC-64/NVME of an object.
pub(crate) const HEADER: &str = "x-amz-checksum-crc64nvme";

/// The sum's name, for people.
pub(crate) const ALGORITHM: &str = "CRC-64/NVME";

/// Reads the header's value: base64 of the sum, big-endian.
pub(crate) fn parse(value: &str) -> Option<u64> {
    let bytes = BASE64.decode(value.trim()).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
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
            self.value = crc_fast::checksum_combine(Crc64Nvme, self.value, value, len);
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
