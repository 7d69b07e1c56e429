//! The first payload bytes of a function go in; its head comes out, or the certainty that it sent
//! none. Pure.
//!
//! A head is one JSON object and eight NUL bytes. Functions in the field send it in one PayloadChunk,
//! in two, or cut at any byte, and many send none; a body may begin with a JSON object of its own.
//! So the bytes are judged as they come, and a body without a head is let through at the first byte
//! that no head can have.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, ErrorKind};
use crate::invocation::HttpHead;

/// What stands between the JSON of a head and the body.
pub(crate) const SEPARATOR: [u8; 8] = [0; 8];

/// The longest head that is read, in bytes. API Gateway wants the separator within the first 16 KiB
/// (its developer guide, "response streaming"); direct calls know no limit, so leave some room.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;

/// The keys that a head may begin with. Source: the HTTP integration response format of the Lambda
/// and API Gateway developer guides.
pub(crate) const KEYS: [&[u8]; 4] = [b"statusCode", b"headers", b"multiValueHeaders", b"cookies"];

/// What a function promises before its body.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status; 200 where the function named none.
    pub status: u16,
    /// The headers, names in lower case, repeated ones one after the other.
    pub headers: Vec<(String, String)>,
    /// The cookies, as `Set-Cookie` values.
    pub cookies: Vec<String>,
}

impl Head {
    /// The value of the first header called `name` (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The promised length of the body, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        let digits = self.header("content-length")?.trim();
        // `parse` alone would take a sign as well.
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    }
}

impl From<HttpHead> for Head {
    fn from(head: HttpHead) -> Self {
        let HttpHead { status, headers, cookies } = head;
        Self { status, headers, cookies }
    }
}

impl std::fmt::Debug for Head {
    /// Shows names, not values: a header may hold a cookie or a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Head")
            .field("status", &self.status)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// What is known of the beginning of a payload.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Not enough bytes to tell.
    Undecided,
    /// A head, and the bytes of the body that came with it.
    Head(Head, Bytes),
    /// No head: all bytes so far are body.
    Body(Bytes),
}

/// Reads the beginning of one payload.
#[derive(Default)]
pub(crate) struct HeadReader {
    held: BytesMut,
    scan: Scan,
}

impl HeadReader {
    /// Takes the next bytes of the payload. Once it is decided, it is not called again.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<Beginning, Error> {
        // Nearly always the first slice holds the whole head, or shows that there is none: then
        // nothing is copied.
        if self.held.is_empty() {
            let verdict = self.scan.read(&bytes);
            if verdict == Verdict::Undecided {
                self.held.extend_from_slice(&bytes);
            }
            return decide(verdict, bytes);
        }
        let seen = self.held.len();
        self.held.extend_from_slice(&bytes);
        let verdict = self.scan.read(&self.held[seen..]);
        if verdict == Verdict::Undecided {
            return Ok(Beginning::Undecided);
        }
        decide(verdict, self.held.split().freeze())
    }

    /// The payload has ended before it was decided: what was held is body.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

fn decide(verdict: Verdict, mut payload: Bytes) -> Result<Beginning, Error> {
    Ok(match verdict {
        Verdict::Undecided => Beginning::Undecided,
        Verdict::NoHead => Beginning::Body(payload),
        Verdict::Head { json_len } => {
            let head = parse(&payload[..json_len])?;
            payload.advance(json_len + SEPARATOR.len());
            Beginning::Head(head, payload)
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Undecided,
    Head { json_len: usize },
    NoHead,
}

/// Finds the end of the JSON object and the separator, byte by byte.
#[derive(Default)]
struct Scan {
    place: Place,
    seen: usize,
    /// How many brackets and braces are open.
    depth: usize,
    /// Bytes of the first key, while it is read.
    key: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Start,
    BeforeFirstKey,
    InFirstKey,
    Json,
    InString,
    Escaped,
    Separator {
        json_len: usize,
    },
}

impl Scan {
    fn read(&mut self, bytes: &[u8]) -> Verdict {
        for &byte in bytes {
            self.seen += 1;
            self.place = match (self.place, byte) {
                (Place::Start, b'{') => {
                    self.depth = 1;
                    Place::BeforeFirstKey
                }
                (Place::BeforeFirstKey, b' ' | b'\t' | b'\r' | b'\n') => Place::BeforeFirstKey,
                (Place::BeforeFirstKey, b'"') => Place::InFirstKey,
                (Place::BeforeFirstKey, b'}') => Place::Separator { json_len: self.seen },
                (Place::InFirstKey, b'"') if KEYS.contains(&&self.key[..]) => Place::Json,
                (Place::InFirstKey, _) => {
                    self.key.push(byte);
                    if !KEYS.iter().any(|key| key.starts_with(&self.key)) {
                        return Verdict::NoHead;
                    }
                    Place::InFirstKey
                }
                (Place::Json, b'"') => Place::InString,
                (Place::Json, b'{' | b'[') => {
                    self.depth += 1;
                    Place::Json
                }
                (Place::Json, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        Place::Separator { json_len: self.seen }
                    } else {
                        Place::Json
                    }
                }
                (Place::Json, 0) => return Verdict::NoHead,
                (Place::InString, b'"') => Place::Json,
                (Place::InString, b'\\') => Place::Escaped,
                (Place::InString | Place::Escaped, _) => Place::InString,
                (Place::Json, _) => Place::Json,
                (Place::Separator { json_len }, 0) => {
                    if self.seen == json_len + SEPARATOR.len() {
                        return Verdict::Head { json_len };
                    }
                    Place::Separator { json_len }
                }
                (Place::Start | Place::BeforeFirstKey | Place::Separator { .. }, _) => {
                    return Verdict::NoHead;
                }
            };
            if self.seen >= HEAD_LIMIT {
                return Verdict::NoHead;
            }
        }
        Verdict::Undecided
    }
}

/// A head as it stands on the wire. Values of headers may be strings, numbers, or arrays of them.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default = "ok")]
    status_code: u16,
    #[serde(default)]
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    multi_value_headers: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    cookies: Vec<String>,
}

fn ok() -> u16 {
    200
}

fn parse(json: &[u8]) -> Result<Head, Error> {
    // The parser's own message may quote what it read; its place is enough.
    let wire: Wire = serde_json::from_slice(json).map_err(|error| {
        let message = format!("the function's head is malformed at column {}", error.column());
        Error::new(ErrorKind::Inconsistent, message)
    })?;
    let mut headers = Vec::new();
    for (name, value) in wire.multi_value_headers.into_iter().chain(wire.headers) {
        let name = name.to_ascii_lowercase();
        let values = match value {
            serde_json::Value::Array(values) => values,
            value => vec![value],
        };
        // A name in both maps is given twice on purpose: the first map is the fuller one.
        if headers.iter().any(|(other, _)| *other == name) {
            continue;
        }
        headers.extend(values.into_iter().filter_map(header_text).map(|text| (name.clone(), text)));
    }
    Ok(Head { status: wire.status_code, headers, cookies: wire.cookies })
}

fn header_text(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA_RUNTIME: &[u8] =
        b"{\"statusCode\":206,\"headers\":{\"content-type\":\"a/b\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

    fn read(pieces: &[&[u8]]) -> Beginning {
        let mut reader = HeadReader::default();
        for (index, piece) in pieces.iter().enumerate() {
            match reader.push(Bytes::copy_from_slice(piece)).unwrap() {
                Beginning::Undecided => {}
                decided => {
                    assert_eq!(index + 1, pieces.len(), "decided before the last piece");
                    return decided;
                }
            }
        }
        Beginning::Undecided
    }

    #[test]
    fn a_head_is_found_across_any_split() {
        let payload = [LAMBDA_RUNTIME, b"body"].concat();
        for first in 0..LAMBDA_RUNTIME.len() {
            for second in first..LAMBDA_RUNTIME.len() {
                let pieces = [&payload[..first], &payload[first..second], &payload[second..]];
                let pieces: Vec<&[u8]> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
                let Beginning::Head(head, rest) = read(&pieces) else { panic!("a head") };
                assert_eq!((head.status, &rest[..]), (206, &b"body"[..]));
                assert_eq!(head.header("content-type"), Some("a/b"));
            }
        }
    }

    #[test]
    fn a_body_without_a_head_is_let_through_at_its_first_telling_byte() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b"plain text"),
            (b"", b"["),
            (b"{\"", b"x"),
            (b"{\"status", b"\":1}"),
            (b"{\"statusCode\":200}", b"\n{\"statusCode\":201}"),
            (b"{\"statusCode\":200,\"body\":\"}\\\"\0\"}", b"{"),
            (b"{}\0\0\0\0\0\0\0", b"x"),
        ];
        for (undecided, telling) in table {
            let pieces: Vec<&[u8]> =
                [*undecided, *telling].into_iter().filter(|piece| !piece.is_empty()).collect();
            let Beginning::Body(body) = read(&pieces) else { panic!("{telling:?}") };
            assert_eq!(body, [*undecided, *telling].concat());
        }
    }

    #[test]
    fn an_endless_object_is_a_body_at_the_limit() {
        let mut reader = HeadReader::default();
        assert!(matches!(
            reader.push(Bytes::from_static(b"{\"headers\":[")),
            Ok(Beginning::Undecided)
        ));
        let long = Bytes::from(vec![b'1'; HEAD_LIMIT]);
        assert!(matches!(reader.push(long), Ok(Beginning::Body(_))));
    }

    #[test]
    fn strange_heads_are_understood() {
        let head = |json: &str| parse(json.as_bytes()).unwrap();
        assert_eq!(head("{}").status, 200);
        let arrays = head(r#"{"headers":{"A":["1","2"],"Content-Length":5}}"#);
        let expected = [("a", "1"), ("a", "2"), ("content-length", "5")];
        assert_eq!(arrays.headers, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(arrays.content_length(), Some(5));
        let both = head(r#"{"headers":{"a":"2"},"multiValueHeaders":{"a":["1","2"]}}"#);
        assert_eq!(both.headers.len(), 2);
    }

    #[test]
    fn a_malformed_head_is_an_error_that_quotes_nothing() {
        let error = parse(b"{\"statusCode\":\"secret\"}").unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Inconsistent);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
