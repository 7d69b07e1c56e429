//! Functions that are called by their URLs, which `invoker local` gives them.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use support::scripted::{Endpoint, http};
use support::{
    CREDENTIALS, Home, Local, failing_function, pattern, ready_function, sha256, sha256_of_file,
    until,
};

const MIB: u64 = 1 << 20;

/// A service with the ready function `files`, and its URL.
fn files(home: &Home, flags: &str) -> (Local, String) {
    let functions = [("files", ready_function("pattern"))];
    let mut local = home.local(&format!("-q --function-url files {flags}"), &functions);
    let line = local.line();
    let url = line.strip_prefix("files at ").unwrap().to_owned();
    (local, url)
}

#[test]
fn an_object_is_fetched_whole_and_verified() {
    let home = Home::new();
    let (_local, url) = files(&home, "--limits off");
    let line = format!("get {url} 20MiB -o out --report r.json --segment-size 3MiB");
    let ran = home.run(&line).succeeded();
    assert!(ran.stderr.contains("nothing is signed"), "{}", ran.stderr);
    assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..20 * MIB)));
    let report = home.json("r.json");
    assert_eq!(report["integrity"]["status"], "verified", "{report}");
    assert_eq!(report["segments"], 7, "{report}");

    let signed = home.invoker(&format!("cat {url} 1MiB -q")).envs(&CREDENTIALS).run().succeeded();
    assert!(signed.stdout == pattern(0..MIB));
    let part = home.run(&format!("cat {url} 20MiB -q --range 5-9 --no-sign")).succeeded();
    assert_eq!(part.stdout, pattern(5..10));
    let one = home.run(&format!("cat {url} 2MiB -q --no-segments")).succeeded();
    assert!(one.stdout == pattern(0..2 * MIB));
    let told = home.run(&format!("inspect {url} 20MiB")).succeeded();
    assert!(String::from_utf8(told.stdout).unwrap().contains("20.00 MiB"));
    home.run(&format!("cat {url} nothing -q")).failed(3, &["404"]);
}

#[test]
fn a_download_goes_on_where_it_was_killed() {
    let home = Home::new();
    let (_local, url) = files(&home, "");
    let line = format!("get {url} 60MiB -q -o out --in-flight 1 --segment-size 20MiB");
    let running = home.invoker(&line).start();
    let journal = home.path("out.part.journal");
    // What a journal of some records has; its header has a few hundred bytes.
    until("a record", || std::fs::metadata(&journal).is_ok_and(|journal| journal.len() > 2_000));
    drop(running); // killed
    home.run("resume out -q --report r.json").succeeded();
    assert!(home.json("r.json")["resumed_bytes"].as_u64().unwrap() > 0);
    assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..60 * MIB)));
}

#[test]
fn a_function_that_fails_midway_is_no_end() {
    const BYTES: usize = 100_000;
    let home = Home::new();
    let mut local = home.local("-q --function-url f", &[("f", failing_function())]);
    let line = local.line();
    let url = line.strip_prefix("f at ").unwrap();
    let call = |fail: &str, flags: &str| {
        let payload = format!(r#"{{"fail": "{fail}", "after": {BYTES}}}"#);
        home.invoker(&format!("cat {url} -q {flags} -p")).arg(payload).run()
    };
    let whole = call("never", "").succeeded();
    assert_eq!(whole.stdout.len(), BYTES);
    let ran = call("error", "--no-compression").failed_with_data(4);
    assert_eq!(ran.stdout.len(), BYTES);
    assert!(ran.stderr.contains("a plain stream cannot be taken up"), "{}", ran.stderr);
    // Before its first byte the function has no words of its own there, only a status.
    call("early", "--retries 0").failed(3, &["502"]);
}

#[test]
fn what_is_wrong_with_an_url_is_said() {
    let home = Home::new();
    let table = [
        ("cat https:// -q", 2, "is no URL"),
        ("cat http://127.0.0.1:1 -q --fips", 2, "--fips"),
        ("cat http://127.0.0.1:1 -q --dual-stack", 2, "--dual-stack"),
        ("cat http://127.0.0.1:1 -q --no-sign --profile p", 2, "--profile"),
        ("cat http://127.0.0.1:1 -q --no-sign --role-arn arn:aws:iam::1:role/r", 2, "--role-arn"),
        ("cat HTTP://files.example.com -q", 2, "--no-sign"),
        ("cat local: 5 -q --no-sign", 2, "--no-sign"),
        ("cat local: 5 -q --ca-bundle roots.pem", 2, "--ca-bundle"),
        ("cat http://127.0.0.1:1 -q --endpoint-url http://127.0.0.1:2", 2, "--endpoint-url"),
        ("cat http://127.0.0.1:1 -q --qualifier live", 2, "qualifier"),
        ("cat f -q --no-sign", 2, "--no-sign"),
        ("cat http://files.example.com -q", 2, "--no-sign"),
        ("cat https://abc.lambda-url.eu-west-1.on.aws -q", 253, "no credentials"),
        ("cat http://127.0.0.1:1 -q --retries 0", 1, "cannot be reached"),
    ];
    for (line, code, words) in table {
        home.run(line).failed(code, &[words]);
    }
    let no_region = home
        .invoker("cat https://files.example.com -q")
        .envs(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")])
        .run();
    no_region.failed(253, &["no region"]);
    let forbidding = Endpoint::start(|_| {
        let answer =
            String::from_utf8(http(403, "application/json", b"{\"Message\":\"Forbidden\"}"));
        let named = "Scripted\r\nx-amzn-errortype: AccessDeniedException";
        answer.unwrap().replacen("Scripted", named, 1).into_bytes()
    });
    let ran = home.run(&format!("cat {} -q --no-sign", forbidding.url));
    ran.failed(254, &["AccessDeniedException", "lambda:InvokeFunctionUrl"]);
}

#[test]
fn no_user_is_sent_and_nothing_is_written_of_one() {
    let home = Home::new();
    let service = Endpoint::start(|_| http(500, "text/plain", b""));
    let url = service.url.replace("http://", "http://user:open-sesame@");
    for line in [
        format!("get {url} x -q --report r.json"),
        format!("bench {url} x -q --json b.json --svg b.svg"),
        format!("cat {url}?key=open-sesame -q --dry-run"),
        format!("inspect {url} x"),
        format!("check {url} x"),
    ] {
        let ran = home.run(&line).failed(2, &["user or password", &service.url]);
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    assert_eq!(home.names(), Vec::<String>::new());
    assert!(service.heard().is_empty());
}

#[test]
fn the_query_of_an_url_stays_out_of_words_and_reports() {
    let home = Home::new();
    let (_local, url) = files(&home, "");
    let capitals = url.replace("http://", "HTTP://");
    let named = format!("{capitals}/?key=open-sesame");
    let ran = home.run(&format!("cat {named} -p {{}} --report r.json --json"));
    assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    let report = home.json("r.json");
    assert!(report["function"].as_str().unwrap().starts_with(&url), "{report}");
    assert!(!report.to_string().contains("sesame"), "{report}");
    let told = home.run(&format!("inspect {capitals} 20MiB --json")).succeeded();
    assert!(String::from_utf8(told.stdout).unwrap().contains(&url));
}

#[test]
fn a_check_takes_a_body_that_is_cut_short_for_what_a_failure_is_there() {
    let home = Home::new();
    // An object of one byte, whatever is asked of it, and two whose heads promise 1,000.
    let function = Endpoint::answering(|_, call| {
        let (status, headers, body) = match call.head.split(' ').nth(1).unwrap() {
            "/failing" => (200, "content-length: 1000\r\n", "x".repeat(10)),
            "/whole" => (200, "content-length: 1000\r\n", "x".repeat(1_000)),
            _ => (206, "content-length: 1\r\ncontent-range: bytes 0-0/1\r\n", "x".to_owned()),
        };
        let head = format!("HTTP/1.1 {status} Scripted\r\netag: \"v1\"\r\n{headers}");
        format!("{head}connection: close\r\n\r\n{body}").into_bytes()
    });
    let verdict = |failing: &str| {
        let line = format!("check {} object -q --no-sign --json --failing {failing}", function.url);
        let ran = home.run(&line);
        let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        let case = told["cases"].as_array().unwrap().last().unwrap();
        assert_eq!(case["case"], "a failure in mid-stream", "{told}");
        format!("{}: {}", case["verdict"].as_str().unwrap(), case["why"].as_str().unwrap())
    };
    let cut = verdict("failing");
    assert!(cut.starts_with("not tried: ") && cut.contains("call it by its name"), "{cut}");
    let whole = verdict("whole");
    assert!(whole.starts_with("broken: ") && whole.contains("clean end"), "{whole}");
}
