//! HTTP read by hand: in, a call; out, every byte of its answer, how it was cut into HTTP chunks, and
//! how it ended.

use super::support::{PATIENCE, quiet, raw};
use local_lambda::{FaultRule, LocalLambda};
use serde_json::{Value, json};
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// HTTP says that it is whole.
    Whole,
    /// A FIN came before.
    Closed,
    /// A RST came before.
    Reset,
}

/// An answer, or what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    /// 0 if not even the HTTP head came.
    pub(crate) status: u16,
    /// The HTTP head in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The lengths of HTTP's chunks.
    pub(crate) chunks: Vec<usize>,
    pub(crate) end: End,
}

/// A call that was sent and is being answered.
pub(crate) struct Asked {
    pub(crate) stream: TcpStream,
    /// What came.
    pub(crate) bytes: Vec<u8>,
}

pub(crate) const STREAMING: &str = "/2021-11-15/functions/raw/response-streaming-invocations";
pub(crate) const BUFFERED: &str = "/2015-03-31/functions/raw/invocations";

pub(crate) const BODY: &str = "0123456789abcdefghijABCDEFGHIJ";

/// What makes the raw function answer with a head and BODY in three chunks: frames 1 to 4, and
/// `InvokeComplete` is frame 5.
pub(crate) fn answer() -> Value {
    json!({
        "do": "answer",
        "head": {"headers": {"content-length": "30", "etag": "\"v1\""}, "statusCode": 200},
        "chunks": [&BODY[..10], &BODY[10..20], &BODY[20..]],
    })
}

pub(crate) async fn ask(local: &LocalLambda, path: &str, headers: &str, payload: &Value) -> Asked {
    let mut stream = TcpStream::connect(local.addr()).await.unwrap();
    let payload = payload.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}");
    let request = format!("{head}content-length: {}\r\n\r\n{payload}", payload.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    Asked { stream, bytes: Vec::new() }
}

impl Asked {
    /// Reads until `enough` came, or until the end.
    pub(crate) async fn until(&mut self, enough: impl Fn(&Wire) -> bool) -> Wire {
        loop {
            if let Some(wire) = parse(&self.bytes)
                && (wire.end == End::Whole || enough(&wire))
            {
                return wire;
            }
            let read = self.stream.read_buf(&mut self.bytes);
            let end = match timeout(PATIENCE, read).await.expect("an answer or its end") {
                Ok(0) => End::Closed,
                Ok(_) => continue,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                    End::Reset
                }
            };
            let nothing =
                Wire { status: 0, head: String::new(), body: vec![], chunks: vec![], end };
            return Wire { end, ..parse(&self.bytes).unwrap_or(nothing) };
        }
    }

    /// Reads to the end.
    pub(crate) async fn read(mut self) -> Wire {
        self.until(|_| false).await
    }
}

/// One whole call.
pub(crate) async fn call(local: &LocalLambda, path: &str, payload: &Value) -> Wire {
    ask(local, path, "", payload).await.read().await
}

/// The same call without and with the faults.
pub(crate) async fn compare(path: &str, payload: &Value, faults: &[&str]) -> (Wire, Wire) {
    let local = quiet().function(raw()).start().await.unwrap();
    let clean = call(&local, path, payload).await;
    for fault in faults {
        local.add_fault(fault.parse::<FaultRule>().unwrap()).unwrap();
    }
    let faulty = call(&local, path, payload).await;
    assert_eq!(local.stats().faults_injected, faults.len() as u64);
    local.clear_faults();
    // The service is none the worse for it.
    assert_eq!(call(&local, path, payload).await.body, clean.body, "after {faults:?}");
    (clean, faulty)
}

/// Where the frames of an answer begin, and where the last one ends.
pub(crate) fn borders(body: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    while let Some(length) = body[borders[borders.len() - 1]..].first_chunk::<4>() {
        borders.push(borders[borders.len() - 1] + u32::from_be_bytes(*length) as usize);
    }
    borders
}

/// The HTTP answer so far, if its head came.
fn parse(bytes: &[u8]) -> Option<Wire> {
    let border = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..border].to_ascii_lowercase()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut rest = &bytes[border + 4..];
    let (mut body, mut chunks, mut end) = (Vec::new(), Vec::new(), End::Closed);
    if head.contains("\r\ntransfer-encoding: chunked") {
        while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
            let length = std::str::from_utf8(&rest[..line]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            rest = &rest[line + 2..];
            if length == 0 {
                if rest.starts_with(b"\r\n") {
                    end = End::Whole;
                }
                break;
            }
            body.extend_from_slice(&rest[..length.min(rest.len())]);
            if rest.len() < length + 2 {
                break;
            }
            chunks.push(length);
            rest = &rest[length + 2..];
        }
    } else if status == 204 {
        end = End::Whole;
    } else {
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        body.extend_from_slice(rest);
        if rest.len() == length {
            end = End::Whole;
        }
    }
    Some(Wire { status, head, body, chunks, end })
}
