//! What a caller asks besides the payload: in, the headers of an invocation; out, their meaning, or
//! the refusal.

use crate::limits::Limits;
use crate::refusal::Refusal;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, HeaderValue, header};
use serde::de::IgnoredAny;

/// The longest tenant id, in bytes (the service model of Invoke).
const TENANT_ID_BYTES_MAX: usize = 256;

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// The headers of an invocation, understood.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) invocation_type: InvocationType,
    pub(crate) log_tail: bool,
    /// The client context as JSON on one line, as the Runtime API hands it on.
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) tenant_id: Option<HeaderValue>,
    pub(crate) trace_id: Option<HeaderValue>,
}

impl Ask {
    pub(crate) fn parse(headers: &HeaderMap, limits: &Limits) -> Result<Self, Refusal> {
        media_type(headers)?;
        Ok(Self {
            invocation_type: match text(headers, "x-amz-invocation-type")? {
                None | Some("RequestResponse") => InvocationType::RequestResponse,
                Some("Event") => InvocationType::Event,
                Some("DryRun") => InvocationType::DryRun,
                Some(_) => return Err(constraint("invocationType")),
            },
            log_tail: match text(headers, "x-amz-log-type")? {
                None | Some("None") => false,
                Some("Tail") => true,
                Some(_) => return Err(constraint("logType")),
            },
            client_context: text(headers, "x-amz-client-context")?
                .map(|encoded| client_context(encoded, limits.client_context_bytes))
                .transpose()?,
            tenant_id: text(headers, "x-amz-tenant-id")?.map(tenant_id).transpose()?,
            trace_id: headers.get("x-amzn-trace-id").cloned(),
        })
    }
}

impl Ask {
    /// The range that the caller asks for beside the payload: `custom.range` of the client context.
    pub(crate) fn range(&self) -> Option<String> {
        let context: serde_json::Value =
            serde_json::from_slice(self.client_context.as_ref()?.as_bytes()).ok()?;
        context["custom"]["range"].as_str().map(Into::into)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    headers.get(name).map(|value| value.to_str().map_err(|_| constraint(name))).transpose()
}

fn constraint(member: &str) -> Refusal {
    Refusal::BadParameter(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint"
    ))
}

/// SDKs send `application/octet-stream` or nothing, people send JSON, and `curl -d` a form's type:
/// the payload itself is checked, so only types that cannot hold JSON are refused.
fn media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Refusal::MediaType("The payload must not be encoded.".into()));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    match essence.split_once('/') {
        Some(("application", _)) => Ok(()),
        Some(("text", "plain")) => Ok(()),
        _ => Err(Refusal::MediaType("The content type of the payload is not JSON.".into())),
    }
}

/// The context decoded, if it is base64 of JSON. It travels on in a header, so line breaks between
/// its tokens become blanks, and what a header cannot carry is escaped as JSON does it.
fn client_context(encoded: &str, limit: Option<usize>) -> Result<HeaderValue, Refusal> {
    let refuse = |fault: &str| Refusal::BadClientContext(format!("Client context {fault}"));
    if let Some(limit) = limit
        && encoded.len() > limit
    {
        return Err(refuse(&format!("must be no more than {limit} bytes when base64-encoded.")));
    }
    let json = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| refuse("must be a valid Base64-encoded JSON object."))?;
    let not_json = || refuse("must be a valid JSON object.");
    let json = String::from_utf8(json).map_err(|_| not_json())?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json)
        .map_err(|_| not_json())?;
    HeaderValue::from_str(&one_line(&json)).map_err(|_| not_json())
}

/// The same JSON in visible ASCII. Inside valid JSON a control character stands only between tokens,
/// and a character beyond ASCII only inside a string.
fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\t' | '\n' | '\r' => line.push(' '),
            c if c.is_ascii() => line.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    line.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    line
}

fn tenant_id(id: &str) -> Result<HeaderValue, Refusal> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&b);
    let fits = (1..=TENANT_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(known);
    match HeaderValue::from_str(id) {
        Ok(value) if fits => Ok(value),
        _ => Err(constraint("tenantId")),
    }
}

/// Checks that a payload is JSON, without building it.
pub(crate) fn check_payload(payload: &[u8]) -> Result<(), Refusal> {
    match serde_json::from_slice::<IgnoredAny>(payload) {
        Ok(IgnoredAny) => Ok(()),
        // The place says enough: the text around it is the caller's payload.
        Err(err) => Err(Refusal::BadPayload(format!(
            "Could not parse request body into json: malformed at line {} column {}",
            err.line(),
            err.column()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(text: impl AsRef<[u8]>) -> Result<String, Refusal> {
        client_context(&BASE64_STANDARD.encode(text), Some(3_583))
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_client_context_is_decoded_to_json_that_fits_a_header() {
        assert_eq!(context(r#"{"custom":{"a":"b"}}"#).unwrap(), r#"{"custom":{"a":"b"}}"#);
        assert_eq!(context("{\n \"a\":\t1}").unwrap(), "{  \"a\": 1}");
        assert_eq!(context(r#"{"a":"ö𝄞"}"#).unwrap(), r#"{"a":"\u00f6\ud834\udd1e"}"#);
    }

    #[test]
    fn what_is_no_client_context_is_refused() {
        assert!(client_context("{}", None).is_err(), "not base64");
        for text in ["", "{", "[]", "7", "{} x"] {
            assert!(context(text).is_err(), "{text:?}");
        }
        assert!(context([0xff]).is_err());
    }

    #[test]
    fn a_client_context_has_3583_bytes_at_most() {
        let json = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(context(json(2_685)).is_ok()); // 3,580 bytes of base64
        assert!(context(json(2_688)).is_err()); // 3,584
        assert!(client_context(&BASE64_STANDARD.encode(json(9_000)), None).is_ok());
    }

    #[test]
    fn headers_mean_what_the_model_says() {
        let parse = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(k, v)| (http::HeaderName::from_static(k), HeaderValue::from_static(v)))
                .collect();
            Ask::parse(&headers, &Limits::aws())
        };
        let ask = parse(&[]).unwrap();
        assert_eq!((ask.invocation_type, ask.log_tail), (InvocationType::RequestResponse, false));
        let ask =
            parse(&[("x-amz-invocation-type", "DryRun"), ("x-amz-log-type", "Tail")]).unwrap();
        assert_eq!((ask.invocation_type, ask.log_tail), (InvocationType::DryRun, true));
        assert!(parse(&[("x-amz-invocation-type", "Later")]).is_err());
        assert!(parse(&[("x-amz-log-type", "Head")]).is_err());
        assert!(parse(&[("x-amz-tenant-id", "blue@example")]).is_ok());
        assert!(parse(&[("x-amz-tenant-id", "blue!")]).is_err());
        for (media_type, good) in [
            ("application/json", true),
            ("application/octet-stream", true),
            ("application/x-www-form-urlencoded", true),
            ("text/plain; charset=utf-8", true),
            ("multipart/form-data; boundary=x", false),
            ("image/png", false),
        ] {
            assert_eq!(parse(&[("content-type", media_type)]).is_ok(), good, "{media_type}");
        }
        assert!(parse(&[("content-encoding", "gzip")]).is_err());
    }

    #[test]
    fn payloads_are_json() {
        for (payload, good) in [
            ("{}", true),
            ("7", true),
            ("\"x\"", true),
            ("{", false),
            ("x", false),
            ("{} {}", false),
        ] {
            assert_eq!(check_payload(payload.as_bytes()).is_ok(), good, "{payload}");
        }
    }
}
