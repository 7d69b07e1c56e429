//! A Node.js function that keeps the contract, `examples/node`, comes in; it is fetched by segments, as any
//! other that does. Without Node.js the tests say so and skip, but fail if `CI` is set.

use crate::support::{Pair, function_error, in_time, read};
use invoker::{ErrorKind, Invocation, Wanted};
use local_lambda::{Function, Limits};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder whose files are the objects.
async fn node() -> Option<(Pair, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let handler = Path::new(ROOT).join("examples/node/objects.handler");
    Some((handled_by(&handler, folder.path()).await?, folder))
}

/// A function with the example's runtime.
async fn handled_by(handler: &Path, objects: &Path) -> Option<Pair> {
    let version = std::process::Command::new("node").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "Node.js is missing");
        // Not by a macro, whose words the test harness keeps to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: node is not installed");
        return None;
    }
    let function = Function::new("f", "node")
        .arg(Path::new(ROOT).join("examples/node/runtime.mjs"))
        .arg(handler)
        .env("OBJECTS", objects);
    Some(Pair::of(function, Limits::aws().with_pace(None)).await)
}

fn some_bytes(size: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    stream_fn::source::pattern::fill(0, &mut bytes);
    bytes
}

fn event(method: &str, path: &str, headers: Value) -> Invocation {
    let payload = json!({
        "version": "2.0", "rawPath": path, "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
    });
    crate::support::call(payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn its_objects_are_fetched_by_segments() {
    let Some((pair, folder)) = node().await else { return };
    let bytes = some_bytes(1_234_567);
    std::fs::create_dir(folder.path().join("a folder")).unwrap();
    std::fs::write(folder.path().join("a folder/ö.bin"), &bytes).unwrap();
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    let there = tempfile::tempdir().unwrap();
    let path = there.path().join("out");
    let download = pair.object("a folder/ö.bin").segment_size(100_000).in_flight(4);
    let report = in_time(download.to_file(&path)).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(report.snapshot.segments, 13);

    for (from, to) in [(0, 1), (1_234_566, 1_234_567), (65_536, 131_072), (7, 1_000_003)] {
        let part = pair.object("a folder/ö.bin").wanted(Wanted::Range(from..to));
        let (part, ended) = in_time(read(part)).await;
        ended.unwrap();
        assert!(part == bytes[from as usize..to as usize], "{from}..{to}");
    }
    let (nothing, ended) = in_time(read(pair.object("empty"))).await;
    ended.unwrap();
    assert!(nothing.is_empty());
    let beyond = pair.object("a folder/ö.bin").wanted(Wanted::Range(2_000_000..2_000_001));
    assert!(in_time(beyond.in_order()).await.is_err());
    for name in ["missing", "../Cargo.toml", "a folder", "a folder/"] {
        let error = in_time(pair.object(name).in_order()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Answer { status: 404 }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_what_the_contract_refuses() {
    let Some((pair, folder)) = node().await else { return };
    std::fs::write(folder.path().join("x"), b"0123456789").unwrap();
    let plain = in_time(pair.invoker.invoke(event("GET", "/x", json!({})))).await.unwrap();
    let etag = plain.head().unwrap().header("etag").unwrap().to_owned();
    drop(plain);
    let same = etag.as_str();
    for (method, headers, status, name, value, body) in [
        ("GET", json!({}), 200, "content-length", "10", "0123456789"),
        ("GET", json!({"Range": "bytes=2-4"}), 206, "content-range", "bytes 2-4/10", "234"),
        ("GET", json!({"range": "bytes=8-99"}), 206, "content-range", "bytes 8-9/10", "89"),
        ("GET", json!({"range": "bytes=-3"}), 206, "content-range", "bytes 7-9/10", "789"),
        ("GET", json!({"range": "bytes=7-"}), 206, "content-length", "3", "789"),
        ("GET", json!({"range": "bytes=4-2"}), 200, "accept-ranges", "bytes", "0123456789"),
        ("GET", json!({"range": "bytes=10-"}), 416, "content-range", "bytes */10", "message"),
        ("GET", json!({"if-match": "\"other\""}), 412, "etag", same, "message"),
        ("GET", json!({"if-match": same, "range": "bytes=0-0"}), 206, "etag", same, "0"),
        ("GET", json!({"if-none-match": format!("W/{same}")}), 304, "etag", same, ""),
        ("GET", json!({"if-range": same, "range": "bytes=1-1"}), 206, "etag", same, "1"),
        ("GET", json!({"if-range": "\"o\"", "range": "bytes=1-"}), 200, "etag", same, "0123456789"),
        ("HEAD", json!({}), 200, "content-length", "10", ""),
        ("PUT", json!({}), 405, "allow", "GET, HEAD", "message"),
    ] {
        let asked = event(method, "/x", headers.clone());
        let mut stream = in_time(pair.invoker.invoke(asked)).await.unwrap();
        let head = stream.head().unwrap();
        assert_eq!(head.status, status, "{method} {headers}");
        assert_eq!(head.header(name), Some(value), "{method} {headers}");
        let mut all = Vec::new();
        while let Some(bytes) = in_time(stream.next_bytes()).await {
            match bytes {
                Ok(bytes) => all.extend_from_slice(&bytes),
                // The invoker, which asked nothing by HEAD, misses what the head of one promises.
                Err(error) if method == "HEAD" => assert!(error.to_string().contains("10")),
                Err(error) => panic!("{method} {headers}: {error}"),
            }
        }
        let all = String::from_utf8(all).unwrap();
        assert!(all == body || body == "message" && all.contains("message"), "{headers}: {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_failure_in_mid_stream_is_a_trailer() {
    let Some((pair, folder)) = node().await else { return };
    // So large that most of it is not sent while nobody reads.
    let file = std::fs::File::create(folder.path().join("large")).unwrap();
    file.set_len(1 << 30).unwrap();
    let asked = event("GET", "/large", json!({}));
    let mut stream = in_time(pair.invoker.invoke(asked)).await.unwrap();
    assert!(in_time(stream.next_bytes()).await.unwrap().is_ok());
    file.set_len(10).unwrap();
    let ended = loop {
        match in_time(stream.next_bytes()).await {
            Some(Ok(_)) => continue,
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    let (error_type, message) = function_error(ended);
    assert_eq!(error_type, "Function.ObjectChanged");
    assert!(message.contains("changed while it was read"), "{message}");
    // The function goes on.
    let (bytes, ended) = in_time(read(pair.object("large"))).await;
    ended.unwrap();
    assert_eq!(bytes, [0; 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_after_its_end_has_no_clean_end() {
    let folder = tempfile::tempdir().unwrap();
    let handler = "export const handler = awslambda.streamifyResponse(async (event, stream) => {
        if (event.write) stream.write('some');
        stream.end();
        await new Promise((resolve) => stream.on('finish', () => setImmediate(resolve)));
        if (event.fail) throw new Error('too late');
    });";
    std::fs::write(folder.path().join("late.mjs"), handler).unwrap();
    let Some(pair) = handled_by(&folder.path().join("late.handler"), folder.path()).await else {
        return;
    };
    for (write, fail) in [(true, true), (true, false), (false, true), (false, false)] {
        let asked = crate::support::call(json!({"write": write, "fail": fail}));
        let ended = async {
            let mut bytes = 0;
            let mut stream = pair.invoker.invoke(asked).await?;
            while let Some(next) = stream.next_bytes().await {
                bytes += next?.len();
            }
            Ok(bytes)
        };
        let ended = in_time(ended).await;
        match fail {
            true => assert_eq!(function_error(ended.map(drop)).1, "too late", "{write}"),
            false => assert_eq!(ended.unwrap(), if write { 4 } else { 0 }),
        }
    }
}
