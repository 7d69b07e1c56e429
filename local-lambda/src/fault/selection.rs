//! Which invocations a fault is for: in, a function's name and an invocation's number; out, yes or
//! no. The same numbers get the same answer: chance comes from a seed.

use super::Fault;
use std::ops::{Bound, RangeBounds};

/// A fault and the invocations that it is for: all, unless its conditions say less. All conditions
/// have to hold.
///
/// As text it is `FAULT[,CONDITION...]`, such as `cut=1000:reset,on=2` or
/// `throttle:retry-after=2,times=3`:
///
/// | condition | holds for |
/// |---|---|
/// | `of=NAME` | invocations of that function |
/// | `on=K`, `on=A-B`, `on=A-` | the K-th invocation, the A-th to the B-th, all from the A-th on |
/// | `every=K` | every K-th invocation |
/// | `p=P` | each with this probability, 0 to 1 |
/// | `seed=N` | another series of chances; 0 if it is left out |
/// | `times=N` | the first N invocations for which the others hold |
///
/// Invocations are counted from 1, of each function by itself, from when the rule was set. Those of
/// both operations count, whatever becomes of them; dry runs and refused ones do not.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    pub(super) fault: Fault,
    pub(super) function: Option<String>,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) every: u64,
    pub(super) probability: f64,
    pub(super) seed: u64,
    pub(super) times: u64,
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

impl FaultRule {
    /// The fault in every invocation.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            function: None,
            first: 1,
            last: u64::MAX,
            every: 1,
            probability: 1.0,
            seed: 0,
            times: u64::MAX,
        }
    }

    /// Only in those of a function.
    pub fn of(mut self, function: impl Into<String>) -> Self {
        self.function = Some(function.into());
        self
    }

    /// Only in those with these numbers, counted from 1. Nothing stands for an end that is open.
    pub fn on(mut self, numbers: impl RangeBounds<u64>) -> Self {
        self.first = match numbers.start_bound() {
            Bound::Included(first) => (*first).max(1),
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 1,
        };
        self.last = match numbers.end_bound() {
            Bound::Included(last) => *last,
            Bound::Excluded(after) => after.saturating_sub(1),
            Bound::Unbounded => u64::MAX,
        };
        self
    }

    /// Only in every so many; 0 counts as 1.
    pub fn every(mut self, invocations: u64) -> Self {
        self.every = invocations.max(1);
        self
    }

    /// Only with a probability of 0 to 1. The same seed gives the same series of chances.
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) };
        self.seed = seed;
        self
    }

    /// Only in the first so many for which all else holds.
    pub fn times(mut self, invocations: u64) -> Self {
        self.times = invocations;
        self
    }

    /// The fault itself.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    pub(crate) fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// Whether all but `times` holds for the function's invocation of this number.
    pub(super) fn holds(&self, function: &str, number: u64) -> bool {
        self.function.as_deref().is_none_or(|name| name == function)
            && (self.first..=self.last).contains(&number)
            && number.is_multiple_of(self.every)
            && chance(self.seed, number) < self.probability
    }
}

/// The `number`-th of a seed's chances, each from 0 up to but not including 1: SplitMix64 (Steele,
/// Lea and Flood 2014), whose n-th state is the seed and n steps. So chances of one function do not
/// depend on how the invocations of another come between.
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // The upper 53 bits are what an f64 holds exactly.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> FaultRule {
        FaultRule::new(Fault::NoComplete)
    }

    fn held(rule: &FaultRule) -> Vec<u64> {
        (1..=12).filter(|number| rule.holds("f", *number)).collect()
    }

    #[test]
    fn conditions_hold_for_what_they_name() {
        assert_eq!(held(&rule()), Vec::from_iter(1..=12));
        assert_eq!(held(&rule().on(2..=2)), [2]);
        assert_eq!(held(&rule().on(2..5)), [2, 3, 4]);
        assert_eq!(held(&rule().on(11..)), [11, 12]);
        assert_eq!(held(&rule().every(5)), [5, 10]);
        assert_eq!(held(&rule().every(5).on(6..)), [10]);
        assert!(held(&rule().of("g")).is_empty());
        assert_eq!(held(&rule().of("f").on(1..=1)), [1]);
    }

    #[test]
    fn chances_are_those_of_splitmix64() {
        // The first two outputs of the published generator for the seed 1234567.
        for (number, output) in [(1, 6_457_827_717_110_365_317_u64), (2, 3_203_168_211_198_807_973)]
        {
            assert_eq!(chance(1_234_567, number), (output >> 11) as f64 / (1_u64 << 53) as f64);
        }
        assert!(held(&rule().probability(0.0, 7)).is_empty());
        assert_eq!(held(&rule().probability(1.0, 7)).len(), 12);
        let half = |seed| {
            let rule = rule().probability(0.5, seed);
            (1..=10_000).filter(|number| rule.holds("f", *number)).collect::<Vec<_>>()
        };
        assert_eq!(half(3), half(3));
        assert_ne!(half(3), half(4));
        assert!((4_800..5_200).contains(&half(3).len()), "{}", half(3).len());
    }
}
