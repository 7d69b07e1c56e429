//! A payload comes in; what it says as an HTTP event goes out, or that it is the caller's own JSON.
//!
//! Only the fields that matter here are read, each one leniently: front doors, emulators and hands
//! write these events, and a handler that wants the rest reads it from the raw payload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// An HTTP API 2.0 event, which Function URLs send too.
    HttpApi,
    /// A 1.0 event: API Gateway REST, or an HTTP API with that payload format.
    Rest,
    /// The caller's own JSON.
    Plain,
}

pub(super) struct Event {
    pub(super) kind: RequestKind,
    pub(super) method: Method,
    pub(super) object: Option<String>,
    /// Without the stage, as it came otherwise.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) cookies: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    /// The query as it came; a 1.0 event does not have it.
    pub(super) raw_query: Option<String>,
    /// All values of each parameter; a 2.0 event does not have them.
    pub(super) multi_query: BTreeMap<String, Vec<String>>,
    /// `None` if the payload itself is the body.
    pub(super) body: Option<Bytes>,
}

/// In order, so that of names which differ in case alone the same one counts each time.
type SingleHeaders = BTreeMap<String, Option<String>>;
type MultiHeaders = BTreeMap<String, Option<Vec<String>>>;
type Parameters = BTreeMap<String, Option<String>>;
type MultiParameters = BTreeMap<String, Option<Vec<String>>>;

/// Both forms of event at once; which one it is shows in what is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    request_context: WireContext,
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<SingleHeaders>,
    multi_value_headers: Option<MultiHeaders>,
    cookies: Option<Vec<String>>,
    raw_query_string: Option<String>,
    query_string_parameters: Option<Parameters>,
    multi_value_query_string_parameters: Option<MultiParameters>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct WireContext {
    http: Option<WireHttp>,
    stage: Option<String>,
}

#[derive(Deserialize)]
struct WireHttp {
    method: String,
}

/// Never fails: a payload that is no HTTP event is a plain one.
pub(super) fn read(payload: &[u8]) -> Event {
    serde_json::from_slice(payload).ok().and_then(http_event).unwrap_or_else(|| Event {
        kind: RequestKind::Plain,
        method: Method::GET,
        object: None,
        path: String::new(),
        headers: HeaderMap::new(),
        cookies: Vec::new(),
        query: BTreeMap::new(),
        raw_query: None,
        multi_query: BTreeMap::new(),
        body: None,
    })
}

fn http_event(wire: Wire) -> Option<Event> {
    let (kind, method, path) = match (wire.request_context.http, wire.http_method) {
        (Some(http), _) => {
            let path = wire.raw_path?;
            // A named stage of an HTTP API is the first thing in rawPath; Function URLs and the
            // default stage have "$default" here and nothing in the path.
            let stage = wire.request_context.stage.filter(|stage| stage != "$default");
            let path = match stage.and_then(|stage| after_stage(&path, &stage)) {
                Some(path) => path,
                None => path,
            };
            (RequestKind::HttpApi, http.method, path)
        }
        (None, Some(method)) => (RequestKind::Rest, method, wire.path?),
        (None, None) => return None,
    };
    let name = path.strip_prefix('/').unwrap_or(&path);
    let encoded = wire.is_base64_encoded.unwrap_or(false);
    let body = match wire.body {
        Some(body) if encoded => STANDARD.decode(body).map(Bytes::from).unwrap_or_default(),
        Some(body) => Bytes::from(body),
        None => Bytes::new(),
    };
    Some(Event {
        kind,
        method: Method::from_bytes(method.as_bytes()).ok()?,
        object: percent_decode_str(name).decode_utf8().ok().map(|name| name.into_owned()),
        path,
        headers: headers(wire.headers, wire.multi_value_headers),
        cookies: wire.cookies.unwrap_or_default(),
        query: there(wire.query_string_parameters),
        raw_query: wire.raw_query_string,
        multi_query: there(wire.multi_value_query_string_parameters),
        body: Some(body),
    })
}

/// Front doors and hands write `null` for what is not there.
fn there<T>(map: Option<BTreeMap<String, Option<T>>>) -> BTreeMap<String, T> {
    map.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn after_stage(path: &str, stage: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
}

/// A name in both maps is taken from the one that has all its values.
fn headers(single: Option<SingleHeaders>, multiple: Option<MultiHeaders>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in multiple.unwrap_or_default() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        for value in values.unwrap_or_default() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(&name, value);
            }
        }
    }
    for (name, value) in single.unwrap_or_default() {
        let (Ok(name), Some(Ok(value))) = (
            HeaderName::from_bytes(name.as_bytes()),
            value.map(|value| HeaderValue::from_str(&value)),
        ) else {
            continue;
        };
        headers.entry(name).or_insert(value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read_json(event: &Value) -> Event {
        read(event.to_string().as_bytes())
    }

    fn event_2(path: &str, stage: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "a=1&a=2",
            "headers": {"Range": "bytes=0-1", "x-n": "1"},
            "queryStringParameters": {"a": "1,2"},
            "requestContext": {"stage": stage, "http": {"method": "HEAD", "path": path}},
            "isBase64Encoded": false
        })
    }

    #[test]
    fn a_function_url_event() {
        let event = read_json(&event_2("/dir/a%20b%2Bc.bin", "$default"));
        assert_eq!(event.kind, RequestKind::HttpApi);
        assert_eq!(event.method, Method::HEAD);
        assert_eq!(event.object.as_deref(), Some("dir/a b+c.bin"));
        assert_eq!(event.headers["range"], "bytes=0-1");
        assert_eq!(event.query["a"], "1,2");
        assert_eq!(event.body, Some(Bytes::new()));
    }

    #[test]
    fn a_named_stage_is_no_folder() {
        for (path, stage, object) in [
            ("/prod/x", "prod", "x"),
            ("/prod", "prod", ""),
            ("/production/x", "prod", "production/x"),
            ("/prod/x", "$default", "prod/x"),
        ] {
            let event = read_json(&event_2(path, stage));
            assert_eq!(event.object.as_deref(), Some(object), "{path} {stage}");
        }
    }

    #[test]
    fn names_are_decoded_once() {
        for (path, object) in [
            ("/%2e%2e/x", Some("../x")),
            ("/%252e%252e/x", Some("%2e%2e/x")),
            ("/%2Fetc/passwd", Some("/etc/passwd")),
            ("//x", Some("/x")),
            ("/a%00b", Some("a\0b")),
            ("/100%", Some("100%")),
            ("/%ff", None),
            ("/", Some("")),
            ("", Some("")),
        ] {
            let event = read_json(&event_2(path, "$default"));
            assert_eq!(event.object.as_deref(), object, "{path}");
        }
    }

    #[test]
    fn a_rest_event() {
        let event = read_json(&json!({
            "resource": "/{proxy+}", "path": "/a/b", "httpMethod": "POST",
            "headers": {"If-Match": "\"b\"", "X-One": "1"},
            "multiValueHeaders": {"If-Match": ["\"a\"", "\"b\""], "none": null},
            "queryStringParameters": null,
            "requestContext": {"stage": "prod", "path": "/prod/a/b"},
            "body": "eyJhIjoxfQ==", "isBase64Encoded": true
        }));
        assert_eq!(event.kind, RequestKind::Rest);
        assert_eq!(event.object.as_deref(), Some("a/b"));
        assert_eq!(event.headers.get_all("if-match").iter().count(), 2);
        assert_eq!(event.headers["x-one"], "1");
        assert_eq!(event.body, Some(Bytes::from_static(b"{\"a\":1}")));
    }

    #[test]
    fn the_rest_is_the_callers_own() {
        for payload in [
            &b"{\"rows\": 5}"[..],
            b"{\"requestContext\": {}}",
            b"{\"requestContext\": {\"http\": {\"method\": \"GET\"}}}",
            b"{\"path\": \"/x\", \"httpMethod\": \"GET\"}",
            b"[]",
            b"null",
            b"not json",
            b"",
        ] {
            let event = read(payload);
            assert_eq!(event.kind, RequestKind::Plain, "{}", String::from_utf8_lossy(payload));
            assert!(event.object.is_none() && event.body.is_none());
        }
    }

    /// The field's own types write what this file reads.
    #[test]
    fn events_of_aws_lambda_events_are_read() {
        use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
        let mut http_api = ApiGatewayV2httpRequest::default();
        http_api.raw_path = Some("/a%20b".into());
        http_api.request_context.http.method = Method::GET;
        http_api.headers.insert("range", HeaderValue::from_static("bytes=0-"));
        let event = read(&serde_json::to_vec(&http_api).unwrap());
        assert_eq!(event.kind, RequestKind::HttpApi);
        assert_eq!(event.object.as_deref(), Some("a b"));
        assert_eq!(event.headers["range"], "bytes=0-");

        let mut rest = ApiGatewayProxyRequest::default();
        rest.path = Some("/x".into());
        rest.http_method = Method::GET;
        rest.multi_value_headers.insert("range", HeaderValue::from_static("bytes=0-"));
        let event = read(&serde_json::to_vec(&rest).unwrap());
        assert_eq!(event.kind, RequestKind::Rest);
        assert_eq!(event.object.as_deref(), Some("x"));
        assert_eq!(event.headers["range"], "bytes=0-");
    }
}
