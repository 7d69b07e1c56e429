//! Requests come in that get no answer of a function: what the client is told instead comes out, and what
//! only the log is told.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use local_lambda::{FaultRule, LocalLambda};
use support::{ANY, Gate, Gateway, PROTOCOLS, function, service, service_with};

const NO_RETRIES: &str = "retries = 0\n";

fn misbehave(local: &LocalLambda, fault: &str) {
    local.clear_faults();
    local.add_fault(fault.parse::<FaultRule>().unwrap()).unwrap();
}

fn any(more: &str) -> String {
    format!("{ANY}{more}")
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_before_the_first_byte_have_their_status() {
    let local = service().await;
    let routes = any(&format!("{NO_RETRIES}timeouts = {{ first_byte = \"2s\" }}\n"));
    let gateway = Gateway::start(&local.endpoint_url(), &routes);
    let table = [
        ("throttle", 429, "throttled", Some("1")),
        ("throttle:retry-after=7", 429, "throttled", Some("7")),
        ("refuse=404:ResourceNotFoundException", 404, "refused", None),
        ("refuse=403:AccessDeniedException", 502, "refused", None),
        ("refuse=413:RequestTooLargeException", 413, "refused", None),
        ("refuse=500:ServiceException", 503, "refused", Some("1")),
        ("refuse=502:ENILimitReachedException", 502, "refused", None),
        ("cut=head:close", 502, "truncated", None),
        ("cut=0:end", 502, "truncated", None),
        ("crc=1", 502, "corrupt", None),
        ("crash", 502, "function", None),
        ("stall=head", 504, "timed-out", None),
    ];
    for (lines, (fault, status, ending, retry_after)) in (1..).zip(table) {
        misbehave(&local, fault);
        let curled = gateway.curl("", "/fail").await;
        assert_eq!((curled.code, curled.status()), (Some(0), status), "{fault}");
        assert_eq!(curled.header("content-type"), Some("application/problem+json"), "{fault}");
        assert_eq!(curled.header("retry-after"), retry_after, "{fault}");
        let problem = curled.json();
        assert_eq!(problem["status"], status, "{fault}");
        let id = curled.header("x-request-id").unwrap();
        assert_eq!(problem["requestId"], id, "{fault}");
        let logged = gateway.last_logged(lines).await;
        assert_eq!((&logged["ending"], &logged["request_id"]), (&ending.into(), &id.into()));
        assert_eq!(logged["status"], status, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_functions_words_are_for_the_log_unless_they_are_exposed() {
    let local = service().await;
    let hidden = Gateway::start(&local.endpoint_url(), ANY);
    let exposed = Gateway::start(&local.endpoint_url(), &any("expose_errors = true\n"));
    for (gateway, shown) in [(&hidden, false), (&exposed, true)] {
        let curled = gateway.curl("", "/fail?how=early").await;
        assert_eq!((curled.code, curled.status()), (Some(0), 502));
        assert_eq!(curled.json()["errorType"], "Function.NothingToday");
        assert_eq!(curled.text().contains("secret"), shown, "{}", curled.text());
        let logged = gateway.last_logged(1).await;
        assert!(logged["error"].as_str().unwrap().contains("secret of the cupboard"), "{logged}");
        assert!(logged["invocation_id"].is_string(), "{logged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_function_is_404_or_502() {
    let local = service().await;
    for (more, status) in [("", 404), ("not_found = 502\n", 502)] {
        let routes = any(more).replace("\"f\"", "\"nobody\"");
        let gateway = Gateway::start(&local.endpoint_url(), &routes);
        let curled = gateway.curl("", "/").await;
        assert_eq!(curled.status(), 404, "no route has /");
        let curled = gateway.curl("", "/x").await;
        assert_eq!(curled.status(), status);
        assert!(!curled.text().contains("nobody"), "{}", curled.text());
        assert_eq!(gateway.last_logged(2).await["ending"], "refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_run_is_asked_again() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    // Each line of the log: method, fault, runs of the function, tries again, status.
    let table = [
        ("GET", "throttle,times=2", 1, 2, 200),
        ("POST", "throttle,times=1", 1, 1, 200),
        ("POST", "throttle:retry-after=60,times=1", 0, 0, 429),
        ("GET", "throttle,times=9", 0, 2, 429),
        ("GET", "cut=head:close,times=1", 2, 1, 200),
        ("POST", "cut=head:close,times=1", 1, 0, 502),
        ("GET", "refuse=500:ServiceException,times=1", 1, 1, 200),
        ("PUT", "refuse=500:ServiceException,times=1", 0, 0, 503),
        ("GET", "refuse=403:AccessDeniedException,times=1", 0, 0, 502),
        ("GET", "crash,times=1", 1, 0, 502),
        // Nothing is asked again once a byte was passed on.
        ("GET", "cut=frame.2+10:end,split=100,times=1", 1, 0, 200),
    ];
    for (lines, (method, fault, runs, retries, status)) in (1..).zip(table) {
        let before = local.stats().invocations_started;
        local.clear_faults();
        for fault in fault.split(",split=100") {
            misbehave_too(&local, fault);
        }
        let curled = gateway.curl(&format!("-X {method}"), "/fail?after=1000").await;
        assert_eq!(curled.status(), status, "{method} {fault}");
        assert_eq!(gateway.last_logged(lines).await["retries"], retries, "{method} {fault}");
        let ran = local.stats().invocations_started - before;
        assert_eq!(ran, runs, "{method} {fault}");
    }
}

fn misbehave_too(local: &LocalLambda, fault: &str) {
    if !fault.is_empty() && !fault.starts_with(',') {
        local.add_fault(fault.parse::<FaultRule>().unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_is_asked_again_and_then_503() {
    let nobody = support::Gate::new().await;
    let address = nobody.address();
    drop(nobody);
    let gateway = Gateway::start(&format!("http://{address}"), ANY);
    let curled = gateway.curl("-X POST", "/x").await;
    assert_eq!((curled.status(), curled.header("retry-after")), (503, Some("1")));
    assert!(!curled.text().contains(&address), "{}", curled.text());
    let logged = gateway.last_logged(1).await;
    assert_eq!((&logged["ending"], &logged["retries"]), (&"unreachable".into(), &2.into()));
    assert!(logged["error"].as_str().unwrap().contains(&address), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_route_says_so_at_once() {
    let local = service_with(function().concurrent_invocations(4)).await;
    let gateway = Gateway::start(&local.endpoint_url(), &any("in_flight = 1\n"));
    let gate = Gate::new().await;
    let path = format!("/gate?at={}", gate.address());
    let waiting = gateway.curl("", &path);
    let others = async {
        let held = gate.somebody().await;
        let full = gateway.curl("", "/size").await;
        assert_eq!((full.status(), full.header("retry-after")), (503, Some("1")));
        assert_eq!(gateway.last_logged(1).await["ending"], "rejected");
        drop(held);
    };
    let (waited, ()) = tokio::join!(waiting, others);
    assert_eq!((waited.code, waited.text()), (Some(0), "first\nlast\n"));
    // The place is free again.
    gateway.logged(2).await;
    assert_eq!(gateway.curl("", "/size").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), &any("body_max = \"1KB\"\n"));
    let file = gateway.folder().join("body");
    let mut lines = 0;
    for (bytes, status) in [(1_000, 200), (1_001, 413), (5_000_000, 413)] {
        std::fs::write(&file, vec![b'x'; bytes]).unwrap();
        for protocol in PROTOCOLS {
            for how in ["", "--header transfer-encoding:chunked", "--header expect:100-continue"] {
                // Both are of HTTP/1.1; and the reset behind an early answer is none for every curl.
                if protocol == PROTOCOLS[1] && (!how.is_empty() || bytes > 1_000_000) {
                    continue;
                }
                let flags = format!("{protocol} {how} --data-binary @{}", file.display());
                let curled = gateway.curl(&flags, "/size").await;
                assert!(curled.code == Some(0), "{bytes} {flags}: {:?}", curled.code);
                assert_eq!(curled.status(), status, "{bytes} {flags}");
                lines += 1;
                if status == 200 {
                    assert_eq!(curled.text(), "1000", "{bytes} {flags}");
                }
            }
        }
    }
    assert_eq!(gateway.logged(lines).await.len(), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_request_id_is_taken_if_that_is_wanted() {
    let local = service().await;
    let own = Gateway::start(&local.endpoint_url(), ANY);
    let theirs = Gateway::start_with(&local.endpoint_url(), "accept_request_id = true", ANY);
    for (gateway, given, taken) in
        [(&own, "trace-1", false), (&theirs, "trace-1", true), (&theirs, "trace'1", false)]
    {
        let curled = gateway.curl(&format!("--header x-request-id:{given}"), "/size").await;
        let id = curled.header("x-request-id").unwrap();
        assert_eq!(id == given, taken, "{id}");
    }
}
