//! A payload comes in that says how to fail, such as `{"fail": "exit", "after": 100000}`; that many
//! bytes go out, as text if that is wished, and then that failure.

use serde::Deserialize;
use stream_fn::{BoxError, Failure, Request, Response};
use tokio::io::AsyncWriteExt;

/// Bytes of one write.
const WRITE_BYTES: usize = 8 * 1024;

#[derive(Deserialize)]
struct Wish {
    fail: Fail,
    /// Bytes sent before.
    #[serde(default)]
    after: usize,
    /// Whether they are called text.
    #[serde(default)]
    text: bool,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Fail {
    /// The handler gives an error.
    Early,
    /// The body gives an error.
    Error,
    Panic,
    Exit,
    /// Waits for ever.
    Hang,
    /// The same, and lets nothing else go on.
    Block,
    /// Not at all.
    Never,
}

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(handler).await
}

async fn handler(request: Request) -> Result<Response, BoxError> {
    let Wish { fail, after, text } = request.payload()?;
    if let Fail::Early = fail {
        return Err(Failure::new("NothingToday", "the cupboard is bare").into());
    }
    let response = Response::writer(move |mut writer| async move {
        let bytes = [b'x'; WRITE_BYTES];
        let mut left = after;
        while left > 0 {
            let size = left.min(bytes.len());
            writer.write_all(&bytes[..size]).await?;
            left -= size;
        }
        writer.flush().await?;
        match fail {
            Fail::Error => Err(Failure::new("OutOfRows", "row 7 cannot be read").into()),
            Fail::Panic => panic!("a test wants it"),
            Fail::Exit => std::process::exit(7),
            Fail::Hang => std::future::pending().await,
            Fail::Block => loop {
                std::thread::park();
            },
            Fail::Early | Fail::Never => Ok::<(), BoxError>(()),
        }
    });
    Ok(if text { response.content_type("text/plain") } else { response })
}
