//! A function on an unmodified `lambda_runtime` that answers at once: in, any event; out, the event
//! and the context the service handed over. With `AWS_LAMBDA_MAX_CONCURRENCY` it serves several
//! invocations at a time; with `GRACEFUL` it wants to know before it ends, and then says something.

#![allow(clippy::print_stdout, reason = "a function prints its log")]

use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    #[cfg(unix)] // which alone has the signal that tells it
    if std::env::var_os("GRACEFUL").is_some() {
        lambda_runtime::spawn_graceful_shutdown_handler(async || println!("last words")).await;
    }
    run_concurrent(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    if let Some(address) = payload["wait_for"].as_str() {
        TcpStream::connect(address).await?.read_to_end(&mut Vec::new()).await?;
    }
    if let Some(message) = payload["fail"].as_str() {
        return Err(message.into());
    }
    Ok(json!({
        "payload": payload,
        "context": context,
        "process": std::process::id(),
        "version": context.env_config.version,
    }))
}
