//! A tower service that speaks HTTP comes in, such as an `axum::Router`; a handler goes out that gives
//! it every invocation as an HTTP request, and answers with what it responds.

mod request;
mod response;

use crate::error::BoxError;
use crate::failure::Failure;
use crate::request::Request;
use crate::response::Response;
use http_body::Body;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tower::{Service, ServiceExt};

pub use request::RequestBody;
pub use response::ResponseBody;

/// What the handler of [`http()`] gives, sooner or later.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// A handler for [`run`](crate::run) or [`Function`](crate::Function) that has its answers from a tower
/// service: an `axum::Router`, or anything else that turns `http::Request`s into `http::Response`s.
///
/// What the service gets is described at [`Request::into_http`], what becomes of its response at
/// [`Response::from_http`]. The service is cloned for each invocation, as servers clone it for each
/// connection. Its error, if it has any, fails the invocation.
pub fn http<S, B>(service: S) -> impl Fn(Request) -> Answering + Send + Sync + 'static
where
    S: Service<http::Request<RequestBody>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    // Of several invocations at once each has a clone; services need not be shareable for that.
    let service = Mutex::new(service);
    move |request| {
        let service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let request = request.into_http()?;
            let response = service.oneshot(request).await.map_err(|error| error.into())?;
            Ok(Response::from_http(response))
        })
    }
}
