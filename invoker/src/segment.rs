//! A range of one version of an object goes in; exactly those bytes come out, as pieces in order.
//!
//! Each answer is held to the question: the same range, the same version, the promised length. A
//! failed invocation is followed by one that asks for the rest, from the byte where it stopped.

mod budget;
mod refused;
pub(crate) mod retry;

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::body::ResponseStream;
use crate::byte_range::{self, ContentRange};
use crate::checksum::{self, Sum};
use crate::client::Invoker;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, quotable};
use crate::head::Head;
use crate::invocation::Invocation;
use crate::piece::{Piece, Version};
use crate::progress::{InFlight, Progress};
use tokio::time::Instant;

use retry::{Budgets, Class, Decision, Failures, Moment, Policy};

/// The longest refusal of a function that is read for its message, in bytes.
const REFUSAL_LIMIT: usize = 8 * 1024;

/// What all invocations of one download have in common.
pub(crate) struct Asking {
    pub(crate) invoker: Invoker,
    /// The question, without a range.
    pub(crate) invocation: Invocation,
    /// Whether a result that is no object may come encoded, and is then decoded.
    pub(crate) compression: bool,
    pub(crate) policy: Policy,
    pub(crate) budgets: Mutex<Budgets>,
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

    /// The first one counts; the caller of a second compares them.
    pub(crate) fn set_object_sum(&self, sum: u64) -> u64 {
        *self.object_sum.get_or_init(|| sum)
    }

    /// Calls until an answer begins or patience ends.
    pub(crate) async fn call(&self, invocation: &Invocation) -> Result<ResponseStream, Error> {
        let mut failures = Failures::default();
        loop {
            match self.call_once(invocation).await {
                Ok(stream) => return Ok(stream),
                Err(error) => self.wait_or_give_up(error, &mut failures).await?,
            }
        }
    }

    /// One invocation; a head that refuses is an error.
    async fn call_once(&self, invocation: &Invocation) -> Result<ResponseStream, Error> {
        let stream = self.invoker.call_once(invocation).await?;
        match stream.head() {
            Some(head) if !(200..300).contains(&head.status) => Err(refusal(stream).await),
            _ => Ok(stream),
        }
    }

    /// Returns when it is time to try again, or `error` if there is no point.
    async fn wait_or_give_up(&self, error: Error, failures: &mut Failures) -> Result<(), Error> {
        let (class, now) = (retry::class(error.kind()), Instant::now());
        failures.count(class, now);
        if class == Class::Throttle {
            self.progress.throttled();
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
                tracing::debug!(error = %error, ?delay, "an invocation failed and is repeated");
                if class != Class::Throttle {
                    self.progress.retried();
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
    /// The answer that is being read, and the offset of its next byte.
    answer: Option<(ResponseStream, u64)>,
    failures: Failures,
    /// Over the bytes handed out.
    sum: Sum,
    /// Over the bytes of a second reading, made because the first one's end was not proven.
    second_sum: Option<Sum>,
    _in_flight: InFlight,
}

impl Segment {
    /// A segment that nobody has been asked for yet. `range` is not empty.
    pub(crate) fn new(asking: Arc<Asking>, version: Arc<Version>, range: Range<u64>) -> Self {
        let _in_flight = asking.progress.start_segment();
        let next = range.start;
        let (answer, failures, second_sum) = (None, Failures::default(), None);
        let sum = Sum::default();
        Self { asking, version, range, next, answer, failures, sum, second_sum, _in_flight }
    }

    /// The segment whose answer told the version: it has begun, and it fits by definition.
    pub(crate) fn begun(
        asking: Arc<Asking>,
        version: Arc<Version>,
        range: Range<u64>,
        answer: ResponseStream,
    ) -> Self {
        let mut segment = Self::new(asking, version, range);
        segment.answer = Some((answer, segment.range.start));
        segment
    }

    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
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
                Ok(Some(bytes)) => {
                    let offset = self.next;
                    self.sum.update(&bytes);
                    self.next += bytes.len() as u64;
                    self.asking.progress.received(bytes.len() as u64);
                    return Ok(Some(Piece::new(Arc::clone(&self.version), offset, bytes)));
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.answer = None;
                    self.asking.wait_or_give_up(error, &mut self.failures).await?;
                }
            }
        }
    }

    /// The next bytes that were not handed out before.
    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        if self.answer.is_none() {
            let rest = self.rest();
            let answer = self.ask(&rest).await?;
            self.answer = Some((answer, rest.start));
        }
        while let Some((answer, at)) = &mut self.answer {
            let Some(bytes) = answer.next_bytes().await else { break };
            let bytes = bytes?;
            let offset = *at;
            *at += bytes.len() as u64;
            if offset >= self.next {
                return Ok(Some(bytes));
            }
            // A second reading gives all of the range again, and none of it is handed out again.
            self.asking.progress.refetched(bytes.len() as u64);
            if let Some(sum) = &mut self.second_sum {
                sum.update(&bytes);
            }
        }
        self.check_end()
    }

    /// What is still to be asked for. After the last byte that is everything: all bytes were
    /// handed out, but how their invocation ended is not known, and a function may find out at
    /// the very end that what it sent was wrong.
    fn rest(&mut self) -> Range<u64> {
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

    async fn ask(&self, range: &Range<u64>) -> Result<ResponseStream, Error> {
        let mut invocation = self
            .asking
            .invocation
            .clone()
            .custom("range", byte_range::header(range))
            .custom("if-match", &self.version.etag);
        if let Some(executed) = &self.version.executed {
            invocation = invocation.qualifier(executed);
        }
        let answer = match self.asking.call_once(&invocation).await {
            Ok(answer) => answer,
            Err(error) => return Err(changed_if_refused(error)),
        };
        check_answer(&answer, &self.version, range)
            .and_then(|()| self.check_object_sum(&answer))
            .map_err(|error| error.with_request_id(answer.request_id()))?;
        Ok(answer)
    }

    /// A function may know the sum of an object later than its first bytes.
    fn check_object_sum(&self, answer: &ResponseStream) -> Result<(), Error> {
        let told = answer.head().and_then(|head| head.header(checksum::HEADER));
        match told.and_then(checksum::parse) {
            Some(sum) if self.asking.set_object_sum(sum) != sum => Err(Error::new(
                ErrorKind::Inconsistent,
                "two answers gave different checksums for the same version of the object",
            )),
            _ => Ok(()),
        }
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
        other => {
            return changed(format!(
                "the function answered with version {} of the object, not with {}",
                other.map_or("no".into(), quotable),
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
