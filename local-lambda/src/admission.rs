//! The admission of an invocation, through whichever door it came: in, what is asked of which
//! function, and who waits for the answer; out, an invocation on its way, or the service's refusal.

use crate::fault::injection::CourseFaults;
use crate::name::FunctionName;
use crate::pool::{Audience, NoLease};
use crate::refusal::{Refusal, ThrottleReason};
use crate::relay::caller::Caller;
use crate::relay::{Call, Relay};
use crate::service::{Offer, Service};
use bytes::Bytes;
use http::HeaderValue;
use std::sync::Arc;

/// Who is asked.
pub(crate) struct Asked<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) name: &'a FunctionName,
    pub(crate) version: &'a str,
    pub(crate) request_id: &'a str,
}

/// What the function is told.
pub(crate) struct Said {
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) tenant_id: Option<HeaderValue>,
    pub(crate) trace_id: HeaderValue,
}

/// Admits an invocation and sets it on its way; its answer goes to `caller`, who is made once it is
/// clear that there will be one.
pub(crate) fn admit(
    service: &Arc<Service>,
    asked: Asked<'_>,
    said: Said,
    caller: impl FnOnce() -> Caller,
    faults: Option<Box<CourseFaults>>,
) -> Result<(), Refusal> {
    let Asked { offer, name, version, request_id } = asked;
    let running = service
        .counters
        .invocation_running(service.limits.account_concurrency)
        .ok_or(Refusal::throttled(ThrottleReason::Concurrency))?;
    let audience = Audience {
        version: version.into(),
        tenant: said.tenant_id.as_ref().map(|id| id.as_bytes().to_vec()),
    };
    let lease = match offer.pool.lease(&audience) {
        Err(NoLease::Limit) => return Err(Refusal::throttled(ThrottleReason::ReservedConcurrency)),
        lease => lease,
    };
    service.counters.invocation_started();
    let Said { payload, client_context, tenant_id, trace_id } = said;
    let relay = Relay {
        caller: caller(),
        call: Call {
            request_id: request_id.into(),
            arn: service.arn(name),
            payload,
            client_context,
            tenant_id,
            trace_id,
        },
        function: Arc::clone(&offer.function),
        limits: Arc::clone(&service.limits),
        faults,
        running,
    };
    service.spawn(async move {
        match lease {
            Ok(lease) => relay.run(lease).await,
            Err(none) => relay.run_nowhere(none).await,
        }
    });
    Ok(())
}

/// A trace id as X-Ray writes it: version, eight digits of time, twenty-four of chance. Chance stands
/// for the time as well, because nothing here is traced.
pub(crate) fn new_trace_id() -> HeaderValue {
    let chance = uuid::Uuid::new_v4().simple().to_string();
    let id = format!("Root=1-{}-{};Sampled=0", &chance[..8], &chance[8..]);
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static(""))
}
