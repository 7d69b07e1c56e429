//! What is not started: status, error header, body and its spelling, and the SDK's typed errors.

use super::support::{Gate, blob, client, quiet, raw, service};
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::types::ThrottleReason;
use local_lambda::{Limits, LocalLambda};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const STREAMING: &str = "/2021-11-15/functions/raw/response-streaming-invocations";
const BUFFERED: &str = "/2015-03-31/functions/raw/invocations";

/// Status, lower-case header lines, and the body of one bare request.
async fn ask(local: &LocalLambda, path: &str, headers: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(local.addr()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn each_has_its_status_header_and_spelling() {
    let local = service().await;
    let long = "x".repeat(3_584);
    let nowhere = "/2021-11-15/functions/none/response-streaming-invocations";
    let version = "/2015-03-31/functions/raw:9/invocations";
    let qualifier = "/2015-03-31/functions/raw/invocations?Qualifier=dead";
    let two = "/2015-03-31/functions/raw:7/invocations?Qualifier=8";
    let bad = "/2015-03-31/functions/a%20b/invocations";
    let context = |text: &str| format!("x-amz-client-context: {text}\r\n");
    for (path, headers, body, status, error, member) in [
        (nowhere, "", "{}", 404, "ResourceNotFoundException", "Message"),
        (version, "", "{}", 404, "ResourceNotFoundException", "Message"),
        (qualifier, "", "{}", 404, "ResourceNotFoundException", "Message"),
        ("/2018-01-01/elsewhere", "", "{}", 404, "UnknownOperationException", "message"),
        (two, "", "{}", 400, "InvalidParameterValueException", "message"),
        (bad, "", "{}", 400, "InvalidParameterValueException", "message"),
        (BUFFERED, "", "{", 400, "InvalidRequestContentException", "message"),
        (STREAMING, "", "no", 400, "InvalidRequestContentException", "message"),
        (BUFFERED, &context("!"), "{}", 400, "InvalidRequestContentException", "message"),
        (BUFFERED, &context("e30x"), "{}", 400, "InvalidRequestContentException", "message"),
        (BUFFERED, &context(&long), "{}", 400, "InvalidRequestContentException", "message"),
        (
            STREAMING,
            "x-amz-invocation-type: Event\r\n",
            "{}",
            400,
            "InvalidParameterValueException",
            "message",
        ),
        (
            BUFFERED,
            "x-amz-tenant-id: a!\r\n",
            "{}",
            400,
            "InvalidParameterValueException",
            "message",
        ),
        (
            BUFFERED,
            "content-type: image/png\r\n",
            "{}",
            415,
            "UnsupportedMediaTypeException",
            "message",
        ),
        (
            BUFFERED,
            "content-encoding: gzip\r\n",
            "{}",
            415,
            "UnsupportedMediaTypeException",
            "message",
        ),
    ] {
        let (got, head, text) = ask(&local, path, headers, body.as_bytes()).await;
        assert_eq!(got, status, "{path} {headers} {text}");
        let error_type = format!("\r\nx-amzn-errortype: {}\r\n", error.to_ascii_lowercase());
        assert!(head.contains(&error_type), "{path} {headers} {head}");
        assert!(head.contains("\r\nx-amzn-requestid: "), "{head}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["Type"], "User");
        assert!(told[member].is_string(), "{text}");
    }
    assert_eq!(local.stats().invocations_started, 0);
}

#[tokio::test]
async fn the_sdk_knows_them_by_type() {
    let local = service().await;
    let error = client(&local).invoke().function_name("none").send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_not_found_exception());
    let error = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .qualifier("12")
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        Some("Function not found: arn:aws:lambda:us-east-1:123456789012:function:raw:12")
    );
    let error = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(aws_sdk_lambda::primitives::Blob::new("{"))
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_invalid_request_content_exception());
}

#[tokio::test]
async fn a_payload_may_have_6_mib_and_not_a_byte_more() {
    let local = service().await;
    let payload = |length: usize| {
        let text = json!({"do": "whole", "bytes": 1, "filler": ""}).to_string();
        let filler = "x".repeat(length - text.len());
        json!({"do": "whole", "bytes": 1, "filler": filler})
    };
    let limit = 6 * 1024 * 1024;
    let fits = client(&local).invoke().function_name("raw").payload(blob(&payload(limit)));
    assert_eq!(fits.send().await.unwrap().payload.unwrap().as_ref(), b"x");
    for length in [limit + 1, 3 * limit] {
        let over = client(&local)
            .invoke_with_response_stream()
            .function_name("raw")
            .payload(blob(&payload(length)));
        let error = over.send().await.unwrap_err().into_service_error();
        assert!(error.is_request_too_large_exception(), "{error:?}");
    }
}

#[tokio::test]
async fn a_payload_of_unknown_length_is_held_to_the_limit_too() {
    let local = quiet()
        .limits(Limits::aws().with_payload_bytes(Some(10)))
        .function(raw())
        .start()
        .await
        .unwrap();
    let mut stream = TcpStream::connect(local.addr()).await.unwrap();
    let request = format!(
        "POST {BUFFERED} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
         8\r\n\"1234567\r\n8\r\n89012345\r\n0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("Request must be smaller than 10 bytes"), "{answer}");
}

#[tokio::test]
async fn too_many_at_once_are_throttled_with_the_reason() {
    for (function, limits, reason) in [
        (
            raw().concurrency(1),
            Limits::aws(),
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
        ),
        (
            raw(),
            Limits::aws().with_account_concurrency(Some(1)),
            ThrottleReason::ConcurrentInvocationLimitExceeded,
        ),
    ] {
        let local = quiet().limits(limits).function(function).start().await.unwrap();
        let (gate, address) = Gate::new().await;
        let wait = client(&local)
            .invoke()
            .function_name("raw")
            .payload(blob(&json!({"do": "wait", "wait_for": address})));
        let first = tokio::spawn(wait.clone().send());
        let working = gate.somebody().await;
        let error = wait.clone().send().await.unwrap_err().into_service_error();
        let aws_sdk_lambda::operation::invoke::InvokeError::TooManyRequestsException(throttled) =
            error
        else {
            panic!("{error:?}")
        };
        assert_eq!(throttled.reason, Some(reason));
        assert_eq!(throttled.retry_after_seconds.as_deref(), Some("1"));
        drop(working);
        first.await.unwrap().unwrap();
        // The news of the end is late enough: the place is free.
        let again = tokio::spawn(wait.send());
        drop(gate.somebody().await);
        again.await.unwrap().unwrap();
        assert_eq!(local.stats().environments_started, 1);
    }
}
