//! What can go wrong when a service is set up: in, a cause; out, an error a caller can match on.

use std::error::Error as StdError;
use std::fmt;

/// Why a service could not be started. Failures of invocations are not among these: callers get
/// those in the service's own form.
pub struct Error {
    kind: ErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A command line could not be split into words.
    #[error("the command line of function {function:?} {fault}")]
    CommandLine {
        /// The function's name.
        function: String,
        /// What is wrong with the line.
        fault: &'static str,
    },
    /// A function cannot be offered as it was described.
    #[error("function {function:?} {fault}")]
    Function {
        /// The function's name.
        function: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A fault cannot be set, or read from its text; what is wrong with it.
    #[error("{0}")]
    Fault(String),
    /// The address for callers could not be bound.
    #[error("cannot listen for callers")]
    Listen,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self { kind, source: Some(Box::new(source)) }
    }

    /// What went wrong, to decide on.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
