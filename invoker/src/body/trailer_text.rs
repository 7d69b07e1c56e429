//! Payload bytes go in; the error comes out that `lambda_runtime` writes *into* a body where a
//! trailer should have told of it.
//!
//! Up to version 1.5.0 at least, a stream that fails in the middle of the answer ends cleanly, with
//! these two lines among or behind its bytes (measured against its release of 2026-09).

use std::collections::VecDeque;

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

/// The last slices of a body, to look for a text at its end; it may lie across slices.
#[derive(Default)]
pub(super) struct Recent {
    slices: VecDeque<Bytes>,
    len: usize,
}

impl Recent {
    pub(super) fn push(&mut self, slice: &Bytes) {
        self.len += slice.len();
        self.slices.push_back(slice.clone());
        while let Some(oldest) = self.slices.front()
            && self.len - oldest.len() >= TEXT_LIMIT
        {
            self.len -= oldest.len();
            self.slices.pop_front();
        }
    }

    /// The error in a text that ends exactly where the body ends.
    pub(super) fn at_end(&self) -> Option<Error> {
        let mut tail: Vec<u8> = Vec::with_capacity(2 * TEXT_LIMIT);
        for slice in &self.slices {
            tail.extend_from_slice(&slice[slice.len().saturating_sub(2 * TEXT_LIMIT)..]);
        }
        let start = (0..tail.len()).rev().find(|&at| tail[at..].starts_with(TYPE))?;
        match split(&tail[start..])? {
            (error, []) => Some(error),
            _ => None,
        }
    }
}

/// Splits `Type: NAME CRLF Body: BASE64 CRLF` off the front of `text`.
fn split(text: &[u8]) -> Option<(Error, &[u8])> {
    let rest = text.strip_prefix(TYPE)?;
    let (error_type, rest) = split_at_token(rest, |byte| byte.is_ascii_graphic());
    let rest = rest.strip_prefix(BODY)?;
    let (encoded, rest) =
        split_at_token(rest, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let rest = rest.strip_prefix(END)?;
    let details = BASE64.decode(encoded).ok()?;
    let error_type = std::str::from_utf8(error_type).ok()?;
    Some((function_error(error_type, &String::from_utf8_lossy(&details)), rest))
}

fn split_at_token(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let len = bytes.iter().position(|&byte| !allowed(byte)).unwrap_or(bytes.len());
    bytes.split_at(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// As captured from lambda_runtime 1.5.0; the body is "boom mid stream".
    const TEXT: &[u8] = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                          Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";

    fn kind() -> ErrorKind {
        let (error_type, message) = ("Runtime.StreamError".into(), "boom mid stream".into());
        ErrorKind::Function { error_type, message }
    }

    #[test]
    fn a_text_is_found_at_a_start_and_at_an_end_however_it_is_cut() {
        assert_eq!(*at_start(&[TEXT, b"more"].concat()).unwrap().kind(), kind());
        let body = [&vec![b'x'; 3 * TEXT_LIMIT][..], TEXT].concat();
        for len in [1, 7, TEXT.len(), TEXT_LIMIT, body.len()] {
            let mut recent = Recent::default();
            for slice in body.chunks(len) {
                recent.push(&Bytes::copy_from_slice(slice));
            }
            assert_eq!(*recent.at_end().unwrap().kind(), kind(), "slices of {len}");
        }
    }

    #[test]
    fn a_body_that_only_speaks_of_it_is_left_alone() {
        for body in [&b"Lambda-Runtime-Function-Error-Type: "[..], &TEXT[..TEXT.len() - 1]] {
            assert!(at_start(body).is_none());
        }
        let mut recent = Recent::default();
        recent.push(&Bytes::from([TEXT, b"more"].concat()));
        assert!(recent.at_end().is_none());
    }
}
