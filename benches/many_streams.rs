//! A thousand streams at once, of one client process on one endpoint: how much memory each costs the
//! client, while all are open and none is read, and until all have been read to their ends. Once with
//! the SDK's own HTTP client, whose buffers grow, and once with that of this library, which the command has.

use std::process::{Command, Stdio};

use futures_util::future::try_join_all;
use invoker::{Error, HttpClient, Invocation, Invoker, ResponseStream};
use local_lambda::{Function, Limits, LocalLambda, Logs};

#[path = "../examples/support/mod.rs"]
mod support;

/// Streams at once.
const STREAMS: usize = 1_000;

/// What each one brings, in bytes: more than all buffers between the function and the client.
const BYTES: usize = 2 * 1024 * 1024;
const OBJECT: &str = "2MiB";

/// Sockets of the service: each stream has one to the client and two to the function. And some spare.
const FILES: u64 = 4 * STREAMS as u64;

/// Whose HTTP client the client has.
const SDK: &str = "the SDK's own";
const LIBRARY: &str = "the library's";

const KIB: f64 = 1024.0;

fn main() {
    if !may_open(FILES) {
        println!("many_streams: skipped, {FILES} open files are not allowed here (ulimit -Hn)");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match std::env::args().nth(1).as_deref() {
        Some("function") => runtime.block_on(async {
            stream_fn::serve(stream_fn::source::Pattern).await.expect("a Runtime API");
        }),
        Some(kind @ (SDK | LIBRARY)) => {
            let endpoint = std::env::args().nth(2).expect("an endpoint");
            runtime.block_on(client(kind, &endpoint));
        }
        _ => runtime.block_on(compare()),
    }
}

/// Whether this process may have so many files open, if it asks for it.
#[cfg(unix)]
fn may_open(files: u64) -> bool {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of open files");
    hard >= files && (soft >= files || setrlimit(Resource::RLIMIT_NOFILE, files, hard).is_ok())
}

/// Elsewhere sockets are not counted as files.
#[cfg(not(unix))]
fn may_open(_: u64) -> bool {
    true
}

async fn compare() {
    let this = std::env::current_exe().expect("this program");
    let function = Function::new("made", &this).arg("function").concurrent_invocations(STREAMS);
    let local = LocalLambda::builder()
        .function(function)
        .limits(Limits::off())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    println!("| HTTP client | {STREAMS} streams open, none read | the most, until all are read |");
    println!("|---|---|---|");
    for kind in [SDK, LIBRARY] {
        let mut command = Command::new(&this);
        command.args([kind, &local.endpoint_url()]).stdout(Stdio::inherit());
        let status = tokio::task::spawn_blocking(move || command.status()).await;
        assert!(status.expect("a client").expect("a client").success());
    }
    println!("\nOf the client's memory, for each stream of {OBJECT}.");
    local.shutdown().await;
}

async fn client(kind: &str, endpoint: &str) {
    let mut config = support::client(endpoint).config().to_builder();
    if kind == LIBRARY {
        let client = HttpClient::builder().no_roots().build().expect("an HTTP client");
        config = config.http_client(client);
    }
    let invoker = Invoker::new(aws_sdk_lambda::Client::from_conf(config.build()));
    // What the first stream needs, such as the SDK's own tables, is no stream's own.
    read(open(&invoker).await.expect("an answer")).await.expect("a whole result");
    let before = resident("VmRSS:");

    let streams = try_join_all((0..STREAMS).map(|_| open(&invoker))).await.expect("answers");
    let open = resident("VmRSS:");
    let tasks: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(read(stream))).collect();
    for task in tasks {
        task.await.expect("a task").expect("a whole result");
    }
    let most = resident("VmHWM:");

    let each = |bytes: f64| (bytes - before).max(0.0) / STREAMS as f64 / KIB;
    println!("| {kind} | {:.1} KiB | {:.1} KiB |", each(open), each(most));
}

async fn open(invoker: &Invoker) -> Result<ResponseStream, Error> {
    let path = format!("/{OBJECT}");
    let event = serde_json::json!({
        "version": "2.0", "rawPath": path, "headers": {}, "isBase64Encoded": false,
        "requestContext": {"stage": "$default", "http": {"method": "GET", "path": path}},
    });
    invoker.invoke(Invocation::new("made").payload(event.to_string())).await
}

async fn read(mut stream: ResponseStream) -> Result<(), Error> {
    let mut received = 0;
    while let Some(bytes) = stream.next_bytes().await {
        received += bytes?.len();
    }
    assert_eq!(received, BYTES);
    Ok(())
}

/// A size in `/proc/self/status`, in bytes.
fn resident(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc, which Linux has");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<f64>().expect("a number") * KIB
}
