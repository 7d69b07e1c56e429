//! The Runtime API of one environment, and as much of the Extensions API as runtimes need: in, HTTP
//! from the function's process; out, invocations to it, and its answers as they come. Each
//! environment has a listener of its own, so who speaks is never in doubt.
//!
//! States and error shapes are those of AWS's Runtime Interface Emulator.

pub(crate) mod desk;

use crate::function::{Function, HANDLER};
use crate::invocation::{Answer, Ending, Verdict};
use crate::log_tail::LogTail;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use desk::{Desk, Unclaimed};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The largest error report taken from a runtime, in bytes: that of a buffered response.
const REPORT_BYTES_MAX: usize = crate::limits::BUFFERED_RESPONSE_BYTES as usize;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

/// The Runtime API of one environment.
pub(crate) struct RuntimeApi {
    pub(crate) desk: Arc<Desk>,
    pub(crate) log: Arc<LogTail>,
    pub(crate) function: Arc<Function>,
    pub(crate) version: String,
    /// What runtimes post, being read. It outlives its connection: a process may end the moment it
    /// wrote its last byte, and the server drops an answer under way when the peer is gone.
    posts: Mutex<JoinSet<()>>,
}

type Reply = Response<Full<Bytes>>;
type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl RuntimeApi {
    pub(crate) fn new(
        desk: Arc<Desk>,
        log: Arc<LogTail>,
        function: Arc<Function>,
        version: String,
    ) -> Self {
        Self { desk, log, function, version, posts: Mutex::default() }
    }

    /// Returns when everything is read that was posted. The process must be gone.
    pub(crate) async fn finish(&self) {
        let mut posts = std::mem::take(&mut *self.posts());
        while posts.join_next().await.is_some() {}
        self.desk.close().await;
    }

    /// Answers one request of the function's process. What it posts is being read when this returns,
    /// not only when the future is first polled: the server may never come to that if the peer wrote
    /// everything and left.
    pub(crate) fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let desk = Arc::clone(&self.desk);
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => {
                Box::pin(async move { self.next().await })
            }
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                self.read(response(desk, (*id).into(), request))
            }
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                self.read(error(desk, (*id).into(), request))
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                self.read(init_error(desk, request))
            }
            (&Method::POST, ["2020-01-01", "extension", "register"]) => {
                at_once(self.register(&request))
            }
            // Extensions are told of the end by a signal; other events are not sent.
            (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
                Box::pin(std::future::pending())
            }
            (&Method::POST, ["2020-01-01", "extension", "init" | "exit", "error"]) => {
                at_once(accepted())
            }
            _ => {
                at_once(status(StatusCode::NOT_FOUND, Bytes::from_static(b"404 page not found\n")))
            }
        }
    }

    async fn next(&self) -> Reply {
        if self.desk.is_full() {
            return invalid_state();
        }
        let Some(invocation) = self.desk.next().await else {
            // The environment is closing; the process will be gone before it can read this.
            return refusal(StatusCode::GONE, "Runtime.Shutdown", "the environment is closing");
        };
        self.log.start(&invocation.request_id, &self.version).await;
        self.desk.take(&invocation);
        let deadline = epoch_ms(SystemTime::now(), invocation.timeout);
        let mut reply = status(StatusCode::OK, invocation.payload);
        let headers = reply.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(&invocation.request_id) {
            headers.insert("lambda-runtime-aws-request-id", id.clone());
            headers.insert("lambda-runtime-invocation-id", id);
        }
        headers.insert("lambda-runtime-deadline-ms", deadline.into());
        headers.insert("lambda-runtime-invoked-function-arn", invocation.arn);
        headers.insert("lambda-runtime-trace-id", invocation.trace_id);
        if let Some(context) = invocation.client_context {
            headers.insert("lambda-runtime-client-context", context);
        }
        if let Some(tenant) = invocation.tenant_id {
            headers.insert("lambda-runtime-aws-tenant-id", tenant);
        }
        reply
    }

    /// Reads a post to its end, whatever becomes of its connection.
    fn read(&self, post: impl Future<Output = Reply> + Send + 'static) -> Answering {
        let (reply, read) = oneshot::channel();
        let mut posts = self.posts();
        while posts.try_join_next().is_some() {}
        posts.spawn(async move { drop(reply.send(post.await)) });
        // It fails only if the environment is being dropped, and this connection with it.
        Box::pin(async move { read.await.unwrap_or_else(|_| invalid_state()) })
    }

    fn posts(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, request: &Request<Incoming>) -> Reply {
        if !request.headers().contains_key("lambda-extension-name") {
            return refusal(
                StatusCode::BAD_REQUEST,
                "Extension.InvalidExtensionName",
                "Empty extension name",
            );
        }
        self.desk.register_extension();
        let body = serde_json::json!({
            "functionName": self.function.name,
            "functionVersion": self.version,
            "handler": HANDLER,
        });
        let mut reply = json(StatusCode::OK, &body);
        if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
            reply.headers_mut().insert("lambda-extension-identifier", id);
        }
        reply
    }
}

async fn response(desk: Arc<Desk>, id: String, request: Request<Incoming>) -> Reply {
    if let Some(mode) = request.headers().get(RESPONSE_MODE)
        && mode != "streaming"
    {
        return refusal(
            StatusCode::BAD_REQUEST,
            "InvalidFunctionResponseMode",
            "Invalid function response mode",
        );
    }
    let claim = match desk.claim(&id) {
        Ok(claim) => claim,
        Err(unclaimed) => return unclaimed_reply(unclaimed),
    };
    // False once nobody takes the answer. The body is read to its end all the same: to close the
    // connection on a runtime that did nothing wrong would end it.
    let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
    let mut taken = claim.send(Answer::Begin { content_type }).await;
    let mut body = request.into_body();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Dropping the claim tells the relay that the body was cut.
            return refusal(
                StatusCode::BAD_REQUEST,
                "TruncatedHTTPRequest",
                "HTTP request detected as truncated",
            );
        };
        match frame.into_data() {
            Ok(data) if taken && !data.is_empty() => {
                taken = claim.send(Answer::Data(data)).await;
            }
            Ok(_) if !taken && desk.is_expired(&id) => return expired(),
            Ok(_) => {}
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if desk.is_expired(&id) {
        return expired();
    }
    let ending = trailers.as_ref().and_then(reported).unwrap_or(Ending::Complete);
    let (verdict, decided) = oneshot::channel();
    let answers = claim.settle();
    // An error reported meanwhile, or an overflow, may have ended the answers: then nobody decides.
    let _ = answers.send(Answer::End { ending, verdict }).await;
    match decided.await {
        Ok(Verdict::TooLarge { limit }) => too_large(limit),
        Ok(Verdict::Accepted) | Err(_) => accepted(),
    }
}

async fn error(desk: Arc<Desk>, id: String, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let Ok(report) = Limited::new(body, REPORT_BYTES_MAX).collect().await else {
        return too_large(REPORT_BYTES_MAX as u64);
    };
    let details = report.to_bytes();
    let Some((answers, began)) = desk.interrupt(&id) else {
        return match desk.claim(&id) {
            Err(unclaimed) => unclaimed_reply(unclaimed),
            Ok(_) => invalid_state(),
        };
    };
    let ending = if began {
        Ending::Reported { error_type: error_type(&parts.headers), details }
    } else {
        Ending::Unhandled(details)
    };
    let (verdict, decided) = oneshot::channel();
    let _ = answers.send(Answer::End { ending, verdict }).await;
    drop(answers);
    let _ = decided.await;
    accepted()
}

async fn init_error(desk: Arc<Desk>, request: Request<Incoming>) -> Reply {
    if desk.was_ready() {
        return invalid_state();
    }
    let (parts, body) = request.into_parts();
    let Ok(report) = Limited::new(body, REPORT_BYTES_MAX).collect().await else {
        return too_large(REPORT_BYTES_MAX as u64);
    };
    desk.note_init_error(error_type(&parts.headers), report.to_bytes());
    accepted()
}

/// The error that trailers name, if they name one. The body is base64, because line breaks cannot
/// stand in a trailer; what is not is passed on as it came.
fn reported(trailers: &HeaderMap) -> Option<Ending> {
    let error_type = trailers.get(ERROR_TYPE)?;
    let body = trailers.get(ERROR_BODY).map(HeaderValue::as_bytes).unwrap_or_default();
    let details = BASE64_STANDARD.decode(body).unwrap_or_else(|_| body.to_vec());
    Some(Ending::Reported {
        error_type: String::from_utf8_lossy(error_type.as_bytes()).into_owned(),
        details: details.into(),
    })
}

fn error_type(headers: &HeaderMap) -> String {
    match headers.get(ERROR_TYPE) {
        Some(value) if !value.is_empty() => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        _ => "Runtime.Unknown".into(),
    }
}

fn epoch_ms(now: SystemTime, timeout: Duration) -> u64 {
    let deadline = now.duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
    u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)
}

fn at_once(reply: Reply) -> Answering {
    Box::pin(std::future::ready(reply))
}

fn unclaimed_reply(unclaimed: Unclaimed) -> Reply {
    match unclaimed {
        Unclaimed::NoInvocation => invalid_state(),
        Unclaimed::OtherId => {
            refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Unclaimed::Expired => expired(),
    }
}

fn expired() -> Reply {
    refusal(StatusCode::GONE, "InvokeTimeout", "Invoke timeout")
}

fn invalid_state() -> Reply {
    refusal(
        StatusCode::FORBIDDEN,
        "InvalidStateTransition",
        "State transition is not allowed for the runtime",
    )
}

fn too_large(limit: u64) -> Reply {
    refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({limit} bytes)."),
    )
}

fn accepted() -> Reply {
    json(StatusCode::ACCEPTED, &serde_json::json!({"status": "OK"}))
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Reply {
    json(status, &serde_json::json!({"errorType": error_type, "errorMessage": message}))
}

fn json(code: StatusCode, body: &serde_json::Value) -> Reply {
    let mut reply = status(code, body.to_string().into());
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn status(code: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = code;
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_name_an_error_verbatim_and_its_body_in_base64() {
        let mut trailers = HeaderMap::new();
        assert!(reported(&trailers).is_none());
        trailers.insert(ERROR_TYPE, HeaderValue::from_static("InvalidOperationException"));
        trailers.insert(ERROR_BODY, HeaderValue::from_static("eyJhIjoxfQ=="));
        let Some(Ending::Reported { error_type, details }) = reported(&trailers) else { panic!() };
        assert_eq!(
            (error_type.as_str(), &details[..]),
            ("InvalidOperationException", &b"{\"a\":1}"[..])
        );
        trailers.insert(ERROR_BODY, HeaderValue::from_static("not base64"));
        let Some(Ending::Reported { details, .. }) = reported(&trailers) else { panic!() };
        assert_eq!(&details[..], b"not base64");
    }

    #[test]
    fn the_deadline_is_now_and_the_timeout_in_milliseconds() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(epoch_ms(now, Duration::from_secs(3)), 1_700_000_003_123);
    }
}
