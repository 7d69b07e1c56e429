//! One call of a function goes out through the SDK; payload bytes come in, and an end that is
//! certain: [`Events::poll_payload`] says "no more" only after `InvokeComplete` without an error.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body::Body as _;
use tokio::time::{Instant, Sleep};

use crate::error::{Error, ErrorKind};
use crate::event_stream::{Decoded, Decoder, Frame, FrameError, Payload};

/// The media type of a body made of frames.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// What the service accepts in `X-Amz-Client-Context`, in bytes of base64. Source: the API
/// reference of InvokeWithResponseStream.
const CLIENT_CONTEXT_LIMIT: usize = 3_583;

/// How long the end of the body is awaited once `InvokeComplete` is there. The result is whole by
/// then; the wait only gives bytes that should not be there the time to show themselves.
const END_GRACE: Duration = Duration::from_secs(1);

/// One call of a function: what is sent. Cheap to clone.
///
/// ```
/// let invocation = invoker::Invocation::new("report:live")
///     .payload(r#"{"month": "2026-10"}"#)
///     .custom("accept-encoding", "identity");
/// ```
#[derive(Clone)]
pub struct Invocation {
    function: String,
    qualifier: Option<String>,
    payload: Bytes,
    client_context: serde_json::Map<String, serde_json::Value>,
    custom: BTreeMap<String, String>,
    tenant_id: Option<String>,
    log_tail: bool,
}

impl Invocation {
    /// Calls `function`: a name, `name:qualifier`, or a partial or full ARN, qualified or not. The
    /// payload is `{}` until another is set.
    pub fn new(function: impl Into<String>) -> Self {
        let (function, qualifier) = split_qualifier(function.into());
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

    fn encoded_client_context(&self) -> Result<Option<String>, Error> {
        if self.client_context.is_empty() && self.custom.is_empty() {
            return Ok(None);
        }
        let mut context = self.client_context.clone();
        let custom = context.entry("custom").or_insert_with(|| serde_json::json!({}));
        let Some(custom) = custom.as_object_mut() else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "`custom` of the client context must be a JSON object",
            ));
        };
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
            .field("function", &self.function)
            .field("qualifier", &self.qualifier)
            .field("payload_len", &self.payload.len())
            .field("custom", &self.custom.keys())
            .finish_non_exhaustive()
    }
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

/// How long to wait in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From sending the call to the first frame of its answer; covers the function's cold start.
    pub first_byte: Duration,
    /// Between two reads of an answer that has begun. Time in which nobody asks for bytes does not
    /// count.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 60 s to the first byte: a cold start may initialise for 10 s and fetch its input after
    /// that. 30 s idle: a function that makes a result slowly is silent for less, a dead
    /// connection for ever.
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(60), idle: Duration::from_secs(30) }
    }
}

/// Who repeats a call that got no stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SdkRetries {
    /// The SDK, as its client is configured.
    AsConfigured,
    /// Nobody: the caller of [`call`] decides itself.
    Off,
}

/// Of an answer that has begun: what its HTTP head says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun {
    pub(crate) executed_version: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// Calls the function once. Returns when the service's HTTP head is there.
pub(crate) async fn call(
    client: &aws_sdk_lambda::Client,
    invocation: &Invocation,
    timeouts: Timeouts,
    retries: SdkRetries,
) -> Result<(Begun, Events), Error> {
    let raw_body = RawBody::default();
    let mut operation = client
        .invoke_with_response_stream()
        .function_name(&invocation.function)
        .set_qualifier(invocation.qualifier.clone())
        .payload(Blob::from_maybe_shared(invocation.payload.clone()))
        .set_client_context(invocation.encoded_client_context()?)
        .set_tenant_id(invocation.tenant_id.clone())
        .set_log_type(invocation.log_tail.then_some(LogType::Tail))
        .customize()
        .interceptor(raw_body.clone());
    if retries == SdkRetries::Off {
        let config = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
        operation = operation.config_override(config);
    }

    let started = Instant::now();
    let output = tokio::time::timeout(timeouts.first_byte, operation.send())
        .await
        .map_err(|_| no_answer(timeouts.first_byte))?
        .map_err(Error::from_sdk)?;
    let Some(body) = raw_body.take() else {
        let found = output.response_stream_content_type().unwrap_or("no Content-Type");
        let message = format!(
            "the answer is not an event stream but {}: is this endpoint the Lambda service?",
            crate::error::quotable(found)
        );
        return Err(Error::new(ErrorKind::NotEventStream, message));
    };
    let begun = Begun {
        executed_version: output.executed_version().map(str::to_owned),
        request_id: output.request_id().map(str::to_owned),
    };
    let left = timeouts.first_byte.saturating_sub(started.elapsed());
    Ok((begun, Events::new(body, Silence::new(timeouts, left))))
}

fn no_answer(waited: Duration) -> Error {
    let message = format!("no first byte of an answer within {} s", waited.as_secs_f32());
    Error::new(ErrorKind::TimedOut, message)
}

/// Takes the raw body out of a response before the SDK wraps its own receiver around it.
///
/// Only of an answer that is a stream: error answers are left for the SDK to read and type.
#[derive(Clone, Debug, Default)]
struct RawBody {
    taken: Arc<Mutex<Option<SdkBody>>>,
}

impl RawBody {
    fn take(&self) -> Option<SdkBody> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "RawBody"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let content_type = response.headers().get("content-type").unwrap_or_default();
        if response.status().as_u16() == 200 && content_type.starts_with(EVENT_STREAM) {
            let body = std::mem::replace(response.body_mut(), SdkBody::empty());
            *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
        Ok(())
    }
}

/// The events of one answer, as they arrive.
///
/// Holds at most one frame that is not whole, and the slices of one that is.
pub(crate) struct Events {
    body: Pin<Box<SdkBody>>,
    decoder: Decoder,
    /// Slices of the last PayloadChunk that were not asked for yet.
    ready: smallvec::IntoIter<[Bytes; 2]>,
    /// Bytes of payload taken from frames so far.
    received: u64,
    end: End,
    silence: Silence,
}

/// How far the answer is.
enum End {
    NotYet,
    /// `InvokeComplete` came without an error; the end of the body is still to come.
    Complete(Completion),
    /// The body ended as well.
    Closed(Completion),
    /// An error was returned; there is nothing after it.
    Failed,
}

/// What a successful `InvokeComplete` carries.
#[derive(Clone, Default)]
pub(crate) struct Completion {
    pub(crate) log_tail: Option<Bytes>,
}

impl Events {
    fn new(body: SdkBody, silence: Silence) -> Self {
        Self {
            body: Box::pin(body),
            decoder: Decoder::default(),
            ready: Payload::new().into_iter(),
            received: 0,
            end: End::NotYet,
            silence,
        }
    }

    /// The next bytes of the payload; `None` when the invocation is proven to have ended well.
    ///
    /// The first error is the last thing it says: after it comes `None`.
    pub(crate) fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = ready!(self.poll_slice(cx));
        if let Some(Err(_)) = polled {
            self.end = End::Failed;
            self.ready = Payload::new().into_iter();
        }
        Poll::Ready(polled)
    }

    /// What the end carried, once `poll_payload` has returned `None`.
    pub(crate) fn completion(&self) -> Option<&Completion> {
        match &self.end {
            End::Closed(completion) => Some(completion),
            _ => None,
        }
    }

    fn poll_slice(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(slice) = self.ready.next() {
                self.received += slice.len() as u64;
                return Poll::Ready(Some(Ok(slice)));
            }
            if matches!(self.end, End::Closed(_) | End::Failed) {
                return Poll::Ready(None);
            }
            match self.decoder.decode() {
                Ok(Decoded::Complete(frame)) => {
                    if let Err(error) = self.take_frame(frame) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Ok(Decoded::Incomplete) => match ready!(self.poll_read(cx)) {
                    Ok(()) => {}
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Err(error) => return Poll::Ready(Some(Err(self.broken_frame(error)))),
            }
        }
    }

    /// Reads once from the body into the decoder, or notes the end of the body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let read = match self.body.as_mut().poll_frame(cx) {
            Poll::Ready(read) => read,
            Poll::Pending => return self.silence.poll(cx).map(|waited| self.too_silent(waited)),
        };
        self.silence.broken();
        Poll::Ready(match read {
            // Trailers say nothing here: the end of an event stream is an event.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    self.decoder.push(bytes);
                }
                Ok(())
            }
            Some(Err(error)) => self.close(Some(error)),
            None => self.close(None),
        })
    }

    /// The body ended, cleanly or with `error`.
    fn close(&mut self, error: Option<BoxError>) -> Result<(), Error> {
        match (std::mem::replace(&mut self.end, End::Failed), self.decoder.finish(), error) {
            // The proof of the end was there: how the connection ended adds nothing.
            (End::Complete(completion), Ok(()), _) => {
                self.end = End::Closed(completion);
                Ok(())
            }
            (End::Complete(_), Err(_), _) => Err(after_the_end()),
            (_, _, Some(error)) => Err(Error::broken_body(self.received, error)),
            (_, Err(unfinished), None) => Err(self.broken_frame(unfinished)),
            (_, Ok(()), None) => {
                let message = format!(
                    "the stream ended after {} bytes of the result, without InvokeComplete",
                    self.received
                );
                Err(Error::new(ErrorKind::Truncated, message))
            }
        }
    }

    fn too_silent(&mut self, waited: Duration) -> Result<(), Error> {
        match std::mem::replace(&mut self.end, End::Failed) {
            End::Complete(completion) => {
                self.end = End::Closed(completion);
                Ok(())
            }
            _ if !self.silence.begun => Err(no_answer(waited)),
            _ => {
                let message = format!(
                    "nothing arrived for {} s, after {} bytes of the result",
                    waited.as_secs_f32(),
                    self.received
                );
                Err(Error::new(ErrorKind::TimedOut, message))
            }
        }
    }

    fn broken_frame(&self, error: FrameError) -> Error {
        let kind = match error {
            FrameError::Unfinished { .. } => ErrorKind::Truncated,
            _ => ErrorKind::Corrupt,
        };
        let message = format!("the event stream broke after {} bytes of the result", self.received);
        Error::new(kind, message).with_source(error)
    }

    fn take_frame(&mut self, frame: Frame) -> Result<(), Error> {
        if matches!(self.end, End::Complete(_)) {
            return Err(after_the_end());
        }
        match frame.headers.string(":message-type") {
            Some("event") => {}
            Some("error") => return Err(refused_midway(&frame, ":error-code")),
            Some("exception") => return Err(refused_midway(&frame, ":exception-type")),
            _ => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "a frame of the stream has no known :message-type",
                ));
            }
        }
        match frame.headers.string(":event-type") {
            Some("PayloadChunk") => self.ready = frame.payload.into_iter(),
            Some("InvokeComplete") => {
                self.end = End::Complete(read_invoke_complete(&frame.payload.concat())?);
                self.silence.cut_to(END_GRACE);
            }
            // An event of a later version of the service: not ours to judge.
            _ => {}
        }
        Ok(())
    }
}

fn after_the_end() -> Error {
    Error::new(ErrorKind::Corrupt, "more bytes followed InvokeComplete, the end of the stream")
}

fn refused_midway(frame: &Frame, code_header: &str) -> Error {
    /// The status of the HTTP head, which was sent long ago.
    const STATUS: u16 = 200;
    let code = frame.headers.string(code_header).unwrap_or("an error without a name");
    let code = crate::error::quotable(code);
    let text = match frame.headers.string(":error-message") {
        Some(text) => crate::error::quotable(text),
        None => String::new(),
    };
    let message = format!("the service broke the stream off with {code}: {text}");
    Error::new(ErrorKind::Refused { status: STATUS, code }, message)
}

/// The JSON of `InvokeComplete`; absent and null are the same.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvokeComplete {
    error_code: Option<String>,
    error_details: Option<String>,
    log_result: Option<String>,
}

fn read_invoke_complete(json: &[u8]) -> Result<Completion, Error> {
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

/// Measures how long a reader has waited in vain. The wait begins when there is nothing to read,
/// not when the last bytes came: a reader that was away is not held against the sender.
struct Silence {
    limit: Duration,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Whether any byte of the answer has come.
    begun: bool,
}

impl Silence {
    fn new(timeouts: Timeouts, left_to_first_byte: Duration) -> Self {
        Self {
            limit: left_to_first_byte,
            idle: timeouts.idle,
            timer: Box::pin(tokio::time::sleep(left_to_first_byte)),
            waiting: false,
            begun: false,
        }
    }

    /// Ready with the time waited, once that was too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(self.limit)
    }

    /// Something was read.
    fn broken(&mut self) {
        self.waiting = false;
        if !self.begun {
            self.begun = true;
            self.limit = self.idle;
        }
    }

    fn cut_to(&mut self, limit: Duration) {
        self.waiting = false;
        self.limit = limit;
    }
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
