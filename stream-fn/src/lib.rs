//! Invocations of an AWS Lambda function come in; results of any size go out as streams.
#![doc = ""]
#![doc = include_str!("../README.md")]

mod error;

mod failure;

mod range;

mod version;

mod request;

pub mod source;

mod serve;

mod response;

mod head;

mod promise;

#[cfg(feature = "compression")]
mod content_encoding;

mod answer;

mod http_service;

mod body;

mod runtime_api;

mod function;

#[cfg(feature = "log")]
pub mod log;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

use std::future::Future;

pub use error::{BoxError, Error, ErrorKind};
pub use failure::Failure;
pub use function::Function;
pub use http_service::{Answering, RequestBody, ResponseBody, http};
pub use range::RangeAsk;
pub use request::{Caller, CallerKind, Request, RequestContext, RequestKind};
pub use response::{BlockingWriter, Event, HEARTBEAT, Response, Writer};
pub use serve::objects;
pub use source::{Metadata, Object, Source};
pub use version::Version;

/// Runs a function: polls for invocations and answers each one with what the handler gives.
///
/// One invocation at a time; on Lambda Managed Instances, where `AWS_LAMBDA_MAX_CONCURRENCY` is above
/// one, that many at once. Must be called inside a Tokio runtime with I/O and time enabled.
///
/// An error or a panic of the handler fails its invocation, and only that. See [`Failure`] for what
/// the caller is told. [`Function`] is the same with settings.
///
/// # Errors
///
/// If the process was not started by Lambda or an emulator of it ([`ErrorKind::Environment`]), or if
/// the Runtime API is gone ([`ErrorKind::RuntimeApi`]). Otherwise it does not return.
///
/// # Cancel safety
///
/// Dropping it abandons the invocations under way: their callers see them fail, as truncated.
pub async fn run<F, W, E>(handler: F) -> Result<(), Error>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    Function::new(handler).run().await
}

/// The same as [`run`], which is concurrent where the environment is, for those who look for it under
/// the name `lambda_runtime` has for it.
///
/// # Errors
///
/// As [`run`].
///
/// # Cancel safety
///
/// As [`run`].
pub async fn run_concurrent<F, W, E>(handler: F) -> Result<(), Error>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    run(handler).await
}

/// Runs a tower service that speaks HTTP, such as an `axum::Router`, as a function. The same as
/// [`run`] with [`http()`] around the service.
///
/// # Errors
///
/// As [`run`].
///
/// # Cancel safety
///
/// As [`run`].
pub async fn run_http<S, B>(service: S) -> Result<(), Error>
where
    S: tower::Service<::http::Request<RequestBody>, Response = ::http::Response<B>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    run(http(service)).await
}

/// Runs a function that serves the objects of a source: `GET` and `HEAD` by name, with ranges and
/// preconditions. The same as [`run`] with [`objects`] around the source.
///
/// # Errors
///
/// As [`run`].
///
/// # Cancel safety
///
/// As [`run`].
pub async fn serve(source: impl Source) -> Result<(), Error> {
    run(objects(source)).await
}
