//! What the tests share: in, a function's program and a behaviour; out, a running service, a client,
//! and a whole response to look at.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::operation::invoke_with_response_stream::InvokeWithResponseStreamOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvokeWithResponseStreamCompleteEvent as Complete;
use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent as Event;
use local_lambda::{Builder, Function, Limits, LocalLambda, Logs};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a test waits for what must happen. Never reached unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program of an example of this crate. Cargo builds examples before it runs tests, and puts them
/// beside the folder of the test's own program.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().unwrap().parent().unwrap();
    profile.join("examples").join(name)
}

pub(crate) fn raw() -> Function {
    Function::new("raw", program("function_raw"))
}

pub(crate) fn quiet() -> Builder {
    LocalLambda::builder().logs(Logs::Discard).limits(Limits::aws())
}

/// A service with the raw function alone.
pub(crate) async fn service() -> LocalLambda {
    quiet().function(raw()).start().await.unwrap()
}

pub(crate) fn client(local: &LocalLambda) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(local.endpoint_url())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKID", "SECRET", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

pub(crate) fn blob(value: &Value) -> Blob {
    Blob::new(value.to_string())
}

/// A streamed response, read to its end.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) payload: Vec<u8>,
    pub(crate) chunks: usize,
    /// `None` if the stream ended without it.
    pub(crate) complete: Option<Complete>,
}

impl Streamed {
    pub(crate) fn code(&self) -> Option<&str> {
        self.complete.as_ref().expect("InvokeComplete").error_code()
    }

    pub(crate) fn details(&self) -> &str {
        self.complete.as_ref().expect("InvokeComplete").error_details().unwrap_or_default()
    }
}

pub(crate) async fn stream(local: &LocalLambda, name: &str, payload: &Value) -> Streamed {
    let output = client(local)
        .invoke_with_response_stream()
        .function_name(name)
        .payload(blob(payload))
        .send()
        .await
        .unwrap();
    read(output).await
}

pub(crate) async fn read(mut output: InvokeWithResponseStreamOutput) -> Streamed {
    let mut streamed = Streamed { payload: Vec::new(), chunks: 0, complete: None };
    while let Some(event) = output.event_stream.recv().await.unwrap() {
        assert!(streamed.complete.is_none(), "something followed InvokeComplete");
        match event {
            Event::PayloadChunk(chunk) => {
                streamed.chunks += 1;
                streamed.payload.extend(chunk.payload.unwrap().as_ref());
            }
            Event::InvokeComplete(complete) => streamed.complete = Some(complete),
            other => panic!("unknown event {other:?}"),
        }
    }
    streamed
}

/// The next piece of payload; panics at the end.
pub(crate) async fn next_payload(output: &mut InvokeWithResponseStreamOutput) -> Vec<u8> {
    let event = tokio::time::timeout(PATIENCE, output.event_stream.recv()).await;
    match event.expect("an event in time").unwrap() {
        Some(Event::PayloadChunk(chunk)) => chunk.payload.unwrap().into_inner(),
        other => panic!("no payload but {other:?}"),
    }
}

/// Somebody a function waits for: it goes on when this is told to let go.
pub(crate) struct Gate(TcpListener);

impl Gate {
    pub(crate) async fn new() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (Self(listener), address)
    }

    /// Waits until one function waits here. Dropping what is returned lets it go.
    pub(crate) async fn somebody(&self) -> tokio::net::TcpStream {
        tokio::time::timeout(PATIENCE, self.0.accept()).await.expect("nobody came").unwrap().0
    }
}

/// Looks until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"));
}
