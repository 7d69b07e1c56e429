//! The value of a `Range` header comes in; the half-open range of an object that it means goes out,
//! and the `Content-Range` that says so. The only file in which ranges are inclusive.

use std::ops::Range;

/// What a `Range` header asks for, before the size of the object is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAsk {
    /// `bytes=FIRST-LAST`, both inclusive.
    Bounded {
        /// The first byte.
        first: u64,
        /// The last byte, itself included.
        last: u64,
    },
    /// `bytes=FIRST-`.
    From {
        /// The first byte.
        first: u64,
    },
    /// `bytes=-LENGTH`.
    Suffix {
        /// How many bytes at the end.
        length: u64,
    },
}

impl RangeAsk {
    /// Reads the value of a `Range` header.
    ///
    /// `None` for anything but exactly one well-formed range of bytes: other units, several ranges, a
    /// last byte before the first. RFC 9110 section 14.2 has such a header ignored, which makes the
    /// answer the whole object. A number beyond 64 bits counts as the largest there is.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, ranges) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = ranges.trim().split_once('-')?;
        match (number(first)?, number(last)?) {
            (Some(first), Some(last)) if last < first => None,
            (Some(first), Some(last)) => Some(Self::Bounded { first, last }),
            (Some(first), None) => Some(Self::From { first }),
            (None, Some(length)) => Some(Self::Suffix { length }),
            (None, None) => None,
        }
    }

    /// The bytes of an object of this size that are asked for; `None` if there is no such byte.
    pub fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            // One past the last byte: clipped to the size first, so that it cannot overflow.
            Self::Bounded { first, last } => first..last.min(size.saturating_sub(1)) + 1,
            Self::From { first } => first..size,
            Self::Suffix { length } => size - length.min(size)..size,
        };
        (range.start < range.end && range.end <= size).then_some(range)
    }
}

/// `bytes FIRST-LAST/SIZE`, for a range that is not empty.
pub(crate) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

/// `bytes */SIZE`, when no byte of the range exists.
pub(crate) fn unsatisfied_range(size: u64) -> String {
    format!("bytes */{size}")
}

/// `Some(None)` for no digits at all, `None` for what is no number.
fn number(digits: &str) -> Option<Option<u64>> {
    if digits.is_empty() {
        return Some(None);
    }
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(Some(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: &str = "99999999999999999999999999";

    #[test]
    fn ranges_mean_what_rfc_9110_says() {
        let huge_last = format!("bytes=5-{HUGE}");
        let huge_first = format!("bytes={HUGE}-");
        let huge_both = format!("bytes={HUGE}-{HUGE}");
        let huge_suffix = format!("bytes=-{HUGE}");
        // value, size, Some(range) = 206, Some(empty) = 416, None = header ignored, 200
        let whole = None;
        let unsatisfied = Some(0..0);
        for (value, size, wanted) in [
            ("bytes=0-0", 10, Some(0..1)),
            ("bytes=0-9", 10, Some(0..10)),
            ("bytes=0-10", 10, Some(0..10)),
            ("bytes=2-5", 10, Some(2..6)),
            ("bytes=9-9", 10, Some(9..10)),
            ("bytes=2-", 10, Some(2..10)),
            ("bytes=-3", 10, Some(7..10)),
            ("bytes=-10", 10, Some(0..10)),
            ("bytes=-11", 10, Some(0..10)),
            ("BYTES = 2-5", 10, Some(2..6)),
            (huge_last.as_str(), 10, Some(5..10)),
            (huge_suffix.as_str(), 10, Some(0..10)),
            (
                "bytes=18446744073709551614-18446744073709551615",
                u64::MAX,
                Some(u64::MAX - 1..u64::MAX),
            ),
            ("bytes=10-", 10, unsatisfied.clone()),
            ("bytes=10-12", 10, unsatisfied.clone()),
            ("bytes=-0", 10, unsatisfied.clone()),
            ("bytes=0-", 0, unsatisfied.clone()),
            ("bytes=0-0", 0, unsatisfied.clone()),
            ("bytes=-5", 0, unsatisfied.clone()),
            (huge_first.as_str(), 10, unsatisfied.clone()),
            (huge_both.as_str(), u64::MAX, unsatisfied.clone()),
            ("bytes=5-2", 10, whole.clone()),
            ("bytes=0-1,4-5", 10, whole.clone()),
            ("bytes=-", 10, whole.clone()),
            ("bytes=", 10, whole.clone()),
            ("bytes", 10, whole.clone()),
            ("", 10, whole.clone()),
            ("items=0-1", 10, whole.clone()),
            ("bytes=a-b", 10, whole.clone()),
            ("bytes=+1-2", 10, whole.clone()),
            ("bytes=1--2", 10, whole.clone()),
            ("bytes=0x1-2", 10, whole.clone()),
            ("bytes=1 -2", 10, whole.clone()),
        ] {
            let got = RangeAsk::parse(value).map(|ask| ask.within(size).unwrap_or(0..0));
            assert_eq!(got, wanted, "{value} of {size}");
        }
    }

    #[test]
    fn content_ranges_are_inclusive() {
        assert_eq!(content_range(&(0..1), 10), "bytes 0-0/10");
        assert_eq!(content_range(&(2..10), 10), "bytes 2-9/10");
        assert_eq!(unsatisfied_range(0), "bytes */0");
    }
}
