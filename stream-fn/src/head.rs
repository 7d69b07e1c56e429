//! A status, headers and cookies come in; the head as it stands on the wire goes out: one JSON object
//! and eight NUL bytes.

use crate::failure::Failure;
use http::header::{
    AGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES,
    LAST_MODIFIED, LOCATION, RETRY_AFTER, SERVER, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;

/// Ends the JSON. API Gateway's documentation of streamed integrations wants exactly eight.
pub(crate) const DELIMITER: [u8; 8] = [0; 8];

/// The longest head, delimiter included. API Gateway looks for the delimiter in the first 16 KB; the
/// contract says 16,000 bytes, which is below that however a kilobyte is counted.
const HEAD_MAX_BYTES: usize = 16_000;

/// Headers that are no lists, so that several values of them cannot be folded (RFC 9110 section 5.3). A
/// value that is only repeated counts once.
const SINGLE: [HeaderName; 12] = [
    AGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    LOCATION,
    RETRY_AFTER,
    SERVER,
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    status_code: u16,
    headers: BTreeMap<&'a str, String>,
    /// There even if it is empty, as in every head of `lambda_runtime`: cargo-lambda reads no other.
    cookies: &'a [String],
}

/// Values of a repeated header are folded into one, where RFC 9110 section 5.3 allows it, because front
/// doors disagree about arrays; where it does not the head is refused, and so is `set-cookie`: cookies
/// have a place of their own.
pub(crate) fn encode(
    status: StatusCode,
    headers: &HeaderMap,
    cookies: &[String],
) -> Result<Vec<u8>, Failure> {
    let mut folded = BTreeMap::<&str, String>::new();
    for (name, value) in headers {
        if name == SET_COOKIE {
            return Err(invalid("a cookie must be given as a cookie, not as a header".to_owned()));
        }
        let value = value
            .to_str()
            .map_err(|_| invalid(format!("the value of the header {name} is not plain text")))?;
        match folded.get_mut(name.as_str()) {
            None => {
                folded.insert(name.as_str(), value.to_owned());
            }
            Some(same) if SINGLE.contains(name) && same == value => {}
            Some(_) if SINGLE.contains(name) => {
                let words = format!("the header {name} has several values, and can have one only");
                return Err(invalid(words));
            }
            Some(values) => {
                values.push_str(", ");
                values.push_str(value);
            }
        }
    }
    let head = Head { status_code: status.as_u16(), headers: folded, cookies };
    let mut bytes = serde_json::to_vec(&head)
        .map_err(|error| invalid("the head is no JSON".to_owned()).because(error))?;
    bytes.extend_from_slice(&DELIMITER);
    if bytes.len() > HEAD_MAX_BYTES {
        return Err(invalid(format!(
            "the head has {} bytes, {HEAD_MAX_BYTES} are allowed",
            bytes.len()
        )));
    }
    Ok(bytes)
}

fn invalid(message: String) -> Failure {
    Failure::new("InvalidHead", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderValue, VARY};
    use serde_json::json;

    fn text(value: &'static str) -> HeaderValue {
        HeaderValue::from_static(value)
    }

    #[test]
    fn json_and_eight_nuls() {
        let mut headers = HeaderMap::new();
        headers.append(VARY, text("accept"));
        headers.append(VARY, text("range"));
        headers.insert(CONTENT_TYPE, text("text/csv"));
        let head = encode(StatusCode::PARTIAL_CONTENT, &headers, &["a=1".into()]).unwrap();
        let (json, delimiter) = head.split_at(head.len() - 8);
        assert_eq!(delimiter, [0; 8]);
        assert!(!json.contains(&0));
        let json: serde_json::Value = serde_json::from_slice(json).unwrap();
        let wanted = json!({
            "statusCode": 206,
            "headers": {"content-type": "text/csv", "vary": "accept, range"},
            "cookies": ["a=1"],
        });
        assert_eq!(json, wanted);
        let bare = encode(StatusCode::OK, &HeaderMap::new(), &[]).unwrap();
        assert_eq!(bare, b"{\"statusCode\":200,\"headers\":{},\"cookies\":[]}\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn what_is_no_list_is_not_folded() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LOCATION, text(value));
            }
            encode(StatusCode::FOUND, &headers, &[])
        };
        let head = of(&["/a", "/a"]).unwrap();
        assert!(String::from_utf8_lossy(&head).contains(r#""location":"/a""#));
        let failure = of(&["/a", "/b"]).unwrap_err();
        assert_eq!(failure.error_type(), "Function.InvalidHead");
        assert!(failure.to_string().contains("location"), "{failure}");
    }

    #[test]
    fn the_limit_counts_every_byte() {
        let bare =
            encode(StatusCode::OK, &HeaderMap::new(), &[]).unwrap().len() + "\"x\":\"\"".len();
        for (length, fits) in [(HEAD_MAX_BYTES - bare, true), (HEAD_MAX_BYTES - bare + 1, false)] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(&"v".repeat(length)).unwrap();
            headers.insert(HeaderName::from_static("x"), value);
            let encoded = encode(StatusCode::OK, &headers, &[]);
            assert_eq!(encoded.is_ok(), fits, "{length}");
            if let Ok(head) = encoded {
                assert_eq!(head.len(), HEAD_MAX_BYTES);
            }
        }
    }

    #[test]
    fn what_the_head_cannot_carry_is_refused() {
        for (name, value) in [("x", &b"\xff"[..]), ("set-cookie", b"a=1")] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
            let failure = encode(StatusCode::OK, &headers, &[]).unwrap_err();
            assert_eq!(failure.error_type(), "Function.InvalidHead");
        }
    }
}
