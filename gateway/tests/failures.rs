//! Every way in which an invocation breaks in mid-stream comes in; what curl makes of the gateway's answer
//! comes out, over HTTP/1.1 and HTTP/2: never a body that looks whole.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use std::time::Duration;

use local_lambda::{FaultRule, LocalLambda};
use support::{ANY, Gateway, PROTOCOLS, function, service, service_with};

/// curl: "Partial file", "HTTP/2 stream error".
const CUT: [(&str, i32); 2] = [(PROTOCOLS[0], 18), (PROTOCOLS[1], 92)];

/// Bytes that a function sends before it fails.
const SENT: usize = 100_000;

/// A function's own failures, and what the log calls them.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_in_mid_stream_never_looks_whole() {
    let local = service_with(function().timeout(Duration::from_secs(1))).await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let ways = [
        ("error", "function", "Function.OutOfRows"),
        ("panic", "function", "Function.Panic"),
        ("exit", "function", "Runtime.ExitError"),
        // The function's own word, or the service's, whoever is first.
        ("hang", "function", "Function.DeadlineExceeded Sandbox.Timedout"),
    ];
    let mut lines = 0;
    for (protocol, code) in CUT {
        for (how, ending, error_type) in ways {
            // Without a length, and with one: one that is kept and one that is not.
            for length in [0, SENT, SENT * 2] {
                let path = format!("/fail?how={how}&after={SENT}&length={length}");
                let curled = gateway.curl(protocol, &path).await;
                assert_eq!((curled.code, curled.status()), (Some(code), 200), "{path} {protocol}");
                assert!(curled.body.len() <= SENT && curled.body.iter().all(|byte| *byte == b'x'));
                lines += 1;
                let logged = gateway.last_logged(lines).await;
                assert_eq!(logged["ending"], ending, "{path}: {logged}");
                let logged_type = logged["error_type"].as_str().unwrap();
                assert!(error_type.split(' ').any(|t| t == logged_type), "{path}: {logged}");
            }
        }
        let path = format!("/fail?how=never&after={SENT}");
        let whole = gateway.curl(protocol, &path).await;
        assert_eq!((whole.code, whole.body.len()), (Some(0), SENT));
        lines += 1;
        assert_eq!(gateway.last_logged(lines).await["ending"], "whole");
    }
}

/// What the service, the network and the runtime do to an answer that has begun (docs/local-faults.md). The
/// function sends `SENT` bytes without a length.
const FAULTS: [(&str, &str); 22] = [
    ("cut=frame.4:end", "truncated"),
    ("cut=frame.4:close", "truncated"),
    ("cut=frame.4:reset", "truncated"),
    ("cut=frame.4+12:end", "truncated"),
    ("cut=frame.4+12:close", "truncated"),
    ("cut=frame.4+100:end", "truncated"),
    ("cut=frame.4+100:reset", "truncated"),
    ("cut=frame.last:end", "truncated"),
    ("cut=frame.last:close", "truncated"),
    ("no-complete", "truncated"),
    ("flip=50000.3", "corrupt"),
    ("crc=4", "corrupt"),
    ("prelude-crc=4", "corrupt"),
    ("length=4", "corrupt"),
    ("length=4:20", "corrupt"),
    ("late-junk=10", "corrupt"),
    ("late-chunk=10", "corrupt"),
    ("error=4", "refused"),
    ("exception=4:ServiceException", "refused"),
    ("exception=last:ServiceException", "refused"),
    ("crash=50000", "function"),
    ("trailer-text=50000", "function"),
];

/// The same with a length in the head, which then is not kept.
const LENGTHS: [(&str, &str); 2] = [("shorten=10", "truncated"), ("lengthen=10", "corrupt")];

/// In small frames, so that the head is one of its own.
fn misbehave(local: &LocalLambda, fault: &str) {
    local.clear_faults();
    for fault in ["split=8192", fault] {
        local.add_fault(fault.parse::<FaultRule>().unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_mid_stream_never_looks_whole() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let plain = FAULTS.map(|(fault, ending)| (fault, ending, 0));
    let promised = FAULTS.map(|(fault, ending)| (fault, ending, SENT));
    let lengths = LENGTHS.map(|(fault, ending)| (fault, ending, SENT));
    let mut lines = 0;
    for (fault, ending, length) in plain.into_iter().chain(promised).chain(lengths) {
        for (protocol, code) in CUT {
            misbehave(&local, fault);
            let path = format!("/fail?how=never&after={SENT}&length={length}");
            let curled = gateway.curl(protocol, &path).await;
            let what = format!("{fault} {length} {protocol}");
            assert_eq!((curled.code, curled.status()), (Some(code), 200), "{what}");
            lines += 1;
            let logged = gateway.last_logged(lines).await;
            assert_eq!(logged["ending"], ending, "{what}: {logged}");
        }
    }
}

/// Whose body ends with its connection: it is reset (curl: "Failure when receiving data").
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_mid_stream_never_looks_whole_to_an_old_client() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let mut lines = 0;
    for (fault, ending) in FAULTS {
        misbehave(&local, fault);
        let path = format!("/fail?how=never&after={SENT}");
        let curled = gateway.curl("--http1.0", &path).await;
        assert_eq!((curled.code, curled.status()), (Some(56), 200), "{fault}");
        lines += 1;
        let logged = gateway.last_logged(lines).await;
        assert_eq!(logged["ending"], ending, "{fault}: {logged}");
    }
    local.clear_faults();
    let whole = gateway.curl("--http1.0", &format!("/fail?how=never&after={SENT}")).await;
    assert_eq!((whole.code, whole.body.len()), (Some(0), SENT));
}

/// Silence is limited by the route's own times.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_falls_silent_is_cut() {
    let local = service().await;
    let routes = ANY.to_owned() + "timeouts = { idle = \"300ms\" }\n";
    let idle = Gateway::start(&local.endpoint_url(), &routes);
    let routes = ANY.to_owned() + "timeouts = { total = \"500ms\" }\n";
    let total = Gateway::start(&local.endpoint_url(), &routes);
    for (gateway, fault) in
        [(&idle, "stall=frame.4+100"), (&idle, "stall=frame.last"), (&total, "stall=frame.4")]
    {
        misbehave(&local, fault);
        for (protocol, code) in CUT {
            let path = format!("/fail?how=never&after={SENT}");
            let curled = gateway.curl(protocol, &path).await;
            assert_eq!((curled.code, curled.status()), (Some(code), 200), "{fault} {protocol}");
            assert!(!curled.body.is_empty(), "{fault} {protocol}");
        }
    }
    // Of an answer without a body the client is told.
    misbehave(&local, "stall=frame.last");
    for protocol in PROTOCOLS {
        let flags = format!("{protocol} --head");
        assert_eq!(total.curl(&flags, "/9").await.status(), 504, "{protocol}");
    }
    for gateway in [&idle, &total] {
        let logged = gateway.logged(4).await;
        assert!(logged.iter().all(|line| line["ending"] == "timed-out"), "{logged:?}");
    }
}

/// What was received before the failure is passed on: all whole frames, over both protocols.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_failure_arrives() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    for (protocol, code) in CUT {
        for after in [1, 1_000, SENT] {
            let curled = gateway.curl(protocol, &format!("/fail?how=error&after={after}")).await;
            assert_eq!(curled.code, Some(code), "{protocol}");
            assert_eq!(curled.body.len(), after, "{protocol}");
        }
    }
}
