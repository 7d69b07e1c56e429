//! Encoded answers of functions in any language come in, whole and not; the decoded result or a typed
//! error comes out of the public API, and no file that is less than whole.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use invoker::{Download, ErrorKind, Integrity, Invocation};
use support::{Answer, Asked, Service, chunk, complete, head, pattern, range_answer};

const ALL: [&str; 3] = ["zstd", "br", "gzip"];

const ETAG: &str = "\"v1\"";

fn encoded(encoding: &str, plain: &[u8]) -> Vec<u8> {
    let mut encoder: Box<dyn EncodeV2> = match encoding {
        "zstd" => Box::new(ZstdEncoder::new(3)),
        "br" => Box::new(BrotliEncoder::new(EncoderParams::default().quality(Level::Precise(3)))),
        _ => Box::new(GzipEncoder::new(Level::Precise(3).into())),
    };
    // Room for all of it.
    let mut room = vec![0; plain.len() + 1_000];
    let mut output = WriteBuffer::new_initialized(&mut room);
    let mut input = PartialBuffer::new(plain);
    while !input.unwritten().is_empty() {
        encoder.encode(&mut input, &mut output).unwrap();
    }
    while !encoder.finish(&mut output).unwrap() {}
    output.written().to_vec()
}

/// A clean answer with this body.
fn answer(headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Answer::stream([chunk(&head(200, headers)), chunk(body), complete("{}")])
}

/// A function that answers each call so.
async fn answering(
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
) -> (Service, Download) {
    let service = Service::start(move |_| answer(headers, &body)).await;
    let download = service.invoker().download(Invocation::new("f"));
    (service, download)
}

async fn read(download: Download) -> Result<(Vec<u8>, invoker::Report), invoker::Error> {
    let mut ordered = download.in_order().await?;
    let mut all = Vec::new();
    while let Some(bytes) = ordered.next_bytes().await {
        all.extend_from_slice(&bytes?);
    }
    Ok((all, ordered.report().unwrap().clone()))
}

#[tokio::test]
async fn all_encodings_are_asked_for_and_decoded() {
    let plain = pattern(300_000);
    for encoding in ALL {
        let body = encoded(encoding, &plain);
        let len = body.len();
        let service = Service::start(move |asked: &Asked| {
            assert_eq!(asked.custom["accept-encoding"], "zstd, br, gzip");
            let length = body.len().to_string();
            let headers = [("content-encoding", encoding), ("content-length", length.as_str())];
            let slices = body.chunks(10_007).map(chunk);
            let frames = [chunk(&head(200, &headers))].into_iter().chain(slices);
            Answer::stream(frames.chain([complete("{}")]))
        })
        .await;
        let download = || service.invoker().download(Invocation::new("f"));
        let (got, report) = read(download()).await.unwrap();
        assert!(got == plain, "{encoding}");
        assert_eq!(report.snapshot.bytes, plain.len() as u64);
        assert_eq!(report.snapshot.encoded_bytes, len as u64, "{encoding}");
        // The promise is of the encoded bytes; nobody knows how many they stand for.
        assert_eq!((report.description.size, report.snapshot.wanted_bytes), (None, None));
        let folder = tempfile::tempdir().unwrap();
        let report = download().to_file(folder.path().join("out")).await.unwrap();
        assert!(std::fs::read(folder.path().join("out")).unwrap() == plain, "{encoding}");
        assert_eq!(report.snapshot.encoded_bytes, len as u64, "{encoding}");
    }
}

/// The service calls each of these whole: `InvokeComplete` comes, and nobody has promised a length.
#[tokio::test]
async fn an_encoding_that_is_cut_anywhere_is_truncated() {
    let plain = b"some words, some words, and a few more words".repeat(3);
    let folder = tempfile::tempdir().unwrap();
    for (encoding, headers) in [
        ("zstd", &[("content-encoding", "zstd")]),
        ("br", &[("content-encoding", "br")]),
        ("gzip", &[("content-encoding", "gzip")]),
    ] {
        let body = encoded(encoding, &plain);
        for end in 0..body.len() {
            let (_service, download) = answering(headers, body[..end].to_vec()).await;
            let error = download.to_file(folder.path().join("out")).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Truncated, "{encoding} at {end}: {error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        let (_service, download) = answering(headers, [&body[..], b"more"].concat()).await;
        let error = download.to_file(folder.path().join("out")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Corrupt, "{encoding}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_no_result_and_can_be_had_as_it_comes() {
    for (headers, name) in [
        (&[("content-encoding", "compress")], "compress"),
        (&[("content-encoding", "gzip, br")], "gzip, br"),
    ] {
        let (service, download) = answering(headers, b"odd".to_vec()).await;
        let error = read(download).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Inconsistent);
        let words = error.to_string();
        assert!(words.contains(name) && words.contains("without compression"), "{words}");

        let download = service.invoker().download(Invocation::new("f")).compression(false);
        let (got, report) = read(download).await.unwrap();
        assert_eq!(got, b"odd");
        assert_eq!(report.description.encoding.as_deref(), Some(name));
        assert!(!service.asked().last().unwrap().custom.contains_key("accept-encoding"));
    }
    // What was not asked for is decoded like what was; what is no gzip is none.
    let (_service, download) =
        answering(&[("content-encoding", "gzip")], b"not any gzip".to_vec()).await;
    assert_eq!(*read(download).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn the_callers_own_wish_is_asked() {
    let service = Service::start(|_| answer(&[], b"plain")).await;
    for name in ["accept-encoding", "Accept-Encoding"] {
        let invocation = Invocation::new("f").custom(name, "identity");
        read(service.invoker().download(invocation)).await.unwrap();
        let custom = service.asked().last().unwrap().custom.clone();
        let asked: Vec<_> =
            custom.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).collect();
        assert_eq!(asked, [(&name.to_owned(), &"identity".to_owned())]);
    }
}

#[tokio::test]
async fn ranges_are_of_bytes_that_are_not_encoded() {
    let plain = pattern(1_000);
    let other = encoded("gzip", &plain);
    let served = plain.clone();
    // One that encodes first and cuts ranges after it, if it may.
    let service = Service::start(move |asked| {
        let Some(range) = asked.range().filter(|_| asked.custom.contains_key("accept-encoding"))
        else {
            return range_answer(&served, ETAG, asked);
        };
        let end = (range.end as usize).min(other.len());
        let (length, part) = (end.to_string(), format!("bytes 0-{}/{}", end - 1, other.len()));
        let headers = [
            ("content-encoding", "gzip"),
            ("content-length", length.as_str()),
            ("content-range", &part),
            ("etag", "\"v1-gzip\""),
        ];
        Answer::stream([chunk(&head(206, &headers)), chunk(&other[..end]), complete("{}")])
    })
    .await;
    let download = service.invoker().download(Invocation::new("f")).segment_size(300);
    let (got, report) = read(download).await.unwrap();
    assert!(got == plain);
    assert_eq!((report.description.encoding, report.snapshot.segments), (None, 4));
}

#[tokio::test]
async fn a_sum_in_the_head_is_of_the_encoded_bytes() {
    // The sum of no bytes is zero; that of these is another.
    const ZERO: &str = "AAAAAAAAAAA=";
    let body = encoded("gzip", b"words");
    let headers: &[_] = &[("content-encoding", "gzip"), ("x-amz-checksum-crc64nvme", ZERO)];
    let (_service, download) = answering(headers, body.clone()).await;
    let error = read(download).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Corrupt);
    // Its message has the sum that it should have been.
    let words = error.to_string();
    let sum = words.split("crc64nvme:").nth(1).and_then(|rest| rest.get(..16)).unwrap();
    let sum = u64::from_str_radix(sum, 16).unwrap();
    let right = aws_smithy_types::base64::encode(sum.to_be_bytes());
    let service = Service::start(move |_| {
        let headers = [("content-encoding", "gzip"), ("x-amz-checksum-crc64nvme", &*right)];
        answer(&headers, &body)
    })
    .await;
    let download = service.invoker().download(Invocation::new("f"));
    let (got, report) = read(download).await.unwrap();
    assert_eq!(got, b"words");
    assert!(matches!(report.integrity, Integrity::Verified { .. }), "{report:?}");
}

/// As `lambda_runtime` ends a stream that fails: in words, where an encoding should go on.
#[tokio::test]
async fn an_error_written_into_an_encoding_is_that_error() {
    const TEXT: &[u8] = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                          Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";
    for encoding in ALL {
        let whole = encoded(encoding, b"some words that nobody hears the end of");
        for cut in [whole.len() / 2, whole.len()] {
            let body = [&whole[..cut], TEXT].concat();
            let service = Service::start(move |_| {
                let frames = [
                    chunk(&head(200, &[("content-encoding", encoding)])),
                    chunk(&body),
                    complete("{}"),
                ];
                Answer::stream(frames)
            })
            .await;
            let error = read(service.invoker().download(Invocation::new("f"))).await.unwrap_err();
            let is_function = matches!(error.kind(), ErrorKind::Function { .. });
            assert!(is_function, "{encoding} after {cut}: {error}");
        }
    }
}

/// A bomb costs the time of those who read it, and no memory: it ends where they stop.
#[tokio::test]
async fn a_bomb_is_read_as_far_as_it_is_wanted() {
    const PLAIN: usize = 64 << 20;
    let body = encoded("zstd", &vec![0; PLAIN]);
    assert!(body.len() < 64 * 1024, "one frame");
    let (_service, download) = answering(&[("content-encoding", "zstd")], body).await;
    let mut ordered = download.in_order().await.unwrap();
    let mut got = 0;
    while got < PLAIN / 2 {
        let bytes = ordered.next_bytes().await.unwrap().unwrap();
        assert!(bytes.len() <= 64 * 1024);
        got += bytes.len();
    }
}

#[tokio::test]
async fn a_refusal_may_be_encoded_too() {
    let body = encoded("gzip", br#"{"message": "no such row"}"#);
    let service = Service::start(move |_| {
        let head = head(404, &[("content-encoding", "gzip")]);
        Answer::stream([chunk(&head), chunk(&body), complete("{}")])
    })
    .await;
    let error = read(service.invoker().download(Invocation::new("f"))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer { status: 404 });
    assert!(error.to_string().contains("no such row"), "{error}");
}
