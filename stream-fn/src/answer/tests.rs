//! Asks and objects come in; status, headers and body are held against RFC 9110 and the contract.

use super::*;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

const BYTES: &[u8] = b"0123456789";

fn ask() -> Ask {
    Ask {
        kind: RequestKind::HttpApi,
        method: Method::GET,
        range: None,
        if_match: None,
        if_none_match: None,
        if_range: None,
        #[cfg(feature = "compression")]
        accept_encoding: None,
    }
}

fn object() -> Object {
    let version = Version::new("v1").unwrap();
    let metadata = Metadata {
        content_type: "text/plain".to_owned(),
        last_modified: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        crc64nvme: Some(0x0102_0304_0506_0708),
        ..Metadata::new(BYTES.len() as u64, version)
    };
    Object::new(metadata, |range| {
        let bytes = &BYTES[range.start as usize..range.end as usize];
        stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
    })
}

/// The head's JSON, the promise, the body.
async fn sent(ask: &Ask, response: Response) -> (Value, Option<u64>, Vec<u8>) {
    let Answer::Streamed { head, promised, body } = answer(ask, response).await.unwrap() else {
        panic!("the answer should have a head")
    };
    let head = serde_json::from_slice(&head[..head.len() - 8]).unwrap();
    let frames: Vec<_> = body.collect().await;
    (head, promised, frames.into_iter().flat_map(|frame| frame.unwrap()).collect())
}

#[tokio::test]
async fn the_whole_object() {
    let (head, promised, body) = sent(&ask(), Response::object(object())).await;
    let wanted = serde_json::json!({
        "statusCode": 200,
        "cookies": [],
        "headers": {
            "accept-ranges": "bytes",
            "content-length": "10",
            "content-type": "text/plain",
            "etag": "\"v1\"",
            "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
            "x-amz-checksum-crc64nvme": "AQIDBAUGBwg=",
        },
    });
    assert_eq!(head, wanted);
    assert_eq!((promised, body.as_slice()), (Some(10), BYTES));
}

#[tokio::test]
async fn a_range_of_it() {
    let ask = Ask { range: RangeAsk::parse("bytes=2-5"), ..ask() };
    let (head, promised, body) = sent(&ask, Response::object(object())).await;
    assert_eq!(head["statusCode"], 206);
    assert_eq!(head["headers"]["content-range"], "bytes 2-5/10");
    assert_eq!(head["headers"]["content-length"], "4");
    assert_eq!(head["headers"]["accept-ranges"], "bytes");
    assert_eq!(head["headers"]["x-amz-checksum-crc64nvme"], "AQIDBAUGBwg=");
    assert_eq!((promised, body.as_slice()), (Some(4), &b"2345"[..]));
}

#[tokio::test]
async fn an_object_that_is_stored_encoded_says_so() {
    let stored = || {
        let version = Version::new("v1").unwrap();
        let metadata = Metadata {
            content_encoding: Some("gzip".to_owned()),
            ..Metadata::new(BYTES.len() as u64, version.clone())
        };
        let read = |range| Object::from_bytes(BYTES, version).read(range);
        Response::object(Object::new(metadata, read))
    };
    for (range, status) in [(None, 200), (RangeAsk::parse("bytes=2-5"), 206)] {
        let (head, ..) = sent(&Ask { range, ..ask() }, stored()).await;
        assert_eq!(head["statusCode"], status);
        assert_eq!(head["headers"]["content-encoding"], "gzip");
    }
    let none = Ask { range: RangeAsk::parse("bytes=10-"), ..ask() };
    let (head, ..) = sent(&none, stored()).await;
    assert_eq!(head["statusCode"], 416);
    assert!(head["headers"].get("content-encoding").is_none(), "the refusal is JSON");
}

#[tokio::test]
async fn no_byte_of_the_range_exists() {
    let ask = Ask { range: RangeAsk::parse("bytes=10-"), ..ask() };
    let (head, promised, body) = sent(&ask, Response::object(object())).await;
    assert_eq!(head["statusCode"], 416);
    assert_eq!(head["headers"]["content-range"], "bytes */10");
    assert_eq!(head["headers"]["etag"], "\"v1\"");
    assert_eq!(promised, Some(body.len() as u64));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["message"].is_string());

    let empty = Object::from_bytes(Bytes::new(), Version::new("e").unwrap());
    let ask = Ask { range: RangeAsk::parse("bytes=0-99"), ..ask };
    let (head, ..) = sent(&ask, Response::object(empty)).await;
    assert_eq!(head["headers"]["content-range"], "bytes */0");
}

#[tokio::test]
async fn preconditions_decide_in_the_order_of_rfc_9110() {
    // if-match, if-none-match, if-range, range -> status
    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    let range = "bytes=0-1";
    for (if_match, if_none_match, if_range, range, status) in [
        (Some("\"v1\""), None, None, None, 200),
        (Some("*"), None, None, Some(range), 206),
        (Some("\"v0\", \"v1\""), None, None, Some(range), 206),
        (Some("W/\"v1\""), None, None, Some(range), 412),
        (Some("\"v2\""), None, None, Some("bytes=99-"), 412),
        (Some("\"v2\""), Some("\"v1\""), None, None, 412),
        (Some("\"v1\""), Some("\"v1\""), None, None, 304),
        (None, Some("W/\"v1\""), None, Some(range), 304),
        (None, Some("*"), None, None, 304),
        (None, Some("\"v2\""), None, Some(range), 206),
        (None, None, Some("\"v1\""), Some(range), 206),
        (None, None, Some("\"v2\""), Some(range), 200),
        (None, None, Some("\"v2\""), Some("bytes=99-"), 200),
        (None, None, Some("W/\"v1\""), Some(range), 200),
        (None, None, Some("*"), Some(range), 200),
        (None, None, Some(DATE), Some(range), 206),
        (None, None, Some("Tue, 14 Nov 2023 22:13:21 GMT"), Some(range), 200),
        (None, None, None, Some("bytes=0-1,3-4"), 200),
        (None, None, None, Some("bytes=99-"), 416),
    ] {
        let ask = Ask {
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.map(str::to_owned),
            if_range: if_range.map(str::to_owned),
            range: range.and_then(RangeAsk::parse),
            ..ask()
        };
        let (head, promised, body) = sent(&ask, Response::object(object())).await;
        assert_eq!(head["statusCode"], status, "{ask:?}");
        assert_eq!(head["headers"]["etag"], "\"v1\"");
        assert_eq!(promised, Some(body.len() as u64));
        if status == 304 {
            assert!(body.is_empty());
            assert!(head["headers"].get("content-length").is_none());
        }
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_whole() {
    let ask = Ask { method: Method::HEAD, range: RangeAsk::parse("bytes=0-1"), ..ask() };
    let (head, promised, body) = sent(&ask, Response::object(object())).await;
    assert_eq!(head["statusCode"], 200);
    assert_eq!(head["headers"]["content-length"], "10");
    assert_eq!((promised, body.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_value_has_a_head_only_for_http() {
    let value = serde_json::json!({"a": 1});
    let plain = Ask { kind: RequestKind::Plain, ..ask() };
    match answer(&plain, Response::value(&value)).await.unwrap() {
        Answer::Buffered(json) => assert_eq!(json, "{\"a\":1}"),
        other => panic!("{other:?}"),
    }
    for kind in [RequestKind::HttpApi, RequestKind::Rest] {
        let ask = Ask { kind, ..ask() };
        let response = Response::json(&value).status(StatusCode::CREATED).cookie("c=1");
        let (head, promised, body) = sent(&ask, response).await;
        assert_eq!(head["statusCode"], 201);
        assert_eq!(head["cookies"][0], "c=1");
        assert_eq!(head["headers"]["content-type"], "application/json");
        assert_eq!((promised, body.as_slice()), (Some(7), &b"{\"a\":1}"[..]));
    }
    let large = "x".repeat(BUFFERED_MAX_BYTES);
    let (_, promised, body) = sent(&plain, Response::value(&large)).await;
    assert_eq!(promised, Some(body.len() as u64));
}

#[tokio::test]
async fn a_stream_promises_nothing_unless_told_to() {
    let make = || Response::stream(stream::iter([Ok::<_, BoxErrorOf>("abc")]));
    let (head, promised, body) = sent(&ask(), make().header("x-n", "1")).await;
    assert_eq!(head["headers"]["x-n"], "1");
    assert!(head["headers"].get("content-length").is_none());
    assert!(head["headers"].get("accept-ranges").is_none());
    assert_eq!((promised, body.as_slice()), (None, &b"abc"[..]));
    let (head, promised, _) = sent(&ask(), make().content_length(5)).await;
    assert_eq!((head["headers"]["content-length"].as_str(), promised), (Some("5"), Some(5)));
}

type BoxErrorOf = crate::error::BoxError;

#[tokio::test]
async fn flaws_fail_before_anything_is_sent() {
    for response in [
        Response::value("x").header("a b", "c"),
        Response::value("x").header("a", "b\r\nc: d"),
        Response::refusal(StatusCode::OK, "").header("x", &"v".repeat(20_000)),
        Response::refusal(StatusCode::OK, "").header("content-length", "2"),
        Response::value("x").content_type("\n"),
    ] {
        assert_eq!(
            answer(&ask(), response).await.unwrap_err().error_type(),
            "Function.InvalidHead"
        );
    }
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    let failure = answer(&ask(), Response::value(&unwritable)).await.unwrap_err();
    assert_eq!(failure.error_type(), "Function.InvalidValue");
}

/// A sum that is looked for when it is answered with, and the ranges it was looked for with.
#[tokio::test]
async fn a_sum_is_looked_for_once_and_only_for_bytes() {
    for (ask, wanted) in [
        (ask(), Some(0..10)),
        (Ask { range: RangeAsk::parse("bytes=2-5"), ..ask() }, Some(2..6)),
        (Ask { method: Method::HEAD, ..ask() }, Some(0..10)),
        (Ask { if_none_match: Some("*".to_owned()), ..ask() }, None),
        (Ask { if_match: Some("\"v0\"".to_owned()), ..ask() }, None),
        (Ask { range: RangeAsk::parse("bytes=10-"), ..ask() }, None),
    ] {
        for found in [None, Some(0x0102_0304_0506_0708)] {
            let (asked, ranges) = std::sync::mpsc::channel();
            let object = Object::from_bytes(BYTES, Version::new("v1").unwrap());
            let object = object.with_checksum(move |range| {
                asked.send(range).unwrap();
                Box::pin(async move { found })
            });
            let (head, ..) = sent(&ask, Response::object(object)).await;
            assert_eq!(ranges.try_iter().collect::<Vec<_>>(), Vec::from_iter(wanted.clone()));
            let said = head["headers"].get("x-amz-checksum-crc64nvme").and_then(Value::as_str);
            assert_eq!(said, found.and(wanted.as_ref()).map(|_| "AQIDBAUGBwg="));
        }
    }
    let known = object().with_checksum(|_| panic!("it is known"));
    sent(&ask(), Response::object(known)).await;
}

/// Behind an encoder too, and though the next words are there already.
#[cfg(feature = "compression")]
#[tokio::test]
async fn a_flush_is_now() {
    use tokio::io::AsyncWriteExt;
    let asynchronous = Response::writer(|mut writer| async move {
        for text in ["one", "two"] {
            writer.write_all(text.as_bytes()).await?;
            writer.flush().await?;
        }
        std::io::Result::Ok(())
    });
    let blocking = Response::blocking_writer(|writer| {
        use std::io::Write;
        for text in ["one", "two"] {
            writer.write_all(text.as_bytes())?;
            writer.flush()?;
        }
        std::io::Result::Ok(())
    });
    for response in [asynchronous, blocking] {
        let ask = Ask { accept_encoding: Some("gzip".to_owned()), ..ask() };
        let settled = settle(&ask, response.content_type("text/plain")).await.unwrap();
        assert_eq!(settled.headers["content-encoding"], "gzip");
        let frames: Vec<_> = settled.body.map(Result::unwrap).collect().await;
        assert_eq!(frames.len(), 3, "two flushes and the end: {frames:?}");
    }
}
