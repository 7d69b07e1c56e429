//! A visit as the function sees it: in, an HTTP request and who sent it when; out, an event of the
//! HTTP API's payload format 2.0 (AWS documentation, "Invoking Lambda function URLs"). Pure.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, HeaderValue, header, request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The only route and the only stage that a Function URL has.
const DEFAULT: &str = "$default";
/// The account of visitors that nobody asks who they are.
const ANONYMOUS: &str = "anonymous";

/// A request, and what is known about its sender.
pub(super) struct Visit<'a> {
    pub(super) request: &'a request::Parts,
    pub(super) body: &'a [u8],
    /// Of this door.
    pub(super) address: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) request_id: &'a str,
    pub(super) trace_id: &'a HeaderValue,
    pub(super) now: SystemTime,
}

/// The event of a visit.
pub(super) fn event(visit: &Visit<'_>) -> Value {
    let Visit { request, address, peer, request_id, now, .. } = visit;
    let path = request.uri.path();
    let query = request.uri.query().unwrap_or_default();
    let domain = text(request.headers.get(header::HOST)).unwrap_or_else(|| address.to_string());
    let id = domain.split(['.', ':']).next().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": DEFAULT,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(visit),
        "requestContext": {
            "accountId": ANONYMOUS,
            "apiId": id,
            "domainName": domain,
            "domainPrefix": id,
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", request.version),
                "sourceIp": peer.ip().to_string(),
                "userAgent": text(request.headers.get(header::USER_AGENT)).unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": DEFAULT,
            "stage": DEFAULT,
            "time": log_time(*now),
            "timeEpoch": now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !query.is_empty() {
        event["queryStringParameters"] = parameters(query).into();
    }
    if !visit.body.is_empty() {
        let plain = is_text(request.headers.get(header::CONTENT_TYPE));
        match std::str::from_utf8(visit.body) {
            Ok(body) if plain => event["body"] = body.into(),
            _ => {
                event["body"] = BASE64_STANDARD.encode(visit.body).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
    event
}

/// The headers under small names, repeated ones joined, cookies left out, the service's own put in.
fn headers(visit: &Visit<'_>) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in visit.request.headers.keys().filter(|name| **name != header::COOKIE) {
        let values = visit.request.headers.get_all(name).iter();
        let values: Vec<String> = values.filter_map(|value| text(Some(value))).collect();
        joined.insert(name.as_str().into(), values.join(",").into());
    }
    let own = [
        ("x-amzn-trace-id", text(Some(visit.trace_id)).unwrap_or_default()),
        ("x-forwarded-for", visit.peer.ip().to_string()),
        ("x-forwarded-port", visit.address.port().to_string()),
        ("x-forwarded-proto", "http".into()),
    ];
    joined.extend(own.map(|(name, value)| (name.into(), value.into())));
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| text(Some(value)));
    let cookies = lines.flat_map(|line| {
        line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
    });
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// The parameters, decoded; the values of a repeated one are joined.
fn parameters(query: &str) -> Map<String, Value> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let mut parameters = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = match parameters.get(&decoded(name)).and_then(Value::as_str) {
            Some(before) => format!("{before},{}", decoded(value)),
            None => decoded(value),
        };
        parameters.insert(decoded(name), value.into());
    }
    parameters
}

/// Whether a body of this type is handed over as it is. Other bodies may be anything, and travel as
/// base64.
fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(content_type) = text(content_type) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("text", _)) => true,
        Some(("application", kind)) => {
            ["json", "xml", "javascript"].contains(&kind)
                || kind.ends_with("+json")
                || kind.ends_with("+xml")
        }
        _ => false,
    }
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The time as web servers log it: `21/Nov/2026:13:58:45 +0000`.
fn log_time(now: SystemTime) -> String {
    // "Sat, 21 Nov 2026 13:58:45 GMT", the same words in another order.
    let date = httpdate::fmt_http_date(now);
    let words: Vec<&str> = date.split(' ').collect();
    match words[..] {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use std::time::Duration;

    fn of(request: http::request::Builder, body: &[u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        event(&Visit {
            request: &parts,
            body,
            address: SocketAddr::from(([127, 0, 0, 1], 9000)),
            peer: SocketAddr::from(([127, 0, 0, 2], 40000)),
            request_id: "id",
            trace_id: &HeaderValue::from_static("Root=1"),
            now: UNIX_EPOCH + Duration::from_millis(1_795_269_525_123),
        })
    }

    /// The fields of `tests/golden/event-2.0.json`, which functions are held to.
    #[test]
    fn a_visit_has_the_fields_of_an_event() {
        let path = "/a%20folder/%C3%B6.txt";
        let event =
            of(Request::get(path).header("host", "invoker").header("user-agent", "invoker"), b"");
        let mut golden: Value =
            serde_json::from_str(include_str!("../../../tests/golden/event-2.0.json")).unwrap();
        let own = |name: &str| event["headers"][name].clone();
        golden["headers"] = json!({
            "host": "invoker", "user-agent": "invoker",
            "x-amzn-trace-id": own("x-amzn-trace-id"), "x-forwarded-for": own("x-forwarded-for"),
            "x-forwarded-port": own("x-forwarded-port"), "x-forwarded-proto": "http",
        });
        golden["requestContext"]["http"]["sourceIp"] = "127.0.0.2".into();
        golden["requestContext"]["requestId"] = "id".into();
        golden["requestContext"]["time"] = "21/Nov/2026:13:58:45 +0000".into();
        golden["requestContext"]["timeEpoch"] = 1_795_269_525_123_u64.into();
        assert_eq!(event, golden);
        assert_eq!(own("x-forwarded-for"), "127.0.0.2");
        assert_eq!(own("x-forwarded-port"), "9000");
    }

    #[test]
    fn parameters_cookies_and_repeated_headers() {
        let event = of(
            Request::get("/?a=1&b=x%20y+z&a=2&c&=e&&%26=%3D")
                .header("cookie", "k=v; l=w")
                .header("cookie", "m=x")
                .header("Accept", "a")
                .header("accept", "b"),
            b"",
        );
        assert_eq!(event["rawQueryString"], "a=1&b=x%20y+z&a=2&c&=e&&%26=%3D");
        assert_eq!(
            event["queryStringParameters"],
            json!({"a": "1,2", "b": "x y z", "c": "", "": "e", "&": "="})
        );
        assert_eq!(event["cookies"], json!(["k=v", "l=w", "m=x"]));
        assert_eq!(
            (&event["headers"]["accept"], &event["headers"]["cookie"]),
            (&json!("a,b"), &Value::Null)
        );
    }

    #[test]
    fn bodies_that_are_not_text_travel_as_base64() {
        for (content_type, body, sent, encoded) in [
            ("application/json", &b"{}"[..], "{}", false),
            ("text/plain; charset=utf-8", b"\xc3\xb6", "ö", false),
            ("application/problem+json", b"{}", "{}", false),
            ("application/octet-stream", b"{}", "e30=", true),
            ("text/plain", b"\xff", "/w==", true),
        ] {
            let event = of(Request::post("/").header("content-type", content_type), body);
            assert_eq!(event["body"], sent, "{content_type}");
            assert_eq!(event["isBase64Encoded"], encoded, "{content_type}");
        }
        assert_eq!(of(Request::post("/"), b"x")["isBase64Encoded"], true);
    }
}
