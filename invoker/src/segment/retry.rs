//! A failure and what came before it go in; the decision to try again, and when, comes out. Pure:
//! time and chance are arguments.

use std::time::Duration;

use tokio::time::Instant;

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
/// The same after a throttle: capacity comes back in seconds, not in milliseconds.
const THROTTLE_BASE: Duration = Duration::from_secs(1);
/// No delay is longer, however often it failed.
const LONGEST: Duration = Duration::from_secs(5);

/// Failures of one segment so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) failed: u32,
    pub(crate) throttled: u32,
    /// When the first throttle was.
    pub(crate) throttled_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    RetryAfter(Duration),
    GiveUp,
}

/// Decides what follows `error`, the last of `failures`.
///
/// `since_progress` is how long the whole download has received no byte while this segment was
/// throttled; `chance` is a random number in `0.0..1.0`.
pub(crate) fn decide(
    policy: &Policy,
    error: &Error,
    failures: Failures,
    since_progress: Duration,
    chance: f64,
) -> Decision {
    let (allowed, base, count) = match class(error.kind()) {
        Class::Throttle => {
            (since_progress < policy.throttle_patience, THROTTLE_BASE, failures.throttled)
        }
        Class::Transient => (failures.failed <= policy.retries, FAILURE_BASE, failures.failed),
        Class::Final => (false, FAILURE_BASE, 0),
    };
    if !allowed {
        return Decision::GiveUp;
    }
    // Full jitter: segments that failed together must not come back together.
    let doublings = count.saturating_sub(1).min(16);
    let ceiling = base.saturating_mul(1 << doublings).min(LONGEST);
    let asked = error.retry_after().unwrap_or_default().min(policy.throttle_patience);
    Decision::RetryAfter(asked + ceiling.mul_f64(chance))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Another try may succeed.
    Transient,
    /// Another try will succeed, once there is capacity.
    Throttle,
    /// Another try would fail the same way, or must not be made.
    Final,
}

/// The one place that says what may be repeated.
pub(crate) fn class(kind: &ErrorKind) -> Class {
    match kind {
        ErrorKind::Throttled { .. } => Class::Throttle,
        // The connection or the path failed, not the function.
        ErrorKind::Unreachable | ErrorKind::Truncated | ErrorKind::TimedOut => Class::Transient,
        // Bytes changed on their way; the next ones may not.
        ErrorKind::Corrupt => Class::Transient,
        // The service failed; a 4xx would fail again.
        ErrorKind::Refused { status, .. } if *status >= 500 || *status == 200 => Class::Transient,
        ErrorKind::Answer { status: 429 | 500 | 502..=504 } => Class::Transient,
        // A function that failed has most likely failed for good, and each try is billed.
        ErrorKind::Function { .. } => Class::Final,
        _ => Class::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "made by a test")
    }

    #[test]
    fn what_may_be_repeated() {
        let refused = |status| ErrorKind::Refused { status, code: String::new() };
        let function = ErrorKind::Function { error_type: String::new(), message: String::new() };
        let table = [
            (ErrorKind::Throttled { reason: None }, Class::Throttle),
            (ErrorKind::Unreachable, Class::Transient),
            (ErrorKind::Truncated, Class::Transient),
            (ErrorKind::Corrupt, Class::Transient),
            (refused(503), Class::Transient),
            (refused(404), Class::Final),
            (ErrorKind::Answer { status: 503 }, Class::Transient),
            (ErrorKind::Answer { status: 404 }, Class::Final),
            (function, Class::Final),
            (ErrorKind::Changed, Class::Final),
            (ErrorKind::Inconsistent, Class::Final),
            (ErrorKind::LocalFile, Class::Final),
            (ErrorKind::Configuration, Class::Final),
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
            decide(&policy, &error(ErrorKind::Truncated), failures, Duration::ZERO, chance)
        };
        let retry = |millis| Decision::RetryAfter(Duration::from_millis(millis));
        assert_eq!(decide(1, 0.0), retry(0));
        assert_eq!(decide(1, 0.5), retry(50));
        assert_eq!(decide(3, 0.5), retry(200));
        assert_eq!(decide(4, 0.5), Decision::GiveUp);
    }

    #[test]
    fn throttles_are_waited_out_while_the_download_moves() {
        let policy = Policy { retries: 0, ..Policy::default() };
        let throttled = error(ErrorKind::Throttled { reason: None });
        let failures = Failures { throttled: 1_000, ..Failures::default() };
        let decide = |waited| decide(&policy, &throttled, failures, waited, 1.0);
        assert_eq!(decide(Duration::from_secs(59)), Decision::RetryAfter(LONGEST));
        assert_eq!(decide(policy.throttle_patience), Decision::GiveUp);
    }
}
