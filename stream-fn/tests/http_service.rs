//! An `axum::Router` as a function, in a process of its own, comes in; what a Runtime API sees of its
//! answers to HTTP events and to plain calls is told.
//!
//! The function under test is the example `function_of_routes`, which Cargo builds with the tests.

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::process::Stdio;
use support::{Answer, Invocation, RuntimeApi, Seen, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

fn start(api: &RuntimeApi) -> Child {
    // Test programs are in `deps`, examples beside it.
    let tests = std::env::current_exe().unwrap();
    let function = format!("examples/function_of_routes{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(tests.ancestors().nth(2).unwrap().join(function));
    api.environment(&mut command).stderr(Stdio::null()).spawn().unwrap()
}

/// As a Function URL sends it.
fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {},
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
        },
    })
}

async fn ask(api: &RuntimeApi, payload: Value) -> Answer {
    api.invoke(Invocation::new("id", payload)).await.whole().await
}

#[tokio::test]
async fn each_kind_of_event_reaches_its_route() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    let mut function_url = event("PUT", "/echo/a%20b");
    function_url["rawQueryString"] = "x=1&x=2".into();
    function_url["cookies"] = json!(["a=1", "b=2"]);
    function_url["body"] = "hello".into();
    let rest = json!({
        "path": "/echo/a b", "httpMethod": "PUT", "headers": {"cookie": "a=1; b=2"},
        "multiValueQueryStringParameters": {"x": ["1", "2"]},
        "requestContext": {"stage": "prod", "identity": {"sourceIp": "192.0.2.1"}},
        "body": "aGVsbG8=", "isBase64Encoded": true,
    });
    for payload in [function_url, rest] {
        let (head, body) = ask(&api, payload).await.split();
        assert_eq!(head["statusCode"], 200);
        assert_eq!(head["headers"]["content-type"], "application/json");
        assert_eq!(head["headers"]["content-length"], body.len().to_string());
        let wanted = json!({
            "method": "PUT", "rest": "a b", "query": [["x", "1"], ["x", "2"]],
            "cookie": "a=1; b=2", "source_ip": "192.0.2.1", "body": "hello",
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), wanted);
    }
    let (head, body) = ask(&api, json!({"rows": 3})).await.split();
    assert_eq!(head["statusCode"], 200);
    assert_eq!(body, br#"{"own":{"rows":3}}"#);
    let (head, _) = ask(&api, event("GET", "/nowhere")).await.split();
    assert_eq!(head["statusCode"], 404);
}

#[tokio::test]
async fn a_response_leaves_while_it_is_made() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = format!("/gated/{}", gate.local_addr().unwrap());
    let mut watching = api.invoke(Invocation::new("id", event("GET", &path))).await;
    assert!(matches!(watching.next().await, Seen::Request { .. }));
    let Seen::Bytes(first) = watching.next().await else { panic!("there must be bytes") };
    assert!(first.ends_with(b"\0one"), "head and first bytes, before the second ones are made");
    soon(gate.accept()).await.unwrap().0.write_u8(1).await.unwrap();
    assert_eq!(watching.next().await, Seen::Bytes(b"two".to_vec()));
    assert_eq!(watching.next().await, Seen::End(vec![]));
}

#[tokio::test]
async fn failures_are_failures() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    let answer = ask(&api, event("GET", "/fails")).await;
    assert_eq!(answer.split().1, b"one");
    assert_eq!(answer.trailer("lambda-runtime-function-error-type"), Some("Function.Boom"));
    assert_eq!(answer.error().unwrap()["errorMessage"], "in mid-stream");
    for (path, error_type) in [
        ("/panics", "Function.Panic"),
        ("/large-head", "Function.InvalidHead"),
        ("/twice", "Function.InvalidHead"),
    ] {
        let answer = ask(&api, event("GET", path)).await;
        assert!(answer.path.ends_with("/error"), "{path}");
        assert_eq!(answer.header("lambda-runtime-function-error-type"), Some(error_type));
    }
}

#[tokio::test]
async fn objects_have_ranges_behind_a_router_too() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    let mut ranged = event("GET", "/object");
    ranged["headers"] = json!({"range": "bytes=2-4", "if-match": "\"v1\""});
    let (head, body) = ask(&api, ranged).await.split();
    assert_eq!((head["statusCode"].clone(), body), (json!(206), b"234".to_vec()));
    assert_eq!(head["headers"]["content-range"], "bytes 2-4/10");
    assert_eq!(head["headers"]["etag"], "\"v1\"");
    assert_eq!(head["cookies"], json!(["seen=1"]));
    // In the client context of a direct call.
    let mut direct = Invocation::new("id", event("GET", "/object"));
    let context = json!({"custom": {"range": "bytes=-1"}}).to_string();
    direct.headers.push(("lambda-runtime-client-context", context));
    let (head, body) = api.invoke(direct).await.whole().await.split();
    assert_eq!((head["statusCode"].clone(), body), (json!(206), b"9".to_vec()));
    let mut changed = event("GET", "/object");
    changed["headers"] = json!({"if-match": "\"v2\""});
    assert_eq!(ask(&api, changed).await.split().0["statusCode"], 412);
    // What a HEAD promises is what a GET would give, and no byte follows.
    let (head, body) = ask(&api, event("HEAD", "/object")).await.split();
    assert_eq!((&head["headers"]["content-length"], body.len()), (&json!("10"), 0));
}

#[tokio::test]
async fn a_head_has_what_it_may() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    let (head, body) = ask(&api, event("GET", "/headers")).await.split();
    let wanted = json!({
        "statusCode": 201, "cookies": ["a=1; Path=/", "b=2"],
        "headers": {
            "content-length": "4", "content-type": "text/plain; charset=utf-8", "x-kept": "2",
            "vary": "accept, origin",
        },
    });
    assert_eq!((head, body), (wanted, b"body".to_vec()));
    let answer = ask(&api, event("GET", "/trailers")).await;
    assert_eq!((answer.split().1, answer.trailers), (b"onetwo".to_vec(), Some(vec![])));
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn what_an_answer_decided_is_not_decided_again() {
    let api = RuntimeApi::start().await;
    let _function = start(&api);
    for (path, encoding) in [("/text", Some("gzip")), ("/log", None), ("/object", None)] {
        let mut asked = event("GET", path);
        asked["headers"] = json!({"accept-encoding": "gzip"});
        let (head, _) = ask(&api, asked).await.split();
        assert_eq!(
            head["headers"].get("content-encoding").and_then(Value::as_str),
            encoding,
            "{path}"
        );
    }
}
