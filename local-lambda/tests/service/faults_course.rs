//! Faults of the service and of the function's side: what callers are told, and what became of the
//! function.

use super::support::{Gate, quiet, raw, until};
use super::wire::{BODY, BUFFERED, End, STREAMING, Wire, answer, ask, call, compare};
use aws_smithy_eventstream::frame::read_message_from;
use local_lambda::{Fault, FaultRule, LocalLambda, ThrottleReason};
use serde_json::{Value, json};

async fn with(fault: &str) -> LocalLambda {
    let rule: FaultRule = fault.parse().unwrap();
    quiet().function(raw()).fault(rule).start().await.unwrap()
}

/// Payload and `InvokeComplete`.
fn told(wire: &Wire) -> (Vec<u8>, Value) {
    assert_eq!((wire.status, wire.end), (200, End::Whole));
    let mut rest = &wire.body[..];
    let (mut payload, mut last) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        payload.append(&mut last);
        last = read_message_from(&mut rest).unwrap().payload().to_vec();
    }
    (payload, serde_json::from_slice(&last).unwrap())
}

#[tokio::test]
async fn a_throttle_has_each_reason_and_says_when_if_it_should() {
    let reasons = [
        (ThrottleReason::CallerRate, "CallerRateLimitExceeded"),
        (ThrottleReason::Concurrency, "ConcurrentInvocationLimitExceeded"),
        (ThrottleReason::SnapshotCreation, "ConcurrentSnapshotCreateLimitExceeded"),
        (ThrottleReason::FunctionRate, "FunctionInvocationRateLimitExceeded"),
        (ThrottleReason::ReservedConcurrency, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (ThrottleReason::ReservedRate, "ReservedFunctionInvocationRateLimitExceeded"),
    ];
    for (reason, word) in reasons {
        for retry_after_s in [None, Some(7)] {
            let fault = Fault::Throttle { reason, retry_after_s };
            let local = quiet().function(raw()).fault(fault).start().await.unwrap();
            for path in [STREAMING, BUFFERED] {
                let wire = call(&local, path, &answer()).await;
                assert_eq!((wire.status, wire.end), (429, End::Whole));
                assert!(wire.head.contains("\r\nx-amzn-errortype: toomanyrequestsexception"));
                assert_eq!(wire.head.contains("\r\nretry-after: 7"), retry_after_s.is_some());
                assert_eq!(wire.head.contains("retry-after"), retry_after_s.is_some());
                let body: Value = serde_json::from_slice(&wire.body).unwrap();
                assert_eq!(body["Reason"], word);
            }
            assert_eq!(local.stats().invocations_started, 0);
        }
    }
}

#[tokio::test]
async fn an_error_comes_before_the_function_or_after_it() {
    for (value, status, error, member) in [
        ("500", 500, "serviceexception", "Message"),
        ("502", 502, "resourcenotreadyexception", "message"),
        ("502:EC2ThrottledException", 502, "ec2throttledexception", "Message"),
        ("503", 503, "serviceunavailableexception", "Message"),
        ("410:EFSIOException", 410, "efsioexception", "Message"),
    ] {
        for (name, ran) in [("refuse", 1), ("refuse-after", 2)] {
            let local = quiet().function(raw()).start().await.unwrap();
            for path in [STREAMING, BUFFERED] {
                local.clear_faults();
                local.add_fault(format!("{name}={value}").parse::<FaultRule>().unwrap()).unwrap();
                let before = local.stats().invocations_started;
                let wire = call(&local, path, &answer()).await;
                assert_eq!((wire.status, wire.end), (status, End::Whole), "{name}={value}");
                assert!(wire.head.contains(&format!("\r\nx-amzn-errortype: {error}\r\n")));
                let body: Value = serde_json::from_slice(&wire.body).unwrap();
                assert!(body[member].is_string() && body["Type"].is_string(), "{body}");
                assert_eq!(local.stats().invocations_started - before, ran - 1);
            }
            local.clear_faults();
            assert!(call(&local, STREAMING, &answer()).await.body.len() > BODY.len());
        }
    }
}

#[tokio::test]
async fn a_late_error_waits_for_the_functions_end() {
    let local = with("refuse-after=500").await;
    let (gate, address) = Gate::new().await;
    let mut asked = ask(&local, STREAMING, "", &json!({"do": "wait", "wait_for": address})).await;
    let working = gate.somebody().await;
    let error = asked.stream.try_read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(working);
    assert_eq!(asked.until(|_| false).await.status, 500);
    // It was a function like any other, and its environment serves on.
    assert_eq!(call(&local, STREAMING, &answer()).await.status, 500);
    assert_eq!(local.stats().environments_started, 1);
}

#[tokio::test]
async fn a_cold_start_takes_its_time() {
    let local = with("cold=1000s,on=1").await;
    let first = ask(&local, STREAMING, "", &answer()).await;
    until("it starts", || local.stats().invocations_running == 1).await;
    assert_eq!(told(&call(&local, STREAMING, &answer()).await).1, json!({}));
    // The second is over, and the first has not begun.
    let error = first.stream.try_read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    let (clean, late) = compare(STREAMING, &answer(), &["cold=1ms"]).await;
    assert_eq!(late.body, clean.body);
}

#[tokio::test]
async fn the_process_is_killed_before_it_answers() {
    let (clean, crashed) = compare(STREAMING, &answer(), &["crash"]).await;
    let (payload, end) = told(&crashed);
    assert!(payload.is_empty());
    assert_eq!(end["ErrorCode"], "Runtime.ExitError");
    assert!(end["ErrorDetails"].as_str().unwrap().contains("signal: 9"), "{end}");
    assert_eq!(told(&clean).1, json!({}));

    let (_, crashed) = compare(BUFFERED, &answer(), &["crash"]).await;
    assert!(crashed.head.contains("x-amz-function-error: unhandled"));
}

#[tokio::test]
async fn the_process_is_killed_after_payload_bytes() {
    let head = json!({"headers": {"content-length": "30", "etag": "\"v1\""}, "statusCode": 200});
    let all = head.to_string().len() + 8 + BODY.len();
    for bytes in [0, 5, all - 12, all] {
        let (clean, crashed) = compare(STREAMING, &answer(), &[&format!("crash={bytes}")]).await;
        let (payload, end) = told(&crashed);
        assert_eq!(payload, told(&clean).0[..bytes]);
        assert_eq!(end["ErrorCode"], "Runtime.ExitError");
    }
    let (clean, same) = compare(STREAMING, &answer(), &[&format!("crash={}", all + 1)]).await;
    assert_eq!(same.body, clean.body);
    // Bytes of the function, not those that faults make of them.
    let (_, crashed) = compare(STREAMING, &answer(), &["crash=5", "split=2"]).await;
    assert_eq!(told(&crashed).0, head.to_string().as_bytes()[..5]);
}

#[tokio::test]
async fn a_crash_is_the_end_of_its_environment_alone() {
    let local = with("crash,on=2").await;
    for number in 1..=3 {
        let (payload, end) = told(&call(&local, STREAMING, &answer()).await);
        assert_eq!(end == json!({}), number != 2, "{number}: {end}");
        assert_eq!(payload.is_empty(), number == 2);
    }
    assert_eq!(local.stats().environments_started, 2);
}

#[tokio::test]
async fn the_function_has_less_time() {
    let local = with("timeout=100ms").await;
    let (payload, end) = told(&call(&local, STREAMING, &json!({"do": "hang in mid-body"})).await);
    assert_eq!((&payload[..], &end["ErrorCode"]), (&b"some"[..], &json!("Sandbox.Timedout")));
    assert!(end["ErrorDetails"].as_str().unwrap().contains("after 0.10 seconds"), "{end}");
    until("it is killed", || local.stats().environments_running == 0).await;
    // The function is told, too.
    local.clear_faults();
    local.add_fault("timeout=1000s".parse::<FaultRule>().unwrap()).unwrap();
    let (payload, _) = told(&call(&local, STREAMING, &json!({})).await);
    let got: Value = serde_json::from_slice(&payload).unwrap();
    let deadline = got["headers"]["lambda-runtime-deadline-ms"].as_str().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(deadline.parse::<u128>().unwrap() > now.as_millis() + 900_000);
}

#[tokio::test]
async fn another_version_is_named() {
    for path in [STREAMING, BUFFERED] {
        let (clean, other) = compare(path, &answer(), &["version=42"]).await;
        assert!(clean.head.contains("\r\nx-amz-executed-version: $latest"));
        assert!(other.head.contains("\r\nx-amz-executed-version: 42"));
        assert_eq!(other.body, clean.body);
    }
}
