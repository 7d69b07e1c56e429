//! A question goes in; the words of the answer appear on the terminal while the function finds them, as
//! a language model's would.
//!
//! ```sh
//! cargo run --release --example tokens
//! ```

mod support;

#[path = "support/local.rs"]
mod local;

use std::io::Write as _;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use invoker::{Invocation, Invoker};
use stream_fn::{BoxError, Request, Response};

const ANSWER: &str = "A function may answer with more than it can hold, if it says each word when it \
                      has it. Whoever reads on has the first word long before the last is found, and \
                      an answer that breaks off is never taken for a whole one.";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if local::function().is_some() {
        return Ok(stream_fn::run(answer).await?);
    }
    let service = local::serve(&["model"]).await?;
    let invoker = Invoker::new(support::client(&service.endpoint_url()));
    let invocation = Invocation::new("model").payload(r#"{"question": "why stream?"}"#);
    let mut tokens = invoker.invoke(invocation).await?;
    while let Some(token) = tokens.next_bytes().await {
        // Words may be cut anywhere on their way; a terminal puts them together again.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&token?)?;
        stdout.flush()?;
    }
    println!();
    service.shutdown().await;
    Ok(())
}

/// The function: a word, a pause, a word.
async fn answer(_: Request) -> Result<Response, BoxError> {
    const PAUSE: Duration = Duration::from_millis(60);
    let words = stream::iter(ANSWER.split_inclusive(' ')).then(|word| async move {
        tokio::time::sleep(PAUSE).await;
        Ok::<_, BoxError>(word)
    });
    Ok(Response::stream(words).content_type("text/plain; charset=utf-8"))
}
