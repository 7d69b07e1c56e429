//! The JSON of `InvokeComplete` goes in; a completion, or the function's error, comes out. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::error::{Error, ErrorKind};

/// What a successful `InvokeComplete` carries.
#[derive(Clone, Default)]
pub(crate) struct Completion {
    pub(crate) log_tail: Option<Bytes>,
}

/// The JSON of `InvokeComplete`; absent and null are the same.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvokeComplete {
    error_code: Option<String>,
    error_details: Option<String>,
    log_result: Option<String>,
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
    if let Some(code) = complete.error_code {
        return Err(function_error(&code, complete.error_details.as_deref().unwrap_or_default()));
    }
    let log_tail = complete.log_result.and_then(|encoded| BASE64.decode(encoded).ok());
    Ok(Completion { log_tail: log_tail.map(Bytes::from) })
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
        let Err(error) = read_invoke_complete(br#"{"ErrorCode": secret"#) else { panic!() };
        assert_eq!(*error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
