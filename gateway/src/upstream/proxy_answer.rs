//! The whole answer of a function that does not stream comes in, as JSON; the head and the body that it stands for go
//! out (API Gateway developer guide, "Output format of a Lambda function for proxy integration"). Pure.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use invoker::Head;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::EventFormat;

/// What a function may say. All of it can be left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    status_code: Option<u16>,
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<Map<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// `None` if it is no such answer. Format 2.0 takes JSON without a status for the body, as HTTP APIs do; so does
/// a raw route, which knows no answers but JSON.
pub(super) fn read(payload: &Bytes, format: EventFormat) -> Option<(Head, Bytes)> {
    let json: Value = serde_json::from_slice(payload).ok()?;
    let any = || {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        let head = Head { status: 200, headers: vec![content_type], cookies: Vec::new() };
        // A text stands for itself.
        let body =
            json.as_str().map_or(payload.clone(), |text| Bytes::copy_from_slice(text.as_bytes()));
        (head, body)
    };
    if format == EventFormat::Raw {
        return Some((any().0, payload.clone()));
    }
    if json.get("statusCode").is_none() {
        return (format == EventFormat::HttpApi).then(any);
    }
    let wire = Wire::deserialize(&json).ok()?;
    let body = wire.body.unwrap_or_default();
    let body = match wire.is_base64_encoded {
        Some(true) => BASE64_STANDARD.decode(body).ok()?.into(),
        _ => Bytes::from(body),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    // A name in both maps is taken from the one that has all its values.
    for map in [wire.multi_value_headers, wire.headers] {
        let before = headers.len();
        for (name, value) in map.unwrap_or_default() {
            let name = name.to_ascii_lowercase();
            if headers[..before].iter().any(|(other, _)| *other == name) {
                continue;
            }
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            headers.extend(values.into_iter().filter_map(text).map(|text| (name.clone(), text)));
        }
    }
    if !headers.iter().any(|(name, _)| name == "content-type") && !body.is_empty() {
        headers.push(("content-type".into(), "application/json".into()));
    }
    let head =
        Head { status: wire.status_code?, headers, cookies: wire.cookies.unwrap_or_default() };
    Some((head, body))
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(format: EventFormat, json: &str) -> Option<(Head, Bytes)> {
        read(&Bytes::copy_from_slice(json.as_bytes()), format)
    }

    #[test]
    fn what_a_function_says_is_taken_apart() {
        let json = r#"{"statusCode": 201, "body": "aMO2", "isBase64Encoded": true,
            "headers": {"X-One": "1", "x-both": "no", "Content-Type": "text/plain"},
            "multiValueHeaders": {"x-both": ["a", "b"]}, "cookies": ["k=1"]}"#;
        let (Head { status, mut headers, cookies }, body) =
            read_as(EventFormat::Rest, json).unwrap();
        assert_eq!(cookies, ["k=1"]);
        headers.sort();
        let expected =
            [("content-type", "text/plain"), ("x-both", "a"), ("x-both", "b"), ("x-one", "1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((status, &headers[..], &body[..]), (201, &expected[..], "hö".as_bytes()));
    }

    #[test]
    fn what_is_no_answer_is_the_body_or_refused() {
        let table = [
            (EventFormat::HttpApi, "{\"a\": 1}", Some("{\"a\": 1}")),
            (EventFormat::HttpApi, "\"text\"", Some("text")),
            (EventFormat::HttpApi, "{\"statusCode\": \"x\"}", None),
            (EventFormat::HttpApi, "no JSON", None),
            (EventFormat::Rest, "{\"a\": 1}", None),
            (EventFormat::Alb, "null", None),
            (EventFormat::Raw, "{\"statusCode\": 404}", Some("{\"statusCode\": 404}")),
            (EventFormat::Raw, "\"text\"", Some("\"text\"")),
            (
                EventFormat::Rest,
                "{\"statusCode\": 200, \"body\": \"!\", \"isBase64Encoded\": true}",
                None,
            ),
            (
                EventFormat::Rest,
                "{\"statusCode\": 204, \"body\": null, \"headers\": null}",
                Some(""),
            ),
        ];
        for (format, json, expected) in table {
            let body = read_as(format, json).map(|(_, body)| body);
            assert_eq!(body.as_deref(), expected.map(str::as_bytes), "{json}");
        }
    }
}
