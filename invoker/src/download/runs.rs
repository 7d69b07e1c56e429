//! Runs of bytes that are there go in; the ranges that are missing come out. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

/// Consecutive bytes of an object that are in the part file, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Not empty.
    pub(crate) range: Range<u64>,
    /// CRC-64/NVME of the bytes.
    pub(crate) sum: u64,
}

impl Run {
    pub(crate) fn len(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// Runs that do not overlap, by their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// From the start of a run to its end and its sum.
    by_start: BTreeMap<u64, (u64, u64)>,
}

impl Runs {
    /// Adds a run. Older ones that share a byte with it are forgotten: they may describe bytes
    /// that have been written over.
    pub(crate) fn insert(&mut self, run: Run) {
        self.remove(&run.range);
        self.by_start.insert(run.range.start, (run.range.end, run.sum));
    }

    /// Forgets every run that shares a byte with `range`.
    pub(crate) fn remove(&mut self, range: &Range<u64>) {
        // They do not overlap, so of those that begin before the end the last ones end last.
        while let Some((&start, &(end, _))) = self.by_start.range(..range.end).next_back()
            && end > range.start
        {
            self.by_start.remove(&start);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Run> + '_ {
        self.by_start.iter().map(|(&start, &(end, sum))| Run { range: start..end, sum })
    }

    /// How many bytes they have together.
    pub(crate) fn bytes(&self) -> u64 {
        self.by_start.iter().map(|(start, (end, _))| end - start).sum()
    }

    /// The parts of `within` that no run has, in order.
    pub(crate) fn missing(&self, within: &Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut next = within.start;
        for (&start, &(end, _)) in self.by_start.range(..within.end) {
            if start > next {
                missing.push(next..start);
            }
            next = next.max(end);
        }
        if next < within.end {
            missing.push(next..within.end);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(range: Range<u64>) -> Run {
        Run { range, sum: 0 }
    }

    proptest! {
        /// Against a table with one entry for each byte.
        #[test]
        fn what_is_there_and_what_is_missing_make_the_whole(
            steps in prop::collection::vec((any::<bool>(), 0u64..60, 1u64..20), 0..30),
            start in 0u64..40, len in 0u64..60,
        ) {
            let mut runs = Runs::default();
            let mut table: Vec<Option<usize>> = vec![None; 100];
            for (number, &(insert, start, len)) in steps.iter().enumerate() {
                let range = start..start + len;
                let met: Vec<usize> =
                    table[start as usize..(start + len) as usize].iter().flatten().copied().collect();
                table.iter_mut().filter(|at| at.is_some_and(|at| met.contains(&at))).for_each(|at| *at = None);
                if insert {
                    table[start as usize..(start + len) as usize].fill(Some(number));
                    runs.insert(run(range));
                } else {
                    runs.remove(&range);
                }
            }
            let there = table.iter().filter(|at| at.is_some()).count();
            prop_assert_eq!(runs.bytes(), there as u64);
            let within = start..start + len;
            let missing: Vec<u64> = runs.missing(&within).into_iter().flatten().collect();
            let expected: Vec<u64> = within.filter(|&at| table[at as usize].is_none()).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
