//! `invoker get` comes in, of files and of pattern objects behind `local:`; whole files, reports and
//! silence come out.

mod support;

use std::fs::File;
use std::io::{BufWriter, Write};

use serde_json::Value;
use support::{Home, failing_function, pattern, sha256, sha256_of_file, until};

const MIB: u64 = 1 << 20;

#[test]
fn a_file_of_more_than_200_mb_arrives_whole() {
    const SIZE: u64 = 208 * MIB + 12_345;
    let home = Home::new();
    let source = home.write("source/data.bin", "");
    let mut file = BufWriter::new(File::create(&source).unwrap());
    let mut at = 0;
    while at < SIZE {
        let end = SIZE.min(at + MIB);
        file.write_all(&pattern(at..end)).unwrap();
        at = end;
    }
    file.into_inner().unwrap();

    home.run("get local:source data.bin -o out").succeeded();
    assert_eq!(sha256_of_file(&home.path("out")), sha256_of_file(&source));
    assert_eq!(home.names(), ["out", "source"]);
}

#[test]
fn a_pattern_object_arrives_whole() {
    let home = Home::new();
    let ran = home.run("get local: 64MiB -o out").succeeded();
    assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..64 * MIB)));
    assert!(ran.stdout.is_empty(), "words on stdout");
    let last = ran.stderr.lines().last().unwrap_or_default();
    for word in ["64MiB: 64.00 MiB in ", " MiB/s, 13 segments", "verified by CRC-64/NVME"] {
        assert!(last.contains(word), "no {word:?} in {last:?}");
    }
    assert_eq!(home.names(), ["out"]);
}

#[test]
fn memory_does_not_grow_with_the_result() {
    const LIMIT: u64 = 64 * MIB;
    let home = Home::new();
    home.run("get local: 256MiB --in-flight 32 -o out --report report.json").succeeded();
    let report = home.json("report.json");
    assert_eq!((&report["bytes"], &report["in_flight_max"]), (&(256 * MIB).into(), &32.into()));
    match report["peak_rss_bytes"].as_u64() {
        Some(peak) => assert!(peak <= LIMIT, "{peak} bytes of memory"),
        None => {
            // Not by a macro, whose words the test harness keeps to itself.
            let words = "SKIPPED: this system does not tell how much memory was used";
            let _ = writeln!(std::io::stderr(), "{words}");
        }
    }
}

#[test]
fn the_file_is_called_as_the_object_if_not_told_otherwise() {
    let home = Home::new();
    home.write("source/a folder/ö %2F.txt", "hello");
    let get = home.invoker("get local:source").arg("a folder/ö %2F.txt").run().succeeded();
    assert!(get.stdout.is_empty());
    assert_eq!(home.read("ö %2F.txt"), b"hello");
    assert_eq!(home.names(), ["source", "ö %2F.txt"]);
}

#[test]
fn an_older_file_is_replaced() {
    let home = Home::new();
    home.write("out", "older and longer than what comes");
    home.run("get local: 7 -o out").succeeded();
    assert_eq!(home.read("out"), pattern(0..7));
    assert_eq!(home.names(), ["out"]);
}

#[test]
fn one_file_has_one_writer() {
    let home = Home::new();
    // 6 MiB come at once, the rest at the service's pace: it is there while the second one tries.
    let first = home.invoker("get local: 150MiB --no-segments -q -o out").start();
    until("a part file", || std::fs::metadata(home.path("out.part")).is_ok_and(|f| f.len() > 0));
    home.run("get local: 5 -q -o out").failed(9, &["another process is writing", "out.part"]);
    assert!(std::fs::metadata(home.path("out.part")).unwrap().len() > 5, "the first one's bytes");
    drop(first);
    // What a killed one left behind is not thrown away unasked.
    home.run("get local: 5 -q -o out").failed(8, &["out.part", "another download", "--restart"]);
    home.run("get local: 5 -q -o out --restart").succeeded();
    assert_eq!((home.read("out"), home.names()), (pattern(0..5), vec!["out".to_owned()]));
}

#[test]
fn ranges_and_sizes_are_as_asked() {
    let home = Home::new();
    let size = 3 * MIB;
    // What is asked, the bytes that come, and in how many segments to a file and to stdout.
    let table = [
        ("", 0..size, [1, 2]),
        ("--range 0-0", 0..1, [1, 1]),
        ("--range 1000-2000999", 1000..2_001_000, [1, 1]),
        ("--range 3145727-", size - 1..size, [1, 1]),
        ("--range -1000", size - 1000..size, [1, 1]),
        ("--range -9999999999", 0..size, [1, 2]),
        ("--range 100-99999999", 100..size, [1, 2]),
        ("--range 5-2097157 --segment-size 1MiB --in-flight 2", 5..2_097_158, [3, 3]),
        ("--segment-size 1000000", 0..size, [4, 4]),
        ("--segment-size 64KiB --in-flight 3", 0..size, [48, 48]),
        ("--in-flight 1 --segment-size 1MiB", 0..size, [3, 3]),
        ("--no-segments", 0..size, [1, 1]),
        ("--no-segments --range 7-", 7..size, [1, 1]),
        ("--memory-limit 512KiB", 0..size, [6, 6]),
        ("--retries 0 --idle-timeout 60s --first-byte-timeout 59.5", 0..size, [1, 2]),
    ];
    for (flags, range, segments) in table {
        for (verb, segments) in ["get -o out", "cat"].into_iter().zip(segments) {
            let line = format!("{verb} local: 3MiB -q --report report.json {flags}");
            let ran = home.run(&line).succeeded();
            let bytes = if verb == "cat" { ran.stdout } else { home.read("out") };
            assert!(bytes == pattern(range.clone()), "{line}: {} other bytes", bytes.len());
            assert_eq!(ran.stderr, "", "{line}");
            let report = home.json("report.json");
            assert_eq!(report["segments"], segments, "{line}");
            assert_eq!(report["bytes"], range.end - range.start, "{line}");
        }
    }
    home.run("get -o out local: 8MiB -q --report report.json --segment-size 1MiB --in-flight 3");
    assert_eq!(home.json("report.json")["in_flight_max"], 3);
}

#[test]
fn an_empty_object_is_an_empty_file() {
    let home = Home::new();
    home.write("source/empty", "");
    home.run("get local:source empty -o out").succeeded();
    assert_eq!(home.read("out"), b"");
    assert_eq!(home.run("cat local: 0").succeeded().stdout, b"");
}

#[test]
fn quiet_is_silent() {
    let home = Home::new();
    for line in ["get local: 6MiB -o out -q", "cat local: 100 --quiet", "get local: 5 -q"] {
        assert_eq!(home.run(line).succeeded().stderr, "", "{line}");
    }
}

/// The fields of a report are always there, and of the type that a reader may rely on.
fn check_fields(report: &Value) {
    for (name, kinds) in [
        ("function", "string"),
        ("object", "string null"),
        ("etag", "string null"),
        ("executed_version", "string null"),
        ("encoding", "string null"),
        ("bytes", "whole"),
        ("received_bytes", "whole"),
        ("elapsed_ms", "whole fraction"),
        ("ttfb_ms", "whole fraction null"),
        ("bytes_per_second", "whole fraction"),
        ("segments", "whole"),
        ("in_flight_max", "whole"),
        ("retries", "whole"),
        ("throttles", "whole"),
        ("hedges", "whole"),
        ("refetched_bytes", "whole"),
        ("peak_rss_bytes", "whole null"),
        ("integrity", "object"),
        ("cost", "object"),
        ("error", "object null"),
    ] {
        let kind = match report.get(name) {
            None => "missing",
            Some(Value::Null) => "null",
            Some(Value::String(_)) => "string",
            Some(Value::Object(_)) => "object",
            Some(value) if value.is_u64() => "whole",
            Some(value) if value.is_number() => "fraction",
            Some(_) => "other",
        };
        assert!(kinds.split(' ').any(|other| other == kind), "{name} is {kind} in {report}");
    }
    let integrity = &report["integrity"];
    for name in ["algorithm", "reason"] {
        assert!(integrity.get(name).is_some_and(|v| v.is_null() || v.is_string()), "{integrity}");
    }
    assert!(integrity["status"] == "verified" || integrity["status"] == "not-verified");
}

#[test]
fn a_report_tells_what_was_done() {
    let home = Home::new();
    home.run("get local: 12MiB -o out --report report.json").succeeded();
    let report = home.json("report.json");
    check_fields(&report);
    for (field, value) in [
        ("function", "local:".into()),
        ("object", "12MiB".into()),
        ("etag", "\"pattern-2-c00000\"".into()),
        ("executed_version", "$LATEST".into()),
        ("bytes", (12 * MIB).into()),
        ("segments", 3.into()),
        ("retries", 0.into()),
        ("throttles", 0.into()),
        ("error", Value::Null),
    ] {
        assert_eq!(report[field], value, "{field}");
    }
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!(number("ttfb_ms") > 0.0 && number("ttfb_ms") <= number("elapsed_ms"), "{report}");
    assert!(number("bytes_per_second") > 0.0);
    assert_eq!(report["integrity"]["status"], "verified");
    assert_eq!(report["integrity"]["algorithm"], "CRC-64/NVME");
    home.run("get local: 12MiB --range 0-99 -o range --report range.json").succeeded();
    let report = home.json("range.json");
    check_fields(&report);
    assert_eq!(report["integrity"]["status"], "not-verified");
    assert!(report["integrity"]["reason"].is_string(), "not verified, but why?");
}

#[test]
fn a_report_tells_why_it_failed() {
    let home = Home::new();
    for (line, code, kind, word) in [
        ("get local: no-size -o out", 3, "Answer", "404"),
        ("get local: 5 --range 9-", 3, "Answer", "416"),
        ("cat local: 5 --range 9-", 3, "Answer", "416"),
        ("get local: 5 -o no/folder", 9, "LocalFile", "no/folder"),
    ] {
        let ran = home.run(&format!("{line} --report report.json")).failed(code, &[word]);
        let report = home.json("report.json");
        check_fields(&report);
        assert_eq!(report["error"]["kind"], kind, "{line}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(ran.stderr.contains(message), "{message:?} in {:?}", ran.stderr);
        assert_eq!(report["bytes"], 0, "{line}");
        assert_eq!(home.names(), ["report.json"], "{line}");
    }
}

#[test]
fn a_text_comes_compressed_and_is_written_as_it_is() {
    const BYTES: usize = 200_000;
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    let payload = format!(r#"{{"fail": "never", "after": {BYTES}, "text": true}}"#);
    for (flags, encoding) in [
        ("", Value::from("zstd")),
        ("--no-compression", Value::Null),
        ("--no-segments", "zstd".into()),
    ] {
        let line = format!("f {flags} -o out --report report.json -p");
        let ran = local.invoker(&home, "get", &line).arg(&payload).run().succeeded();
        assert_eq!(home.read("out"), vec![b'x'; BYTES], "{flags}");
        let report = home.json("report.json");
        check_fields(&report);
        assert_eq!((&report["encoding"], &report["bytes"]), (&encoding, &BYTES.into()));
        let received = report["received_bytes"].as_u64().unwrap() as usize;
        assert_eq!(received == BYTES, encoding.is_null(), "{flags}: {received} bytes");
        assert_eq!(ran.stderr.contains(" as zstd"), !encoding.is_null(), "{}", ran.stderr);
        home.run("verify out --report report.json").succeeded();
    }
    let cat = local.invoker(&home, "cat", "f -q -p").arg(&payload).run().succeeded();
    assert_eq!(cat.stdout, vec![b'x'; BYTES]);
    let inspect = local.invoker(&home, "inspect", "f -p").arg(&payload).run().succeeded();
    let told = String::from_utf8(inspect.stdout).unwrap();
    assert!(told.contains("encoding   zstd") && told.contains("size       not told"), "{told}");
}

#[test]
fn inspect_tells_what_there_is() {
    let home = Home::new();
    home.write("source/a.csv", "1,2\n");
    for (line, words) in [
        (
            "inspect local: 256MiB",
            &[
                "268435456 bytes (256.00 MiB)",
                "\"pattern-2-10000000\"",
                "ranges     yes",
                "to a file  52 segments of 5.00 MiB, up to 32 at once",
                "to stdout  128 segments of 2.00 MiB, up to 32 at once",
                "ends it at 200.00 MiB",
            ][..],
        ),
        (
            "inspect local:source a.csv",
            &["4 bytes", "text/csv", "modified   ", " GMT", "to a file  one segment"],
        ),
        ("inspect local: 0", &["0 bytes"]),
        (
            "inspect local: 8MiB --segment-size 1MiB --in-flight 4",
            &["to a file  8 segments of 1.00 MiB, up to 4 at"],
        ),
    ] {
        let ran = home.run(line).succeeded();
        let text = String::from_utf8(ran.stdout).unwrap();
        for word in words {
            assert!(text.contains(word), "{line}: no {word:?} in\n{text}");
        }
        assert_eq!(ran.stderr, "", "{line}");
    }
    assert_eq!(home.names(), ["source"]);
}

#[test]
fn inspect_plans_what_is_done_then() {
    let home = Home::new();
    for flags in ["", "--memory-limit 4MiB", "--segment-size 3MiB", "--in-flight 3"] {
        let ran = home.run(&format!("inspect local: 20MiB --json {flags}")).succeeded();
        let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!((&told["size_bytes"], &told["ranges"]), (&(20 << 20).into(), &true.into()));
        let plans = &told["plans"];
        let to_stdout = if plans["to_stdout"].is_null() { "to_file" } else { "to_stdout" };
        for (verb, plan) in [("get -o out", "to_file"), ("cat", to_stdout)] {
            let line = format!("{verb} local: 20MiB -q --report r.json {flags}");
            home.run(&line).succeeded();
            let (planned, done) = (&plans[plan]["invocations"], &home.json("r.json")["segments"]);
            assert_eq!(planned, done, "{line}: {told}");
        }
    }
}
