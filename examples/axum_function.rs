//! An `axum::Router` as a streaming function: HTTP requests come in from a Function URL, an API or the
//! invoker; rows, Server-Sent Events and an object with ranges go out.
//!
//! ```sh
//! cargo build --release --example axum_function
//! cargo run --release -p invoker-cli -- \
//!     local --function web=target/release/examples/axum_function --function-url web
//! # in another terminal, with the address that it prints
//! curl -N http://ADDRESS/rows/5
//! curl -N http://ADDRESS/ticks
//! curl -r 0-9 http://ADDRESS/files/digits
//! ```

use axum::body::Body;
use axum::extract::{Extension, Path};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use stream_fn::{BoxError, Event, Failure, Object, Request, RequestContext, Version};

/// The longest answer of `/rows`, and where the table ends: more rows are an error.
const ROWS: u32 = 10_000;

/// How often `/ticks` has an event.
const TICK: Duration = Duration::from_millis(200);

/// How many events it has.
const TICKS: u32 = 5;

/// The size of `/files/digits`, in bytes.
const DIGITS: usize = 1_000_000;

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    let router = Router::new()
        .route("/", get(home))
        .route("/rows/{count}", get(rows))
        .route("/ticks", get(ticks))
        .route("/files/{name}", get(file))
        // Where plain JSON calls come in: `invoker cat web -p '{"rows": 3}'`.
        .route("/events", axum::routing::post(called));
    stream_fn::run_http(router).await
}

async fn home(Extension(context): Extension<RequestContext>) -> Html<String> {
    let visitor = context.source_ip.unwrap_or_else(|| "somebody".to_owned());
    Html(format!("<p>Hello, {visitor}. Try /rows/5, /ticks, /files/digits.</p>\n"))
}

/// NDJSON, each row sent when it is made. Bytes have left when the error comes: the caller sees it in
/// place of an end.
async fn rows(Path(count): Path<u32>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(rows_of(count)))
}

fn rows_of(count: u32) -> impl Stream<Item = Result<String, BoxError>> {
    stream::iter((0..count).map(|row| match row {
        ROWS.. => Err(Failure::new("NoMoreRows", format!("the table has {ROWS} rows")).into()),
        _ => Ok(format!("{}\n", json!({"row": row}))),
    }))
}

/// The answers of `stream_fn` are there for routes too.
async fn ticks(Extension(request): Extension<Arc<Request>>) -> Response {
    let ticks = stream::unfold(0, |tick| async move {
        tokio::time::sleep(TICK).await;
        let event = Event::data(tick.to_string()).event("tick").id(tick.to_string());
        (tick < TICKS).then_some((Ok::<_, BoxError>(event), tick + 1))
    });
    answer(&request, stream_fn::Response::events(ticks)).await
}

/// An object: it can be fetched by segments, resumed and pinned to its version.
async fn file(Path(name): Path<String>, Extension(request): Extension<Arc<Request>>) -> Response {
    let digits = || (0..DIGITS).map(|at| b'0' + (at % 10) as u8).collect::<Vec<u8>>();
    let response = match Version::new("digits-1") {
        Some(version) if name == "digits" => {
            stream_fn::Response::object(Object::from_bytes(digits(), version))
        }
        _ => stream_fn::Response::refusal(StatusCode::NOT_FOUND, "no such file"),
    };
    answer(&request, response).await
}

async fn answer(request: &Request, response: stream_fn::Response) -> Response {
    match request.answer(response).await {
        Ok(response) => response.into_response(),
        Err(failure) => {
            let message = Json(json!({"message": failure.to_string()}));
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    }
}

#[derive(Deserialize)]
struct Call {
    rows: u32,
}

async fn called(Json(call): Json<Value>) -> Response {
    match serde_json::from_value(call) {
        Ok(Call { rows: count }) => rows(Path(count)).await.into_response(),
        Err(_) => (StatusCode::BAD_REQUEST, "say how many: {\"rows\": 3}").into_response(),
    }
}
