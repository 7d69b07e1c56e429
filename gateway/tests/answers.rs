//! Answers of a function come in; what curl gets of them comes out: each byte when it is there, nothing where
//! there is no body, and an event where an event stream breaks.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use std::process::Stdio;

use local_lambda::FaultRule;
use serde_json::Value;
use support::{ANY, Gate, Gateway, PROTOCOLS, in_time, service};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// The function waits for the test, which waits for curl's first byte.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_is_there_before_the_function_has_finished() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    for protocol in PROTOCOLS {
        let gate = Gate::new().await;
        let mut curl = tokio::process::Command::new("curl")
            .args(["--silent", "--no-buffer", protocol])
            .arg(gateway.url(&format!("/gate?at={}", gate.address())))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
        assert_eq!(in_time(lines.next_line()).await.unwrap().unwrap(), "first");
        // The function has not finished: it is let go only now.
        drop(gate.somebody().await);
        assert_eq!(in_time(lines.next_line()).await.unwrap().unwrap(), "last");
        assert_eq!(in_time(curl.wait()).await.unwrap().code(), Some(0), "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_have_none() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    for protocol in PROTOCOLS {
        for code in [204, 304] {
            let curled = gateway.curl(protocol, &format!("/status?code={code}")).await;
            assert_eq!((curled.code, curled.status()), (Some(0), code), "{protocol}");
            assert_eq!((curled.header("x-said"), curled.body.len()), (Some("yes"), 0));
            assert_eq!(curled.header("transfer-encoding"), None);
        }
        // Of an object, and of a function that knows nothing of HEAD and sends its body.
        let head = gateway.curl(&format!("{protocol} --head"), "/100KB").await;
        assert_eq!((head.code, head.status(), head.body.is_empty()), (Some(0), 200, false));
        assert_eq!(head.header("content-length"), Some("100000"), "{protocol}");
        assert!(head.header("etag").is_some());
        let head = gateway.curl(&format!("{protocol} --head"), "/fail?after=100000").await;
        assert_eq!((head.code, head.status()), (Some(0), 200), "{protocol}");
    }
    // The connection is good for another one.
    let twice = format!("--http1.1 --head {}", gateway.url("/1KB"));
    assert_eq!(gateway.curl(&twice, "/2KB").await.code, Some(0));
}

/// Behind such a head there is no place for bad news, so they come before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_behind_a_head_without_a_body_is_told() {
    let local = service().await;
    local.add_fault("no-complete".parse::<FaultRule>().unwrap()).unwrap();
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    for protocol in PROTOCOLS {
        let curled = gateway.curl(&format!("{protocol} --head"), "/1KB").await;
        assert_eq!((curled.code, curled.status()), (Some(0), 502), "{protocol}");
    }
    assert_eq!(gateway.logged(2).await[1]["ending"], "truncated");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_conditions_pass() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let whole = gateway.curl("", "/1000").await;
    assert_eq!(whole.header("content-length"), Some("1000"));
    let etag = whole.header("etag").unwrap().to_owned();
    let part = gateway.curl("--range 100-199", "/1000").await;
    assert_eq!((part.status(), &part.body[..]), (206, &whole.body[100..200]));
    assert_eq!(part.header("content-range"), Some("bytes 100-199/1000"));
    let same = gateway.curl(&format!("--header if-none-match:{etag}"), "/1000").await;
    assert_eq!((same.code, same.status(), same.body.len()), (Some(0), 304, 0));
    let beyond = gateway.curl("--range 1000-", "/1000").await;
    assert_eq!((beyond.code, beyond.status()), (Some(0), 416));
}

const BEGIN: &str = "id: 1\ndata: one\n\nid: 2\ndata: two\n\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_that_breaks_says_so_if_that_is_wanted() {
    let local = service().await;
    let silent = Gateway::start(&local.endpoint_url(), ANY);
    let telling = Gateway::start(&local.endpoint_url(), &format!("{ANY}sse_errors = true\n"));
    for (protocol, code) in [(PROTOCOLS[0], 18), (PROTOCOLS[1], 92)] {
        for (then, between) in [
            ("", ""),
            ("id%3A%203%0Adata%3A%20thr", "id: 3\ndata: thr~\nid: 2\nevent: unfinished\n\n"),
        ] {
            let path = format!("/events?how=error&then={then}");
            let curled = telling.curl(protocol, &path).await;
            assert_eq!((curled.code, curled.status()), (Some(code), 200), "{path}");
            let told = curled.text().strip_prefix(BEGIN).unwrap().strip_prefix(between).unwrap();
            let data =
                told.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], "Function.OutOfRows");
            assert_eq!(data["requestId"], curled.header("x-request-id").unwrap());
        }
        let path = "/events?how=error";
        let curled = silent.curl(protocol, path).await;
        assert_eq!((curled.code, curled.text()), (Some(code), BEGIN));
        // Whole, or of another type: nothing is added.
        let whole = telling.curl(protocol, "/events").await;
        assert_eq!((whole.code, whole.text()), (Some(0), BEGIN));
        let other = telling.curl(protocol, "/fail?how=error&after=3").await;
        assert_eq!((other.code, other.text()), (Some(code), "xxx"));
    }
    local.add_fault("no-complete".parse::<FaultRule>().unwrap()).unwrap();
    let curled = telling.curl("", "/events").await;
    assert_eq!(curled.code, Some(18));
    assert!(curled.text().contains("\"type\":\"Gateway.Truncated\""), "{}", curled.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_a_line_for_each_exchange() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let curled = gateway.curl("--http2-prior-knowledge", "/100KB?token=secret").await;
    assert_eq!(curled.code, Some(0));
    let logged = gateway.last_logged(1).await;
    let facts: [(&str, Value); 10] = [
        ("method", "GET".into()),
        ("path", "/100KB".into()),
        ("route", "/{path+}".into()),
        ("protocol", "HTTP/2.0".into()),
        ("status", 200.into()),
        ("bytes", 100_000.into()),
        ("ending", "whole".into()),
        ("retries", 0.into()),
        ("request_id", curled.header("x-request-id").unwrap().into()),
        ("invocation_id", curled.header("x-amzn-requestid").unwrap().into()),
    ];
    for (name, value) in facts {
        assert_eq!(logged[name], value, "{name}: {logged}");
    }
    let times = ["time_to_all_headers_ms", "time_to_first_content_ms", "duration_ms"];
    let times = times.map(|name| logged[name].as_f64().unwrap());
    assert!(times.is_sorted() && times[0] > 0.0, "{logged}");
    assert!(logged["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{logged}");
    assert!(!logged.to_string().contains("secret"), "{logged}");
}
