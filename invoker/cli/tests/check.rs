//! Functions that keep the contract, and functions that break one rule of it each, come in; what
//! `invoker check` says of them comes out.

#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::ops::Range;

use serde_json::{Value, json};
use support::scripted::{Call, Endpoint, chunk, complete, stream};
use support::{CREDENTIALS, Home, Ran, failing_function, ready_function};

/// Bytes of the scripted object: more than a segment.
const SIZE: u64 = 5 * 1024 * 1024 + 5_000;

/// The largest payload of a frame that is written here, in bytes.
const FRAME: usize = 1024 * 1024;

/// An answer, before it is on the wire.
struct Answer {
    status: u16,
    headers: Value,
    body: Vec<u8>,
    /// The JSON of `InvokeComplete`, if it comes.
    end: Option<&'static str>,
}

/// What a function answers that keeps the contract.
fn keeps(call: &Call) -> Answer {
    let answer = |status, headers: Value, body| Answer { status, headers, body, end: Some("{}") };
    let refusal = |status, headers| answer(status, headers, b"{\"message\": \"no\"}".to_vec());
    match call.object() {
        Some("object") => {}
        Some("failing") => {
            let end = Some(r#"{"ErrorCode": "Function.OutOfRows", "ErrorDetails": "row 7"}"#);
            return Answer { end, ..answer(200, json!({}), vec![b'x'; 100_000]) };
        }
        _ => return refusal(404, json!({})),
    }
    let etag = "\"v1\"";
    if call.beside("if-match").is_some_and(|tag| tag != etag) {
        return refusal(412, json!({"etag": etag}));
    }
    if call.beside("if-none-match").is_some_and(|tag| tag == etag) {
        return answer(304, json!({"etag": etag}), Vec::new());
    }
    let mut headers = json!({
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "last-modified": "Thu, 01 Jan 1970 00:00:01 GMT",
        "etag": etag,
    });
    let Some(range) = call.beside("range") else {
        headers["content-length"] = SIZE.to_string().into();
        return answer(200, headers, bytes(0..SIZE));
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..(last + 1).min(SIZE),
        (Ok(first), Err(_)) => first..SIZE,
        (Err(_), Ok(len)) => SIZE.saturating_sub(len)..SIZE,
        _ => panic!("{range}"),
    };
    if range.start >= range.end {
        let size = format!("bytes */{SIZE}");
        return refusal(416, json!({"etag": etag, "content-range": size}));
    }
    headers["content-length"] = (range.end - range.start).to_string().into();
    headers["content-range"] = format!("bytes {}-{}/{SIZE}", range.start, range.end - 1).into();
    answer(206, headers, bytes(range))
}

fn bytes(range: Range<u64>) -> Vec<u8> {
    range.map(|offset| (offset % 251) as u8).collect()
}

fn on_the_wire(answer: Answer) -> Vec<u8> {
    let Answer { status, headers, body, end } = answer;
    if headers.is_null() {
        return stream(&end.map(complete).into_iter().collect::<Vec<_>>());
    }
    let head = json!({"statusCode": status, "headers": headers}).to_string();
    let mut frames = vec![chunk(&[head.as_bytes(), &[0; 8]].concat())];
    frames.extend(body.chunks(FRAME).map(chunk));
    frames.extend(end.map(complete));
    stream(&frames)
}

/// What is said of a function that keeps the contract but for what `spoil` does to its answers.
fn checked(flags: &str, spoil: fn(&Call, &mut Answer)) -> Ran {
    let function = Endpoint::answering(move |_, call| {
        let mut answer = keeps(call);
        spoil(call, &mut answer);
        on_the_wire(answer)
    });
    let line = format!("check f object --endpoint-url {} {flags}", function.url);
    Home::new().invoker(&line).envs(&CREDENTIALS).run()
}

/// The lines of it that begin with a word.
fn lines(ran: &Ran, word: &str) -> Vec<String> {
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(word));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_function_that_keeps_it_is_told_so() {
    let ran = checked("--failing failing", |_, _| {}).succeeded();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(text.lines().all(|line| line.starts_with("kept ") || line.contains(" kept, 0 broken")));
    assert!(
        text.contains("kept       across the end of a segment (bytes=5241880-5243879)"),
        "{text}"
    );
    assert!(ran.stderr.contains("invocations of f"), "{}", ran.stderr);
    // As many as were said: it is money.
    let said: u64 =
        ran.stderr.split("some ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(text.contains(&format!("; {said} invocations\n")), "{said}: {text}");
}

#[test]
fn the_ready_function_keeps_it() {
    let home = Home::new();
    home.write("source/file", vec![7; 3_000_000]);
    home.write("source/empty", "");
    for (line, not_tried) in [
        ("check local:source file", 1),
        ("check local:source empty", 1),
        ("check local: 6MiB -q", 0),
        ("check local: 1", 1),
    ] {
        let ran = home.run(line).succeeded();
        let text = String::from_utf8(ran.stdout.clone()).unwrap();
        assert!(text.contains("kept, 0 broken"), "{line}: {text}");
        assert_eq!(lines(&ran, "not tried").len(), not_tried, "{line}: {text}");
    }
}

#[test]
fn failures_in_mid_stream_are_told_from_clean_ends() {
    let home = Home::new();
    let functions = [("files", ready_function("pattern")), ("failing", failing_function())];
    let local = home.local("-q", &functions);
    // A function of payloads is a plain stream, which keeps nothing of the ranges.
    let check = |payload: &str| {
        let invoker = local.invoker(&home, "check", "failing -q --failing");
        invoker.arg(payload).arg("-p").arg(r#"{"fail": "never", "after": 10}"#).run()
    };
    let ran = check(r#"{"fail": "error", "after": 100000}"#);
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    assert!(lines(&ran, "broken")[0].contains("expected status 206, came 200"));
    for (end, words) in [
        (Some("{}"), "came a clean end after 100000 bytes"),
        (None, "came Truncated"),
        (Some(r#"{"ErrorCode": "Oops"}"#), "Function.Xxx or Runtime.Xxx, came Oops"),
    ] {
        let function = Endpoint::answering(move |_, call| {
            let mut answer = keeps(call);
            if call.object() == Some("failing") {
                answer.end = end;
            }
            on_the_wire(answer)
        });
        let line = format!("check f object --failing failing -q --endpoint-url {}", function.url);
        let ran = home.invoker(&line).envs(&CREDENTIALS).run().failed(10, &["1 of it broken"]);
        let broken = lines(&ran, "broken");
        assert!(broken.len() == 1 && broken[0].contains(words), "{words}: {broken:?}");
    }
}

#[test]
fn each_rule_that_is_broken_is_named() {
    type Spoil = fn(&Call, &mut Answer);
    let table: [(&str, Spoil); 14] = [
        ("the first byte (bytes=0-0): expected status 206, came 200", |call, answer| {
            if call.beside("range").is_some() {
                answer.status = 200;
            }
        }),
        ("the first byte (bytes=0-0): expected etag a strong one, came W/\"v1\"", |_, answer| {
            answer.headers["etag"] = "W/\"v1\"".into();
        }),
        ("an end beyond the object", |call, answer| {
            if call.beside("range").is_some_and(|range| range.ends_with("-5248879")) {
                answer.headers["content-range"] = format!("bytes 0-0/{SIZE}").into();
            }
        }),
        ("the last bytes, as a suffix (bytes=-1000): expected the bytes of an earlier answer", {
            |call, answer| {
                if call.beside("range").is_some_and(|range| range == "bytes=-1000") {
                    answer.body[999] ^= 1;
                }
            }
        }),
        ("all of it, without a range: expected content-length", |call, answer| {
            if call.beside("range").is_none() {
                let headers = answer.headers.as_object_mut().unwrap();
                headers.remove("content-length");
            }
        }),
        (
            "if-match with another version (bytes=0-0): expected status 412, came 206",
            |call, answer| {
                if answer.status == 412 {
                    *answer = keeps_range(call);
                }
            },
        ),
        ("if-none-match with its version: expected status 304, came 206", |call, answer| {
            if answer.status == 304 {
                *answer = keeps_range(call);
            }
        }),
        ("one byte past the end (bytes=5247880-5247880): expected status 416, came 206", {
            |call, answer| {
                if answer.status == 416 {
                    *answer = keeps_range(call);
                }
            }
        }),
        ("a range that begins at the end (bytes=5247880-): expected content-range", |_, answer| {
            if answer.status == 416 {
                answer.headers["content-range"] = "bytes */0".into();
            }
        }),
        ("an object that is not there: expected {\"message\": \"...\"} for a body", |_, answer| {
            if answer.status == 404 {
                answer.body.clear();
            }
        }),
        ("a range is never encoded (bytes=0-0): expected content-encoding none, came zstd", {
            |call, answer| {
                if call.beside("accept-encoding").is_some() {
                    answer.headers["content-encoding"] = "zstd".into();
                }
            }
        }),
        ("a range in the middle (bytes=1749293-1750292): expected a whole body, came Truncated", {
            |call, answer| {
                if call.beside("range").is_some_and(|range| range == "bytes=1749293-1750292") {
                    answer.end = None;
                }
            }
        }),
        ("the last byte (bytes=5247879-5247879): expected a head, came none; expected a whole", {
            |call, answer| {
                if call.beside("range").is_some_and(|range| range == "bytes=5247879-5247879") {
                    *answer = Answer { end: Some(r#"{"ErrorCode": "Function.Boom"}"#), ..early() };
                }
            }
        }),
        ("if-match with its version (bytes=0-0): expected etag \"v1\", came \"v2\"", {
            |call, answer| {
                if call.beside("if-match").is_some() && answer.status == 206 {
                    answer.headers["etag"] = "\"v2\"".into();
                }
            }
        }),
    ];
    for (words, spoil) in table {
        let ran = checked("-q", spoil).failed(10, &["does not keep the contract"]);
        let broken = lines(&ran, "broken");
        assert!(broken.iter().any(|line| line.contains(words)), "{words}: {broken:?}");
    }
}

/// The first byte, whatever else is asked.
fn keeps_range(_: &Call) -> Answer {
    let headers = json!({
        "accept-ranges": "bytes",
        "etag": "\"v1\"",
        "content-length": "1",
        "content-range": format!("bytes 0-0/{SIZE}"),
    });
    Answer { status: 206, headers, body: vec![0], end: Some("{}") }
}

/// A failure before the head.
fn early() -> Answer {
    Answer { status: 0, headers: Value::Null, body: Vec::new(), end: None }
}

#[test]
fn programs_get_an_object() {
    let ran = checked("--json", |_, answer| {
        if answer.status == 304 {
            answer.headers.as_object_mut().unwrap().remove("etag");
        }
    });
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&told["broken"], &told["function"]), (&1.into(), &"f".into()));
    let cases = told["cases"].as_array().unwrap();
    let broken: Vec<_> = cases.iter().filter(|case| case["verdict"] == "broken").collect();
    assert_eq!(broken[0]["case"], "if-none-match with its version");
    assert_eq!(broken[0]["why"], "expected etag \"v1\", came none");
}

#[test]
fn what_is_not_the_functions_fault_is_no_verdict() {
    let home = Home::new();
    let local = home.local("-q", &[("files", ready_function("pattern"))]);
    local.invoker(&home, "check", "nobody 5 -q").run().failed(254, &["ResourceNotFoundException"]);
    let unknown = local.invoker(&home, "check", "files huge -q").run();
    unknown.failed(2, &["files answered 404", "name an object that it has"]);
    // Throttled for good, but not at first.
    let throttled =
        home.local("-q --fault throttle,on=4-", &[("files", ready_function("pattern"))]);
    let ran = throttled.invoker(&home, "check", "files 5 -q").run();
    assert_eq!(ran.code, Some(254), "{}", ran.stderr);
    assert!(String::from_utf8(ran.stdout).unwrap().ends_with("4 invocations\n"));
}
