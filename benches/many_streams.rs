//! A thousand streams at once, of one client process on one endpoint: how much memory each costs the
//! client, while all are open and none is read, and until all have been read to their ends. Once with
//! the SDK's own HTTP client, whose buffers grow, and once with that of this library, which the command has.

use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::future::try_join_all;
use invoker::{Error, HttpClient, Invocation, Invoker, ResponseStream};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use stream_fn::{BoxError, Request, Response};
use tokio::io::AsyncWriteExt;

#[path = "../examples/support/mod.rs"]
mod support;

/// Streams at once.
const STREAMS: usize = 1_000;

/// What each stream of the large ones brings, in bytes: more than all buffers between the function and
/// the client.
const LARGE: usize = 2 * 1024 * 1024;

/// What each of the others brings, a little at a time, as words and rows come.
const WRITE: usize = 100;
const WRITES: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// What a stream brings.
const FEW: &str = "100 bytes now and then";
const MANY: &str = "2 MiB at once";

/// What the function writes at once, of many bytes.
const PIECE: usize = 64 * 1024;

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
            stream_fn::run(answer).await.expect("a Runtime API");
        }),
        Some(kind @ (SDK | LIBRARY)) => {
            let arguments: Vec<String> = std::env::args().skip(2).collect();
            let what = if arguments[0] == FEW { FEW } else { MANY };
            runtime.block_on(client(kind, what, &arguments[1]));
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

/// The function: many bytes as fast as they are taken, or a few now and then.
async fn answer(request: Request) -> Result<Response, BoxError> {
    let kind: String = request.payload()?;
    Ok(Response::writer(move |mut writer| async move {
        if kind == FEW {
            for _ in 0..WRITES {
                writer.write_all(&[b'x'; WRITE]).await?;
                writer.flush().await?;
                tokio::time::sleep(PAUSE).await;
            }
        } else {
            for _ in 0..LARGE / PIECE {
                writer.write_all(&[b'x'; PIECE]).await?;
            }
        }
        Ok::<(), BoxError>(())
    }))
}

async fn compare() {
    println!(
        "| what each of {STREAMS} streams brings | HTTP client | all open | the most, until all are read |"
    );
    println!("|---|---|---|---|");
    for what in [FEW, MANY] {
        for kind in [SDK, LIBRARY] {
            // Each with a service of its own: one that has been used reads more at once.
            let this = std::env::current_exe().expect("this program");
            let function =
                Function::new("f", &this).arg("function").concurrent_invocations(STREAMS);
            let local = LocalLambda::builder()
                .function(function)
                .limits(Limits::off())
                .logs(Logs::Stderr)
                .start()
                .await
                .expect("the local service");
            let mut command = Command::new(&this);
            command.args([kind, what, &local.endpoint_url()]).stdout(Stdio::inherit());
            let status = tokio::task::spawn_blocking(move || command.status()).await;
            assert!(status.expect("a client").expect("a client").success());
            local.shutdown().await;
        }
    }
}

async fn client(kind: &str, what: &'static str, endpoint: &str) {
    let mut config = support::client(endpoint).config().to_builder();
    if kind == LIBRARY {
        let client = HttpClient::builder().no_roots().build().expect("an HTTP client");
        config = config.http_client(client);
    }
    let invoker = Invoker::new(aws_sdk_lambda::Client::from_conf(config.build()));
    // What the first stream needs, such as the SDK's own tables, is no stream's own.
    read(open(&invoker, what).await.expect("an answer"), what).await.expect("a whole result");
    let before = resident("VmRSS:");

    let streams = try_join_all((0..STREAMS).map(|_| open(&invoker, what))).await.expect("answers");
    let open = resident("VmRSS:");
    let tasks: Vec<_> =
        streams.into_iter().map(|stream| tokio::spawn(read(stream, what))).collect();
    for task in tasks {
        task.await.expect("a task").expect("a whole result");
    }
    let most = resident("VmHWM:");

    let each = |bytes: f64| (bytes - before).max(0.0) / STREAMS as f64 / KIB;
    println!("| {what} | {kind} | {:.1} KiB | {:.1} KiB |", each(open), each(most));
}

async fn open(invoker: &Invoker, what: &str) -> Result<ResponseStream, Error> {
    invoker.invoke(Invocation::new("f").payload(format!("{what:?}"))).await
}

async fn read(mut stream: ResponseStream, what: &'static str) -> Result<(), Error> {
    let mut received = 0;
    while let Some(bytes) = stream.next_bytes().await {
        received += bytes?.len();
    }
    assert_eq!(received, if what == FEW { WRITE * WRITES } else { LARGE });
    Ok(())
}

/// A size in `/proc/self/status`, in bytes.
fn resident(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc, which Linux has");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<f64>().expect("a number") * KIB
}
