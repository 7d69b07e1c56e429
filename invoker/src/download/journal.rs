//! What a download is of, and which of its bytes are there, go in; the bytes of its journal come
//! out, and the other way round. Pure.
//!
//! A journal is a header and then records of one length, only ever appended:
//!
//! ```text
//! header   16 bytes  "invoker journal\n"
//!           4 bytes  format, 1
//!           4 bytes  length of the text
//!          ...       text: JSON of what the download is of
//!           4 bytes  CRC-32 of all before
//! record    4 bytes  kind: 1 a run is there, 2 it is not after all, 3 the sum of the whole object
//!           8 bytes  offset in the object
//!           8 bytes  length
//!           8 bytes  CRC-64/NVME
//!           4 bytes  CRC-32 of the 28 bytes before
//! ```
//!
//! Numbers are little-endian. What a crash left at the end, a torn record or one whose sum is wrong,
//! ends the journal before it: the bytes it told of are fetched again. A record is a claim, not a
//! proof: it may have reached the disk before its bytes did. So whoever continues reads the part
//! file again and believes the runs whose sums are right.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::plan::Wanted;
use super::runs::{Run, Runs};
use crate::description::Description;
use crate::invocation::Invocation;
use crate::piece::Version;

const MAGIC: &[u8; 16] = b"invoker journal\n";
const FORMAT: u32 = 1;

/// Magic, format and the length of the text, in bytes.
const FRONT_LEN: usize = 24;

/// The longest text that is read, in bytes: the largest payload of the service, 6 MB, in base64,
/// and room for the rest.
const TEXT_LIMIT: u32 = 16 * 1024 * 1024;

const RECORD_LEN: usize = 32;

/// What is asked for. Two downloads with the same question want the same bytes, if the function
/// still has the same version of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) invocation: Invocation,
    pub(super) wanted: Wanted,
    /// What the caller of this library wants to find again.
    pub(super) note: String,
}

/// What a download is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) question: Question,
    pub(super) version: Version,
    /// The wanted bytes, clipped to the object; the first of them is the first of the part file.
    pub(super) wanted: Range<u64>,
    pub(super) description: Description,
}

impl Header {
    /// The start of a journal.
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        Ok(framed(&serde_json::to_vec(self)?))
    }

    /// Whether the numbers fit one another.
    fn is_sound(&self) -> bool {
        let Self { version, wanted, .. } = self;
        wanted.start <= wanted.end && wanted.end <= version.size && version.etag.starts_with('"')
    }
}

/// The start of a journal whose header has this text.
pub(super) fn framed(text: &[u8]) -> Vec<u8> {
    // The service takes no payload that would not fit.
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(FRONT_LEN + text.len() + 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text);
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// These bytes are in the part file.
    Run(Run),
    /// What was recorded of these bytes is not to be believed.
    Not(Range<u64>),
    /// CRC-64/NVME of the whole object, as the function gave it.
    ObjectSum(u64),
}

impl Record {
    const RUN: u32 = 1;
    const NOT: u32 = 2;
    const OBJECT_SUM: u32 = 3;

    pub(super) fn encode(&self) -> [u8; RECORD_LEN] {
        let (kind, range, sum) = match self {
            Self::Run(run) => (Self::RUN, run.range.clone(), run.sum),
            Self::Not(range) => (Self::NOT, range.clone(), 0),
            Self::ObjectSum(sum) => (Self::OBJECT_SUM, 0..0, *sum),
        };
        let mut bytes = [0; RECORD_LEN];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..12].copy_from_slice(&range.start.to_le_bytes());
        bytes[12..20].copy_from_slice(&(range.end - range.start).to_le_bytes());
        bytes[20..28].copy_from_slice(&sum.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` for what is not exactly a record of bytes inside `wanted`.
    fn decode(bytes: &[u8; RECORD_LEN], wanted: &Range<u64>) -> Option<Self> {
        if crc32fast::hash(&bytes[..28]) != u32_at(bytes, 28)? {
            return None;
        }
        let (start, len, sum) = (u64_at(bytes, 4)?, u64_at(bytes, 12)?, u64_at(bytes, 20)?);
        let range = start..start.checked_add(len)?;
        let inside = wanted.start <= range.start && range.end <= wanted.end && !range.is_empty();
        match u32_at(bytes, 0)? {
            Self::RUN if inside => Some(Self::Run(Run { range, sum })),
            Self::NOT if inside => Some(Self::Not(range)),
            Self::OBJECT_SUM => Some(Self::ObjectSum(sum)),
            _ => None,
        }
    }
}

/// A journal that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) header: Header,
    /// What is claimed to be in the part file.
    pub(super) runs: Runs,
    pub(super) object_sum: Option<u64>,
    /// How many bytes of the file are the journal; what follows is torn.
    pub(super) len: u64,
}

/// Why bytes are no journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Nothing was recorded yet when it was written.
    #[error("it ends before anything is recorded")]
    Torn,
    /// Some other file, or one that was damaged.
    #[error("it is not a journal of this program, or it is damaged")]
    Foreign,
    /// Written by a later version.
    #[error("its format is {0}, this version knows {FORMAT}")]
    Later(u32),
}

impl Journal {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != &MAGIC[..magic.len()] {
            return Err(Unreadable::Foreign);
        }
        let format = u32_at(bytes, MAGIC.len()).ok_or(Unreadable::Torn)?;
        if format != FORMAT {
            return Err(Unreadable::Later(format));
        }
        let text_len = u32_at(bytes, MAGIC.len() + 4).ok_or(Unreadable::Torn)?;
        if text_len > TEXT_LIMIT {
            return Err(Unreadable::Foreign);
        }
        let text_end = FRONT_LEN + text_len as usize;
        let sum = u32_at(bytes, text_end).ok_or(Unreadable::Torn)?;
        if crc32fast::hash(&bytes[..text_end]) != sum {
            return Err(Unreadable::Foreign);
        }
        let header: Header = serde_json::from_slice(&bytes[FRONT_LEN..text_end])
            .ok()
            .filter(Header::is_sound)
            .ok_or(Unreadable::Foreign)?;

        let mut runs = Runs::default();
        let mut object_sum = None;
        let mut len = text_end + 4;
        for bytes in bytes[len..].as_chunks::<RECORD_LEN>().0 {
            match Record::decode(bytes, &header.wanted) {
                Some(Record::Run(run)) => runs.insert(run),
                Some(Record::Not(range)) => runs.remove(&range),
                Some(Record::ObjectSum(sum)) => object_sum = Some(sum),
                None => break,
            }
            len += RECORD_LEN;
        }
        Ok(Self { header, runs, object_sum, len: len as u64 })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::download) fn header(size: u64) -> Header {
        let version = Version { etag: "\"a\"".to_owned(), size, executed: Some("7".to_owned()) };
        let question = Question {
            invocation: Invocation::new("f:live").payload(&b"{\"a\": 1}"[..]).custom("b", "2"),
            wanted: Wanted::All,
            note: "a note".to_owned(),
        };
        Header { question, version, wanted: 0..size, description: Description::default() }
    }

    fn run(range: Range<u64>) -> Run {
        Run { sum: range.start * 3, range }
    }

    #[test]
    fn what_was_written_is_read() {
        let header = header(100);
        let mut bytes = header.encode().unwrap();
        for record in [
            Record::Run(run(0..10)),
            Record::Run(run(20..30)),
            Record::Not(25..26),
            Record::ObjectSum(5),
            Record::Run(run(90..100)),
        ] {
            bytes.extend_from_slice(&record.encode());
        }
        let journal = Journal::decode(&bytes).unwrap();
        assert_eq!(journal.header, header);
        assert_eq!(journal.runs.iter().collect::<Vec<_>>(), [run(0..10), run(90..100)]);
        assert_eq!((journal.object_sum, journal.len), (Some(5), bytes.len() as u64));
    }

    #[test]
    fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
        let front = header(100).encode().unwrap();
        let mut bytes = front.clone();
        for at in 0..4 {
            bytes.extend_from_slice(&Record::Run(run(at * 10..at * 10 + 5)).encode());
        }
        for cut in 0..=bytes.len() {
            match Journal::decode(&bytes[..cut]) {
                Err(why) => {
                    assert!(cut < front.len(), "{why} at {cut}");
                    assert_eq!(why, Unreadable::Torn);
                }
                Ok(journal) => {
                    let whole = (cut - front.len()) / RECORD_LEN;
                    assert_eq!(journal.runs.iter().count(), whole);
                    assert_eq!(journal.len as usize, front.len() + whole * RECORD_LEN);
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_becomes_another_claim() {
        let front = header(100).encode().unwrap();
        let mut bytes = front.clone();
        for at in 0..3 {
            bytes.extend_from_slice(&Record::Run(run(at * 10..at * 10 + 5)).encode());
        }
        let whole = Journal::decode(&bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match Journal::decode(&flipped) {
                Err(_) => assert!(bit / 8 < front.len()),
                Ok(journal) => {
                    let before = (bit / 8).checked_sub(front.len()).unwrap() / RECORD_LEN;
                    let expected: Vec<Run> = whole.runs.iter().take(before).collect();
                    assert_eq!(journal.runs.iter().collect::<Vec<_>>(), expected);
                }
            }
        }
    }

    #[test]
    fn other_files_and_later_formats_are_told_apart() {
        assert_eq!(Journal::decode(b""), Err(Unreadable::Torn));
        assert_eq!(Journal::decode(b"a shopping list"), Err(Unreadable::Foreign));
        let mut later = header(1).encode().unwrap();
        later[16] = 2;
        assert_eq!(Journal::decode(&later), Err(Unreadable::Later(2)));
        let mut header = header(1);
        header.wanted = 0..2;
        assert_eq!(Journal::decode(&header.encode().unwrap()), Err(Unreadable::Foreign));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_claim_what_is_not_wanted(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            records in prop::collection::vec((0u32..5, any::<u64>(), any::<u64>(), any::<u64>()), 0..20),
        ) {
            let _ = Journal::decode(&bytes);
            let mut journal = header(1000).encode().unwrap();
            for (kind, start, len, sum) in records {
                let mut record = Vec::new();
                record.extend_from_slice(&kind.to_le_bytes());
                for number in [start >> (start % 60), len >> (len % 60), sum] {
                    record.extend_from_slice(&number.to_le_bytes());
                }
                record.extend_from_slice(&crc32fast::hash(&record).to_le_bytes());
                journal.extend_from_slice(&record);
            }
            journal.extend_from_slice(&bytes);
            let read = Journal::decode(&journal).unwrap();
            prop_assert!(read.runs.iter().all(|run| !run.range.is_empty() && run.range.end <= 1000));
            let missing: u64 = read.runs.missing(&(0..1000)).iter().map(|range| range.end - range.start).sum();
            prop_assert_eq!(missing + read.runs.bytes(), 1000);
        }
    }
}
