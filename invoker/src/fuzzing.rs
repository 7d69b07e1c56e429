//! Bytes that mean harm go in; nothing comes out, or a panic that names the promise they broke.
//!
//! One function for each target of `fuzz/`. The fuzzer calls them with inputs of its own; the tests
//! below replay the committed corpora through the very same functions, on every run. Only these two
//! builds have this module.

mod event_stream;

mod head;

mod journal;

use bytes::Bytes;

pub use event_stream::{event_stream_raw, event_stream_repaired};
pub use head::head;
pub use journal::journal;

/// So many bytes at the front of an input say how the rest of it is cut.
const CUTS_LEN: usize = 4;

type Cuts = [u8; CUTS_LEN];

/// The cuts, and the bytes to be cut; `None` for an input that is too short to have cuts.
fn split(input: &[u8]) -> Option<(Cuts, &[u8])> {
    let (cuts, bytes) = input.split_first_chunk()?;
    Some((*cuts, bytes))
}

/// `bytes` in pieces that are as long as the cuts say, in turn; 0 is all that is left.
fn pieces(cuts: Cuts, bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = bytes.clone();
    let mut lens = cuts.into_iter().cycle();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = match lens.next() {
            None | Some(0) => rest.len(),
            Some(len) => usize::from(len).min(rest.len()),
        };
        Some(rest.split_to(len))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Every input of the corpus of `target`, which must have some.
    fn replay(target: &str, run: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).expect("the corpus is committed") {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display()); // shown when a promise is broken
            run(&std::fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", folder.display());
    }

    #[test]
    fn the_corpus_of_event_stream_raw_breaks_no_promise() {
        replay("event_stream_raw", super::event_stream_raw);
    }

    #[test]
    fn the_corpus_of_event_stream_repaired_breaks_no_promise() {
        replay("event_stream_repaired", super::event_stream_repaired);
    }

    #[test]
    fn the_corpus_of_head_breaks_no_promise() {
        replay("head", super::head);
    }

    #[test]
    fn the_corpus_of_journal_breaks_no_promise() {
        replay("journal", super::journal);
    }
}
