//! The size of a pattern object comes in; the CRC-64/NVME of its bytes goes out, without the bytes.
//!
//! A CRC is the remainder of a division of polynomials over GF(2), and there `XOR` is the addition. The
//! words of the pattern are linear over GF(2) in their number, but for one constant. So the words of a
//! run of `2^k`, if it begins at a multiple of `2^k`, are those of the first such run, each with the
//! same word added; and its remainder is that of the first such run plus that of a word said `2^k`
//! times. Both follow from their halves. Any size is at most one run of each length and some bytes.

use super::{SIZE_MAX, WORD, byte_at, spread, word};

/// x^64 modulo the polynomial of CRC-64/NVME. As everywhere here the bits are reflected: bit 63 stands
/// for x^0. From the catalogue of parametrised CRC algorithms, where it stands as 0xad93d23594c93659.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// Of the same catalogue: what the register holds at first, and what is added to it at last.
const ALL_ONES: u64 = u64::MAX;

/// Runs of 2^0 words up to as many as the largest object has.
const RUNS: usize = (SIZE_MAX / WORD).ilog2() as usize + 1;

pub(super) fn of(size: u64) -> u64 {
    let words = size / WORD;
    let runs = runs();
    let mut register = ALL_ONES;
    let mut done = 0;
    for (k, run) in runs.iter().enumerate().rev() {
        let length = 1 << k;
        if words & length != 0 {
            register = run.after(register, word(done));
            done += length;
        }
    }
    for offset in words * WORD..size {
        register ^= u64::from(byte_at(offset));
        for _bit in 0..u8::BITS {
            register = times_x(register);
        }
    }
    register ^ ALL_ONES
}

/// What `2^k` words do to the register.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// What was in the register before is multiplied with this.
    shift: u64,
    /// The remainder of the linear parts of the words 0 to `2^k - 1`.
    linear: u64,
    /// A word that is added to each of the words adds its product with this.
    repeated: u64,
}

impl Run {
    /// The register after this run, if its first word is this one.
    fn after(self, register: u64, first: u64) -> u64 {
        times(register, self.shift) ^ self.linear ^ times(first, self.repeated)
    }
}

fn runs() -> [Run; RUNS] {
    // One word: the linear part of word 0 is 0.
    let mut run = Run { shift: POLYNOMIAL, linear: 0, repeated: POLYNOMIAL };
    std::array::from_fn(|k| {
        let this = run;
        // The second half's words are the first half's, each with the bit k of its number added.
        run = Run {
            shift: times(this.shift, this.shift),
            linear: this.after(this.linear, spread(1 << k)),
            repeated: times(this.repeated, this.shift) ^ this.repeated,
        };
        this
    })
}

/// The product of two polynomials, modulo the one of CRC-64/NVME.
fn times(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    for power in 0..u64::BITS {
        if a << power >> (u64::BITS - 1) == 1 {
            product ^= b;
        }
        b = times_x(b);
    }
    product
}

fn times_x(a: u64) -> u64 {
    (a >> 1) ^ if a & 1 == 1 { POLYNOMIAL } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::pattern::fill;
    use crc_fast::CrcAlgorithm::Crc64Nvme;
    use proptest::prelude::*;

    fn plain(size: u64) -> u64 {
        let mut bytes = vec![0; size as usize];
        fill(0, &mut bytes);
        crc_fast::checksum(Crc64Nvme, &bytes)
    }

    #[test]
    fn the_sum_is_that_of_the_bytes() {
        for size in 0..2_100 {
            assert_eq!(of(size), plain(size), "{size}");
        }
        for power in 11..=24 {
            for size in [(1 << power) - 9, (1 << power) - 1, 1 << power, (1 << power) + 13] {
                assert_eq!(of(size), plain(size), "{size}");
            }
        }
    }

    /// Beyond what can be made here: what is said of a size, and of the bytes from there to a larger
    /// one, must join to what is said of the larger one.
    #[test]
    fn sums_of_large_sizes_follow_from_one_another() {
        for size in [1 << 32, (1 << 40) - 5, 10_000_000_000_003, SIZE_MAX - 1_000] {
            let mut more = [0; 1_000];
            fill(size, &mut more);
            let joined = crc_fast::checksum_combine(
                Crc64Nvme,
                of(size),
                crc_fast::checksum(Crc64Nvme, &more),
                more.len() as u64,
            );
            assert_eq!(of(size + more.len() as u64), joined, "{size}");
        }
    }

    proptest! {
        #[test]
        fn at_any_size(size in 0u64..1 << 21) {
            prop_assert_eq!(of(size), plain(size));
        }

        #[test]
        fn at_any_large_size(size in 0..SIZE_MAX, length in 0u64..500) {
            let length = length.min(SIZE_MAX - size);
            let mut more = vec![0; length as usize];
            fill(size, &mut more);
            let mut digest = crc_fast::Digest::new_with_init_state(Crc64Nvme, of(size) ^ ALL_ONES);
            digest.update(&more);
            prop_assert_eq!(of(size + length), digest.finalize());
        }
    }
}
