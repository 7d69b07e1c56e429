//! `Invoke`, and what both operations hand to the function and back.

use super::support::{blob, client, program, quiet, raw, read, service};
use aws_sdk_lambda::types::{InvocationType, LogType};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use local_lambda::{Function, Logs};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn a_streamed_answer_works_through_invoke() {
    let local = quiet()
        .function(Function::new("streaming", program("function_streaming")))
        .start()
        .await
        .unwrap();
    let output = client(&local)
        .invoke()
        .function_name("streaming")
        .payload(blob(&json!({"texts": ["a", "b"]})))
        .send()
        .await
        .unwrap();
    assert_eq!((output.status_code, output.function_error), (200, None));
    assert_eq!(output.executed_version.as_deref(), Some("$LATEST"));
    assert!(output.payload.unwrap().as_ref().ends_with(b"}\0\0\0\0\0\0\0\0ab"));
}

#[tokio::test]
async fn an_error_of_lambda_runtime_is_the_functions() {
    let local = quiet()
        .function(Function::new("buffered", program("function_buffered")))
        .start()
        .await
        .unwrap();
    let output = client(&local)
        .invoke()
        .function_name("buffered")
        .payload(blob(&json!({"fail": "no luck"})))
        .send()
        .await
        .unwrap();
    assert_eq!(output.function_error.as_deref(), Some("Unhandled"));
    let told: Value = serde_json::from_slice(output.payload.unwrap().as_ref()).unwrap();
    assert_eq!(told["errorMessage"], "no luck");
}

#[tokio::test]
async fn the_function_gets_what_the_caller_says() {
    let local = quiet()
        .function(raw().version("7").timeout(Duration::from_secs(77)))
        .start()
        .await
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let context = json!({"custom": {"range": "bytes=0-1", "name": "Bär"}});
    let output = client(&local)
        .invoke_with_response_stream()
        .function_name("arn:aws:lambda:us-east-1:123456789012:function:raw:7")
        .client_context(BASE64_STANDARD.encode(context.to_string()))
        .tenant_id("blue")
        .payload(blob(&json!({"a": [1, "zwei"]})))
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code, 200);
    assert_eq!(output.executed_version.as_deref(), Some("7"));
    assert_eq!(
        output.response_stream_content_type.as_deref(),
        Some("application/vnd.amazon.eventstream")
    );
    use aws_sdk_lambda::operation::RequestId as _;
    let id = output.request_id().unwrap().to_owned();
    let streamed = read(output).await;
    let got: Value = serde_json::from_slice(&streamed.payload).unwrap();
    let header = |name: &str| got["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(got["payload"], json!({"a": [1, "zwei"]}));
    assert_eq!(got["version"], "7");
    assert_eq!(header("lambda-runtime-aws-request-id"), id);
    assert_eq!(
        header("lambda-runtime-invoked-function-arn"),
        "arn:aws:lambda:us-east-1:123456789012:function:raw:7"
    );
    assert_eq!(header("lambda-runtime-aws-tenant-id"), "blue");
    assert!(header("lambda-runtime-trace-id").starts_with("Root=1-"));
    let handed: Value = serde_json::from_str(&header("lambda-runtime-client-context")).unwrap();
    assert_eq!(handed, context);
    let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
    assert!((77_000..107_000).contains(&(deadline - now)), "{}", deadline - now);
}

#[tokio::test]
async fn no_payload_is_an_empty_event() {
    let local = service().await;
    let output = client(&local).invoke().function_name("raw").send().await.unwrap();
    let got: Value = serde_json::from_slice(output.payload.unwrap().as_ref()).unwrap();
    assert_eq!(got["payload"], json!({}));
}

#[tokio::test]
async fn a_dry_run_starts_nothing() {
    let local = service().await;
    let output = client(&local)
        .invoke()
        .function_name("raw")
        .invocation_type(InvocationType::DryRun)
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code, 204);
    let stats = local.stats();
    assert_eq!((stats.invocations_started, stats.environments_started), (0, 0));
}

#[tokio::test]
async fn an_event_is_accepted_and_runs_unobserved() {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&printed);
    let logs = Logs::Each(Arc::new(move |name: &str, line: &[u8]| {
        lines.lock().unwrap().push(format!("{name}: {}", String::from_utf8_lossy(line)));
    }));
    let local = quiet().logs(logs).function(raw()).start().await.unwrap();
    let output = client(&local)
        .invoke()
        .function_name("raw")
        .invocation_type(InvocationType::Event)
        .payload(blob(&json!({"do": "print"})))
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code, 202);
    super::support::until("it printed", || {
        printed.lock().unwrap().starts_with(&["raw: line 0\n".into()])
    })
    .await;
}

#[tokio::test]
async fn the_log_tail_is_the_last_4_kb_with_the_services_lines() {
    let local = service().await;
    let payload = json!({"do": "print", "lines": 1000});
    let output = client(&local)
        .invoke()
        .function_name("raw")
        .log_type(LogType::Tail)
        .payload(blob(&payload))
        .send()
        .await
        .unwrap();
    let check = |encoded: &str| {
        let tail = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
        assert_eq!(tail.len(), 4096);
        assert!(tail.contains("line 999\nhalf a line\nEND RequestId: "), "{tail}");
        assert!(tail.contains("\nREPORT RequestId: ") && tail.contains("\tDuration: "), "{tail}");
    };
    check(&output.log_result.unwrap());
    let output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .log_type(LogType::Tail)
        .payload(blob(&payload))
        .send()
        .await
        .unwrap();
    check(read(output).await.complete.unwrap().log_result().unwrap());
    // Asked for by nobody, told to nobody.
    assert_eq!(
        super::support::stream(&local, "raw", &payload).await.complete.unwrap().log_result(),
        None
    );
    // A short one has its beginning too.
    let output = client(&local)
        .invoke()
        .function_name("raw")
        .log_type(LogType::Tail)
        .payload(blob(&json!({"do": "print"})))
        .send()
        .await
        .unwrap();
    let tail = BASE64_STANDARD.decode(output.log_result.unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(
        tail.starts_with("START RequestId: ") && tail.contains(" Version: $LATEST\nline 0\n"),
        "{tail}"
    );
}

#[tokio::test]
async fn a_log_tail_of_a_timeout_says_so() {
    let local = quiet().function(raw().timeout(Duration::from_millis(100))).start().await.unwrap();
    let output = client(&local)
        .invoke()
        .function_name("raw")
        .log_type(LogType::Tail)
        .payload(blob(&json!({"do": "hang"})))
        .send()
        .await
        .unwrap();
    let tail = BASE64_STANDARD.decode(output.log_result.unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(
        tail.contains(" Task timed out after 0.10 seconds\n") && tail.contains("Status: timeout"),
        "{tail}"
    );
}
