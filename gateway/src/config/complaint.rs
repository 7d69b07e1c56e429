//! A place in a configuration and what is wrong with it go in; one line that says so comes out.

use std::fmt;
use std::ops::Range;

/// Why a configuration is not served: file, line and reason, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    file: String,
    line: Option<usize>,
    reason: String,
}

impl Complaint {
    /// `span` is in bytes of `text`; none is about the whole of it.
    pub(super) fn new(
        file: &str,
        text: &str,
        span: Option<Range<usize>>,
        reason: impl Into<String>,
    ) -> Self {
        let before = span.and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let reason: String = reason.into();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { file: file.into(), line, reason }
    }

    /// The line, from 1 on, if it is about one.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, and what to do.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for Complaint {}
