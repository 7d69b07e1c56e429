//! Slow segments, through the public API, on real sockets: what is asked a second time, and what is
//! taken off their hands.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use invoker::{Download, Report};
use support::{Answer, Asked, Service, Step, pattern, range_answer};
use tokio::sync::Notify;

const ETAG: &str = "\"v1\"";
const MIB: u64 = 1024 * 1024;

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

fn download(service: &Service, segment: u64) -> Download {
    service.invoker().object("files", "the object").segment_size(segment).in_flight(4)
}

/// Both ways give `bytes`.
async fn both(download: impl Fn() -> Download, bytes: &[u8]) -> [Report; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let filed = tokio::time::timeout(PATIENCE, download().to_file(&path)).await.unwrap().unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    let mut ordered = download().in_order().await.unwrap();
    let mut all = Vec::new();
    let read = async {
        while let Some(next) = ordered.next_bytes().await {
            all.extend_from_slice(&next.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    assert!(all == bytes);
    [filed, ordered.report().unwrap().clone()]
}

fn from(range: &Range<u64>, asked: &Asked) -> bool {
    asked.range().is_some_and(|other| range.start <= other.start && other.end <= range.end)
}

/// The first answer with a part of it stops in the middle and never goes on.
#[tokio::test]
async fn a_segment_that_stands_still_is_asked_for_again() {
    const STUCK: Range<u64> = 1_500_000..1_600_000;
    let bytes = pattern(2_000_000);
    let served = bytes.clone();
    let never = Arc::new(Notify::new());
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        if asked.range() == Some(STUCK) {
            answer.steps.insert(2, Step::Wait(Arc::clone(&never)));
        }
        answer
    })
    .await;
    let reports = both(|| download(&service, 100_000), &bytes).await;
    for report in reports {
        assert_eq!((report.snapshot.hedges, report.snapshot.retries), (1, 0));
    }
    let again = service.asked().into_iter().filter(|asked| from(&STUCK, asked)).count();
    assert_eq!(again, 4, "twice in each download");
}

/// The last one gives a little and waits; idle slots take half of what it has left.
#[tokio::test]
async fn half_of_a_slow_segment_is_taken_off_its_hands() {
    const SLOW: Range<u64> = 27 * MIB..30 * MIB;
    let bytes = pattern(SLOW.end as usize);
    let served = bytes.clone();
    let service = Service::start({
        let helped = Arc::new(Notify::new());
        move |asked: &Asked| -> Answer {
            let mut answer = range_answer(&served, ETAG, asked);
            match asked.range() {
                Some(range) if range == SLOW => {
                    answer.steps.insert(3, Step::Wait(Arc::clone(&helped)));
                }
                Some(range) if from(&SLOW, asked) && range != SLOW => helped.notify_one(),
                _ => {}
            }
            answer
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let filed = download(&service, 3 * MIB).to_file(&path);
    let report = tokio::time::timeout(PATIENCE, filed).await.unwrap().unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(report.snapshot.segments, 10);
    assert!(report.snapshot.splits > 0, "{:?}", report.snapshot);
    assert_eq!((report.snapshot.bytes, report.snapshot.hedges), (SLOW.end, 0));
    let halves: Vec<Range<u64>> = service
        .asked()
        .iter()
        .filter(|asked| from(&SLOW, asked) && asked.range() != Some(SLOW))
        .map(|asked| asked.range().unwrap())
        .collect();
    assert!(halves.iter().any(|half| half.end == SLOW.end), "{halves:?}");
    assert!(halves.iter().all(|half| half.start > SLOW.start + MIB), "{halves:?}");
}

/// In flight goes down with the first throttle, and the download is whole all the same.
#[tokio::test]
async fn throttles_shed_what_is_in_flight() {
    let bytes = pattern(4_000_000);
    let served = bytes.clone();
    let service = Service::start(move |asked| match asked.number {
        20..28 => Answer::error(429, "TooManyRequestsException", r#"{"message":"slow down"}"#),
        _ => range_answer(&served, ETAG, asked),
    })
    .await;
    let adaptive = || service.invoker().object("files", "o").segment_size(20_000).max_in_flight(16);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let filed = tokio::time::timeout(PATIENCE, adaptive().to_file(&path));
    let report = filed.await.unwrap().unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(report.snapshot.throttles, 8);
    assert!(report.snapshot.in_flight_max <= 16);
}
