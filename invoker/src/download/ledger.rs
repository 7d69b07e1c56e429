//! Pieces as they are written go in; the runs come out that a journal should name. Pure.

use std::collections::HashMap;
use std::ops::Range;

use super::runs::Run;
use crate::checksum;

/// The shortest run that is worth a record while its segment goes on, in bytes. What is not
/// recorded is fetched again after a crash: with 32 segments in flight, 8 MiB on average.
const RUN_BYTES: u64 = 512 * 1024;

/// How many records an object gets beyond those that end its segments. It bounds the journal of a
/// very large object, by longer runs.
const RUNS: u64 = 64 * 1024;

/// How far each segment is written, and how much of that is recorded.
pub(super) struct Ledger {
    run_bytes: u64,
    /// By the start of the segment.
    open: HashMap<u64, Open>,
}

/// A segment that has bytes written but not recorded. The sums are those of the segment from its
/// start to the place.
struct Open {
    recorded: Place,
    written: Place,
    end: u64,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    sum: u64,
}

impl Open {
    fn run(&self) -> Option<Run> {
        let range = self.recorded.offset..self.written.offset;
        let sum = checksum::between(self.recorded.sum, self.written.sum, range.end - range.start);
        (!range.is_empty()).then_some(Run { range, sum })
    }
}

impl Ledger {
    /// For a download of `bytes` bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self { run_bytes: RUN_BYTES.max(bytes / RUNS), open: HashMap::new() }
    }

    /// `segment` is written up to `offset`, and `sum` is that of its bytes so far. A run is due
    /// when it is long enough.
    ///
    /// The run that ends a segment has to wait: only the end of its invocation proves it.
    pub(super) fn wrote(&mut self, segment: &Range<u64>, offset: u64, sum: u64) -> Option<Run> {
        let start = Place { offset: segment.start, sum: checksum::EMPTY };
        let open = self.open.entry(segment.start).or_insert(Open {
            recorded: start,
            written: start,
            end: segment.end,
        });
        open.written = Place { offset, sum };
        if offset == open.end || offset - open.recorded.offset < self.run_bytes {
            return None;
        }
        let run = open.run();
        open.recorded = open.written;
        run
    }

    /// The end of the segment that begins at `start` is proven.
    pub(super) fn proven(&mut self, start: u64) -> Option<Run> {
        self.open.remove(&start)?.run()
    }

    /// The segment that begins at `start` gave bytes that are not to be believed. Returns which of
    /// them were recorded.
    pub(super) fn untrue(&mut self, start: u64) -> Option<Range<u64>> {
        let recorded = start..self.open.remove(&start)?.recorded.offset;
        (!recorded.is_empty()).then_some(recorded)
    }

    /// What can still be recorded when everything ends here. Of a segment that was written to its
    /// end without proof that is nothing, and what was recorded is taken back: its function may
    /// have been about to say that it was wrong, and it is asked again from its start.
    pub(super) fn rest(&mut self) -> Vec<Rest> {
        let rest = |(start, open): (u64, Open)| {
            if open.written.offset < open.end {
                return open.run().map(Rest::Run);
            }
            let recorded = start..open.recorded.offset;
            (!recorded.is_empty()).then_some(Rest::Not(recorded))
        };
        self.open.drain().filter_map(rest).collect()
    }
}

/// What becomes of a segment that ends early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// This is there as well.
    Run(Run),
    /// This is not to be believed.
    Not(Range<u64>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Sum;
    use proptest::prelude::*;

    fn sum(bytes: &[u8]) -> u64 {
        let mut sum = Sum::default();
        sum.update(bytes);
        sum.value()
    }

    fn ledger(run_bytes: u64) -> Ledger {
        Ledger { run_bytes, open: HashMap::new() }
    }

    proptest! {
        #[test]
        fn runs_cover_a_proven_segment_with_the_sums_of_their_bytes(
            bytes in prop::collection::vec(any::<u8>(), 1..300),
            piece in 1usize..40, run_bytes in 1u64..100, start in 0u64..1000,
        ) {
            let segment = start..start + bytes.len() as u64;
            let mut ledger = ledger(run_bytes);
            let mut runs = Vec::new();
            let mut at = 0;
            for piece in bytes.chunks(piece) {
                at += piece.len();
                runs.extend(ledger.wrote(&segment, start + at as u64, sum(&bytes[..at])));
                prop_assert!(runs.last().is_none_or(|run| run.range.end < segment.end));
            }
            runs.extend(ledger.proven(start));
            let mut next = start;
            for run in &runs {
                prop_assert_eq!(run.range.start, next);
                let place = (run.range.start - start) as usize..(run.range.end - start) as usize;
                prop_assert_eq!(run.sum, sum(&bytes[place]));
                next = run.range.end;
            }
            prop_assert_eq!(next, segment.end);
            prop_assert!(ledger.rest().is_empty());
        }
    }

    #[test]
    fn an_unproven_end_takes_its_segment_back() {
        let bytes = [7; 30];
        let mut ledger = ledger(10);
        assert_eq!(ledger.wrote(&(0..30), 12, sum(&bytes[..12])).unwrap().range, 0..12);
        assert_eq!(ledger.wrote(&(0..30), 30, sum(&bytes)), None);
        assert_eq!(ledger.wrote(&(30..60), 35, sum(&bytes[..5])), None);
        let mut rest = ledger.rest();
        rest.sort_by_key(|rest| matches!(rest, Rest::Not(_)));
        let run = Run { range: 30..35, sum: sum(&bytes[..5]) };
        assert_eq!(rest, [Rest::Run(run), Rest::Not(0..12)]);
    }

    #[test]
    fn what_was_recorded_of_an_untrue_segment_is_told() {
        let mut ledger = ledger(10);
        ledger.wrote(&(5..30), 15, 1);
        ledger.wrote(&(5..30), 20, 2);
        assert_eq!(ledger.untrue(5), Some(5..15));
        assert_eq!(ledger.untrue(5), None);
        assert_eq!(ledger.proven(5), None);
    }
}
