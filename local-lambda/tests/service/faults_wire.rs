//! Faults between frames and socket: the bytes, their ends, and when they come.

use super::support::{quiet, raw};
use super::wire::{BUFFERED, End, STREAMING, answer, ask, borders, call, compare};
use local_lambda::{Fault, FaultRule, LocalLambda};
use std::io::ErrorKind;

async fn with(fault: &str) -> LocalLambda {
    let rule: FaultRule = fault.parse().unwrap();
    quiet().function(raw()).fault(rule).start().await.unwrap()
}

#[tokio::test]
async fn an_answer_is_cut_at_the_byte_in_three_ways() {
    for (how, end) in [("end", End::Whole), ("close", End::Closed), ("reset", End::Reset)] {
        for bytes in [0, 1, 100, 300] {
            let fault = format!("cut={bytes}:{how}");
            let (clean, cut) = compare(STREAMING, &answer(), &[&fault]).await;
            assert_eq!((cut.status, cut.end), (200, end), "{fault}");
            assert_eq!(cut.body, clean.body[..bytes], "{fault}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_cut_at_a_frame() {
    for (place, frame, more) in [
        ("frame.1", 0, 0),
        ("frame.3", 2, 0),
        ("frame.3+12", 2, 12),
        ("frame.3+1", 2, 1),
        ("frame.last", 4, 0),
        ("frame.last+12", 4, 12),
        ("frame.4+1000", 3, 1000),
    ] {
        let (clean, cut) = compare(STREAMING, &answer(), &[&format!("cut={place}:end")]).await;
        let at = (borders(&clean.body)[frame] + more).min(clean.body.len());
        assert_eq!(cut.body, clean.body[..at], "{place}");
        assert_eq!((cut.status, cut.end), (200, End::Whole), "{place}");
    }
}

#[tokio::test]
async fn a_place_that_is_not_reached_is_no_fault() {
    for fault in ["cut=1MiB:reset", "cut=frame.9", "stall=1MiB", "crc=9", "flip=100000.0"] {
        let (clean, same) = compare(STREAMING, &answer(), &[fault]).await;
        assert_eq!((&same.body, same.end), (&clean.body, End::Whole), "{fault}");
    }
    // All bytes came, and no word of HTTP's that these are all.
    let local = quiet().function(raw()).start().await.unwrap();
    let clean = call(&local, STREAMING, &answer()).await.body;
    let (_, cut) = compare(STREAMING, &answer(), &[&format!("cut={}:close", clean.len())]).await;
    assert_eq!((cut.body, cut.end), (clean, End::Closed));
}

#[tokio::test]
async fn many_bytes_come_before_a_cut() {
    // Enough to fill the buffers of both kernels several times over.
    let payload = serde_json::json!({"do": "stream", "bytes": 4_000_000});
    for (how, end) in [("close", End::Closed), ("reset", End::Reset)] {
        let local = with(&format!("cut=3000000:{how}")).await;
        let cut = call(&local, STREAMING, &payload).await;
        assert_eq!(cut.end, end);
        match end {
            End::Closed => assert_eq!(cut.body.len(), 3_000_000),
            _ => assert!(cut.body.len() <= 3_000_000, "{}", cut.body.len()),
        }
    }
}

#[tokio::test]
async fn a_connection_is_cut_before_the_http_head() {
    for (fault, end) in [("cut=head", End::Closed), ("cut=head:reset", End::Reset)] {
        for path in [STREAMING, BUFFERED] {
            let (_, cut) = compare(path, &answer(), &[fault]).await;
            assert_eq!((cut.status, cut.end), (0, end), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_connection_whose_body_was_ended_serves_on() {
    let local = with("cut=100:end,times=1").await;
    let mut asked = ask(&local, STREAMING, "", &answer()).await;
    assert_eq!(asked.until(|_| false).await.body.len(), 100);
    let again = ask(&local, STREAMING, "", &answer()).await;
    assert!(again.read().await.body.len() > 100);
    assert_eq!(asked.stream.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_stall_for_ever_sends_no_byte_more() {
    for (fault, bytes) in [("stall=head", None), ("stall=0", Some(0)), ("stall=100", Some(100))] {
        let local = with(&format!("{fault},on=1")).await;
        let mut stalled = ask(&local, STREAMING, "", &answer()).await;
        if let Some(bytes) = bytes {
            let wire = stalled.until(|wire| wire.body.len() >= bytes).await;
            assert_eq!((wire.status, wire.body.len()), (200, bytes), "{fault}");
        }
        // Others are answered meanwhile, in full.
        assert_eq!(call(&local, STREAMING, &answer()).await.end, End::Whole, "{fault}");
        let error = stalled.stream.try_read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{fault}");
    }
}

#[tokio::test]
async fn after_a_stall_or_drop_by_drop_the_bytes_are_the_same() {
    for fault in ["stall=head:1ms", "stall=100:1ms", "stall=frame.2:1ms", "drip=7/1us"] {
        let (clean, slow) = compare(STREAMING, &answer(), &[fault]).await;
        assert_eq!((&slow.body, slow.end), (&clean.body, End::Whole), "{fault}");
        if fault.starts_with("drip") {
            assert!(slow.chunks.iter().all(|length| *length <= 7), "{:?}", slow.chunks);
        }
    }
}

#[tokio::test]
async fn one_bit_is_flipped() {
    let flip = Fault::Flip { byte: 217, bit: 3 }.to_string();
    let (mut clean, flipped) = compare(STREAMING, &answer(), &[&flip]).await;
    assert_ne!(flipped.body, clean.body);
    clean.body[217] ^= 1 << 3;
    assert_eq!(flipped.body, clean.body);
}

#[tokio::test]
async fn the_answer_of_invoke_has_the_faults_of_bytes() {
    let (clean, cut) = compare(BUFFERED, &answer(), &["cut=20:reset"]).await;
    assert_eq!((cut.end, &cut.body[..]), (End::Reset, &clean.body[..20]));
    for how in ["end", "close"] {
        let (clean, cut) = compare(BUFFERED, &answer(), &[&format!("cut=20:{how}")]).await;
        assert_eq!((cut.end, &cut.body[..]), (End::Closed, &clean.body[..20]), "{how}");
    }
    let (clean, flipped) = compare(BUFFERED, &answer(), &["flip=0.0"]).await;
    assert_eq!((flipped.body[0], &flipped.body[1..]), (clean.body[0] ^ 1, &clean.body[1..]));
    let (clean, same) = compare(BUFFERED, &answer(), &["crc=1", "no-complete", "split=1"]).await;
    assert_eq!((same.body, same.end), (clean.body, End::Whole));
}
