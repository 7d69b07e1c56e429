//! `invoker bench` comes in, of pattern objects with and without the service's limits; what it found
//! comes out in words, as JSON and as a drawing.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use serde_json::Value;
use support::{Home, ready_function};

const MIB: u64 = 1 << 20;

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

const COST_FIELDS: [&str; 15] = [
    "abandoned_invocations",
    "architecture",
    "assumptions",
    "function_memory_mb",
    "gb_seconds",
    "invocation_seconds",
    "invocations",
    "prices_date",
    "prices_source",
    "streamed_bytes_beyond_free",
    "usd",
    "usd_duration",
    "usd_duration_per_gb_of_memory",
    "usd_requests",
    "usd_streamed",
];

#[track_caller]
fn check_run(run: &Value) {
    let fields = [
        "bytes",
        "bytes_per_second",
        "cost",
        "curve_ms_bytes",
        "elapsed_ms",
        "gaps",
        "hedges",
        "in_flight_max",
        "knee",
        "retries",
        "segments",
        "throttles",
        "ttfb_ms",
        "whole",
    ];
    assert_eq!(sorted(names(run)), fields);
    assert_eq!(sorted(names(&run["cost"])), COST_FIELDS);
    let number = |name: &str| run[name].as_f64().unwrap();
    assert!(number("ttfb_ms") > 0.0 && number("ttfb_ms") <= number("elapsed_ms"));
    let curve = run["curve_ms_bytes"].as_array().unwrap();
    let point = |point: &Value| (point[0].as_f64().unwrap(), point[1].as_u64().unwrap());
    let grows = |two: &[Value]| {
        let (before, after) = (point(&two[0]), point(&two[1]));
        before.0 <= after.0 && before.1 <= after.1
    };
    assert!(curve.windows(2).all(grows), "time and bytes only grow");
    assert_eq!(point(curve.last().unwrap()).1, run["bytes"].as_u64().unwrap());
    assert!(curve.len() <= 1_001, "{} points", curve.len());
}

/// Whether each element that is opened is closed, in order, and nothing else looks like one.
#[track_caller]
fn check_xml(text: &str) {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        assert!(!tag.contains('<') && tag.matches('"').count().is_multiple_of(2), "<{tag}>");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap().to_owned()),
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "));
    for nonsense in ["NaN", "inf", "href", "http://", "https://"] {
        let text = text.replacen("http://www.w3.org/2000/svg", "", 1);
        assert!(!text.contains(nonsense), "{nonsense} in {text}");
    }
}

#[test]
fn the_limits_of_the_service_are_found() {
    let home = Home::new();
    let line = "bench local: 16MiB --json b.json --svg b.svg --function-memory 1GB";
    let ran = home.run(line).succeeded();
    let words = String::from_utf8(ran.stdout).unwrap();
    for word in [
        "object        16MiB\n",
        "size          16777216 bytes (16.00 MiB)\n",
        "one stream    16.00 MiB in ",
        "  knee        ",
        "MiB/s, then 2.",
        "segments      16.00 MiB in ",
        " USD; 1 invocation\n",
        "faster        segments, ",
        "prices        ",
    ] {
        assert!(words.contains(word), "no {word:?} in\n{words}");
    }

    let found = home.json("b.json");
    let fields = [
        "etag",
        "executed_version",
        "function",
        "invoker",
        "object",
        "one_stream",
        "ranges",
        "segments",
        "size_bytes",
        "times_faster",
        "times_faster_is_projected",
    ];
    assert_eq!(sorted(names(&found)), fields);
    assert_eq!((&found["function"], &found["ranges"]), (&"local:".into(), &true.into()));
    assert_eq!((&found["size_bytes"], &found["object"]), (&(16 * MIB).into(), &"16MiB".into()));
    assert_eq!(found["times_faster_is_projected"], false);
    let (one, many) = (&found["one_stream"]["runs"][0], &found["segments"]["runs"][0]);
    for run in [one, many] {
        check_run(run);
        assert_eq!((&run["bytes"], &run["whole"]), (&(16 * MIB).into(), &true.into()));
        let cost = &run["cost"];
        assert!(cost["usd"].as_f64().unwrap() > 0.0);
        assert_eq!(cost["gb_seconds"], cost["invocation_seconds"], "of a function with 1 GB");
        assert!(cost["assumptions"].to_string().contains("nothing was billed"), "{cost}");
    }
    // The service's own numbers, as it documents them; a slow machine only adds to the burst, by
    // what is refilled while it lasts.
    let burst = one["knee"]["burst_bytes"].as_f64().unwrap() / MIB as f64;
    let after = one["knee"]["bytes_per_second_after"].as_f64().unwrap() / MIB as f64;
    assert!((5.5..12.0).contains(&burst), "{burst}");
    assert!((1.5..2.5).contains(&after), "{after}");
    assert!(one["gaps"]["count"].as_u64().unwrap() > 0 && many["gaps"].is_null());
    assert!(one["cost"]["streamed_bytes_beyond_free"].as_u64().unwrap() > 10_000_000);
    assert_eq!(many["cost"]["streamed_bytes_beyond_free"], 0);
    assert!(many["segments"].as_u64().unwrap() > 3 && many["knee"].is_null());

    let drawing = String::from_utf8(home.read("b.svg")).unwrap();
    check_xml(&drawing);
    assert!(drawing.contains("16MiB from local:") && drawing.contains("knee: "), "{drawing}");
    assert!(drawing.contains("prefers-color-scheme:dark"));
}

#[test]
fn without_limits_nothing_breaks() {
    let home = Home::new();
    let local = home.local("-q --limits off", &[("made", ready_function("pattern"))]);
    let line = "made 3MiB --json - --runs 2 --no-segments -q";
    let ran = local.invoker(&home, "bench", line).run().succeeded();
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let runs = found["one_stream"]["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &found["segments"], ran.stderr.as_str()), (2, &Value::Null, ""));
    assert_eq!((&found["object"], &found["times_faster"]), (&"3MiB".into(), &Value::Null));
    for run in runs {
        check_run(run);
        assert_eq!((&run["bytes"], &run["knee"]), (&(3 * MIB).into(), &Value::Null));
        assert_eq!((&run["cost"]["usd"], &run["cost"]["invocations"]), (&Value::Null, &1.into()));
    }

    // The words of a run whose data has stdout.
    let line = "made 3MiB --json - --no-single";
    let ran = local.invoker(&home, "bench", line).run().succeeded();
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    check_run(&found["segments"]["runs"][0]);
    for word in ["measuring segments, for 30 s at most", "size          3145728 bytes"] {
        assert!(ran.stderr.contains(word), "no {word:?} in {}", ran.stderr);
    }
}

#[test]
fn a_long_object_takes_no_longer_than_allowed() {
    let home = Home::new();
    let line = "bench local: 150MiB --time 1 --no-segments --json b.json";
    let ran = home.run(line).succeeded();
    let run = &home.json("b.json")["one_stream"]["runs"][0];
    check_run(run);
    // Whoever got all of it was not held to any limit.
    assert_eq!((&run["whole"], &run["cost"]["abandoned_invocations"]), (&false.into(), &1.into()));
    assert!(run["bytes"].as_u64().unwrap() < 150 * MIB);
    let words = String::from_utf8(ran.stdout).unwrap();
    for word in [", stopped there", "all of it   about ", "it was left before its end"] {
        assert!(words.contains(word), "no {word:?} in\n{words}");
    }
}

#[test]
fn what_cannot_be_measured_is_said() {
    let home = Home::new();
    let local = home.local("-q", &[("made", ready_function("pattern"))]);
    local.invoker(&home, "bench", "made no-size -q").run().failed(3, &["404"]);
    local.invoker(&home, "bench", "gone 5 -q").run().failed(254, &["gone"]);
    home.run("bench local: 5 --svg no/where.svg").failed(9, &["no/where.svg"]);
    home.run("bench local: 5 --svg same --json same").failed(2, &["a place each"]);
    home.run("bench local: 5 --no-single --no-segments").failed_usage("cannot be used with");
    home.run("bench local: 5 --function-memory 12TB").failed_usage("128 to 10240 MB");
}

#[test]
fn prices_are_dated_and_can_be_replaced() {
    let home = Home::new();
    home.write(
        "prices.json",
        r#"{"date": "2031-02-03", "source": "a contract", "usd_per_request": 2,
            "usd_per_gb_second_x86": 0, "usd_per_gb_second_arm": 0, "usd_per_streamed_gb": 1000}"#,
    );
    let flags = "--prices prices.json --function-memory 512";
    let get = format!("get local: 8MiB --segment-size 4MiB -o out -q --report r.json {flags}");
    home.run(&get).succeeded();
    let cost = home.json("r.json")["cost"].clone();
    assert_eq!(sorted(names(&cost)), COST_FIELDS);
    assert_eq!((&cost["invocations"], &cost["usd"]), (&2.into(), &4.0.into()));
    assert_eq!(
        (&cost["prices_date"], &cost["prices_source"]),
        (&"2031-02-03".into(), &"a contract".into())
    );
    assert!(!cost["assumptions"].to_string().contains("commonly"), "{cost}");

    home.run(&format!("get local: 7MB --no-segments -o out -q --report r.json {flags}"))
        .succeeded();
    let usd = home.json("r.json")["cost"]["usd"].as_f64().unwrap();
    // One request, and a million bytes and a head at 1000 USD for a thousand million.
    assert!((3.0..3.02).contains(&usd), "{usd}");

    let inspected = home.run(&format!("inspect local: 8000000 {flags}")).succeeded();
    let words = String::from_utf8(inspected.stdout).unwrap();
    for word in
        ["; 4.00 USD\n", "one stream less than a second; 4.00 USD\n", "2031-02-03, a contract"]
    {
        assert!(words.contains(word), "no {word:?} in\n{words}");
    }

    home.write("prices.json", r#"{"date": "2031-02-03"}"#);
    for verb in ["get -o out", "inspect", "bench"] {
        let line = format!("{verb} local: 5 {flags}");
        home.run(&line).failed(2, &["prices.json is no table of prices", "docs/cost.md"]);
    }
    home.run("bench local: 5 --prices nowhere.json").failed(9, &["nowhere.json"]);
}
