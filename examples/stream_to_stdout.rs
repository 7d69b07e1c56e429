//! Streams the result of one invocation to stdout while the function writes it.
//!
//! ```sh
//! cargo run --release -p invoker-cli -- local --function rows=target/release/examples/sqlite_rows
//! cargo run --release --example stream_to_stdout -- http://127.0.0.1:PORT rows '{"rows": 10}'
//! ```

mod support;

use std::process::ExitCode;

use invoker::{Error, Invocation, Invoker};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, function, payload] = &arguments[..] else {
        eprintln!("usage: stream_to_stdout ENDPOINT FUNCTION JSON");
        return ExitCode::from(2);
    };
    let invocation = Invocation::new(function).payload(payload.clone());
    match stream(Invoker::new(support::client(endpoint)), invocation).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stream_to_stdout: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stream(invoker: Invoker, invocation: Invocation) -> Result<(), std::io::Error> {
    let mut stream = invoker.invoke(invocation).await.map_err(into_io)?;
    if let Some(head) = stream.head() {
        eprintln!("status {}", head.status);
    }
    // `ResponseStream` is an `AsyncRead`: the copy ends without an error only if the result is
    // whole, and waits for its reader, which holds the function back.
    tokio::io::copy(&mut stream, &mut tokio::io::stdout()).await?;
    Ok(())
}

fn into_io(error: Error) -> std::io::Error {
    std::io::Error::other(error)
}
