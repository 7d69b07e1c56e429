//! Frames leave as they come, whatever runtime wrote them.

use super::support::{
    Gate, blob, client, next_payload, program, quiet, raw, read, service, stream, until,
};
use super::wire::{End, STREAMING, answer, ask};
use local_lambda::Function;
use serde_json::json;

#[tokio::test]
async fn the_first_frame_arrives_before_the_function_writes_the_last() {
    let local = service().await;
    let (gate, address) = Gate::new().await;
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&json!({"do": "wait", "wait_for": address})))
        .send()
        .await
        .unwrap();
    assert_eq!(next_payload(&mut output).await, b"first");
    // Only now may the function go on.
    drop(gate.somebody().await);
    let rest = read(output).await;
    assert_eq!((rest.payload.as_slice(), rest.code()), (&b"last"[..], None));
    assert_eq!(rest.complete.unwrap().error_details(), None);
}

#[tokio::test]
async fn what_leaves_is_counted_to_the_byte() {
    let local = service().await;
    let mut asked = ask(&local, STREAMING, "", &answer()).await;
    assert_eq!(asked.until(|_| false).await.end, End::Whole);
    let bytes = asked.bytes.len() as u64;
    until("all is counted", || local.stats().bytes_sent >= bytes).await;
    assert_eq!(local.stats().bytes_sent, bytes);
}

#[tokio::test]
async fn lambda_runtime_streams_unmodified() {
    let local = quiet()
        .function(Function::new("streaming", program("function_streaming")))
        .start()
        .await
        .unwrap();
    let (gate, address) = Gate::new().await;
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("streaming")
        .payload(blob(&json!({"texts": ["first", "last"], "wait_for": address})))
        .send()
        .await
        .unwrap();
    let mut before = Vec::new();
    while !before.ends_with(b"first") {
        before.extend(next_payload(&mut output).await);
    }
    let head = br#"{"statusCode":200,"#;
    assert!(before.starts_with(head), "the head is passed on as it is");
    drop(gate.somebody().await);
    let rest = read(output).await;
    assert_eq!((rest.payload.as_slice(), rest.code()), (&b"last"[..], None));
}

#[tokio::test]
async fn lambda_http_streams_unmodified() {
    let local =
        quiet().function(Function::new("http", program("function_http"))).start().await.unwrap();
    let event = json!({
        "version": "2.0", "rawPath": "/books/7", "rawQueryString": "", "headers": {},
        "isBase64Encoded": false, "requestContext": {
            "http": {"method": "GET", "path": "/books/7"}, "timeEpoch": 0,
        },
    });
    let streamed = stream(&local, "http", &event).await;
    assert_eq!(streamed.code(), None);
    let text = String::from_utf8(streamed.payload).unwrap();
    let (head, body) = text.split_once("\0\0\0\0\0\0\0\0").unwrap();
    assert!(head.contains(r#""statusCode":201"#) && head.contains("lambda_http"), "{head}");
    assert_eq!(body, "you asked for /books/7");
}

#[tokio::test]
async fn a_buffered_answer_works_through_the_streaming_call() {
    let local = quiet()
        .function(Function::new("buffered", program("function_buffered")))
        .function(raw())
        .start()
        .await
        .unwrap();
    let streamed = stream(&local, "buffered", &json!({"a": 1})).await;
    assert_eq!(streamed.code(), None);
    let answer: serde_json::Value = serde_json::from_slice(&streamed.payload).unwrap();
    assert_eq!(answer["payload"], json!({"a": 1}));
    let streamed = stream(&local, "raw", &json!({"do": "whole", "bytes": 1_000_000})).await;
    assert_eq!((streamed.code(), streamed.payload.len()), (None, 1_000_000));
}
