//! The size of an object and a `Range` header go in; a panic comes out where the bytes they mean are
//! not those of RFC 9110.

use crate::range::{RangeAsk, content_range};

/// The first eight bytes are the size, the rest is the header.
///
/// # Panics
///
/// If a promise about ranges is broken.
pub fn range(input: &[u8]) {
    let Some((size, header)) = input.split_first_chunk() else { return };
    let Ok(header) = std::str::from_utf8(header) else { return };
    check(u64::from_be_bytes(*size), header);
}

fn check(size: u64, header: &str) {
    let Some(ask) = RangeAsk::parse(header) else { return };
    let written = match ask {
        RangeAsk::Bounded { first, last } => format!("bytes={first}-{last}"),
        RangeAsk::From { first } => format!("bytes={first}-"),
        RangeAsk::Suffix { length } => format!("bytes=-{length}"),
    };
    assert_eq!(RangeAsk::parse(&written), Some(ask), "{header:?} is not what {written:?} is");

    // With one bit more than an offset has there is nothing that overflows.
    let wide = u128::from;
    let (first, end) = match ask {
        RangeAsk::Bounded { first, last } => (wide(first), wide(last) + 1),
        RangeAsk::From { first } => (wide(first), wide(size)),
        RangeAsk::Suffix { length } => (wide(size).saturating_sub(wide(length)), wide(size)),
    };
    let end = end.min(wide(size));
    let Some(range) = ask.within(size) else {
        assert!(first >= end, "{written:?} of {size} bytes is refused");
        return;
    };
    assert_eq!((wide(range.start), wide(range.end)), (first, end), "{written:?} of {size} bytes");
    assert!(first < end, "{written:?} of {size} bytes is no byte at all");

    let said = content_range(&range, size);
    let numbers: Option<Vec<u128>> =
        said.strip_prefix("bytes ").and_then(|said| said.split(['-', '/']).map(number).collect());
    assert_eq!(numbers, Some(vec![first, end - 1, wide(size)]), "{said}");
}

fn number(digits: &str) -> Option<u128> {
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers around the ends of what there is, and beyond 64 bits.
    fn offset() -> impl Strategy<Value = u128> {
        let around = |at: u64| (0..3u64).prop_map(move |by| u128::from(at.saturating_sub(by)));
        prop_oneof![around(3), around(1000), around(u64::MAX), Just(u128::MAX), 0..2000u128]
    }

    proptest! {
        #[test]
        fn ranges_are_those_of_wide_arithmetic(
            size in prop_oneof![0..4u64, 998..1002u64, u64::MAX - 2..=u64::MAX],
            first in prop::option::of(offset()),
            last in prop::option::of(offset()),
        ) {
            let text = |number: Option<u128>| number.map_or(String::new(), |n| n.to_string());
            check(size, &format!("bytes={}-{}", text(first), text(last)));
        }
    }
}
