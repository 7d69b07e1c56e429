//! Fetches an object into a file, by segments side by side.
//!
//! ```sh
//! cargo build --release -p stream-fn
//! STREAM_FN_SOURCE=pattern cargo run --release -p invoker-cli -- \
//!     local --function files=target/release/stream-fn
//! cargo run --release --example download_to_file -- http://127.0.0.1:PORT files 64MiB out.bin
//! ```

mod support;

use std::process::ExitCode;
use std::time::Duration;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, function, object, path] = &arguments[..] else {
        eprintln!("usage: download_to_file ENDPOINT FUNCTION OBJECT FILE");
        return ExitCode::from(2);
    };
    let invoker = invoker::Invoker::new(support::client(endpoint));
    let download = invoker.object(function.as_str(), object);

    // The counters can be looked at while the download runs.
    let progress = download.progress();
    let watcher = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = progress.snapshot();
            eprintln!("{} of {:?} bytes, {} in flight", now.bytes, now.wanted_bytes, now.in_flight);
        }
    });
    let result = download.to_file(path).await;
    watcher.abort();

    match result {
        Ok(report) => {
            eprintln!("{} bytes, {:?}", report.snapshot.bytes, report.integrity);
            ExitCode::SUCCESS
        }
        // No file of that name is there now: it appears only when it is whole.
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
