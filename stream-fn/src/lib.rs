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

mod body;

mod runtime_api;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

use runtime_api::environment::Environment;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

pub use error::{BoxError, Error, ErrorKind};
pub use failure::Failure;
pub use range::RangeAsk;
pub use request::{Request, RequestKind};
pub use response::{Response, Writer};
pub use source::{Metadata, Object, Source};
pub use version::Version;

/// Runs a function: polls for invocations and answers each one with what the handler gives.
///
/// One invocation at a time; on Lambda Managed Instances, where `AWS_LAMBDA_MAX_CONCURRENCY` is above
/// one, that many at once. Must be called inside a Tokio runtime with I/O and time enabled.
///
/// An error or a panic of the handler fails its invocation, and only that. See [`Failure`] for what
/// the caller is told.
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
    let environment = Environment::read(|name| std::env::var(name).ok())?;
    runtime_api::run(environment, SystemTime::now, handler).await
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

/// Runs a function that serves the objects of a source: `GET` and `HEAD` by name, with ranges and
/// preconditions.
///
/// # Errors
///
/// As [`run`].
///
/// # Cancel safety
///
/// As [`run`].
pub async fn serve(source: impl Source) -> Result<(), Error> {
    let source = Arc::new(source);
    run(move |request| {
        let source = Arc::clone(&source);
        async move { serve::respond(&*source, request).await }
    })
    .await
}
