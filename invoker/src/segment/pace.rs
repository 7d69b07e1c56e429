//! How segments went goes in; how many may be in flight, and whether a slow one may be asked for a
//! second time, comes out. Pure: time is an argument.
//!
//! In flight grows by one with each segment that ends, which doubles it in each round, for as long
//! as rounds bring more bytes per second. Then it stays at the best it had, and tries a little more
//! from time to time. A throttle takes a third of it away at once.

use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

/// Segments in flight before anything was measured: the bandwidth of one invocation is far below
/// that of most callers' networks, and eight are far below the 1,000 that an account has.
const START: usize = 8;

/// What a round must bring more than the best before it to count as growth. Noise is less.
const GROWTH: f64 = 1.10;

/// Warm rounds without growth, one behind the other, that end the fast growth.
const MISSES: u32 = 2;

/// What a try must bring more than the best to be kept.
const WORTH: f64 = 1.02;

/// Rounds between tries.
const ROUNDS_BETWEEN_TRIES: u32 = 8;

/// What is left of in flight after a throttle.
const SHED: (usize, usize) = (2, 3);

/// No growth for so long after a throttle; and throttles within that time count as one. The service
/// adds environments every ten seconds; capacity that others gave back is there sooner.
const CALM: Duration = Duration::from_secs(1);

/// Fewer segments than this tell nothing of how long one takes.
const SAMPLES: usize = 8;

/// A segment that takes so many times longer than the median is a straggler.
const STRAGGLER: u32 = 3;

/// Nothing is a straggler before that: a second invocation is billed, and takes time to begin.
const STRAGGLER_FLOOR: Duration = Duration::from_secs(1);

/// An answer whose first byte took this many times longer than the quickest, and then some, comes
/// from an environment that was made for it.
const COLD: u32 = 2;
const COLD_FLOOR: Duration = Duration::from_millis(20);

/// In place of a shortest time, as long as there is none.
const NOT_YET: Duration = Duration::from_secs(u32::MAX as u64);

/// A range is worth a second invocation of its own if it would take this many times longer than
/// segments do.
const WORTH_SPLITTING: u32 = 2;

/// The smallest part that a split leaves, in bytes: smaller ones cost more than they bring.
const SPLIT_BYTES: u64 = 1024 * 1024;

/// What a second invocation costs of the budget, what each ended segment gives to it, and the most
/// that it holds: one for each twenty in the long run ("The Tail at Scale").
const HEDGE_COST: f64 = 1.0;
const HEDGE_REWARD: f64 = 0.05;
const HEDGES_MOST: f64 = 10.0;

/// One segment that came to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// From its call to the beginning of its answer, where that was measured.
    pub(crate) first_byte: Option<Duration>,
}

/// How many segments a download may have in flight.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    allowed: usize,
    most: usize,
    phase: Phase,
    round: Round,
    best: Best,
    shed_at: Option<Instant>,
    /// How long the last segments took, the newest last.
    recent: Vec<Duration>,
    quickest: Duration,
    hedges: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// As many as were wanted, whatever comes of it.
    Fixed,
    /// More with each segment, until rounds bring no more.
    Growing { misses: u32 },
    /// At the best; `rounds` are left until the next try.
    Holding { rounds: u32 },
    /// A try with a few more.
    Trying,
}

/// As many segments as may be in flight when it begins, ended one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    began: Option<Instant>,
    /// What was allowed when it began.
    allowed: usize,
    left: usize,
    bytes: u64,
    /// Whether a new environment answered: it says nothing of how fast the next one will be.
    cold: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Best {
    bytes_per_second: f64,
    allowed: usize,
}

impl Pace {
    /// Always `in_flight`.
    pub(crate) fn fixed(in_flight: usize) -> Self {
        Self { phase: Phase::Fixed, allowed: in_flight, ..Self::growing(in_flight) }
    }

    /// As many as bring more, but not more than `most`.
    pub(crate) fn growing(most: usize) -> Self {
        Self {
            allowed: START.min(most),
            most,
            phase: Phase::Growing { misses: 0 },
            round: Round::default(),
            best: Best::default(),
            shed_at: None,
            recent: Vec::new(),
            quickest: NOT_YET,
            hedges: HEDGE_COST,
        }
    }

    /// The segments that may be in flight now; at least one.
    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// The most that may ever be.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// The download asks for its first segment.
    pub(crate) fn begin(&mut self, now: Instant) {
        let allowed = self.allowed;
        self.round = Round { began: Some(now), allowed, left: allowed, ..Round::default() };
    }

    pub(crate) fn ended(&mut self, now: Instant, segment: Ended) {
        self.hedges = (self.hedges + HEDGE_REWARD).min(HEDGES_MOST);
        if self.recent.len() == 2 * SAMPLES {
            self.recent.remove(0);
        }
        self.recent.push(segment.took);
        let first_byte = segment.first_byte.unwrap_or(self.quickest);
        self.quickest = self.quickest.min(first_byte);
        if self.phase == Phase::Fixed {
            return;
        }
        if matches!(self.phase, Phase::Growing { .. }) && !self.is_calming(now) {
            self.allowed = (self.allowed + 1).min(self.most);
        }
        self.round.bytes += segment.bytes;
        self.round.cold |= first_byte > self.quickest.saturating_mul(COLD) + COLD_FLOOR;
        self.round.left = self.round.left.saturating_sub(1);
        if self.round.left == 0 {
            self.judge(now);
            self.begin(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        let Some(took) = self.round.began.map(|began| now.saturating_duration_since(began)) else {
            return;
        };
        let rate = self.round.bytes as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE);
        let better = |factor: f64| rate > self.best.bytes_per_second * factor;
        match self.phase {
            Phase::Fixed => {}
            Phase::Growing { misses } => {
                if better(GROWTH) {
                    self.best = Best { bytes_per_second: rate, allowed: self.round.allowed };
                    self.phase = Phase::Growing { misses: 0 };
                } else if self.round.cold {
                    // New environments were waited for: nothing is known yet.
                } else if misses + 1 < MISSES {
                    self.phase = Phase::Growing { misses: misses + 1 };
                } else {
                    self.hold();
                }
            }
            Phase::Holding { rounds: 0 } => {
                self.best.bytes_per_second = rate; // as it is today
                self.allowed = (self.allowed + self.allowed.div_ceil(8)).min(self.most);
                self.phase = Phase::Trying;
            }
            Phase::Holding { rounds } => self.phase = Phase::Holding { rounds: rounds - 1 },
            Phase::Trying if self.round.cold => {}
            Phase::Trying if better(WORTH) => {
                self.best = Best { bytes_per_second: rate, allowed: self.round.allowed };
                self.phase = Phase::Holding { rounds: 0 };
            }
            Phase::Trying => self.hold(),
        }
    }

    /// Back to the best there was.
    fn hold(&mut self) {
        self.allowed = self.best.allowed.clamp(1, self.most);
        self.phase = Phase::Holding { rounds: ROUNDS_BETWEEN_TRIES };
    }

    /// The service had no capacity for a call.
    pub(crate) fn throttled(&mut self, now: Instant) {
        // Calls that were made together are refused together.
        if self.phase == Phase::Fixed || self.is_calming(now) {
            return;
        }
        let (of, parts) = SHED;
        self.shed_at = Some(now);
        self.allowed = (self.allowed * of / parts).max(1);
        self.best = Best { bytes_per_second: 0.0, allowed: self.allowed };
        self.phase = Phase::Holding { rounds: ROUNDS_BETWEEN_TRIES };
        self.begin(now);
    }

    fn is_calming(&self, now: Instant) -> bool {
        self.shed_at.is_some_and(|at| now.saturating_duration_since(at) < CALM)
    }

    /// From when on a segment is a straggler, counted from its beginning; `None` while that cannot
    /// be told.
    pub(crate) fn straggler_after(&self) -> Option<Duration> {
        Some((self.median()? * STRAGGLER).max(STRAGGLER_FLOOR))
    }

    /// Where to cut what is left of a segment in two; `None` if it is not worth that. `rate` is how
    /// fast it comes, in bytes per second.
    pub(crate) fn split(&self, left: Range<u64>, rate: f64) -> Option<u64> {
        let bytes = left.end - left.start;
        let takes = bytes as f64 / rate.max(f64::MIN_POSITIVE);
        let worth = takes > (self.median()? * WORTH_SPLITTING).max(STRAGGLER_FLOOR).as_secs_f64();
        (worth && bytes >= 2 * SPLIT_BYTES).then_some(left.start + bytes / 2)
    }

    fn median(&self) -> Option<Duration> {
        if self.recent.len() < SAMPLES {
            return None;
        }
        let mut recent = self.recent.clone();
        let middle = recent.len() / 2;
        let (_, median, _) = recent.select_nth_unstable(middle);
        Some(*median)
    }

    /// Takes a second invocation of a straggler from the budget, if that has one.
    pub(crate) fn take_hedge(&mut self) -> bool {
        let enough = self.hedges >= HEDGE_COST;
        if enough {
            self.hedges -= HEDGE_COST;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that carries `per_segment` bytes per second of each segment in flight, and not
    /// more than `capacity` in all. Returns what was allowed after each round.
    fn run(
        pace: &mut Pace,
        rounds: usize,
        per_segment: f64,
        capacity: f64,
        cold: bool,
    ) -> Vec<usize> {
        const BYTES: u64 = 5 << 20;
        let mut now = Instant::now();
        pace.begin(now);
        let mut seen = Vec::new();
        for _ in 0..rounds {
            let in_flight = pace.allowed();
            let rate = (per_segment * in_flight as f64).min(capacity);
            let took = Duration::from_secs_f64(BYTES as f64 * in_flight as f64 / rate);
            now += took;
            for number in 0..in_flight {
                let cold = cold && number > 0;
                let first_byte = Some(Duration::from_millis(if cold { 500 } else { 10 }));
                pace.ended(now, Ended { bytes: BYTES, took, first_byte });
            }
            seen.push(pace.allowed());
        }
        seen
    }

    const MB: f64 = 1e6;

    #[test]
    fn it_grows_fast_while_that_brings_more() {
        let mut pace = Pace::growing(64);
        assert_eq!(run(&mut pace, 5, 10.0 * MB, f64::MAX, false)[..3], [16, 32, 64]);
        assert_eq!(pace.allowed(), 64, "and not beyond the most");
    }

    #[test]
    fn it_stays_where_more_brings_nothing() {
        let mut pace = Pace::growing(1000);
        let seen = run(&mut pace, 40, 10.0 * MB, 200.0 * MB, false);
        // Twenty fill the network: 16 is seen to be less, and 32 not to be more.
        let settled = &seen[8..];
        assert!(settled.iter().all(|&allowed| (16..=48).contains(&allowed)), "{seen:?}");
    }

    #[test]
    fn cold_rounds_are_no_evidence_against_growth() {
        let mut pace = Pace::growing(256);
        run(&mut pace, 10, 10.0 * MB, 10.0 * MB, true);
        assert_eq!(pace.allowed(), 256);
        let mut warm = Pace::growing(256);
        run(&mut warm, 10, 10.0 * MB, 10.0 * MB, false);
        assert!(warm.allowed() < 64, "{}", warm.allowed());
    }

    #[test]
    fn a_throttle_sheds_at_once_and_once_for_calls_made_together() {
        let mut pace = Pace::growing(60);
        run(&mut pace, 5, 10.0 * MB, f64::MAX, false);
        let now = Instant::now() + Duration::from_secs(3600);
        for _ in 0..20 {
            pace.throttled(now);
        }
        assert_eq!(pace.allowed(), 40);
        pace.throttled(now + CALM);
        assert_eq!(pace.allowed(), 26);
        for later in 2..50 {
            pace.throttled(now + CALM * later);
        }
        assert_eq!(pace.allowed(), 1, "never none");
    }

    #[test]
    fn after_a_throttle_it_tries_its_way_back() {
        let mut pace = Pace::growing(32);
        run(&mut pace, 5, 10.0 * MB, f64::MAX, false);
        pace.throttled(Instant::now());
        let shed = pace.allowed();
        run(&mut pace, 60, 10.0 * MB, f64::MAX, false);
        assert!(shed < 32 && pace.allowed() > shed, "{shed} to {}", pace.allowed());
    }

    #[test]
    fn a_fixed_number_stays() {
        let mut pace = Pace::fixed(5);
        run(&mut pace, 5, 10.0 * MB, f64::MAX, false);
        pace.throttled(Instant::now());
        assert_eq!((pace.allowed(), pace.most()), (5, 5));
    }

    #[test]
    fn stragglers_are_known_by_the_others_and_asked_again_within_a_budget() {
        let mut pace = Pace::growing(8);
        assert_eq!(pace.straggler_after(), None);
        let first_byte = Some(Duration::from_millis(1));
        let ended = |millis| Ended { bytes: 1, took: Duration::from_millis(millis), first_byte };
        for _ in 0..SAMPLES {
            pace.ended(Instant::now(), ended(100));
        }
        assert_eq!(pace.straggler_after(), Some(STRAGGLER_FLOOR));
        for _ in 0..2 * SAMPLES {
            pace.ended(Instant::now(), ended(2_000));
        }
        assert_eq!(pace.straggler_after(), Some(Duration::from_secs(6)));
        let taken = (0..100).filter(|_| pace.take_hedge()).count();
        assert_eq!(taken, 2, "one at first, and one for each twenty segments");
    }

    #[test]
    fn only_what_takes_long_and_is_large_is_split() {
        let mut pace = Pace::growing(8);
        assert_eq!(pace.split(0..100 << 20, 1e6), None, "nothing is known yet");
        let took = Duration::from_secs(1);
        for _ in 0..SAMPLES {
            pace.ended(Instant::now(), Ended { bytes: 1, took, first_byte: None });
        }
        assert_eq!(pace.split(0..3_000_000, 1e6), Some(1_500_000));
        assert_eq!(pace.split(0..3_000_000, 2e6), None, "soon done");
        assert_eq!(pace.split(5..2_000_000, 0.1), None, "too small");
    }
}
