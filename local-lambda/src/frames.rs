//! What callers of the streaming operation read: in, payload bytes and how an invocation ended; out,
//! encoded frames. The encoder is the official one, so that our own decoder meets another hand's work.

use aws_smithy_eventstream::error::Error;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// The largest payload of a frame, in bytes (the event-stream specification: 24 MB).
pub(crate) const PAYLOAD_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Bytes a frame adds to its payload at most: prelude, sums and our three headers, rounded up.
const OVERHEAD_BYTES: usize = 128;

/// A frame as it stands on the wire, and which it is.
pub(crate) enum Encoded {
    Chunk(Bytes),
    /// The last of a response.
    Complete(Bytes),
}

impl Encoded {
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Chunk(bytes) | Self::Complete(bytes) => bytes,
        }
    }
}

/// The frame of the next payload bytes: at most [`PAYLOAD_BYTES_MAX`], split off the front.
pub(crate) fn payload_chunk(payload: &mut Bytes) -> Result<Encoded, Error> {
    let front = payload.split_to(payload.len().min(PAYLOAD_BYTES_MAX));
    event("PayloadChunk", "application/octet-stream", front).map(Encoded::Chunk)
}

/// The last event. Members without a value are absent on the wire, not null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InvokeComplete {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_result: Option<String>,
}

/// The frame that proves the end of a response.
pub(crate) fn invoke_complete(complete: &InvokeComplete) -> Result<Encoded, Error> {
    let json = serde_json::to_vec(complete).map_err(|err| Error::marshalling(err.to_string()))?;
    event("InvokeComplete", "application/json", json.into()).map(Encoded::Complete)
}

fn event(
    event_type: &'static str,
    content_type: &'static str,
    payload: Bytes,
) -> Result<Bytes, Error> {
    let text = |value: &'static str| HeaderValue::String(value.into());
    let message = Message::new(payload)
        .add_header(Header::new(":message-type", text("event")))
        .add_header(Header::new(":event-type", text(event_type)))
        .add_header(Header::new(":content-type", text(content_type)));
    encode(&message)
}

/// The bytes of any message.
pub(crate) fn encode(message: &Message) -> Result<Bytes, Error> {
    let mut encoded = BytesMut::with_capacity(message.payload().len() + OVERHEAD_BYTES);
    write_message_to(message, &mut (&mut encoded as &mut dyn BufMut))?;
    Ok(encoded.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_eventstream::frame::read_message_from;

    fn json(event: InvokeComplete) -> String {
        let message =
            read_message_from(&mut invoke_complete(&event).unwrap().into_bytes()).unwrap();
        String::from_utf8(message.payload().to_vec()).unwrap()
    }

    #[test]
    fn success_has_no_members() {
        assert_eq!(json(InvokeComplete::default()), "{}");
    }

    #[test]
    fn members_are_spelled_as_the_model_spells_them() {
        let event = InvokeComplete {
            error_code: Some("Function.Boom".into()),
            error_details: Some("\"\u{1}".into()),
            log_result: Some("bG9n".into()),
        };
        assert_eq!(
            json(event),
            r#"{"ErrorCode":"Function.Boom","ErrorDetails":"\"\u0001","LogResult":"bG9n"}"#
        );
    }

    #[test]
    fn a_payload_chunk_has_the_three_headers_and_the_bytes_as_they_are() {
        let mut payload = Bytes::from_static(b"\0\0bytes");
        let message =
            read_message_from(&mut payload_chunk(&mut payload).unwrap().into_bytes()).unwrap();
        assert!(payload.is_empty());
        assert_eq!(&message.payload()[..], b"\0\0bytes");
        let headers: Vec<_> = message
            .headers()
            .iter()
            .map(|h| (h.name().as_str(), h.value().as_string().unwrap().as_str()))
            .collect();
        assert_eq!(
            headers,
            [
                (":message-type", "event"),
                (":event-type", "PayloadChunk"),
                (":content-type", "application/octet-stream"),
            ]
        );
    }

    #[test]
    fn no_frame_carries_more_than_24_mebibytes() {
        let mut payload = Bytes::from(vec![7; PAYLOAD_BYTES_MAX + 1]);
        let first =
            read_message_from(&mut payload_chunk(&mut payload).unwrap().into_bytes()).unwrap();
        assert_eq!((first.payload().len(), payload.len()), (PAYLOAD_BYTES_MAX, 1));
    }
}
