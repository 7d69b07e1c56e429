//! An error or a panic of one invocation comes in; what the Runtime API is told of it goes out: a type
//! of the form `Function.Xxx` or `Runtime.Xxx`, a message, and their encodings.

use crate::error::BoxError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The type of an error, as a header of `/error` and as a trailer of `/response`.
pub(crate) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-type");
/// The JSON of an error in base64, as a trailer of `/response`.
pub(crate) const ERROR_BODY: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-body");

/// Longest message that is reported, in bytes. As JSON in base64 it is at most six times 4/3 of this
/// when every byte needs a `\u00xx` escape, and HTTP servers commonly (hyper does) refuse trailers
/// above 16 KiB.
const MESSAGE_MAX_BYTES: usize = 1_500;

/// A failed invocation, as its caller will see it.
///
/// Any error will do as the error of a handler, a stream or a writer; it is reported as
/// `Function.Error` with its message and those of its sources. Give a `Failure` to choose the type:
///
/// ```
/// let failure = stream_fn::Failure::new("QueryFailed", "the table is gone");
/// assert_eq!(failure.error_type(), "Function.QueryFailed");
/// ```
#[derive(Debug)]
pub struct Failure {
    error_type: Cow<'static, str>,
    message: String,
    source: Option<BoxError>,
}

impl Failure {
    /// A failure with a type of its own.
    ///
    /// A type of the form `Function.Xxx` or `Runtime.Xxx` (letters only, the first one a capital) is
    /// taken as it is; a bare `Xxx` becomes `Function.Xxx`; anything else becomes `Function.Unknown`,
    /// because Lambda Managed Instances would rename it so.
    pub fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: normalise(error_type), message: message.into(), source: None }
    }

    /// The same failure, with the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The type the caller sees: `Function.Xxx` or `Runtime.Xxx`.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// What a panic left behind. Its words are the author's own, like those of an error.
    pub(crate) fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let words = payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self::new("Function.Panic", format!("the function panicked: {words}"))
    }

    fn report(&self) -> Report<'_> {
        Report { error_type: &self.error_type, error_message: clip(&words_of(self)) }
    }

    /// The JSON body of `/error`.
    pub(crate) fn to_json(&self) -> Bytes {
        // Two strings: there is no way for this to fail, and an empty body is still a report.
        Bytes::from(serde_json::to_vec(&self.report()).unwrap_or_default())
    }

    /// The value of the error type header.
    pub(crate) fn type_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.error_type)
            .unwrap_or(HeaderValue::from_static("Function.Unknown"))
    }

    /// The two trailers that end a body which could not be finished. The JSON travels in base64,
    /// because a raw line end in it would cut the trailer.
    pub(crate) fn to_trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert(ERROR_TYPE, self.type_header());
        if let Ok(body) = HeaderValue::from_str(&STANDARD.encode(self.to_json())) {
            trailers.insert(ERROR_BODY, body);
        }
        trailers
    }
}

/// Keeps the type of a [`Failure`] anywhere in the chain of sources, and the words of all of them.
impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(error) => {
                let error_type = failure_in(error.as_ref())
                    .map_or(Cow::Borrowed("Function.Error"), |inner| inner.error_type.clone());
                Self { error_type, message: words_of(error.as_ref()), source: None }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// The JSON that both `/error` and the trailer carry.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    error_type: &'a str,
    error_message: String,
}

/// Lambda Managed Instances accept `(Runtime|Function)\.[A-Z][a-zA-Z]+` and rename the rest.
fn normalise(error_type: &str) -> Cow<'static, str> {
    let (space, name) = match error_type.split_once('.') {
        Some((space @ ("Function" | "Runtime"), name)) => (space, name),
        None => ("Function", error_type),
        Some(_) => ("Function", ""),
    };
    let capital = name.bytes().next().is_some_and(|first| first.is_ascii_uppercase());
    if capital && name.len() > 1 && name.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        Cow::Owned(format!("{space}.{name}"))
    } else {
        Cow::Borrowed(if space == "Runtime" { "Runtime.Unknown" } else { "Function.Unknown" })
    }
}

/// The messages of an error and its sources, outermost first. A source that its parent has already
/// quoted is not told twice.
pub(crate) fn words_of(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !words.ends_with(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        next = source.source();
    }
    words
}

fn failure_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure);
        }
        // An io::Error names the source of what it carries, not what it carries.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

fn clip(words: &str) -> String {
    let mut end = words.len().min(MESSAGE_MAX_BYTES);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_both_platforms_keep() {
        for (given, wanted) in [
            ("Function.Boom", "Function.Boom"),
            ("Runtime.Boom", "Runtime.Boom"),
            ("QueryFailed", "Function.QueryFailed"),
            ("", "Function.Unknown"),
            ("X", "Function.Unknown"),
            ("boom", "Function.Unknown"),
            ("Function.boom", "Function.Unknown"),
            ("Function.Boom2", "Function.Unknown"),
            ("Function.Boom\r\nx: y", "Function.Unknown"),
            ("Runtime.", "Runtime.Unknown"),
            ("Sandbox.Timedout", "Function.Unknown"),
            ("alloc::boxed::Box<dyn Error>", "Function.Unknown"),
        ] {
            assert_eq!(Failure::new(given, "").error_type(), wanted, "{given}");
        }
    }

    #[test]
    fn a_failure_survives_being_wrapped() {
        let inner = Failure::new("Quota", "no more").because("the disk is full");
        let wrapped: BoxError = Box::new(io::Error::other(inner));
        let failure = Failure::from(wrapped);
        assert_eq!(failure.error_type(), "Function.Quota");
        let json: serde_json::Value = serde_json::from_slice(&failure.to_json()).unwrap();
        assert_eq!(json["errorMessage"], "no more: the disk is full");
    }

    #[test]
    fn the_longest_message_fits_a_trailer() {
        let failure = Failure::new("Long", "\u{1}".repeat(100_000));
        let trailers = failure.to_trailers();
        assert!(trailers[ERROR_BODY].len() < 16 * 1024, "{}", trailers[ERROR_BODY].len());
        assert_eq!(clip(&"é".repeat(1_000)).len(), MESSAGE_MAX_BYTES);
    }
}
