//! One object by segments against one stream of it, with the service's limits on: the ratio of their
//! times, in one run. The single stream takes half a minute.

use std::time::Duration;

use invoker::Invoker;
use local_lambda::{Function, Limits, LocalLambda, Logs};

#[path = "../examples/support/mod.rs"]
mod support;

const OBJECT: &str = "60MiB";

/// Runs by segments; their median counts. One stream is slow in the same way every time.
const RUNS: usize = 5;

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("function") {
        stream_fn::serve(stream_fn::source::Pattern).await.expect("a Runtime API");
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let local = LocalLambda::builder()
        .function(Function::new("pattern", this).arg("function"))
        .limits(Limits::aws())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    let invoker = Invoker::new(support::client(&local.endpoint_url()));

    let first = fetch(&invoker, true).await;
    let mut warm = Vec::new();
    for _ in 0..RUNS {
        warm.push(fetch(&invoker, true).await);
    }
    warm.sort();
    let segments = warm[RUNS / 2];
    let stream = fetch(&invoker, false).await;
    local.shutdown().await;

    let ratio = |time: Duration| stream.as_secs_f64() / time.as_secs_f64();
    println!("| {OBJECT} to a file | time | times faster |");
    println!("|---|---|---|");
    println!("| one stream | {:.2} s | 1 |", stream.as_secs_f64());
    println!(
        "| segments, cold environments | {:.3} s | {:.0} |",
        first.as_secs_f64(),
        ratio(first)
    );
    println!("| segments, warm | {:.3} s | {:.0} |", segments.as_secs_f64(), ratio(segments));
}

async fn fetch(invoker: &Invoker, segments: bool) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let download = invoker.object("pattern", OBJECT).segments(segments);
    let report = download.to_file(folder.path().join("out")).await.expect("a whole object");
    report.snapshot.elapsed
}
