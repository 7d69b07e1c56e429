//! Handlers of good and bad manners, each in a process of its own, come in; what a Runtime API sees of
//! them is told from the raw bytes.
//!
//! The function under test is the example `function_of_manners`, which Cargo builds with the tests.

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use support::{Invocation, Reply, RuntimeApi, Seen, now_ms, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

struct Gate(TcpListener);

impl Gate {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn order(&self, case: &str) -> String {
        json!({"case": case, "gate": self.0.local_addr().unwrap().to_string()}).to_string()
    }

    /// Waits until the function stands before the gate.
    async fn arrival(&self) -> TcpStream {
        soon(self.0.accept()).await.unwrap().0
    }
}

async fn open(mut visitor: TcpStream) {
    visitor.write_u8(1).await.unwrap();
}

fn start(api: &RuntimeApi, workers: usize) -> Child {
    // Test programs are in `deps`, examples beside it.
    let tests = std::env::current_exe().unwrap();
    let function = format!("examples/function_of_manners{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(tests.ancestors().nth(2).unwrap().join(function));
    api.environment(&mut command);
    if workers > 1 {
        command.env("AWS_LAMBDA_MAX_CONCURRENCY", workers.to_string());
    }
    // What it says of its panics is expected.
    command.stderr(Stdio::null()).spawn().unwrap()
}

fn order(case: &str) -> Invocation {
    Invocation::new(case, json!({"case": case}))
}

#[tokio::test]
async fn a_stream_is_a_head_and_its_bytes() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let mut invocation = order("stream");
    invocation.headers.push(("lambda-runtime-invocation-id", "echo-me".to_owned()));
    let answer = api.invoke(invocation).await.whole().await;
    assert_eq!(answer.path, "/2018-06-01/runtime/invocation/stream/response");
    for (name, value) in [
        ("lambda-runtime-function-response-mode", "streaming"),
        ("transfer-encoding", "chunked"),
        ("content-type", "application/vnd.awslambda.http-integration-response"),
        ("lambda-runtime-invocation-id", "echo-me"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(answer.header("user-agent").unwrap().starts_with("stream-fn/"));
    let (head, body) = answer.split();
    assert_eq!(head["statusCode"], 200);
    assert_eq!(body, b"onetwo");
    assert_eq!(answer.trailers, Some(vec![]));
}

/// Everything that is ready goes out at once: request, head and first bytes in one write.
#[tokio::test]
async fn head_and_first_bytes_are_one_write() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let answer = api.invoke(order("stream")).await.whole().await;
    let joined = &answer.http_chunks[0];
    assert!(joined.ends_with(b"\0\0\0\0\0\0\0\0one"), "head and first bytes are one HTTP chunk");
    let first_read = &answer.first_read;
    assert!(first_read.windows(joined.len()).any(|bytes| bytes == joined.as_slice()));
}

#[tokio::test]
async fn a_head_does_not_wait_for_a_slow_body() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let gate = Gate::new().await;
    let mut watching = api.invoke(Invocation::new("slow", gate.order("gated-first"))).await;
    let visitor = gate.arrival().await;
    assert!(matches!(watching.next().await, Seen::Request { .. }));
    let Seen::Bytes(head) = watching.next().await else { panic!("the head must be here") };
    assert!(head.ends_with(&[0; 8]));
    open(visitor).await;
    assert_eq!(watching.next().await, Seen::Bytes(b"late".to_vec()));
    assert_eq!(watching.next().await, Seen::End(vec![]));
}

#[tokio::test]
async fn failures_in_mid_stream_are_real_trailers() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    for (case, body, error_type, message) in [
        ("stream-error", "one", "Function.Boom", "in\r\nmid stream"),
        ("stream-panic", "one", "Function.Panic", "the function panicked: on purpose"),
        ("writer-error", "one", "Function.Quota", "no more"),
        ("blocking-writer-error", "one", "Function.Quota", "no more"),
        (
            "lost-writer",
            "one",
            "Function.WriterDropped",
            "the task that wrote the answer dropped its writer: call shutdown where it is done",
        ),
        ("writer-panic", "one", "Function.Panic", "the function panicked: on purpose"),
        ("short", "one", "Function.BodyTooShort", "the body ended at 3 of 4 bytes promised"),
        ("long", "", "Function.BodyTooLong", "the body is longer than the 2 bytes promised"),
        (
            "short-object",
            "one",
            "Function.BodyTooShort",
            "the body ended at 3 of 10 bytes promised",
        ),
    ] {
        let answer = api.invoke(order(case)).await.whole().await;
        assert!(answer.path.ends_with("/response"), "{case}");
        let trailers = answer.trailers.as_ref().expect("the message must end");
        assert_eq!(trailers.len(), 2, "{case}");
        assert_eq!(
            answer.trailer("lambda-runtime-function-error-type"),
            Some(error_type),
            "{case}"
        );
        let wanted = json!({"errorType": error_type, "errorMessage": message});
        assert_eq!(answer.error(), Some(wanted), "{case}");
        // And nothing of it is in the body.
        assert_eq!(answer.split().1, body.as_bytes(), "{case}");
    }
    // The function is well after all that.
    let answer = api.invoke(order("writer")).await.whole().await;
    assert_eq!(answer.split().1, b"row\nrow\nrow\n");
    assert_eq!(answer.trailers, Some(vec![]));
}

#[tokio::test]
async fn failures_before_a_body_are_errors() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    for (case, error_type, message) in [
        ("error", "Function.Error", "handler failed"),
        ("typed-error", "Function.NoSuchTable", "gone"),
        ("panic", "Function.Panic", "the function panicked: on purpose"),
        ("too-large-head", "Function.InvalidHead", "the head has "),
        ("nonsense", "Function.Error", "no case nonsense"),
    ] {
        let answer = api.invoke(order(case)).await.whole().await;
        assert_eq!(answer.path, format!("/2018-06-01/runtime/invocation/{case}/error"));
        assert_eq!(answer.header("lambda-runtime-function-error-type"), Some(error_type));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let json: serde_json::Value = serde_json::from_slice(&answer.http_chunks.concat()).unwrap();
        assert_eq!(json["errorType"], error_type);
        assert!(json["errorMessage"].as_str().unwrap().starts_with(message), "{json}");
    }
    // A payload that the handler cannot read says where, not what.
    let answer = api.invoke(Invocation::new("bad", "{\"case\": [\"secret\"]}")).await.whole().await;
    let text = String::from_utf8(answer.http_chunks.concat()).unwrap();
    assert!(text.contains("line 1") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_value_for_a_plain_call_has_no_head() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let answer = api.invoke(order("value")).await.whole().await;
    assert_eq!(answer.http_chunks.concat(), b"{\"id\":\"value\"}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("lambda-runtime-function-response-mode"), None);
}

/// Long enough for a busy machine to start a handler in, short enough to wait for.
const SHORT_DEADLINE_MS: u64 = 2_000;

#[tokio::test]
async fn the_deadline_is_told_by_the_function() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    api.polled_by(1).await;
    let mut stuck = order("stuck");
    stuck.deadline_ms = now_ms() + SHORT_DEADLINE_MS;
    let answer = api.invoke(stuck).await.whole().await;
    assert_eq!(answer.split().1, b"one");
    let error_type = answer.trailer("lambda-runtime-function-error-type");
    assert_eq!(error_type, Some("Function.DeadlineExceeded"));
    let mut stuck = order("stuck-handler");
    stuck.deadline_ms = now_ms() + SHORT_DEADLINE_MS;
    let answer = api.invoke(stuck).await.whole().await;
    assert!(answer.path.ends_with("/error"));
    // Some emulators send a deadline of 1970: that is none.
    let mut invocation = order("stream");
    invocation.deadline_ms = 600_000;
    assert_eq!(api.invoke(invocation).await.whole().await.split().1, b"onetwo");
}

/// A worker outlives whatever the Runtime API does to its answers, and never goes on sending one that
/// was refused.
#[tokio::test]
async fn answers_that_are_not_taken_cost_no_worker() {
    for workers in [1, 2] {
        let api = RuntimeApi::start().await;
        let _function = start(&api, workers);
        for reply in [Reply::Refuse(410), Reply::Refuse(413), Reply::Close] {
            for round in 0..2 {
                let mut invocation = order("endless");
                invocation.id = format!("endless-{round}");
                invocation.reply = reply;
                let answer = api.invoke(invocation).await.whole().await;
                assert_eq!(answer.trailers, None, "what was cut off has no clean end");
                api.polled_by(workers).await;
            }
        }
        let answer = api.invoke(order("stream")).await.whole().await;
        assert_eq!(answer.split().1, b"onetwo");
    }
}

/// An API that accepts before it has read still gets the whole body, and the next invocation is asked
/// for only after that.
#[tokio::test]
async fn an_early_acceptance_is_no_end() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let gate = Gate::new().await;
    let mut invocation = Invocation::new("early", gate.order("gated"));
    invocation.reply = Reply::AcceptEarly;
    let watching = api.invoke(invocation).await;
    let visitor = gate.arrival().await;
    api.polled_by(0).await;
    open(visitor).await;
    let answer = watching.whole().await;
    assert_eq!(answer.split().1, b"onetwo");
    assert_eq!(answer.trailers, Some(vec![]));
    api.polled_by(1).await;
}

#[tokio::test]
async fn several_invocations_at_once_where_the_environment_allows_it() {
    const WORKERS: usize = 4;
    let api = RuntimeApi::start().await;
    let _function = start(&api, WORKERS);
    api.polled_by(WORKERS).await;
    let mut gates = Vec::new();
    let mut answers = Vec::new();
    for n in 0..WORKERS {
        let gate = Gate::new().await;
        let mut invocation = Invocation::new(&format!("i{n}"), gate.order("gated"));
        invocation.headers.push(("lambda-runtime-invocation-id", format!("echo-{n}")));
        answers.push(api.invoke(invocation).await);
        gates.push(gate);
    }
    // All of them stand before their gates before any is opened.
    let mut visitors = Vec::new();
    for gate in &gates {
        visitors.push(gate.arrival().await);
    }
    for visitor in visitors.into_iter().rev() {
        open(visitor).await;
    }
    for (n, answer) in answers.into_iter().enumerate() {
        let answer = answer.whole().await;
        assert_eq!(answer.split().1, b"onetwo");
        assert_eq!(answer.header("lambda-runtime-invocation-id"), Some(&*format!("echo-{n}")));
    }
    api.polled_by(WORKERS).await;
}

/// A function whose Runtime API is gone ends, and says so.
#[tokio::test]
async fn a_function_without_an_api_ends() {
    let api = RuntimeApi::start().await;
    let mut function = start(&api, 1);
    api.polled_by(1).await;
    drop(api);
    let status = tokio::time::timeout(Duration::from_secs(30), function.wait()).await;
    assert!(!status.unwrap().unwrap().success());
}

#[tokio::test]
async fn events_are_sent_at_once_and_silence_has_heartbeats() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let gate = Gate::new().await;
    let mut watching = api.invoke(Invocation::new("events", gate.order("events"))).await;
    assert!(matches!(watching.next().await, Seen::Request { .. }));
    let Seen::Bytes(first) = watching.next().await else { panic!("there must be an event") };
    let head = String::from_utf8_lossy(&first);
    assert!(head.ends_with("\0id: 1\ndata: first\n\n"), "{head}");
    assert!(head.contains(r#""cache-control":"no-cache","content-type":"text/event-stream""#));
    let visitor = gate.arrival().await;
    for _ in 0..3 {
        assert_eq!(watching.next().await, Seen::Bytes(b":\n\n".to_vec()));
    }
    open(visitor).await;
    let last = loop {
        match watching.next().await {
            Seen::Bytes(beat) if beat == b":\n\n" => continue,
            other => break other,
        }
    };
    assert_eq!(last, Seen::Bytes(b"data: last\n\n".to_vec()));
    assert_eq!(watching.next().await, Seen::End(vec![]));
}

#[tokio::test]
async fn a_blocking_writer_is_a_stream() {
    let api = RuntimeApi::start().await;
    let _function = start(&api, 1);
    let answer = api.invoke(order("blocking-writer")).await.whole().await;
    assert_eq!(answer.split().1, b"row\nrow\nrow\n");
    assert_eq!(answer.trailers, Some(vec![]));
}
