//! Which bytes are wanted and how large a segment is go in; the ranges of the segments come out.
//! Pure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Which bytes of an object are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Wanted {
    /// All of them.
    #[default]
    All,
    /// From an offset to the end.
    From(u64),
    /// Half-open: from the first offset up to, not including, the second.
    Range(Range<u64>),
    /// The last bytes, this many.
    Last(u64),
}

impl Wanted {
    /// The wanted bytes of an object of `size` bytes, clipped to it; `None` if there are none.
    pub(crate) fn of(&self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::All => 0..size,
            Self::From(start) => *start..size,
            Self::Range(range) => range.start..range.end.min(size),
            Self::Last(len) => size.saturating_sub(*len)..size,
        };
        // An empty object has no bytes to want, and wanting all of them is no mistake.
        let nothing_asked = *self == Self::All && size == 0;
        (nothing_asked || range.start < range.end).then_some(range)
    }

    /// Where the first segment begins, if that can be known before the size is.
    pub(crate) fn start(&self) -> Option<u64> {
        match self {
            Self::All => Some(0),
            Self::From(start) => Some(*start),
            Self::Range(range) => Some(range.start),
            Self::Last(_) => None,
        }
    }
}

/// Cuts `range` into consecutive segments of `segment_size` bytes; the last may be shorter.
pub(crate) fn segments(
    range: Range<u64>,
    segment_size: u64,
) -> impl Iterator<Item = Range<u64>> + Send {
    let step = segment_size.max(1);
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = start.saturating_add(step).min(range.end);
        let segment = start..end;
        start = end;
        (segment.start < segment.end).then_some(segment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wanted_bytes_are_clipped_to_the_object() {
        let table = [
            (Wanted::All, 10, Some(0..10)),
            (Wanted::All, 0, Some(0..0)),
            (Wanted::From(4), 10, Some(4..10)),
            (Wanted::From(10), 10, None),
            (Wanted::From(0), 0, None),
            (Wanted::Range(2..20), 10, Some(2..10)),
            (Wanted::Range(5..5), 10, None),
            (Wanted::Last(3), 10, Some(7..10)),
            (Wanted::Last(30), 10, Some(0..10)),
            (Wanted::Last(3), 0, None),
        ];
        for (wanted, size, expected) in table {
            assert_eq!(wanted.of(size), expected, "{wanted:?} of {size}");
        }
    }

    proptest! {
        #[test]
        fn a_plan_covers_its_range_exactly_once(
            start in 0u64..1_000_000, len in 0u64..1_000_000, size in 1u64..100_000,
        ) {
            prop_assume!(len / size < 10_000);
            let mut next = start;
            for segment in segments(start..start + len, size) {
                prop_assert_eq!(segment.start, next);
                prop_assert!(segment.end - segment.start <= size);
                next = segment.end;
            }
            prop_assert_eq!(next, start + len);
        }

        #[test]
        fn a_plan_at_the_edge_of_numbers_ends(len in 1u64..1000, size in 1u64..u64::MAX) {
            let total: u64 = segments(u64::MAX - len..u64::MAX, size).map(|s| s.end - s.start).sum();
            prop_assert_eq!(total, len);
        }
    }
}
