//! What the tests share: names of programs go in; a running service with those functions, and an
//! invoker that calls it, come out.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use invoker::{Download, Error, ErrorKind, Invocation, Invoker};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for what must happen. Never reached unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An example of this workspace. They are in the folder beside that of the test's own program, and
/// all of them only if all members were built.
pub(crate) fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"))
}

/// The ready function.
pub(crate) fn ready_function() -> PathBuf {
    built("stream-fn")
}

pub(crate) fn built(path: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join(path);
    assert!(program.is_file(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// A service with one function, `f`, and somebody to call it.
pub(crate) struct Pair {
    pub(crate) local: LocalLambda,
    pub(crate) invoker: Invoker,
}

impl Pair {
    /// An example as it is, without the limits that cost time.
    pub(crate) async fn of_example(name: &str) -> Self {
        Self::of(Function::new("f", example(name)), Limits::aws().with_pace(None)).await
    }

    /// The ready function with its source.
    pub(crate) async fn of_source(source: impl Into<String>) -> Self {
        let function = Function::new("f", ready_function()).env("STREAM_FN_SOURCE", source.into());
        Self::of(function, Limits::aws().with_pace(None)).await
    }

    pub(crate) async fn of(function: Function, limits: Limits) -> Self {
        let local = LocalLambda::builder()
            .function(function)
            .limits(limits)
            .logs(Logs::Discard)
            .start()
            .await
            .unwrap();
        let invoker = Invoker::new(client(&local.endpoint_url()));
        Self { local, invoker }
    }

    pub(crate) fn object(&self, name: &str) -> Download {
        self.invoker.object("f", name)
    }
}

/// The function `f` with a payload.
pub(crate) fn call(payload: serde_json::Value) -> Invocation {
    Invocation::new("f").payload(payload.to_string())
}

pub(crate) fn client(endpoint: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// All bytes in order, and how they ended.
pub(crate) async fn read(download: Download) -> (Vec<u8>, Result<(), Error>) {
    let mut ordered = match download.in_order().await {
        Ok(ordered) => ordered,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut all = Vec::new();
    while let Some(bytes) = ordered.next_bytes().await {
        match bytes {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => return (all, Err(error)),
        }
    }
    assert!(ordered.report().is_some(), "whole, but no report");
    (all, Ok(()))
}

/// The function's own error.
#[track_caller]
pub(crate) fn function_error(ended: Result<(), Error>) -> (String, String) {
    match ended.map_err(|error| error.kind().clone()) {
        Err(ErrorKind::Function { error_type, message }) => (error_type, message),
        other => panic!("no error of the function but {other:?}"),
    }
}

/// Somebody a function waits for.
pub(crate) struct Gate {
    listener: TcpListener,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Waits until a function waits here. Dropping what is returned lets it go on.
    pub(crate) async fn somebody(&self) -> TcpStream {
        in_time(self.listener.accept()).await.unwrap().0
    }
}

/// Ends a test that would wait for ever.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it still waits")
}
