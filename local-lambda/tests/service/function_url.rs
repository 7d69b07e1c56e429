//! Function URLs: in, any HTTP request; out, what the function answers, while it answers it, and never
//! an end that was none.

use super::support::{Gate, program, quiet, raw, until};
use super::wire::{Asked, End, Wire, send};
use local_lambda::{Function, Limits, LocalLambda, Pace};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";

async fn service() -> LocalLambda {
    with(Limits::aws()).await
}

async fn with(limits: Limits) -> LocalLambda {
    quiet().limits(limits).function(raw().url(true)).start().await.unwrap()
}

fn address(local: &LocalLambda, name: &str) -> String {
    let url = local.function_url(name).unwrap();
    url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap().to_owned()
}

/// A visit of the raw function that tells it what to do.
async fn visit(local: &LocalLambda, wish: &Value) -> Asked {
    let body = wish.to_string();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    send(address(local, "raw"), request).await
}

async fn seen(local: &LocalLambda, wish: Value) -> Wire {
    visit(local, &wish).await.read().await
}

fn failed(wire: &Wire) {
    let body = String::from_utf8_lossy(&wire.body);
    assert_eq!((wire.status, &*body), (502, r#"{"message":"Internal Server Error"}"#));
    assert_eq!(wire.end, End::Whole);
    assert!(wire.head.contains("\r\nx-amzn-requestid: "), "{}", wire.head);
}

#[tokio::test]
async fn only_who_is_given_a_url_has_one() {
    let local = quiet()
        .function(raw().url(true))
        .function(Function::new("hidden", program("function_raw")))
        .function(Function::new("other", program("function_raw")).url(true))
        .start()
        .await
        .unwrap();
    assert_eq!(local.function_url("hidden"), None);
    assert_eq!(local.function_url("nobody"), None);
    assert_ne!(local.function_url("raw"), local.function_url("other"));
    let address = address(&local, "raw");
    local.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "somebody still listens");
}

#[tokio::test]
async fn the_function_gets_the_request_as_an_event() {
    let local = service().await;
    let request = "POST /a%20b?q=1&q=2 HTTP/1.1\r\nhost: abc.lambda-url.example\r\n\
         content-type: application/json\r\ncookie: k=v; l=w\r\nx-one: 1\r\n\
         content-length: 13\r\n\r\n{\"do\":\"echo\"}";
    let wire = send(address(&local, "raw"), request).await.read().await;
    // Not a stream and not of a type: what it is nobody says.
    assert_eq!((wire.status, wire.end), (200, End::Whole));
    assert!(wire.head.contains("\r\ncontent-type: application/octet-stream"), "{}", wire.head);
    let echo: Value = serde_json::from_slice(&wire.body).unwrap();
    let event = &echo["payload"];
    assert_eq!(event["version"], "2.0");
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&json!("/a%20b"), &json!("q=1&q=2"))
    );
    assert_eq!(event["queryStringParameters"], json!({"q": "1,2"}));
    assert_eq!(event["cookies"], json!(["k=v", "l=w"]));
    assert_eq!(event["headers"]["x-one"], "1");
    assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("{\"do\":\"echo\"}"), &json!(false))
    );
    let context = &event["requestContext"];
    assert_eq!((&context["http"]["method"], &context["apiId"]), (&json!("POST"), &json!("abc")));
    assert_eq!(context["http"]["protocol"], "HTTP/1.1");
    // The same id everywhere.
    let id = context["requestId"].as_str().unwrap();
    assert_eq!(echo["headers"]["lambda-runtime-aws-request-id"], id);
    assert!(wire.head.contains(&format!("\r\nx-amzn-requestid: {id}")), "{}", wire.head);
    assert_eq!(echo["version"], "$LATEST");
}

#[tokio::test]
async fn a_head_becomes_status_headers_and_cookies() {
    let local = service().await;
    let head = json!({
        "statusCode": 206,
        "headers": {"Content-Length": "8", "ETag": "\"v1\"", "Content-Type": "text/plain"},
        "cookies": ["a=1; Secure", "b=2"],
    });
    let wish = json!({"do": "answer", "type": WITH_HEAD, "head": head, "chunks": ["some", "more"]});
    let wire = seen(&local, wish).await;
    assert_eq!((wire.status, &wire.body[..], wire.end), (206, &b"somemore"[..], End::Whole));
    for line in [
        "x-amzn-remapped-content-length: 8",
        "etag: \"v1\"",
        "content-type: text/plain",
        "set-cookie: a=1; secure",
        "set-cookie: b=2",
        "transfer-encoding: chunked",
    ] {
        assert!(wire.head.contains(&format!("\r\n{line}")), "no {line} in {}", wire.head);
    }
    let wish = json!({"do": "answer", "type": WITH_HEAD, "head": {"statusCode": 304}});
    let wire = seen(&local, wish).await;
    assert_eq!((wire.status, wire.body.len(), wire.end), (304, 0, End::Whole));
}

#[tokio::test]
async fn without_the_type_of_a_head_there_is_none() {
    let local = service().await;
    let wish = json!({"do": "answer", "type": "text/html", "head": {"statusCode": 404},
        "chunks": ["<p>"]});
    let wire = seen(&local, wish).await;
    assert_eq!((wire.status, wire.end), (200, End::Whole));
    assert!(wire.head.contains("\r\ncontent-type: text/html"), "{}", wire.head);
    assert_eq!(wire.body, b"{\"statusCode\":404}\0\0\0\0\0\0\0\0<p>");
}

#[tokio::test]
async fn the_body_arrives_while_the_function_still_writes() {
    let local = service().await;
    let (gate, address) = Gate::new().await;
    let mut asked = visit(&local, &json!({"do": "wait", "wait_for": address})).await;
    let first = asked.until(|wire| !wire.body.is_empty()).await;
    assert_eq!((first.status, &first.body[..], first.end), (200, &b"first"[..], End::Closed));
    // Only now may the function go on.
    drop(gate.somebody().await);
    let whole = asked.read().await;
    assert_eq!((&whole.body[..], whole.end), (&b"firstlast"[..], End::Whole));
    assert_eq!(whole.chunks, [5, 4], "each write by itself");
}

#[tokio::test]
async fn lambda_http_answers_unmodified() {
    let function = Function::new("http", program("function_http")).url(true);
    let local = quiet().function(function).start().await.unwrap();
    let request = "GET /books/7 HTTP/1.1\r\nhost: x\r\n\r\n";
    let wire = send(address(&local, "http"), request).await.read().await;
    assert_eq!((wire.status, wire.end), (201, End::Whole));
    assert!(wire.head.contains("\r\nx-served-by: lambda_http"), "{}", wire.head);
    assert_eq!(wire.body, b"you asked for /books/7");
}

#[tokio::test]
async fn a_failure_before_the_head_is_a_502() {
    let local = service().await;
    for wish in [
        json!({"do": "error"}),
        json!({"do": "exit"}),
        json!({"do": "trailers", "type": WITH_HEAD}),
        json!({"do": "answer", "type": WITH_HEAD, "chunks": ["no head"]}),
        json!({"do": "answer", "type": WITH_HEAD, "head": {"statusCode": 7}, "chunks": ["x"]}),
        json!({"do": "stream", "type": WITH_HEAD, "bytes": 100_000}),
    ] {
        failed(&seen(&local, wish).await);
    }
    let slow = raw().url(true).timeout(Duration::from_millis(200));
    let local = quiet().function(slow).start().await.unwrap();
    failed(&seen(&local, json!({"do": "hang"})).await);
    let none = Function::new("raw", "/nonexistent/program").url(true);
    let local = quiet().function(none).start().await.unwrap();
    failed(&seen(&local, json!({})).await);
}

#[tokio::test]
async fn a_failure_in_mid_body_is_never_a_clean_end() {
    let local = service().await;
    for wish in ["trailers", "error in mid-body", "exit in mid-body", "kill in mid-body", "cut"] {
        let wire = seen(&local, json!({"do": wish})).await;
        assert_eq!((wire.status, &wire.body[..4]), (200, &b"some"[..]), "{wish}");
        assert_ne!(wire.end, End::Whole, "{wish}");
    }
    let slow = raw().url(true).timeout(Duration::from_millis(200));
    let local = quiet().function(slow).start().await.unwrap();
    let wire = seen(&local, json!({"do": "hang in mid-body"})).await;
    assert_eq!(&wire.body[..], b"some");
    assert_ne!(wire.end, End::Whole, "after a timeout");
}

#[tokio::test]
async fn the_limits_of_a_streamed_response_hold() {
    let local = with(Limits::off().with_streamed_response_bytes(Some(1_000))).await;
    let wire = seen(&local, json!({"do": "stream", "bytes": 1_001})).await;
    assert_eq!(wire.body.len(), 1_000);
    assert_ne!(wire.end, End::Whole);
    let wire = seen(&local, json!({"do": "stream", "bytes": 1_000})).await;
    assert_eq!((wire.body.len(), wire.end), (1_000, End::Whole));

    let refill_every = Duration::from_millis(50);
    let pace = Pace { burst_bytes: 1 << 16, refill_bytes: 1 << 15, refill_every };
    let local = with(Limits::off().with_pace(Some(pace))).await;
    let start = Instant::now();
    let wire = seen(&local, json!({"do": "stream", "bytes": 5 << 16})).await;
    assert_eq!((wire.body.len(), wire.end), (5 << 16, End::Whole));
    // Four bursts above the first are eight refills; the first may be due at once.
    assert!(start.elapsed() >= refill_every * 7, "not paced: {:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_refused_never_reaches_the_function() {
    let local = with(Limits::aws().with_payload_bytes(Some(2_000))).await;
    let large = json!({"do": "echo", "x": "x".repeat(3_000)});
    assert_eq!(seen(&local, large).await.status, 413);
    // It fits by itself, but not with the event around it.
    let snug = json!({"do": "echo", "x": "x".repeat(1_900)});
    assert_eq!(seen(&local, snug).await.status, 413);
    let old = send(address(&local, "raw"), "GET / HTTP/1.0\r\n\r\n").await.read().await;
    assert_eq!(old.status, 505);
    assert_eq!(local.stats().invocations_started, 0);

    let local = quiet().function(raw().concurrency(1).url(true)).start().await.unwrap();
    let (gate, place) = Gate::new().await;
    let mut busy = visit(&local, &json!({"do": "wait", "wait_for": place})).await;
    busy.until(|wire| !wire.body.is_empty()).await;
    assert_eq!(seen(&local, json!({"do": "echo"})).await.status, 429);
    drop(gate.somebody().await);
    assert_eq!(busy.read().await.end, End::Whole);
}

#[tokio::test]
async fn a_visitor_who_leaves_changes_nothing_for_the_function() {
    let local = service().await;
    let (gate, place) = Gate::new().await;
    let mut asked = visit(&local, &json!({"do": "wait", "wait_for": place})).await;
    asked.until(|wire| !wire.body.is_empty()).await;
    drop(asked);
    drop(gate.somebody().await);
    until("the function is done", || local.stats().invocations_running == 0).await;
    // The environment was spared, so the function came to its end.
    let wire = seen(&local, json!({"do": "echo"})).await;
    assert_eq!((wire.status, local.stats().environments_started), (200, 1));
}

#[tokio::test]
async fn several_requests_come_through_one_connection() {
    let local = service().await;
    let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut asked = send(address(&local, "raw"), request.repeat(2)).await;
    let first = asked.until(|_| false).await;
    assert_eq!((first.status, first.end), (200, End::Whole));
    until("both are answered", || local.stats().invocations_started == 2).await;
}
