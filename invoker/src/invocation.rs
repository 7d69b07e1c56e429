//! One call of a function goes out through the SDK; payload bytes come in, and an end that is
//! certain.

mod event;

mod call;
#[cfg(feature = "function-url")]
mod function_url;

mod events;
mod frames;

mod ending;
mod error_answer;
mod silence;
mod timeouts;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

pub(crate) use call::{Begun, SdkRetries, call, dry_run};
pub(crate) use ending::function_error;
pub(crate) use events::Events;
#[cfg(feature = "function-url")]
pub use function_url::FunctionUrls;
pub use timeouts::Timeouts;

/// What the service accepts in `X-Amz-Client-Context`, in bytes of base64. Source: the API
/// reference of InvokeWithResponseStream.
const CLIENT_CONTEXT_LIMIT: usize = 3_583;

/// The head of an HTTP answer, as it came.
#[derive(Clone)]
pub(crate) struct HttpHead {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cookies: Vec<String>,
}

/// One call of a function: what is sent. Cheap to clone.
///
/// ```
/// let invocation = invoker::Invocation::new("report:live")
///     .payload(r#"{"month": "2026-10"}"#)
///     .custom("accept-encoding", "identity");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    function: String,
    qualifier: Option<String>,
    #[serde(with = "payload_in_base64")]
    payload: Bytes,
    client_context: serde_json::Map<String, serde_json::Value>,
    custom: BTreeMap<String, String>,
    tenant_id: Option<String>,
    log_tail: bool,
}

impl Invocation {
    /// Calls `function`: a name, `name:qualifier`, or a partial or full ARN, qualified or not; or the
    /// URL of a function, for an [`Invoker`](crate::Invoker) that has those (feature `function-url`).
    /// The payload is `{}` until another is set.
    pub fn new(function: impl Into<String>) -> Self {
        let function = function.into();
        let (function, qualifier) = match is_url(&function) {
            true => (function, None),
            false => split_qualifier(function),
        };
        Self {
            function,
            qualifier,
            payload: Bytes::from_static(b"{}"),
            client_context: serde_json::Map::new(),
            custom: BTreeMap::new(),
            tenant_id: None,
            log_tail: false,
        }
    }

    /// The version or alias to call, in place of one in the function's name.
    pub fn qualifier(mut self, qualifier: impl Into<String>) -> Self {
        self.qualifier = Some(qualifier.into());
        self
    }

    /// The event the function gets: JSON, at most 6 MB.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Asks for the object called `name`: the payload is an HTTP API 2.0 event, `GET /name`.
    pub fn object(self, name: &str) -> Self {
        self.payload(event::for_object(name))
    }

    /// One entry of `custom` in the client context, beside the payload; the function sees it as
    /// `context.clientContext.custom`. The whole context may have 3,583 bytes in base64.
    pub fn custom(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.custom.insert(name.into(), value.into());
        self
    }

    /// The rest of the client context (`client`, `env`, ...). Entries of its `custom` stay, unless
    /// [`custom`](Self::custom) sets one of the same name.
    pub fn client_context(mut self, context: serde_json::Map<String, serde_json::Value>) -> Self {
        self.client_context = context;
        self
    }

    /// The tenant, for a function with tenant isolation.
    pub fn tenant_id(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// Asks for the last 4 KB of the function's log; they come with the end of the stream.
    pub fn log_tail(mut self, wanted: bool) -> Self {
        self.log_tail = wanted;
        self
    }

    /// What it calls, without a qualifier, as it may be shown: of an URL neither a user and a password
    /// nor the query, either of which may be a secret.
    pub(crate) fn shown_function(&self) -> &str {
        match self.function.split_once("://") {
            Some((_, rest)) if self.is_by_url() && has_user(rest) => "https://",
            Some(_) if self.is_by_url() => {
                self.function.split(['?', '#']).next().unwrap_or_default()
            }
            _ => &self.function,
        }
    }

    /// Before anything is told of the call, or made: a password in an URL is sent by nobody, and would be
    /// shown by many.
    pub(crate) fn refuse_user(&self) -> Result<(), Error> {
        match self.function.split_once("://") {
            Some((_, rest)) if self.is_by_url() && has_user(rest) => {
                let message = "the URL of a function is https://HOST or https://HOST:PORT and a path, \
                    without a user and a password";
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
            _ => Ok(()),
        }
    }

    /// The URL that it calls, or the name.
    #[cfg(feature = "function-url")]
    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// Whether it calls an URL.
    pub(crate) fn is_by_url(&self) -> bool {
        is_url(&self.function)
    }

    /// Whether there is such an entry already, in any case of letters, as HTTP has it.
    pub(crate) fn has_custom(&self, name: &str) -> bool {
        let custom = self.client_context.get("custom").and_then(|custom| custom.as_object());
        let names = custom.into_iter().flat_map(|custom| custom.keys()).chain(self.custom.keys());
        names.into_iter().any(|other| other.eq_ignore_ascii_case(name))
    }

    fn encoded_client_context(&self) -> Result<Option<String>, Error> {
        if self.client_context.is_empty() && self.custom.is_empty() {
            return Ok(None);
        }
        let mut context = self.client_context.clone();
        let custom = context.entry("custom").or_insert_with(|| serde_json::json!({}));
        let custom = custom.as_object_mut().ok_or_else(no_custom)?;
        for (name, value) in &self.custom {
            custom.insert(name.clone(), value.as_str().into());
        }
        let encoded = BASE64.encode(serde_json::Value::Object(context).to_string());
        if encoded.len() > CLIENT_CONTEXT_LIMIT {
            let message = format!(
                "the client context is {} bytes in base64, the service takes {CLIENT_CONTEXT_LIMIT}",
                encoded.len()
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Some(encoded))
    }
}

/// How a payload is written in a journal: it is JSON, but nobody promises that.
mod payload_in_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(payload: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(payload))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        let payload = BASE64.decode(text).map_err(|_| serde::de::Error::custom("no base64"))?;
        Ok(payload.into())
    }
}

impl From<&str> for Invocation {
    fn from(function: &str) -> Self {
        Self::new(function)
    }
}

impl From<String> for Invocation {
    fn from(function: String) -> Self {
        Self::new(function)
    }
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation")
            .field("function", &self.shown_function())
            .field("qualifier", &self.qualifier)
            .field("payload_len", &self.payload.len())
            .field("custom", &self.custom.keys())
            .finish_non_exhaustive()
    }
}

/// No name and no ARN has slashes there.
fn is_url(function: &str) -> bool {
    let scheme = function.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["https", "http"].iter().any(|s| s.eq_ignore_ascii_case(scheme)))
}

/// Whether there is more than a host and a port in what stands behind the scheme of an URL. What is no
/// port may be the beginning of a password with a slash in it.
fn has_user(behind_scheme: &str) -> bool {
    let authority = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    authority.contains('@') || port.is_some_and(|(_, port)| port.parse::<u16>().is_err())
}

fn no_custom() -> Error {
    Error::new(ErrorKind::InvalidInput, "`custom` of the client context must be a JSON object")
}

/// Splits `name:qualifier` and `...:function:name:qualifier`. The service refuses a qualifier that
/// stands in both places, and a pinned version must be able to replace the caller's alias.
fn split_qualifier(function: String) -> (String, Option<String>) {
    let name_at = match function.find("function:") {
        Some(at) => at + "function:".len(),
        // `name`, `name:qualifier`, or the partial ARN `account:name` that the service also takes.
        None if function.split(':').next().is_some_and(is_account) => {
            function.find(':').map_or(0, |colon| colon + 1)
        }
        None => 0,
    };
    match function[name_at..].find(':') {
        Some(colon) => {
            let (base, qualifier) = function.split_at(name_at + colon);
            (base.to_owned(), Some(qualifier[1..].to_owned()))
        }
        None => (function, None),
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_are_split_off() {
        let table = [
            ("name", "name", None),
            ("name:live", "name", Some("live")),
            ("name:$LATEST", "name", Some("$LATEST")),
            ("123456789012:name", "123456789012:name", None),
            ("123456789012:name:7", "123456789012:name", Some("7")),
            ("123456789012:function:name", "123456789012:function:name", None),
            ("123456789012:function:name:7", "123456789012:function:name", Some("7")),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:name:7",
                "arn:aws:lambda:eu-west-1:123456789012:function:name",
                Some("7"),
            ),
        ];
        for (given, name, qualifier) in table {
            let split = split_qualifier(given.to_owned());
            assert_eq!(split, (name.to_owned(), qualifier.map(str::to_owned)), "{given}");
        }
    }

    #[test]
    fn what_is_shown_of_an_url_has_no_secrets() {
        let table = [
            ("name:live", "name", true),
            ("https://host/a/@b", "https://host/a/@b", true),
            ("HTTPS://host:1/a?key=secret", "HTTPS://host:1/a", true),
            ("https://host?key=se@cret", "https://host", true),
            ("https://host/a#secret", "https://host/a", true),
            ("http://[::1]:80/a", "http://[::1]:80/a", true),
            ("http://[::1]/a", "http://[::1]/a", true),
            ("https://user:secret@host/a", "https://", false),
            ("http://user:se@secret@host?a", "https://", false),
            ("http://secret@", "https://", false),
            ("https://user:/secret@host", "https://", false),
            ("https://user:se/secret@host", "https://", false),
        ];
        for (function, shown, good) in table {
            let invocation = Invocation::new(function);
            assert_eq!(invocation.shown_function(), shown);
            assert!(!format!("{invocation:?}").contains("secret"), "{invocation:?}");
            assert_eq!(invocation.refuse_user().is_ok(), good, "{function}");
        }
    }

    #[test]
    fn the_client_context_is_merged_and_bounded() {
        let context = serde_json::json!({"env": {"locale": "zh"}, "custom": {"a": "1", "b": "2"}});
        let serde_json::Value::Object(context) = context else { unreachable!() };
        let invocation = Invocation::new("f").client_context(context).custom("a", "3");
        let encoded = invocation.encoded_client_context().unwrap().unwrap();
        let decoded: serde_json::Value =
            serde_json::from_slice(&BASE64.decode(encoded).unwrap()).unwrap();
        let expected = serde_json::json!({
            "env": {"locale": "zh"}, "custom": {"a": "3", "b": "2"}
        });
        assert_eq!(decoded, expected);

        let too_long = Invocation::new("f").custom("a", "x".repeat(CLIENT_CONTEXT_LIMIT));
        let error = too_long.encoded_client_context().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::InvalidInput);
        assert!(Invocation::new("f").encoded_client_context().unwrap().is_none());
    }
}
