//! A function on an unmodified `lambda_runtime` that streams: in, the texts to send and, if wanted,
//! the address of somebody to wait for after the first; out, the texts, one at a time.

use lambda_runtime::streaming::{Body, Response, channel};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[derive(Deserialize)]
struct Wish {
    texts: Vec<String>,
    /// Connected to after the first text; the rest follows when the other side closes.
    wait_for: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Wish>) -> Result<Response<Body>, Error> {
    let Wish { texts, wait_for } = event.payload;
    if texts.is_empty() {
        return Err("nothing to send".into());
    }
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        let mut wait_for = wait_for;
        for text in texts {
            sender.send_data(text.into()).await?;
            if let Some(address) = wait_for.take() {
                TcpStream::connect(address).await?.read_to_end(&mut Vec::new()).await?;
            }
        }
        Ok::<_, Error>(())
    });
    Ok(Response::from(body))
}
