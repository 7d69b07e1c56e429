//! HTTP requests come in through an `axum::Router`; its responses go out as streams.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use stream_fn::{BoxError, Event, Failure, Object, Request, RequestContext, Response, Version};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    let router = Router::new()
        .route("/echo/{*rest}", any(echo))
        .route("/events", post(|Json(own): Json<Value>| async move { Json(json!({"own": own})) }))
        .route("/gated/{gate}", get(gated))
        .route("/fails", get(|| async { Body::from_stream(one_then(Some("in mid-stream"))) }))
        .route("/object", get(object))
        .route("/log", get(log))
        .route("/text", get(|| async { "text, ".repeat(1_000) }))
        .route("/headers", get(headers))
        .route("/trailers", get(trailers))
        .route("/twice", get(|| async { AppendHeaders([("location", "/a"), ("location", "/b")]) }))
        .route("/large-head", get(|| async { [("x", "y".repeat(16_000))] }))
        .route("/panics", get(panics));
    stream_fn::run_http(router).await
}

async fn echo(
    method: Method,
    Path(rest): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let cookie = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    Json(json!({
        "method": method.as_str(), "rest": rest, "query": query, "cookie": cookie,
        "source_ip": context.source_ip, "body": String::from_utf8_lossy(&body),
    }))
}

fn one_then(
    failure: Option<&'static str>,
) -> impl stream::Stream<Item = Result<&'static str, BoxError>> {
    let failed = failure.map(|words| Err(Failure::new("Boom", words).into()));
    stream::iter([Ok("one")]).chain(stream::iter(failed))
}

async fn gated(Path(gate): Path<String>) -> Body {
    Body::from_stream(one_then(None).chain(stream::once(async {
        TcpStream::connect(gate).await?.read_u8().await?;
        Ok("two")
    })))
}

async fn object(Extension(request): Extension<Arc<Request>>) -> Result<impl IntoResponse, String> {
    let version = Version::new("v1").ok_or("no tag")?;
    let response = Response::object(Object::from_bytes("0123456789", version)).cookie("seen=1");
    request.answer(response).await.map_err(|failure| failure.to_string())
}

async fn log(Extension(request): Extension<Arc<Request>>) -> Result<impl IntoResponse, String> {
    let events = stream::iter([Ok::<_, BoxError>(Event::data("long, ".repeat(1_000)))]);
    request.answer(Response::events(events)).await.map_err(|failure| failure.to_string())
}

async fn headers() -> impl IntoResponse {
    let headers = AppendHeaders([
        (header::SET_COOKIE, "a=1; Path=/"),
        (header::SET_COOKIE, "b=2"),
        (header::VARY, "accept"),
        (header::VARY, "origin"),
        (header::CONNECTION, "close, x-hop"),
        (header::UPGRADE, "h2c"),
    ]);
    (StatusCode::CREATED, headers, [("x-hop", "1"), ("x-kept", "2")], "body")
}

async fn trailers() -> Body {
    let frames = ["one", "two"].map(|text| http_body::Frame::data(Bytes::from(text)));
    let trailer = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"x\""))]);
    let frames = frames.into_iter().chain([http_body::Frame::trailers(trailer)]);
    let frames = frames.map(Ok::<_, std::convert::Infallible>);
    Body::new(http_body_util::StreamBody::new(stream::iter(frames)))
}

async fn panics() -> &'static str {
    panic!("on purpose")
}
