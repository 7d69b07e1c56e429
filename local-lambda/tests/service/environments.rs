//! The life of environments: started on demand, kept warm, replaced, ended with the service.

use super::support::{Gate, blob, client, program, quiet, raw, service, stream, until};
use local_lambda::{Error, Function, Limits, Logs};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn process(payload: &[u8]) -> u64 {
    serde_json::from_slice::<Value>(payload).unwrap()["process"].as_u64().unwrap()
}

/// A place for logs, and what came there.
fn collected() -> (Logs, Arc<Mutex<String>>) {
    let lines = Arc::new(Mutex::new(String::new()));
    let printed = Arc::clone(&lines);
    let each = move |_: &str, line: &[u8]| {
        printed.lock().unwrap().push_str(&String::from_utf8_lossy(line));
    };
    (Logs::Each(Arc::new(each)), lines)
}

/// Whether a process is there. A killed one whose parent did not reap it yet is.
#[cfg(unix)]
fn is_there(process: u64) -> bool {
    let id = rustix::process::Pid::from_raw(process as i32).unwrap();
    rustix::process::test_kill_process(id).is_ok()
}

#[tokio::test]
async fn one_environment_serves_one_invocation_after_the_other() {
    let local = service().await;
    let mut processes = HashSet::new();
    for _ in 0..20 {
        processes.insert(process(&stream(&local, "raw", &json!({})).await.payload));
    }
    assert_eq!(processes.len(), 1);
    let stats = local.stats();
    assert_eq!((stats.invocations_started, stats.environments_started), (20, 1));
    assert_eq!((stats.invocations_running, stats.environments_running), (0, 1));
}

#[tokio::test]
async fn invocations_at_the_same_time_get_environments_of_their_own() {
    let local = quiet().function(raw().concurrency(8)).start().await.unwrap();
    let (gate, address) = Gate::new().await;
    let wait = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&json!({"do": "wait", "wait_for": address})));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let call = wait.clone();
            tokio::spawn(async move { super::support::read(call.send().await.unwrap()).await })
        })
        .collect();
    let mut working = Vec::new();
    for _ in 0..8 {
        working.push(gate.somebody().await);
    }
    assert_eq!(local.stats().environments_running, 8);
    drop(working);
    for call in calls {
        let streamed = call.await.unwrap();
        assert_eq!((streamed.payload.as_slice(), streamed.code()), (&b"firstlast"[..], None));
    }
}

#[tokio::test]
async fn one_environment_serves_several_invocations_if_the_function_can() {
    let function =
        Function::new("buffered", program("function_buffered")).concurrent_invocations(4);
    let local = quiet().function(function.concurrency(1)).start().await.unwrap();
    let (gate, address) = Gate::new().await;
    let wait = client(&local)
        .invoke()
        .function_name("buffered")
        .payload(blob(&json!({"wait_for": address})));
    let calls: Vec<_> = (0..4).map(|_| tokio::spawn(wait.clone().send())).collect();
    let mut working = Vec::new();
    for _ in 0..4 {
        working.push(gate.somebody().await);
    }
    let error = wait.send().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception(), "{error:?}");
    drop(working);
    let mut processes = HashSet::new();
    for call in calls {
        processes.insert(process(call.await.unwrap().unwrap().payload.unwrap().as_ref()));
    }
    assert_eq!((processes.len(), local.stats().environments_started), (1, 1));
}

#[tokio::test]
async fn a_shared_environment_outlives_an_invocations_timeout_and_its_late_answer_is_refused() {
    let (logs, lines) = collected();
    let function = raw().concurrent_invocations(2).timeout(Duration::from_millis(300));
    let local = quiet().logs(logs).function(function).start().await.unwrap();
    let (gate, address) = Gate::new().await;
    let streamed = stream(&local, "raw", &json!({"do": "late", "wait_for": address})).await;
    assert_eq!(streamed.code(), Some("Sandbox.Timedout"));
    drop(gate.somebody().await);
    until("it was refused", || lines.lock().unwrap().contains("late: 410\n")).await;
    assert_eq!(stream(&local, "raw", &json!({})).await.code(), None);
    assert_eq!(local.stats().environments_started, 1);
}

#[tokio::test]
async fn one_that_died_while_it_was_idle_is_replaced() {
    let local = service().await;
    for _ in 0..5 {
        // It answers well and ends: the next invocation may even be handed to it before it is gone.
        let streamed = stream(&local, "raw", &json!({"do": "last words"})).await;
        assert_eq!((streamed.payload.as_slice(), streamed.code()), (&b"\"bye\""[..], None));
    }
    assert_eq!(local.stats().environments_started, 5);
}

#[tokio::test]
async fn versions_and_tenants_do_not_share() {
    let function = raw().version("7").version("8").alias("live", "7");
    let local = quiet().function(function.concurrency(2)).start().await.unwrap();
    let mut seen = Vec::new();
    for (qualifier, tenant) in [
        ("live", None),
        ("7", None),
        ("8", None),
        ("8", Some("a")),
        ("8", Some("b")),
        ("8", Some("b")),
    ] {
        let output = client(&local)
            .invoke()
            .function_name("raw")
            .qualifier(qualifier)
            .set_tenant_id(tenant.map(Into::into))
            .send()
            .await
            .unwrap();
        let version = output.executed_version.unwrap();
        let payload = output.payload.unwrap();
        let got: Value = serde_json::from_slice(payload.as_ref()).unwrap();
        assert_eq!(got["version"], version);
        seen.push((version, process(payload.as_ref())));
    }
    assert_eq!(seen[0], seen[1], "an alias is its version");
    assert_eq!(seen[4], seen[5], "a tenant keeps its environment");
    let processes: HashSet<_> = seen.iter().map(|(_, process)| process).collect();
    assert_eq!(processes.len(), 4);
    until("idle ones made room", || local.stats().environments_running <= 2).await;
}

#[cfg(unix)] // which alone has groups of processes
#[tokio::test]
async fn processes_end_with_the_service_and_so_do_theirs() {
    // The shell starts another process, and waits for it.
    let script = format!("{} & wait", program("function_raw").display());
    let function = Function::new("shell", "sh").arg("-c").arg(script);
    let local = quiet().function(function).start().await.unwrap();
    let inner = process(&stream(&local, "shell", &json!({})).await.payload);
    assert!(is_there(inner));
    local.shutdown().await;
    until("the inner process is gone", || !is_there(inner)).await;
}

#[cfg(unix)] // which alone has signals
#[tokio::test]
async fn a_process_that_wants_to_know_is_told_before_it_ends() {
    let (logs, lines) = collected();
    let function = Function::new("buffered", program("function_buffered")).env("GRACEFUL", "1");
    let local = quiet().logs(logs).function(function).start().await.unwrap();
    assert_eq!(stream(&local, "buffered", &json!({})).await.code(), None);
    local.shutdown().await;
    let lines = lines.lock().unwrap();
    assert!(lines.contains("last words\n"), "{lines}");
}

#[cfg(unix)] // where one can ask for a process by its number
#[tokio::test]
async fn dropping_the_service_kills_what_runs() {
    let local = service().await;
    let idle = process(&stream(&local, "raw", &json!({})).await.payload);
    let (gate, address) = Gate::new().await;
    let wait = client(&local)
        .invoke()
        .function_name("raw")
        .payload(blob(&json!({"do": "wait", "wait_for": address})));
    let call = tokio::spawn(wait.send());
    let mut working = gate.somebody().await;
    drop(local);
    // The function's socket closes with its process.
    let mut rest = Vec::new();
    let closed = tokio::io::AsyncReadExt::read_to_end(&mut working, &mut rest);
    let _ = tokio::time::timeout(super::support::PATIENCE, closed).await.expect("it is killed");
    assert!(tokio::time::timeout(super::support::PATIENCE, call).await.unwrap().unwrap().is_err());
    until("the idle one is gone", || !is_there(idle)).await;
}

#[tokio::test]
async fn the_runtime_api_refuses_what_it_should() {
    let local = service().await;
    let told = stream(&local, "raw", &json!({"do": "protocol"})).await.payload;
    let told: Value = serde_json::from_slice(&told).unwrap();
    // Other request ids, a response mode there is not, an init error after init, an extension without
    // and with a name, no such path, and asking for work while there is some.
    assert_eq!(told, json!([400, 400, 400, 403, 400, 200, 404, 403]));
}

#[tokio::test]
async fn a_service_that_cannot_be_started_says_why() {
    let start = |functions: Vec<Function>| async {
        let builder = functions.into_iter().fold(quiet(), |builder, f| builder.function(f));
        builder.start().await.map(drop).map_err(|err: Error| err.to_string())
    };
    assert_eq!(start(vec![raw(), raw()]).await, Err("function \"raw\" is there twice".into()));
    let local = service().await;
    let taken = quiet().listen(local.addr()).start().await.unwrap_err();
    assert_eq!(taken.to_string(), "cannot listen for callers");
    let line = Function::from_command_line("f", "a 'b").unwrap_err();
    assert_eq!(line.to_string(), "the command line of function \"f\" has an open single quote");
}

#[tokio::test]
async fn a_command_line_is_enough() {
    let line = format!("'{}'", program("function_raw").display());
    let function = Function::from_command_line("raw", &line).unwrap();
    let local = quiet().limits(Limits::off()).function(function).start().await.unwrap();
    assert_eq!(stream(&local, "raw", &json!({})).await.code(), None);
}
