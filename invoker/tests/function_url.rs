//! Functions that are called by their URLs: what goes over the wire, what is whole, and what is not.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use aws_sdk_lambda::config::Credentials;
use invoker::{ErrorKind, FunctionUrls, HttpClient, Integrity, Invocation, Invoker};
use support::{Answer, Asked, Service, Step, header, pattern};

const ETAG: &str = "\"v1\"";

fn http_client() -> HttpClient {
    HttpClient::builder().no_roots().build().unwrap()
}

fn unsigned() -> Invoker {
    Invoker::of_function_urls(FunctionUrls::unsigned(http_client()))
}

fn url(service: &Service) -> String {
    format!("http://{}", service.addr)
}

/// An HTTP answer in chunks.
fn answer(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| header(name, *value)).collect();
    headers.push(header("x-amzn-requestid", "request-of-a-test"));
    Answer { status, headers, steps: vec![Step::Bytes(body)], raw: false }
}

/// The part of `bytes` that is asked for, as a web server gives it.
fn part(bytes: &[u8], asked: &Asked) -> Answer {
    let size = bytes.len() as u64;
    let range = asked.range().unwrap();
    let range = range.start..range.end.min(size);
    let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    let body = bytes[range.start as usize..range.end as usize].to_vec();
    answer(206, &[("content-range", &told), ("etag", ETAG), ("accept-ranges", "bytes")], body)
}

#[tokio::test]
async fn an_object_is_fetched_by_ranges_of_http() {
    let bytes = pattern(100_000);
    let served = bytes.clone();
    let service = Service::start(move |asked| part(&served, asked)).await;
    let credentials =
        Credentials::new("AKID", "secret", Some("session".to_owned()), None, "a test");
    let urls = FunctionUrls::signed(http_client(), credentials).region("eu-west-1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let download = Invoker::of_function_urls(urls)
        .object(format!("{}/base/", url(&service)), "a file.bin")
        .segment_size(30_000);
    let report = download.to_file(&path).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert!(matches!(report.integrity, Integrity::NotVerified { .. }));
    assert_eq!(report.snapshot.segments, 4);

    let asked = service.asked();
    assert_eq!(asked.len(), 4);
    let mut ranges: Vec<_> = asked.iter().map(|asked| asked.range().unwrap().start).collect();
    ranges.sort_unstable();
    assert_eq!(ranges, [0, 30_000, 60_000, 90_000]);
    for asked in &asked {
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/base/a%20file.bin"));
        let authorization = &asked.headers["authorization"];
        assert!(authorization.contains("/eu-west-1/lambda/aws4_request"), "{authorization}");
        assert_eq!(asked.headers["x-amz-security-token"], "session");
        assert_eq!(asked.headers.contains_key("if-match"), asked.number > 0);
    }
}

#[tokio::test]
async fn a_segment_that_is_cut_goes_on_where_it_stopped() {
    let bytes = pattern(100_000);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = part(&served, asked);
        if asked.number == 0 {
            let Some(Step::Bytes(body)) = answer.steps.first_mut() else { unreachable!() };
            body.truncate(40_000);
            answer.steps.push(Step::Cut);
        }
        answer
    };
    let service = Service::start(script).await;
    let mut arriving = unsigned().object(url(&service), "x").in_order().await.unwrap();
    let mut all = Vec::new();
    while let Some(next) = arriving.next_bytes().await {
        all.extend_from_slice(&next.unwrap());
    }
    assert!(all == bytes);
    let starts: Vec<_> = service.asked().iter().map(|asked| asked.range().unwrap().start).collect();
    assert_eq!(starts, [0, 40_000]);
}

#[tokio::test]
async fn a_plain_stream_is_whole_with_its_last_chunk() {
    let service = Service::start(|asked| {
        let mut answer = answer(200, &[("content-type", "text/plain")], b"words".to_vec());
        if asked.number > 0 {
            answer.steps.push(Step::Cut);
        }
        answer
    })
    .await;
    let invocation = Invocation::new(url(&service)).payload("{\"a\": 1}").custom("x-own", "2");
    let mut whole = unsigned().invoke(invocation.clone()).await.unwrap();
    assert_eq!(whole.head().unwrap().header("content-type"), Some("text/plain"));
    assert_eq!(whole.request_id(), Some("request-of-a-test"));
    assert_eq!(&whole.next_bytes().await.unwrap().unwrap()[..], b"words");
    assert!(whole.next_bytes().await.is_none());
    let asked = &service.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/"));
    assert_eq!((&asked.payload[..], &asked.headers["x-own"][..]), (&b"{\"a\": 1}"[..], "2"));
    assert!(!asked.headers.contains_key("authorization"));

    let mut cut = unsigned().invoke(invocation).await.unwrap();
    let error = loop {
        if let Err(error) = cut.next_bytes().await.unwrap() {
            break error;
        }
    };
    assert_eq!(*error.kind(), ErrorKind::Truncated);
    assert_eq!(error.request_id(), Some("request-of-a-test"));
    assert!(cut.next_bytes().await.is_none());
}

/// What a REST API makes of the function's headers: it sends chunks, and gives some another name.
const RENAMED: [(&str, &str); 4] = [
    ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
    ("x-amzn-remapped-date", "Sat, 21 Nov 2026 11:59:59 GMT"),
    ("x-amzn-remapped-connection", "keep-alive"),
    ("x-amz-apigw-id", "abcdefgh="),
];

#[tokio::test]
async fn headers_that_an_api_renames_are_not_missed() {
    let bytes = pattern(100_000);
    let served = bytes.clone();
    let service = Service::start(move |asked| {
        let mut answer = part(&served, asked);
        let Some(Step::Bytes(body)) = answer.steps.first() else { unreachable!() };
        let length = ("x-amzn-remapped-content-length", &*body.len().to_string());
        let renamed = RENAMED.iter().chain([&length]).map(|(name, value)| header(name, *value));
        answer.headers.extend(renamed.collect::<Vec<_>>());
        answer
    })
    .await;
    let download = unsigned().object(format!("{}/stage", url(&service)), "x").segment_size(40_000);
    let mut arriving = download.in_order().await.unwrap();
    let mut all = Vec::new();
    while let Some(next) = arriving.next_bytes().await {
        all.extend_from_slice(&next.unwrap());
    }
    assert!(all == bytes);
    assert_eq!(service.asked().len(), 3);
    assert_eq!(service.asked()[0].target, "/stage/x");
}

#[tokio::test]
async fn a_last_chunk_before_a_renamed_length_is_no_end() {
    let length = ("x-amzn-remapped-content-length", "9");
    let service = Service::start(move |_| answer(200, &[length], b"words".to_vec())).await;
    let mut short = unsigned().invoke(Invocation::new(url(&service))).await.unwrap();
    assert_eq!(short.promised_len(), Some(9));
    assert_eq!(&short.next_bytes().await.unwrap().unwrap()[..], b"words");
    let error = short.next_bytes().await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Truncated);
}

#[tokio::test]
async fn an_answer_without_length_and_chunks_proves_nothing() {
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwords";
    let service = Service::start(|_| Answer::raw([Step::Bytes(head.to_vec())])).await;
    let error = unsigned().invoke(Invocation::new(url(&service))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Inconsistent);

    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nwords";
    let service = Service::start(|_| Answer::raw([Step::Bytes(head.to_vec())])).await;
    let mut short = unsigned().invoke(Invocation::new(url(&service))).await.unwrap();
    assert_eq!(short.promised_len(), Some(9));
    assert_eq!(&short.next_bytes().await.unwrap().unwrap()[..], b"words");
    let error = short.next_bytes().await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Truncated);
}

#[tokio::test]
async fn refusals_of_the_service_are_told_from_those_of_the_function() {
    let table = [
        (403, Some("AccessDeniedException"), r#"{"Message":"Forbidden"}"#),
        (429, Some("TooManyRequestsException:http://x"), r#"{"message":"slower"}"#),
        (404, None, r#"{"message":"no such object"}"#),
        (502, None, "Internal Server Error"),
    ];
    let service = Service::start(move |asked| {
        let (status, code, body) = table[asked.number];
        let code: Vec<_> = code.map(|code| ("x-amzn-errortype", code)).into_iter().collect();
        answer(status, &code, body.as_bytes().to_vec())
    })
    .await;
    let expected = [
        (ErrorKind::Refused { status: 403, code: "AccessDeniedException".into() }, "Forbidden"),
        (ErrorKind::Throttled { reason: None }, "slower"),
        (ErrorKind::Answer { status: 404 }, "no such object"),
        (ErrorKind::Answer { status: 502 }, "502"),
    ];
    for (kind, words) in expected {
        let download = unsigned().object(url(&service), "x").retries(0);
        let error = download.throttle_patience(std::time::Duration::ZERO).in_order().await;
        let error = error.unwrap_err();
        assert_eq!(*error.kind(), kind);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.request_id(), Some("request-of-a-test"));
    }
}

#[tokio::test]
async fn names_and_urls_are_called_by_who_can() {
    let error = unsigned().invoke(Invocation::new("name")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidInput);
    let service = Service::start(|_| answer(200, &[], Vec::new())).await;
    let error = unsigned().dry_run(&Invocation::new(url(&service))).await.unwrap_err();
    assert_eq!(error.to_string(), "a Function URL has no dry run");
    let by_name = service.invoker();
    let error = by_name.invoke(Invocation::new(url(&service))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidInput);
    let both = by_name.function_urls(FunctionUrls::unsigned(http_client()));
    assert!(both.invoke(Invocation::new(url(&service))).await.is_ok());
    assert_eq!(service.asked().len(), 1);
}
