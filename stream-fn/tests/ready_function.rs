//! The ready function itself, with each of its sources, comes in; objects are asked of it by range.

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use serde_json::{Value, json};
use std::process::Stdio;
use stream_fn::source::pattern;
use support::{Answer, Invocation, Reply, RuntimeApi};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const CRC64NVME: &str = "x-amz-checksum-crc64nvme";

fn event(method: &str, path: &str, headers: Value) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
    })
}

/// As S3 writes it.
fn sum_of(bytes: &[u8]) -> String {
    STANDARD.encode(crc_fast::checksum(Crc64Nvme, bytes).to_be_bytes())
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
    let mut whole = vec![0; size as usize];
    pattern::fill(0, &mut whole);
    let sum = sum_of(&whole);
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
        assert_eq!(head["headers"][CRC64NVME], sum, "of the whole object");
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
async fn files_have_a_checksum_unless_it_is_off() {
    let outer = tempfile::tempdir().unwrap();
    for folder in ["files", "sums"] {
        std::fs::create_dir(outer.path().join(folder)).unwrap();
    }
    let path = |name: &str| outer.path().join(name).display().to_string();
    let (source, keep) = (format!("directory:{}", path("files")), format!("keep:{}", path("sums")));
    let mut bytes = vec![0; 300_000];
    pattern::fill(0, &mut bytes);
    std::fs::write(path("files/a"), &bytes).unwrap();
    // Settled, and remembered.
    let file = std::fs::File::options().write(true).open(path("files/a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    let sum = Value::from(sum_of(&bytes));
    let middle = || event("GET", "/a", json!({"range": "bytes=5-9"}));
    for (checksum, wanted) in [
        // A function that is asked for the middle, then for all of it, then for the middle again.
        (None, [&Value::Null, &sum, &sum]),
        (Some("off"), [&Value::Null; 3]),
        (Some(keep.as_str()), [&Value::Null, &sum, &sum]),
        // What the one before has kept.
        (Some(keep.as_str()), [&sum; 3]),
    ] {
        let api = RuntimeApi::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
        command.env("STREAM_FN_SOURCE", &source).env_remove("STREAM_FN_CHECKSUM");
        if let Some(checksum) = checksum {
            command.env("STREAM_FN_CHECKSUM", checksum);
        }
        let _function = api.environment(&mut command).spawn().unwrap();
        for (payload, wanted) in
            [middle(), event("HEAD", "/a", json!({})), middle()].into_iter().zip(wanted)
        {
            let (head, _) = ask(&api, payload).await.split();
            assert_eq!(head["headers"][CRC64NVME], *wanted, "{checksum:?}: {head}");
        }
    }
    assert_eq!(std::fs::read_to_string(path("sums/a.file-493e0-3b9aca00.crc64nvme")).unwrap(), {
        format!("{}\n", sum.as_str().unwrap())
    });
}

/// Larger than an answer waits for: answers have it as soon as it is known.
#[tokio::test]
async fn a_large_file_has_its_checksum_in_later_answers() {
    const LARGE: u64 = (160 << 20) + 1;
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("a")).unwrap();
    file.set_len(LARGE).unwrap();
    let mut digest = crc_fast::Digest::new(Crc64Nvme);
    for _ in 0..160 {
        digest.update(&[0; 1 << 20]);
    }
    digest.update(&[0]);
    let sum = STANDARD.encode(digest.finalize().to_be_bytes());
    let api = RuntimeApi::start().await;
    let _function = api.ready_function(&format!("directory:{}", folder.path().display()));
    let asking = async {
        for start in (0..10).cycle() {
            let headers = json!({"range": format!("bytes={start}-{start}")});
            let (head, body) = ask(&api, event("GET", "/a", headers)).await.split();
            assert_eq!((head["statusCode"].as_u64(), body), (Some(206), vec![0]));
            if let Some(said) = head["headers"][CRC64NVME].as_str() {
                assert_eq!(said, sum);
                break;
            }
        }
    };
    support::soon(asking).await;
}

#[tokio::test]
async fn a_bad_setting_is_one_clear_line() {
    for (setting, checksum, word) in [
        (None, None, "STREAM_FN_SOURCE is not set"),
        (None, Some("off"), "STREAM_FN_SOURCE is not set"),
        (Some(""), None, "empty"),
        (Some("directory:/nowhere/at/all"), None, "/nowhere/at/all"),
        #[cfg(not(feature = "s3"))]
        (Some("s3://bucket/prefix"), None, "S3"),
        (Some("patern"), Some("off"), "STREAM_FN_SOURCE: the source \"patern\""),
        (Some("pattern"), Some("off"), "STREAM_FN_CHECKSUM: only the checksums of a directory"),
        (Some("directory:."), Some("of"), "STREAM_FN_CHECKSUM: the checksum setting \"of\""),
        (Some("directory:."), Some("keep:/nowhere/at/all"), "/nowhere/at/all"),
        // A good setting, but nobody who invokes.
        (Some("pattern"), None, "AWS_LAMBDA_RUNTIME_API"),
        (Some("directory:."), Some("off"), "AWS_LAMBDA_RUNTIME_API"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
        command.env_remove("STREAM_FN_SOURCE").env_remove("AWS_LAMBDA_RUNTIME_API");
        command.env_remove("STREAM_FN_CHECKSUM");
        if let Some(setting) = setting {
            command.env("STREAM_FN_SOURCE", setting);
        }
        if let Some(checksum) = checksum {
            command.env("STREAM_FN_CHECKSUM", checksum);
        }
        let output = support::soon(command.kill_on_drop(true).output()).await.unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(words.contains(word), "{words}");
    }
}

#[tokio::test]
async fn a_bad_margin_is_one_clear_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
    command.env("STREAM_FN_SOURCE", "pattern").env("STREAM_FN_DEADLINE_MARGIN_MS", "1s");
    command.env_remove("STREAM_FN_CHECKSUM").kill_on_drop(true);
    let output = support::soon(command.output()).await.unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1));
    assert!(words.contains("STREAM_FN_DEADLINE_MARGIN_MS is not a whole number"), "{words}");
}

#[tokio::test]
async fn the_log_is_json_with_request_ids_if_lambda_says_so() {
    let api = RuntimeApi::start().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
    command.env("STREAM_FN_SOURCE", "pattern").env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    command.env_remove("STREAM_FN_CHECKSUM").env_remove("RUST_LOG");
    let mut function = api.environment(&mut command).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(function.stderr.take().unwrap()).lines();
    let mut refused = Invocation::new("id-7", event("GET", "/1MiB", json!({})));
    refused.reply = Reply::Refuse(500);
    let _answer = api.invoke(refused).await;
    let line = support::soon(log.next_line()).await.unwrap().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["span"]["requestId"]), (&json!("ERROR"), &json!("id-7")));
    assert_eq!(line["message"], "the runtime api did not take the answer");
}

/// `cargo lambda watch` has a path before its Runtime API, and takes the first HTTP chunk of an answer for
/// the head, the second for the delimiter, and wants cookies in the head.
#[tokio::test]
async fn cargo_lambda_gets_the_head_apart() {
    let api = RuntimeApi::start().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
    command.env("STREAM_FN_SOURCE", "pattern").env_remove("STREAM_FN_CHECKSUM");
    let command = api.environment(&mut command);
    let address = format!("http://{}/.rt/stream-fn", api.address());
    let _function = command.env("AWS_LAMBDA_RUNTIME_API", address).spawn().unwrap();
    let answer = ask(&api, event("GET", "/9", json!({}))).await;
    assert!(answer.path.starts_with("/.rt/stream-fn/2018-06-01/"), "{}", answer.path);
    let [head, delimiter, body] = &answer.http_chunks[..] else { panic!("{answer:?}") };
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!((&head["statusCode"], &head["cookies"]), (&json!(200), &json!([])));
    assert_eq!((&delimiter[..], body.len()), (&[0; 8][..], 9));
}
