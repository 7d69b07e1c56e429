//! Bytes as they come off the socket go in; intact frames of `application/vnd.amazon.eventstream`
//! come out, or the first defect. Pure: no I/O, no clock.
//!
//! A frame is `total length, headers length, CRC-32 of these eight bytes, headers, payload, CRC-32
//! of all before it`; every integer is big-endian. Three things are done differently than in the
//! official decoder, each for a fault it lets through: the lengths are believed only after their
//! checksum and only within [`Limits`]; [`Decoder::finish`] knows that twelve bytes of a next frame
//! are an unfinished frame and not an end; and a payload is handed on as the slices it arrived in,
//! without a copy.

mod limits;

mod header;

mod decoder;

pub use decoder::{Decoded, Decoder, Frame, FrameError, Payload};
pub use header::{HeaderError, HeaderValue, Headers};
pub use limits::Limits;
