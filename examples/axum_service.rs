//! A web service that passes a function's result on while it arrives: a request goes in, an invocation is
//! made of it, and its bytes leave as the response.
//!
//! ```sh
//! cargo run --release --example axum_service          # prints where it listens
//! curl http://127.0.0.1:PORT/rows/20
//! curl -O http://127.0.0.1:PORT/objects/64MiB         # by segments, behind one response
//! ```
//!
//! A client that leaves ends the download; a function that fails in the middle ends the response
//! without its last chunk, so that no client takes it for whole.

mod support;

#[path = "support/local.rs"]
mod local;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use invoker::{Error, ErrorKind, Invocation, Invoker, MemoryBudget};
use stream_fn::BoxError;
use tokio::io::AsyncWriteExt;

#[derive(Clone)]
struct Service {
    invoker: Invoker,
    /// What all requests together may hold for slow clients.
    budget: MemoryBudget,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match local::function().as_deref() {
        Some("rows") => return Ok(stream_fn::run(rows_function).await?),
        Some(_) => return Ok(stream_fn::serve(stream_fn::source::Pattern).await?),
        None => {}
    }
    let local = local::serve(&["rows", "files"]).await?;
    let service = Service {
        invoker: Invoker::new(support::client(&local.endpoint_url())),
        budget: MemoryBudget::of_this_process(),
    };
    let router = Router::new()
        .route("/rows/{count}", get(rows))
        .route("/objects/{name}", get(object))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    local.shutdown().await;
    Ok(())
}

/// One stream, as it comes: `ResponseStream` is an HTTP body. What the function's head says, if it sends
/// one, is passed on.
async fn rows(State(service): State<Service>, Path(count): Path<u32>) -> Result<Response, Refusal> {
    let invocation = Invocation::new("rows").payload(count.to_string());
    let stream = service.invoker.invoke(invocation).await?;
    let head = stream.head();
    let status = head.and_then(|head| StatusCode::from_u16(head.status).ok()).unwrap_or_default();
    let content_type = head.and_then(|head| head.header("content-type"));
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    Ok((status, [(header::CONTENT_TYPE, content_type)], Body::new(stream)).into_response())
}

/// An object by segments, in order. Its body tells the server the length, and holds the last bytes back
/// until the end is proven: a length that is set by hand would let the server stop before that.
async fn object(
    State(service): State<Service>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let download = service.invoker.object("files", &name).memory_budget(&service.budget);
    let bytes = download.in_order().await?;
    Ok(Body::new(bytes.into_body()).into_response())
}

/// What is known to be wrong before the first byte has a status of its own.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Answer { status } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY)
            }
            ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        (status, format!("{}\n", self.0)).into_response()
    }
}

/// The function: as many rows as its payload says.
async fn rows_function(request: stream_fn::Request) -> Result<stream_fn::Response, BoxError> {
    let count: u32 = request.payload()?;
    let rows = stream_fn::Response::writer(move |mut writer| async move {
        for row in 0..count {
            writer.write_all(format!("{{\"row\":{row}}}\n").as_bytes()).await?;
        }
        Ok::<(), BoxError>(())
    });
    Ok(rows.content_type("application/x-ndjson"))
}
