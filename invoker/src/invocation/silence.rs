//! Waits in vain go in; the moment when they were too long comes out, and which limit it was.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::timeouts::{MinimumRate, Timeouts};
use crate::error::{Error, ErrorKind, TimeLimit};

/// In place of a limit that is beyond the clock: thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

pub(super) fn no_answer(limit: Duration) -> Error {
    let message = format!("no first byte of an answer within {} s", limit.as_secs_f32());
    Error::new(ErrorKind::TimedOut, message).with_time_limit(TimeLimit::FirstByte)
}

/// Measures how long a reader has waited in vain. A wait begins when there is nothing to read,
/// not when the last bytes came: a reader that was away is not held against the sender.
pub(super) struct Silence {
    waits: Waits,
    timer: Pin<Box<Sleep>>,
    /// Up to when the wait that goes on is in `waits`.
    counted: Option<Instant>,
}

impl Silence {
    /// `called_for` is how long the call has taken so far.
    pub(super) fn new(timeouts: Timeouts, called_for: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(timeouts.first_byte));
        Self { waits: Waits::new(timeouts, called_for), timer, counted: None }
    }

    /// Ready with what was reached, once the wait was too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TooLong> {
        if self.counted.is_none() {
            let now = Instant::now();
            self.counted = Some(now);
            match self.waits.left() {
                Ok(left) => self.arm(now, left),
                Err(reached) => return Poll::Ready(reached),
            }
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = self.count();
            match self.waits.left() {
                Ok(left) => self.arm(now, left),
                Err(reached) => return Poll::Ready(reached),
            }
        }
    }

    /// `bytes` were read: the wait is over.
    pub(super) fn broken(&mut self, bytes: usize) {
        if self.counted.is_some() {
            self.count();
        }
        self.counted = None;
        self.waits.read(bytes);
    }

    /// Nothing is expected any more but the end, for this long.
    pub(super) fn cut_to(&mut self, limit: Duration) {
        self.counted = None;
        self.waits.expect_the_end(limit);
    }

    fn arm(&mut self, now: Instant, left: Duration) {
        self.timer.as_mut().reset(now.checked_add(left).unwrap_or(now + NEVER));
    }

    fn count(&mut self) -> Instant {
        let now = Instant::now();
        if let Some(before) = self.counted.replace(now) {
            self.waits.wait(now - before);
        }
        now
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    limit: TimeLimit,
    /// What was set.
    set: Duration,
    /// Of a stream that was too slow: the bytes that came in `set`, and the least there should be
    /// in a second.
    rate: Option<(u64, u64)>,
}

impl TooLong {
    /// `received` is how many bytes of the result there are.
    pub(super) fn error(self, received: u64) -> Error {
        let seconds = self.set.as_secs_f32();
        let message = match (self.limit, self.rate) {
            (TimeLimit::FirstByte, _) => return no_answer(self.set),
            (_, Some((came, least))) => format!(
                "{came} bytes arrived in {seconds:.1} s, less than {least} per second, after \
                 {received} bytes of the result"
            ),
            (TimeLimit::Invocation, _) => format!(
                "the invocation has not ended in {seconds} s, after {received} bytes of the result"
            ),
            _ => format!("nothing arrived for {seconds} s, after {received} bytes of the result"),
        };
        Error::new(ErrorKind::TimedOut, message).with_time_limit(self.limit)
    }
}

/// The waits for one answer, in sums, against their limits. Pure.
struct Waits {
    timeouts: Timeouts,
    expected: Expected,
    /// Since the last read.
    silent: Duration,
    /// In all.
    all: Duration,
    /// In this window of the minimum rate, and what came in it.
    window: Duration,
    window_bytes: u64,
}

#[derive(Clone, Copy)]
enum Expected {
    FirstByte,
    Bytes,
    /// Nothing but the end of the body, within this time.
    End(Duration),
}

impl Waits {
    fn new(timeouts: Timeouts, called_for: Duration) -> Self {
        Self {
            timeouts,
            expected: Expected::FirstByte,
            silent: called_for,
            all: called_for,
            window: Duration::ZERO,
            window_bytes: 0,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.silent = self.silent.saturating_add(time);
        self.all = self.all.saturating_add(time);
        if matches!(self.expected, Expected::Bytes) {
            self.window = self.window.saturating_add(time);
        }
    }

    fn read(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.silent = Duration::ZERO;
        self.window_bytes += bytes as u64;
        if matches!(self.expected, Expected::FirstByte) {
            self.expected = Expected::Bytes;
        }
    }

    fn expect_the_end(&mut self, within: Duration) {
        self.silent = Duration::ZERO;
        self.expected = Expected::End(within);
    }

    /// How long may be waited now, or which limit was reached.
    fn left(&mut self) -> Result<Duration, TooLong> {
        let Timeouts { first_byte, idle, invocation, minimum_rate, .. } = self.timeouts;
        let (limit, set) = match self.expected {
            Expected::FirstByte => (TimeLimit::FirstByte, first_byte),
            Expected::Bytes => (TimeLimit::Idle, idle),
            Expected::End(within) => (TimeLimit::Idle, within),
        };
        let silence = left(self.silent, limit, set)?;
        let all = left(self.all, TimeLimit::Invocation, invocation)?;
        match (minimum_rate, self.expected) {
            (Some(rate), Expected::Bytes) => Ok(silence.min(all).min(self.left_of_window(rate)?)),
            _ => Ok(silence.min(all)),
        }
    }

    fn left_of_window(&mut self, rate: MinimumRate) -> Result<Duration, TooLong> {
        let MinimumRate { bytes_per_second, window } = rate;
        if let Some(left) = window.checked_sub(self.window).filter(|left| !left.is_zero()) {
            return Ok(left);
        }
        let came = self.window_bytes;
        if (came as f64) < bytes_per_second as f64 * self.window.as_secs_f64() {
            let rate = Some((came, bytes_per_second));
            return Err(TooLong { limit: TimeLimit::MinimumRate, set: self.window, rate });
        }
        (self.window, self.window_bytes) = (Duration::ZERO, 0);
        Ok(window)
    }
}

fn left(waited: Duration, limit: TimeLimit, set: Duration) -> Result<Duration, TooLong> {
    let left = set.checked_sub(waited).filter(|left| !left.is_zero());
    left.ok_or(TooLong { limit, set, rate: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeouts() -> Timeouts {
        Timeouts::default().first_byte(10 * SECOND).idle(3 * SECOND).invocation(100 * SECOND)
    }

    fn reached(waits: &mut Waits) -> TimeLimit {
        waits.left().unwrap_err().limit
    }

    #[test]
    fn each_phase_has_its_limit() {
        let mut waits = Waits::new(timeouts(), 4 * SECOND);
        assert_eq!(waits.left(), Ok(6 * SECOND));
        waits.wait(5 * SECOND);
        assert_eq!(waits.left(), Ok(SECOND));
        waits.wait(SECOND);
        assert_eq!(reached(&mut waits), TimeLimit::FirstByte);

        waits.read(1);
        assert_eq!(waits.left(), Ok(3 * SECOND));
        waits.wait(3 * SECOND);
        assert_eq!(reached(&mut waits), TimeLimit::Idle);
        waits.read(0);
        assert_eq!(reached(&mut waits), TimeLimit::Idle, "nothing is no read");

        waits.expect_the_end(2 * SECOND);
        assert_eq!(waits.left(), Ok(2 * SECOND));
    }

    #[test]
    fn a_drip_ends_with_the_invocation() {
        let mut waits = Waits::new(timeouts(), Duration::ZERO);
        let mut drips = 0;
        let reached = loop {
            waits.read(1);
            waits.wait(2 * SECOND);
            match waits.left() {
                Ok(_) => drips += 1,
                Err(reached) => break reached.limit,
            }
        };
        assert_eq!((reached, drips), (TimeLimit::Invocation, 49));
    }

    #[test]
    fn a_slow_stream_is_told_by_its_average() {
        let slow = |bytes: usize| {
            let timeouts = timeouts().minimum_rate(100, 5 * SECOND);
            let mut waits = Waits::new(timeouts, Duration::ZERO);
            waits.wait(9 * SECOND); // before the first byte nothing is slow
            for _ in 0..20 {
                waits.read(bytes);
                waits.wait(SECOND);
                if let Err(reached) = waits.left() {
                    return Some(reached.limit);
                }
            }
            None
        };
        assert_eq!(slow(100), None);
        assert_eq!(slow(99), Some(TimeLimit::MinimumRate));
    }

    #[test]
    fn bursts_are_averaged_over_the_window() {
        let mut waits = Waits::new(timeouts().minimum_rate(100, 4 * SECOND), Duration::ZERO);
        for _ in 0..10 {
            waits.read(400);
            waits.wait(2 * SECOND);
            waits.left().unwrap();
            waits.read(1);
            waits.wait(2 * SECOND);
            waits.left().unwrap();
        }
        waits.read(1);
        waits.wait(2 * SECOND);
        assert_eq!(waits.left(), Ok(SECOND), "what is left of the silence");
        waits.read(1);
        assert_eq!(waits.left(), Ok(2 * SECOND), "what is left of the window");
        waits.wait(2 * SECOND);
        assert_eq!(reached(&mut waits), TimeLimit::MinimumRate);
    }
}
