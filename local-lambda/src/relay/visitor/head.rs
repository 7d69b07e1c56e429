//! The head of an answer for HTTP: in, the first bytes of a function's answer; out, status and headers,
//! or the certainty that there are none. Pure.

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What stands between head and body.
const DELIMITER: [u8; 8] = [0; 8];
/// The longest head, in bytes (API Gateway documentation, "Response transfer mode": head and delimiter
/// come within the first 16 KB; for Function URLs none is documented).
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers that are about the connection, which is not the function's: visitors see them under another
/// name, as the service does it with `content-length`.
const REMAPPED: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What the first bytes are.
#[derive(Debug)]
pub(super) enum Opening {
    /// Nobody knows yet.
    Unfinished,
    /// A head, which is taken off them.
    Head(Response<()>),
    /// No head, and none to come.
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default = "ok")]
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
}

fn ok() -> u16 {
    StatusCode::OK.as_u16()
}

/// Looks for a head in `bytes`, whose first `looked_at` were looked at before.
pub(super) fn read(bytes: &mut BytesMut, looked_at: usize) -> Opening {
    let from = looked_at.saturating_sub(DELIMITER.len() - 1);
    let found = bytes[from..].windows(DELIMITER.len()).position(|eight| eight == DELIMITER);
    let Some(border) = found.map(|place| from + place) else {
        let hopeless = bytes.len() >= HEAD_BYTES_MAX + DELIMITER.len();
        return if hopeless { Opening::None } else { Opening::Unfinished };
    };
    let head = bytes.split_to(border);
    bytes.advance(DELIMITER.len());
    if head.len() > HEAD_BYTES_MAX {
        return Opening::None;
    }
    parse(&head).map_or(Opening::None, Opening::Head)
}

fn parse(head: &[u8]) -> Option<Response<()>> {
    // An object first, because a list would do for the structure.
    let object: Map<String, Value> = serde_json::from_slice(head).ok()?;
    let wire: Wire = serde_json::from_value(object.into()).ok()?;
    let status = StatusCode::from_u16(wire.status_code).ok().filter(|s| !s.is_informational())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &wire.headers {
        let name = visible(HeaderName::from_bytes(name.as_bytes()).ok()?)?;
        // Runtimes that keep repeated headers write them as a list.
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            headers.append(name.clone(), text(value)?);
        }
    }
    for cookie in &wire.cookies {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if !bodiless && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, super::TYPE_DEFAULT);
    }
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}

/// The name under which visitors see a header.
fn visible(name: HeaderName) -> Option<HeaderName> {
    if !REMAPPED.contains(&name) {
        return Some(name);
    }
    HeaderName::from_bytes(format!("x-amzn-remapped-{name}").as_bytes()).ok()
}

fn text(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_str(text).ok(),
        Value::Number(_) | Value::Bool(_) => HeaderValue::from_str(&value.to_string()).ok(),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(json: &str) -> Option<Response<()>> {
        let mut bytes = BytesMut::from(json.as_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(b"body");
        match read(&mut bytes, 0) {
            Opening::Head(head) => {
                assert_eq!(&bytes[..], b"body");
                Some(head)
            }
            Opening::None => None,
            Opening::Unfinished => panic!("it is all there"),
        }
    }

    #[test]
    fn status_headers_and_cookies() {
        let head = head(
            r#"{"statusCode":206,"headers":{"Content-Type":"text/plain","Content-Length":"4",
                "x-n":7,"vary":["a","b"]},"cookies":["a=1; Secure","b=2"]}"#,
        )
        .unwrap();
        assert_eq!(head.status(), 206);
        let headers = head.headers();
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers["x-amzn-remapped-content-length"], "4");
        assert!(!headers.contains_key("content-length"));
        assert_eq!(headers["x-n"], "7");
        let all = |name: &str| -> Vec<_> { headers.get_all(name).iter().cloned().collect() };
        assert_eq!(all("vary"), ["a", "b"]);
        assert_eq!(all("set-cookie"), ["a=1; Secure", "b=2"]);
    }

    #[test]
    fn everything_in_a_head_is_optional() {
        let plain = head("{}").unwrap();
        assert_eq!((plain.status(), plain.headers().len()), (StatusCode::OK, 1));
        assert_eq!(plain.headers()["content-type"], "application/octet-stream");
        assert!(head(r#"{"statusCode":304}"#).unwrap().headers().is_empty());
    }

    #[test]
    fn what_is_no_head() {
        for json in [
            "",
            "[]",
            "{",
            r#"{"statusCode":99}"#,
            r#"{"statusCode":101}"#,
            r#"{"statusCode":"200"}"#,
            r#"{"headers":{"a b":"c"}}"#,
            r#"{"headers":{"a":"b\r\nc: d"}}"#,
            r#"{"headers":{"a":{}}}"#,
            r#"{"cookies":["a\n"]}"#,
        ] {
            assert!(head(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_head_ends_within_16_kib() {
        let long = |len: usize| format!(r#"{{"headers":{{"a":"{}"}}}}"#, "x".repeat(len - 20));
        assert!(head(&long(HEAD_BYTES_MAX)).is_some());
        assert!(head(&long(HEAD_BYTES_MAX + 1)).is_none());
        let mut endless = BytesMut::from(&vec![b' '; HEAD_BYTES_MAX + 7][..]);
        assert!(matches!(read(&mut endless, 0), Opening::Unfinished));
        endless.extend_from_slice(b" ");
        assert!(matches!(read(&mut endless, HEAD_BYTES_MAX + 7), Opening::None));
    }
}
