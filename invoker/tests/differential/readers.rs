//! A stream and its cuts go in; the frames that a decoder finds come out, and how it ends: once for
//! each of the two decoders. Two frames go in; a panic comes out if they are not the same.

use aws_smithy_eventstream::error::Error;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, read_message_from};
use aws_smithy_types::DateTime;
use aws_smithy_types::event_stream::{HeaderValue as OfficialValue, Message};
use bytes::Bytes;
use invoker::event_stream::{Decoded, Decoder, Frame, FrameError, HeaderValue};

/// The ends of the pieces of a stream, in turn.
fn ends(len: usize, cuts: &[usize]) -> impl Iterator<Item = usize> {
    let mut end: usize = 0;
    cuts.iter().cycle().map_while(move |cut| {
        let start = end;
        end = len.min(start.saturating_add(*cut));
        (start < len).then_some(end)
    })
}

pub(crate) fn ours(stream: &Bytes, cuts: &[usize]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    let mut start: usize = 0;
    for end in ends(stream.len(), cuts) {
        decoder.push(stream.slice(start..end));
        start = end;
        loop {
            match decoder.decode() {
                Ok(Decoded::Complete(frame)) => frames.push(frame),
                Ok(Decoded::Incomplete) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.finish())
}

/// How the official decoder ends, read as the SDK's receiver reads it.
#[derive(Debug)]
pub(crate) enum OfficialEnd {
    Clean,
    Unfinished,
    Refused(Error),
}

pub(crate) fn official(stream: &Bytes, cuts: &[usize]) -> (Vec<Message>, OfficialEnd) {
    let mut decoder = MessageFrameDecoder::new();
    let mut messages = Vec::new();
    let mut start = 0;
    for end in ends(stream.len(), cuts) {
        loop {
            let frame_start = start;
            let mut buffer = stream.slice(start..end);
            let decoded = decoder.decode_frame(&mut buffer);
            start = end - buffer.len();
            match decoded {
                Ok(DecodedFrame::Complete(message)) => {
                    messages.push(message);
                    assert!(start > frame_start, "a frame of no bytes");
                }
                Ok(DecodedFrame::Incomplete) => break,
                Err(error) => return (messages, OfficialEnd::Refused(error)),
            }
        }
    }
    let end = if start < stream.len() { OfficialEnd::Unfinished } else { OfficialEnd::Clean };
    (messages, end)
}

/// The frames that are found by reading one behind the other, without a decoder that waits.
pub(crate) fn read_in_turn(stream: &Bytes, count: usize) -> Vec<Message> {
    let mut rest = stream.clone();
    (0..count).map(|_| read_message_from(&mut rest).unwrap()).collect()
}

/// What the official decoder calls a defect. Its kind is private; `Debug` names it.
pub(crate) fn defect(error: &Error) -> String {
    let shown = format!("{error:?}");
    let (_, kind) = shown.split_once("kind: ").expect("`Error { kind: NAME(..) }`");
    kind.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Whether two refusals can be of the same defect. The official decoder looks at the headers before
/// the checksum that covers them, and at some lengths before theirs.
pub(crate) fn same_defect(ours: &FrameError, official: &Error) -> bool {
    const HEADERS: [&str; 5] = [
        "InvalidHeaderNameLength",
        "InvalidHeaderValue",
        "InvalidHeaderValueType",
        "InvalidHeadersLength",
        "InvalidUtf8String",
    ];
    let official = defect(official);
    let official = official.as_str();
    match ours {
        FrameError::PreludeChecksum { .. } => {
            ["PreludeChecksumMismatch", "InvalidMessageLength"].contains(&official)
        }
        FrameError::Lengths { .. } => {
            ["InvalidMessageLength", "InvalidHeadersLength"].contains(&official)
        }
        FrameError::MessageChecksum { .. } => {
            official == "MessageChecksumMismatch" || HEADERS.contains(&official)
        }
        FrameError::Header(_) => HEADERS.contains(&official),
        _ => false,
    }
}

pub(crate) fn assert_same(frame: &Frame, message: &Message) {
    let mut rest = &message.payload()[..];
    for slice in &frame.payload {
        rest = rest.strip_prefix(&slice[..]).expect("the payloads differ");
    }
    assert!(rest.is_empty(), "the payloads differ in length");
    let mut headers = message.headers().iter();
    for (name, value) in frame.headers.iter() {
        let header = headers.next().expect("the official decoder found fewer headers");
        assert_eq!(name, header.name().as_str());
        assert!(same_value(value, header.value()), "{value:?}: {:?}", header.value());
    }
    assert!(headers.next().is_none(), "the official decoder found more headers");
}

fn same_value(ours: HeaderValue<'_>, official: &OfficialValue) -> bool {
    match (ours, official) {
        (HeaderValue::Bool(ours), OfficialValue::Bool(official)) => ours == *official,
        (HeaderValue::Byte(ours), OfficialValue::Byte(official)) => ours == *official,
        (HeaderValue::Short(ours), OfficialValue::Int16(official)) => ours == *official,
        (HeaderValue::Int(ours), OfficialValue::Int32(official)) => ours == *official,
        (HeaderValue::Long(ours), OfficialValue::Int64(official)) => ours == *official,
        (HeaderValue::Bytes(ours), OfficialValue::ByteArray(official)) => ours == &official[..],
        (HeaderValue::String(ours), OfficialValue::String(official)) => ours == official.as_str(),
        (HeaderValue::Timestamp(ours), OfficialValue::Timestamp(official)) => {
            DateTime::from_millis(ours) == *official
        }
        (HeaderValue::Uuid(ours), OfficialValue::Uuid(official)) => {
            u128::from_be_bytes(ours) == *official
        }
        _ => false,
    }
}
