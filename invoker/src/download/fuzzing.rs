//! What the fuzz target of the journal needs of it; not in any other build but the tests'.

use std::ops::Range;

use super::journal::{Header, Journal, Question, framed};
use super::plan::Wanted;
use crate::description::Description;
use crate::invocation::Invocation;
use crate::piece::Version;

/// What a journal was read as.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) wanted: Range<u64>,
    pub(crate) runs: Vec<Range<u64>>,
    pub(crate) missing: Vec<Range<u64>>,
    pub(crate) object_sum: Option<u64>,
    /// Bytes of the file that are the journal.
    pub(crate) len: usize,
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let Journal { header, runs, object_sum, len } = Journal::decode(bytes).ok()?;
    Some(Decoded {
        missing: runs.missing(&header.wanted),
        runs: runs.iter().map(|run| run.range).collect(),
        wanted: header.wanted,
        object_sum,
        len: usize::try_from(len).ok()?,
    })
}

/// The start of a journal whose header has this text.
pub(crate) fn front(text: &[u8]) -> Vec<u8> {
    framed(text)
}

/// The text of a sound header, of an object of `size` bytes.
pub(crate) fn header_text(size: u64) -> String {
    let header = Header {
        question: Question {
            invocation: Invocation::new("f"),
            wanted: Wanted::All,
            note: String::new(),
        },
        version: Version { etag: "\"a\"".to_owned(), size, executed: None },
        wanted: 0..size,
        description: Description::default(),
    };
    serde_json::to_string(&header).unwrap_or_default()
}
