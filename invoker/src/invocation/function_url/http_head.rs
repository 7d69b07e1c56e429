//! The head of an HTTP answer goes in; what the function promises comes out, with the length of its
//! body where anything on the way tells it. Pure.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, SET_COOKIE, TRANSFER_ENCODING};
use http::response;

use crate::byte_range::ContentRange;
use crate::error::{Error, ErrorKind};
use crate::invocation::HttpHead;

/// What API front doors make of a function's own `content-length` when they send chunks.
const REMAPPED_LENGTH: &str = "x-amzn-remapped-content-length";

/// What an answer without a body says of one.
const WITHOUT_BODY: [u16; 2] = [204, 304];

/// The head that a function would have sent in a direct call.
pub(super) fn read(parts: &response::Parts) -> Result<HttpHead, Error> {
    let status = parts.status.as_u16();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers = Vec::with_capacity(parts.headers.len());
    let mut cookies = Vec::new();
    for (name, value) in &parts.headers {
        match *name {
            SET_COOKIE => cookies.push(text(value)),
            // Of the connection, not of the function.
            TRANSFER_ENCODING => {}
            _ => headers.push((name.as_str().to_owned(), text(value))),
        }
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if header(CONTENT_LENGTH.as_str()).is_none() && !WITHOUT_BODY.contains(&status) {
        let range = header(CONTENT_RANGE.as_str()).and_then(ContentRange::parse);
        let promised = match (header(REMAPPED_LENGTH), range) {
            (Some(length), _) => Some(length.to_owned()),
            (None, Some(ContentRange::Part { range, .. })) if status == 206 => {
                Some((range.end - range.start).to_string())
            }
            _ => None,
        };
        let chunks = header(TRANSFER_ENCODING.as_str())
            .is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked"));
        match promised {
            Some(length) => headers.push((CONTENT_LENGTH.as_str().to_owned(), length)),
            None if chunks => {}
            None => {
                let message = "the answer has neither a length nor HTTP chunks, so its end cannot \
                               be told from a broken connection";
                return Err(Error::new(ErrorKind::Inconsistent, message));
            }
        }
    }
    Ok(HttpHead { status, headers, cookies })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_head(status: u16, headers: &[(&str, &str)]) -> Result<Option<String>, Error> {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).unwrap().into_parts();
        let head = read(&parts)?;
        let length = head.headers.iter().find(|(name, _)| name == "content-length");
        Ok(length.map(|(_, value)| value.clone()))
    }

    #[test]
    fn a_length_is_found_where_there_is_one() {
        let chunked = ("transfer-encoding", "chunked");
        let part = ("content-range", "bytes 5-9/20");
        let table = [
            (200, vec![("content-length", "7")], Some("7")),
            (200, vec![chunked], None),
            (200, vec![chunked, ("x-amzn-remapped-content-length", "8")], Some("8")),
            (206, vec![chunked, part], Some("5")),
            (200, vec![chunked, part], None),
            (304, vec![], None),
        ];
        for (status, headers, expected) in table {
            let found = read_head(status, &headers).unwrap();
            assert_eq!(found.as_deref(), expected, "{status} {headers:?}");
        }
        let error = read_head(200, &[]).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Inconsistent);
    }

    #[test]
    fn cookies_are_apart() {
        let response = http::Response::builder()
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("content-length", "0");
        let (parts, ()) = response.body(()).unwrap().into_parts();
        let head = read(&parts).unwrap();
        assert_eq!(head.cookies, ["a=1", "b=2"]);
        assert_eq!(head.headers.len(), 1);
    }
}
