//! What happens in a download is counted here while it happens, and can be looked at from outside.

mod events;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::description::Description;
use crate::error::{Error, ErrorKind};
use crate::meter::Meter;

use events::Listeners;
pub use events::{DownloadEvent, DownloadEvents};

/// How many bytes make an event.
const TOLD_EVERY: u64 = 1024 * 1024;

/// Stands for "not known yet" in a counter.
const UNKNOWN: u64 = u64::MAX;

/// The ends of logs that are kept for who takes them: the latest. Each has 4 KB.
const LOG_TAILS_KEPT: usize = 16;

/// The counters of one download; clones look at the same ones.
#[derive(Clone, Debug)]
pub struct Progress {
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Counters {
    /// When the download was started, if it was.
    began: OnceLock<Instant>,
    wanted: AtomicU64,
    received: AtomicU64,
    encoded: AtomicU64,
    resumed: AtomicU64,
    refetched: AtomicU64,
    first_byte_micros: AtomicU64,
    last_byte_micros: AtomicU64,
    segments: AtomicU64,
    in_flight: AtomicU64,
    in_flight_max: AtomicU64,
    retries: AtomicU64,
    hedges: AtomicU64,
    splits: AtomicU64,
    throttles: AtomicU64,
    meter: Meter,
    description: OnceLock<Description>,
    log_tails: Mutex<VecDeque<LogTail>>,
    listeners: Listeners,
}

/// The end of the log of one invocation.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogTail {
    /// The service's id of the invocation.
    pub request_id: Option<String>,
    /// The last 4 KB that the function wrote, and what the service says of the invocation.
    pub bytes: Bytes,
}

impl std::fmt::Debug for LogTail {
    /// Without the function's words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogTail")
            .field("request_id", &self.request_id)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// The counters of a download at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Time since the download began.
    pub elapsed: Duration,
    /// From the beginning to the first byte of the body.
    pub first_byte: Option<Duration>,
    /// How many bytes are wanted; `None` while that is not known, and for plain streams of unknown
    /// length.
    pub wanted_bytes: Option<u64>,
    /// Bytes received, each counted once; of a result that came encoded, after it was decoded.
    pub bytes: u64,
    /// The same as they came: fewer where they came compressed.
    pub encoded_bytes: u64,
    /// Bytes that an earlier download had left and that were found intact.
    pub resumed_bytes: u64,
    /// Bytes received again after a failure.
    pub refetched_bytes: u64,
    /// Segments started, or plain streams.
    pub segments: u64,
    /// Segments started and not finished now.
    pub in_flight: u64,
    /// The most there were at once.
    pub in_flight_max: u64,
    /// Invocations repeated after a failure that was no throttle.
    pub retries: u64,
    /// Second invocations, made because the first one of a segment was slow.
    pub hedges: u64,
    /// Slow segments of which another invocation took half of what was left.
    pub splits: u64,
    /// Invocations that the service had no capacity for.
    pub throttles: u64,
    /// Invocations that the service took: with those repeated and those given up, without those it
    /// throttled or refused.
    pub invocations: u64,
    /// The time of all invocations, from each call to the end of its answer as it was seen here: with
    /// the network's share, and with the time that a plain stream waited for its reader. Those that
    /// still run are not in it.
    pub invocation_time: Duration,
    /// Of each invocation, the bytes received beyond [`FREE_STREAMED_BYTES`](crate::FREE_STREAMED_BYTES).
    pub charged_bytes: u64,
    /// Invocations whose end nobody saw: dropped, or broken off. They run to their end and are billed.
    pub abandoned: u64,
}

impl Default for Progress {
    /// The counters of a download that has not begun: all zero.
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let counters = Counters {
            began: OnceLock::new(),
            wanted: AtomicU64::new(UNKNOWN),
            received: zero(),
            encoded: zero(),
            resumed: zero(),
            refetched: zero(),
            first_byte_micros: AtomicU64::new(UNKNOWN),
            last_byte_micros: zero(),
            segments: zero(),
            in_flight: zero(),
            in_flight_max: zero(),
            retries: zero(),
            hedges: zero(),
            splits: zero(),
            throttles: zero(),
            meter: Meter::default(),
            description: OnceLock::new(),
            log_tails: Mutex::default(),
            listeners: Listeners::default(),
        };
        Self { counters: Arc::new(counters) }
    }

    /// The counters now. They are read one after the other, not all at one instant.
    pub fn snapshot(&self) -> Snapshot {
        let counters = &*self.counters;
        let known = |counter: &AtomicU64| Some(counter.load(Relaxed)).filter(|&n| n != UNKNOWN);
        let metered = counters.meter.sums();
        Snapshot {
            elapsed: self.elapsed(),
            first_byte: known(&counters.first_byte_micros).map(Duration::from_micros),
            wanted_bytes: known(&counters.wanted),
            bytes: counters.received.load(Relaxed),
            encoded_bytes: counters.encoded.load(Relaxed),
            resumed_bytes: counters.resumed.load(Relaxed),
            refetched_bytes: counters.refetched.load(Relaxed),
            segments: counters.segments.load(Relaxed),
            in_flight: counters.in_flight.load(Relaxed),
            in_flight_max: counters.in_flight_max.load(Relaxed),
            retries: counters.retries.load(Relaxed),
            hedges: counters.hedges.load(Relaxed),
            splits: counters.splits.load(Relaxed),
            throttles: counters.throttles.load(Relaxed),
            invocations: metered.invocations,
            invocation_time: metered.time,
            charged_bytes: metered.beyond_free,
            abandoned: metered.abandoned,
        }
    }

    /// What the first answer told of the result, once there is one.
    pub fn description(&self) -> Option<&Description> {
        self.counters.description.get()
    }

    /// The ends of the function's logs that came since this was last called, if
    /// [they were asked for](crate::Download::log_tail): those of plain streams and of segments that
    /// failed, the latest 16.
    pub fn take_log_tails(&self) -> Vec<LogTail> {
        let mut log_tails = self.counters.log_tails.lock().unwrap_or_else(PoisonError::into_inner);
        log_tails.drain(..).collect()
    }

    pub(crate) fn log_tail(&self, request_id: Option<&str>, bytes: Option<&Bytes>) {
        let Some(bytes) = bytes else { return };
        let log_tail = LogTail { request_id: request_id.map(str::to_owned), bytes: bytes.clone() };
        let mut log_tails = self.counters.log_tails.lock().unwrap_or_else(PoisonError::into_inner);
        if log_tails.len() == LOG_TAILS_KEPT {
            log_tails.pop_front();
        }
        log_tails.push_back(log_tail);
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.log_tail(error.request_id(), error.log_tail());
    }

    /// What happens from now on, as it happens; for a listener who comes before the download is started,
    /// all of it.
    ///
    /// The download never waits for a listener: one who is too slow loses the oldest events, and is
    /// told how many. The counters are right at any time, whatever was missed.
    ///
    /// ```no_run
    /// # async fn run(invoker: invoker::Invoker) -> Result<(), invoker::Error> {
    /// let download = invoker.object("files", "measurements.parquet");
    /// let (progress, mut events) = (download.progress(), download.progress().events());
    /// tokio::spawn(async move {
    ///     while let Some(event) = events.next().await {
    ///         println!("{event:?}, {} bytes", progress.snapshot().bytes);
    ///     }
    /// });
    /// download.to_file("measurements.parquet").await?;
    /// # Ok(()) }
    /// ```
    pub fn events(&self) -> DownloadEvents {
        self.counters.listeners.add()
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> DownloadEvent) {
        self.counters.listeners.tell(event);
    }

    /// The download has ended.
    pub(crate) fn end(&self, error: Option<&Error>) {
        self.counters.listeners.end(error.map(|error| error.kind().clone()));
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.counters.meter
    }

    pub(crate) fn describe(&self, description: Description) {
        // There is one first answer.
        let _ = self.counters.description.set(description);
    }

    pub(crate) fn begin(&self) {
        // Only the first time counts.
        if self.counters.began.set(Instant::now()).is_ok() {
            self.tell(|| DownloadEvent::Started);
        }
    }

    fn elapsed(&self) -> Duration {
        self.counters.began.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    pub(crate) fn wants(&self, bytes: u64) {
        self.counters.wanted.store(bytes, Relaxed);
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.counters.encoded.fetch_add(bytes, Relaxed);
        self.decoded(bytes);
    }

    /// Of the one plain stream there is, that so many bytes came so far.
    pub(crate) fn encoded(&self, bytes: u64) {
        self.counters.encoded.store(bytes, Relaxed);
    }

    /// Of a plain stream, where [`encoded`](Self::encoded) has counted what came.
    pub(crate) fn decoded(&self, bytes: u64) {
        let counters = &*self.counters;
        let now = self.micros();
        let before = counters.received.fetch_add(bytes, Relaxed);
        let all = before.saturating_add(bytes);
        if before / TOLD_EVERY != all / TOLD_EVERY {
            self.tell(|| DownloadEvent::Received { bytes: all });
        }
        counters.last_byte_micros.store(now, Relaxed);
        let _ = counters.first_byte_micros.compare_exchange(UNKNOWN, now, Relaxed, Relaxed);
    }

    pub(crate) fn resumes(&self, bytes: u64) {
        self.counters.resumed.store(bytes, Relaxed);
    }

    pub(crate) fn refetched(&self, bytes: u64) {
        self.counters.refetched.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.counters.retries.fetch_add(1, Relaxed);
    }

    /// The segment that was just started is half of another one.
    pub(crate) fn split(&self) {
        self.counters.segments.fetch_sub(1, Relaxed);
        self.counters.splits.fetch_add(1, Relaxed);
        self.tell(|| DownloadEvent::Split);
    }

    pub(crate) fn hedged(&self, left: &Range<u64>) {
        self.counters.hedges.fetch_add(1, Relaxed);
        self.tell(|| DownloadEvent::Hedged { range: left.clone() });
    }

    pub(crate) fn throttled(&self) {
        self.counters.throttles.fetch_add(1, Relaxed);
    }

    /// How long no byte has been received, from the beginning at first.
    pub(crate) fn since_byte(&self) -> Duration {
        let last = self.counters.last_byte_micros.load(Relaxed);
        Duration::from_micros(self.micros().saturating_sub(last))
    }

    /// Counts a segment as in flight until the guard is dropped.
    pub(crate) fn start_segment(&self, range: Option<Range<u64>>) -> InFlight {
        let counters = &*self.counters;
        counters.segments.fetch_add(1, Relaxed);
        let now = counters.in_flight.fetch_add(1, Relaxed) + 1;
        counters.in_flight_max.fetch_max(now, Relaxed);
        self.tell(|| DownloadEvent::SegmentStarted { range: range.clone() });
        InFlight { counters: Arc::clone(&self.counters), range }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(UNKNOWN - 1)
    }
}

/// Whoever has this may still end the download; when the last one is dropped and nobody has, it was
/// stopped.
#[derive(Clone, Debug)]
pub(crate) struct Unended {
    last: Arc<Stops>,
}

#[derive(Debug)]
struct Stops {
    progress: Progress,
    /// What is left of it has an end that nobody tells here.
    handed_over: AtomicBool,
}

impl Unended {
    pub(crate) fn of(progress: &Progress) -> Self {
        let (progress, handed_over) = (progress.clone(), AtomicBool::new(false));
        Self { last: Arc::new(Stops { progress, handed_over }) }
    }

    /// Another has it now, and tells nothing of its end.
    pub(crate) fn hand_over(&self) {
        self.last.handed_over.store(true, Relaxed);
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        if !*self.handed_over.get_mut() {
            // Nothing, if it has ended.
            self.progress.counters.listeners.end(Some(ErrorKind::Stopped));
        }
    }
}

/// One segment in flight.
pub(crate) struct InFlight {
    counters: Arc<Counters>,
    range: Option<Range<u64>>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.in_flight.fetch_sub(1, Relaxed);
        self.counters.listeners.tell(|| DownloadEvent::SegmentEnded { range: self.range.clone() });
    }
}
