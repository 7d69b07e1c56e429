//! A request comes in; the function's own name goes out, at once or, at `gate`, when somebody who is waited for
//! lets it.

use stream_fn::{BoxError, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(answer).await
}

async fn answer(request: Request) -> Result<Response, BoxError> {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME")?;
    let at = request.query("at").map(str::to_owned);
    Ok(Response::writer(|mut writer| async move {
        writer.write_all(format!("{name}\n").as_bytes()).await?;
        writer.flush().await?;
        if let Some(at) = at {
            let mut gate = TcpStream::connect(at).await?;
            gate.read_to_end(&mut Vec::new()).await?;
            writer.write_all(b"whole\n").await?;
        }
        Ok::<(), std::io::Error>(())
    }))
}
