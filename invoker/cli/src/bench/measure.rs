//! A download that is ready to start goes in; its bytes are read and thrown away, and when they came
//! comes out.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use invoker::{Description, Download, Error, ResponseStream, Snapshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::curve::{Curve, Gaps};
use super::knee::{self, Knee};

/// How often it is looked how much has arrived by segments.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    /// All bytes over the seconds since the call.
    pub(super) curve: Curve,
    /// Seconds from the call to the first byte.
    pub(super) first_byte: Option<f64>,
    /// Between two arrivals, where there was a wait between them; only of a single stream.
    pub(super) gaps: Option<Gaps>,
    /// Seconds from the call to the end, or to where it was stopped.
    pub(super) seconds: f64,
    /// Whether it came to its end.
    pub(super) whole: bool,
    /// Where the rate breaks; only of a single stream.
    pub(super) knee: Option<Knee>,
    pub(super) snapshot: Snapshot,
    /// What the answer told.
    pub(super) told: Told,
}

/// What an answer told of the result.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) size: Option<u64>,
    pub(super) etag: Option<String>,
    pub(super) executed_version: Option<String>,
    pub(super) ranges: bool,
}

impl Run {
    pub(super) fn bytes(&self) -> u64 {
        self.curve.end().1
    }

    /// Bytes per second, from the call on.
    pub(super) fn rate(&self) -> f64 {
        self.bytes() as f64 / self.seconds.max(f64::EPSILON)
    }
}

/// Reads the one stream, for `time` at most.
pub(super) async fn one_stream(download: Download, time: Duration) -> Result<Run, Error> {
    let progress = download.progress();
    let began = Instant::now();
    let mut told = Told::default();
    let mut reading = Reading::default();
    let read = async {
        let mut stream = download.one_stream().await?;
        told = Told::of_stream(&stream);
        while let Some(arrived) = next(&mut stream).await {
            reading.add(began.elapsed(), arrived?);
        }
        Ok(())
    };
    let whole = within(time, began, read).await?;
    let Reading { curve, gaps, first, .. } = reading;
    Ok(Run {
        knee: knee::find(curve.points()),
        curve,
        first_byte: first.map(|first| first.as_secs_f64()),
        gaps: Some(gaps),
        seconds: began.elapsed().as_secs_f64(),
        whole,
        snapshot: progress.snapshot(),
        told,
    })
}

/// Fetches by segments, for `time` at most.
pub(super) async fn segments(download: Download, time: Duration) -> Result<Run, Error> {
    let progress = download.progress();
    let began = Instant::now();
    let mut curve = Curve::default();
    let mut look = || curve.reach(began.elapsed().as_secs_f64(), progress.snapshot().bytes);
    let read = async {
        let mut bytes = download.in_order().await?;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What counts is what has arrived, in whatever order, not what its turn has come.
        loop {
            tokio::select! {
                delivered = bytes.next_bytes() => match delivered {
                    Some(delivered) => drop(delivered?),
                    None => return Ok(()),
                },
                _ = looks.tick() => look(),
            }
        }
    };
    let whole = within(time, began, read).await?;
    look();
    let (seconds, snapshot) = (began.elapsed().as_secs_f64(), progress.snapshot());
    let first_byte = snapshot.first_byte.map(|first| first.as_secs_f64());
    let told = progress.description().map(Told::of).unwrap_or_default();
    Ok(Run { curve, first_byte, gaps: None, seconds, whole, knee: None, snapshot, told })
}

impl Told {
    fn of(description: &Description) -> Self {
        Self {
            size: description.size,
            etag: description.etag.clone(),
            executed_version: description.executed_version.clone(),
            ranges: description.ranges,
        }
    }

    fn of_stream(stream: &ResponseStream) -> Self {
        let header = |name| stream.head().and_then(|head| head.header(name));
        Self {
            size: stream.promised_len(),
            etag: header("etag").map(str::to_owned),
            executed_version: stream.executed_version().map(str::to_owned),
            ranges: header("accept-ranges") == Some("bytes"),
        }
    }
}

/// Whether `work` was done before `time` was over.
async fn within(
    time: Duration,
    began: Instant,
    work: impl Future<Output = Result<(), Error>>,
) -> Result<bool, Error> {
    let Some(end) = began.checked_add(time) else { return work.await.map(|()| true) };
    match tokio::time::timeout_at(end, work).await {
        Ok(done) => done.map(|()| true),
        Err(_) => Ok(false),
    }
}

/// Bytes, and whether they had to be waited for. What is there without a wait came together with what
/// was before it.
struct Arrived {
    bytes: Bytes,
    waited: bool,
}

async fn next(stream: &mut ResponseStream) -> Option<Result<Arrived, Error>> {
    let mut waited = false;
    let mut next = pin!(stream.next_bytes());
    let bytes = poll_fn(|cx| {
        let polled = next.as_mut().poll(cx);
        waited |= matches!(polled, Poll::Pending);
        polled
    })
    .await?;
    Some(bytes.map(|bytes| Arrived { bytes, waited }))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    curve: Curve,
    gaps: Gaps,
    bytes: u64,
    first: Option<Duration>,
    last: Duration,
}

impl Reading {
    fn add(&mut self, at: Duration, arrived: Arrived) {
        self.bytes += arrived.bytes.len() as u64;
        self.curve.reach(at.as_secs_f64(), self.bytes);
        match self.first {
            None => self.first = Some(at),
            Some(_) if arrived.waited => self.gaps.add(at.saturating_sub(self.last)),
            Some(_) => {}
        }
        self.last = at;
    }
}
