//! Services that are busy, broken or not ready, on a real socket: what is asked again, how often, and
//! from which byte on.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::time::Duration;

use invoker::{Download, Error, ErrorKind, Invocation, TimeLimit, Timeouts};
use support::{Answer, Asked, Service, Step, chunk, complete, pattern, range_answer};

const ETAG: &str = "\"v1\"";

/// Long for a loopback, short for a test.
const SHORT: Duration = Duration::from_millis(100);

async fn to_file(download: Download) -> Result<Vec<u8>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let done = download.to_file(&path).await;
    assert_eq!(path.exists(), done.is_ok());
    done.map(|_| std::fs::read(path).unwrap())
}

async fn in_order(download: Download) -> Result<Vec<u8>, Error> {
    let mut bytes = download.in_order().await?;
    let mut all = Vec::new();
    while let Some(next) = bytes.next_bytes().await {
        all.extend_from_slice(&next?);
    }
    Ok(all)
}

/// What a checksum did not prove is asked for again, and nothing else is.
#[tokio::test]
async fn a_broken_frame_is_fetched_again_from_its_first_byte() {
    /// What `range_answer` puts into one frame.
    const FRAME: u64 = 64 * 1024;
    let bytes = pattern(200_000);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        if asked.number == 0
            && let Step::Bytes(third) = &mut answer.steps[3]
        {
            let last = third.len() - 5;
            third[last] ^= 1;
        }
        answer
    };
    for way in 0..2 {
        let service = Service::start(script.clone()).await;
        let download = service.invoker().object("f", "x");
        let progress = download.progress();
        let got = if way == 0 { to_file(download).await } else { in_order(download).await };
        assert!(got.unwrap() == bytes);
        let ranges: Vec<_> =
            service.asked().iter().map(|asked| asked.range().unwrap().start).collect();
        assert_eq!(ranges, [0, 2 * FRAME]);
        let counted = progress.snapshot();
        assert_eq!((counted.retries, counted.refetched_bytes), (1, 0));
    }
}

#[tokio::test]
async fn a_plain_stream_is_asked_for_again_until_it_begins() {
    let script = |asked: &Asked| match asked.number {
        0 => Answer::error(503, "ServiceException", "{}"),
        1 => Answer::stream([]),
        _ => Answer::stream([chunk(b"data"), complete("{}")]),
    };
    let service = Service::start(script).await;
    let download = service.invoker().download(Invocation::new("f"));
    assert_eq!(in_order(download).await.unwrap(), b"data");

    let service = Service::start(|_| Answer::stream([chunk(b"data")])).await;
    let download = || service.invoker().download(Invocation::new("f"));
    for error in [in_order(download()).await.unwrap_err(), to_file(download()).await.unwrap_err()] {
        assert_eq!(*error.kind(), ErrorKind::Truncated);
        assert!(error.to_string().contains("cannot be taken up"), "{error}");
    }
    assert_eq!(service.asked().len(), 2, "nothing is asked for again");
}

#[tokio::test]
async fn patience_with_throttles_is_a_setting() {
    let service = Service::start(|_| Answer::error(429, "TooManyRequestsException", "{}")).await;
    let download = || service.invoker().object("f", "x").retries(0).throttle_patience(SHORT);
    let mut errors = vec![download().inspect().await.unwrap_err()];
    errors.push(to_file(download()).await.unwrap_err());
    errors.push(in_order(download()).await.unwrap_err());
    for error in errors {
        assert_eq!(*error.kind(), ErrorKind::Throttled { reason: None });
    }
    assert!(service.asked().len() > 3, "each was asked again at least once");
}

/// What is not ready yet is waited for like a throttle, and is no failure.
#[tokio::test]
async fn a_function_that_is_not_ready_is_waited_for() {
    let bytes = pattern(1_000);
    let served = bytes.clone();
    let service = Service::start(move |asked| match asked.number {
        0 => Answer::error(502, "ResourceNotReadyException", "{}"),
        1 => Answer::error(409, "SnapStartNotReadyException", "{}"),
        _ => range_answer(&served, ETAG, asked),
    })
    .await;
    let download = service.invoker().object("f", "x").retries(0);
    let progress = download.progress();
    assert!(in_order(download).await.unwrap() == bytes);
    assert_eq!((progress.snapshot().retries, progress.snapshot().throttles), (2, 0));
}

/// Credentials that expire are not mended by asking again, nor are 502s that stay as they are.
#[tokio::test]
async fn what_stays_as_it_is_is_not_asked_again() {
    for (status, code) in [(403, "ExpiredTokenException"), (502, "KMSAccessDeniedException")] {
        let bytes = pattern(50_000);
        let service = Service::start(move |asked| match asked.number {
            0 => range_answer(&bytes, ETAG, asked),
            _ => Answer::error(status, code, "{}"),
        })
        .await;
        let download = service.invoker().object("f", "x").segment_size(10_000).in_flight(1);
        let error = to_file(download).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused { status, code: code.to_owned() });
        assert_eq!(service.asked().len(), 2);
    }
}

/// A service that breaks for all segments at once is not asked once more for each of them.
#[tokio::test]
async fn segments_share_their_retries() {
    let bytes = pattern(1_000);
    let service = Service::start(move |asked| match asked.number {
        0 => range_answer(&bytes, ETAG, asked),
        _ => Answer::error(503, "ServiceException", "{}"),
    })
    .await;
    let total = Timeouts::default().total(5 * SHORT);
    let download =
        service.invoker().timeouts(total).object("f", "x").segment_size(10).in_flight(50);
    let progress = download.progress();
    let error = to_file(download.retries(1_000)).await.unwrap_err();
    assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
    // The first of each, 8 at once, and 5 per second after that, however long it was.
    let allowed = 1.0 + 50.0 + 8.0 + 5.0 * progress.snapshot().elapsed.as_secs_f64();
    let asked = service.asked().len();
    assert!(asked as f64 <= allowed, "{asked} calls, {allowed} allowed");
}
