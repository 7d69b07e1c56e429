//! Which invocations have a fault: rules, closures, and changes while the service runs.

use super::support::{program, quiet, raw};
use super::wire::{STREAMING, answer, ask, call};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use local_lambda::{ErrorKind, Fault, FaultRule, Function, LocalLambda};
use serde_json::json;

/// For each of `calls`, whether its response named version 42.
async fn marked(local: &LocalLambda, path: &str, calls: u64) -> Vec<u64> {
    let mut marked = Vec::new();
    for number in 1..=calls {
        let wire = call(local, path, &answer()).await;
        assert_eq!(wire.status, 200);
        if wire.head.contains("x-amz-executed-version: 42") {
            marked.push(number);
        }
    }
    marked
}

async fn with(conditions: &str) -> LocalLambda {
    let rule: FaultRule = format!("version=42{conditions}").parse().unwrap();
    let other = Function::new("other", program("function_raw"));
    quiet().function(raw()).function(other).fault(rule).start().await.unwrap()
}

#[tokio::test]
async fn conditions_choose_invocations() {
    for (conditions, chosen) in [
        ("", vec![1, 2, 3, 4, 5, 6]),
        (",on=2", vec![2]),
        (",on=2-4", vec![2, 3, 4]),
        (",every=3", vec![3, 6]),
        (",times=2", vec![1, 2]),
        (",every=2,times=1", vec![2]),
        (",of=other", vec![]),
    ] {
        let local = with(conditions).await;
        assert_eq!(marked(&local, STREAMING, 6).await, chosen, "{conditions}");
        assert_eq!(local.stats().faults_injected, chosen.len() as u64, "{conditions}");
    }
}

#[tokio::test]
async fn a_seed_gives_the_same_script_each_time() {
    let conditions = ",p=0.5,seed=7";
    let first = marked(&with(conditions).await, STREAMING, 12).await;
    assert!(!first.is_empty() && first.len() < 12, "{first:?}");
    assert_eq!(marked(&with(conditions).await, STREAMING, 12).await, first);
    // Another function's invocations change nothing.
    let local = with(conditions).await;
    let other = "/2021-11-15/functions/other/response-streaming-invocations";
    assert_eq!(marked(&local, other, 5).await, first[..first.partition_point(|n| *n <= 5)]);
    assert_eq!(marked(&local, STREAMING, 12).await, first);
}

#[tokio::test]
async fn faults_are_set_and_cleared_while_the_service_runs() {
    let local = quiet().function(raw()).start().await.unwrap();
    assert!(marked(&local, STREAMING, 1).await.is_empty());
    local.add_fault(FaultRule::new(Fault::Version("42".into())).on(2..)).unwrap();
    assert_eq!(marked(&local, STREAMING, 3).await, [2, 3]);
    local.clear_faults();
    assert!(marked(&local, STREAMING, 2).await.is_empty());
    assert_eq!(local.stats().faults_injected, 2);
}

#[tokio::test]
async fn a_closure_knows_what_is_asked() {
    let local = quiet()
        .function(raw())
        .choose_faults(|asked| match (asked.function, asked.number, asked.range) {
            ("raw", 2, Some("bytes=5-9")) if asked.streamed => {
                vec![Fault::Version("42".into()), Fault::NoComplete]
            }
            _ => Vec::new(),
        })
        .start()
        .await
        .unwrap();
    let context = BASE64_STANDARD.encode(json!({"custom": {"range": "bytes=5-9"}}).to_string());
    let header = format!("x-amz-client-context: {context}\r\n");
    let mut lengths = Vec::new();
    for headers in [&header, &header, ""] {
        let wire = ask(&local, STREAMING, headers, &answer()).await.read().await;
        lengths.push((wire.body.len(), wire.head.contains("version: 42")));
    }
    assert!(lengths[1].0 < lengths[0].0 && lengths[1].1, "{lengths:?}");
    assert_eq!((lengths[0], lengths[0].1), (lengths[2], false));
    assert_eq!(local.stats().faults_injected, 2);
    local.choose_faults(|_| vec![Fault::NoComplete]);
    let wire = call(&local, STREAMING, &answer()).await;
    assert_eq!(wire.body.len(), lengths[1].0);
}

#[tokio::test]
async fn what_starts_nothing_is_not_counted() {
    let local = with(",on=1").await;
    let dry = "x-amz-invocation-type: DryRun\r\n";
    assert_eq!(ask(&local, STREAMING, dry, &answer()).await.read().await.status, 204);
    let none = "/2021-11-15/functions/none/response-streaming-invocations";
    assert_eq!(call(&local, none, &answer()).await.status, 404);
    assert_eq!(marked(&local, STREAMING, 2).await, [1]);
}

#[tokio::test]
async fn a_fault_for_nobody_is_a_mistake() {
    let rule = || FaultRule::new(Fault::NoHead).of("row");
    let error = quiet().function(raw()).fault(rule()).start().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Fault(_)));
    let message = "the fault \"no-head,of=row\" is for a function that is not there";
    assert_eq!(error.to_string(), message);
    let local = quiet().function(raw()).start().await.unwrap();
    assert_eq!(local.add_fault(rule()).unwrap_err().to_string(), message);
}
