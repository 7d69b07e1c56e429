//! How long each phase of a call may take goes in, as a caller wishes it; limits for every phase come
//! out. No wait in this crate is without one.

use std::time::Duration;

/// To a connection, TLS included. Lost packets of a handshake are sent again after 1, 3 and 7 s
/// (Linux), so a network that loses two of three still connects.
const CONNECT: Duration = Duration::from_secs(10);

/// A cold start may initialise for 10 s and fetch its input after that.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// A function that makes a result slowly is silent for less, a dead connection for ever.
const IDLE: Duration = Duration::from_secs(30);

/// A function runs for 900 s at most, and the 200 MB it may have left in the service take 100 s
/// at 2 MB/s (AWS Lambda developer guide, "Quotas" and "Response streaming bandwidth"). The
/// rest is room for its start. Whoever waits longer than that waits for nobody.
const INVOCATION: Duration = Duration::from_secs(1_200);

/// How long to wait for what. A wait that is longer ends with
/// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut), and
/// [`Error::time_limit`](crate::Error::time_limit) says which limit it was.
///
/// ```
/// # use std::time::Duration;
/// let timeouts = invoker::Timeouts::default()
///     .idle(Duration::from_secs(10))
///     .total(Duration::from_secs(3_600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    pub(crate) invocation: Duration,
    pub(crate) minimum_rate: Option<MinimumRate>,
    pub(crate) total: Option<Duration>,
}

/// The least that a stream must bring, on average over a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinimumRate {
    pub(crate) bytes_per_second: u64,
    pub(crate) window: Duration,
}

impl Default for Timeouts {
    /// 10 s to a connection, 60 s to the first byte, 30 s between two reads, 20 minutes for one
    /// invocation; no minimum rate, for a function may have little to say; no total.
    fn default() -> Self {
        Self {
            connect: CONNECT,
            first_byte: FIRST_BYTE,
            idle: IDLE,
            invocation: INVOCATION,
            minimum_rate: None,
            total: None,
        }
    }
}

impl Timeouts {
    /// To a connection, name and TLS included; it takes the place of the SDK client's own. Most
    /// calls have a connection already.
    pub fn connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// From sending a call to the first frame of its answer; covers the connection and the
    /// function's cold start.
    pub fn first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = limit;
        self
    }

    /// Between two reads of an answer that has begun. Time in which nobody asks for bytes does
    /// not count.
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// All waits for one invocation together: what comes a byte at a time is never idle, and
    /// never ends. Time in which nobody asks for bytes does not count.
    pub fn invocation(mut self, limit: Duration) -> Self {
        self.invocation = limit;
        self
    }

    /// The least bytes per second that an answer must bring, on average over `window`, from its
    /// first byte on; counted as they are on the wire. Time in which nobody asks for bytes does
    /// not count. No limit if either is zero.
    ///
    /// A segment that is too slow is asked for again from the byte where it stopped, as after
    /// any failure.
    pub fn minimum_rate(mut self, bytes_per_second: u64, window: Duration) -> Self {
        let rate = MinimumRate { bytes_per_second, window };
        self.minimum_rate = Some(rate).filter(|_| bytes_per_second > 0 && !window.is_zero());
        self
    }

    /// All of a download or of one invocation's stream, from its call to its last byte: waits of
    /// any kind, retries, a reader who is away, and the disk.
    pub fn total(mut self, limit: Duration) -> Self {
        self.total = Some(limit);
        self
    }
}
