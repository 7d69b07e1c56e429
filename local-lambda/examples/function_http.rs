//! A function on an unmodified `lambda_http` that streams: in, an HTTP event; out, its path in a
//! streamed response.

use lambda_http::http::Response;
use lambda_http::{Error, Request, run_with_streaming_response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run_with_streaming_response(service_fn(handler)).await
}

async fn handler(request: Request) -> Result<Response<String>, Error> {
    let body = format!("you asked for {}", request.uri().path());
    Ok(Response::builder().status(201).header("x-served-by", "lambda_http").body(body)?)
}
