//! A failure and what came before it go in; the decision to try again, and when, comes out. Pure:
//! time and chance are arguments.

use std::time::Duration;

use tokio::time::Instant;

use super::budget::{AFTER_FAILURES, AFTER_THROTTLES, Budget};
use super::refused;
use crate::error::{Error, ErrorKind};

/// How often and how fast failed invocations are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How many failures of one segment are followed by another try. Throttles do not count.
    pub(crate) retries: u32,
    /// How long a download that receives nothing at all goes on asking a service that throttles it.
    pub(crate) throttle_patience: Duration,
}

/// Three tries in all, as the SDKs have; patience for a minute, in which the service adds a
/// thousand environments six times over (its scaling rate: 1,000 per 10 s and function).
impl Default for Policy {
    fn default() -> Self {
        Self { retries: 2, throttle_patience: Duration::from_secs(60) }
    }
}

/// The longest delay before the first repetition of a failed call, in the manner of the SDKs.
const FAILURE_BASE: Duration = Duration::from_millis(100);
/// The same where nobody answered: a restart takes seconds.
const UNREACHABLE_BASE: Duration = Duration::from_millis(500);
/// The same after a throttle: capacity comes back in seconds, not in milliseconds.
const THROTTLE_BASE: Duration = Duration::from_secs(1);
/// No delay is longer, however often it failed, but for one that the service or the budget asks for.
const LONGEST: Duration = Duration::from_secs(5);

/// What a try must bring for the tries before it to be forgotten, in bytes: less, and a stream that
/// breaks all the time would cost more invocations than it brings.
const PROGRESS_BYTES: u64 = 1024 * 1024;

/// Failures of one segment so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) failed: u32,
    /// Failures that are waited out.
    pub(crate) waited_out: u32,
    /// When the first of those was.
    pub(crate) waiting_since: Option<Instant>,
}

impl Failures {
    /// Counts one more.
    pub(crate) fn count(&mut self, class: Class, now: Instant) {
        if class.is_waited_out() {
            self.waited_out = self.waited_out.saturating_add(1);
            self.waiting_since.get_or_insert(now);
        } else {
            self.failed = self.failed.saturating_add(1);
        }
    }

    /// Notes that so many bytes came since the last failure. An invocation that brought enough of
    /// them was no failure of the segment, however it ended.
    pub(crate) fn brought(&mut self, bytes: u64) {
        if bytes >= PROGRESS_BYTES {
            self.failed = 0;
        }
    }
}

/// What all segments of a download may repeat together.
#[derive(Debug)]
pub(crate) struct Budgets {
    failures: Budget,
    throttles: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        let (failures, throttles) = (Budget::new(AFTER_FAILURES), Budget::new(AFTER_THROTTLES));
        Self { failures, throttles }
    }
}

/// When a decision is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// How long the whole download has received no byte.
    pub(crate) since_byte: Duration,
    /// A random number in `0.0..1.0`.
    pub(crate) chance: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    RetryAfter(Duration),
    GiveUp,
}

/// Decides what follows `error`, the last of `failures`.
pub(crate) fn decide(
    policy: &Policy,
    budgets: &mut Budgets,
    error: &Error,
    failures: Failures,
    moment: Moment,
) -> Decision {
    let Moment { now, since_byte, chance } = moment;
    // A reader who was away is not the service's fault: patience begins with the first throttle.
    let throttled = failures.waiting_since.map_or(Duration::ZERO, |first| now - first);
    let patience = policy.throttle_patience.saturating_sub(since_byte.min(throttled));
    let class = class(error.kind());
    let (allowed, base, count, budget) = if class.is_waited_out() {
        let allowed = !patience.is_zero();
        (allowed, THROTTLE_BASE, failures.waited_out, &mut budgets.throttles)
    } else {
        let allowed = class == Class::Transient && failures.failed <= policy.retries;
        let unreachable = *error.kind() == ErrorKind::Unreachable;
        let base = if unreachable { UNREACHABLE_BASE } else { FAILURE_BASE };
        (allowed, base, failures.failed, &mut budgets.failures)
    };
    if !allowed {
        return Decision::GiveUp;
    }
    // Full jitter: segments that failed together must not come back together.
    let doublings = count.saturating_sub(1).min(16);
    let ceiling = base.saturating_mul(1 << doublings).min(LONGEST);
    // A service that asks for more than the patience there is gets one last call at its end.
    let asked = error.retry_after().unwrap_or_default().min(patience);
    let delay = asked + ceiling.mul_f64(chance.clamp(0.0, 1.0));
    Decision::RetryAfter(delay.max(budget.take(now)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Another try may succeed.
    Transient,
    /// Another try will succeed, once there is capacity.
    Throttle,
    /// Another try will succeed, once the function can run.
    NotReady,
    /// Another try would fail the same way, or must not be made.
    Final,
}

impl Class {
    /// Whether time mends it, however many tries that takes.
    pub(crate) fn is_waited_out(self) -> bool {
        matches!(self, Self::Throttle | Self::NotReady)
    }
}

/// The one place that says what may be repeated.
pub(crate) fn class(kind: &ErrorKind) -> Class {
    match kind {
        ErrorKind::Throttled { .. } => Class::Throttle,
        // The connection or the path failed, not the function.
        ErrorKind::Unreachable | ErrorKind::Truncated | ErrorKind::TimedOut => Class::Transient,
        // Bytes changed on their way; the next ones may not.
        ErrorKind::Corrupt => Class::Transient,
        ErrorKind::Refused { status, code } => refused::class(*status, code),
        // The function's own words for what it, or who it asks, cannot do now.
        ErrorKind::Answer { status: 429 | 500 | 502..=504 } => Class::Transient,
        ErrorKind::Answer { .. } => Class::Final,
        // A function that failed has most likely failed for good, and each try is billed.
        ErrorKind::Function { .. } => Class::Final,
        // A page of a proxy, or another service: it will say the same again.
        ErrorKind::NotEventStream => Class::Final,
        // Nothing was called.
        ErrorKind::InvalidInput | ErrorKind::Configuration => Class::Final,
        // What is there now is not what was asked for.
        ErrorKind::Inconsistent | ErrorKind::Changed => Class::Final,
        // Nothing of the service or the function failed.
        ErrorKind::LocalFile | ErrorKind::CannotResume | ErrorKind::Stopped => Class::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "made by a test")
    }

    fn throttle() -> Error {
        error(ErrorKind::Throttled { reason: None })
    }

    fn moment(now: Instant, since_byte: Duration, chance: f64) -> Moment {
        Moment { now, since_byte, chance }
    }

    #[test]
    fn what_may_be_repeated() {
        let refused = |status| ErrorKind::Refused { status, code: String::new() };
        let function = ErrorKind::Function { error_type: String::new(), message: String::new() };
        let table = [
            (ErrorKind::InvalidInput, Class::Final),
            (ErrorKind::Configuration, Class::Final),
            (ErrorKind::Unreachable, Class::Transient),
            (refused(503), Class::Transient),
            (refused(404), Class::Final),
            (ErrorKind::Throttled { reason: None }, Class::Throttle),
            (ErrorKind::NotEventStream, Class::Final),
            (function, Class::Final),
            (ErrorKind::Answer { status: 200 }, Class::Final),
            (ErrorKind::Answer { status: 404 }, Class::Final),
            (ErrorKind::Answer { status: 416 }, Class::Final),
            (ErrorKind::Answer { status: 429 }, Class::Transient),
            (ErrorKind::Answer { status: 500 }, Class::Transient),
            (ErrorKind::Answer { status: 501 }, Class::Final),
            (ErrorKind::Answer { status: 503 }, Class::Transient),
            (ErrorKind::Truncated, Class::Transient),
            (ErrorKind::Corrupt, Class::Transient),
            (ErrorKind::Inconsistent, Class::Final),
            (ErrorKind::Changed, Class::Final),
            (ErrorKind::TimedOut, Class::Transient),
            (ErrorKind::LocalFile, Class::Final),
            (ErrorKind::CannotResume, Class::Final),
            (ErrorKind::Stopped, Class::Final),
        ];
        for (kind, expected) in table {
            assert_eq!(class(&kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn failures_are_counted_and_spread() {
        let policy = Policy { retries: 3, ..Policy::default() };
        let decide = |failed, chance| {
            let failures = Failures { failed, ..Failures::default() };
            let moment = moment(Instant::now(), Duration::ZERO, chance);
            let error = error(ErrorKind::Truncated);
            decide(&policy, &mut Budgets::default(), &error, failures, moment)
        };
        let retry = |millis| Decision::RetryAfter(Duration::from_millis(millis));
        assert_eq!(decide(1, 0.0), retry(0));
        assert_eq!(decide(1, 0.5), retry(50));
        assert_eq!(decide(3, 0.5), retry(200));
        assert_eq!(decide(4, 0.5), Decision::GiveUp);
    }

    /// What follows a throttle when there is `left` of a patience of a minute.
    fn throttled(left: Duration, asked: Option<Duration>) -> Decision {
        let policy = Policy { retries: 0, ..Policy::default() };
        let waited = policy.throttle_patience.saturating_sub(left);
        let now = Instant::now() + waited;
        let waiting_since = Some(now - waited);
        let failures = Failures { failed: 0, waited_out: 1_000, waiting_since };
        let (mut budgets, moment) = (Budgets::default(), moment(now, Duration::MAX, 1.0));
        let error = throttle().with_retry_after(asked);
        decide(&policy, &mut budgets, &error, failures, moment)
    }

    #[test]
    fn throttles_are_waited_out_while_the_download_moves() {
        let second = Duration::from_secs(1);
        assert_eq!(throttled(second, None), Decision::RetryAfter(LONGEST));
        assert_eq!(throttled(Duration::ZERO, None), Decision::GiveUp);
    }

    #[test]
    fn what_the_service_asks_for_is_heeded_within_patience() {
        let second = Duration::from_secs(1);
        let table = [(30, 7, 7), (30, 3_600, 30), (30, u64::MAX, 30), (1, 7, 1)];
        for (left, asked, heeded) in table {
            let asked = Some(Duration::from_secs(asked));
            let expected = Decision::RetryAfter(heeded * second + LONGEST);
            assert_eq!(throttled(left * second, asked), expected, "{asked:?}");
        }
    }

    /// A service that throttles for long, but lets a byte through now and then, is outlasted.
    #[test]
    fn patience_outlasts_what_moves() {
        let policy = Policy::default();
        let (mut budgets, start) = (Budgets::default(), Instant::now());
        let (mut now, mut failures) = (start, Failures::default());
        while now - start < Duration::from_secs(24 * 60 * 60) {
            failures.count(Class::Throttle, now);
            let since_byte = Duration::from_secs((now - start).as_secs() % 55);
            let moment = moment(now, since_byte, 0.5);
            match decide(&policy, &mut budgets, &throttle(), failures, moment) {
                Decision::RetryAfter(delay) => now += delay,
                Decision::GiveUp => panic!("given up after {:?}", now - start),
            }
        }
    }

    /// One failure of any kind that there is a decision on.
    fn any_error() -> impl Strategy<Value = Error> {
        let kinds = prop_oneof![
            Just(ErrorKind::Truncated),
            Just(ErrorKind::TimedOut),
            Just(ErrorKind::Throttled { reason: None }),
            Just(ErrorKind::Refused { status: 502, code: "ResourceNotReadyException".into() }),
            Just(ErrorKind::Refused { status: 503, code: String::new() }),
        ];
        (kinds, proptest::option::of(any::<u64>()))
            .prop_map(|(kind, asked)| error(kind).with_retry_after(asked.map(Duration::from_secs)))
    }

    proptest! {
        /// Segments that fail as they like, side by side, while nothing arrives.
        #[test]
        fn repetitions_are_bounded(
            retries in 0u32..6,
            in_flight in 1usize..20,
            errors in prop::collection::vec((any_error(), 0.0..1.0f64), 300),
        ) {
            let policy = Policy { retries, ..Policy::default() };
            let (mut budgets, start) = (Budgets::default(), Instant::now());
            // When each segment makes its next call.
            let mut calls: Vec<_> = (0..in_flight).map(|_| (start, Failures::default())).collect();
            let mut repeated = Vec::new();
            for (error, chance) in errors {
                let Some((now, failures)) = calls.iter_mut().min_by_key(|(at, _)| *at) else { break };
                let class = class(error.kind());
                failures.count(class, *now);
                let moment = moment(*now, *now - start, chance);
                match decide(&policy, &mut budgets, &error, *failures, moment) {
                    Decision::GiveUp if class.is_waited_out() => {
                        let waiting = *now - failures.waiting_since.unwrap_or(start);
                        prop_assert!(waiting >= policy.throttle_patience);
                        break;
                    }
                    Decision::GiveUp => {
                        prop_assert!(failures.failed > retries);
                        break;
                    }
                    Decision::RetryAfter(delay) => {
                        let queue = Duration::from_secs(in_flight as u64);
                        let longest = policy.throttle_patience + LONGEST + queue;
                        prop_assert!(delay <= longest, "{delay:?}");
                        *now += delay;
                        repeated.push((*now, class.is_waited_out()));
                    }
                }
            }
            // Failures alone are bounded by their count as well.
            let of_failures = repeated.iter().filter(|(_, waited_out)| !waited_out).count();
            prop_assert!(of_failures <= in_flight * retries as usize);
            for (waited_out, allowance) in [(false, AFTER_FAILURES), (true, AFTER_THROTTLES)] {
                let of_kind = repeated.iter().filter(|(_, kind)| *kind == waited_out);
                let (count, end) = of_kind.fold((0, start), |(n, end), (at, _)| (n + 1, end.max(*at)));
                let refilled = (end - start).as_secs_f64() * f64::from(allowance.per_second);
                prop_assert!(f64::from(count) <= f64::from(allowance.at_once) + refilled + 1e-3);
            }
        }
    }
}
