//! Events of each kind come in; what a web framework would see of them is told.

use super::*;
use lambda_runtime::{Context as Invoked, LambdaInvocation};
use serde_json::{Value, json};

fn into_http(payload: &Value, client_context: Option<&str>) -> http::Request<RequestBody> {
    let mut http = http::Response::builder().header("lambda-runtime-deadline-ms", "123");
    if let Some(client_context) = client_context {
        http = http.header("lambda-runtime-client-context", client_context);
    }
    let (parts, ()) = http.body(()).unwrap().into_parts();
    let context = Invoked::new("id", Default::default(), &parts.headers).unwrap();
    let body = Bytes::from(payload.to_string());
    Request::read(LambdaInvocation { parts, body, context }).into_http().unwrap()
}

fn http_api() -> Value {
    json!({
        "version": "2.0", "rawPath": "/prod/a%20b/é", "rawQueryString": "x=1&x=%262&y",
        "cookies": ["a=1", "b=2"],
        "headers": {"Host": "h.example", "accept": "text/html,*/*", "if-match": "\"old\""},
        "queryStringParameters": {"x": "1,&2", "y": ""},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "h.example",
            "http": {"method": "PUT", "path": "/prod/a b", "sourceIp": "192.0.2.1", "userAgent": "t"},
            "requestId": "gate-1", "routeKey": "PUT /{proxy+}", "stage": "prod", "timeEpoch": 5,
        },
        "body": "aGVsbG8=", "isBase64Encoded": true
    })
}

#[test]
fn an_http_api_event() {
    let request = into_http(&http_api(), None);
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(request.uri(), "/a%20b/%C3%A9?x=1&x=%262&y");
    assert_eq!(request.headers()["host"], "h.example");
    assert_eq!(request.headers()["cookie"], "a=1; b=2");
    let context = request.extensions().get::<RequestContext>().unwrap();
    assert_eq!(context.source_ip.as_deref(), Some("192.0.2.1"));
    assert_eq!(context.route.as_deref(), Some("PUT /{proxy+}"));
    assert_eq!((context.stage.as_deref(), context.time_epoch_ms), (Some("prod"), Some(5)));
    assert_eq!(request.extensions().get::<Invoked>().unwrap().request_id, "id");
    let ours = request.extensions().get::<Arc<Request>>().unwrap();
    let own: Value = ours.request_context().unwrap();
    assert_eq!(own["requestId"], "gate-1");
    assert_eq!(request.into_body().into_bytes(), "hello");
}

#[test]
fn a_rest_event_has_all_values() {
    let event = json!({
        "resource": "/{proxy+}", "path": "/a b", "httpMethod": "GET",
        "headers": {"Accept": "b", "cookie": "c=3"},
        "multiValueHeaders": {"Accept": ["a", "b"]},
        "queryStringParameters": {"x": "2", "only": "single"},
        "multiValueQueryStringParameters": {"x": ["1", "ä & 2"], "none": null},
        "requestContext": {
            "httpMethod": "GET", "resourcePath": "/{proxy+}", "requestTimeEpoch": 7,
            "identity": {"sourceIp": "192.0.2.2", "userAgent": null},
        },
        "body": null, "isBase64Encoded": false
    });
    let request = into_http(&event, None);
    assert_eq!(request.uri(), "/a%20b?x=1&x=%C3%A4%20%26%202&only=single");
    let accepted: Vec<_> = request.headers().get_all("accept").iter().collect();
    assert_eq!(accepted, ["a", "b"]);
    assert_eq!(request.headers()["cookie"], "c=3");
    let context = request.extensions().get::<RequestContext>().unwrap();
    assert_eq!(context.route.as_deref(), Some("GET /{proxy+}"));
    assert_eq!(context.source_ip.as_deref(), Some("192.0.2.2"));
    assert_eq!((context.user_agent.as_deref(), context.time_epoch_ms), (None, Some(7)));
    assert!(http_body::Body::is_end_stream(request.body()));
}

#[test]
fn the_client_context_counts_before_the_headers() {
    let context = r#"{"custom":{"If-Match":"\"new\"","range":"bytes=0-9","x":"not a header"}}"#;
    let request = into_http(&http_api(), Some(context));
    assert_eq!(request.headers()["if-match"], "\"new\"");
    assert_eq!(request.headers()["range"], "bytes=0-9");
    assert!(!request.headers().contains_key("x"));
}

#[test]
fn a_plain_call_is_posted() {
    let request = into_http(&json!({"rows": 3}), Some(r#"{"custom":{"range":"bytes=1-"}}"#));
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/events"));
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["range"], "bytes=1-");
    assert!(request.extensions().get::<RequestContext>().is_none());
    assert_eq!(request.into_body().into_bytes(), r#"{"rows":3}"#);
}

#[test]
fn debug_shows_no_body() {
    let text = format!("{:?}", into_http(&json!({"secret": "hunter2"}), None).body());
    assert!(!text.contains("hunter2"), "{text}");
}
