//! Streams of every manner come in; the frames that leave are looked at one by one.

use super::*;
use crate::error::BoxError;
use crate::failure::ERROR_TYPE;
use futures_util::stream::{self, StreamExt};
use http_body::Body as _;
use http_body_util::BodyExt;
use std::time::Duration;

const HEAD: &[u8] = b"{}\0\0\0\0\0\0\0\0";

fn body(stream: ByteStream, promised: Option<u64>) -> (Body, Watch) {
    Body::new(HEAD.to_vec(), promised, stream, None)
}

fn of(items: Vec<Result<&'static str, &'static str>>) -> ByteStream {
    let items = items.into_iter().map(|item| item.map(Bytes::from).map_err(BoxError::from));
    stream::iter(items.collect::<Vec<_>>()).boxed()
}

/// The data frames, and the error type in the trailers.
async fn frames(mut body: Body) -> (Vec<Bytes>, Option<String>) {
    let mut data = Vec::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        assert!(trailers.is_none(), "trailers are the end");
        match frame.unwrap().into_data() {
            Ok(bytes) => data.push(bytes),
            Err(frame) => {
                let map = frame.into_trailers().unwrap();
                trailers = Some(map[ERROR_TYPE].to_str().unwrap().to_owned());
            }
        }
    }
    (data, trailers)
}

#[tokio::test]
async fn ready_bytes_stand_behind_the_head() {
    let (body, _watch) = body(of(vec![Ok(""), Ok("one"), Ok("two")]), Some(6));
    let (data, trailers) = frames(body).await;
    assert_eq!(data, [&[HEAD, b"one"].concat()[..], b"two"]);
    assert_eq!(trailers, None);
}

#[tokio::test]
async fn nothing_stands_behind_a_head_apart() {
    for (items, wanted, failed) in [
        (vec![Ok("one"), Ok("two")], &[&b"{}"[..], &[0; 8], b"one", b"two"][..], false),
        (vec![], &[b"{}", &[0; 8]], false),
        (vec![Err("boom")], &[b"{}", &[0; 8]], true),
    ] {
        let (body, _watch) = body(of(items), None);
        let (data, trailers) = frames(body.with_the_head_apart()).await;
        assert!(data == wanted && trailers.is_some() == failed, "{data:?}");
    }
}

#[tokio::test]
async fn a_large_first_frame_is_not_copied_whole() {
    let large = Bytes::from(vec![1; 3 * JOINED_MAX_BYTES]);
    let (body, _watch) = body(stream::iter([Ok(large.clone())]).boxed(), None);
    let (data, _) = frames(body).await;
    assert_eq!(data.len(), 2);
    assert_eq!(data[0].len(), HEAD.len() + JOINED_MAX_BYTES);
    assert_eq!(data[1].as_ptr(), large[JOINED_MAX_BYTES..].as_ptr());
}

#[tokio::test]
async fn a_slow_body_does_not_keep_the_head() {
    let slow = stream::once(async {
        tokio::task::yield_now().await;
        Ok(Bytes::from("late"))
    });
    let (body, _watch) = body(slow.boxed(), None);
    assert_eq!(frames(body).await.0, [HEAD, b"late"]);
}

#[tokio::test]
async fn an_empty_body_is_a_head() {
    let (body, _watch) = body(of(vec![]), Some(0));
    assert_eq!(frames(body).await, (vec![Bytes::from(HEAD)], None));
}

#[tokio::test]
async fn what_is_not_the_end_has_trailers() {
    let panics = |first: &'static str| {
        let mut items = vec![first].into_iter();
        stream::poll_fn(move |_| match items.next() {
            Some("") | None => panic!("on purpose"),
            Some(bytes) => Poll::Ready(Some(Ok(Bytes::from(bytes)))),
        })
        .boxed()
    };
    // stream, promise -> bytes of the body, type
    for (stream, promised, wanted, error_type) in [
        (of(vec![Ok("one"), Err("boom"), Ok("two")]), None, "one", "Function.Error"),
        (of(vec![Err("boom")]), None, "", "Function.Error"),
        (panics("one"), None, "one", "Function.Panic"),
        (panics(""), None, "", "Function.Panic"),
        (of(vec![Ok("one")]), Some(4), "one", "Function.BodyTooShort"),
        (of(vec![]), Some(1), "", "Function.BodyTooShort"),
        (of(vec![Ok("one"), Ok("two")]), Some(5), "one", "Function.BodyTooLong"),
        (of(vec![Ok("one")]), Some(0), "", "Function.BodyTooLong"),
    ] {
        let (body, _watch) = body(stream, promised);
        let (data, trailers) = frames(body).await;
        assert_eq!(data.concat(), [HEAD, wanted.as_bytes()].concat());
        assert_eq!(trailers.as_deref(), Some(error_type));
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_body_that_does_not() {
    let deadline = Instant::now() + Duration::from_secs(5);
    let endless = of(vec![Ok("one")]).chain(stream::pending()).boxed();
    let (body, _watch) = Body::new(HEAD.to_vec(), None, endless, Some(deadline));
    let (data, trailers) = frames(body).await;
    assert_eq!(data.concat(), [HEAD, b"one"].concat());
    assert_eq!(trailers.as_deref(), Some("Function.DeadlineExceeded"));
    assert_eq!(Instant::now(), deadline);
}

#[tokio::test]
async fn a_body_nobody_waits_for_is_broken_off() {
    let (mut body, watch) = body(of(vec![Ok("one"), Ok("two")]), None);
    assert!(body.frame().await.unwrap().is_ok());
    drop(watch);
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn the_watch_ends_with_the_body() {
    let (body, watch) = body(of(vec![Ok("one")]), None);
    assert!(!body.is_end_stream());
    let sent = tokio::spawn(frames(body));
    watch.ended().await;
    assert!(sent.await.unwrap().1.is_none());
}

/// A body that stops at any byte before its end is never a clean end.
#[tokio::test]
async fn no_truncation_is_silent() {
    const WHOLE: &str = "0123456789";
    for cut in 0..WHOLE.len() {
        for split in 0..=cut {
            let items = vec![Ok(&WHOLE[..split]), Ok(&WHOLE[split..cut])];
            let (body, _watch) = body(of(items), Some(WHOLE.len() as u64));
            let (data, trailers) = frames(body).await;
            assert_eq!(data.concat(), [HEAD, &WHOLE.as_bytes()[..cut]].concat());
            assert_eq!(trailers.as_deref(), Some("Function.BodyTooShort"), "{cut}");
        }
    }
}
