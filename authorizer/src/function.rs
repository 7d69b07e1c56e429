//! An engine comes in; a Lambda function goes out that answers API Gateway with it. Buffered: API Gateway calls
//! an authorizer by plain invocations, and its answers are small.

use crate::answer::{NoAnswer, answer};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::settings::HttpApiAnswer;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;
use std::time::SystemTime;

/// Polls for events and answers each one, until the Runtime API is gone. One at a time; on Lambda Managed
/// Instances, where `AWS_LAMBDA_MAX_CONCURRENCY` is above one, that many at once. Must be called inside a
/// Tokio runtime with I/O and time enabled.
///
/// # Errors
///
/// If what an API key may does not fit into a policy ([`ErrorKind::Setting`]), and if the Runtime API cannot
/// be polled any more ([`ErrorKind::Runtime`]). Otherwise it does not return.
///
/// # Cancel safety
///
/// Dropping it abandons the events under way: API Gateway answers 500 to their clients.
pub async fn run(engine: Engine, http_api: HttpApiAnswer) -> Result<(), Error> {
    engine.policies_fit()?;
    let engine = Arc::new(engine);
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let engine = Arc::clone(&engine);
        async move { answer(&engine, http_api, &event.payload, SystemTime::now()) }
    });
    lambda_runtime::run_concurrent(handler).await.map_err(|error| {
        let words = format!("the runtime api cannot be polled any more: {error}");
        Error::new(ErrorKind::Runtime, words)
    })
}

impl From<NoAnswer> for Diagnostic {
    fn from(why: NoAnswer) -> Self {
        let error_type = match why {
            NoAnswer::Unauthorized => "Authorizer.Unauthorized",
            NoAnswer::Event(_) => "Authorizer.Event",
        };
        Self { error_type: error_type.to_owned(), error_message: why.to_string() }
    }
}
