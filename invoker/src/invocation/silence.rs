//! Waits in vain go in; the moment when they were too long comes out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::error::{Error, ErrorKind};

/// How long to wait in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From sending the call to the first frame of its answer; covers the function's cold start.
    pub first_byte: Duration,
    /// Between two reads of an answer that has begun. Time in which nobody asks for bytes does not
    /// count.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 60 s to the first byte: a cold start may initialise for 10 s and fetch its input after
    /// that. 30 s idle: a function that makes a result slowly is silent for less, a dead
    /// connection for ever.
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(60), idle: Duration::from_secs(30) }
    }
}

pub(super) fn no_answer(waited: Duration) -> Error {
    let message = format!("no first byte of an answer within {} s", waited.as_secs_f32());
    Error::new(ErrorKind::TimedOut, message)
}

/// In place of a limit that is beyond the clock: thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Measures how long a reader has waited in vain. The wait begins when there is nothing to read,
/// not when the last bytes came: a reader that was away is not held against the sender.
pub(super) struct Silence {
    limit: Duration,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Whether any byte of the answer has come.
    begun: bool,
}

impl Silence {
    pub(super) fn new(timeouts: Timeouts, left_to_first_byte: Duration) -> Self {
        Self {
            limit: left_to_first_byte,
            idle: timeouts.idle,
            timer: Box::pin(tokio::time::sleep(left_to_first_byte)),
            waiting: false,
            begun: false,
        }
    }

    /// Ready with the time waited, once that was too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        if !self.waiting {
            self.waiting = true;
            let now = Instant::now();
            self.timer.as_mut().reset(now.checked_add(self.limit).unwrap_or(now + NEVER));
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(self.limit)
    }

    /// Whether any byte of the answer has come.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Something was read.
    pub(super) fn broken(&mut self) {
        self.waiting = false;
        if !self.begun {
            self.begun = true;
            self.limit = self.idle;
        }
    }

    pub(super) fn cut_to(&mut self, limit: Duration) {
        self.waiting = false;
        self.limit = limit;
    }
}
