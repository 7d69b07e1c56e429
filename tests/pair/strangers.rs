//! Functions that know nothing of the contract, on unmodified `lambda_runtime` and `lambda_http`, come
//! in; they are fetched as the plain streams they are, and their failures are failures.

use crate::support::{Gate, Pair, call, function_error, in_time, read};
use invoker::{ErrorKind, Wanted};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_function_arrives_as_it_writes() {
    let pair = Pair::of_example("function_streaming").await;
    let gate = Gate::new().await;
    let wish = json!({"texts": ["first", "last"], "wait_for": gate.address()});
    let mut ordered = in_time(pair.invoker.download(call(wish)).in_order()).await.unwrap();
    assert_eq!(in_time(ordered.next_bytes()).await.unwrap().unwrap(), "first");
    drop(gate.somebody().await);
    assert_eq!(in_time(ordered.next_bytes()).await.unwrap().unwrap(), "last");
    assert!(in_time(ordered.next_bytes()).await.is_none());
    assert_eq!(ordered.report().unwrap().snapshot.segments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffered_function_is_a_plain_stream() {
    let pair = Pair::of_example("function_buffered").await;
    let (bytes, ended) = in_time(read(pair.invoker.download(call(json!({"a": "ö"}))))).await;
    ended.unwrap();
    let echo: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(echo["payload"], json!({"a": "ö"}));

    let (bytes, ended) =
        in_time(read(pair.invoker.download(call(json!({"fail": "bad day"}))))).await;
    let (_, message) = function_error(ended);
    assert!(bytes.is_empty() && message.contains("bad day"), "{message}");

    let part = pair.invoker.download(call(json!({}))).wanted(Wanted::Range(0..5));
    let error = in_time(part.in_order()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer { status: 200 }, "it serves no ranges");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_function_is_a_plain_stream_with_a_head() {
    let pair = Pair::of_example("function_http").await;
    let mut stream = in_time(async {
        let payload = json!({
            "version": "2.0", "rawPath": "/a/b", "rawQueryString": "", "headers": {"host": "h"},
            "requestContext": {
                "accountId": "a", "apiId": "a", "domainName": "h", "domainPrefix": "h",
                "http": {"method": "GET", "path": "/a/b", "protocol": "HTTP/1.1",
                         "sourceIp": "127.0.0.1", "userAgent": "t"},
                "requestId": "r", "routeKey": "$default", "stage": "$default",
                "time": "01/Jan/1970:00:00:00 +0000", "timeEpoch": 0,
            },
            "isBase64Encoded": false,
        });
        pair.invoker.invoke(call(payload)).await.unwrap()
    })
    .await;
    let head = stream.head().unwrap();
    assert_eq!((head.status, head.header("x-served-by")), (201, Some("lambda_http")));
    assert_eq!(in_time(stream.next_bytes()).await.unwrap().unwrap(), "you asked for /a/b");
    assert!(in_time(stream.next_bytes()).await.is_none());

    let (bytes, ended) = in_time(read(pair.object("a folder/c"))).await;
    ended.unwrap();
    assert_eq!(bytes, b"you asked for /a%20folder/c");
}

/// That runtime writes the error into the body, as text, and ends the body as if it were whole.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_written_into_the_body_is_an_error() {
    let pair = Pair::of_example("bare_runtime").await;
    let (bytes, ended) = in_time(read(pair.invoker.download(call(json!({}))))).await;
    let (error_type, message) = function_error(ended);
    assert!(
        !error_type.is_empty() && message.contains("the disk is gone"),
        "{error_type} {message}"
    );
    assert!(b"row 1\nrow 2\n".starts_with(&bytes[..]), "more than the rows: {bytes:?}");

    let folder = tempfile::tempdir().unwrap();
    let download = pair.invoker.download(call(json!({})));
    let ended = in_time(download.to_file(folder.path().join("rows"))).await;
    assert!(function_error(ended.map(drop)).1.contains("the disk is gone"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
