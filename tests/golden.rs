//! The document `tests/golden/head.json` comes in; it is what a function on `stream_fn` puts on the wire
//! for the golden client context, and what the invoker reads off the wire.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

#[path = "pair/support.rs"]
mod support;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent as Event;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use invoker::{Integrity, Invoker};
use serde_json::{Value, json};
use support::{Pair, call, client, in_time, read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const HEAD: &str = include_str!("golden/head.json");
const CLIENT_CONTEXT: &str = include_str!("golden/client-context.json");
/// What ends the JSON of a head on the wire.
const DELIMITER: &[u8] = &[0; 8];

fn golden() -> Value {
    serde_json::from_str(HEAD).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_the_golden_context_with_the_golden_head() {
    let pair = Pair::of_example("pair_function").await;
    let call = client(&pair.local.endpoint_url())
        .invoke_with_response_stream()
        .function_name("f")
        .payload(Blob::new(r#"{"do": "object"}"#))
        .client_context(aws_smithy_types::base64::encode(CLIENT_CONTEXT));
    let mut answer = in_time(call.send()).await.unwrap();
    let mut payload = Vec::new();
    while let Some(event) = in_time(answer.event_stream.recv()).await.unwrap() {
        match event {
            Event::PayloadChunk(chunk) => payload.extend(chunk.payload.unwrap().into_inner()),
            Event::InvokeComplete(complete) => assert_eq!(complete.error_code(), None),
            other => panic!("unknown event {other:?}"),
        }
    }
    let end = payload.windows(8).position(|eight| eight == DELIMITER).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload[..end]).unwrap(), golden());
    assert_eq!(&payload[end + 8..], b"12345");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invoker_reads_the_golden_head() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let payload = [HEAD.trim_end().as_bytes(), DELIMITER, b"12345"].concat();
    let service = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut call = Vec::new();
        while !call.ends_with(b"the payload") {
            assert_ne!(socket.read_buf(&mut call).await.unwrap(), 0);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
                    connection: close\r\n\r\n";
        let frames = [frame("PayloadChunk", payload), frame("InvokeComplete", b"{}".to_vec())];
        let answer = [head.as_bytes(), &frames.concat()].concat();
        socket.write_all(&answer).await.unwrap();
        socket.shutdown().await.unwrap();
    });
    let invoker = Invoker::new(client(&endpoint));
    let invocation = invoker::Invocation::new("f").payload("the payload");
    let mut stream = in_time(invoker.invoke(invocation)).await.unwrap();
    let head = stream.head().unwrap();
    let headers: serde_json::Map<_, _> =
        head.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let cookies = &head.cookies;
    let read = json!({"statusCode": head.status, "headers": headers, "cookies": cookies});
    assert_eq!(read, golden());
    assert_eq!(stream.promised_len(), Some(5));
    assert_eq!(in_time(stream.next_bytes()).await.unwrap().unwrap(), "12345");
    assert!(in_time(stream.next_bytes()).await.is_none());
    in_time(service).await.unwrap();
}

/// The official crate writes the frames: the outside hand.
fn frame(event: &'static str, payload: Vec<u8>) -> Vec<u8> {
    let mut message = Message::new(payload);
    for (name, value) in [(":message-type", "event"), (":event-type", event)] {
        message = message.add_header(Header::new(name, HeaderValue::String(value.into())));
    }
    let mut encoded = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(&message, &mut encoded).unwrap();
    encoded
}

/// The sum in the golden head is that of the whole object, however it is cut.
#[tokio::test(flavor = "multi_thread")]
async fn the_sum_in_the_head_verifies_the_object() {
    let pair = Pair::of_example("pair_function").await;
    let folder = tempfile::tempdir().unwrap();
    for segment_size in [1, 4, 5, 9, 100] {
        let download = || {
            let invocation = call(json!({"do": "object"}));
            pair.invoker.download(invocation).segment_size(segment_size)
        };
        let report = in_time(download().to_file(folder.path().join("out"))).await.unwrap();
        assert!(matches!(report.integrity, Integrity::Verified { .. }), "{segment_size}");
        assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), b"123456789");
        let (ordered, ended) = in_time(read(download())).await;
        ended.unwrap();
        assert_eq!(ordered, b"123456789");
        let checksum = report.description.checksum;
        assert_eq!(checksum.as_deref(), golden()["headers"]["x-amz-checksum-crc64nvme"].as_str());
    }
}
