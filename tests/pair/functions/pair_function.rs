//! A payload comes in that names a behaviour; an answer by `stream_fn` goes out that has it.

use serde::Deserialize;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};
use stream_fn::{BoxError, Failure, Metadata, Object, Request, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of one write: one frame.
const WRITE_BYTES: u64 = 64 * 1024;

/// The nine digits, whose sum every catalogue of checksums has for CRC-64/NVME.
const DIGITS: (&str, u64) = ("123456789", 0xAE8B_1486_0A79_9888);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Wish {
    /// Writes `first`, waits until the one at `wait_for` closes its connection, writes `last`.
    Wait { wait_for: String },
    /// Writes so many bytes; the file `count` has how many were taken.
    Stream { bytes: u64, count: PathBuf },
    /// Writes texts, and before each but the first waits until the one at `wait_for`, if there is one,
    /// closes its connection; then fails, if that is wished.
    Say {
        texts: Vec<String>,
        wait_for: Option<String>,
        #[serde(default)]
        fail: bool,
        compression: Option<bool>,
    },
    /// Answers with an object about which all is known.
    Object,
}

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(handler).await
}

async fn handler(request: Request) -> Result<Response, BoxError> {
    match request.payload()? {
        Wish::Wait { wait_for } => Ok(Response::writer(|mut writer| async move {
            writer.write_all(b"first").await?;
            let mut gate = TcpStream::connect(wait_for).await?;
            gate.read_to_end(&mut Vec::new()).await?;
            writer.write_all(b"last").await
        })),
        Wish::Stream { bytes, count } => Ok(Response::writer(move |mut writer| async move {
            let frame = [b'x'; WRITE_BYTES as usize];
            let mut taken = 0;
            while taken < bytes {
                let size = WRITE_BYTES.min(bytes - taken);
                writer.write_all(&frame[..size as usize]).await?;
                taken += size;
                tokio::fs::write(&count, taken.to_string()).await?;
            }
            Ok::<(), std::io::Error>(())
        })),
        Wish::Say { texts, wait_for, fail, compression } => {
            let response = Response::writer(move |mut writer| async move {
                for (number, text) in texts.iter().enumerate() {
                    if let Some(wait_for) = wait_for.as_deref().filter(|_| number > 0) {
                        let mut gate = TcpStream::connect(wait_for).await?;
                        gate.read_to_end(&mut Vec::new()).await?;
                    }
                    writer.write_all(text.as_bytes()).await?;
                }
                match fail {
                    true => Err(Failure::new("OutOfWords", "there are no more words").into()),
                    false => Ok::<(), BoxError>(()),
                }
            });
            let response = response.content_type("text/plain; charset=utf-8");
            Ok(match compression {
                Some(wanted) => response.compression(wanted),
                None => response,
            })
        }
        Wish::Object => {
            let (digits, sum) = DIGITS;
            let version = Version::new("v1").ok_or("not a tag")?;
            let metadata = Metadata {
                content_type: "text/plain; charset=utf-8".to_owned(),
                last_modified: Some(UNIX_EPOCH + Duration::from_secs(1)),
                crc64nvme: Some(sum),
                ..Metadata::new(digits.len() as u64, version.clone())
            };
            let read = move |range| Object::from_bytes(digits, version).read(range);
            Ok(Response::object(Object::new(metadata, read)))
        }
    }
}
