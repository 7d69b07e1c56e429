//! The callers' door: in, HTTP requests of SDKs; out, invocations on their way, or the service's
//! errors. A request is read, named and checked here; `admission` lets it in, and everything
//! after that is the relay's.

mod ask;

use crate::admission::{Asked, Said, admit, new_trace_id};
use crate::answer::{AnswerBody, whole};
use crate::connection::Cut;
use crate::fault::Closing;
use crate::fault::injection::{HeadFault, Injection};
use crate::fault::wire::FaultyBody;
use crate::name::FunctionName;
use crate::payload;
use crate::refusal::Refusal;
use crate::relay::caller::{Buffered, Caller, HeadSender, Streamed};
use crate::service::Service;
use ask::{Ask, InvocationType, check_payload};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use http_body_util::Either;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::sleep;

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
    let payload = payload::read(body, service.limits.payload_bytes).await;
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
    let asked = Asked { offer, name: &name, version: &version, request_id };
    let head = start(&service, asked, ask, payload, operation, faults.as_deref_mut())?;
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
fn start(
    service: &Arc<Service>,
    asked: Asked<'_>,
    ask: Ask,
    payload: Bytes,
    operation: Operation,
    mut faults: Option<&mut Injection>,
) -> Result<Option<oneshot::Receiver<Response<AnswerBody>>>, Refusal> {
    let (head, response) = oneshot::channel();
    let detached = ask.invocation_type == InvocationType::Event;
    let late_refusal = faults.as_mut().and_then(|faults| faults.late_refusal.take());
    let caller = || match late_refusal {
        Some(refusal) if !detached => Caller::Refused { head, refusal },
        _ => caller(head, operation, detached, ask.log_tail, service),
    };
    let said = Said {
        payload,
        client_context: ask.client_context,
        tenant_id: ask.tenant_id,
        trace_id: ask.trace_id.unwrap_or_else(new_trace_id),
    };
    admit(service, asked, said, caller, faults.and_then(|faults| faults.course.take()))?;
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

fn empty(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
