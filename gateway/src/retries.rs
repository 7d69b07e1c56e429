//! A failure before the first byte of an answer comes in; whether the upstream is asked again, and when,
//! goes out. Pure: time and chance are arguments.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::ending::Ending;
use crate::upstream::Failure;

/// The longest delay before the first repetition, in the manner of the AWS SDKs.
const FAILURE_BASE: Duration = Duration::from_millis(100);
/// The same after a throttle: capacity comes back in seconds, not in milliseconds.
const THROTTLE_BASE: Duration = Duration::from_secs(1);
/// No delay is longer, but for one that the upstream asks for.
const LONGEST: Duration = Duration::from_secs(5);
/// An upstream that asks for more is not asked again: the client is told how long, and may be elsewhere by
/// then.
const ASKED_MAX: Duration = Duration::from_secs(5);

/// What is known when a try has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    pub(crate) method: &'a Method,
    /// Repetitions so far.
    pub(crate) retries: u32,
    /// How many there may be.
    pub(crate) retries_max: u32,
    /// What is left of the exchange's total time, if that has a limit.
    pub(crate) left: Option<Duration>,
    /// A random number in `0.0..1.0`.
    pub(crate) chance: f64,
}

/// The rest before another try; `None` if there is to be none.
pub(crate) fn rest(failure: &Failure, tried: Tried<'_>) -> Option<Duration> {
    if tried.retries >= tried.retries_max || !is_repeatable(failure, tried.method) {
        return None;
    }
    let asked = failure.retry_after.unwrap_or_default();
    let base = if failure.ending == Ending::Throttled { THROTTLE_BASE } else { FAILURE_BASE };
    // Full jitter: requests that failed together must not come back together.
    let ceiling = base.saturating_mul(1 << tried.retries.min(16)).min(LONGEST);
    let rest = asked + ceiling.mul_f64(tried.chance.clamp(0.0, 1.0));
    let in_time = tried.left.is_none_or(|left| rest < left);
    (asked <= ASKED_MAX && in_time).then_some(rest)
}

/// What was not run may be run. What may have been run is run again only if that changes nothing (RFC 9110,
/// section 9.2.1): a PUT or DELETE is idempotent by definition, but what a function makes of it is its own.
fn is_repeatable(failure: &Failure, method: &Method) -> bool {
    let of_the_moment = match failure.ending {
        ending if ending.is_unheard() => return true,
        Ending::Truncated | Ending::Corrupt => true,
        // The service's own failure; what it refuses for a reason, it refuses again.
        Ending::Refused => failure.status == StatusCode::SERVICE_UNAVAILABLE,
        _ => false,
    };
    of_the_moment && method.is_safe()
}

/// A number in `0.0..1.0` from the standard library's randomness, which every new hasher state has.
/// It spreads retries; nothing else depends on it.
pub(crate) fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    /// The bits that a `f64` holds exactly.
    const BITS: u32 = 53;
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random >> (u64::BITS - BITS)) as f64 / (1u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(ending: Ending) -> Failure {
        Failure::new(ending, StatusCode::BAD_GATEWAY, "")
    }

    fn tried(method: &Method) -> Tried<'_> {
        Tried { method, retries: 0, retries_max: 2, left: None, chance: 0.5 }
    }

    #[test]
    fn only_what_was_not_run_is_repeated_unless_the_method_is_safe() {
        let table = [
            (Ending::Throttled, true, true),
            (Ending::Unreachable, true, true),
            (Ending::Truncated, true, false),
            (Ending::Corrupt, true, false),
            (Ending::Refused, false, false),
            (Ending::Function, false, false),
            (Ending::TimedOut, false, false),
        ];
        for (ending, get, others) in table {
            let failure = failure(ending);
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert_eq!(rest(&failure, tried(&method)).is_some(), get, "{ending} {method}");
            }
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                assert_eq!(rest(&failure, tried(&method)).is_some(), others, "{ending} {method}");
            }
        }
    }

    #[test]
    fn delays_double_are_jittered_and_add_to_what_is_asked() {
        let mut failure = failure(Ending::Unreachable);
        let at = |failure: &Failure, retries, chance| {
            rest(failure, Tried { retries, retries_max: 9, chance, ..tried(&Method::GET) })
        };
        assert_eq!(at(&failure, 0, 0.5), Some(Duration::from_millis(50)));
        assert_eq!(at(&failure, 1, 0.5), Some(Duration::from_millis(100)));
        assert_eq!(at(&failure, 8, 1.0), Some(LONGEST));
        assert_eq!(at(&failure, 3, 0.0), Some(Duration::ZERO));
        failure.retry_after = Some(Duration::from_secs(2));
        assert_eq!(at(&failure, 0, 0.5), Some(Duration::from_millis(2_050)));
        failure.retry_after = Some(Duration::from_secs(6));
        assert_eq!(at(&failure, 0, 0.5), None);
    }

    #[test]
    fn there_is_an_end() {
        let failure = failure(Ending::Throttled);
        let tried = tried(&Method::GET);
        assert_eq!(rest(&failure, Tried { retries: 2, ..tried }), None);
        assert_eq!(rest(&failure, Tried { retries_max: 0, ..tried }), None);
        let left = |left| rest(&failure, Tried { left: Some(left), ..tried });
        assert_eq!(left(Duration::from_millis(500)), None);
        assert!(left(Duration::from_secs(1)).is_some());
    }
}
