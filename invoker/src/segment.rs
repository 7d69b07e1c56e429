//! A range of one version of an object goes in; exactly those bytes come out, as pieces in order.
//!
//! Each answer is held to the question: the same range, the same version, the promised length. A
//! failed invocation is followed by one that asks for the rest, from the byte where it stopped.

mod budget;
pub(crate) mod left;
pub(crate) mod pace;
mod refused;
pub(crate) mod retry;

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::body::ResponseStream;
use crate::byte_range::{self, ContentRange};
use crate::checksum::{self, Sum};
use crate::client::Invoker;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, quotable};
use crate::head::Head;
use crate::invocation::Invocation;
use crate::piece::{Piece, Version};
use crate::progress::{DownloadEvent, InFlight, Progress};
use tokio::time::{Instant, Sleep};

use left::Left;
use pace::{Ended, Pace};
use retry::{Budgets, Class, Decision, Failures, Moment, Policy};

/// The longest refusal of a function that is read for its message, in bytes.
const REFUSAL_LIMIT: usize = 8 * 1024;

/// How often a segment that waits for bytes looks whether it has become a straggler.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What all invocations of one download have in common.
pub(crate) struct Asking {
    pub(crate) invoker: Invoker,
    /// The question, without a range.
    pub(crate) invocation: Invocation,
    /// Whether a result that is no object may come encoded, and is then decoded.
    pub(crate) compression: bool,
    pub(crate) policy: Policy,
    pub(crate) budgets: Mutex<Budgets>,
    pub(crate) pace: Mutex<Pace>,
    /// By when all must be done; the download holds to it.
    pub(crate) deadline: Deadline,
    /// A random number in `0.0..1.0`.
    pub(crate) chance: fn() -> f64,
    pub(crate) progress: Progress,
    /// CRC-64/NVME of the whole object, once an answer has told it.
    pub(crate) object_sum: OnceLock<u64>,
}

impl Asking {
    pub(crate) fn object_sum(&self) -> Option<u64> {
        self.object_sum.get().copied()
    }

    pub(crate) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first one counts; the caller of a second compares them.
    pub(crate) fn set_object_sum(&self, sum: u64) -> u64 {
        *self.object_sum.get_or_init(|| sum)
    }

    /// Calls, for the bytes of `segment`, until an answer begins or patience ends.
    pub(crate) async fn call(
        &self,
        invocation: &Invocation,
        segment: Option<&Range<u64>>,
    ) -> Result<ResponseStream, Error> {
        let mut failures = Failures::default();
        loop {
            match self.call_once(invocation, segment).await {
                Ok(stream) => return Ok(stream),
                Err(error) => self.wait_or_give_up(error, &mut failures).await?,
            }
        }
    }

    /// One invocation; a head that refuses is an error.
    async fn call_once(
        &self,
        invocation: &Invocation,
        segment: Option<&Range<u64>>,
    ) -> Result<ResponseStream, Error> {
        let stream = self.invoker.call_once(invocation, segment, self.progress.meter()).await?;
        match stream.head() {
            Some(head) if !(200..300).contains(&head.status) => Err(refusal(stream).await),
            _ => Ok(stream),
        }
    }

    /// Returns when it is time to try again, or `error` if there is no point.
    async fn wait_or_give_up(&self, error: Error, failures: &mut Failures) -> Result<(), Error> {
        self.progress.failed(&error);
        let (class, now) = (retry::class(error.kind()), Instant::now());
        failures.count(class, now);
        if class == Class::Throttle {
            self.progress.throttled();
            self.pace().throttled(now);
        }
        let since_byte = self.progress.since_byte();
        let moment = Moment { now, since_byte, chance: (self.chance)() };
        let decision = {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            retry::decide(&self.policy, &mut budgets, &error, *failures, moment)
        };
        match decision {
            Decision::GiveUp => Err(error),
            Decision::RetryAfter(delay) => {
                let &mut Failures { failed, waited_out, .. } = failures;
                let request_id = error.request_id();
                let words = "an invocation failed and is repeated";
                tracing::debug!(request_id, failed, waited_out, ?delay, error = %error, "{words}");
                match class {
                    Class::Throttle => {
                        self.progress.tell(|| DownloadEvent::Throttled { after: delay })
                    }
                    _ => {
                        self.progress.retried();
                        let kind = || error.kind().clone();
                        self.progress
                            .tell(|| DownloadEvent::Retried { kind: kind(), after: delay });
                    }
                }
                tokio::time::sleep(delay).await;
                Ok(())
            }
        }
    }
}

/// One range of one version, while it is fetched.
pub(crate) struct Segment {
    asking: Arc<Asking>,
    version: Arc<Version>,
    range: Range<u64>,
    /// The offset of the next byte to hand out.
    next: u64,
    left: Left,
    reading: Option<Reading>,
    second: Second,
    look: Pin<Box<Sleep>>,
    began: Instant,
    /// From the last call to the beginning of its answer.
    first_byte: Option<Duration>,
    failures: Failures,
    /// The offset of the next byte when the last invocation failed.
    failed_at: u64,
    /// Over the bytes handed out.
    sum: Sum,
    /// Over the bytes of a second reading, made because the first one's end was not proven.
    second_sum: Option<Sum>,
    _in_flight: InFlight,
}

/// An answer that is being read.
struct Reading {
    answer: ResponseStream,
    /// The offset of its next byte.
    at: u64,
    /// Where the range ends that was asked for.
    end: u64,
}

type Asked = Pin<Box<dyn Future<Output = Result<Reading, Error>> + Send>>;

/// A second invocation for what is left of a straggler.
enum Second {
    No,
    Asked(Asked),
    /// There is one for a segment at most.
    Had,
}

impl Second {
    /// Ready when its answer has begun.
    async fn begun(&mut self) -> Result<Reading, Error> {
        match self {
            Self::Asked(asked) => asked.await,
            Self::No | Self::Had => std::future::pending().await,
        }
    }
}

impl Segment {
    /// A segment that nobody has been asked for yet. `range` is not empty.
    pub(crate) fn new(asking: Arc<Asking>, version: Arc<Version>, range: Range<u64>) -> Self {
        let began = Instant::now();
        Self {
            next: range.start,
            left: Left::of(&range, began),
            reading: None,
            second: Second::No,
            look: Box::pin(tokio::time::sleep(LOOK_EVERY)),
            began,
            first_byte: None,
            failures: Failures::default(),
            failed_at: range.start,
            sum: Sum::default(),
            second_sum: None,
            _in_flight: asking.progress.start_segment(Some(range.clone())),
            asking,
            version,
            range,
        }
    }

    /// The segment whose answer told the version: it has begun, and it fits by definition.
    pub(crate) fn begun(
        asking: Arc<Asking>,
        version: Arc<Version>,
        range: Range<u64>,
        answer: ResponseStream,
    ) -> Self {
        let mut segment = Self::new(asking, version, range);
        let Range { start: at, end } = segment.range;
        segment.reading = Some(Reading { answer, at, end });
        segment
    }

    /// The range; its end moves towards its start when it is split.
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// What is left of it, for those who have time to help.
    pub(crate) fn left(&self) -> Left {
        self.left.clone()
    }

    /// CRC-64/NVME of the bytes handed out so far.
    pub(crate) fn sum(&self) -> &Sum {
        &self.sum
    }

    /// The next piece; `None` when the whole range was handed out and the end of its invocation
    /// is proven.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            match self.read().await {
                Ok(Some(mut bytes)) => {
                    let (taken, end) = self.left.take(bytes.len() as u64);
                    self.range.end = end;
                    bytes.truncate(taken as usize);
                    if bytes.is_empty() {
                        continue;
                    }
                    let offset = self.next;
                    self.sum.update(&bytes);
                    self.next += bytes.len() as u64;
                    self.asking.progress.received(bytes.len() as u64);
                    return Ok(Some(Piece::new(Arc::clone(&self.version), offset, bytes)));
                }
                Ok(None) => {
                    self.reading = None;
                    self.second = Second::Had;
                    let (now, began) = (Instant::now(), self.began);
                    let bytes = self.next - self.range.start;
                    let took = now.saturating_duration_since(began);
                    let ended = Ended { bytes, took, first_byte: self.first_byte };
                    self.asking.pace().ended(now, ended);
                    return Ok(None);
                }
                Err(error) => {
                    self.reading = None;
                    self.failures.brought(self.next - self.failed_at);
                    self.failed_at = self.next;
                    self.asking.wait_or_give_up(error, &mut self.failures).await?;
                }
            }
        }
    }

    /// The next bytes that were not handed out before.
    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        if self.reading.is_none() {
            let rest = self.rest();
            let called = Instant::now();
            self.reading = Some(ask(&self.asking, &self.version, rest).await?);
            self.first_byte = Some(called.elapsed());
        }
        while let Some(reading) = &mut self.reading {
            // The rest of it belongs to another segment now.
            if self.next == self.range.end && self.range.end < reading.end {
                break;
            }
            let bytes = tokio::select! {
                biased;
                bytes = reading.answer.next_bytes() => bytes,
                begun = self.second.begun() => {
                    self.second = Second::Had;
                    // If it failed, the first one may still come to its end.
                    if let Ok(begun) = begun {
                        self.reading = Some(begun);
                    }
                    continue;
                }
                () = &mut self.look => {
                    self.look_after_it();
                    continue;
                }
            };
            let Some(bytes) = bytes else { break };
            let mut bytes = bytes?;
            let offset = reading.at;
            reading.at += bytes.len() as u64;
            // A second reading gives bytes again, and none of them is handed out again.
            let again = self.next.saturating_sub(offset).min(bytes.len() as u64);
            if again > 0 {
                self.asking.progress.refetched(again);
                if let Some(sum) = &mut self.second_sum {
                    sum.update(&bytes);
                }
                bytes.advance(again as usize);
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        self.check_end()
    }

    /// Asks a second time for what is left, if this has become a straggler and the budget has room.
    fn look_after_it(&mut self) {
        self.look.as_mut().reset(Instant::now() + LOOK_EVERY);
        if !matches!(self.second, Second::No) || self.next == self.range.end {
            return;
        }
        let mut pace = self.asking.pace();
        let slow = pace.straggler_after().is_some_and(|after| self.began.elapsed() > after);
        if !slow || !pace.take_hedge() {
            return;
        }
        drop(pace);
        self.range.end = self.left.end();
        let rest = self.next..self.range.end;
        self.asking.progress.hedged(&rest);
        tracing::debug!(segment = ?self.range, at = self.next, "a slow segment is asked for again");
        let (asking, version) = (Arc::clone(&self.asking), Arc::clone(&self.version));
        self.second = Second::Asked(Box::pin(async move { ask(&asking, &version, rest).await }));
    }

    /// What is still to be asked for. After the last byte that is everything: all bytes were
    /// handed out, but how their invocation ended is not known, and a function may find out at
    /// the very end that what it sent was wrong.
    fn rest(&mut self) -> Range<u64> {
        self.range.end = self.left.end();
        if self.next < self.range.end {
            return self.next..self.range.end;
        }
        self.second_sum = Some(Sum::default());
        self.range.clone()
    }

    fn check_end(&self) -> Result<Option<Bytes>, Error> {
        // The promised length was checked against the range when the answer began, and the
        // delivered one against the promise when it ended. This is the third lock on the door.
        if self.next != self.range.end {
            let message =
                format!("segment {}..{} ended at {}", self.range.start, self.range.end, self.next);
            return Err(Error::new(ErrorKind::Truncated, message));
        }
        match &self.second_sum {
            Some(second) if second.value() != self.sum.value() => Err(Error::new(
                ErrorKind::Changed,
                "two readings of the same range of the same version gave different bytes",
            )),
            _ => Ok(None),
        }
    }
}

/// Asks once for `range` of `version`.
async fn ask(asking: &Asking, version: &Version, range: Range<u64>) -> Result<Reading, Error> {
    let mut invocation = asking
        .invocation
        .clone()
        .custom("range", byte_range::header(&range))
        .custom("if-match", &version.etag);
    if let Some(executed) = &version.executed {
        invocation = invocation.qualifier(executed);
    }
    let answer = match asking.call_once(&invocation, Some(&range)).await {
        Ok(answer) => answer,
        Err(error) => return Err(changed_if_refused(error)),
    };
    check_answer(&answer, version, &range)
        .and_then(|()| check_object_sum(asking, &answer))
        .map_err(|error| error.with_request_id(answer.request_id()))?;
    let Range { start: at, end } = range;
    Ok(Reading { answer, at, end })
}

/// A function may know the sum of an object later than its first bytes.
fn check_object_sum(asking: &Asking, answer: &ResponseStream) -> Result<(), Error> {
    let told = answer.head().and_then(|head| head.header(checksum::HEADER));
    match told.and_then(checksum::parse) {
        Some(sum) if asking.set_object_sum(sum) != sum => Err(Error::new(
            ErrorKind::Inconsistent,
            "two answers gave different checksums for the same version of the object",
        )),
        _ => Ok(()),
    }
}

/// The object was there a moment ago: a "no" to its version now means that it changed.
fn changed_if_refused(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Answer { status: 404 | 412 | 416 } => {
            Error::new(ErrorKind::Changed, "the object changed while it was downloaded")
                .with_request_id(error.request_id().map(str::to_owned).as_deref())
                .with_source(error)
        }
        _ => error,
    }
}

/// Holds an answer to the question it is for.
fn check_answer(
    answer: &ResponseStream,
    version: &Version,
    asked: &Range<u64>,
) -> Result<(), Error> {
    let inconsistent = |message: String| Err(Error::new(ErrorKind::Inconsistent, message));
    let changed = |message: String| Err(Error::new(ErrorKind::Changed, message));
    let Some(head) = answer.head() else {
        return inconsistent("the function answered a range without a head".to_owned());
    };
    if let (Some(pinned), Some(executed)) = (&version.executed, answer.executed_version())
        && pinned != executed
    {
        return changed(format!(
            "version {} of the function answered, version {} was asked",
            quotable(executed),
            quotable(pinned)
        ));
    }
    match head.header("etag") {
        Some(etag) if etag == version.etag => {}
        Some(other) => {
            return changed(format!(
                "the function answered with version {} of the object, not with {}",
                quotable(other),
                quotable(&version.etag)
            ));
        }
        None => {
            return changed(format!(
                "the function answered without a version of the object, {} was begun",
                quotable(&version.etag)
            ));
        }
    }
    let given = head.header("content-range").and_then(ContentRange::parse);
    let expected = ContentRange::Part { range: asked.clone(), size: Some(version.size) };
    if head.status != 206 || given != Some(expected) {
        return inconsistent(format!(
            "bytes {}..{} of {} were asked, the function answered {} with content-range {}",
            asked.start,
            asked.end,
            version.size,
            head.status,
            head.header("content-range").map_or("missing".into(), quotable)
        ));
    }
    match head.content_length() {
        Some(len) if len == asked.end - asked.start => Ok(()),
        other => inconsistent(format!(
            "{} bytes were asked, the function promised {}",
            asked.end - asked.start,
            other.map_or("no length".to_owned(), |len| len.to_string())
        )),
    }
}

/// The version that a head tells of, if it can be asked for again: with a strong ETag.
pub(crate) fn version(head: &Head, size: u64, executed: Option<&str>) -> Option<Version> {
    let etag = head.header("etag")?;
    if !etag.starts_with('"') {
        return None;
    }
    // `$LATEST` is not a version that stays: the ETag alone has to guard the bytes.
    let executed = executed.filter(|version| version.bytes().all(|byte| byte.is_ascii_digit()));
    Some(Version { etag: etag.to_owned(), size, executed: executed.map(str::to_owned) })
}

/// Reads a refusal for its message.
async fn refusal(stream: ResponseStream) -> Error {
    let request_id = stream.request_id().map(str::to_owned);
    let status = stream.head().map_or(0, |head| head.status);
    let wait = stream.head().and_then(|head| head.header("retry-after")?.trim().parse().ok());
    let mut body = Vec::new();
    // One in an encoding that nobody can read is told without its message.
    if let Ok(mut stream) = stream.decoded() {
        while let Some(Ok(bytes)) = stream.next_bytes().await {
            body.extend_from_slice(&bytes[..bytes.len().min(REFUSAL_LIMIT - body.len())]);
            if body.len() == REFUSAL_LIMIT {
                break;
            }
        }
    }
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    let text = match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => format!(": {}", quotable(&refusal.message)),
        Err(_) => String::new(),
    };
    Error::new(ErrorKind::Answer { status }, format!("the function answered {status}{text}"))
        .with_retry_after(wait.map(|seconds: u32| Duration::from_secs(seconds.into())))
        .with_request_id(request_id.as_deref())
}
