//! The callers' door: in, HTTP requests of SDKs; out, invocations on their way, or the service's
//! errors. A request is read, named, checked and admitted here; everything after that is the relay's.

mod ask;

use crate::answer::{AnswerBody, whole};
use crate::connection::Cut;
use crate::fault::Closing;
use crate::fault::injection::{HeadFault, Injection};
use crate::fault::wire::FaultyBody;
use crate::name::FunctionName;
use crate::pool::{Audience, NoLease};
use crate::refusal::{Refusal, ThrottleReason};
use crate::relay::caller::{Buffered, Caller, HeadSender, Streamed};
use crate::relay::{Call, Relay};
use crate::service::{Offer, Service};
use ask::{Ask, InvocationType, check_payload};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Either};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// How much of a payload above the limit is read and thrown away, so that its sender gets to read the
/// refusal: closing on a sender who still writes can destroy it on the way.
const DISCARD_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long that may take.
const DISCARD_PATIENCE: Duration = Duration::from_secs(10);
/// What a function gets whose caller sent no payload; the service does the same.
const EMPTY_EVENT: Bytes = Bytes::from_static(b"{}");

/// The operations of the service that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Invoke,
    InvokeWithResponseStream,
}

/// What callers are answered, as it should be or not.
pub(crate) type Answered = Response<Either<AnswerBody, FaultyBody>>;

/// Answers one request of a caller, on a connection that can be cut.
pub(crate) async fn answer(
    service: Arc<Service>,
    request: Request<Incoming>,
    cut: Cut,
) -> Answered {
    let request_id = uuid::Uuid::new_v4().to_string();
    let mut response = match invoke(service, &request_id, request, cut).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(%request_id, ?refusal, "refused");
            refusal.into_response().map(Either::Left)
        }
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

async fn invoke(
    service: Arc<Service>,
    request_id: &str,
    request: Request<Incoming>,
    cut: Cut,
) -> Result<Answered, Refusal> {
    let (parts, body) = request.into_parts();
    // The payload is read first: a refusal must not meet a caller who is still sending.
    let payload = read_payload(body, service.limits.payload_bytes).await;
    let (operation, label) = route(&parts)?;
    let name = function_name(&label, &parts)?;
    let payload = payload?;
    let offer = service.offer(&name.name).ok_or_else(|| service.unknown(&name))?;
    let function = &offer.function;
    let version = function
        .executed_version(name.qualifier.as_deref())
        .ok_or_else(|| service.unknown(&name))?
        .to_owned();
    let ask = Ask::parse(&parts.headers, &service.limits)?;
    if operation == Operation::InvokeWithResponseStream
        && ask.invocation_type == InvocationType::Event
    {
        return Err(Refusal::BadParameter(
            "InvokeWithResponseStream does not support the invocation type Event".into(),
        ));
    }
    let payload = if payload.is_empty() { EMPTY_EVENT } else { payload };
    check_payload(&payload)?;
    if ask.invocation_type == InvocationType::DryRun {
        return Ok(empty(StatusCode::NO_CONTENT).map(Either::Left));
    }
    let mut faults = draw(&service, &name, operation, &ask);
    if let Some(refusal) = faults.as_mut().and_then(|faults| faults.refusal.take()) {
        return Err(refusal);
    }
    let head = start(
        &service,
        offer,
        &name,
        &version,
        ask,
        payload,
        request_id,
        operation,
        faults.as_deref_mut(),
    )?;
    let mut response = match head {
        Some(head) => head.await.map_err(|_| Refusal::Service("The service is shutting down."))?,
        None => empty(StatusCode::ACCEPTED),
    };
    if response.status().is_success()
        && let Ok(version) = HeaderValue::from_str(&version)
    {
        response.headers_mut().insert("x-amz-executed-version", version);
    }
    match faults {
        None => Ok(response.map(Either::Left)),
        Some(faults) => Ok(misbehave(response, *faults, cut).await),
    }
}

/// What is to go wrong with the next invocation, if anything is.
fn draw(
    service: &Service,
    name: &FunctionName,
    operation: Operation,
    ask: &Ask,
) -> Option<Box<Injection>> {
    let streamed = operation == Operation::InvokeWithResponseStream;
    let faults = service.faults.draw(&name.name, streamed, || ask.range());
    if faults.is_empty() {
        return None;
    }
    service.counters.faults_injected(faults.len());
    Some(Box::new(Injection::new(&faults, streamed)))
}

/// The answer with the faults of its HTTP head and body.
async fn misbehave(mut response: Response<AnswerBody>, faults: Injection, cut: Cut) -> Answered {
    match faults.head {
        None => {}
        Some(HeadFault::Stall(Some(time))) => sleep(time).await,
        Some(HeadFault::Stall(None)) => std::future::pending().await,
        Some(HeadFault::Cut(closing)) => {
            cut.ask(closing == Closing::Reset);
            std::future::pending().await
        }
    }
    if !response.status().is_success() {
        return response.map(Either::Left);
    }
    if let Some(version) = faults.version {
        response.headers_mut().insert("x-amz-executed-version", version);
    }
    match faults.wire {
        None => response.map(Either::Left),
        Some(wire) => response.map(|body| Either::Right(wire.body(body, cut))),
    }
}

/// Admits the invocation and sets it on its way. Returns where its HTTP answer will come from; an
/// event's caller gets none.
#[expect(clippy::too_many_arguments, reason = "what an invocation is made of, each used once")]
fn start(
    service: &Arc<Service>,
    offer: &Offer,
    name: &FunctionName,
    version: &str,
    ask: Ask,
    payload: Bytes,
    request_id: &str,
    operation: Operation,
    mut faults: Option<&mut Injection>,
) -> Result<Option<oneshot::Receiver<Response<AnswerBody>>>, Refusal> {
    let running = service
        .counters
        .invocation_running(service.limits.account_concurrency)
        .ok_or(Refusal::throttled(ThrottleReason::Concurrency))?;
    let audience = Audience {
        version: version.into(),
        tenant: ask.tenant_id.as_ref().map(|id| id.as_bytes().to_vec()),
    };
    let lease = match offer.pool.lease(&audience) {
        Err(NoLease::Limit) => return Err(Refusal::throttled(ThrottleReason::ReservedConcurrency)),
        lease => lease,
    };
    service.counters.invocation_started();
    let (head, response) = oneshot::channel();
    let detached = ask.invocation_type == InvocationType::Event;
    let late_refusal = faults.as_mut().and_then(|faults| faults.late_refusal.take());
    let relay = Relay {
        caller: match late_refusal {
            Some(refusal) if !detached => Caller::Refused { head, refusal },
            _ => caller(head, operation, detached, ask.log_tail, service),
        },
        call: Call {
            request_id: request_id.into(),
            arn: service.arn(name),
            payload,
            client_context: ask.client_context,
            tenant_id: ask.tenant_id,
            trace_id: ask.trace_id.unwrap_or_else(new_trace_id),
        },
        function: Arc::clone(&offer.function),
        limits: Arc::clone(&service.limits),
        faults: faults.and_then(|faults| faults.course.take()),
        running,
    };
    service.spawn(async move {
        match lease {
            Ok(lease) => relay.run(lease).await,
            Err(none) => relay.run_nowhere(none).await,
        }
    });
    Ok((!detached).then_some(response))
}

fn caller(
    head: HeadSender,
    operation: Operation,
    detached: bool,
    wants_log: bool,
    service: &Service,
) -> Caller {
    match operation {
        _ if detached => Caller::Nobody,
        Operation::InvokeWithResponseStream => {
            Caller::Streamed(Streamed::new(head, &service.limits, wants_log))
        }
        Operation::Invoke => Caller::Buffered(Buffered::new(head, &service.limits, wants_log)),
    }
}

/// Which operation is meant, and the function's label, decoded: SDKs encode an ARN's colons.
fn route(parts: &request::Parts) -> Result<(Operation, String), Refusal> {
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    let (operation, label) = match segments.as_slice() {
        ["2021-11-15", "functions", label, "response-streaming-invocations"] => {
            (Operation::InvokeWithResponseStream, label)
        }
        ["2015-03-31", "functions", label, "invocations"] => (Operation::Invoke, label),
        _ => return Err(Refusal::NoSuchOperation),
    };
    if parts.method != Method::POST {
        return Err(Refusal::NoSuchOperation);
    }
    Ok((operation, percent_decode_str(label).decode_utf8_lossy().into_owned()))
}

fn function_name(label: &str, parts: &request::Parts) -> Result<FunctionName, Refusal> {
    let qualifier = parts
        .uri
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("Qualifier="))
        .map(|value| percent_decode_str(value).decode_utf8_lossy());
    FunctionName::parse(label, qualifier.as_deref()).map_err(Refusal::BadName)
}

/// The payload, or the refusal. Never holds more than the limit.
async fn read_payload(mut body: Incoming, limit: Option<u64>) -> Result<Bytes, Refusal> {
    let limit = limit.unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return discard(body, limit).await;
    }
    let mut payload = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The caller left, so nobody will read this.
        let frame = frame.map_err(|_| Refusal::BadPayload("The request body was cut.".into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if (payload.len() + data.len()) as u64 > limit {
            drop(payload);
            return discard(body, limit).await;
        }
        payload.extend_from_slice(&data);
    }
    Ok(payload.freeze())
}

async fn discard(mut body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let read_on = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
            if discarded > DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    // Whether it came to its end or not, the answer is the same.
    let _ = timeout(DISCARD_PATIENCE, read_on).await;
    Err(Refusal::TooLarge { limit })
}

/// A trace id as X-Ray writes it: version, eight digits of time, twenty-four of chance. Chance stands
/// for the time as well, because nothing here is traced.
fn new_trace_id() -> HeaderValue {
    let chance = uuid::Uuid::new_v4().simple().to_string();
    let id = format!("Root=1-{}-{};Sampled=0", &chance[..8], &chance[8..]);
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn empty(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
