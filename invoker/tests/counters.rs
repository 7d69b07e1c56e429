//! What the service bills goes over real sockets; what a download counts of it comes out.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::sync::Arc;
use std::time::Duration;

use invoker::{Download, FREE_STREAMED_BYTES, Snapshot};
use support::{Answer, Service, Step, chunk, complete, pattern, range_answer};
use tokio::sync::Notify;

const ETAG: &str = "\"v1\"";

/// What a head may add to the bytes that are streamed; docs/contract.md.
const HEAD_LIMIT: u64 = 16_000;

async fn to_end(download: Download) -> Snapshot {
    let mut bytes = download.in_order().await.unwrap();
    while let Some(next) = bytes.next_bytes().await {
        next.unwrap();
    }
    bytes.report().unwrap().snapshot
}

/// Five segments; one is throttled, one meets a service that is broken, one is cut.
#[tokio::test]
async fn what_is_billed_is_counted() {
    let bytes = pattern(500_000);
    let service = Service::start(move |asked| match asked.number {
        1 => Answer::error(429, "TooManyRequestsException", "{}"),
        2 => Answer::error(503, "ServiceException", "{}"),
        3 => {
            let mut answer = range_answer(&bytes, ETAG, asked);
            answer.steps.truncate(2);
            answer.steps.push(Step::Cut);
            answer
        }
        _ => range_answer(&bytes, ETAG, asked),
    })
    .await;
    let counted =
        to_end(service.invoker().object("files", "x").segment_size(100_000).in_flight(4)).await;
    // The one that was cut is billed, and so is the one in its place.
    assert_eq!((counted.invocations, counted.throttles, counted.retries), (6, 1, 2));
    assert_eq!((counted.charged_bytes, counted.abandoned), (0, 1));
    assert!(counted.invocation_time > Duration::ZERO);
}

#[tokio::test]
async fn bytes_beyond_the_free_ones_are_counted() {
    const BEYOND: u64 = 1_234_567;
    let bytes = pattern((FREE_STREAMED_BYTES + BEYOND) as usize);
    let whole = bytes.clone();
    let service = Service::start(move |asked| range_answer(&bytes, ETAG, asked)).await;
    let download = || service.invoker().object("files", "x");

    let one = to_end(download().segments(false)).await;
    assert!((BEYOND..BEYOND + HEAD_LIMIT).contains(&one.charged_bytes), "{one:?}");
    let many = to_end(download()).await;
    assert_eq!((one.invocations, many.charged_bytes, many.abandoned), (1, 0, 0));
    assert!(many.invocations > 1);

    let raw = download();
    let progress = raw.progress();
    let mut stream = raw.one_stream().await.unwrap();
    let mut all = Vec::new();
    while let Some(next) = stream.next_bytes().await {
        all.extend_from_slice(&next.unwrap());
    }
    assert!(all == whole);
    let counted = progress.snapshot();
    assert!((BEYOND..BEYOND + HEAD_LIMIT).contains(&counted.charged_bytes), "{counted:?}");
    assert_eq!((counted.invocations, counted.abandoned), (1, 0));
}

#[tokio::test]
async fn an_invocation_that_is_left_is_counted_as_such() {
    let never = Arc::new(Notify::new());
    let service = Service::start(move |_| {
        let wait = Step::Wait(Arc::clone(&never));
        Answer::steps([Step::Bytes(chunk(b"some of it")), wait])
    })
    .await;
    let download = service.invoker().download("f".into());
    let progress = download.progress();
    let mut stream = download.one_stream().await.unwrap();
    assert_eq!(stream.next_bytes().await.unwrap().unwrap().as_ref(), b"some of it");
    let running = progress.snapshot();
    assert_eq!((running.invocations, running.abandoned), (1, 0));
    assert_eq!(running.invocation_time, Duration::ZERO, "it runs");
    drop(stream);
    let left = progress.snapshot();
    assert_eq!((left.invocations, left.abandoned), (1, 1));
    assert!(left.invocation_time > Duration::ZERO);
}

#[tokio::test]
async fn a_refusal_of_the_function_is_an_error_of_the_one_stream() {
    let service = Service::start(|_| {
        let head = support::head(404, &[("content-type", "application/json")]);
        Answer::stream([chunk(&head), chunk(br#"{"message":"no such object"}"#), complete("{}")])
    })
    .await;
    let download = service.invoker().object("files", "x");
    let progress = download.progress();
    let error = download.one_stream().await.unwrap_err();
    assert_eq!(*error.kind(), invoker::ErrorKind::Answer { status: 404 });
    let counted = progress.snapshot();
    assert_eq!((counted.invocations, counted.abandoned), (1, 0));
}
