//! The times of repeated invocations go in; how long each has to wait comes out, so that all segments
//! of a download together ask no more often than the budget allows. Pure: time is an argument.
//!
//! The SDK has such a bucket for all calls of a process, but it never refills with time: after a
//! hundred throttles the next failure is not repeated at all. Here a failure waits instead.

use std::time::Duration;

use tokio::time::Instant;

/// How many invocations may be repeated at once, and how many per second after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) at_once: u32,
    pub(crate) per_second: u32,
}

/// After failures. When a network breaks, the 32 segments of a default download are all back within
/// 5 s, the longest delay there is; a service that is broken is asked no more often than that.
pub(crate) const AFTER_FAILURES: Allowance = Allowance { at_once: 8, per_second: 5 };

/// After throttles. All of a default download at once; then a hundredth of the rate at which the
/// service adds environments (1,000 per 10 s and function), for its user is not alone.
pub(crate) const AFTER_THROTTLES: Allowance = Allowance { at_once: 32, per_second: 10 };

/// What is left of an allowance.
#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Allowance,
    /// Repetitions that may be made at `at`; below zero for those that wait already.
    left: f64,
    /// `None` until the first one.
    at: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { allowance, left: f64::from(allowance.at_once), at: None }
    }

    /// Takes one repetition from the budget; how long it has to wait.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let Allowance { at_once, per_second } = self.allowance;
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let refilled = self.left + passed.as_secs_f64() * f64::from(per_second);
        self.left = refilled.min(f64::from(at_once)) - 1.0;
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        Duration::try_from_secs_f64((-self.left / f64::from(per_second)).max(0.0))
            .unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_left_is_waited_for() {
        let mut budget = Budget::new(Allowance { at_once: 2, per_second: 4 });
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let waits = [0, 0, 0, 0, 250].map(|now| budget.take(at(now)).as_millis());
        assert_eq!(waits, [0, 0, 250, 500, 500]);
        // A long rest fills it, and no more than that.
        let waits = [60_000; 3].map(|now| budget.take(at(now)).as_millis());
        assert_eq!(waits, [0, 0, 250]);
    }

    proptest! {
        #[test]
        fn no_more_is_repeated_than_allowed(
            gaps in prop::collection::vec(0u64..400, 1..200),
            at_once in 1u32..20,
            per_second in 1u32..20,
        ) {
            let mut budget = Budget::new(Allowance { at_once, per_second });
            let start = Instant::now();
            let mut now = start;
            let mut made = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                made.push(now + budget.take(now) - start);
            }
            made.sort();
            for (first, from) in made.iter().enumerate() {
                for (last, to) in made.iter().enumerate().skip(first) {
                    let allowed = f64::from(at_once)
                        + (*to - *from).as_secs_f64() * f64::from(per_second);
                    // What rounding to nanoseconds may add.
                    prop_assert!((last - first + 1) as f64 <= allowed + 1e-3);
                }
            }
        }
    }
}
