//! The ready function itself, with each of its sources, comes in; objects are asked of it by range.

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use stream_fn::source::pattern;
use support::{Answer, Invocation, RuntimeApi};
use tokio::process::Command;

fn event(method: &str, path: &str, headers: Value) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
    })
}

async fn ask(api: &RuntimeApi, payload: Value) -> Answer {
    api.invoke(Invocation::new("id", payload)).await.whole().await
}

#[tokio::test]
async fn a_pattern_by_ranges() {
    let api = RuntimeApi::start().await;
    let _function = api.ready_function("pattern");
    let mut etag = None;
    let size = 3 << 20;
    for (range, wanted) in [
        (Value::Null, 0..size),
        (json!("bytes=0-99"), 0..100),
        (json!("bytes=1000001-2500000"), 1_000_001..2_500_001),
        (json!("bytes=-7"), size - 7..size),
    ] {
        let headers = json!({"range": range, "if-match": etag});
        let answer = ask(&api, event("GET", "/3MiB", headers)).await;
        let (head, body) = answer.split();
        let mut bytes = vec![0; (wanted.end - wanted.start) as usize];
        pattern::fill(wanted.start, &mut bytes);
        assert!(body == bytes, "{range}");
        assert_eq!(head["statusCode"], if range.is_null() { 200 } else { 206 });
        assert_eq!(head["headers"]["content-length"], bytes.len().to_string());
        assert_eq!(answer.trailers, Some(vec![]));
        etag = Some(head["headers"]["etag"].as_str().unwrap().to_owned());
    }
    // Beside a plain payload too: the client context of a direct call.
    let mut invocation = Invocation::new("id", event("GET", "/3MiB", json!({})));
    let context = json!({"custom": {"range": "bytes=8-15", "if-match": etag}});
    invocation.headers.push(("lambda-runtime-client-context", context.to_string()));
    let (head, body) = api.invoke(invocation).await.whole().await.split();
    assert_eq!(head["headers"]["content-range"], format!("bytes 8-15/{size}"));
    assert_eq!(body, (8..16).map(pattern::byte_at).collect::<Vec<_>>());
}

#[tokio::test]
async fn refusals_are_answers() {
    let api = RuntimeApi::start().await;
    let _function = api.ready_function("pattern");
    for (payload, status, header) in [
        (event("GET", "/1MiB", json!({"if-match": "\"x\""})), 412, "etag"),
        (event("GET", "/1MiB", json!({"range": "bytes=1048576-"})), 416, "content-range"),
        (event("GET", "/0", json!({"range": "bytes=0-9"})), 416, "content-range"),
        (event("GET", "/huge", json!({})), 404, "content-length"),
        (event("PUT", "/1MiB", json!({})), 405, "allow"),
        (json!({"rows": 5}), 404, "content-length"),
    ] {
        let answer = ask(&api, payload).await;
        let (head, body) = answer.split();
        assert_eq!(head["statusCode"], status);
        assert!(head["headers"][header].is_string(), "{head}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["message"].is_string());
        assert_eq!(answer.trailers, Some(vec![]));
    }
    let answer = ask(&api, event("HEAD", "/1GiB", json!({}))).await;
    let (head, body) = answer.split();
    assert_eq!(head["headers"]["content-length"], "1073741824");
    assert!(body.is_empty());
}

#[tokio::test]
async fn files_below_a_directory_and_no_others() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    let mut bytes = vec![0; 300_000];
    pattern::fill(0, &mut bytes);
    std::fs::write(root.join("a b.bin"), &bytes).unwrap();
    let api = RuntimeApi::start().await;
    let _function = api.ready_function(&format!("directory:{}", root.display()));
    let headers = json!({"range": "bytes=70000-299999"});
    let answer = ask(&api, event("GET", "/a%20b.bin", headers)).await;
    let (head, body) = answer.split();
    assert_eq!(head["headers"]["content-range"], "bytes 70000-299999/300000");
    assert!(body == bytes[70_000..]);
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/..%2fsecret",
        "/%252e%252e/secret",
        "/a%20b.bin%00",
        "/%00",
        "//a%20b.bin",
        "/a%20b.bin/",
        "/",
        "/%ff",
        "/.",
    ] {
        let (head, body) = ask(&api, event("GET", path, json!({}))).await.split();
        assert_eq!(head["statusCode"], 404, "{path}");
        assert!(!String::from_utf8(body).unwrap().contains("root"), "no path is told");
    }
}

#[tokio::test]
async fn a_bad_setting_is_one_clear_line() {
    for (setting, word) in [
        (None, "STREAM_FN_SOURCE is not set"),
        (Some(""), "empty"),
        (Some("directory:/nowhere/at/all"), "/nowhere/at/all"),
        (Some("s3://bucket/prefix"), "S3"),
        (Some("patern"), "\"patern\""),
        // A good setting, but nobody who invokes.
        (Some("pattern"), "AWS_LAMBDA_RUNTIME_API"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
        command.env_remove("STREAM_FN_SOURCE").env_remove("AWS_LAMBDA_RUNTIME_API");
        if let Some(setting) = setting {
            command.env("STREAM_FN_SOURCE", setting);
        }
        let output = support::soon(command.kill_on_drop(true).output()).await.unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(words.contains(word), "{words}");
    }
}
