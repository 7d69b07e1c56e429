//! An object goes in; a file comes out, and meanwhile a bar on the terminal.
//!
//! ```sh
//! cargo run --release --example progress_bar -- 256MiB out.bin
//! ```
//!
//! Stop it with Ctrl-C and run it again: it goes on where it stopped.

mod support;

#[path = "support/local.rs"]
mod local;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use invoker::{Invoker, Progress};

const REDRAW: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if local::function().is_some() {
        return Ok(stream_fn::serve(stream_fn::source::Pattern).await?);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [object, path] = &arguments[..] else {
        return Err("usage: progress_bar SIZE FILE".into());
    };
    let service = local::serve(&["files"]).await?;
    let invoker = Invoker::new(support::client(&service.endpoint_url()));
    let download = invoker.object("files", object);
    let drawing = tokio::spawn(draw(download.progress()));
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let done = download.to_file_until(path, interrupted).await;
    drawing.abort();
    let report = done?;
    println!("{path}: {} bytes, {:?}", report.snapshot.bytes, report.integrity);
    service.shutdown().await;
    Ok(())
}

/// The counters are there to be looked at: nothing in the download waits for it.
async fn draw(progress: Progress) {
    let style = ProgressStyle::with_template(
        "{bar:30} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left, {msg}",
    );
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let now = progress.snapshot();
        bar.set_length(now.wanted_bytes.unwrap_or(now.bytes));
        bar.set_position(now.bytes);
        bar.set_message(format!("{} in flight", now.in_flight));
        tokio::time::sleep(REDRAW).await;
    }
}
