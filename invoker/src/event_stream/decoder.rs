//! The frame decoder: pieces of a byte stream, cut anywhere, go in; intact frames come out.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;

use super::header::{HeaderError, Headers};
use super::limits::Limits;

/// Total length, headers length, and the checksum of both: four bytes each.
const PRELUDE_LEN: usize = 12;
/// The part of the prelude that its own checksum covers.
const LENGTHS_LEN: usize = 8;
/// The checksum that closes a frame.
const CHECKSUM_LEN: usize = 4;
/// What a frame is long beyond its headers and payload.
const OVERHEAD: u32 = (PRELUDE_LEN + CHECKSUM_LEN) as u32;
/// The longest headers that are remembered for the next frame, in bytes: three times those of a
/// PayloadChunk.
const REMEMBERED_LEN: usize = 256;

/// The payload of one frame, as the slices it arrived in: one, unless the frame lay across reads.
pub type Payload = SmallVec<[Bytes; 2]>;

/// One intact frame: both checksums hold, the headers are well formed.
#[derive(Clone)]
pub struct Frame {
    /// The headers, `:message-type` and `:event-type` among them.
    pub headers: Headers,
    /// The payload; it shares the memory of the bytes that were pushed.
    pub payload: Payload,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let len: usize = self.payload.iter().map(Bytes::len).sum();
        f.debug_struct("Frame").field("headers", &self.headers).field("payload_len", &len).finish()
    }
}

/// What [`Decoder::decode`] found.
#[derive(Debug)]
pub enum Decoded {
    /// Not a whole frame yet: push more bytes.
    Incomplete,
    /// The next frame.
    Complete(Frame),
}

/// Why a byte stream is not a sequence of frames. Numbers are bytes, or CRC-32 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The checksum of the two lengths does not hold, so neither length can be believed.
    #[error("a frame's lengths have the checksum {computed:08x}, it says {declared:08x}")]
    PreludeChecksum {
        /// As written in the frame.
        declared: u32,
        /// Over the bytes received.
        computed: u32,
    },
    /// The checksum of the whole frame does not hold.
    #[error("a frame has the checksum {computed:08x}, it says {declared:08x}")]
    MessageChecksum {
        /// As written in the frame.
        declared: u32,
        /// Over the bytes received.
        computed: u32,
    },
    /// Headers and framing do not fit into the declared total.
    #[error("a frame of {total} bytes cannot have {headers} bytes of headers")]
    Lengths {
        /// Declared length of the frame.
        total: u32,
        /// Declared length of its headers.
        headers: u32,
    },
    /// More headers than [`Limits::headers`].
    #[error("a frame declares {headers} bytes of headers, the limit is {limit}")]
    HeadersTooLong {
        /// Declared length of the headers.
        headers: u32,
        /// The limit in force.
        limit: u32,
    },
    /// More payload than [`Limits::payload`].
    #[error("a frame declares {payload} bytes of payload, the limit is {limit}")]
    PayloadTooLong {
        /// Declared length of the payload.
        payload: u32,
        /// The limit in force.
        limit: u32,
    },
    /// The checksums hold, but the headers are not well formed.
    #[error("a frame's headers are malformed")]
    Header(#[from] HeaderError),
    /// The stream ended inside a frame; [`Decoder::finish`] says so.
    #[error("the stream ended {received} bytes into a frame")]
    Unfinished {
        /// Bytes of the frame that arrived.
        received: usize,
    },
}

/// Decodes frames from a byte stream that may be cut anywhere.
///
/// Holds the bytes pushed and not yet decoded: at most one frame within [`Limits`] and what was
/// pushed after it. The first error is final: every later call returns it again, because after a
/// defect there is no place known to be the start of a frame.
///
/// ```
/// use invoker::event_stream::{Decoded, Decoder};
///
/// let mut decoder = Decoder::default();
/// decoder.push(bytes::Bytes::from_static(&[0, 0, 0, 16, 0, 0, 0, 0]));
/// assert!(matches!(decoder.decode(), Ok(Decoded::Incomplete)));
/// assert!(decoder.finish().is_err()); // eight bytes of a frame are not an end
/// ```
#[derive(Default)]
pub struct Decoder {
    limits: Limits,
    held: Held,
    /// The lengths of the frame at the front of `held`, once their checksum held.
    lengths: Option<Lengths>,
    /// The headers of the last frame, in memory of their own: most frames have the same as the one
    /// before, and need not be read again.
    remembered: Option<Headers>,
    failed: Option<FrameError>,
}

/// The headers of a frame, before its checksum was compared.
enum Taken {
    /// Those of a frame before, which was intact.
    Known(Headers),
    New(Bytes),
}

#[derive(Clone, Copy)]
struct Lengths {
    total: usize,
    headers: usize,
}

impl Decoder {
    /// A decoder with limits other than those of the specification.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes the next bytes of the stream. After a defect they are let go: nothing will be decoded.
    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && self.failed.is_none() {
            self.held.push(bytes);
        }
    }

    /// The next frame, if all its bytes were pushed.
    ///
    /// # Errors
    ///
    /// The first defect of the stream, on this call and all later ones.
    pub fn decode(&mut self) -> Result<Decoded, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.decode_frame().inspect_err(|error| {
            self.failed = Some(*error);
            self.held = Held::default();
        })
    }

    /// Bytes pushed and not yet decoded.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held_len(&self) -> usize {
        self.held.len
    }

    /// Says whether the stream may end here: it may not inside a frame, nor after a defect.
    ///
    /// # Errors
    ///
    /// [`FrameError::Unfinished`] inside a frame; the defect, if there was one.
    pub fn finish(&self) -> Result<(), FrameError> {
        match (self.failed, self.held.len) {
            (Some(error), _) => Err(error),
            (None, 0) => Ok(()),
            (None, received) => Err(FrameError::Unfinished { received }),
        }
    }

    fn decode_frame(&mut self) -> Result<Decoded, FrameError> {
        let lengths = match self.lengths {
            Some(lengths) => lengths,
            None => {
                let Some(prelude) = self.held.peek::<PRELUDE_LEN>() else {
                    return Ok(Decoded::Incomplete);
                };
                *self.lengths.insert(read_lengths(&prelude, self.limits)?)
            }
        };
        if self.held.len < lengths.total {
            return Ok(Decoded::Incomplete);
        }
        self.lengths = None;

        let computed = self.held.checksum(lengths.total - CHECKSUM_LEN);
        self.held.skip(PRELUDE_LEN);
        let headers = self.headers(lengths.headers);
        let payload = self.held.take(lengths.total - PRELUDE_LEN - lengths.headers - CHECKSUM_LEN);
        let declared = self.held.take_u32();
        if declared != computed {
            return Err(FrameError::MessageChecksum { declared, computed });
        }
        let headers = match headers {
            Taken::Known(headers) => headers,
            Taken::New(encoded) => self.read_headers(encoded)?,
        };
        Ok(Decoded::Complete(Frame { headers, payload }))
    }

    /// Takes the headers at the front, which are not to be believed before the checksum holds.
    fn headers(&mut self, len: usize) -> Taken {
        match &self.remembered {
            Some(known) if known.len() == len && self.held.starts_with(known.encoded()) => {
                self.held.skip(len);
                Taken::Known(known.clone())
            }
            _ => Taken::New(self.held.take_contiguous(len)),
        }
    }

    fn read_headers(&mut self, encoded: Bytes) -> Result<Headers, HeaderError> {
        // They lay across two reads.
        if let Some(known) = self.remembered.as_ref().filter(|known| known.encoded() == encoded) {
            return Ok(known.clone());
        }
        let headers = Headers::parse(encoded)?;
        if headers.len() > REMEMBERED_LEN {
            return Ok(headers);
        }
        Ok(self.remembered.insert(headers.copied()).clone())
    }
}

/// Checks the prelude: first its checksum, then that the lengths agree, then the limits.
fn read_lengths(prelude: &[u8; PRELUDE_LEN], limits: Limits) -> Result<Lengths, FrameError> {
    let mut fields: &[u8] = prelude;
    let (total, headers, declared) = (fields.get_u32(), fields.get_u32(), fields.get_u32());
    let computed = crc32fast::hash(&prelude[..LENGTHS_LEN]);
    if declared != computed {
        return Err(FrameError::PreludeChecksum { declared, computed });
    }
    let Some(payload) = total.checked_sub(OVERHEAD).and_then(|rest| rest.checked_sub(headers))
    else {
        return Err(FrameError::Lengths { total, headers });
    };
    if headers > limits.headers {
        return Err(FrameError::HeadersTooLong { headers, limit: limits.headers });
    }
    if payload > limits.payload {
        return Err(FrameError::PayloadTooLong { payload, limit: limits.payload });
    }
    Ok(Lengths { total: total as usize, headers: headers as usize })
}

/// Bytes received and not yet decoded, as the slices they came in.
///
/// Invariants: no slice is empty; `len` is their sum. The `take` and `skip` methods are only called
/// for bytes that are there.
#[derive(Default)]
struct Held {
    slices: VecDeque<Bytes>,
    len: usize,
}

impl Held {
    fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.slices.push_back(bytes);
    }

    /// Whether they begin with `bytes`: a "no" where these lie across slices.
    fn starts_with(&self, bytes: &[u8]) -> bool {
        self.slices.front().is_some_and(|front| front.starts_with(bytes))
    }

    /// A copy of the first `N` bytes, if that many are there.
    fn peek<const N: usize>(&self) -> Option<[u8; N]> {
        if let Some(array) = self.slices.front()?.first_chunk::<N>() {
            return Some(*array);
        }
        let mut array = [0; N];
        let mut bytes = self.slices.iter().flatten();
        for slot in &mut array {
            *slot = *bytes.next()?;
        }
        Some(array)
    }

    /// CRC-32 of the first `len` bytes.
    fn checksum(&self, mut len: usize) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for slice in &self.slices {
            let covered = slice.len().min(len);
            hasher.update(&slice[..covered]);
            len -= covered;
            if len == 0 {
                break;
            }
        }
        hasher.finalize()
    }

    /// The first `len` bytes as one slice: shared where they lie in one, copied where they do not.
    fn take_contiguous(&mut self, len: usize) -> Bytes {
        let mut slices = self.take(len);
        match slices.len() {
            0 => Bytes::new(),
            1 => slices.remove(0),
            _ => {
                let mut joined = BytesMut::with_capacity(len);
                slices.iter().for_each(|slice| joined.extend_from_slice(slice));
                joined.freeze()
            }
        }
    }

    fn take(&mut self, mut len: usize) -> Payload {
        self.len -= len;
        let mut taken = Payload::new();
        while len > 0 {
            let Some(front) = self.slices.front_mut() else { break };
            if front.len() > len {
                taken.push(front.split_to(len));
                break;
            }
            len -= front.len();
            taken.extend(self.slices.pop_front());
        }
        taken
    }

    fn skip(&mut self, mut len: usize) {
        self.len -= len;
        while let Some(front) = self.slices.front_mut() {
            if front.len() > len {
                front.advance(len);
                break;
            }
            len -= front.len();
            self.slices.pop_front();
        }
    }

    fn take_u32(&mut self) -> u32 {
        let array = self.peek::<4>().unwrap_or_default();
        self.skip(array.len());
        u32::from_be_bytes(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_eventstream::frame as official;
    use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
    use proptest::prelude::*;

    /// Frames as the official crate writes them: the outside hand.
    fn encode(payload: &[u8]) -> Vec<u8> {
        let message = Message::new(payload.to_vec())
            .add_header(Header::new(":message-type", HeaderValue::String("event".into())))
            .add_header(Header::new(":event-type", HeaderValue::String("PayloadChunk".into())));
        let mut encoded = Vec::new();
        official::write_message_to(&message, &mut encoded).unwrap();
        encoded
    }

    fn joined(frame: &Frame) -> Vec<u8> {
        frame.payload.concat()
    }

    /// Puts back the checksums of a frame whose lengths or headers a test has changed.
    fn repair(frame: &mut [u8]) {
        let crc = crc32fast::hash(&frame[..LENGTHS_LEN]).to_be_bytes();
        frame[LENGTHS_LEN..PRELUDE_LEN].copy_from_slice(&crc);
        let body = frame.len() - CHECKSUM_LEN;
        let crc = crc32fast::hash(&frame[..body]).to_be_bytes();
        frame[body..].copy_from_slice(&crc);
    }

    fn first_error(bytes: Vec<u8>) -> FrameError {
        let mut decoder = Decoder::default();
        decoder.push(bytes.into());
        loop {
            match decoder.decode() {
                Ok(Decoded::Complete(_)) => {}
                Ok(Decoded::Incomplete) => return decoder.finish().unwrap_err(),
                Err(error) => {
                    assert_eq!(decoder.decode().unwrap_err(), error, "the first error is final");
                    return error;
                }
            }
        }
    }

    #[test]
    fn a_whole_frame_shares_the_memory_it_came_in() {
        let encoded = Bytes::from(encode(b"payload"));
        let range = encoded.as_ptr_range();
        let mut decoder = Decoder::default();
        decoder.push(encoded);
        let Ok(Decoded::Complete(frame)) = decoder.decode() else { panic!("a frame") };
        assert_eq!(joined(&frame), b"payload");
        assert!(range.contains(&frame.payload[0].as_ptr()), "no copy");
        assert_eq!(frame.headers.string(":event-type"), Some("PayloadChunk"));
        assert!(decoder.finish().is_ok());
    }

    #[test]
    fn every_cut_but_the_frame_boundary_is_unfinished() {
        let frame = encode(b"some payload");
        for cut in 1..frame.len() {
            assert_eq!(
                first_error(frame[..cut].to_vec()),
                FrameError::Unfinished { received: cut },
                "the twelve bytes of the prelude alone are no end either"
            );
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let frame = encode(b"some payload");
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = first_error(flipped);
            let in_prelude = bit / 8 < PRELUDE_LEN;
            assert_eq!(in_prelude, matches!(error, FrameError::PreludeChecksum { .. }), "{error}");
        }
    }

    #[test]
    fn lengths_are_refused_on_the_prelude_alone() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            first_error(bytes)
        };
        assert_eq!(prelude(15, 0), FrameError::Lengths { total: 15, headers: 0 });
        assert_eq!(prelude(100, 85), FrameError::Lengths { total: 100, headers: 85 });
        let limit = Limits::SPECIFICATION.headers;
        assert_eq!(
            prelude(u32::MAX, limit + 1),
            FrameError::HeadersTooLong { headers: limit + 1, limit }
        );
        let limit = Limits::SPECIFICATION.payload;
        assert_eq!(
            prelude(limit + 17, 0),
            FrameError::PayloadTooLong { payload: limit + 1, limit }
        );
    }

    #[test]
    fn malformed_headers_behind_good_checksums_are_refused() {
        let mut frame = encode(b"");
        frame[PRELUDE_LEN] = 0; // the length of the first header's name
        repair(&mut frame);
        assert_eq!(first_error(frame), FrameError::Header(HeaderError::NoName));
    }

    #[test]
    fn debug_shows_no_payload() {
        let mut decoder = Decoder::default();
        decoder.push(encode(b"top secret").into());
        let shown = format!("{:?}", decoder.decode().unwrap());
        assert!(shown.contains("payload_len: 10") && !shown.contains("secret"), "{shown}");
    }

    proptest! {
        /// However the stream is cut, the frames are those the official decoder finds.
        #[test]
        fn any_split_gives_the_official_frames(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
            cuts in prop::collection::vec(1usize..64, 1..40),
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| encode(payload)).collect();
            let mut official_frames = Vec::new();
            let mut rest = &stream[..];
            while !rest.is_empty() {
                official_frames.push(official::read_message_from(&mut rest).unwrap());
            }

            let mut decoder = Decoder::default();
            let mut frames = Vec::new();
            let mut rest = &stream[..];
            for len in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*len).min(rest.len()));
                decoder.push(Bytes::copy_from_slice(piece));
                while let Decoded::Complete(frame) = decoder.decode().unwrap() {
                    frames.push(frame);
                }
                rest = after;
                if rest.is_empty() { break }
            }
            prop_assert!(decoder.finish().is_ok());
            prop_assert_eq!(frames.len(), official_frames.len());
            for (ours, theirs) in frames.iter().zip(&official_frames) {
                prop_assert_eq!(&joined(ours)[..], &theirs.payload()[..]);
                prop_assert_eq!(ours.headers.iter().count(), theirs.headers().len());
            }
        }
    }
}
