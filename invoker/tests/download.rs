//! Downloads through the public API, on real sockets: by segments and as one stream, into a file
//! and in order, with everything that can go wrong between two answers.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use invoker::{Download, Error, ErrorKind, Integrity, Invocation, Report, Wanted};
use support::{Answer, Asked, Service, Step, chunk, complete, head, pattern, range_answer};

const ETAG: &str = "\"v1\"";
const SIZE: usize = 1_000_000;
const SEGMENT: u64 = 100_000;

async fn object_service(bytes: Vec<u8>) -> Service {
    Service::start(move |asked| range_answer(&bytes, ETAG, asked)).await
}

fn download(service: &Service) -> Download {
    service.invoker().object("files", "the object").segment_size(SEGMENT).in_flight(4)
}

async fn in_order(download: Download) -> Result<(Vec<u8>, Report), Error> {
    let mut bytes = download.in_order().await?;
    let mut all = Vec::new();
    while let Some(next) = bytes.next_bytes().await {
        all.extend_from_slice(&next?);
    }
    Ok((all, bytes.report().expect("a whole result has a report").clone()))
}

async fn to_file(download: Download) -> Result<(Vec<u8>, Report), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let result = download.to_file(&path).await;
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    match result {
        Ok(report) => {
            assert_eq!(files, 1, "only the file itself");
            Ok((std::fs::read(path).unwrap(), report))
        }
        Err(error) => {
            assert!(!path.exists(), "nothing that looks finished");
            let left = if error.unfinished().is_some() { 2 } else { 0 };
            assert_eq!(files, left, "a part file and its journal, or nothing");
            Err(error)
        }
    }
}

/// Both ways must agree, in success and in failure.
async fn both(
    script: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
    configure: impl Fn(Download) -> Download,
) -> Result<(Vec<u8>, Report), Error> {
    let service = Service::start(script.clone()).await;
    let filed = to_file(configure(download(&service))).await;
    let service = Service::start(script).await;
    let ordered = in_order(configure(download(&service))).await;
    match (&filed, &ordered) {
        (Ok(filed), Ok(ordered)) => {
            assert_eq!(filed.0, ordered.0);
            assert_eq!(filed.1.integrity, ordered.1.integrity);
        }
        (Err(filed), Err(ordered)) => assert_eq!(filed.kind(), ordered.kind()),
        (filed, ordered) => panic!("to a file: {filed:?}; in order: {ordered:?}"),
    }
    filed
}

fn same(download: Download) -> Download {
    download
}

#[tokio::test]
async fn an_object_comes_whole_by_segments() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let (got, report) = both(move |asked| range_answer(&served, ETAG, asked), same).await.unwrap();
    assert!(got == bytes);
    assert_eq!(report.snapshot.segments, 10);
    assert!(report.snapshot.in_flight_max <= 4);
    assert_eq!(report.snapshot.wanted_bytes, Some(SIZE as u64));
    assert_eq!(report.snapshot.bytes, SIZE as u64);
    assert_eq!(report.description.etag.as_deref(), Some(ETAG));
    assert_eq!(report.description.executed_version.as_deref(), Some("7"));
}

#[tokio::test]
async fn every_size_around_a_segment_comes_whole() {
    for size in [1, 2, 99, 100, 101, 199, 200, 201, 1000] {
        let bytes = pattern(size);
        let served = bytes.clone();
        let configure = |download: Download| download.segment_size(100).memory_limit(250);
        let script = move |asked: &Asked| range_answer(&served, ETAG, asked);
        assert!(both(script, configure).await.unwrap().0 == bytes, "{size}");
    }
}

#[tokio::test]
async fn tiny_frames_come_whole_to_a_reader_who_was_away() {
    let bytes = pattern(60_000);
    let served = bytes.clone();
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        let range = asked.range().unwrap();
        let part = &served[range.start as usize..(range.end as usize).min(served.len())];
        let frames = part.chunks(7).map(|bytes| Step::Bytes(chunk(bytes)));
        answer.steps.splice(1..answer.steps.len() - 1, frames);
        answer
    })
    .await;
    let download = download(&service).segment_size(20_000);
    let progress = download.progress();
    let mut ordered = download.in_order().await.unwrap();
    while progress.snapshot().bytes < 60_000 {
        tokio::task::yield_now().await;
    }
    let (mut got, mut items) = (Vec::new(), 0);
    while let Some(next) = ordered.next_bytes().await {
        got.extend_from_slice(&next.unwrap());
        items += 1;
    }
    assert!(got == bytes);
    assert!(items < 20, "what waited was gathered: {items} items");
}

#[tokio::test]
async fn an_empty_object_is_no_error() {
    let script = |asked: &Asked| match asked.range() {
        Some(_) => range_answer(&[], ETAG, asked),
        None => {
            let head = head(200, &[("content-length", "0"), ("etag", ETAG)]);
            Answer::stream([chunk(&head), complete("{}")])
        }
    };
    assert_eq!(both(script, same).await.unwrap().0, b"");
}

#[tokio::test]
async fn ranges_are_exactly_what_was_wanted() {
    let bytes = pattern(SIZE);
    let table = [
        (Wanted::Range(5..10), 5..10),
        (Wanted::Range(150_000..450_001), 150_000..450_001),
        (Wanted::From(999_990), 999_990..SIZE),
        (Wanted::Range(999_990..2_000_000), 999_990..SIZE),
        (Wanted::Last(1), SIZE - 1..SIZE),
        (Wanted::Last(250_000), SIZE - 250_000..SIZE),
        (Wanted::Last(5_000_000), 0..SIZE),
    ];
    for (wanted, expected) in table {
        let served = bytes.clone();
        let script = move |asked: &Asked| match asked.custom.get("range").map(String::as_str) {
            Some("bytes=-1") => {
                let last = Asked {
                    custom: [("range".into(), format!("bytes={}-", SIZE - 1))].into(),
                    ..asked.clone()
                };
                range_answer(&served, ETAG, &last)
            }
            _ => range_answer(&served, ETAG, asked),
        };
        let configure = |download: Download| download.wanted(wanted.clone());
        let (got, report) = both(script, configure).await.unwrap();
        assert!(got == bytes[expected], "{wanted:?}");
        let reason = "the function gave no checksum";
        assert_eq!(report.integrity, Integrity::NotVerified { reason });
    }
    let served = bytes.clone();
    let script = move |asked: &Asked| range_answer(&served, ETAG, asked);
    let beyond = |download: Download| download.wanted(Wanted::From(SIZE as u64));
    let error = both(script, beyond).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer { status: 416 });
}

#[tokio::test]
async fn the_object_is_pinned_from_the_first_answer_on() {
    let service = object_service(pattern(SIZE)).await;
    to_file(download(&service)).await.unwrap();
    let asked = service.asked();
    assert_eq!(asked.len(), 10);
    assert_eq!(asked[0].custom.get("range").unwrap(), "bytes=0-99999");
    assert!(!asked[0].custom.contains_key("if-match") && !asked[0].target.contains("Qualifier"));
    for later in &asked[1..] {
        assert_eq!(later.custom["if-match"], ETAG);
        assert!(later.target.ends_with("?Qualifier=7"), "{}", later.target);
        assert_eq!(later.payload, asked[0].payload, "the payload is never touched");
    }
}

#[tokio::test]
async fn answers_that_do_not_fit_are_never_spliced() {
    let bytes = pattern(SIZE);
    type Script = fn(&[u8], &Asked) -> Answer;
    let table: [(&str, Script, ErrorKind); 6] = [
        (
            "another version of the object",
            |bytes, asked| {
                let etag = if asked.custom.contains_key("if-match") { "\"v2\"" } else { ETAG };
                range_answer(bytes, etag, asked)
            },
            ErrorKind::Changed,
        ),
        (
            "a refused precondition",
            |bytes, asked| match asked.custom.contains_key("if-match") {
                true => Answer::stream([chunk(&head(412, &[("etag", "\"v2\"")])), complete("{}")]),
                false => range_answer(bytes, ETAG, asked),
            },
            ErrorKind::Changed,
        ),
        (
            "another version of the function",
            |bytes, asked| {
                let version = if asked.custom.contains_key("if-match") { "8" } else { "7" };
                range_answer(bytes, ETAG, asked).executed_version(version)
            },
            ErrorKind::Changed,
        ),
        (
            "another range",
            |bytes, asked| {
                let mut asked = asked.clone();
                if asked.custom.contains_key("if-match") {
                    let range = asked.range().unwrap();
                    let shifted = format!("bytes={}-{}", range.start - 1, range.end - 2);
                    asked.custom.insert("range".into(), shifted);
                }
                range_answer(bytes, ETAG, &asked)
            },
            ErrorKind::Inconsistent,
        ),
        (
            "another size",
            |bytes, asked| match asked.custom.contains_key("if-match") {
                true => range_answer(&bytes[..bytes.len() - 1], ETAG, asked),
                false => range_answer(bytes, ETAG, asked),
            },
            ErrorKind::Inconsistent,
        ),
        (
            "no head any more",
            |bytes, asked| match asked.custom.contains_key("if-match") {
                true => Answer::stream([chunk(b"bare bytes"), complete("{}")]),
                false => range_answer(bytes, ETAG, asked),
            },
            ErrorKind::Inconsistent,
        ),
    ];
    for (what, script, kind) in table {
        let served = bytes.clone();
        let error = both(move |asked| script(&served, asked), same).await.expect_err(what);
        assert_eq!(*error.kind(), kind, "{what}: {error}");
    }
}

#[tokio::test]
async fn a_cut_segment_goes_on_from_the_byte_where_it_stopped() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        // A whole segment is cut after its first frames; a rest is not.
        if asked.range().is_some_and(|range| range.end - range.start == SEGMENT) {
            answer.steps.truncate(2);
            answer.steps.push(Step::Cut);
        }
        answer
    };
    let (got, report) = both(script, same).await.unwrap();
    assert!(got == bytes);
    assert_eq!(report.snapshot.retries, 10);
    assert_eq!(report.snapshot.refetched_bytes, 0);
}

#[tokio::test]
async fn a_segment_whose_end_is_not_proven_is_read_again_but_delivered_once() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        if calls.fetch_add(1, Ordering::Relaxed) == 3 {
            answer.steps.pop(); // InvokeComplete
        }
        answer
    };
    let service = Service::start(script).await;
    let (got, report) = in_order(download(&service)).await.unwrap();
    assert!(got == bytes);
    assert_eq!((report.snapshot.retries, report.snapshot.refetched_bytes), (1, SEGMENT));
}

#[tokio::test]
async fn failures_end_a_download_after_its_retries() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        answer.steps.truncate(1);
        answer
    };
    let configure = |download: Download| download.retries(1);
    let error = both(script, configure).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Truncated);

    let service = Service::start(|_| Answer::error(503, "ServiceException", "{}")).await;
    let error = to_file(download(&service).retries(3)).await.unwrap_err();
    let code = "ServiceException".to_owned();
    assert_eq!(*error.kind(), ErrorKind::Refused { status: 503, code });
    assert_eq!(service.asked().len(), 4, "one call and three retries, none of the SDK's own");
}

#[tokio::test]
async fn throttles_are_waited_out() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| match asked.number % 4 {
        1 => Answer::error(429, "TooManyRequestsException", "{}"),
        _ => range_answer(&served, ETAG, asked),
    };
    let service = Service::start(script).await;
    let (got, report) = to_file(download(&service).retries(0)).await.unwrap();
    assert!(got == bytes);
    assert!(report.snapshot.throttles > 0);
}

#[tokio::test]
async fn a_function_that_fails_is_not_asked_again() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        if asked.number == 5 {
            answer.steps.pop();
            let end = r#"{"ErrorCode":"Function.ObjectChanged","ErrorDetails":"it changed"}"#;
            answer.steps.push(Step::Bytes(complete(end)));
        }
        answer
    };
    let error = both(script, same).await.unwrap_err();
    let (error_type, message) = ("Function.ObjectChanged".to_owned(), "it changed".to_owned());
    assert_eq!(*error.kind(), ErrorKind::Function { error_type, message });
}

/// A function, or what stands before it, that honours the range and loses the head.
#[tokio::test]
async fn a_part_without_a_head_is_not_the_whole() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        answer.steps.remove(0);
        answer
    };
    let error = both(script.clone(), same).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Inconsistent);
    // Asked for all of it, there is nothing to doubt.
    let (got, _) = both(script, |download| download.segments(false)).await.unwrap();
    assert!(got == bytes);
}

#[tokio::test]
async fn a_function_without_ranges_is_one_stream() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script =
        move |_: &Asked| Answer::stream(served.chunks(50_000).map(chunk).chain([complete("{}")]));
    let (got, report) = both(script.clone(), same).await.unwrap();
    assert!(got == bytes);
    assert_eq!((report.snapshot.segments, report.description.ranges), (1, false));

    let configure = |download: Download| download.wanted(Wanted::Range(0..10));
    let error = both(script, configure).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Answer { .. }), "{error}");
}

#[tokio::test]
async fn a_part_of_unknown_place_is_not_the_whole() {
    for content_range in [Some("bytes 0-4/*"), Some("nonsense"), None] {
        let script = move |_: &Asked| {
            let mut headers = vec![("content-length", "5"), ("etag", ETAG)];
            headers.extend(content_range.map(|value| ("content-range", value)));
            Answer::stream([chunk(&head(206, &headers)), chunk(b"01234"), complete("{}")])
        };
        let error = both(script, same).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Inconsistent, "{content_range:?}: {error}");
    }
}

#[tokio::test]
async fn a_promise_that_cannot_be_read_is_no_promise_kept() {
    let script = |_: &Asked| {
        let head = head(200, &[("content-length", "5, 5")]);
        Answer::stream([chunk(&head), chunk(b"01234"), complete("{}")])
    };
    let error = both(script, same).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Inconsistent, "{error}");
}

#[tokio::test]
async fn a_large_suffix_in_one_stream_waits_for_no_budget() {
    let bytes = pattern(SIZE);
    let served = bytes.clone();
    let script = move |asked: &Asked| match asked.custom["range"].as_str() {
        "bytes=-1" => {
            let last = format!("bytes={}-", SIZE - 1);
            let custom = [("range".to_owned(), last)].into();
            range_answer(&served, ETAG, &Asked { custom, ..asked.clone() })
        }
        _ => range_answer(&served, ETAG, asked),
    };
    let configure = |download: Download| {
        download.segments(false).memory_limit(1_000).wanted(Wanted::Last(500_000))
    };
    assert!(both(script, configure).await.unwrap().0 == bytes[SIZE - 500_000..]);
}

#[tokio::test]
async fn what_is_counted_at_the_end_is_not_in_flight() {
    for segments in [true, false] {
        let service = object_service(pattern(SIZE)).await;
        let download = download(&service).segments(segments).memory_limit(500_000);
        let (_, report) = in_order(download).await.unwrap();
        assert_eq!(report.snapshot.in_flight, 0);
    }
}

#[tokio::test]
async fn without_segments_it_is_one_invocation() {
    let service = object_service(pattern(SIZE)).await;
    let configure = || download(&service).segments(false).memory_limit(1000);
    assert!(in_order(configure()).await.unwrap().0 == pattern(SIZE));
    assert!(to_file(configure()).await.unwrap().0 == pattern(SIZE));
    let asked = service.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.custom["range"] == "bytes=0-"));
}

#[tokio::test]
async fn a_checksum_is_compared_with_all_bytes() {
    let bytes = pattern(SIZE);
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes);
    for (given, expected) in [(sum, true), (sum ^ 1, false)] {
        let served = bytes.clone();
        let script = move |asked: &Asked| {
            use base64::Engine as _;
            let sum = base64::engine::general_purpose::STANDARD.encode(given.to_be_bytes());
            let range = asked.range().unwrap();
            let range = range.start..range.end.min(SIZE as u64);
            let part = &served[range.start as usize..range.end as usize];
            let head = head(
                206,
                &[
                    ("content-range", &format!("bytes {}-{}/{SIZE}", range.start, range.end - 1)),
                    ("content-length", &part.len().to_string()),
                    ("etag", ETAG),
                    ("x-amz-checksum-crc64nvme", &sum),
                ],
            );
            Answer::stream([chunk(&head), chunk(part), complete("{}")])
        };
        match both(script, same).await {
            Ok((_, report)) => {
                assert!(expected);
                let algorithm = "CRC-64/NVME";
                assert_eq!(report.integrity, Integrity::Verified { algorithm });
            }
            Err(error) => {
                assert!(!expected, "{error}");
                assert_eq!(*error.kind(), ErrorKind::Corrupt);
            }
        }
    }
}

#[tokio::test]
async fn a_reader_who_is_away_starts_nothing() {
    let bytes = pattern(SIZE);
    let service = object_service(bytes.clone()).await;
    // Room for three segments, so no more than three are ever started unread.
    let limit = 3 * SEGMENT as usize;
    let mut ordered = download(&service).memory_limit(limit).in_order().await.unwrap();
    let mut got = ordered.next_bytes().await.unwrap().unwrap().to_vec();
    while service.asked().len() < 3 {
        tokio::task::yield_now().await;
    }
    // All that may start has started. Whatever else the download would do, it has the time to.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
        assert!(service.asked().len() <= 3, "a segment was started that does not fit");
    }
    while let Some(next) = ordered.next_bytes().await {
        got.extend_from_slice(&next.unwrap());
    }
    assert!(got == bytes);
}

#[tokio::test]
async fn inspecting_takes_one_invocation_of_one_byte() {
    let service = object_service(pattern(SIZE)).await;
    let description = download(&service).inspect().await.unwrap();
    assert_eq!((description.ranges, description.size), (true, Some(SIZE as u64)));
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].custom["range"], "bytes=0-0");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_said_before_anything_is_called() {
    let service = object_service(pattern(SIZE)).await;
    let error = download(&service).to_file("/no/such/folder/out").await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LocalFile);
    assert_eq!(service.asked().len(), 0);
}

#[tokio::test]
async fn a_call_says_what_the_golden_documents_say() {
    let service = object_service(pattern(10)).await;
    let asked = {
        let wanted = Wanted::Range(0..5);
        let invocation = Invocation::new("files");
        let _ =
            in_order(service.invoker().object(invocation, "a folder/ö.txt").wanted(wanted)).await;
        service.asked().remove(0)
    };
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/event-2.0.json")).unwrap();
    let event: serde_json::Value = serde_json::from_slice(&asked.payload).unwrap();
    assert_eq!(event, golden);
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/client-context.json")).unwrap();
    assert_eq!(serde_json::to_value(&asked.custom).unwrap()["range"], golden["custom"]["range"]);
}
