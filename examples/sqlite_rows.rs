//! A payload comes in, such as `{"rows": 100000, "format": "csv"}`; the rows of a SQLite query go out
//! as they are found, as NDJSON or CSV. How many bytes that will be nobody knows before the end.
//!
//! ```text
//! cargo build --release --example sqlite_rows
//! cargo run -p invoker-cli -- local --function rows=target/release/examples/sqlite_rows
//! # it prints "listening on http://127.0.0.1:PORT"; in another terminal:
//! invoker cat --endpoint-url http://127.0.0.1:PORT rows -p '{"rows": 100000}'
//! invoker cat --endpoint-url http://127.0.0.1:PORT rows -p '{"rows": 100000, "fail_at": 99999}'
//! ```
//!
//! The second call breaks the query at a row (SQLite's own "integer overflow"): the rows before it
//! arrive, and the caller is told `Function.QueryFailed` in place of the end.

use rusqlite::{Connection, Rows};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write as _;
use stream_fn::{BoxError, Failure, Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Rows are sent when they make this many bytes: one frame of an answer.
const FRAME_BYTES: usize = 64 * 1024;

/// How many frames the query may be ahead of the receiver. A slow receiver stops the query, and memory
/// stays below six frames.
const FRAMES_AHEAD: usize = 4;

/// A made-up table has to be made up first; this many rows take some seconds.
const ROWS_MAX: u32 = 10_000_000;

#[derive(Deserialize)]
struct Order {
    rows: u32,
    #[serde(default)]
    format: Format,
    /// The row at which the query fails, to see what that looks like.
    fail_at: Option<u32>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Ndjson,
    Csv,
}

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(handler).await
}

async fn handler(request: Request) -> Result<Response, BoxError> {
    let order: Order = request.payload()?;
    if order.rows > ROWS_MAX {
        return Err(Failure::new("TooManyRows", format!("at most {ROWS_MAX} rows")).into());
    }
    let media_type = match order.format {
        Format::Ndjson => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let response = Response::writer(move |mut writer| async move {
        let (frames, mut ready) = mpsc::channel(FRAMES_AHEAD);
        let query = spawn_blocking(move || query(&order, &frames));
        while let Some(frame) = ready.recv().await {
            writer.write_all(&frame).await?;
        }
        // The channel is closed by an error and by a panic as well: only this is the end.
        query.await??;
        Ok::<(), BoxError>(())
    });
    Ok(response.content_type(media_type))
}

/// Runs on a thread of its own, as SQLite waits for disks. Ends early if the receiver is gone.
fn query(order: &Order, frames: &mpsc::Sender<Vec<u8>>) -> Result<(), Failure> {
    let failed = |error| Failure::new("QueryFailed", "the query failed").because(error);
    let database = readings(order.rows).map_err(failed)?;
    // abs() of the smallest integer is an error of SQLite at the very row.
    let mut statement = database
        .prepare(
            "SELECT id, station, celsius,
                    CASE WHEN id = ?1 THEN abs(-9223372036854775807 - 1) END
             FROM readings ORDER BY id",
        )
        .map_err(failed)?;
    let rows = statement.query([order.fail_at]).map_err(failed)?;
    let mut frame = String::with_capacity(FRAME_BYTES);
    if let Format::Csv = order.format {
        frame.push_str("id,station,celsius\n");
    }
    let result = write_rows(rows, order.format, frame, frames);
    result.map_err(failed)
}

fn write_rows(
    mut rows: Rows<'_>,
    format: Format,
    mut frame: String,
    frames: &mpsc::Sender<Vec<u8>>,
) -> rusqlite::Result<()> {
    loop {
        let row = rows.next();
        let full = frame.len() >= FRAME_BYTES || !matches!(row, Ok(Some(_)));
        // What was found before an error is sent before it is told.
        if full && frames.blocking_send(std::mem::take(&mut frame).into_bytes()).is_err() {
            return Ok(());
        }
        let Some(row) = row? else { return Ok(()) };
        let (id, station, celsius): (u32, String, f64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // Writing into a String does not fail.
        let _always = match format {
            Format::Ndjson => {
                let row = json!({"id": id, "station": station, "celsius": celsius});
                writeln!(frame, "{row}")
            }
            Format::Csv => writeln!(frame, "{id},{},{celsius}", quoted(&station)),
        };
    }
}

/// A field of RFC 4180.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// A database in a temporary file, which SQLite removes by itself.
fn readings(rows: u32) -> rusqlite::Result<Connection> {
    let database = Connection::open("")?;
    database.execute_batch(
        "CREATE TABLE readings (id INTEGER PRIMARY KEY, station TEXT NOT NULL, celsius REAL NOT NULL)",
    )?;
    database.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO readings
         SELECT i, CASE i % 3 WHEN 0 THEN 'Summit, \"North\"' WHEN 1 THEN 'Harbour' ELSE 'Zürich' END,
                round((i * 7919 % 600) / 10.0 - 20, 1)
         FROM n",
        [rows],
    )?;
    Ok(database)
}
