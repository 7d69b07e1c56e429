//! The JSON of `InvokeComplete` goes in; a completion, or the function's error, comes out. Pure.
//!
//! The frame may have 24 MiB; of its texts no more is kept than is of use.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::error::{Error, ErrorKind};

/// Bytes kept of the code and of the details of an error: a stack trace, and far more than goes into a
/// message.
const ERROR_KEPT: usize = 64 * 1024;

/// Bytes kept of the log: its last 4 KB, in base64 (API reference of InvokeWithResponseStream), and
/// the room for a service that gives more one day. A longer one is left out: it cannot be cut.
const LOG_KEPT: usize = 64 * 1024;

/// What a successful `InvokeComplete` carries.
#[derive(Clone, Default)]
pub(crate) struct Completion {
    pub(crate) log_tail: Option<Bytes>,
}

/// The JSON of `InvokeComplete`; absent and null are the same.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvokeComplete {
    error_code: Option<Text<ERROR_KEPT>>,
    error_details: Option<Text<ERROR_KEPT>>,
    log_result: Option<Text<LOG_KEPT>>,
}

/// A text of which no more than `KEPT` bytes are kept.
struct Text<const KEPT: usize> {
    text: String,
    whole: bool,
}

impl<'de, const KEPT: usize> Deserialize<'de> for Text<KEPT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cut<const KEPT: usize>;
        impl<const KEPT: usize> Visitor<'_> for Cut<KEPT> {
            type Value = Text<KEPT>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                let kept = &text[..text.floor_char_boundary(KEPT)];
                Ok(Text { text: kept.to_owned(), whole: kept.len() == text.len() })
            }
        }
        deserializer.deserialize_str(Cut)
    }
}

pub(super) fn read_invoke_complete(json: &[u8]) -> Result<Completion, Error> {
    let complete: InvokeComplete = if json.is_empty() {
        InvokeComplete::default()
    } else {
        // The parser's own message may quote what it read; its place is enough.
        serde_json::from_slice(json).map_err(|error| {
            let message = format!("InvokeComplete is malformed at column {}", error.column());
            Error::new(ErrorKind::Corrupt, message)
        })?
    };
    let log_tail = complete.log_result.filter(|log| log.whole);
    let log_tail = log_tail.and_then(|log| BASE64.decode(log.text).ok()).map(Bytes::from);
    if let Some(code) = complete.error_code {
        let details = complete.error_details.map(|details| details.text).unwrap_or_default();
        return Err(function_error(&code.text, &details).with_log_tail(log_tail));
    }
    Ok(Completion { log_tail })
}

/// `details` is the error as the runtime wrote it, nearly always
/// `{"errorType": ..., "errorMessage": ...}`. The code `Unhandled` says less than the type in it.
pub(crate) fn function_error(code: &str, details: &str) -> Error {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Details {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let known: Details = serde_json::from_str(details).unwrap_or_default();
    let error_type = match known.error_type {
        Some(error_type) if code.is_empty() || code == "Unhandled" => error_type,
        _ if code.is_empty() => "Unhandled".to_owned(),
        _ => code.to_owned(),
    };
    Error::function(&error_type, known.error_message.as_deref().unwrap_or(details))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read() {
        for whole in [&b""[..], b"{}", br#"{"ErrorCode":null,"LogResult":null,"Later":1}"#] {
            assert!(read_invoke_complete(whole).is_ok());
        }
        let log = read_invoke_complete(br#"{"LogResult":"bG9n"}"#).unwrap().log_tail;
        assert_eq!(log.as_deref(), Some(&b"log"[..]));

        let table = [
            (r#"{"ErrorCode":"Function.Boom","ErrorDetails":"gone"}"#, "Function.Boom", "gone"),
            (r#"{"ErrorCode":"Unhandled"}"#, "Unhandled", ""),
            (
                r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"E\",\"errorMessage\":\"m\"}"}"#,
                "E",
                "m",
            ),
        ];
        for (json, error_type, message) in table {
            let Err(error) = read_invoke_complete(json.as_bytes()) else { panic!("{json}") };
            let expected = ErrorKind::Function {
                error_type: error_type.to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(*error.kind(), expected);
        }
        let json = br#"{"ErrorCode":"Function.Boom","LogResult":"bG9n"}"#;
        let Err(error) = read_invoke_complete(json) else { panic!() };
        assert_eq!(error.log_tail().map(|log| &log[..]), Some(&b"log"[..]));
        assert!(
            !format!("{error:?}").contains("log"),
            "the function's words are not ours to print"
        );

        let long = "x".repeat(1_000_000);
        let json = serde_json::json!({"ErrorCode": "Function.Boom", "ErrorDetails": long});
        let Err(error) = read_invoke_complete(json.to_string().as_bytes()) else { panic!() };
        assert!(error.to_string().len() < 2_000, "of a long text the beginning is told");
        let json = serde_json::json!({"LogResult": long}).to_string();
        assert!(read_invoke_complete(json.as_bytes()).is_ok_and(|end| end.log_tail.is_none()));

        let Err(error) = read_invoke_complete(br#"{"ErrorCode": secret"#) else { panic!() };
        assert_eq!(*error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
