//! A stream of rows as text in every encoding and in none, with the service's limits on: the ratio of
//! their times, in one run. Whole frames at a time, and each row by itself.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::task::Poll;

use futures_util::{Stream, StreamExt, stream};
use invoker::{Invocation, Invoker, Snapshot};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use stream_fn::Response;

#[path = "../examples/support/mod.rs"]
mod support;

/// Rows of one answer: some 20 MB.
const ROWS: u64 = 300_000;

/// What the rows of one item have, in bytes, where they are not sent one by one.
const FRAME_BYTES: usize = 64 * 1024;

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("function") {
        function().await;
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let local = LocalLambda::builder()
        .function(Function::new("rows", this).arg("function"))
        .limits(Limits::aws())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    let invoker = Invoker::new(support::client(&local.endpoint_url()));

    println!("| rows | encoding | on the wire | time | times faster |");
    println!("|---|---|---|---|---|");
    for (name, item_bytes) in [("64 KiB at a time", FRAME_BYTES), ("one by one", 1)] {
        let mut plain = None;
        for encoding in ["identity", "zstd", "br", "gzip"] {
            let done = fetch(&invoker, encoding, item_bytes).await;
            let seconds = done.elapsed.as_secs_f64();
            let ratio = *plain.get_or_insert(seconds) / seconds;
            let megabytes = done.encoded_bytes as f64 / 1e6;
            println!("| {name} | {encoding} | {megabytes:.2} MB | {seconds:.2} s | {ratio:.1} |");
        }
    }
    local.shutdown().await;
}

async fn fetch(invoker: &Invoker, encoding: &str, item_bytes: usize) -> Snapshot {
    let invocation =
        Invocation::new("rows").payload(item_bytes.to_string()).custom("accept-encoding", encoding);
    let folder = tempfile::tempdir().expect("a folder");
    let download = invoker.download(invocation);
    let report = download.to_file(folder.path().join("rows")).await.expect("a whole result");
    report.snapshot
}

async fn function() {
    let handler = async |request: stream_fn::Request| {
        let item_bytes: usize = request.payload()?;
        let response = Response::stream(rows(item_bytes));
        Ok::<_, stream_fn::Error>(response.content_type("application/x-ndjson"))
    };
    stream_fn::run(handler).await.expect("a Runtime API");
}

/// Items of at least so many bytes, with a wait after each, as from a database.
fn rows(item_bytes: usize) -> impl Stream<Item = Result<String, Infallible>> + Send {
    let (mut id, mut random, mut waited) = (0, 1_u64, true);
    stream::poll_fn(move |context| {
        if id == ROWS {
            return Poll::Ready(None);
        }
        waited = !waited;
        if !waited {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut item = String::with_capacity(item_bytes + 128);
        while item.len() < item_bytes && id < ROWS {
            id += 1;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let station = ["Harbour", "Summit", "Zürich"][(random >> 60) as usize % 3];
            let celsius = (random >> 40) % 600;
            // Writing into a String does not fail.
            let _always = writeln!(
                item,
                r#"{{"id":{id},"station":"{station}","celsius":{}.{},"humidity":{}}}"#,
                celsius / 10,
                celsius % 10,
                (random >> 50) % 100
            );
        }
        Poll::Ready(Some(Ok(item)))
    })
    .boxed()
}
