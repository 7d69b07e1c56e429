//! A payload goes in; the rows of the result come out, each when it arrives.
//!
//! ```sh
//! cargo run --release --example ndjson_rows
//! cargo run --release --example ndjson_rows -- 30 fail   # the function fails after the last row
//! ```

mod support;

#[path = "support/local.rs"]
mod local;

use std::time::{Duration, Instant};

use invoker::{Invocation, Invoker};
use serde::{Deserialize, Serialize};
use stream_fn::{BoxError, Failure, Request, Response};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[derive(Serialize, Deserialize)]
struct Order {
    rows: u32,
    fail: bool,
}

#[derive(Serialize, Deserialize)]
struct Row {
    number: u32,
    celsius: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if local::function().is_some() {
        return Ok(stream_fn::run(rows).await?);
    }
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(Ok(20), |rows| rows.parse())?;
    let order = Order { rows, fail: arguments.next().is_some_and(|word| word == "fail") };

    let service = local::serve(&["rows"]).await?;
    let invoker = Invoker::new(support::client(&service.endpoint_url()));
    let begun = Instant::now();
    let invocation = Invocation::new("rows").payload(serde_json::to_vec(&order)?);
    // A `ResponseStream` is an `AsyncRead`, and so has lines. Its end is no end unless it is proven:
    // a function that fails after the last row is an error here.
    let mut lines = BufReader::new(invoker.invoke(invocation).await?).lines();
    while let Some(line) = lines.next_line().await? {
        let row: Row = serde_json::from_str(&line)?;
        println!("{:5.2} s  row {}: {} °C", begun.elapsed().as_secs_f64(), row.number, row.celsius);
    }
    service.shutdown().await;
    Ok(())
}

/// The function: a row now and then.
async fn rows(request: Request) -> Result<Response, BoxError> {
    const EVERY: Duration = Duration::from_millis(100);
    let order: Order = request.payload()?;
    let response = Response::writer(move |mut writer| async move {
        for number in 0..order.rows {
            let row = Row { number, celsius: f64::from(number * 7919 % 600) / 10.0 - 20.0 };
            writer.write_all(serde_json::to_string(&row)?.as_bytes()).await?;
            writer.write_all(b"\n").await?;
            writer.flush().await?; // nothing waits for the next row
            tokio::time::sleep(EVERY).await;
        }
        match order.fail {
            true => Err(Failure::new("NoMoreRows", "the table is gone").into()),
            false => Ok::<(), BoxError>(()),
        }
    });
    Ok(response.content_type("application/x-ndjson"))
}
