//! One invocation through the public API, on a real socket: what is whole, and what is not.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::event_stream::HeaderValue;
use invoker::{Error, ErrorKind, Head, Invocation, ResponseStream, Timeouts};
use support::{Answer, Service, Step, chunk, complete, head, header, raw_frame};
use tokio::io::AsyncReadExt;

/// All bytes, and how it ended.
async fn drain(stream: Result<ResponseStream, Error>) -> (Vec<u8>, Result<(), Error>) {
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut body = Vec::new();
    while let Some(bytes) = stream.next_bytes().await {
        match bytes {
            Ok(bytes) => body.extend_from_slice(&bytes),
            Err(error) => {
                assert!(stream.next_bytes().await.is_none(), "the error is the last item");
                return (body, Err(error));
            }
        }
    }
    (body, Ok(()))
}

async fn one(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Vec<u8>, Result<(), Error>) {
    let service = Service::start(move |_| answer()).await;
    drain(service.invoker().invoke(Invocation::new("f")).await).await
}

#[tokio::test]
async fn a_whole_result_has_its_head_and_its_bytes() {
    let service = Service::start(|_| {
        let head = head(201, &[("content-length", "10"), ("content-type", "text/plain")]);
        Answer::stream([
            chunk(&head[..20]),
            chunk(&[&head[20..], b"01234"].concat()),
            chunk(b"56789"),
            complete(r#"{"LogResult":"bG9nIHRhaWw="}"#),
        ])
    })
    .await;
    let mut stream = service.invoker().invoke(Invocation::new("f").log_tail(true)).await.unwrap();
    assert_eq!(stream.head().map(|head| head.status), Some(201));
    assert_eq!(stream.head().and_then(Head::content_length), Some(10));
    assert_eq!(stream.executed_version(), Some("7"));
    assert_eq!(stream.request_id(), Some("request-of-a-test"));
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "0123456789");
    assert_eq!(stream.log_tail().unwrap(), "log tail");
}

#[tokio::test]
async fn a_result_is_a_stream_and_an_http_body_as_well() {
    use futures_util::TryStreamExt as _;
    use http_body::Body as _;

    let service = Service::start(|_| {
        let head = head(200, &[("content-length", "4")]);
        Answer::stream([chunk(&head), chunk(b"ab"), chunk(b"cd"), complete("{}")])
    })
    .await;
    let stream = service.invoker().invoke(Invocation::new("f")).await.unwrap();
    let items: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(items.concat(), b"abcd");

    let mut body = service.invoker().invoke(Invocation::new("f")).await.unwrap();
    assert_eq!(body.size_hint().exact(), Some(4));
    let mut bytes = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    assert_eq!((&bytes[..], body.is_end_stream()), (&b"abcd"[..], true));
}

#[tokio::test]
async fn a_result_without_a_head_is_all_body() {
    let (body, end) = one(|| Answer::stream([chunk(b"{\"a\":1}\n"), complete("{}")])).await;
    assert_eq!((&body[..], end.is_ok()), (&b"{\"a\":1}\n"[..], true));
}

/// Whoever knows that a function sends none is not misled by a body that looks like one.
#[tokio::test]
async fn without_heads_all_is_body() {
    let service = Service::start(|_| {
        Answer::stream([
            chunk(&head(404, &[("content-length", "9")])),
            chunk(b"ab"),
            complete("{}"),
        ])
    })
    .await;
    let stream = service.invoker().heads(false).invoke(Invocation::new("f")).await.unwrap();
    assert!(stream.head().is_none());
    let (bytes, end) = drain(Ok(stream)).await;
    assert!(end.is_ok());
    assert_eq!(bytes, [&head(404, &[("content-length", "9")])[..], b"ab"].concat());
}

#[tokio::test]
async fn bytes_arrive_before_the_function_has_ended() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    let service = Service::start(move |_| {
        Answer::steps([
            Step::Bytes(chunk(b"first")),
            Step::Wait(Arc::clone(&gate)),
            Step::Bytes(chunk(b"last")),
            Step::Bytes(complete("{}")),
        ])
    })
    .await;
    let mut stream = service.invoker().invoke(Invocation::new("f")).await.unwrap();
    assert_eq!(stream.next_bytes().await.unwrap().unwrap(), "first");
    opened.notify_one();
    assert_eq!(stream.next_bytes().await.unwrap().unwrap(), "last");
    assert!(stream.next_bytes().await.is_none());
}

#[tokio::test]
async fn an_end_that_is_not_proven_is_no_end() {
    let promised = || head(200, &[("content-length", "8")]);
    let unfinished =
        |len: usize| move || Answer::stream([chunk(b"data"), complete("{}")[..len].to_vec()]);
    let error = |code: &str, details: &str| {
        complete(&serde_json::json!({"ErrorCode": code, "ErrorDetails": details}).to_string())
    };
    let text = "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";
    let function = |error_type: &str, message: &str| ErrorKind::Function {
        error_type: error_type.to_owned(),
        message: message.to_owned(),
    };
    type Script = Box<dyn Fn() -> Answer + Send + Sync>;
    let table: Vec<(&str, Script, ErrorKind)> = vec![
        ("no frame at all", Box::new(|| Answer::stream([])), ErrorKind::Truncated),
        ("cut between frames", Box::new(|| Answer::stream([chunk(b"data")])), ErrorKind::Truncated),
        ("cut at 1 byte", Box::new(unfinished(1)), ErrorKind::Truncated),
        ("cut at 12 bytes", Box::new(unfinished(12)), ErrorKind::Truncated),
        ("cut at 20 bytes", Box::new(unfinished(20)), ErrorKind::Truncated),
        (
            "connection cut",
            Box::new(|| Answer::steps([Step::Bytes(chunk(b"data")), Step::Cut])),
            ErrorKind::Truncated,
        ),
        (
            "shorter than promised",
            Box::new(move || Answer::stream([chunk(&promised()), chunk(b"data"), complete("{}")])),
            ErrorKind::Truncated,
        ),
        (
            "longer than promised",
            Box::new(move || {
                Answer::stream([chunk(&promised()), chunk(b"more than 8"), complete("{}")])
            }),
            ErrorKind::Inconsistent,
        ),
        (
            "a frame after the end",
            Box::new(|| Answer::stream([complete("{}"), chunk(b"data")])),
            ErrorKind::Corrupt,
        ),
        (
            "half a frame after the end",
            Box::new(|| Answer::stream([complete("{}"), vec![0; 5]])),
            ErrorKind::Corrupt,
        ),
        (
            "a flipped bit",
            Box::new(|| {
                let mut frame = chunk(b"data");
                frame[60] ^= 1;
                Answer::stream([frame, complete("{}")])
            }),
            ErrorKind::Corrupt,
        ),
        (
            "a function error in mid-stream",
            Box::new(move || Answer::stream([chunk(b"data"), error("Function.Boom", "gone")])),
            function("Function.Boom", "gone"),
        ),
        (
            "an unhandled error",
            Box::new(move || {
                let details = r#"{"errorType":"E","errorMessage":"m"}"#;
                Answer::stream([error("Unhandled", details)])
            }),
            function("E", "m"),
        ),
        (
            "an error of the service in mid-stream",
            Box::new(|| {
                let string = |text: &str| HeaderValue::String(text.to_owned().into());
                let frame = raw_frame(
                    &[
                        (":message-type", string("error")),
                        (":error-code", string("InternalFailure")),
                        (":error-message", string("sorry")),
                    ],
                    b"",
                );
                Answer::stream([chunk(b"data"), frame])
            }),
            ErrorKind::Refused { status: 200, code: "InternalFailure".to_owned() },
        ),
        (
            "the error text of lambda_runtime",
            Box::new(move || {
                Answer::stream([chunk(b"data"), chunk(text.as_bytes()), complete("{}")])
            }),
            function("Runtime.StreamError", "boom mid stream"),
        ),
        (
            "the same within one PayloadChunk",
            Box::new(move || {
                let payload = [b"data", text.as_bytes()].concat();
                Answer::stream([chunk(&payload), complete("{}")])
            }),
            function("Runtime.StreamError", "boom mid stream"),
        ),
        (
            "the same in two PayloadChunks, and bytes behind it",
            Box::new(move || {
                let (front, rest) = text.split_at(50);
                let payloads = ["data", front, rest, "more"];
                let chunks = payloads.map(|payload| chunk(payload.as_bytes()));
                Answer::stream(chunks.into_iter().chain([complete("{}")]))
            }),
            function("Runtime.StreamError", "boom mid stream"),
        ),
        (
            "the same where a length was promised",
            Box::new(move || {
                Answer::stream([chunk(&promised()), chunk(text.as_bytes()), complete("{}")])
            }),
            function("Runtime.StreamError", "boom mid stream"),
        ),
    ];
    for (what, script, kind) in table {
        let (_, end) = one(script).await;
        let error = end.expect_err(what);
        assert_eq!(*error.kind(), kind, "{what}: {error}");
    }
}

#[tokio::test]
async fn an_event_of_the_future_is_passed_over() {
    let (body, end) = one(|| {
        let later = support::frame("Billing", "application/json", b"{}");
        Answer::stream([later, chunk(b"data"), complete(r#"{"Later":1}"#)])
    })
    .await;
    assert_eq!((&body[..], end.is_ok()), (&b"data"[..], true));
}

#[tokio::test]
async fn refusals_are_typed() {
    let answer = || Answer::error(404, "ResourceNotFoundException", r#"{"Message":"no such f"}"#);
    let error = one(answer).await.1.unwrap_err();
    let code = "ResourceNotFoundException".to_owned();
    assert_eq!(*error.kind(), ErrorKind::Refused { status: 404, code });
    assert!(error.to_string().contains("no such f"), "{error}");

    let throttled = || {
        let reason = r#"{"message":"slow down","Reason":"CallerRateLimitExceeded"}"#;
        let mut answer = Answer::error(429, "TooManyRequestsException", reason);
        answer.headers.push(header("retry-after", "0"));
        answer
    };
    let error = one(throttled).await.1.unwrap_err();
    let reason = Some("CallerRateLimitExceeded".to_owned());
    assert_eq!(*error.kind(), ErrorKind::Throttled { reason });
}

#[tokio::test]
async fn an_answer_that_is_no_event_stream_is_named() {
    let error = one(|| {
        let mut answer = Answer::stream([b"<html>secret</html>".to_vec()]);
        answer.headers = vec![header("content-type", "text/html")];
        answer
    })
    .await
    .1
    .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotEventStream);
    assert!(error.to_string().contains("text/html"));
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn silence_ends() {
    let never = Arc::new(tokio::sync::Notify::new());
    let timeouts =
        Timeouts::default().first_byte(Duration::from_millis(300)).idle(Duration::from_millis(100));
    for steps_before in [0, 1] {
        let never = Arc::clone(&never);
        let service = Service::start(move |_| {
            let mut steps = vec![Step::Wait(Arc::clone(&never))];
            if steps_before == 1 {
                steps.insert(0, Step::Bytes(chunk(b"data")));
            }
            Answer::steps(steps)
        })
        .await;
        let invoker = service.invoker().timeouts(timeouts);
        let (body, end) = drain(invoker.invoke(Invocation::new("f")).await).await;
        assert_eq!(*end.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(body.len(), 4 * steps_before);
    }
}
