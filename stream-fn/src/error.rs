//! What can keep a function from running comes in; one error with a kind goes out. What goes wrong
//! with a single invocation is a [`Failure`](crate::Failure) instead, and is reported to its caller.

use std::error::Error as StdError;
use std::fmt;

/// Any error at all, as handlers and streams may give it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a function could not run, or could not read what it was asked.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// The kinds of [`Error`], to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, such as `STREAM_FN_SOURCE`, is missing or malformed.
    Setting,
    /// The process was not started by a Lambda service: its environment variables are missing.
    Environment,
    /// The Runtime API could not be polled any more.
    RuntimeApi,
    /// A payload is not what the handler wanted to read.
    Payload,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
