//! The size and the version of an object go in; the questions that a function has to answer for it,
//! and what the contract wants as the answer, come out. A table, and pure.

use std::ops::Range;

/// Where the service stops sending at full speed, and so where segments usually end, in bytes.
const SEGMENT: u64 = invoker::DEFAULT_SEGMENT_SIZE;

/// The largest object that is believed, in bytes: as large as a file can be. Ranges beyond the end of it
/// are still numbers of 64 bits.
pub(super) const SIZE_MAX: u64 = i64::MAX as u64;

/// Bytes of a range that is to be small.
const FEW: u64 = 1_000;

/// The largest body of a refusal that is small, in bytes.
pub(super) const REFUSAL_MAX: u64 = 8 * 1024;

/// Bytes of a body that are read at most: as many as the service sends at full speed.
const READ_MAX: u64 = SEGMENT;

/// One question, and what is wanted for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// What is tried, for people.
    pub(super) rule: &'static str,
    /// The value of `range`, if one is asked.
    pub(super) range: Option<String>,
    /// The other entries beside the payload.
    pub(super) beside: Vec<(&'static str, String)>,
    pub(super) expect: Expect,
}

/// What the contract wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// 206 and these bytes.
    Part(Range<u64>),
    /// 200 and all bytes.
    Whole,
    /// 416, with the size.
    Unsatisfiable,
    /// 304, without a body.
    NotModified,
    /// 412, with the version there is.
    PreconditionFailed,
    /// 404.
    NotFound,
}

impl Case {
    pub(super) fn new(rule: &'static str, range: Option<String>, expect: Expect) -> Self {
        Self { rule, range, beside: Vec::new(), expect }
    }

    fn beside(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.beside.push((name, value.into()));
        self
    }

    /// How many bytes of the body are worth reading; a whole answer has no more.
    pub(super) fn read_max(&self) -> u64 {
        match &self.expect {
            Expect::Part(range) => (range.end - range.start).saturating_add(FEW).min(READ_MAX),
            Expect::Whole => READ_MAX,
            _ => REFUSAL_MAX + FEW,
        }
    }
}

/// The range of the first question.
const FIRST_RANGE: &str = "bytes=0-0";

/// What is asked first, of an object that nothing is known of; only an object of 0 bytes may say no.
pub(super) fn first(size: Option<u64>) -> Case {
    let expect = match size {
        Some(0) => Expect::Unsatisfiable,
        _ => Expect::Part(0..1),
    };
    Case::new("the first byte", Some(FIRST_RANGE.to_owned()), expect)
}

/// The cases for an object of `size` bytes whose version is `etag`.
pub(super) fn of(size: u64, etag: &str) -> Vec<Case> {
    let mut cases = vec![Case::new("all of it, without a range", None, Expect::Whole)];
    let none = |rule, range: String| Case::new(rule, Some(range), Expect::Unsatisfiable);
    if let Some(last) = size.checked_sub(1) {
        let part = |rule, asked: String, range: Range<u64>| {
            Case::new(rule, Some(asked), Expect::Part(range))
        };
        let (few, middle) = (FEW.min(size), size / 3);
        let first = SEGMENT.min(size);
        let in_the_middle = middle..(middle + FEW).min(size);
        cases.extend([
            part("the last byte", format!("bytes={last}-{last}"), last..size),
            part("a range in the middle", ranged(&in_the_middle), in_the_middle),
            part("from an offset to the end", format!("bytes={}-", size - few), size - few..size),
            part("the last bytes, as a suffix", format!("bytes=-{few}"), size - few..size),
            part("a suffix longer than the object", format!("bytes=-{}", size + 1), 0..size),
            part("an end beyond the object", format!("bytes={last}-{}", last + FEW), last..size),
            part("a whole segment", ranged(&(0..first)), 0..first),
        ]);
        if size > SEGMENT + 1 {
            let across = SEGMENT - FEW.min(SEGMENT)..(SEGMENT + FEW).min(size);
            cases.push(part("across the end of a segment", ranged(&across), across));
        }
        let conditional = |rule, expect| Case::new(rule, Some(FIRST_RANGE.to_owned()), expect);
        cases.extend([
            conditional("if-match with its version", Expect::Part(0..1)).beside("if-match", etag),
            conditional("if-match with another version", Expect::PreconditionFailed)
                .beside("if-match", OTHER_VERSION),
            conditional("if-none-match with another version", Expect::Part(0..1))
                .beside("if-none-match", OTHER_VERSION),
            conditional("a range is never encoded", Expect::Part(0..1))
                .beside("accept-encoding", "zstd, br, gzip"),
        ]);
    }
    cases.extend([
        Case::new("if-none-match with its version", None, Expect::NotModified)
            .beside("if-none-match", etag),
        none("a range that begins at the end", format!("bytes={size}-")),
        none("one byte past the end", format!("bytes={size}-{size}")),
        none("far past the end", format!("bytes={}-{}", size + SEGMENT, size + 2 * SEGMENT)),
    ]);
    cases
}

/// A version that no object has.
const OTHER_VERSION: &str = "\"invoker-check-another-version\"";

/// What is tried with those.
pub(super) const SIDE_BY_SIDE: &str = "many segments side by side";

/// Consecutive parts of the beginning, to be asked for at the same time.
pub(super) fn side_by_side(size: u64, etag: &str, at_once: u64) -> Vec<Case> {
    let each = (size / at_once).clamp(1, FEW);
    (0..at_once.min(size))
        .map(|n| {
            let range = n * each..(n + 1) * each;
            let (asked, expect) = (Some(ranged(&range)), Expect::Part(range));
            Case::new(SIDE_BY_SIDE, asked, expect).beside("if-match", etag)
        })
        .collect()
}

/// As a header has it: with the last byte, not with the end.
fn ranged(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_has_cases_that_can_be_met() {
        for size in
            [0, 1, 2, 3, 999, 1_000, SEGMENT - 1, SEGMENT, SEGMENT + 2, 3 * SEGMENT, SIZE_MAX]
        {
            let mut cases = of(size, "\"v\"");
            cases.extend(side_by_side(size, "\"v\"", 8));
            for case in &cases {
                if let Expect::Part(range) = &case.expect {
                    assert!(range.start < range.end && range.end <= size, "{size}: {case:?}");
                }
            }
            let parts = cases.iter().filter(|case| matches!(case.expect, Expect::Part(_)));
            assert_eq!(parts.count() == 0, size == 0, "{size}");
        }
    }

    #[test]
    fn ranges_are_at_every_edge() {
        let asked: Vec<String> =
            of(10_000_000, "\"v\"").into_iter().filter_map(|case| case.range).collect();
        for range in [
            "bytes=9999999-9999999",
            "bytes=3333333-3334332",
            "bytes=9999000-",
            "bytes=-1000",
            "bytes=-10000001",
            "bytes=9999999-10000999",
            "bytes=0-5242879",
            "bytes=5241880-5243879",
            "bytes=10000000-",
            "bytes=10000000-10000000",
        ] {
            assert!(asked.iter().any(|asked| asked == range), "no {range} in {asked:?}");
        }
    }

    #[test]
    fn parts_side_by_side_are_consecutive() {
        for size in [1, 7, 8, 9, 100_000] {
            let mut next = 0;
            for case in side_by_side(size, "\"v\"", 8) {
                let Expect::Part(range) = case.expect else { panic!() };
                assert_eq!(range.start, next, "{size}");
                next = range.end;
            }
            assert!(next > 0 && next <= size, "{size}");
        }
    }
}
