//! Services that are silent, slow or busy come in; exit code 7, and a line that names the flag, come
//! out. None of them keeps the program for ever.

mod support;

use std::time::Duration;

use support::scripted::{Endpoint, chunk, complete, http, partial, stream};
use support::{CREDENTIALS, Home, failing_function};

/// Time limits that are long for a loopback and short for a test.
const LIMITS: &str = "-q --retries 0 --first-byte-timeout 0.4 --idle-timeout 0.2";

/// All ways to fetch end with `code` and these words, and leave nothing.
#[track_caller]
fn all_ways(home: &Home, endpoint: &str, flags: &str, code: i32, words: &[&str]) {
    for way in ["get f x -o out", "get f x -o out --no-segments", "cat f x"] {
        let line = format!("{way} --endpoint-url {endpoint} {flags}");
        home.invoker(&line).envs(&CREDENTIALS).run().failed(code, words);
        assert!(home.names().is_empty(), "{line}: {:?}", home.names());
    }
}

#[test]
fn silence_ends_in_every_phase() {
    let home = Home::new();
    let whole = stream(&[chunk(b"some bytes"), complete("{}")]);
    let end = complete("{}").len();
    let last_byte = [&partial(0, 3, 4, "\"a\"")[..], b"data"].concat();
    for (phase, bytes, flag) in [
        ("before HTTP", Vec::new(), "--first-byte-timeout"),
        ("in the HTTP head", whole[..30].to_vec(), "--first-byte-timeout"),
        ("before the first frame", stream(&[]), "--first-byte-timeout"),
        ("in an error", http(500, "application/json", b"{"), "--first-byte-timeout"),
        ("in a frame", whole[..whole.len() - end - 5].to_vec(), "--idle-timeout"),
        ("between two frames", whole[..whole.len() - end].to_vec(), "--idle-timeout"),
        ("after the last byte", stream(&[chunk(&last_byte)]), "--idle-timeout"),
    ] {
        println!("{phase}");
        all_ways(&home, &Endpoint::stuck(bytes).url, LIMITS, 7, &[flag]);
    }
    // The end is proven: who waits for the connection to close, waits for nothing.
    let stuck = Endpoint::stuck(whole);
    let cat = home.invoker(&format!("cat f -p {{}} -q --endpoint-url {}", stuck.url));
    assert_eq!(cat.envs(&CREDENTIALS).run().succeeded().stdout, b"some bytes");
}

#[test]
fn a_function_that_hangs_is_a_timeout() {
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    let get = local.invoker(&home, "get", &format!("f -o out {LIMITS} -p"));
    get.arg(r#"{"fail": "hang", "after": 20000}"#).run().failed(7, &["--idle-timeout"]);
    assert!(home.names().is_empty());
}

#[test]
fn inspecting_has_its_limits() {
    let home = Home::new();
    let url = Endpoint::stuck(Vec::new()).url;
    for (limit, words) in [
        ("--first-byte-timeout 0.2", ["--first-byte-timeout", "0.2 s"]),
        ("--max-time 0.2", ["--max-time", "0.2 s"]),
    ] {
        let line = format!("inspect f x --endpoint-url {url} {limit}");
        home.invoker(&line).envs(&CREDENTIALS).run().failed(7, &words);
    }
}

#[test]
fn a_drip_is_ended_by_what_measures_it() {
    let home = Home::new();
    let frame = chunk(&[0; 100_000]);
    let first = stream(&[chunk(b"some bytes"), frame[..200].to_vec()]);
    let dripping = Endpoint::dripping(first, Duration::from_millis(10));
    for (limit, flag) in [
        ("--speed-limit 10KB --speed-time 0.2", "--speed-limit"),
        ("--invocation-timeout 0.3", "--invocation-timeout"),
        ("--max-time 0.3", "--max-time"),
    ] {
        all_ways(&home, &dripping.url, &format!("-q --retries 0 {limit}"), 7, &[flag]);
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_no_connection() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let flags = "-q --retries 0 --connect-timeout 0.2";
    all_ways(&home, &url, flags, 7, &["--connect-timeout", &url, "0.2 s"]);
}

#[cfg(target_os = "linux")] // how a full queue is filled is the kernel's business
#[test]
fn a_connection_into_a_black_hole_ends() {
    use tokio::net::TcpSocket;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (listener, queue) = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        // Nobody accepts: once the queue is full, the kernel drops what else knocks.
        let mut queue: Vec<_> =
            (0..8).map(|_| Box::pin(TcpSocket::new_v4().unwrap().connect(addr))).collect();
        std::future::poll_fn(|cx| {
            for connecting in &mut queue {
                let _ = connecting.as_mut().poll(cx);
            }
            std::task::Poll::Ready(())
        })
        .await;
        (listener, queue)
    });
    let url = format!("http://{}", listener.local_addr().unwrap());
    let home = Home::new();
    let flags = "-q --retries 0 --connect-timeout 0.2";
    all_ways(&home, &url, flags, 7, &["--connect-timeout", &url]);
    drop(queue);
}

#[test]
fn the_total_covers_patience_and_retries() {
    let home = Home::new();
    let busy = Endpoint::start(|_| http(429, "application/json", b"{}"));
    let broken = Endpoint::start(|_| http(503, "application/json", b"{}"));
    for url in [&busy.url, &broken.url] {
        let flags = "-q --retries 1000 --throttle-patience 3600 --max-time 0.5";
        all_ways(&home, url, flags, 7, &["0.5 s in all", "--max-time"]);
    }
}

#[test]
fn patience_with_throttles_has_an_end() {
    let home = Home::new();
    let busy = Endpoint::start(|_| http(429, "application/json", b"{}"));
    let flags = "-q --retries 0 --throttle-patience 0.2";
    all_ways(&home, &busy.url, flags, 254, &["--throttle-patience", "--max-in-flight"]);
}

/// Nobody reads: what is left to wait for is not the service, but the time is over all the same.
#[test]
fn the_total_covers_a_reader_who_does_not_read() {
    let home = Home::new();
    let mut running = home.invoker("cat local: 64MiB -q --max-time 1").start();
    let stdout = running.stdout();
    running.wait().failed(7, &["1 s in all", "--max-time"]);
    drop(stdout);
}

/// A place for credentials that never answers.
#[cfg(unix)]
#[test]
fn the_total_covers_the_search_for_credentials() {
    let home = Home::new();
    let pipe = home.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let process = format!("cat '{}'", pipe.display());
    home.write(".aws/config", format!("[default]\ncredential_process = {process}\n"));
    let line = "cat f x -q --region eu-west-1 --max-time 0.5";
    home.run(line).failed(7, &["0.5 s in all", "--max-time"]);
    // So that the process ends: somebody writes nothing, and leaves. (Opened for both, so that it
    // does not wait if the process has ended.)
    drop(std::fs::File::options().read(true).write(true).open(&pipe).unwrap());
}

#[test]
fn limits_that_cannot_be_meant_are_explained() {
    let home = Home::new();
    for line in [
        "cat f x --max-time 0",
        "cat f x --connect-timeout soon",
        "cat f x --speed-limit 0",
        "cat f x --speed-time 3",
        "cat f x --throttle-patience never",
    ] {
        let ran = home.run(line);
        let flag = line.split(' ').find(|word| word.starts_with("--")).unwrap();
        assert_eq!(ran.code, Some(2), "{line}");
        assert!(ran.stderr.contains(flag), "{line}: {}", ran.stderr);
    }
}

/// Not even when someone wants to see more of what this program does.
#[test]
fn no_word_tells_what_was_sent_or_received() {
    let home = Home::new();
    let marked = [
        ("AWS_ACCESS_KEY_ID", "mark-of-the-key"),
        ("AWS_SECRET_ACCESS_KEY", "mark-of-the-secret"),
        ("AWS_SESSION_TOKEN", "mark-of-the-token"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let result = b"mark-of-the-result and what follows";
    let quoting = br#"{"message":"in the header 'AWS4-HMAC-SHA256 Credential=mark-of-the-key/x'"}"#;
    let changed = stream(&[chunk(&[&partial(5, 9, 10, "\"b\"")[..], result].concat())]);
    let endpoints = [
        (254, http(403, "application/json", quoting)),
        (254, http(503, "application/json", result)),
        (254, http(200, "text/html", result)),
        (3, stream(&[chunk(result), complete(r#"{"ErrorCode":"Function.Boom"}"#)])),
        (4, stream(&[chunk(result)])),
        (5, stream(&[result.to_vec()])),
        (5, changed),
    ];
    for (code, answer) in endpoints {
        let endpoint = Endpoint::start(move |_| answer.clone());
        for log in ["", "invoker=trace"] {
            let line = format!(
                "get f -o out --report report.json --retries 1 --endpoint-url {} -p",
                endpoint.url
            );
            let get = home.invoker(&line).arg(r#"{"question":"mark-of-the-payload"}"#);
            let ran = get.envs(&marked).env("RUST_LOG", log).run();
            assert_eq!(ran.code, Some(code), "{}", ran.stderr);
            let report = String::from_utf8(home.read("report.json")).unwrap();
            for (what, words) in [("stderr", &ran.stderr), ("the report", &report)] {
                for mark in ["mark-of", "AWS4-", "Signature="] {
                    assert!(!words.contains(mark), "{mark} in {what}: {words}");
                }
            }
            std::fs::remove_file(home.path("report.json")).unwrap();
            assert!(home.names().is_empty());
        }
    }
}
