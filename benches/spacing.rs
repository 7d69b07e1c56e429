//! Small writes with pauses: a function writes 100 bytes every 10 ms; how long each takes to the
//! client, and whether it comes by itself. Every write carries the time at which it was made, by the
//! one clock of the machine.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use invoker::{Invocation, Invoker};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use tokio::time::{Instant, sleep_until};

#[path = "../examples/support/mod.rs"]
mod support;

/// Bytes of one write.
const WRITE: usize = 100;

/// Time between two.
const SPACING: Duration = Duration::from_millis(10);

/// Writes that are counted; [`WARM_UP`] more before them are not.
const WRITES: usize = 1_000;
const WARM_UP: usize = 10;

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("function") {
        function().await;
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let local = LocalLambda::builder()
        .function(Function::new("f", this).arg("function"))
        .limits(Limits::aws())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    let invoker = Invoker::new(support::client(&local.endpoint_url()));
    let mut stream = invoker.invoke(Invocation::new("f")).await.expect("an answer");
    let mut delays = Vec::new();
    let mut reads = Vec::new();
    let mut waiting = Vec::new();
    while let Some(bytes) = stream.next_bytes().await {
        let now = nanos();
        let bytes = bytes.expect("a whole result");
        reads.push(bytes.len());
        waiting.extend_from_slice(&bytes);
        while waiting.len() >= WRITE {
            let made = u64::from_le_bytes(*waiting.first_chunk().expect("a time"));
            delays.push(Duration::from_nanos(now.saturating_sub(made)));
            waiting.drain(..WRITE);
        }
    }
    local.shutdown().await;
    assert_eq!((delays.len(), waiting.len()), (WRITES + WARM_UP, 0));

    let alone = reads.iter().filter(|len| **len == WRITE).count();
    delays.drain(..WARM_UP);
    delays.sort();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("| {WRITE} bytes every {SPACING:?} | p50 | p90 | p99 | max | came by itself |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| write to read | {:.2} ms | {:.2} ms | {:.2} ms | {:.2} ms | {alone} of {} |",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        WRITES + WARM_UP
    );
}

async fn function() {
    let handler = async |_| {
        let begun = Instant::now();
        let writes = stream::unfold(0, move |count| async move {
            if count == WRITES + WARM_UP {
                return None;
            }
            sleep_until(begun + SPACING * count as u32).await;
            let mut write = [0; WRITE];
            write[..8].copy_from_slice(&nanos().to_le_bytes());
            Some((Ok::<_, Infallible>(Bytes::copy_from_slice(&write)), count + 1))
        });
        Ok::<_, Infallible>(stream_fn::Response::stream(writes))
    };
    stream_fn::run(handler).await.expect("a Runtime API");
}

/// The machine's clock, in nanoseconds.
fn nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos() as u64
}
