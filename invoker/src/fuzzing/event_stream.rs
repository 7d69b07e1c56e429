//! A byte stream and its cuts go in; a panic comes out where the frame decoder breaks a promise.

use bytes::Bytes;

use super::{pieces, split};
use crate::event_stream::{Decoded, Decoder, Frame, FrameError, HeaderValue, Headers, Limits};

/// Small, so that a short input reaches them.
const LIMITS: Limits = Limits { headers: 200, payload: 250 };

/// Two lengths, their checksum, and the checksum of all.
const PRELUDE_LEN: usize = 12;
const LENGTHS_LEN: usize = 8;
const CHECKSUM_LEN: usize = 4;
const OVERHEAD: usize = PRELUDE_LEN + CHECKSUM_LEN;

/// The stream as it is: nearly all of it ends at the first checksum.
///
/// # Panics
///
/// If a promise of the decoder is broken.
pub fn event_stream_raw(input: &[u8]) {
    if let Some((cuts, stream)) = split(input) {
        let stream = Bytes::copy_from_slice(stream);
        let _ = same_however_cut(pieces(cuts, &stream), &stream);
    }
}

/// The stream with the right checksums wherever its lengths allow for some, so that what lies behind
/// them is reached.
///
/// # Panics
///
/// If a promise of the decoder is broken.
pub fn event_stream_repaired(input: &[u8]) {
    if let Some((cuts, stream)) = split(input) {
        let mut stream = stream.to_vec();
        repair(&mut stream);
        let stream = Bytes::from(stream);
        let _ = same_however_cut(pieces(cuts, &stream), &stream);
    }
}

/// Walks from frame to frame by the lengths that they declare.
fn repair(mut rest: &mut [u8]) {
    while rest.len() >= PRELUDE_LEN {
        let total = rest.first_chunk().map_or(0, |total| u32::from_be_bytes(*total)) as usize;
        let crc = crc32fast::hash(&rest[..LENGTHS_LEN]).to_be_bytes();
        rest[LENGTHS_LEN..PRELUDE_LEN].copy_from_slice(&crc);
        if total < OVERHEAD || total > rest.len() {
            return;
        }
        let (frame, after) = rest.split_at_mut(total);
        let (covered, checksum) = frame.split_at_mut(total - CHECKSUM_LEN);
        checksum.copy_from_slice(&crc32fast::hash(covered).to_be_bytes());
        rest = after;
    }
}

/// Cut or whole, a stream has the same frames and the same end; how many, and which.
fn same_however_cut(
    pieces: impl Iterator<Item = Bytes>,
    stream: &Bytes,
) -> (usize, Result<(), FrameError>) {
    let mut frames = Vec::new();
    let mut start = 0;
    let end = read(std::iter::once(stream.clone()), |frame| {
        let len = frame_len(&frame);
        let sound = stream[start..].get(..len).and_then(|frame| frame.split_last_chunk());
        assert!(
            sound.is_some_and(|(covered, crc)| crc32fast::hash(covered).to_be_bytes() == *crc),
            "a frame whose checksum does not hold"
        );
        start += len;
        frames.push(frame);
    });
    let mut expected = frames.iter();
    let end_of_cut = read(pieces, |frame| {
        assert!(expected.next().is_some_and(|other| same(other, &frame)), "the frames differ");
    });
    assert!(expected.next().is_none(), "cut, the stream has fewer frames");
    assert_eq!(end, end_of_cut, "the ends differ");
    (frames.len(), end)
}

/// `whole` was decoded from one slice, `cut` perhaps not.
fn same(whole: &Frame, cut: &Frame) -> bool {
    let mut rest = whole.payload.first().map_or(&[][..], |slice| slice);
    for slice in &cut.payload {
        assert!(!slice.is_empty(), "an empty slice of payload");
        match rest.strip_prefix(&slice[..]) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty() && whole.headers == cut.headers
}

fn read(
    pieces: impl Iterator<Item = Bytes>,
    mut found: impl FnMut(Frame),
) -> Result<(), FrameError> {
    let mut decoder = Decoder::with_limits(LIMITS);
    let (mut pushed, mut decoded) = (0, 0);
    for piece in pieces {
        pushed += piece.len();
        decoder.push(piece);
        loop {
            match decoder.decode() {
                Ok(Decoded::Incomplete) => break,
                Ok(Decoded::Complete(frame)) => {
                    // So every frame is progress, and none takes what is not its own.
                    decoded += frame_len(&frame);
                    assert_eq!(decoder.held_len(), pushed - decoded, "bytes held after a frame");
                    found(frame);
                }
                Err(error) => {
                    assert_eq!(decoder.finish(), Err(error), "a defect is no end");
                    decoder.push(Bytes::from_static(b"more"));
                    assert_eq!(decoder.decode().err(), Some(error), "the first error is final");
                    assert_eq!(decoder.held_len(), 0, "bytes held after a defect");
                    return Err(error);
                }
            }
        }
        let most = OVERHEAD + (LIMITS.headers + LIMITS.payload) as usize - 1;
        assert_eq!(decoder.held_len(), pushed - decoded, "bytes held inside a frame");
        assert!(decoder.held_len() <= most, "more is held than a frame may have");
    }
    let end = decoder.finish();
    assert_eq!(end.is_ok(), pushed == decoded, "the end is where no byte is left");
    end
}

/// What a frame had on the wire, in bytes.
fn frame_len(frame: &Frame) -> usize {
    let headers = headers_len(&frame.headers);
    let payload = frame.payload.iter().map(Bytes::len).sum::<usize>();
    assert!(headers <= LIMITS.headers as usize, "headers beyond the limit");
    assert!(payload <= LIMITS.payload as usize, "payload beyond the limit");
    OVERHEAD + headers + payload
}

fn headers_len(headers: &Headers) -> usize {
    /// Of a name, of a type, of a length that goes before a value: bytes.
    const NAME_LEN: usize = 1;
    const TYPE: usize = 1;
    const VALUE_LEN: usize = 2;
    let header_len = |(name, value): (&str, HeaderValue<'_>)| {
        let value = match value {
            HeaderValue::Bool(_) => 0,
            HeaderValue::Byte(_) => size_of::<i8>(),
            HeaderValue::Short(_) => size_of::<i16>(),
            HeaderValue::Int(_) => size_of::<i32>(),
            HeaderValue::Long(_) | HeaderValue::Timestamp(_) => size_of::<i64>(),
            HeaderValue::Bytes(bytes) => VALUE_LEN + bytes.len(),
            HeaderValue::String(text) => {
                assert!(headers.string(name).is_some(), "a string that is not found by its name");
                VALUE_LEN + text.len()
            }
            HeaderValue::Uuid(uuid) => uuid.len(),
        };
        NAME_LEN + name.len() + TYPE + value
    };
    headers.iter().map(header_len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Cuts;
    use aws_smithy_types::DateTime;
    use aws_smithy_types::event_stream as official;
    use proptest::prelude::*;

    fn header_value() -> impl Strategy<Value = official::HeaderValue> {
        use official::HeaderValue as Value;
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::Byte),
            any::<i16>().prop_map(Value::Int16),
            any::<i32>().prop_map(Value::Int32),
            any::<i64>().prop_map(Value::Int64),
            prop::collection::vec(any::<u8>(), 0..12)
                .prop_map(|bytes| Value::ByteArray(bytes.into())),
            ".{0,4}".prop_map(|text| Value::String(text.into())),
            any::<i64>().prop_map(|millis| Value::Timestamp(DateTime::from_millis(millis))),
            any::<u128>().prop_map(Value::Uuid),
        ]
    }

    /// A frame within the limits, as the official crate writes it.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let headers = prop::collection::vec(("[a-z:-]{1,20}", header_value()), 0..4);
        (headers, prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(headers, payload)| {
            let mut message = official::Message::new(payload);
            for (name, value) in headers {
                message = message.add_header(official::Header::new(name, value));
            }
            let mut encoded = Vec::new();
            aws_smithy_eventstream::frame::write_message_to(&message, &mut encoded).unwrap();
            encoded
        })
    }

    proptest! {
        #[test]
        fn any_split_of_any_frames_gives_the_same_frames(
            frames in prop::collection::vec(frame(), 0..6),
            cuts in any::<Cuts>(),
        ) {
            let stream = Bytes::from(frames.concat());
            let (found, end) = same_however_cut(pieces(cuts, &stream), &stream);
            prop_assert_eq!((found, end), (frames.len(), Ok(())));
        }

        #[test]
        fn any_split_of_a_stream_that_ends_too_early_says_so(
            frames in prop::collection::vec(frame(), 1..4),
            at in any::<prop::sample::Index>(),
            cuts in any::<Cuts>(),
        ) {
            let whole = frames.concat();
            let len = at.index(whole.len());
            let ends = frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) });
            let (expected, received) = ends
                .take_while(|end| *end <= len)
                .fold((0, len), |(count, _), end| (count + 1, len - end));
            let stream = Bytes::from(whole).slice(..len);
            let (found, end) = same_however_cut(pieces(cuts, &stream), &stream);
            prop_assert_eq!(found, expected);
            let unfinished = Err(FrameError::Unfinished { received });
            prop_assert_eq!(end, if received == 0 { Ok(()) } else { unfinished });
        }

        /// A fuzzer's way through the checksums does not change what has the right ones.
        #[test]
        fn repair_changes_no_sound_stream(frames in prop::collection::vec(frame(), 0..4)) {
            let stream = frames.concat();
            let mut repaired = stream.clone();
            repair(&mut repaired);
            prop_assert_eq!(repaired, stream);
        }
    }
}
