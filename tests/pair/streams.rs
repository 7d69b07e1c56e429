//! Streams of functions that stand on `stream_fn`: bytes are there when they are written, a slow reader
//! holds the function back, and a failure in mid-stream is one.

use crate::support::{Gate, Pair, call, function_error, in_time, read};
use invoker::Integrity;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_is_there_before_the_last_is_written() {
    let pair = Pair::of_example("pair_function").await;
    let gate = Gate::new().await;
    let wish = json!({"do": "wait", "wait_for": gate.address()});
    let mut stream = in_time(pair.invoker.invoke(call(wish))).await.unwrap();
    let first = in_time(stream.next_bytes()).await.unwrap().unwrap();
    assert_eq!(first, "first");
    // The function has not written its last byte: it waits here until it is let go.
    let waiting = gate.somebody().await;
    drop(waiting);
    let last = in_time(stream.next_bytes()).await.unwrap().unwrap();
    assert_eq!(last, "last");
    assert!(in_time(stream.next_bytes()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_order_and_into_a_file() {
    let pair = Pair::of_example("pair_function").await;
    let gate = Gate::new().await;
    let wish = json!({"do": "wait", "wait_for": gate.address()});
    let download = || pair.invoker.download(call(wish.clone()));
    let mut ordered = in_time(download().in_order()).await.unwrap();
    assert_eq!(in_time(ordered.next_bytes()).await.unwrap().unwrap(), "first");
    drop(gate.somebody().await);
    assert_eq!(in_time(ordered.next_bytes()).await.unwrap().unwrap(), "last");
    assert!(in_time(ordered.next_bytes()).await.is_none());
    let description = &ordered.report().unwrap().description;
    assert_eq!((description.ranges, description.size), (false, None));

    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let to_file = tokio::spawn(download().to_file(target.clone()));
    let waiting = gate.somebody().await;
    assert!(!target.exists(), "a file before its end");
    drop(waiting);
    in_time(to_file).await.unwrap().unwrap();
    assert_eq!(std::fs::read(target).unwrap(), b"firstlast");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_stops_holds_the_function_back() {
    const BYTES: u64 = 128 << 20;
    /// More than the buffers of all sockets on the way can hold, by far less than all.
    const HELD_BACK: u64 = BYTES / 2;

    let pair = Pair::of_example("pair_function").await;
    let folder = tempfile::tempdir().unwrap();
    let wish = |count: &str| {
        call(json!({"do": "stream", "bytes": BYTES, "count": folder.path().join(count)}))
    };
    let taken = |count: &str| -> u64 {
        std::fs::read_to_string(folder.path().join(count)).unwrap().parse().unwrap_or(0)
    };
    let mut stream = in_time(pair.invoker.invoke(wish("held"))).await.unwrap();
    let mut received = in_time(stream.next_bytes()).await.unwrap().unwrap().len() as u64;

    // Nobody reads on. Meanwhile another stream of that length goes from its first byte to its last:
    // there is time enough for this one too.
    let mut other = in_time(pair.invoker.invoke(wish("other"))).await.unwrap();
    let mut others = 0;
    while let Some(bytes) = in_time(other.next_bytes()).await {
        others += bytes.unwrap().len() as u64;
    }
    assert_eq!((others, taken("other")), (BYTES, BYTES));
    let held = taken("held");
    assert!(held < HELD_BACK, "the function has written {held} bytes that nobody reads");

    while let Some(bytes) = in_time(stream.next_bytes()).await {
        received += bytes.unwrap().len() as u64;
    }
    assert_eq!((received, taken("held")), (BYTES, BYTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stream_as_ndjson_and_as_csv() {
    const ROWS: usize = 5_000;
    let pair = Pair::of_example("sqlite_rows").await;
    let rows = |format: &str| pair.invoker.download(call(json!({"rows": ROWS, "format": format})));

    let (ndjson, ended) = in_time(read(rows("ndjson"))).await;
    ended.unwrap();
    let lines: Vec<Value> = serde_json::Deserializer::from_slice(&ndjson)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(lines.len(), ROWS);
    assert!(lines.iter().zip(1..).all(|(line, id)| line["id"] == id));
    assert_eq!(lines[0]["station"], "Harbour");

    let (csv, ended) = in_time(read(rows("csv"))).await;
    ended.unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("id,station,celsius"));
    assert!(lines.clone().zip(1..).all(|(line, id)| line.starts_with(&format!("{id},"))));
    assert_eq!(lines.clone().count(), ROWS);
    assert!(csv.contains("\"Summit, \"\"North\"\"\"") && csv.contains("Zürich"));

    let ordered = in_time(rows("csv").in_order()).await.unwrap();
    assert_eq!(ordered.description().content_type.as_deref(), Some("text/csv; charset=utf-8"));

    let folder = tempfile::tempdir().unwrap();
    let report = in_time(rows("csv").to_file(folder.path().join("rows.csv"))).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("rows.csv")).unwrap(), csv);
    assert!(matches!(report.integrity, Integrity::NotVerified { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_breaks_is_no_end() {
    const FAIL_AT: usize = 4_000;
    let pair = Pair::of_example("sqlite_rows").await;
    let wish = json!({"rows": 5_000, "fail_at": FAIL_AT});
    let (ndjson, ended) = in_time(read(pair.invoker.download(call(wish.clone())))).await;
    let (error_type, message) = function_error(ended);
    assert_eq!(error_type, "Function.QueryFailed");
    assert!(message.contains("the query failed"), "{message}");
    let rows = ndjson.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(rows, FAIL_AT - 1, "the rows before it arrive");

    let folder = tempfile::tempdir().unwrap();
    let download = pair.invoker.download(call(wish));
    let ended = in_time(download.to_file(folder.path().join("rows"))).await;
    assert_eq!(function_error(ended.map(drop)).0, "Function.QueryFailed");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file of half the rows");

    let (nothing, ended) =
        in_time(read(pair.invoker.download(call(json!({"rows": "many"}))))).await;
    assert!(nothing.is_empty());
    function_error(ended);
}
