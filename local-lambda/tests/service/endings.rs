//! Every way an invocation can end, as callers of both operations see it.

use super::support::{
    Gate, PATIENCE, blob, client, next_payload, quiet, raw, read, service, stream, until,
};
use local_lambda::{Function, Limits, LocalLambda};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What `Invoke` says: the function error's word, and the payload.
async fn invoke(local: &LocalLambda, name: &str, payload: &Value) -> (Option<String>, Value) {
    let output =
        client(local).invoke().function_name(name).payload(blob(payload)).send().await.unwrap();
    assert_eq!(output.status_code, 200);
    let payload = output.payload.unwrap();
    (output.function_error, serde_json::from_slice(payload.as_ref()).unwrap())
}

/// Both operations have to tell the same ending.
async fn assert_ends(
    local: &LocalLambda,
    name: &str,
    payload: Value,
    got: &[u8],
    code: &str,
    details: &str,
) {
    let streamed = stream(local, name, &payload).await;
    assert_eq!(streamed.payload, got, "{payload}");
    assert_eq!(streamed.code(), Some(code), "{payload}: {}", streamed.details());
    assert!(streamed.details().contains(details), "{payload}: {}", streamed.details());
    let (error, told) = invoke(local, name, &payload).await;
    assert_eq!(error.as_deref(), Some("Unhandled"), "{payload}");
    assert!(told.to_string().contains(details), "{payload}: {told}");
}

#[tokio::test]
async fn the_function_reports_an_error() {
    let local = service().await;
    assert_ends(
        &local,
        "raw",
        json!({"do": "error"}),
        b"",
        "Unhandled",
        r#""errorType":"Function.Bad""#,
    )
    .await;
    assert_ends(&local, "raw", json!({"do": "trailers"}), b"some", "Function.Boom", "boom").await;
    let mid = json!({"do": "error in mid-body"});
    assert_ends(&local, "raw", mid, b"some", "Function.NoConfig", "Function.Bad").await;
    // None of these is a reason for another environment.
    assert_eq!(local.stats().environments_started, 1);
}

#[tokio::test]
async fn the_process_exits() {
    let local = service().await;
    let details = "Runtime exited with error: exit status 3";
    assert_ends(&local, "raw", json!({"do": "exit"}), b"", "Runtime.ExitError", details).await;
    let payload = json!({"do": "exit in mid-body"});
    assert_ends(&local, "raw", payload, b"some", "Runtime.ExitError", details).await;
    let payload = json!({"do": "kill in mid-body"});
    assert_ends(&local, "raw", payload, b"some", "Runtime.ExitError", "signal: 6").await;
    until("the dead are not counted", || local.stats().environments_running == 0).await;
}

#[tokio::test]
async fn the_response_is_cut_and_the_process_lives() {
    let local = service().await;
    let payload = json!({"do": "cut"});
    let streamed = stream(&local, "raw", &payload).await;
    assert_eq!(streamed.code(), Some("Runtime.TruncatedResponse"));
    assert!(streamed.payload.starts_with(b"some"));
    until("it is killed", || local.stats().environments_running == 0).await;
}

#[tokio::test]
async fn the_function_takes_too_long() {
    let local = quiet().function(raw().timeout(Duration::from_millis(300))).start().await.unwrap();
    let details = "Task timed out after 0.30 seconds";
    assert_ends(&local, "raw", json!({"do": "hang"}), b"", "Sandbox.Timedout", details).await;
    let payload = json!({"do": "hang in mid-body"});
    assert_ends(&local, "raw", payload, b"some", "Sandbox.Timedout", details).await;
    until("they are killed", || local.stats().environments_running == 0).await;
}

#[tokio::test]
async fn the_timeout_counts_while_the_caller_does_not_read() {
    let local = quiet()
        .limits(Limits::off().with_timeout(true))
        .function(raw().timeout(Duration::from_millis(500)))
        .start()
        .await
        .unwrap();
    let payload = json!({"do": "stream", "bytes": 100_000_000});
    let output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&payload))
        .send()
        .await
        .unwrap();
    until("it is killed", || local.stats().environments_running == 0).await;
    let streamed = read(output).await;
    assert_eq!(streamed.code(), Some("Sandbox.Timedout"));
    assert!(streamed.payload.len() < 100_000_000);
}

#[tokio::test]
async fn the_process_ends_before_it_asks_for_work() {
    let function = |name: &str, init| {
        Function::new(name, super::support::program("function_raw")).env("INIT", init)
    };
    let local = quiet()
        .limits(Limits::aws().with_init_timeout(Some(Duration::from_millis(300))))
        .function(function("exits", "exit"))
        .function(function("reports", "error"))
        .function(function("silent", "silent"))
        .function(Function::new("absent", "/nonexistent/program"))
        .start()
        .await
        .unwrap();
    let start = Instant::now();
    assert_ends(&local, "exits", json!({}), b"", "Runtime.ExitError", "exit status 7").await;
    assert_ends(&local, "reports", json!({}), b"", "Function.NoConfig", "no config").await;
    assert_ends(&local, "absent", json!({}), b"", "Runtime.InvalidEntrypoint", "not found").await;
    assert_ends(
        &local,
        "silent",
        json!({}),
        b"",
        "Sandbox.Timedout",
        "Init phase timed out after 0.30",
    )
    .await;
    assert!(start.elapsed() < PATIENCE);
    until("nothing is left", || local.stats().environments_running == 0).await;
}

#[tokio::test]
async fn the_response_is_too_large() {
    let limits = Limits::off()
        .with_streamed_response_bytes(Some(1_000_000))
        .with_buffered_response_bytes(Some(6_291_556));
    let local = quiet().limits(limits).function(raw()).start().await.unwrap();
    let payload = json!({"do": "stream", "bytes": 1_000_001});
    let streamed = stream(&local, "raw", &payload).await;
    assert_eq!(streamed.code(), Some("Function.ResponseSizeTooLarge"));
    assert_eq!(streamed.payload.len(), 1_000_000);
    let exact = stream(&local, "raw", &json!({"do": "stream", "bytes": 1_000_000})).await;
    assert_eq!((exact.code(), exact.payload.len()), (None, 1_000_000));

    // A streaming function called by Invoke, and a buffered one: the same limit, the same words.
    for how in ["stream", "whole"] {
        let (error, told) = invoke(&local, "raw", &json!({"do": how, "bytes": 6_291_557})).await;
        assert_eq!(error.as_deref(), Some("Unhandled"));
        assert_eq!(
            told,
            json!({
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage":
                    "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            })
        );
        let output = client(&local)
            .invoke()
            .function_name("raw")
            .payload(blob(&json!({"do": how, "bytes": 6_291_556})))
            .send()
            .await
            .unwrap();
        assert_eq!(output.function_error, None);
        assert_eq!(output.payload.unwrap().as_ref().len(), 6_291_556);
    }
    until("all is done", || local.stats().invocations_running == 0).await;
    // A response that is too large is heard out: its environment serves on.
    assert_eq!(
        stream(&local, "raw", &json!({"do": "trailers"})).await.code(),
        Some("Function.Boom")
    );
}

#[tokio::test]
async fn the_caller_leaves_and_the_function_is_not_disturbed() {
    let local = service().await;
    let (gate, address) = Gate::new().await;
    let count = tempfile::NamedTempFile::new().unwrap();
    let payload = json!({"do": "wait", "wait_for": address});
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&payload))
        .send()
        .await
        .unwrap();
    assert_eq!(next_payload(&mut output).await, b"first");
    drop(output);
    drop(gate.somebody().await);
    until("it came to its end", || local.stats().invocations_running == 0).await;

    // Unpaced: 60 MB would take 27 seconds otherwise.
    let bytes = 60_000_000;
    let payload = json!({"do": "stream", "bytes": bytes, "count": count.path()});
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&payload))
        .send()
        .await
        .unwrap();
    next_payload(&mut output).await;
    drop(output);
    let written = || std::fs::read_to_string(count.path()).unwrap() == bytes.to_string();
    until("everything was written", written).await;
    assert_eq!(local.stats().environments_started, 1);
}
