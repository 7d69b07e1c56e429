//! Objects of many functions go in; all of them are read at once, in order, and what is held for all
//! of them together stays within one budget.
//!
//! ```sh
//! cargo run --release --example fan_out -- 8 64MiB
//! ```

mod support;

#[path = "support/local.rs"]
mod local;

use std::time::Duration;

use invoker::{Error, Invoker, MemoryBudget};
use tokio::task::JoinSet;

/// For all downloads together, in bytes.
const BUDGET: usize = 32 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if local::function().is_some() {
        return Ok(stream_fn::serve(stream_fn::source::Pattern).await?);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [functions, object] = &arguments[..] else {
        return Err("usage: fan_out FUNCTIONS SIZE".into());
    };
    let names: Vec<String> = (0..functions.parse()?).map(|number| format!("f{number}")).collect();
    let service = local::serve(&names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let invoker = Invoker::new(support::client(&service.endpoint_url()));

    let budget = MemoryBudget::of(BUDGET);
    let mut readers = JoinSet::new();
    for (number, name) in names.iter().enumerate() {
        let download = invoker.object(name.as_str(), object).memory_budget(&budget);
        // Slow ones hold no more of the budget than what waits for them.
        let pause = Duration::from_millis(number as u64 % 3);
        readers.spawn(read(name.clone(), download, pause));
    }
    // Dropped on the first error, it ends the others.
    while let Some(read) = readers.join_next().await {
        let (name, bytes) = read??;
        println!("{name}: {bytes} bytes");
    }
    service.shutdown().await;
    Ok(())
}

async fn read(
    name: String,
    download: invoker::Download,
    pause: Duration,
) -> Result<(String, usize), Error> {
    let mut bytes = download.in_order().await?;
    let mut read = 0;
    while let Some(next) = bytes.next_bytes().await {
        read += next?.len();
        tokio::time::sleep(pause).await;
    }
    Ok((name, read))
}
