//! Frames as they should not be: in, an encoded frame, or what one is to say; out, its bytes with one
//! thing wrong and all else right.

use crate::frames::encode;
use aws_smithy_eventstream::error::Error;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Bytes, BytesMut};

/// Bytes of a frame before its headers: two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// Bytes of a checksum.
const CRC_BYTES: usize = 4;

/// The frame with a wrong checksum.
pub(super) fn with_wrong_crc(frame: &Bytes) -> Bytes {
    let mut wrong = BytesMut::from(&frame[..]);
    let at = wrong.len() - CRC_BYTES;
    invert(&mut wrong[at..]);
    wrong.freeze()
}

/// The frame with a wrong checksum of its prelude, and a right one of all of it.
pub(super) fn with_wrong_prelude_crc(frame: &Bytes) -> Bytes {
    let mut wrong = BytesMut::from(&frame[..]);
    invert(&mut wrong[PRELUDE_BYTES - CRC_BYTES..PRELUDE_BYTES]);
    sign(&mut wrong);
    wrong.freeze()
}

/// The frame with another length declared, and right checksums.
pub(super) fn with_length(frame: &Bytes, bytes: u32) -> Bytes {
    let mut wrong = BytesMut::from(&frame[..]);
    wrong[..4].copy_from_slice(&bytes.to_be_bytes());
    let crc = crc32fast::hash(&wrong[..PRELUDE_BYTES - CRC_BYTES]);
    wrong[PRELUDE_BYTES - CRC_BYTES..PRELUDE_BYTES].copy_from_slice(&crc.to_be_bytes());
    sign(&mut wrong);
    wrong.freeze()
}

/// A frame of `:message-type` `error`.
pub(super) fn error(code: &str, message: &str) -> Result<Bytes, Error> {
    encode(
        &Message::new(Bytes::new())
            .add_header(text(":message-type", "error"))
            .add_header(text(":error-code", code))
            .add_header(text(":error-message", message)),
    )
}

/// A frame of `:message-type` `exception`.
pub(super) fn exception(exception: &str, message: &str) -> Result<Bytes, Error> {
    let payload = serde_json::json!({ "message": message }).to_string();
    encode(
        &Message::new(payload)
            .add_header(text(":message-type", "exception"))
            .add_header(text(":exception-type", exception))
            .add_header(text(":content-type", "application/json")),
    )
}

/// An event that no model knows.
pub(super) fn unknown(event: &str) -> Result<Bytes, Error> {
    encode(
        &Message::new("{}")
            .add_header(text(":message-type", "event"))
            .add_header(text(":event-type", event))
            .add_header(text(":content-type", "application/json")),
    )
}

fn text(name: &'static str, value: &str) -> Header {
    Header::new(name, HeaderValue::String(value.to_owned().into()))
}

fn invert(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// Writes the right checksum of the whole frame.
fn sign(frame: &mut BytesMut) {
    let at = frame.len() - CRC_BYTES;
    let crc = crc32fast::hash(&frame[..at]);
    frame[at..].copy_from_slice(&crc.to_be_bytes());
}
