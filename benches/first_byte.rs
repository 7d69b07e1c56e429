//! The time to the first byte of a streamed answer: the same handler on `stream_fn::run` and on
//! `lambda_runtime::run`, both behind `local-lambda`, the calls in turns.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use invoker::{Invocation, Invoker};
use local_lambda::{Function, Limits, LocalLambda, Logs};

#[path = "../examples/support/mod.rs"]
mod support;

/// Counted calls of each function; [`WARM_UP`] more before them are not counted.
const CALLS: usize = 50;
const WARM_UP: usize = 5;

/// What the handler answers: one frame.
const ANSWER: Bytes = Bytes::from_static(&[b'x'; 1024]);

#[tokio::main]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("on-stream-fn") => on_stream_fn().await,
        Some("on-lambda-runtime") => on_lambda_runtime().await,
        _ => compare().await,
    }
}

async fn on_stream_fn() {
    let handler = async |_| {
        Ok::<_, Infallible>(stream_fn::Response::stream(stream::iter([Ok::<_, Infallible>(
            ANSWER,
        )])))
    };
    stream_fn::run(handler).await.expect("a Runtime API");
}

async fn on_lambda_runtime() {
    let handler = async |_: lambda_runtime::LambdaEvent<serde_json::Value>| {
        Ok::<_, Infallible>(lambda_runtime::StreamResponse::from(stream::iter([
            Ok::<_, Infallible>(ANSWER),
        ])))
    };
    lambda_runtime::run(lambda_runtime::service_fn(handler)).await.expect("a Runtime API");
}

async fn compare() {
    let this = std::env::current_exe().expect("this program");
    let function = |name: &str| Function::new(name, &this).arg(name);
    let local = LocalLambda::builder()
        .function(function("on-stream-fn"))
        .function(function("on-lambda-runtime"))
        .limits(Limits::aws())
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service");
    let invoker = Invoker::new(support::client(&local.endpoint_url()));

    let mut times = [("on-stream-fn", Vec::new()), ("on-lambda-runtime", Vec::new())];
    for call in 0..WARM_UP + CALLS {
        for (name, times) in &mut times {
            let time = first_byte(&invoker, name).await;
            if call >= WARM_UP {
                times.push(time);
            }
        }
    }
    local.shutdown().await;

    println!("| handler | p50 | p90 | max |");
    println!("|---|---|---|---|");
    let mut medians = Vec::new();
    for (name, mut times) in times {
        times.sort();
        let at =
            |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("| {name} | {:.2} ms | {:.2} ms | {:.2} ms |", at(0.5), at(0.9), at(1.0));
        medians.push(at(0.5));
    }
    println!("\np50 of lambda_runtime / p50 of stream_fn: {:.1}", medians[1] / medians[0]);
}

async fn first_byte(invoker: &Invoker, function: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = invoker.invoke(Invocation::new(function)).await.expect("an answer");
    let first = stream.next_bytes().await.expect("bytes").expect("of a whole result");
    let time = begun.elapsed();
    assert_eq!(first, ANSWER);
    assert!(stream.next_bytes().await.is_none(), "the whole result");
    time
}
