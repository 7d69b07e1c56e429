//! How fast responses flow: the service's bucket, and a caller who does not read.

use super::support::{blob, client, next_payload, quiet, raw, read, service};
use local_lambda::{Limits, Pace};
use serde_json::json;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn six_mebibytes_burst_then_two_a_second() {
    let local = service().await;
    let start = Instant::now();
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&json!({"do": "stream", "bytes": 8 * MIB})))
        .send()
        .await
        .unwrap();
    let mut burst = 0;
    while burst < 5 * MIB {
        burst += next_payload(&mut output).await.len();
    }
    let bursting = start.elapsed();
    let rest = read(output).await;
    assert_eq!((rest.payload.len() + burst, rest.code()), (8 * MIB, None));
    // 2 MiB above the burst are 8 refills of 125 ms; the bucket's clock runs from the lease on.
    let whole = start.elapsed();
    assert!(whole >= Duration::from_millis(950), "{whole:?}");
    assert!(bursting < whole, "{bursting:?} {whole:?}");
}

#[tokio::test]
async fn each_limit_can_be_switched_off_by_itself() {
    let local =
        quiet().limits(Limits::aws().with_pace(None)).function(raw()).start().await.unwrap();
    let start = Instant::now();
    let streamed =
        super::support::stream(&local, "raw", &json!({"do": "stream", "bytes": 40 * MIB})).await;
    assert_eq!((streamed.payload.len(), streamed.code()), (40 * MIB, None));
    assert!(start.elapsed() < Duration::from_secs(17), "paced: {:?}", start.elapsed());
}

#[tokio::test]
async fn a_caller_who_does_not_read_stops_the_function() {
    let pace = Pace { burst_bytes: 1 << 40, ..Pace::aws() };
    let limits = Limits::off().with_pace(Some(pace));
    let local = quiet().limits(limits).function(raw()).start().await.unwrap();
    let count = tempfile::NamedTempFile::new().unwrap();
    let total = 64 * MIB;
    let mut output = client(&local)
        .invoke_with_response_stream()
        .function_name("raw")
        .payload(blob(&json!({"do": "stream", "bytes": total, "count": count.path()})))
        .send()
        .await
        .unwrap();
    next_payload(&mut output).await;
    let written =
        || -> usize { std::fs::read_to_string(count.path()).unwrap().parse().unwrap_or_default() };
    // It stops: the count stays as it is over many of the function's writes' times.
    let (mut last, mut still) = (written(), 0);
    while still < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = written();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    assert!(last < total / 4, "{last} of {total} bytes written to a caller who does not read");
    let rest = read(output).await;
    assert_eq!(rest.code(), None);
    assert_eq!(written(), total);
}
