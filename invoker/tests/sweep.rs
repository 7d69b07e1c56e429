//! Every cut and every flipped bit of recorded answers, on real sockets, through the whole public
//! path: one that ends as a success has given exactly the bytes that were meant.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

#[path = "sweep/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use invoker::{Error, ErrorKind, Invocation, Invoker};
use support::{chunk, complete, head};
use wire::{CLOSES, Case, Close, Harm, Wire, function};

/// The body that was meant.
const MEANT: &[u8] = b"the bytes that were meant";

/// Calls at once.
const AT_ONCE: usize = 16;

/// The answer of a function that keeps the contract, as the service streams it.
fn with_a_head() -> Vec<u8> {
    let len = MEANT.len();
    let head = head(
        206,
        &[
            ("content-length", &len.to_string()),
            ("content-range", &format!("bytes 0-{}/{len}", len - 1)),
            ("etag", "\"v1\""),
        ],
    );
    [chunk(&head), chunk(&MEANT[..9]), chunk(&MEANT[9..]), complete("{}")].concat()
}

/// A plain stream: nothing but `InvokeComplete` says where it ends.
fn without_a_head() -> Vec<u8> {
    [chunk(MEANT), complete("{}")].concat()
}

fn every_harm(body: &Arc<Vec<u8>>) -> impl Iterator<Item = Case> {
    let cuts = (0..=body.len())
        .flat_map(|at| CLOSES.into_iter().map(move |close| Harm::Cut { at, close }));
    let flips = (0..body.len() * 8).map(|bit| Harm::Flip { bit });
    let body = Arc::clone(body);
    cuts.chain(flips).map(move |harm| Case { body: Arc::clone(&body), harm })
}

fn invoker(wire: &Wire) -> Invoker {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::for_tests())
        .retry_config(RetryConfig::disabled()) // each case is played once
        .endpoint_url(format!("http://{}", wire.addr))
        .build();
    Invoker::new(aws_sdk_lambda::Client::from_conf(config))
}

async fn as_a_stream(invoker: &Invoker, number: usize) -> Result<Vec<u8>, Error> {
    let mut stream = invoker.invoke(Invocation::new(function(number))).await?;
    let mut bytes = Vec::new();
    while let Some(next) = stream.next_bytes().await {
        bytes.extend_from_slice(&next?);
    }
    Ok(bytes)
}

async fn to_a_file(invoker: &Invoker, number: usize, folder: &Path) -> Result<Vec<u8>, Error> {
    let path = folder.join(function(number));
    let result =
        invoker.object(function(number).as_str(), "object").retries(0).to_file(&path).await;
    match result {
        Ok(_) => Ok(std::fs::read(path).unwrap()),
        Err(error) => {
            assert!(!path.exists(), "case {number}: a file that looks finished");
            Err(error)
        }
    }
}

/// What must come of a case: a success, one of these errors, or either.
fn judge(case: &Case, result: &Result<Vec<u8>, Error>) -> Result<(), &'static str> {
    match (case.harm, result) {
        (_, Ok(bytes)) if bytes != MEANT => Err("a success with other bytes"),
        (Harm::Cut { at, close }, result) if at == case.body.len() => match (close, result) {
            // All frames were there: how the connection ended adds nothing. A reset may overtake
            // bytes that wait to be read.
            (_, Ok(_)) | (Close::Reset, Err(_)) => Ok(()),
            (_, Err(_)) => Err("all frames came, but it is no success"),
        },
        (_, Ok(_)) => Err("a success without proof"),
        (Harm::Cut { close, .. }, Err(error)) => match (error.kind(), close) {
            (ErrorKind::Truncated, _) | (ErrorKind::Unreachable, Close::Reset) => Ok(()),
            _ => Err("a cut is something else than truncated"),
        },
        (Harm::Flip { .. }, Err(error)) => match error.kind() {
            ErrorKind::Corrupt => Ok(()),
            _ => Err("a flipped bit is something else than corrupt"),
        },
    }
}

/// The name of an outcome: counts are kept by it.
fn outcome(case: &Case, result: &Result<Vec<u8>, Error>) -> String {
    let harm = match case.harm {
        Harm::Cut { close, .. } => format!("{close:?}"),
        Harm::Flip { .. } => "Flip".to_owned(),
    };
    match result {
        Ok(_) => format!("{harm}: whole"),
        Err(error) => format!("{harm}: {:?}", error.kind()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cut_and_no_flipped_bit_ends_as_a_success_with_other_bytes() {
    let began = Instant::now();
    let bodies = [Arc::new(with_a_head()), Arc::new(without_a_head())];
    let cases: Arc<Vec<Case>> = Arc::new(bodies.iter().flat_map(every_harm).collect());
    let wire = Wire::start(Arc::clone(&cases)).await;
    let invoker = invoker(&wire);
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (cases, invoker) = (Arc::clone(&cases), invoker.clone());
        let (folder, next) = (Arc::clone(&folder), Arc::clone(&next));
        callers.spawn(async move {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else { return counts };
                let results = [
                    as_a_stream(&invoker, number).await,
                    to_a_file(&invoker, number, folder.path()).await,
                ];
                for result in results {
                    if let Err(broken) = judge(case, &result) {
                        panic!("{broken}: case {number}, {:?}, {result:?}", case.harm);
                    }
                    *counts.entry(outcome(case, &result)).or_default() += 1;
                }
            }
        });
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for counted in callers.join_all().await {
        for (outcome, count) in counted {
            *counts.entry(outcome).or_default() += count;
        }
    }
    // The harness keeps what a passing test prints; this line is for the one who asks.
    let (total, seconds) = (counts.values().sum::<usize>(), began.elapsed().as_secs_f32());
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{total} answers, {seconds:.1} s: {counts:#?}").unwrap();
    assert_eq!(total, 2 * cases.len());
}
