//! Endpoints that send without end, or declare what nobody can hold: the reader gives up early, which
//! is told by how many bytes their sockets took.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use invoker::{Error, ErrorKind, Head, Invocation, ResponseStream, Wanted};
use support::{Answer, Asked, Service, Step, chunk, complete, head, header, pattern, range_answer};

/// What a kernel's buffers may take on both sides of a socket before its writer has to wait, in
/// bytes: Linux lets them grow to 4 MiB and 6 MiB by itself. The reader's own share is small
/// against it.
const KERNEL: u64 = 24 * 1024 * 1024;

/// More than a page, so that the endless does not take for ever.
const FILLER: usize = 16 * 1024;

fn filler() -> Step {
    Step::Endless(vec![b'1'; FILLER])
}

/// One invocation, read to its end; the service has to have got rid of little.
async fn read(
    script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> Result<(Option<Head>, u64), Error> {
    let service = Service::start(script).await;
    let read = async {
        let mut stream = service.invoker().invoke(Invocation::new("f")).await?;
        let head = stream.head().cloned();
        let mut len = 0;
        while let Some(bytes) = stream.next_bytes().await {
            len += bytes?.len() as u64;
        }
        Ok((head, len))
    };
    let end = read.await;
    let written = service.written().await;
    assert!(written < KERNEL, "{written} bytes were taken");
    end
}

#[tokio::test]
async fn an_http_head_without_end_is_not_read() {
    for line in ["x-filler: 1\r\n".repeat(1_000), "1".repeat(FILLER)] {
        let script = move |_: &Asked| {
            let start = Step::Bytes(b"HTTP/1.1 200 OK\r\nx-filler: ".to_vec());
            Answer::raw([start, Step::Endless(line.clone().into_bytes())])
        };
        let error = read(script).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unreachable, "{error}");
    }
}

#[tokio::test]
async fn an_error_without_end_is_typed_all_the_same() {
    for (status, code) in [(400, "InvalidParameterValueException"), (500, "ServiceException")] {
        let script = move |_: &Asked| {
            let mut answer = Answer::error(status, code, r#"{"message":"11"#);
            answer.steps.push(filler());
            answer
        };
        // The SDK repeats the second one itself.
        let error = read(script).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused { status, code: code.to_owned() });
        let told = error.to_string();
        assert!(told.contains(code) && !told.contains("11"), "{told}");
    }
}

#[tokio::test]
async fn an_error_that_is_cut_is_typed_all_the_same() {
    let script = |_: &Asked| {
        let mut answer = Answer::error(404, "ResourceNotFoundException", r#"{"message":"#);
        answer.steps.push(Step::Cut);
        answer
    };
    let code = "ResourceNotFoundException".to_owned();
    assert_eq!(*read(script).await.unwrap_err().kind(), ErrorKind::Refused { status: 404, code });
}

#[tokio::test]
async fn a_page_without_end_is_not_read() {
    let script = |_: &Asked| {
        let mut answer = Answer::steps([filler()]);
        answer.headers = vec![header("content-type", "text/html")];
        answer
    };
    assert_eq!(*read(script).await.unwrap_err().kind(), ErrorKind::NotEventStream);
}

/// The first twelve bytes of a frame of this many bytes of headers and payload.
fn prelude(headers: u32, payload: u32) -> Vec<u8> {
    /// Prelude and checksum.
    const OVERHEAD: u32 = 16;
    let lengths = [(headers + payload + OVERHEAD).to_be_bytes(), headers.to_be_bytes()].concat();
    let sum = crc32fast::hash(&lengths).to_be_bytes();
    [&lengths[..], &sum[..]].concat()
}

#[tokio::test]
async fn a_frame_that_nobody_can_hold_is_refused_at_its_first_bytes() {
    const MIB: u32 = 1024 * 1024;
    for (headers, payload) in [(0, 24 * MIB + 1), (128 * 1024 + 1, 0), (0, u32::MAX - 16)] {
        let script =
            move |_: &Asked| Answer::steps([Step::Bytes(prelude(headers, payload)), filler()]);
        let error = read(script).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn headers_of_a_frame_without_end_are_refused() {
    // 128 KiB of headers with one byte for a name, walked through once, and no frame of ours.
    let headers = [1, b'n', 0].repeat(128 * 1024 / 3);
    let mut frame = prelude(headers.len() as u32, 0);
    frame.extend(headers);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    let error = read(move |_| Answer::steps([Step::Endless(frame.clone())])).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_functions_head_without_end_is_a_body() {
    let service = Service::start(|_| {
        let start = Step::Bytes(chunk(b"{\"headers\":["));
        Answer::steps([start, Step::Endless(chunk(&[b'1'; FILLER]))])
    })
    .await;
    let mut stream: ResponseStream = service.invoker().invoke(Invocation::new("f")).await.unwrap();
    assert!(stream.head().is_none());
    assert!(stream.next_bytes().await.unwrap().unwrap().starts_with(b"{\"headers\":["));
    drop(stream);
    assert!(service.written().await < KERNEL);
}

#[tokio::test]
async fn a_refusal_without_end_is_read_for_its_message_only() {
    let service = Service::start(|_| {
        let start = [chunk(&head(404, &[])), chunk(b"{\"message\":\"")].map(Step::Bytes);
        let rest = Step::Endless(chunk(&[b'1'; FILLER]));
        Answer::steps(start.into_iter().chain([rest]))
    })
    .await;
    let error = service.invoker().object("f", "x").in_order().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer { status: 404 });
    assert!(!format!("{error:?}").contains("11"));
    assert!(service.written().await < KERNEL);
}

#[tokio::test]
async fn what_follows_the_proven_end_is_not_read() {
    // Trailers without end behind a whole result, and bytes without end.
    let whole = [chunk(b"data"), complete("{}")].concat();
    let http = [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
          transfer-encoding: chunked\r\n\r\n",
        format!("{:x}\r\n", whole.len()).as_bytes(),
        &whole,
        b"\r\n0\r\n",
    ]
    .concat();
    let script = move |_: &Asked| {
        Answer::raw([Step::Bytes(http.clone()), Step::Endless(b"x-filler: 1\r\n".repeat(1_000))])
    };
    assert_eq!(read(script).await.unwrap().1, 4);

    let whole = [chunk(b"data"), complete("{}")].concat();
    let script = move |_: &Asked| Answer::steps([Step::Bytes(whole.clone()), filler()]);
    assert_eq!(*read(script).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn of_long_details_the_beginning_is_told() {
    let script = |_: &Asked| {
        let details = format!("it broke {}", "1".repeat(20 * 1024 * 1024));
        let end = serde_json::json!({"ErrorCode": "Function.Boom", "ErrorDetails": details});
        Answer::stream([chunk(b"data"), complete(&end.to_string())])
    };
    let error = read(script).await.unwrap_err();
    let ErrorKind::Function { error_type, message } = error.kind() else { panic!("{error}") };
    assert_eq!(error_type, "Function.Boom");
    assert!(message.starts_with("it broke 1") && message.len() < 2_000, "{}", message.len());
}

#[tokio::test]
async fn a_length_beyond_all_bounds_reserves_nothing() {
    let script = |_: &Asked| {
        let head = head(200, &[("content-length", "18446744073709551615")]);
        Answer::stream([chunk(&head), chunk(b"data"), complete("{}")])
    };
    assert_eq!(*read(script).await.unwrap_err().kind(), ErrorKind::Truncated);
    let service = Service::start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let download = service.invoker().download(Invocation::new("f"));
    let error = download.to_file(folder.path().join("out")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Truncated);
}

/// An object of nearly 2^64 bytes: its first segments come, its third does not exist.
#[tokio::test]
async fn a_size_beyond_all_bounds_reserves_nothing() {
    const SIZE: u64 = u64::MAX;
    const SEGMENT: u64 = 1_000;
    let script = |asked: &Asked| {
        let range = asked.range().unwrap();
        if range.start >= 2 * SEGMENT {
            return Answer::error(400, "InvalidParameterValueException", "{}");
        }
        let bytes = pattern(2 * SEGMENT as usize);
        let mut answer = range_answer(&bytes, "\"v1\"", asked);
        let content_range = format!("bytes {}-{}/{SIZE}", range.start, range.end - 1);
        let headers =
            [("content-range", &content_range[..]), ("content-length", "1000"), ("etag", "\"v1\"")];
        answer.steps[0] = Step::Bytes(chunk(&head(206, &headers)));
        answer
    };
    for wanted in [Wanted::All, Wanted::From(0), Wanted::Range(0..u64::MAX)] {
        let service = Service::start(script).await;
        let download = || {
            let download = service.invoker().object("f", "x").wanted(wanted.clone());
            download.segment_size(SEGMENT).in_flight(2)
        };
        let mut ordered = download().in_order().await.unwrap();
        let mut got = Vec::new();
        let error = loop {
            match ordered.next_bytes().await.unwrap() {
                Ok(bytes) => got.extend_from_slice(&bytes),
                Err(error) => break error,
            }
        };
        assert!(got == pattern(2 * SEGMENT as usize));
        assert!(matches!(error.kind(), ErrorKind::Refused { status: 400, .. }), "{error}");

        let folder = tempfile::tempdir().unwrap();
        let error = download().to_file(folder.path().join("out")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { status: 400, .. }), "{error}");
        assert!(service.asked().len() < 12, "no segment is asked for ahead of its turn");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    for status in [301, 302, 307, 308] {
        let elsewhere = Service::start(|_| Answer::stream([complete("{}")])).await;
        let location = format!("http://{}/", elsewhere.addr);
        let service = Service::start(move |_| {
            let mut answer = Answer::error(status, "MovedException", "{}");
            answer.headers.push(header("location", &location));
            answer
        })
        .await;
        let error = service.invoker().invoke(Invocation::new("f")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{error}");
        assert_eq!((service.asked().len(), elsewhere.asked().len()), (1, 0));
    }
}

/// Nothing is unpacked on the way, so that nothing small becomes large: the frames are as they came.
#[tokio::test]
async fn nothing_is_unpacked() {
    let script = |_: &Asked| {
        let mut answer = Answer::stream([vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4]]);
        answer.headers.push(header("content-encoding", "gzip"));
        answer
    };
    assert_eq!(*read(script).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
