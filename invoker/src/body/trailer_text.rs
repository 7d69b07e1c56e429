//! Payload bytes go in; the error comes out that `lambda_runtime` writes *into* a body where a
//! trailer should have told of it.
//!
//! Up to version 1.5.0 at least, a stream that fails in the middle of the answer ends cleanly, with
//! these two lines among or behind its bytes (measured against its release of 2026-09).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::error::Error;
use crate::invocation::function_error;

const TYPE: &[u8] = b"Lambda-Runtime-Function-Error-Type: ";
const BODY: &[u8] = b"\r\nLambda-Runtime-Function-Error-Body: ";
const END: &[u8] = b"\r\n";

/// The longest text that is recognised at the end of a body, in bytes: a message of 12 KB.
const TEXT_LIMIT: usize = 16 * 1024;

/// The error in a slice that begins with such a text.
pub(super) fn at_start(slice: &[u8]) -> Option<Error> {
    // The first comparison is all it costs a body of any other bytes.
    let (error, _) = split(slice)?;
    Some(error)
}

/// Keeps the end of a body back for as long as it may be such a text, which only what follows can
/// tell: the end of the body, or more bytes. What is let through is not the text's.
pub(super) struct Keeper {
    held: Bytes,
    /// How much of a text there must be for it to be held, in bytes.
    least: usize,
}

impl Keeper {
    /// For a body that is checked and asked for again, where a single byte of a text is one too
    /// many, or for one whose reader waits for every byte.
    pub(super) fn new(strict: bool) -> Self {
        Self { held: Bytes::new(), least: if strict { 1 } else { TYPE.len() } }
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a slice, and gives what can be let through: two slices, of which either may be empty.
    pub(super) fn push(&mut self, slice: Bytes) -> [Bytes; 2] {
        let held = std::mem::take(&mut self.held);
        let (before, mut slice) = match held.is_empty() {
            true => (held, slice),
            // Too much to be one text together.
            false if slice.len() > TEXT_LIMIT => (held, slice),
            false => (Bytes::new(), Bytes::from([held, slice].concat())),
        };
        self.held = slice.split_off(self.start_in(&slice));
        [before, slice]
    }

    /// Lets through what is held: it was the body's after all.
    pub(super) fn release(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }

    /// The error in what is held, if that is a whole text.
    pub(super) fn text(&self) -> Option<Error> {
        match split(&self.held)? {
            (error, []) => Some(error),
            _ => None,
        }
    }

    /// The same for a body that broke off, perhaps in the middle of the text.
    pub(super) fn broken_text(&self) -> Option<Error> {
        let begun = || {
            function_error("Runtime.StreamError", "the connection broke with its message").in_body()
        };
        self.text().or_else(|| self.held.starts_with(TYPE).then(begun))
    }

    /// Where a text begins that reaches to the end of `bytes`, as far as it is there.
    ///
    /// Every slice of every body comes by here. A text has two spaces, one behind each name, so the
    /// last space of the slice is all that most of them are asked for.
    fn start_in(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(TEXT_LIMIT);
        let tail = &bytes[from..];
        let behind_a_name = memchr::memrchr(b' ', tail).and_then(|space| {
            let (front, rest) = tail.split_at(space + 1);
            with_details(front, rest).or_else(|| without_details(front, rest))
        });
        let start = behind_a_name.or_else(|| self.in_the_first_name(tail));
        start.map_or(bytes.len(), |start| from + start)
    }

    /// Before its first space there is only a part of the first name.
    fn in_the_first_name(&self, tail: &[u8]) -> Option<usize> {
        if self.least >= TYPE.len() {
            return None;
        }
        let from = tail.len().saturating_sub(TYPE.len() - 1);
        memchr::memchr_iter(TYPE[0], &tail[from..])
            .map(|at| from + at)
            .find(|&at| TYPE.starts_with(&tail[at..]))
    }
}

/// Where a text begins of which `front` ends with the second name, and `rest` is what follows.
fn with_details(front: &[u8], rest: &[u8]) -> Option<usize> {
    let front = front.strip_suffix(BODY)?;
    let details = rest.strip_suffix(END).or_else(|| rest.strip_suffix(b"\r")).unwrap_or(rest);
    if !details.iter().all(|&byte| is_base64(byte)) {
        return None;
    }
    let name = front.iter().rev().take_while(|byte| byte.is_ascii_graphic()).count();
    Some(front[..front.len() - name].strip_suffix(TYPE)?.len())
}

/// Where a text begins of which `front` ends with the first name, and `rest` is what follows.
fn without_details(front: &[u8], rest: &[u8]) -> Option<usize> {
    let front = front.strip_suffix(TYPE)?;
    let (_, rest) = split_at_token(rest, |byte| byte.is_ascii_graphic());
    BODY.starts_with(rest).then_some(front.len())
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

/// Splits `Type: NAME CRLF Body: BASE64 CRLF` off the front of `text`.
fn split(text: &[u8]) -> Option<(Error, &[u8])> {
    let rest = text.strip_prefix(TYPE)?;
    let (error_type, rest) = split_at_token(rest, |byte| byte.is_ascii_graphic());
    let rest = rest.strip_prefix(BODY)?;
    let (encoded, rest) = split_at_token(rest, is_base64);
    let rest = rest.strip_prefix(END)?;
    let details = BASE64.decode(encoded).ok()?;
    let error_type = std::str::from_utf8(error_type).ok()?;
    Some((function_error(error_type, &String::from_utf8_lossy(&details)).in_body(), rest))
}

fn split_at_token(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let len = bytes.iter().position(|&byte| !allowed(byte)).unwrap_or(bytes.len());
    bytes.split_at(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    /// As captured from lambda_runtime 1.5.0; the body is "boom mid stream".
    const TEXT: &[u8] = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                          Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";

    fn kind() -> ErrorKind {
        let (error_type, message) = ("Runtime.StreamError".into(), "boom mid stream".into());
        ErrorKind::Function { error_type, message }
    }

    /// Everything that is let through of `body`, and the keeper with what is not.
    fn through(body: &[u8], len: usize, strict: bool) -> (Vec<u8>, Keeper) {
        let mut keeper = Keeper::new(strict);
        let mut through = Vec::new();
        for slice in body.chunks(len) {
            through.extend(keeper.push(Bytes::copy_from_slice(slice)).concat());
        }
        (through, keeper)
    }

    #[test]
    fn a_text_at_the_end_is_not_let_through_however_it_is_cut() {
        assert_eq!(*at_start(&[TEXT, b"more"].concat()).unwrap().kind(), kind());
        let front = [&vec![b'x'; 3 * TEXT_LIMIT][..], b"LLLambda-Runtime-"].concat();
        let body = [&front[..], TEXT].concat();
        for len in [1, 2, 7, 40, TEXT.len(), TEXT_LIMIT, body.len()] {
            let (let_through, keeper) = through(&body, len, true);
            assert!(let_through == front, "slices of {len}");
            assert_eq!(*keeper.text().unwrap().kind(), kind(), "slices of {len}");
        }
    }

    #[test]
    fn of_a_text_that_breaks_off_nothing_is_let_through() {
        for cut in 1..TEXT.len() {
            for (strict, len) in [(true, 1), (true, 1000), (false, 1000)] {
                let (let_through, keeper) = through(&[b"body", &TEXT[..cut]].concat(), len, strict);
                let expected: &[u8] = match strict || cut >= TYPE.len() {
                    true => b"body",
                    false => &[b"body", &TEXT[..cut]].concat(),
                };
                assert_eq!(let_through, expected, "cut at {cut}");
                assert_eq!(keeper.broken_text().is_some(), cut >= TYPE.len(), "cut at {cut}");
                assert!(keeper.text().is_none());
            }
        }
    }

    #[test]
    fn a_body_that_only_speaks_of_it_comes_through() {
        for body in [&b"Lambda-Runtime-Function-Error-Type: "[..], &TEXT[..TEXT.len() - 1]] {
            assert!(at_start(body).is_none());
        }
        for body in [&[TEXT, b"more"].concat()[..], b"Lambda-Runtime-Function-Error", b"L", b""] {
            for len in [1, 5, 1000] {
                let (mut all, mut keeper) = through(body, len, true);
                all.extend(keeper.release());
                assert_eq!(all, body);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_moved(
            parts in prop::collection::vec(prop::sample::select(vec![
                &b"L"[..], b"Lambda-Runtime-", TYPE, BODY, END, b"Ym9v", b"E", b" ", b"\r", TEXT,
            ]), 0..12),
            len in 1usize..50,
            strict in any::<bool>(),
        ) {
            let body = parts.concat();
            let (mut all, mut keeper) = through(&body, len, strict);
            prop_assert!(keeper.held() <= TEXT_LIMIT);
            all.extend(keeper.release());
            prop_assert_eq!(all, body);
        }
    }
}
