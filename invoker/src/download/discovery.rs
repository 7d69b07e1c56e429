//! The wanted bytes go in; what there is comes out: an object with its version and its first
//! segment already begun, or a plain stream. One invocation serves as both question and answer.

use std::ops::Range;
use std::sync::Arc;

use super::plan::Wanted;
use super::runs::Runs;
use crate::body::ResponseStream;
use crate::byte_range::{self, ContentRange};
use crate::content_encoding;
use crate::description::Description;
use crate::error::{Error, ErrorKind, quotable};
use crate::head::Head;
use crate::invocation::Invocation;
use crate::piece::Version;
use crate::segment::{self, Asking, Segment};

/// What a function has to give.
#[expect(clippy::large_enum_variant, reason = "there is one for a download")]
pub(super) enum Found {
    /// An object that can be asked for by ranges.
    Object(Box<Object>),
    /// A stream to be read to its end.
    Plain(ResponseStream),
}

/// An object, and how far its download has begun.
pub(super) struct Object {
    pub(super) version: Arc<Version>,
    /// The wanted bytes, clipped to the object.
    pub(super) wanted: Range<u64>,
    /// The first of them, already on their way; `None` where the size had to be asked for first.
    pub(super) first: Option<Segment>,
    /// What an earlier download left of them.
    pub(super) there: Runs,
    /// Whether there was an earlier download.
    pub(super) resumed: bool,
    pub(super) description: Description,
    /// That of the first answer; `None` where an earlier download had it.
    pub(super) head: Option<Head>,
}

/// Asks for the first `segment_size` wanted bytes and learns from the answer what there is.
pub(super) async fn discover(
    asking: &Arc<Asking>,
    wanted: &Wanted,
    segment_size: u64,
) -> Result<Found, Error> {
    // A suffix has no offset before the size is known: ask for its last byte, then plan.
    let asked = wanted.start().map(|start| start..first_end(wanted, start, segment_size));
    let header = asked.as_ref().map_or("bytes=-1".to_owned(), byte_range::header);
    let invocation = asking.invocation.clone().custom("range", header);
    let mut answer = match asking.call(&accepting(asking, &invocation), asked.as_ref()).await {
        Ok(answer) => answer,
        Err(error) => return empty_or_error(asking, wanted, error).await,
    };
    if asking.compression && is_encoded_part(&answer) {
        // Its ranges would be of the encoded bytes, which nobody wants.
        drop(answer);
        answer = asking.call(&invocation, asked.as_ref()).await?;
    }
    if let Some(asked) = asked {
        answer.doubt(asked.end - asked.start);
    }
    let Some(head) = answer.head().cloned() else {
        return plain(asking, answer, wanted);
    };
    let part = head.header("content-range").and_then(ContentRange::parse);
    let (given, size) = match part {
        Some(ContentRange::Part { range, size: Some(size) }) if head.status == 206 => (range, size),
        _ => return plain(asking, answer, wanted),
    };
    let request_id = answer.request_id().map(str::to_owned);
    let found = object(asking, wanted, segment_size, answer, head, given, size);
    found.map_err(|error| error.with_request_id(request_id.as_deref()))
}

fn object(
    asking: &Arc<Asking>,
    wanted: &Wanted,
    segment_size: u64,
    answer: ResponseStream,
    head: Head,
    given: Range<u64>,
    size: u64,
) -> Result<Found, Error> {
    let Some(clipped) = wanted.of(size) else {
        return Err(nothing_there(size));
    };
    let expected = match wanted.start() {
        Some(start) => start..first_end(wanted, start, segment_size).min(size),
        None => size - 1..size,
    };
    if given != expected || head.content_length() != Some(given.end - given.start) {
        let message = format!(
            "bytes {}..{} of {size} were asked first, the function gave {}..{} and promised {}",
            expected.start,
            expected.end,
            given.start,
            given.end,
            head.content_length().map_or("no length".to_owned(), |len| len.to_string())
        );
        return Err(Error::new(ErrorKind::Inconsistent, message));
    }
    let Some(version) = segment::version(&head, size, answer.executed_version()) else {
        if given == clipped {
            // All of it in one answer: there is nothing to splice, and no version needed for it.
            return match given == (0..size) {
                true => stream(asking, answer),
                false => Ok(Found::Plain(answer)),
            };
        }
        let message = "the function serves ranges without a strong etag, so the parts could be of \
                       different versions: fetch it without segments";
        return Err(Error::new(ErrorKind::Inconsistent, message));
    };
    let version = Arc::new(version);
    let description = Description::of(Some(&head), answer.executed_version(), Some(size), true);
    let first = (given == clipped || wanted.start().is_some())
        .then(|| Segment::begun(Arc::clone(asking), Arc::clone(&version), given, answer));
    let there = Runs::default();
    let head = Some(head);
    let object =
        Object { version, wanted: clipped, first, there, resumed: false, description, head };
    Ok(Found::Object(Box::new(object)))
}

/// Where the first segment ends, as far as that is known before the size is.
fn first_end(wanted: &Wanted, start: u64, segment_size: u64) -> u64 {
    let end = start.saturating_add(segment_size);
    match wanted {
        Wanted::Range(range) => end.min(range.end),
        _ => end,
    }
}

/// The same question, from one who takes a plain stream in any encoding that is known here, unless the
/// caller has asked for others.
fn accepting(asking: &Asking, invocation: &Invocation) -> Invocation {
    match asking.compression && !invocation.has_custom(content_encoding::ACCEPT) {
        true => invocation.clone().custom(content_encoding::ACCEPT, content_encoding::ACCEPTED),
        false => invocation.clone(),
    }
}

fn is_encoded_part(answer: &ResponseStream) -> bool {
    let part = answer.head().filter(|head| head.status == 206);
    part.is_some_and(|head| content_encoding::name(head).is_some())
}

/// An answer that is no range of an object.
fn plain(asking: &Asking, answer: ResponseStream, wanted: &Wanted) -> Result<Found, Error> {
    if answer.head().is_some_and(|head| head.status == 206) {
        let message = "the function answered with a part of the object (206), but its \
                       content-range does not say which part of how many bytes";
        return Err(
            Error::new(ErrorKind::Inconsistent, message).with_request_id(answer.request_id())
        );
    }
    // A part that calls itself the whole: some runtimes have no status but 200.
    let range = answer.head().and_then(|head| head.header("content-range"));
    if let Some(range) = range
        && !matches!(ContentRange::parse(range), Some(ContentRange::Part { range, size: Some(size) })
            if range == (0..size))
    {
        let message = format!(
            "the function answered with a part of the object, {}, but with the status of the whole \
             (200, not 206)",
            quotable(range)
        );
        return Err(
            Error::new(ErrorKind::Inconsistent, message).with_request_id(answer.request_id())
        );
    }
    if *wanted == Wanted::All {
        return stream(asking, answer);
    }
    let status = answer.head().map_or(200, |head| head.status);
    let message = "the function does not serve ranges of this result: ask for all of it";
    Err(Error::new(ErrorKind::Answer { status }, message).with_request_id(answer.request_id()))
}

/// An empty object has no first byte, so a function refuses to give its range (416). Asking for it
/// without one tells the rest.
async fn empty_or_error(
    asking: &Arc<Asking>,
    wanted: &Wanted,
    error: Error,
) -> Result<Found, Error> {
    if *error.kind() != (ErrorKind::Answer { status: 416 }) || *wanted != Wanted::All {
        return Err(error);
    }
    let answer = asking.call(&accepting(asking, &asking.invocation), None).await?;
    stream(asking, answer)
}

fn stream(asking: &Asking, answer: ResponseStream) -> Result<Found, Error> {
    let answer = if asking.compression { answer.decoded()? } else { answer };
    Ok(Found::Plain(answer))
}

fn nothing_there(size: u64) -> Error {
    let message = format!("no byte of the range exists: the object has {size} bytes");
    Error::new(ErrorKind::Answer { status: 416 }, message)
}
