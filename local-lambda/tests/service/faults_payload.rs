//! Faults of the payload, before there are frames: what the official decoder makes of the frames.

use super::wire::{BODY, BUFFERED, End, STREAMING, Wire, answer, ask, compare};
use aws_smithy_eventstream::frame::read_message_from;
use serde_json::{Value, json};

const TRAILER_TEXT: &str = "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                            Lambda-Runtime-Function-Error-Body: Ym9vbSBtaWQgc3RyZWFt\r\n";

/// The payloads of the frames, and that of the last.
fn payloads(wire: &Wire) -> (Vec<Vec<u8>>, String) {
    assert_eq!((wire.status, wire.end), (200, End::Whole));
    let mut rest = &wire.body[..];
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        payloads.push(read_message_from(&mut rest).unwrap().payload().to_vec());
    }
    let last = payloads.pop().unwrap();
    (payloads, String::from_utf8(last).unwrap())
}

/// The payload without and with a fault. Both ends have to be clean.
async fn changed(fault: &str) -> (String, String) {
    let (clean, faulty) = compare(STREAMING, &answer(), &[fault]).await;
    let text = |wire: &Wire| {
        let (payloads, end) = payloads(wire);
        assert_eq!(end, "{}", "{fault}");
        String::from_utf8(payloads.concat()).unwrap()
    };
    (text(&clean), text(&faulty))
}

/// Head and body, if the payload has both.
fn parts(payload: &str) -> (Value, &str) {
    let (head, body) = payload.split_once("\0\0\0\0\0\0\0\0").unwrap();
    (serde_json::from_str(head).unwrap(), body)
}

#[tokio::test]
async fn payload_comes_in_small_frames() {
    for (fault, head, body) in [("split=1", 1, 1), ("split=1:head", 1, 10), ("split=4", 4, 4)] {
        let (clean, split) = compare(STREAMING, &answer(), &[fault]).await;
        let (clean, split) = (payloads(&clean).0, payloads(&split).0);
        assert_eq!(split.concat(), clean.concat(), "{fault}");
        let heads = clean[0].len().div_ceil(head);
        assert!(split[..heads].iter().all(|frame| frame.len() <= head), "{fault}");
        assert_eq!(split.len() - heads, 3 * 10_usize.div_ceil(body), "{fault}");
    }
}

#[tokio::test]
async fn the_head_is_missing_large_or_says_something_else() {
    assert_eq!(changed("no-head").await.1, BODY);
    let (clean, padded) = changed("pad-head=20000").await;
    assert_eq!(padded.len(), 20_000 + BODY.len());
    assert_eq!(parts(&padded), parts(&clean));

    let headers = |payload: &str| parts(payload).0["headers"].clone();
    let (clean, set) = changed("header=content-range:bytes 5-9/10").await;
    let mut wanted = headers(&clean);
    wanted["content-range"] = "bytes 5-9/10".into();
    assert_eq!((headers(&set), parts(&set).1), (wanted, BODY));
    let etag = changed("header=ETag:\"v2\"").await.1;
    assert_eq!(headers(&etag), json!({"content-length": "30", "ETag": "\"v2\""}));
    let unset = changed("no-header=Etag").await.1;
    assert_eq!(headers(&unset), json!({"content-length": "30"}));
    assert_eq!(parts(&unset).1, BODY);
}

#[tokio::test]
async fn the_body_has_other_bytes_and_a_clean_end() {
    let (clean, shorter) = changed("shorten=7").await;
    assert_eq!(shorter, clean[..clean.len() - 7]);
    let (clean, longer) = changed("lengthen=70000").await;
    assert_eq!(longer, clean + &"x".repeat(70_000));
    // Of '5', 0x35, the lowest bit.
    let (clean, flipped) = changed("flip-body=5.0").await;
    assert_eq!(flipped, clean.replace("012345", "012344"));
}

#[tokio::test]
async fn the_text_of_lambda_runtime_ends_the_payload() {
    let (clean, _) = changed("no-header=none").await;
    for bytes in [0, 10, clean.len() - 12, clean.len()] {
        let (clean, ended) = changed(&format!("trailer-text={bytes}")).await;
        assert_eq!(ended, clean[..bytes].to_owned() + TRAILER_TEXT);
    }
}

#[tokio::test]
async fn a_head_never_ends() {
    let local = super::support::quiet()
        .limits(local_lambda::Limits::off())
        .function(super::support::raw())
        .fault(local_lambda::Fault::EndlessHead)
        .start()
        .await
        .unwrap();
    let mut asked = ask(&local, STREAMING, "", &answer()).await;
    let wire = asked.until(|wire| wire.body.len() > 1_000_000).await;
    assert_eq!(wire.end, End::Closed, "so far");
    let mut rest = &wire.body[..];
    let mut head = Vec::new();
    while let Some(length) = rest.first_chunk::<4>()
        && u32::from_be_bytes(*length) as usize <= rest.len()
    {
        head.extend_from_slice(read_message_from(&mut rest).unwrap().payload());
    }
    assert!(head.starts_with(b"{\"statusCode\":200,\"headers\":{\"x-endless\":\"xxxxxxxx"));
    assert!(head.len() > 900_000 && !head.contains(&0) && head.ends_with(b"xxxxxxxx"));
    // The function is held until its caller leaves.
    assert_eq!(local.stats().invocations_running, 1);
    drop(asked);
    super::support::until("it goes on", || local.stats().invocations_running == 0).await;
}

#[tokio::test]
async fn an_endless_head_ends_at_the_limit() {
    let local = super::support::quiet()
        .limits(local_lambda::Limits::off().with_streamed_response_bytes(Some(100_000)))
        .function(super::support::raw())
        .fault(local_lambda::Fault::EndlessHead)
        .start()
        .await
        .unwrap();
    let (payload, end) = payloads(&ask(&local, STREAMING, "", &answer()).await.read().await);
    assert_eq!(payload.concat().len(), 100_000);
    assert!(end.contains("Function.ResponseSizeTooLarge"), "{end}");
}

#[tokio::test]
async fn without_a_head_all_is_body() {
    for (payload, text) in [
        (json!({"do": "answer", "chunks": [BODY]}), BODY),
        // A brace, but no end of a head.
        (json!({"do": "answer", "chunks": ["{\"a\":", "1}"]}), "{\"a\":1}"),
    ] {
        let faults = ["no-head", "pad-head=99", "header=a:b"];
        let (_, same) = compare(STREAMING, &payload, &faults).await;
        assert_eq!(payloads(&same).0.concat(), text.as_bytes());
        let (_, shorter) = compare(STREAMING, &payload, &["shorten=1"]).await;
        assert_eq!(payloads(&shorter).0.concat(), text.as_bytes()[..text.len() - 1]);
    }
}

#[tokio::test]
async fn a_function_that_fails_has_failed_all_the_same() {
    let fails = json!({"do": "trailers"});
    let (clean, same) = compare(STREAMING, &fails, &["lengthen=5"]).await;
    assert_eq!(payloads(&same), payloads(&clean));
    let (_, shorter) = compare(STREAMING, &fails, &["shorten=1"]).await;
    let (payload, end) = payloads(&shorter);
    assert_eq!(payload.concat(), b"som");
    assert!(end.contains("Function.Boom"), "{end}");
    // That text is what hides a failure.
    let (_, hidden) = compare(STREAMING, &fails, &["trailer-text=4"]).await;
    let (payload, end) = payloads(&hidden);
    assert_eq!((payload.concat(), end), (format!("some{TRAILER_TEXT}").into_bytes(), "{}".into()));
}

#[tokio::test]
async fn the_answer_of_invoke_has_them_too() {
    let (clean, faulty) = compare(BUFFERED, &answer(), &["no-head", "shorten=3"]).await;
    assert!(clean.body.ends_with(BODY.as_bytes()));
    assert_eq!(faulty.body, BODY.as_bytes()[..27]);
    let (clean, same) = compare(BUFFERED, &answer(), &["endless-head"]).await;
    assert_eq!(same.body, clean.body);
}
