//! `invoker local` comes in; a service that `invoker` and its environment find, and that ends as told,
//! comes out.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use support::{CREDENTIALS, Home, failing_function, http, pattern, ready_function};

const MIB: u64 = 1 << 20;

const NOTE: &str = "invoker: no credentials found; the endpoint is on loopback, so any will do\n";

#[test]
fn two_functions_at_once() {
    let home = Home::new();
    let source = home.write("source/hello.txt", "hello");
    let folder = format!("directory:{}", source.parent().unwrap().display());
    let functions = [("made", ready_function("pattern")), ("files", ready_function(&folder))];
    let local = home.local("-q", &functions);

    let made = local.invoker(&home, "cat", "made 6MiB").start();
    let files = local.invoker(&home, "cat", "files hello.txt").start();
    assert_eq!(files.wait().succeeded().stdout, b"hello");
    assert!(made.wait().succeeded().stdout == pattern(0..6 * MIB));
    local.invoker(&home, "cat", "made hello.txt -q").run().failed(3, &["404"]);
}

#[test]
fn the_endpoint_is_found_with_and_without_the_environment() {
    let home = Home::new();
    let local = home.local("-q", &[("made", ready_function("pattern"))]);
    let url = local.url.as_str();
    let by_flag = || local.invoker(&home, "cat", "made 5");
    let by_name = |name: &str| home.invoker("cat made 5").env(name, url);
    let arn = "arn:aws:lambda:us-east-1:012345678901:function:made";
    // How it is called, and whether it has to do without credentials.
    for (how, invoker, without) in [
        ("flag, nothing else", by_flag(), true),
        ("flag and credentials", by_flag().envs(&CREDENTIALS), false),
        ("AWS_ENDPOINT_URL_LAMBDA alone", by_name("AWS_ENDPOINT_URL_LAMBDA"), true),
        (
            "AWS_ENDPOINT_URL_LAMBDA and credentials",
            by_name("AWS_ENDPOINT_URL_LAMBDA").envs(&CREDENTIALS),
            false,
        ),
        ("AWS_ENDPOINT_URL and credentials", by_name("AWS_ENDPOINT_URL").envs(&CREDENTIALS), false),
        ("an ARN", local.invoker(&home, "cat", &format!("{arn} 5")).envs(&CREDENTIALS), false),
        ("a qualifier", local.invoker(&home, "cat", "made:$LATEST 5").envs(&CREDENTIALS), false),
        (
            "--qualifier",
            local.invoker(&home, "cat", "made 5 --qualifier $LATEST").envs(&CREDENTIALS),
            false,
        ),
    ] {
        let ran = invoker.run().succeeded();
        assert_eq!(ran.stdout, pattern(0..5), "{how}");
        assert_eq!(ran.stderr.starts_with(NOTE), without, "{how}: {}", ran.stderr);
    }
    let inspected = local.invoker(&home, "inspect", "made 5MiB").run().succeeded();
    assert!(String::from_utf8(inspected.stdout).unwrap().contains("5242880 bytes"));
    assert_eq!(inspected.stderr, "");
}

#[test]
fn a_profile_has_region_and_endpoint() {
    let home = Home::new();
    let local = home.local("-q", &[("made", ready_function("pattern"))]);
    let profile = format!(
        "[profile here]\nregion = eu-west-1\nendpoint_url = {}\naws_access_key_id = AKIDOFATEST\n\
         aws_secret_access_key = secret-of-a-test\n",
        local.url
    );
    home.write(".aws/config", profile);
    let by_flag = home.run("cat made 5 --profile here").succeeded();
    assert_eq!((by_flag.stdout, by_flag.stderr.contains("credentials")), (pattern(0..5), false));
    let by_name = home.invoker("cat made 5 -q").env("AWS_PROFILE", "here").run().succeeded();
    assert_eq!((by_name.stdout, by_name.stderr), (pattern(0..5), String::new()));
}

#[test]
fn a_payload_comes_from_the_argument_a_file_and_stdin() {
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    let payload = r#"{"fail": "never", "after": 100000}"#;
    home.write("payload.json", payload);
    let cat = || local.invoker(&home, "cat", "f -q -p");
    for (how, invoker) in [
        ("argument", cat().arg(payload)),
        ("file", cat().arg("@payload.json")),
        ("stdin", cat().arg("-").stdin(payload)),
    ] {
        let ran = invoker.run().succeeded();
        assert!(ran.stdout == [b'x'; 100_000], "{how}: {} bytes", ran.stdout.len());
        assert_eq!(ran.stderr, "", "{how}");
    }
    let part = cat().arg(payload).arg("--range").arg("0-5").run();
    part.failed(3, &["does not serve ranges"]);
    let into_a_file = local.invoker(&home, "get", "f -o out --payload").arg(payload).run();
    into_a_file.succeeded();
    assert!(home.read("out") == [b'x'; 100_000]);
}

/// One stream past the 200 MiB at which the service would end it, and which would take minutes at its
/// pace.
#[test]
fn without_limits_one_stream_has_it_all() {
    let home = Home::new();
    let local = home.local("-q --limits off", &[("made", ready_function("pattern"))]);
    let rest = "made 201MiB --no-segments -o /dev/null --report report.json -q";
    local.invoker(&home, "get", rest).run().succeeded();
    let report = home.json("report.json");
    assert_eq!((&report["bytes"], &report["segments"]), (&(201 * MIB).into(), &1.into()));
}

#[test]
fn a_function_that_has_no_capacity_left_is_waited_for() {
    let home = Home::new();
    let local = home.local("-q --concurrency 1", &[("made", ready_function("pattern"))]);
    let rest = "made 4MiB --segment-size 1MiB -o out --report report.json -q";
    local.invoker(&home, "get", rest).run().succeeded();
    assert!(home.read("out") == pattern(0..4 * MIB));
    let throttles = home.json("report.json")["throttles"].as_u64().unwrap();
    assert!(throttles > 0, "four segments at once, one environment, and no throttle");
}

#[test]
fn a_result_is_whole_through_faults() {
    let home = Home::new();
    // One failure each, so that no segment meets more than it may.
    let faults = "--fault cut=100000:reset,on=3 --fault crc=2,on=5 --fault throttle,on=7";
    let local = home.local(&format!("-q {faults}"), &[("made", ready_function("pattern"))]);
    let rest = "made 20MiB --segment-size 1MiB -o out --report report.json -q";
    local.invoker(&home, "get", rest).run().succeeded();
    assert!(home.read("out") == pattern(0..20 * MIB));
    let report = home.json("report.json");
    assert_eq!((&report["retries"], &report["throttles"]), (&2.into(), &1.into()), "{report}");
}

#[test]
fn faults_are_listed_and_mistakes_in_them_are_named() {
    let home = Home::new();
    let help = home.run("help local").succeeded();
    let help = String::from_utf8(help.stdout).unwrap();
    for word in ["cut=PLACE[:end|close|reset]", "trailer-text=BYTE", "times=N", "local-faults.md"] {
        assert!(help.contains(word), "no {word} in {help}");
    }
    let local = "local --function f=true --fault";
    let wrong = home.run(&format!("{local} cot=5"));
    assert_eq!(wrong.code, Some(2));
    let words = "there is no fault \"cot\"; known are cut, stall, drip";
    assert!(wrong.stderr.contains(words), "{}", wrong.stderr);
    let words = ["\"no-head,of=g\"", "a function that is not there"];
    home.run(&format!("{local} no-head,of=g")).failed(2, &words);
}

#[cfg(unix)]
#[test]
fn it_ends_by_a_signal_and_says_nothing_more() {
    let home = Home::new();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let local = home.local("-q", &[("made", ready_function("pattern"))]);
        local.invoker(&home, "cat", "made 5").run().succeeded();
        let url = local.url.clone();
        let (ended, rest) = local.end(signal);
        assert_eq!((ended.code, rest.as_str()), (Some(code), ""));
        let address = url.strip_prefix("http://").unwrap();
        assert!(std::net::TcpStream::connect(address).is_err(), "somebody still listens");
    }
}

#[test]
fn it_listens_where_it_is_told() {
    let home = Home::new();
    let local = home.local("-q --listen 127.0.0.1", &[("made", ready_function("pattern"))]);
    assert!(local.url.starts_with("http://127.0.0.1:"), "{}", local.url);
    assert!(!local.url.ends_with(":0"), "{}", local.url);
}

#[test]
fn a_function_has_a_url_if_it_is_given_one() {
    let home = Home::new();
    let source = home.write("source/hello.txt", "hello");
    let folder = format!("directory:{}", source.parent().unwrap().display());
    let functions = [("made", ready_function("pattern")), ("files", ready_function(&folder))];
    let mut local = home.local("-q --function-url files", &functions);
    let line = local.line();
    let address = line.strip_prefix("files at http://").unwrap().strip_suffix('/').unwrap();
    let ask = "Host: x\r\nConnection: close\r\n";
    let whole = http(address, &format!("GET /hello.txt HTTP/1.1\r\n{ask}\r\n"));
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("accept-ranges: bytes"), "{head}");
    assert_eq!(body, "5\r\nhello\r\n0\r\n\r\n");
    let part = format!("GET /hello.txt HTTP/1.1\r\n{ask}Range: bytes=1-3\r\n\r\n");
    let part = http(address, &part);
    assert!(
        part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n3\r\nell\r\n0\r\n\r\n"),
        "{part}"
    );
    let none = http(address, &format!("GET /none HTTP/1.1\r\n{ask}\r\n"));
    assert!(none.starts_with("HTTP/1.1 404 "), "{none}");
    // Only who was named has one, and nothing else is said.
    assert_eq!(local.end("TERM").1, "");

    let wrong = home.run("local --function f=true --function-url g");
    wrong.failed(2, &["--function-url g", "a function that is not there", "--function g=COMMAND"]);
}
