//! What keeps an engine from being made, or an event from being answered, comes in; one error with a kind
//! goes out. That somebody may not is no error, but a [`Decision`](crate::Decision).

use std::error::Error as StdError;
use std::fmt;

/// Why there is no engine, or no answer. No message has a key, a token or a payload in it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`], to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing or wrong; the message has its name.
    Setting,
    /// The keys that tokens are checked with (JWKS) cannot be read or used.
    Keys,
    /// The event is none that API Gateway sends to an authorizer.
    Event,
    /// The Lambda runtime ended.
    Runtime,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A setting, by its name as the settings spell it, and what is wrong with it.
    pub(crate) fn setting(name: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Setting, format!("{name}: {why}"))
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

impl StdError for Error {}
