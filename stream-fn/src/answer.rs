//! What was asked and what a handler has for it come in; the head and exactly the body that belong
//! together go out, or a refusal (304, 404, 405, 412, 416).

#[cfg(feature = "compression")]
use crate::content_encoding::{self, Encoded};
use crate::failure::Failure;
use crate::head;
use crate::range::{RangeAsk, content_range, unsatisfied_range};
use crate::request::{Ask, RequestKind};
use crate::response::{Content, Response};
use crate::source::{ByteStream, Metadata, Object};
use crate::version::Version;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::fmt;
use std::ops::Range;

/// The whole object's CRC-64/NVME as S3 writes it: base64 of the big-endian bytes.
const CRC64NVME: HeaderName = HeaderName::from_static("x-amz-checksum-crc64nvme");

/// The id of the version in the store it comes from, as S3 writes it.
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

/// The largest answer without a head, in bytes. A buffered response may have 6 MB ("Invocation
/// payload" in Lambda's quotas); a larger value is streamed, with a head.
const BUFFERED_MAX_BYTES: usize = 6 * 1024 * 1024;

/// What goes to the Runtime API.
pub(crate) enum Answer {
    /// JSON without a head.
    Buffered(Bytes),
    /// A head, and a body that is held to the promised length.
    Streamed { head: Vec<u8>, promised: Option<u64>, body: ByteStream },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffered(json) => write!(f, "Buffered({} bytes)", json.len()),
            Self::Streamed { promised, .. } => write!(f, "Streamed(promised {promised:?})"),
        }
    }
}

/// What a response is for one request, with nothing left to decide.
pub(crate) struct Settled {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Vec<String>,
    /// What the body is held to.
    pub(crate) promised: Option<u64>,
    pub(crate) body: ByteStream,
}

/// # Errors
///
/// What the head cannot say, before anything is sent.
pub(crate) async fn answer(ask: &Ask, response: Response) -> Result<Answer, Failure> {
    if let Response { flaw: None, content: Content::Value(json), .. } = &response
        && ask.kind == RequestKind::Plain
        && json.len() <= BUFFERED_MAX_BYTES
    {
        return Ok(Answer::Buffered(json.clone()));
    }
    let Settled { status, headers, cookies, promised, body } = settle(ask, response).await?;
    Ok(Answer::Streamed { head: head::encode(status, &headers, &cookies)?, promised, body })
}

/// Applies range, preconditions, method and encodings.
pub(crate) async fn settle(ask: &Ask, response: Response) -> Result<Settled, Failure> {
    let Response { status, mut headers, cookies, content, compression, flaw } = response;
    if let Some(flaw) = flaw {
        return Err(flaw);
    }
    // An object is the bytes of its version, of which a caller may want any range.
    let compression = match content {
        Content::Object(_) => Some(false),
        Content::Stream(_) | Content::Value(_) => compression,
    };
    let (status, body) = match content {
        Content::Value(json) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(json.len()));
            (status, stream::iter([Ok(json)]).boxed())
        }
        Content::Stream(body) => (status, body),
        Content::Object(object) => of_object(ask, object, status, &mut headers).await?,
    };
    // What a HEAD promises is what a GET would give.
    let bodiless = ask.method == Method::HEAD
        || status == StatusCode::NOT_MODIFIED
        || status == StatusCode::NO_CONTENT;
    let promised = promised(&headers)?;
    let (promised, body) = encode(ask, status, &mut headers, compression, promised, body);
    let (promised, body) = match bodiless {
        true => (Some(0), stream::empty().boxed()),
        false => (promised, body),
    };
    Ok(Settled { status, headers, cookies, promised, body })
}

/// Encodes the body if the caller wants that and nothing speaks against it. Its promised length is then
/// held to before it is encoded, and nobody knows the one after.
#[cfg(feature = "compression")]
fn encode(
    ask: &Ask,
    status: StatusCode,
    headers: &mut HeaderMap,
    compression: Option<bool>,
    promised: Option<u64>,
    body: ByteStream,
) -> (Option<u64>, ByteStream) {
    let accepted = ask.accept_encoding.as_deref();
    match content_encoding::choose(accepted, status, headers, compression, promised) {
        Some(encoding) => (None, Encoded::new(encoding, promised, body).boxed()),
        None => (promised, body),
    }
}

#[cfg(not(feature = "compression"))]
fn encode(
    _: &Ask,
    _: StatusCode,
    _: &mut HeaderMap,
    _: Option<bool>,
    promised: Option<u64>,
    body: ByteStream,
) -> (Option<u64>, ByteStream) {
    (promised, body)
}

/// What preconditions and range make of an object.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Whole,
    Segment(Range<u64>),
    NotModified,
    PreconditionFailed,
    Unsatisfiable,
}

/// In the order of RFC 9110 section 13.2.2.
fn judge(ask: &Ask, metadata: &Metadata) -> Verdict {
    let version = &metadata.version;
    if ask.if_match.as_deref().is_some_and(|tags| !version.is_named_by(tags)) {
        return Verdict::PreconditionFailed;
    }
    let reading = ask.method == Method::GET || ask.method == Method::HEAD;
    if ask.if_none_match.as_deref().is_some_and(|tags| version.is_weakly_named_by(tags)) {
        return if reading { Verdict::NotModified } else { Verdict::PreconditionFailed };
    }
    // A range means something for GET alone (section 14.2), and with If-Range only for the version
    // named there.
    let same = ask.if_range.as_deref().is_none_or(|condition| is_same(condition, metadata));
    match ask.range {
        Some(range) if ask.method == Method::GET && same => segment(range, metadata.size),
        _ => Verdict::Whole,
    }
}

fn segment(range: RangeAsk, size: u64) -> Verdict {
    range.within(size).map_or(Verdict::Unsatisfiable, Verdict::Segment)
}

/// `If-Range` has one entity tag, or the very date of `Last-Modified`.
fn is_same(condition: &str, metadata: &Metadata) -> bool {
    let by_date =
        metadata.last_modified.is_some_and(|time| condition == httpdate::fmt_http_date(time));
    by_date || (condition.trim() != "*" && metadata.version.is_named_by(condition))
}

async fn of_object(
    ask: &Ask,
    mut object: Object,
    status: StatusCode,
    headers: &mut HeaderMap,
) -> Result<(StatusCode, ByteStream), Failure> {
    let metadata = object.metadata();
    let size = metadata.size;
    let verdict = judge(ask, metadata);
    headers.insert(ETAG, etag(&metadata.version)?);
    let refused = |headers: &mut HeaderMap, status, message: &str| {
        let json = serde_json::json!({ "message": message }).to_string();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(json.len()));
        Ok((status, stream::iter([Ok(Bytes::from(json))]).boxed()))
    };
    let (status, range) = match verdict {
        Verdict::NotModified => return Ok((StatusCode::NOT_MODIFIED, stream::empty().boxed())),
        Verdict::PreconditionFailed => {
            let message = "the object has another version";
            return refused(headers, StatusCode::PRECONDITION_FAILED, message);
        }
        Verdict::Unsatisfiable => {
            headers.insert(CONTENT_RANGE, numbers(unsatisfied_range(size))?);
            let message = format!("no byte of the range exists, the object has {size}");
            return refused(headers, StatusCode::RANGE_NOT_SATISFIABLE, &message);
        }
        Verdict::Whole => (status, 0..size),
        Verdict::Segment(range) => {
            headers.insert(CONTENT_RANGE, numbers(content_range(&range, size))?);
            (StatusCode::PARTIAL_CONTENT, range)
        }
    };
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if !headers.contains_key(CONTENT_TYPE) {
        let media_type =
            HeaderValue::from_str(&metadata.content_type).map_err(|_| unspeakable("media type"))?;
        headers.insert(CONTENT_TYPE, media_type);
    }
    if let Some(encoding) = &metadata.content_encoding
        && !headers.contains_key(CONTENT_ENCODING)
    {
        let encoding =
            HeaderValue::from_str(encoding).map_err(|_| unspeakable("content encoding"))?;
        headers.insert(CONTENT_ENCODING, encoding);
    }
    if let Some(time) = metadata.last_modified {
        headers.insert(LAST_MODIFIED, numbers(httpdate::fmt_http_date(time))?);
    }
    if let Some(id) = &metadata.version_id {
        let id = HeaderValue::from_str(id).map_err(|_| unspeakable("version id"))?;
        headers.insert(VERSION_ID, id);
    }
    if let Some(sum) = object.checksum(&range).await {
        headers.insert(CRC64NVME, numbers(STANDARD.encode(sum.to_be_bytes()))?);
    }
    // A HEAD reads nothing, not even the first bytes.
    let body = match ask.method == Method::HEAD {
        true => stream::empty().boxed(),
        false => object.read(range),
    };
    Ok((status, body))
}

/// The length that a body is held to: what the head says, whoever said it.
fn promised(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(None) };
    let number = length.to_str().ok().and_then(|digits| digits.parse().ok());
    match (number, lengths.next()) {
        (Some(number), None) => Ok(Some(number)),
        _ => Err(unspeakable("content length")),
    }
}

fn etag(version: &Version) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(version.as_etag()).map_err(|_| unspeakable("version"))
}

/// Digits, dates and base64 are always allowed in a header.
fn numbers(text: String) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(&text).map_err(|_| unspeakable("number"))
}

fn unspeakable(what: &str) -> Failure {
    Failure::new("InvalidHead", format!("the {what} cannot be said in a header"))
}

#[cfg(test)]
mod tests;
