//! What `local-lambda` costs a stream: the rate at which one client reads what a function's process
//! writes and the service relays, against the rate at which it reads the same frames, encoded before,
//! from a bare server. Everybody is a process; the two take turns.

use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use invoker::{Invocation, Invoker};
use local_lambda::{Function, Limits, LocalLambda, Logs};

#[path = "support/frame_server.rs"]
mod frame_server;

#[path = "support/process.rs"]
mod process;

#[path = "../examples/support/mod.rs"]
mod support;

use frame_server::Payload;
use process::{MEASURE, measure, median};

/// Payload of one stream, in bytes.
const STREAM: usize = 2 * 1024 * 1024 * 1024;

/// Bytes of a PayloadChunk: what the service reads from a function at once.
const CHUNK: usize = 64 * 1024;

/// Counted runs of each; one more before them is not counted.
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["frames"] => {
            let (listener, address) = frame_server::listen();
            println!("http://{address}");
            frame_server::serve(&listener, Payload { bytes: STREAM, chunk: CHUNK });
        }
        ["service"] => service(),
        ["function"] => function(),
        ["client", endpoint] => client(endpoint),
        [MEASURE, ..] => measure(&arguments[1..]),
        _ => compare(),
    }
}

fn compare() {
    let (mut bare, mut relay) = (start("frames"), start("service"));
    let (mut bare_rates, mut relay_rates) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        for ((_, endpoint), rates) in [(&bare, &mut bare_rates), (&relay, &mut relay_rates)] {
            let this = std::env::current_exe().expect("this program");
            let arguments = ["client".to_owned(), endpoint.clone()];
            let cost = process::run(this, &arguments, &[]);
            let seconds: f64 = cost.said.trim().parse().expect("seconds");
            if run > 0 {
                rates.push(STREAM as f64 / seconds / (1 << 20) as f64);
            }
        }
    }
    // The service ends its function, whose Runtime API is gone with it.
    for (child, _) in [&mut bare, &mut relay] {
        child.kill().expect("to end it");
        child.wait().expect("its end");
    }
    let (bare, relay) = (median(bare_rates), median(relay_rates));
    println!("| from | MiB/s | ratio |");
    println!("|---|---|---|");
    println!("| a bare server of pre-encoded frames | {bare:.0} | 1 |");
    println!("| a function through `local-lambda` | {relay:.0} | {:.2} |", relay / bare);
}

/// This program as an endpoint, and where it is.
fn start(role: &str) -> (Child, String) {
    let this = std::env::current_exe().expect("this program");
    let mut child =
        Command::new(this).arg(role).stdout(Stdio::piped()).spawn().expect("an endpoint");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("its stdout");
    BufReader::new(stdout).read_line(&mut line).expect("an address");
    (child, line.trim().to_owned())
}

/// On as many threads as the command gives it: half of the cores, for others want the rest.
fn service() {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(2))
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(serve());
}

async fn serve() {
    let this = std::env::current_exe().expect("this program");
    let local = LocalLambda::builder()
        .function(Function::new("f", this).arg("function"))
        .limits(Limits::off())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    println!("{}", local.endpoint_url());
    std::future::pending::<()>().await;
}

/// Answers with bytes it has, so that the time is the relay's.
#[tokio::main]
async fn function() {
    const PIECE: Bytes = Bytes::from_static(&[b'x'; CHUNK]);
    let handler = async |_| {
        let pieces = stream::repeat(PIECE).take(STREAM / CHUNK);
        let pieces = pieces.map(Ok::<_, std::convert::Infallible>);
        Ok::<_, std::convert::Infallible>(stream_fn::Response::stream(pieces))
    };
    // It fails when the service is gone, which is how it ends.
    let _ = stream_fn::run(handler).await;
}

/// Says on stderr how many seconds a stream took.
fn client(endpoint: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let invoker = Invoker::new(support::client(endpoint));
        let begun = Instant::now();
        let mut stream = invoker.invoke(Invocation::new("f")).await.expect("an answer");
        let mut received = 0;
        while let Some(bytes) = stream.next_bytes().await {
            received += bytes.expect("a whole result").len();
        }
        assert_eq!(received, STREAM);
        eprintln!("{}", begun.elapsed().as_secs_f64());
    });
}
