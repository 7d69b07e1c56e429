//! The visitors' door of one function: in, any HTTP request; out, the function's answer to it, streamed
//! while it writes it (`InvokeMode: RESPONSE_STREAM`). Nobody is asked who they are (`AuthType: NONE`).

mod event;

use crate::admission::{Asked, Said, admit, new_trace_id};
use crate::answer::whole;
use crate::function::LATEST;
use crate::name::FunctionName;
use crate::payload;
use crate::refusal::Refusal;
use crate::relay::caller::Caller;
use crate::relay::visitor::{Shown, Visitor, failed};
use crate::service::Service;
use bytes::Bytes;
use event::{Visit, event};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::oneshot;

const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The door of one function.
pub(crate) struct FunctionUrl {
    service: Arc<Service>,
    name: FunctionName,
    address: SocketAddr,
}

impl FunctionUrl {
    pub(crate) fn new(service: Arc<Service>, function: String, address: SocketAddr) -> Self {
        Self { service, name: FunctionName { name: function, qualifier: None }, address }
    }

    /// Answers one request of the visitor `peer`.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Shown {
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut response = match self.visit(request, peer, &request_id).await {
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

    async fn visit(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<Shown, Refusal> {
        // Where no chunks are, the end of the connection would be the end of the body, and a failure
        // could not be told from it.
        if request.version() < Version::HTTP_11 {
            let mut response = Response::new(Either::Left(whole(Bytes::new())));
            *response.status_mut() = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
            return Ok(response);
        }
        let (parts, body) = request.into_parts();
        let limit = self.service.limits.payload_bytes;
        let body = payload::read(body, limit).await?;
        let trace_id = parts.headers.get(TRACE_ID).cloned().unwrap_or_else(new_trace_id);
        let visit = Visit {
            request: &parts,
            body: &body,
            address: self.address,
            peer,
            request_id,
            trace_id: &trace_id,
            now: SystemTime::now(),
        };
        let payload = Bytes::from(event(&visit).to_string());
        // The body has grown by what stands around it.
        if let Some(limit) = limit.filter(|limit| payload.len() as u64 > *limit) {
            return Err(Refusal::TooLarge { limit });
        }
        let offer = self.service.offer(&self.name.name);
        let offer = offer.ok_or_else(|| self.service.unknown(&self.name))?;
        let (answer, shown) = oneshot::channel();
        let asked = Asked { offer, name: &self.name, version: LATEST, request_id };
        let said = Said { payload, client_context: None, tenant_id: None, trace_id };
        let caller = || Caller::Visitor(Visitor::new(answer, &self.service.limits));
        admit(&self.service, asked, said, caller, None)?;
        // It fails only if the service stops.
        Ok(shown.await.unwrap_or_else(|_| failed()))
    }
}
