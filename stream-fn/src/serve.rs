//! A request comes in; the object that a source has under its name goes out, or a refusal.

use crate::failure::Failure;
use crate::http_service::Answering;
use crate::request::Request;
use crate::response::Response;
use crate::source::{OpenError, Source};
use http::{Method, StatusCode};
use std::sync::Arc;

/// A handler for [`run`](crate::run) or [`Function`](crate::Function) that serves the objects of a source:
/// `GET` and `HEAD` by name, with ranges and preconditions.
pub fn objects(source: impl Source) -> impl Fn(Request) -> Answering + Send + Sync + 'static {
    let source = Arc::new(source);
    move |request| {
        let source = Arc::clone(&source);
        Box::pin(async move { respond(&*source, request).await })
    }
}

async fn respond(source: &dyn Source, request: Request) -> Result<Response, Failure> {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        let refusal =
            Response::refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served");
        return Ok(refusal.header("allow", "GET, HEAD"));
    }
    let Some(name) = request.object() else {
        let message = "no such object: ask for one by name, with an HTTP API 2.0 event whose rawPath \
                       is / and the percent-encoded name";
        return Ok(Response::refusal(StatusCode::NOT_FOUND, message));
    };
    let opened = match request.query("versionId") {
        None => source.open(name).await,
        Some(version_id) => source.open_version(name, version_id).await,
    };
    match opened {
        Ok(object) => Ok(Response::object(object)),
        Err(OpenError::NotFound(message)) => Ok(Response::refusal(StatusCode::NOT_FOUND, &message)),
        Err(OpenError::Failed(failure)) => Err(failure),
    }
}
