//! HTTP requests come in as events; the path says what is done and the query how; answers go out that are
//! whole, wait, or fail in every way a function can. Any other path is an object: its size is its name.

use std::io;
use std::path::PathBuf;

use http::StatusCode;
use stream_fn::source::Pattern;
use stream_fn::{BoxError, Failure, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of one write: one frame.
const WRITE_BYTES: usize = 8 * 1024;

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    let objects = stream_fn::objects(Pattern);
    let objects = std::sync::Arc::new(objects);
    stream_fn::run(move |request| {
        let objects = std::sync::Arc::clone(&objects);
        async move {
            match request.object().unwrap_or_default() {
                "fail" => fail(&request),
                "gate" => gate(&request),
                "events" => events(&request),
                "count" => count(&request),
                "numbered" => numbered(&request),
                "status" => status(&request),
                "size" => Ok(Response::value(&request.body().len())),
                _ => Ok(objects(request).await?),
            }
        }
    })
    .await
}

fn number(request: &Request, name: &str) -> Result<usize, BoxError> {
    Ok(request.query(name).unwrap_or("0").parse()?)
}

/// Sends `after` bytes and fails as `how` says; `length` is what the head promises.
fn fail(request: &Request) -> Result<Response, BoxError> {
    let how = request.query("how").unwrap_or("never").to_owned();
    let mut left = number(request, "after")?;
    if how == "early" {
        return Err(Failure::new("NothingToday", "the secret of the cupboard").into());
    }
    let response = Response::writer(move |mut writer| async move {
        let bytes = [b'x'; WRITE_BYTES];
        while left > 0 {
            let size = left.min(bytes.len());
            writer.write_all(&bytes[..size]).await?;
            left -= size;
        }
        writer.flush().await?;
        end(&how).await
    });
    let response = response.content_type("text/plain");
    Ok(match number(request, "length")? {
        0 => response,
        length => response.content_length(length as u64),
    })
}

async fn end(how: &str) -> Result<(), BoxError> {
    match how {
        "error" => Err(Failure::new("OutOfRows", "row 7 has a secret").into()),
        "panic" => panic!("a test wants it"),
        "exit" => std::process::exit(7),
        "hang" => std::future::pending().await,
        _ => Ok(()),
    }
}

/// Sends `first`, waits until the one at `at` closes its connection, sends `last`.
fn gate(request: &Request) -> Result<Response, BoxError> {
    let at = request.query("at").unwrap_or_default().to_owned();
    Ok(Response::writer(|mut writer| async move {
        writer.write_all(b"first\n").await?;
        writer.flush().await?;
        let mut gate = TcpStream::connect(at).await?;
        gate.read_to_end(&mut Vec::new()).await?;
        writer.write_all(b"last\n").await
    }))
}

/// Sends two events and the text of `then`, and fails as `how` says.
fn events(request: &Request) -> Result<Response, BoxError> {
    let how = request.query("how").unwrap_or("never").to_owned();
    let then = request.query("then").unwrap_or_default().to_owned();
    let response = Response::writer(move |mut writer| async move {
        writer.write_all(b"id: 1\ndata: one\n\nid: 2\ndata: two\n\n").await?;
        writer.write_all(then.as_bytes()).await?;
        writer.flush().await?;
        end(&how).await
    });
    Ok(response.content_type("text/event-stream"))
}

/// Sends `bytes` bytes; the file at `file` has how many were taken.
fn count(request: &Request) -> Result<Response, BoxError> {
    let bytes = number(request, "bytes")?;
    let file = PathBuf::from(request.query("file").unwrap_or_default());
    Ok(Response::writer(move |mut writer| async move {
        let frame = [b'x'; WRITE_BYTES * 8];
        let mut taken = 0;
        while taken < bytes {
            let size = frame.len().min(bytes - taken);
            writer.write_all(&frame[..size]).await?;
            taken += size;
            tokio::fs::write(&file, taken.to_string()).await?;
        }
        Ok::<(), io::Error>(())
    }))
}

fn status(request: &Request) -> Result<Response, BoxError> {
    let status = StatusCode::from_u16(number(request, "code")? as u16)?;
    Ok(Response::value("").status(status).header("x-said", "yes"))
}

/// Sends `blocks` blocks of 64 KiB of the letter `letter`, each with its number in front.
fn numbered(request: &Request) -> Result<Response, BoxError> {
    let (blocks, letter) = (number(request, "blocks")?, number(request, "letter")? as u8);
    let response = Response::writer(move |mut writer| async move {
        let mut block = [letter; WRITE_BYTES * 8];
        for number in 0..blocks as u64 {
            block[..8].copy_from_slice(&number.to_be_bytes());
            writer.write_all(&block).await?;
        }
        Ok::<(), io::Error>(())
    });
    Ok(response.content_length((blocks * WRITE_BYTES * 8) as u64))
}
